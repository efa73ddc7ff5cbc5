"""Cubes of tissue: how large, how many, and which instance lies in which."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from mitoem.effects.sizes import Values
from mitoem.errors import RequestInvalid

Counts = npt.NDArray[np.int64]

FEWEST_BLOCKS: Final = 6
"""A set with fewer blocks gets no interval: too few different draws. Our choice."""

MOST_PAIRS: Final = 512**2
"""More pairs of a block of A and one of B would make their table large."""

EDGES: Final = tuple(part * 10.0**power for power in (-1, 0, 1) for part in (1, 1.5, 2, 3, 5, 7))
"""Edges of blocks to choose from, in µm."""


@dataclass(frozen=True, slots=True)
class Extent:
    """A box of tissue from ``start`` to ``stop``, (z, y, x), in µm."""

    start: tuple[float, float, float]
    stop: tuple[float, float, float]

    def cubes(self, edge: float) -> int:
        """Cubes of this edge, in µm, that the box lies in; the cubes start at 0 µm.

        >>> Extent((0.0, 0.0, 0.0), (3.0, 4.0, 4.0)).cubes(2.0)
        8
        >>> Extent((1.0, 0.0, 0.0), (4.1, 4.0, 4.0)).cubes(2.0)
        12
        """
        first = np.floor(np.divide(self.start, edge) + 1e-9)
        last = np.ceil(np.divide(self.stop, edge) - 1e-9)
        return int((last - first).prod())


def fitting_edges(a: Extent, b: Extent) -> list[float]:
    """The ``EDGES`` that cut the tissue of A and of B into enough blocks, and not too many."""
    return [
        edge
        for edge in EDGES
        if min(a.cubes(edge), b.cubes(edge)) >= FEWEST_BLOCKS
        and a.cubes(edge) * b.cubes(edge) <= MOST_PAIRS
    ]


def usual_edge(a: Extent, b: Extent, *, enough: int = 24) -> float:
    """The largest of the fitting edges that cuts the tissue of each into ``enough`` cubes.

    Where none does, the smallest of ``EDGES`` whose cubes are not too many.

    >>> usual_edge(*[Extent((0.0, 0.0, 0.0), (30.0, 32.8, 32.8))] * 2)
    10.0
    """
    fit = [one for one in fitting_edges(a, b) if min(a.cubes(one), b.cubes(one)) >= enough]
    few = (one for one in EDGES if a.cubes(one) * b.cubes(one) <= MOST_PAIRS)
    return max(fit) if fit else min(few, default=EDGES[-1])


def block_numbers(*sets: Values, edge: float) -> tuple[Counts, ...]:
    """The cube that holds each centroid, one number per cube for all sets; centroids in µm.

    Raises RequestInvalid for an edge of 0 or less.
    """
    if not edge > 0:
        raise RequestInvalid(f"edge of a block: expected more than 0 µm, found {edge:g}")
    cubes = np.floor(np.concatenate(sets) / edge).astype(np.int64)
    numbers = np.unique(cubes, axis=0, return_inverse=True)[1].reshape(-1)
    return tuple(np.split(numbers, np.cumsum([len(one) for one in sets])[:-1]))
