"""Two samples of one measure: what each is like, and how far apart they lie."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.stats import rankdata

from mitoem.errors import RequestInvalid

Values = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Summary:
    """Number of values, their median and their quartiles; NaN where there is none."""

    n: int
    median: float
    lower: float
    upper: float

    @property
    def iqr(self) -> float:
        """Interquartile range."""
        return self.upper - self.lower


def summary(values: Values) -> Summary:
    """Median and quartiles of the finite values, interpolated linearly."""
    finite = values[np.isfinite(values)]
    if finite.size == 0:
        return Summary(0, np.nan, np.nan, np.nan)
    lower, median, upper = (float(v) for v in np.percentile(finite, (25, 50, 75)))
    return Summary(int(finite.size), median, lower, upper)


def cliffs_delta(a: Values, b: Values) -> float:
    """P(a > b) − P(a < b) over all pairs of finite values: from −1 to 1, 0 when neither is larger.

    From the rank sum, so large samples cost a sort. Raises RequestInvalid for an empty sample.
    Source: Cliff, Psychological Bulletin 114:494 (1993).

    >>> cliffs_delta(np.array([2.0, 3.0]), np.array([1.0, 2.0]))
    0.75
    """
    a, b = a[np.isfinite(a)], b[np.isfinite(b)]
    if a.size == 0 or b.size == 0:
        raise RequestInvalid(f"effect size: expected two samples, found {a.size} and {b.size}")
    ranks = rankdata(np.concatenate([a, b]))
    above = float(ranks[: a.size].sum()) - a.size * (a.size + 1) / 2
    return 2 * above / (a.size * b.size) - 1
