"""Intervals from a bootstrap of blocks of tissue, whose instances are drawn together.

Neighbours resemble each other, so instances drawn one by one give intervals that are too narrow.

Where both sets draw the same blocks, a block drawn twice would meet itself: its instances their own
copies, four times instead of twice. So pairs within a block count once for each time it is drawn,
times 1 − 1/m for m blocks. Then pairs within a block and pairs of two blocks both count 1 − 1/m
times on average, and replicates lie around the number of the sets themselves. What the interval
holds is that number for tissue of as many blocks; of few instances, own copies are a part of it.
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
    one tissue, and counts no pair of a cube with its own repetition; otherwise each set draws its
    own.
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
    names = np.unique(of[0]), np.unique(of[1])
    blocks = names[0].size, names[1].size
    if blocks[0] * blocks[1] > MOST_PAIRS:
        raise RequestInvalid(
            f"cubes of {draw.edge:g} µm give {blocks[0]} × {blocks[1]} pairs of blocks, expected "
            f"at most {MOST_PAIRS}"
        )
    bounds: tuple[_Ends, _Ends] = (np.nan, np.nan), (np.nan, np.nan)
    if min(blocks) >= FEWEST_BLOCKS:
        sides = [
            _Side(one.values, np.searchsorted(there, where))
            for one, where, there in zip((a, b), of, names, strict=True)
        ]
        bounds = _bounds(sides[0], sides[1], _drawn(names, draw), values[1])
    delta, shift = (
        Estimate(value, low, high, blocks, draw.edge, draw.seed, draw.replicates)
        for value, (low, high) in zip(values, bounds, strict=True)
    )
    return Difference(delta, shift)


def _finite(one: Placed) -> Placed:
    kept = np.isfinite(one.values) & np.isfinite(one.centroids).all(axis=1)
    return Placed(one.values[kept], one.centroids[kept])


@dataclass(frozen=True, slots=True, eq=False)
class _Side:
    """Values of a set, and the block of each counted from 0."""

    values: Values
    of: Counts


@dataclass(frozen=True, slots=True, eq=False)
class _Drawn:
    """How often each replicate counts each block of A, and of B: (replicates, blocks).

    ``shared`` are the blocks of A and of B that are one cube drawn together; ``within``
    (replicates, shared) is added to the product of both counts there. All are whole numbers, up to
    a factor for all pairs, so that sums are exact.
    """

    a: Values
    b: Values
    shared: tuple[Counts, Counts]
    within: Values

    def swapped(self) -> _Drawn:
        """The same with B first."""
        return _Drawn(self.b, self.a, self.shared[::-1], self.within)

    def kept(self, which: npt.NDArray[np.bool_]) -> _Drawn:
        """Some of the replicates."""
        return _Drawn(self.a[which], self.b[which], self.shared, self.within[which])

    def total(self, table: Values) -> Values:
        """What each replicate has of a table of blocks of A against blocks of B."""
        apart = np.einsum("rj,rj->r", self.a @ table, self.b)
        return np.asarray(apart + self.within @ table[self.shared], np.float64)


def _drawn(names: tuple[Counts, Counts], draw: Draw) -> _Drawn:
    rng = np.random.default_rng(draw.seed)

    def drawn(count: int) -> Values:
        found = rng.multinomial(count, np.full(count, 1 / count), draw.replicates)
        return found.astype(np.float64)

    if not draw.paired:
        none = np.empty(0, np.int64)
        a, b = drawn(names[0].size), drawn(names[1].size)
        return _Drawn(a, b, (none, none), np.empty((draw.replicates, 0)))
    both = np.union1d(*names)
    count, together = both.size, drawn(both.size)
    a, b = (together[:, np.searchsorted(both, one)] for one in names)
    _, *shared = np.intersect1d(names[0], names[1], return_indices=True)
    once = a[:, shared[0]]
    return _Drawn(count * a, b, (shared[0], shared[1]), (count - 1) * once - count * once**2)


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


def _bounds(a: _Side, b: _Side, drawn: _Drawn, shift: float) -> tuple[_Ends, _Ends]:
    """Intervals of Cliff's delta and of the shift."""
    if drawn.a.shape[1] < drawn.b.shape[1]:  # the table is small where B has fewer blocks
        (low, high), (left, right) = _bounds(b, a, drawn.swapped(), -shift)
        return (-high, -low), (-right, -left)
    pairs = _Pairs.of(a, b)
    sizes = np.outer(np.bincount(a.of), np.bincount(b.of)).astype(np.float64)
    filled = drawn.kept(drawn.total(sizes) > 0)
    totals = filled.total(sizes)

    def share(table: Values) -> Values:
        """Of every replicate's pairs, the share that a table of block against block counts."""
        return filled.total(table) / totals

    signs = sizes - pairs.above(0.0) - pairs.above(0.0, side="right")
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
