"""Principal components of the measures of several instance tables, on one common map.

Source: Jolliffe, Principal Component Analysis (2002), of the correlation matrix.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd

from mitoem.effects.sizes import Values
from mitoem.errors import RequestInvalid

FEWEST_ROWS: Final = 3
"""Two rows lie on a line, whatever they are."""

PRESENT: Final = 0.95
"""Share of the rows that must have a value above 0 for a measure to enter. Our choice."""

SAME: Final = 0.9999
"""Two logs that correlate more than this are one measure in two units, and would count double."""


@dataclass(frozen=True, slots=True, eq=False)
class Components:
    """The first two principal components of standardised natural logs of ``columns``.

    ``means`` and ``deviations`` are those of the logs, over the ``rows`` of all tables together
    that have every measure; ``loadings`` (columns, 2) are unit vectors, the entry furthest from 0
    positive; ``shares`` of the variance. ``left_out``: measures that did not enter, and why.
    """

    columns: tuple[str, ...]
    means: Values
    deviations: Values
    loadings: Values
    shares: tuple[float, float]
    rows: int
    left_out: tuple[tuple[str, str], ...]

    def place(self, frame: pd.DataFrame) -> Values:
        """Where the instances of a table lie, (n, 2); NaN where one lacks a measure."""
        logs = _logs(frame, self.columns)
        return np.asarray((logs - self.means) / self.deviations @ self.loadings, np.float64)


def components(
    *tables: pd.DataFrame, columns: Sequence[str], complete_only: bool = True
) -> Components:
    """Principal components of the logs of these measures over all tables together.

    A measure enters when nearly all rows have a value above 0, it varies, and it is not another
    one in other units. ``complete_only`` leaves out instances that a face of the labelled region
    cuts. Raises RequestInvalid where fewer than two measures or three rows are left.
    """
    rows = pd.concat(
        [one[~one["touches_border"].to_numpy(bool)] if complete_only else one for one in tables]
    )
    kept, left_out = _entering(rows, columns)
    logs = _logs(rows, kept)
    logs = logs[np.isfinite(logs).all(axis=1)]
    if len(kept) < 2 or len(logs) < FEWEST_ROWS:
        raise RequestInvalid(
            f"principal components: expected 2 measures and {FEWEST_ROWS} instances at least, "
            f"found {len(kept)} and {len(logs)}"
        )
    means, deviations = logs.mean(axis=0), logs.std(axis=0)
    standard = (logs - means) / deviations
    standard = standard[np.lexsort(standard.T)]
    _, sizes, axes = np.linalg.svd(standard, full_matrices=False)
    loadings = axes[:2].T
    loadings = loadings * np.sign(loadings[np.abs(loadings).argmax(axis=0), [0, 1]])
    first, second = (sizes**2 / (sizes**2).sum())[:2]
    shares = float(first), float(second)
    return Components(tuple(kept), means, deviations, loadings, shares, len(logs), left_out)


def _entering(
    rows: pd.DataFrame, columns: Sequence[str]
) -> tuple[list[str], tuple[tuple[str, str], ...]]:
    """The measures that enter; the others, and why."""
    kept: list[str] = []
    why: list[tuple[str, str]] = []
    for name in columns:
        log = _logs(rows, [name])[:, 0]
        there = np.isfinite(log)
        if not rows[name].notna().any():
            why.append((name, "not measured"))
        elif there.mean() < PRESENT:
            why.append((name, f"{np.mean(~there):.0%} without a value above 0"))
        elif np.ptp(log[there]) < 1e-9:
            why.append((name, "all alike"))
        elif twin := next((one for one in kept if _same(rows, one, name)), ""):
            why.append((name, f"the same as {twin}"))
        else:
            kept.append(name)
    return kept, tuple(why)


def _same(rows: pd.DataFrame, one: str, other: str) -> bool:
    logs = _logs(rows, [one, other])
    logs = logs[np.isfinite(logs).all(axis=1)]
    if len(logs) < FEWEST_ROWS or (np.ptp(logs, axis=0) < 1e-9).any():
        return False
    correlation = np.asarray(np.corrcoef(logs.T), np.float64)
    return bool(abs(correlation[0, 1]) > SAME)


def _logs(frame: pd.DataFrame, columns: Sequence[str]) -> Values:
    """Natural logs, NaN where there is no value above 0."""
    values = frame[list(columns)].to_numpy(np.float64, na_value=np.nan)
    return np.asarray(np.log(np.where(values > 0, values, np.nan)), np.float64)
