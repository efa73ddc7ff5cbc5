"""Runs of equal foreground voxels along x: labels in a thirtieth of the numbers.

Moments, boxes and connected parts are all made from runs; only surfaces need voxels.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mitoem.geometry import Box, Index


@dataclass(frozen=True, slots=True)
class Runs:
    """Runs in array order, in coordinates of the volume; x from ``x0`` up to, not including, x1.

    ``row``: place of the run's id among the rising ids of the array.
    """

    row: NDArray[np.int64]
    z: NDArray[np.int64]
    y: NDArray[np.int64]
    x0: NDArray[np.int64]
    x1: NDArray[np.int64]

    def taken(self, which: NDArray[np.bool_]) -> Runs:
        """Some of the runs."""
        row, z, y, x0, x1 = (c[which] for c in (self.row, self.z, self.y, self.x0, self.x1))
        return Runs(row, z, y, x0, x1)

    def starting_in(self, start: Index, stop: Index) -> NDArray[np.bool_]:
        """Which runs have their first voxel in a box."""
        inside = np.ones(self.row.shape, np.bool_)
        for place, low, high in zip((self.z, self.y, self.x0), start, stop, strict=True):
            inside &= (place >= low) & (place < high)
        return inside

    @property
    def edges(self) -> NDArray[np.int64]:
        """Per run: first voxel (z, y, x) and one past the last, (n, 6)."""
        return np.stack([self.z, self.y, self.x0, self.z + 1, self.y + 1, self.x1], axis=1)


def runs_of(
    labels: NDArray[np.uint32], *, core: Box, origin: Index
) -> tuple[NDArray[np.uint32], Runs]:
    """Ids in the array, rising, and its runs; those that enter or leave ``core`` are cut there.

    ``labels`` starts at voxel ``origin``.
    """
    first = np.ones(labels.shape, np.bool_)
    np.not_equal(labels[:, :, 1:], labels[:, :, :-1], out=first[:, :, 1:])
    for edge in (core.start[2] - origin[2], core.stop[2] - origin[2]):
        if edge < labels.shape[2]:
            first[:, :, edge] = True
    start = np.flatnonzero(first)
    stop = np.append(start[1:], labels.size)
    line, x = np.divmod(start, labels.shape[2])
    z, y = np.divmod(line, labels.shape[1])
    ids = labels[z, y, x]
    distinct, row = np.unique(ids[ids > 0], return_inverse=True)
    z, y, x, length = (c[ids > 0] for c in (z, y, x, stop - start))
    z, y, x = z + origin[0], y + origin[1], x + origin[2]
    return distinct, Runs(row, z, y, x, x + length)


def moments(runs: Runs) -> NDArray[np.int64]:
    """Per run: voxels, and sums of z, y, x and of their products, as in SUMS."""
    z, y, a, b = runs.z, runs.y, runs.x0, runs.x1
    n = b - a
    x = (a + b - 1) * n // 2
    xx = ((b - 1) * b * (2 * b - 1) - (a - 1) * a * (2 * a - 1)) // 6
    return np.stack([n, z * n, y * n, x, z * z * n, y * y * n, xx, z * y * n, z * x, y * x], axis=1)
