"""Separate parts under one id, counted exactly although no block sees a whole instance.

Each block joins the runs of its core plus one layer beyond its high faces into 26-connected parts.
A voxel on a layer that two blocks share lies in one part of each: that links them. Of a run on a
shared layer the first voxel is enough: runs are cut where cores begin, so both blocks name it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from mitoem.geometry import Box
from mitoem.morphometry.runs import Runs

_STRIDE: Final = 1 << 21
"""Voxels are named z × 2⁴² + y × 2²¹ + x: axes of up to two million voxels."""


@dataclass(frozen=True, slots=True)
class Parts:
    """The parts seen so far: the open ones (their ids), and voxels (names) with the part of each.

    A voxel that two blocks named joins their parts.
    """

    ids: NDArray[np.uint32]
    voxels: NDArray[np.int64]
    part_of_voxel: NDArray[np.int64]

    @classmethod
    def none(cls) -> Parts:
        """No parts."""
        return cls(np.empty(0, np.uint32), np.empty(0, np.int64), np.empty(0, np.int64))

    @classmethod
    def total(cls, several: Sequence[Parts]) -> Parts:
        """All parts of several blocks."""
        first = np.cumsum([0, *(p.ids.size for p in several)])
        return cls(
            np.concatenate([p.ids for p in several]),
            np.concatenate([p.voxels for p in several]),
            np.concatenate([p.part_of_voxel + n for p, n in zip(several, first, strict=False)]),
        )

    def joined(self) -> NDArray[np.uint32]:
        """The id of every part once those that share a voxel are one."""
        if not self.ids.size:
            return self.ids
        names, voxel = np.unique(self.voxels, return_inverse=True)
        size = self.ids.size + names.size
        links = coo_matrix(
            (np.ones(voxel.size, np.int8), (self.part_of_voxel, voxel + self.ids.size)),
            shape=(size, size),
        )
        _, group = connected_components(links, directed=False)
        _, first = np.unique(group[: self.ids.size], return_index=True)
        return self.ids[first]


def parts(ids: NDArray[np.uint32], runs: Runs, core: Box) -> Parts:
    """Parts of a block's core, and the voxels by which they join those of its neighbours.

    ``runs``: of an array that holds the core and, where the volume goes on, one voxel beyond each
    high face at least; ``ids``: the id of each of their rows.
    """
    high = core.stop
    seen = runs.taken(runs.starting_in(core.start, (high[0] + 1, high[1] + 1, high[2] + 1)))
    count = seen.row.size
    if not count:
        return Parts.none()
    a, b = _adjacent(seen)
    same = seen.row[a] == seen.row[b]
    links = coo_matrix((np.ones(int(same.sum()), np.int8), (a[same], b[same])), (count, count))
    _, part = connected_components(links, directed=False)
    _, first = np.unique(part, return_index=True)
    shared = np.zeros(count, np.bool_)
    for place, low, beyond in zip((seen.z, seen.y, seen.x0), core.start, high, strict=True):
        shared |= (place == low) | (place == beyond)
    names = (seen.z * _STRIDE + seen.y) * _STRIDE + seen.x0
    return Parts(ids[seen.row[first]], names[shared], part[shared].astype(np.int64))


def _adjacent(runs: Runs) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Pairs of runs of which some voxels are 26-neighbours, each pair once."""
    # Lines are numbered with a gap, so that no line's neighbour is another plane's line.
    line = runs.z * _STRIDE + runs.y
    start, stop = line * _STRIDE + runs.x0, line * _STRIDE + runs.x1
    meeting = np.flatnonzero(stop[:-1] == start[1:])
    left, right = [meeting], [meeting + 1]
    for planes, lines in ((0, 1), (1, -1), (1, 0), (1, 1)):
        step = (planes * _STRIDE + lines) * _STRIDE
        # Runs that end where this one starts or later, and start where it ends or before.
        low = np.searchsorted(stop, start + step, side="left")
        high = np.searchsorted(start, stop + step, side="right")
        found = np.maximum(high - low, 0)
        each = np.repeat(np.arange(line.size), found)
        begin = np.cumsum(found) - found
        left.append(each)
        right.append(np.arange(each.size) + np.repeat(low - begin, found))
    return np.concatenate(left), np.concatenate(right)
