"""Separate parts under one id, counted exactly although no block sees a whole instance.

Each block numbers the 26-connected parts of its core plus one layer beyond its high faces. A
voxel on a layer that two blocks share lies in one part of each: that links them. Of every row of
equal voxels on a shared layer the first is enough, and both blocks pick the same one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import cc3d
import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from mitoem.geometry import Box, Index

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


def parts(labels: NDArray[np.uint32], *, core: Box, origin: Index) -> Parts:
    """Parts of a block's core, and the voxels by which they join those of its neighbours.

    ``labels``: starts at voxel ``origin`` and holds the core with at least one voxel beyond each
    high face, where the volume goes on. A face at which the array ends is closed.
    """
    end = tuple(o + n for o, n in zip(origin, labels.shape, strict=True))
    shape = tuple(min(b + 1, e) - a for a, b, e in zip(core.start, core.stop, end, strict=True))
    start = tuple(a - o for a, o in zip(core.start, origin, strict=True))
    seen = np.ascontiguousarray(
        labels[tuple(slice(a, a + n) for a, n in zip(start, shape, strict=True))]
    )
    numbers = cc3d.connected_components(seen, connectivity=26)
    count = int(numbers.max(initial=0))
    if count == 0:
        return Parts.none()
    where = _shared(seen, core)
    ids = np.zeros(count + 1, np.uint32)
    occupied = np.flatnonzero(seen)
    ids[numbers.ravel()[occupied]] = seen.ravel()[occupied]
    z, y, x = (
        w.astype(np.int64) + a
        for w, a in zip(np.unravel_index(where, seen.shape), core.start, strict=True)
    )
    names = (z * _STRIDE + y) * _STRIDE + x
    return Parts(ids[1:], names, numbers.ravel()[where].astype(np.int64) - 1)


def _shared(seen: NDArray[np.uint32], core: Box) -> NDArray[np.int64]:
    """Flat places, in ``seen``, of the voxels that stand for its shared layers."""
    chosen = [np.empty(0, np.int64)]
    strides = (seen.shape[1] * seen.shape[2], seen.shape[2], 1)
    for axis, (first, length) in enumerate(zip(core.start, core.shape, strict=True)):
        layers = ([0] if first > 0 else []) + ([length] if seen.shape[axis] > length else [])
        # Rows run along x; on layers across x, along y.
        across, along = ((1, 2), (0, 2), (0, 1))[axis]
        for layer in layers:
            plane = np.take(seen, layer, axis=axis)
            starts = plane > 0
            starts[:, 1:] &= plane[:, 1:] != plane[:, :-1]
            # A row begins anew where the next block's core does.
            starts[:, core.shape[along] :] |= plane[:, core.shape[along] :] > 0
            row, place = np.nonzero(starts)
            chosen.append(layer * strides[axis] + row * strides[across] + place * strides[along])
    return np.unique(np.concatenate(chosen))
