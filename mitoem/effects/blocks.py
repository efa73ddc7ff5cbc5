"""Intervals from a bootstrap of blocks of tissue, whose instances are drawn together.

Neighbours resemble each other, so instances drawn one by one give intervals that are too narrow.
Source: Künsch, Annals of Statistics 17:1217 (1989); Lahiri, Resampling Methods for Dependent Data
(2003), section 12.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from mitoem.effects.sizes import Values, cliffs_delta, hodges_lehmann, nearest_below
from mitoem.errors import RequestInvalid

Counts = npt.NDArray[np.int64]
_Tail = npt.NDArray[Any]

FEWEST_BLOCKS: Final = 6
"""A set with fewer blocks gets no interval: too few different draws. Our choice."""

MOST_BLOCKS: Final = 512
"""More blocks would make the table of block against block large, and the blocks tiny."""

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
    of 0 or less and more than ``MOST_BLOCKS`` blocks.
    """
    a, b = _finite(a), _finite(b)
    values = cliffs_delta(a.values, b.values), hodges_lehmann(a.values, b.values)
    of_a, of_b = block_numbers(a.centroids, b.centroids, edge=draw.edge)
    blocks = int(np.unique(of_a).size), int(np.unique(of_b).size)
    if max(blocks) > MOST_BLOCKS:
        raise RequestInvalid(
            f"cubes of {draw.edge:g} µm give {max(blocks)} blocks, expected at most {MOST_BLOCKS}"
        )
    bounds = (np.nan, np.nan), (np.nan, np.nan)
    if min(blocks) >= FEWEST_BLOCKS:
        if not draw.paired:
            of_a, of_b = (np.unique(of, return_inverse=True)[1] for of in (of_a, of_b))
        bounds = _bounds(_Pairs.of(a.values, of_a, b.values, of_b), values[1], draw)
    delta, shift = (
        Estimate(value, low, high, blocks, draw.edge, draw.seed, draw.replicates)
        for value, (low, high) in zip(values, bounds, strict=True)
    )
    return Difference(delta, shift)


def block_numbers(*sets: Values, edge: float) -> tuple[Counts, ...]:
    """The cube that holds each centroid, one number per cube for all sets; centroids in µm."""
    if not edge > 0:
        raise RequestInvalid(f"edge of a block: expected more than 0 µm, found {edge:g}")
    cubes = np.floor(np.concatenate(sets) / edge).astype(np.int64)
    numbers = np.unique(cubes, axis=0, return_inverse=True)[1].reshape(-1)
    return tuple(np.split(numbers, np.cumsum([len(one) for one in sets])[:-1]))


EDGES: Final = tuple(part * 10.0**power for power in (-1, 0, 1) for part in (1, 1.5, 2, 3, 5, 7))
"""Edges of blocks to choose from, in µm."""


def usual_edge(*extents: tuple[float, float, float], least: int = 24) -> float:
    """The largest of ``EDGES`` that cuts each extent (z, y, x), in µm, into ``least`` cubes.

    >>> usual_edge((30.0, 32.8, 32.8)), usual_edge((1.92, 8.2, 8.2))
    (10.0, 2.0)
    """
    fit = [edge for edge in EDGES if all(cubes(one, edge) >= least for one in extents)]
    return max(fit, default=EDGES[0])


def cubes(extent: tuple[float, float, float], edge: float) -> int:
    """Cubes of this edge that an extent (z, y, x) from 0 lies in, both in µm."""
    return int(np.ceil(np.divide(extent, edge) - 1e-9).prod())


def _finite(one: Placed) -> Placed:
    kept = np.isfinite(one.values) & np.isfinite(one.centroids).all(axis=1)
    return Placed(one.values[kept], one.centroids[kept])


@dataclass(frozen=True, slots=True, eq=False)
class _Pairs:
    """Values of A grouped by block, sorted values of B, and how many B each block has from where.

    ``starts`` is where each block of A begins; ``tail[p, j]`` counts the values of block j at
    place p of ``b`` and after. Blocks without a value in one of the sets are kept: their counts
    are 0.
    """

    a: Values
    starts: Counts
    sizes: tuple[Values, Values]
    b: Values
    tail: _Tail

    @classmethod
    def of(cls, a: Values, of_a: Counts, b: Values, of_b: Counts) -> _Pairs:
        """Sort once, count often."""
        blocks = max(int(of_a.max()), int(of_b.max())) + 1
        order_a, order_b = np.lexsort((a, of_a)), np.argsort(b, kind="stable")
        sizes = tuple(np.bincount(of, minlength=blocks).astype(np.float64) for of in (of_a, of_b))
        small = a.size * b.size < np.iinfo(np.int32).max  # sums of a block of A stay in 32 bits
        tail: _Tail = np.zeros((b.size + 1, blocks), np.int32 if small else np.int64)
        tail[np.arange(b.size), of_b[order_b]] = 1
        tail = np.cumsum(tail[::-1], axis=0, dtype=tail.dtype)[::-1]
        starts = np.searchsorted(of_a[order_a], np.arange(blocks))
        return cls(a[order_a], starts, (sizes[0], sizes[1]), b[order_b], tail)

    def above(self, shift: float, *, side: str = "left") -> Values:
        """Pairs of each block of A and each of B with b ≥ a − shift; b > a − shift for right."""
        places = np.searchsorted(self.b, self.a - shift, side=side)  # type: ignore[call-overload]
        found = np.zeros((self.starts.size, self.tail.shape[1]))
        there = np.flatnonzero(self.sizes[0])
        found[there] = np.add.reduceat(self.tail[places], self.starts[there], axis=0)
        return found


def _bounds(
    pairs: _Pairs, shift: float, draw: Draw
) -> tuple[tuple[float, float], tuple[float, float]]:
    """Intervals of Cliff's delta and of the shift."""
    weights = _weights(pairs, draw)
    totals = [w @ size for w, size in zip(weights, pairs.sizes, strict=True)]
    filled = (totals[0] > 0) & (totals[1] > 0)
    w_a, w_b = (one[filled] for one in weights)
    products = totals[0][filled] * totals[1][filled]
    all_pairs = np.outer(*pairs.sizes)
    signs = all_pairs - pairs.above(0.0) - pairs.above(0.0, side="right")
    deltas = _summed(signs, w_a, w_b) / products
    low, high = np.quantile(deltas, COVERAGE)

    def share(limit: float) -> float:
        """Share of the replicates whose median difference is at most this."""
        return float(np.mean(_summed(pairs.above(limit), w_a, w_b) >= products / 2))

    ends = [_crossing(share, wanted, shift, pairs) for wanted in COVERAGE]
    return (float(low), float(high)), (min(ends), max(ends))


def _weights(pairs: _Pairs, draw: Draw) -> tuple[Values, Values]:
    """How often each replicate draws each block of A, and of B: (replicates, blocks)."""
    rng = np.random.default_rng(draw.seed)
    drawn = []
    for size in pairs.sizes:
        there = np.ones(size.size, bool) if draw.paired else size > 0
        weights = np.zeros((draw.replicates, size.size))
        count = int(there.sum())
        weights[:, there] = rng.multinomial(count, np.full(count, 1 / count), draw.replicates)
        drawn.append(weights)
    return (drawn[0], drawn[0]) if draw.paired else (drawn[0], drawn[1])


def _summed(table: Values, w_a: Values, w_b: Values) -> Values:
    """Sum of a table of block against block in every replicate."""
    return np.asarray(np.einsum("rj,rj->r", w_a @ table, w_b), np.float64)


def _crossing(share: Callable[[float], float], wanted: float, start: float, pairs: _Pairs) -> float:
    """The least shift of which the share of replicates up to it is the wanted one."""
    both = np.concatenate([pairs.a, pairs.b])
    spread = float(np.subtract(*np.percentile(both, (75, 25)))) or float(np.ptp(both))
    if spread == 0:
        return start
    low = high = start
    step = spread / 32
    rises = share(start) < wanted
    while (share(high) < wanted) if rises else (share(low) >= wanted):
        low, high = (high, high + step) if rises else (low - step, low)
        step *= 2
    while high - low > FINENESS * spread:
        middle = (low + high) / 2
        low, high = (low, middle) if share(middle) >= wanted else (middle, high)
    return nearest_below(pairs.a, pairs.b, high)
