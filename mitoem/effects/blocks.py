"""Intervals from a bootstrap of blocks of tissue, whose instances are drawn together.

Neighbours resemble each other, so instances drawn one by one give intervals that are too narrow.
Source: Künsch, Annals of Statistics 17:1217 (1989); Lahiri, Resampling Methods for Dependent Data
(2003), section 12.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any, Final, Literal

import numpy as np
import numpy.typing as npt
from scipy.optimize import brentq

from mitoem.effects.cubes import FEWEST_BLOCKS, MOST_PAIRS, Counts, block_numbers
from mitoem.effects.sizes import Values, cliffs_delta, hodges_lehmann, nearest_below
from mitoem.errors import RequestInvalid

_Tail = npt.NDArray[Any]
_Ends = tuple[float, float]

REPLICATES: Final = 1_000

COVERAGE: Final = (0.025, 0.975)
"""Quantiles of the replicates that bound an interval of 95 %."""

FINENESS: Final = 1e-4
"""Ends of an interval of the shift are found to this share of the spread of the values."""


@dataclass(frozen=True, slots=True)
class Draw:
    """How blocks are drawn: edge of the cubes in µm, seed, number of replicates.

    The cubes start at 0 µm. ``paired`` draws the same cubes in both sets, for two label sets of
    one tissue; otherwise each set draws its own.
    """

    edge: float
    seed: int = 0
    replicates: int = REPLICATES
    paired: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Placed:
    """Values of a measure, (n,), and the centroids of their instances, (n, 3), in µm."""

    values: Values
    centroids: Values


@dataclass(frozen=True, slots=True)
class Estimate:
    """A number and its 95 % interval, and the blocks of A and B, edge in µm, seed and replicates.

    ``low`` and ``high`` are NaN where a set has fewer than ``FEWEST_BLOCKS`` blocks.
    """

    value: float
    low: float
    high: float
    blocks: tuple[int, int]
    edge: float
    seed: int
    replicates: int

    @property
    def bounded(self) -> bool:
        """Whether there is an interval."""
        return bool(np.isfinite(self.low) and np.isfinite(self.high))

    @property
    def clear(self) -> bool:
        """Whether the interval leaves 0 out."""
        return self.bounded and not self.low <= 0 <= self.high


@dataclass(frozen=True, slots=True)
class Difference:
    """How two sets differ in one measure: Cliff's delta, and the shift A − B in its unit."""

    delta: Estimate
    shift: Estimate


def difference(a: Placed, b: Placed, *, draw: Draw) -> Difference:
    """Cliff's delta and the Hodges–Lehmann shift of A against B, with bootstrap intervals.

    Values that are not finite are left out. Percentile intervals. The same draw gives the same
    numbers, whatever the order of the instances. Raises RequestInvalid for an empty set, an edge
    of 0 or less, and more than ``MOST_PAIRS`` pairs of a block of A and one of B.
    """
    a, b = _finite(a), _finite(b)
    values = cliffs_delta(a.values, b.values), hodges_lehmann(a.values, b.values)
    of = block_numbers(a.centroids, b.centroids, edge=draw.edge)
    names = tuple(np.unique(one) for one in of)
    blocks = names[0].size, names[1].size
    if blocks[0] * blocks[1] > MOST_PAIRS:
        raise RequestInvalid(
            f"cubes of {draw.edge:g} µm give {blocks[0]} × {blocks[1]} pairs of blocks, expected "
            f"at most {MOST_PAIRS}"
        )
    bounds: tuple[_Ends, _Ends] = (np.nan, np.nan), (np.nan, np.nan)
    if min(blocks) >= FEWEST_BLOCKS:
        w_a, w_b = _weights(names, draw)
        sides = [
            _Side(one.values, np.searchsorted(there, where), weights)
            for one, where, there, weights in zip((a, b), of, names, (w_a, w_b), strict=True)
        ]
        bounds = _bounds(sides[0], sides[1], values[1])
    delta, shift = (
        Estimate(value, low, high, blocks, draw.edge, draw.seed, draw.replicates)
        for value, (low, high) in zip(values, bounds, strict=True)
    )
    return Difference(delta, shift)


def _finite(one: Placed) -> Placed:
    kept = np.isfinite(one.values) & np.isfinite(one.centroids).all(axis=1)
    return Placed(one.values[kept], one.centroids[kept])


def _weights(names: tuple[Counts, ...], draw: Draw) -> tuple[Values, Values]:
    """How often each replicate draws each block of A, and of B: (replicates, blocks)."""
    rng = np.random.default_rng(draw.seed)

    def drawn(count: int) -> Values:
        found = rng.multinomial(count, np.full(count, 1 / count), draw.replicates)
        return found.astype(np.float64)

    if not draw.paired:
        return drawn(names[0].size), drawn(names[1].size)
    both = np.union1d(*names)
    together = drawn(both.size)
    w_a, w_b = (together[:, np.searchsorted(both, one)] for one in names)
    return w_a, w_b


@dataclass(frozen=True, slots=True, eq=False)
class _Side:
    """Values of a set, the block of each counted from 0, and how often a replicate draws each."""

    values: Values
    of: Counts
    weights: Values


@dataclass(frozen=True, slots=True, eq=False)
class _Pairs:
    """Values of A grouped by block, sorted values of B, and how many B each block has from where.

    ``starts`` is where each block of A begins; ``tail[p, j]`` counts the values of block j at
    place p of ``b`` and after.
    """

    a: Values
    starts: Counts
    b: Values
    tail: _Tail

    @classmethod
    def of(cls, a: _Side, b: _Side) -> _Pairs:
        """Sort once, count often."""
        order_a, order_b = np.lexsort((a.values, a.of)), np.argsort(b.values, kind="stable")
        small = a.of.size * b.of.size < np.iinfo(np.int32).max  # sums of a block stay in 32 bits
        tail: _Tail = np.zeros((b.of.size + 1, b.of.max() + 1), np.int32 if small else np.int64)
        tail[np.arange(b.of.size), b.of[order_b]] = 1
        tail = np.ascontiguousarray(np.cumsum(tail[::-1], axis=0, dtype=tail.dtype)[::-1])
        starts = np.searchsorted(a.of[order_a], np.arange(a.of.max() + 1))
        return cls(a.values[order_a], starts, b.values[order_b], tail)

    def above(self, shift: float, *, side: Literal["left", "right"] = "left") -> Values:
        """Pairs of each block of A and each of B with b ≥ a − shift; b > a − shift for right."""
        places = np.searchsorted(self.b, self.a - shift, side=side)
        return np.add.reduceat(self.tail[places], self.starts, axis=0).astype(np.float64)


def _bounds(a: _Side, b: _Side, shift: float) -> tuple[_Ends, _Ends]:
    """Intervals of Cliff's delta and of the shift."""
    if a.weights.shape[1] < b.weights.shape[1]:  # the table is small where B has fewer blocks
        (low, high), (left, right) = _bounds(b, a, -shift)
        return (-high, -low), (-right, -left)
    pairs = _Pairs.of(a, b)
    sizes = np.bincount(a.of).astype(np.float64), np.bincount(b.of).astype(np.float64)
    totals = (a.weights @ sizes[0]) * (b.weights @ sizes[1])
    filled = totals > 0
    w_a, w_b, totals = a.weights[filled], b.weights[filled], totals[filled]

    def share(table: Values) -> Values:
        """Of every replicate's pairs, the share that a table of block against block counts."""
        return np.asarray(np.einsum("rj,rj->r", w_a @ table, w_b) / totals, np.float64)

    signs = np.outer(*sizes) - pairs.above(0.0) - pairs.above(0.0, side="right")
    low, high = np.quantile(share(signs), COVERAGE)
    left, right = _ends(lambda limit: share(pairs.above(limit)) - 0.5, shift, pairs)
    return (float(low), float(high)), (left, right)


def _ends(excess: Callable[[float], Values], start: float, pairs: _Pairs) -> _Ends:
    """Interval of the median difference, from what each replicate has below a limit over half.

    A replicate's median is at most a limit where its excess is at least 0 there, so an end of the
    interval is where a quantile of the excesses of all replicates crosses 0.
    """
    both = np.concatenate([pairs.a, pairs.b])
    spread = float(np.subtract(*np.percentile(both, (75, 25)))) or float(np.ptp(both))
    if spread == 0:
        return start, start
    seen, fine, step = cache(excess), FINENESS * spread, spread / 16
    slope = float(np.median(seen(start + step) - seen(start))) / step
    ends = []
    for wanted in COVERAGE:

        def lean(limit: float, share: float = 1 - wanted) -> float:
            return float(np.quantile(seen(limit), share))

        near, first = start, lean(start)
        reach = max(1.25 * abs(first) / slope, fine) if slope > 0 else step
        far = start + reach * (1 if first < 0 else -1)
        while (lean(far) < 0) == (first < 0):
            near, far = far, far + 2 * (far - near)
        limit = float(brentq(lean, near, far, xtol=fine)) if lean(near) else near
        ends.append(nearest_below(pairs.a, pairs.b, limit + fine))
    return min(ends), max(ends)
