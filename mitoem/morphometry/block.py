"""One block of labels, measured: runs along x give the sums, crops give the faces."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from mitoem.errors import ShapeMismatch
from mitoem.geometry import Box, Index, VoxelSize
from mitoem.morphometry.border import cut, end_of, relative, within
from mitoem.morphometry.components import parts
from mitoem.morphometry.partial import Partial, groups
from mitoem.morphometry.surface import Smoothing, face_weights, smoothing


@dataclass(frozen=True, slots=True)
class _Block:
    """Labels from voxel ``origin`` on, and the core that is measured."""

    labels: NDArray[np.uint32]
    core: Box
    origin: Index


@dataclass(frozen=True, slots=True)
class _Runs:
    """Runs of equal foreground voxels along x, in array order; coordinates of the volume.

    ``row``: place of the run's id among the ids; ``own``: whether it lies in the core.
    """

    row: NDArray[np.int64]
    z: NDArray[np.int64]
    y: NDArray[np.int64]
    x0: NDArray[np.int64]
    x1: NDArray[np.int64]
    own: NDArray[np.bool_]

    def taken(self, which: NDArray[np.bool_]) -> _Runs:
        """Some of the runs."""
        row, z, y, x0, x1 = (c[which] for c in (self.row, self.z, self.y, self.x0, self.x1))
        return _Runs(row, z, y, x0, x1, self.own[which])


def block_partial(
    labels: NDArray[np.uint32],
    image: NDArray[np.generic] | None = None,
    *,
    core: Box,
    origin: Index,
    voxel_size: VoxelSize,
    regions: Sequence[Box] = (),
) -> Partial:
    """Measure one block.

    ``labels``: uint32 (z, y, x) from voxel ``origin`` on; holds ``core`` and ``halo(voxel_size)``
    voxels around it, less where the volume ends. ``image``: of the core's shape. ``regions``: what
    was labelled (labels outside it are background); empty for the core's whole array. Raises
    ShapeMismatch when the image has not the core's shape.
    """
    if image is not None and image.shape != core.shape:
        raise ShapeMismatch(f"image block of shape {image.shape}, expected {core.shape} (z, y, x)")
    outer = Box(origin, end_of(origin, labels.shape))
    regions = regions or (outer,)
    block = _Block(within(labels, outer, regions), core, origin)
    # A block without a voxel of its own may be the one to see two neighbours' parts meet.
    linked = replace(
        Partial.none(image=image is not None), parts=parts(block.labels, core=core, origin=origin)
    )
    ids, runs = _runs(block)
    own = runs.taken(runs.own)
    if not own.row.size:
        return linked
    order, starts, rows = groups(own.row)
    edges = _edges(own)[order]
    faces = _faces(block, runs, ids, smoothing(voxel_size))
    return replace(
        linked,
        ids=ids[rows],
        sums=np.hstack([np.add.reduceat(_moments(own)[order], starts), faces]),
        grey=None if image is None else np.add.reduceat(_grey(block, image, own)[order], starts),
        low=np.minimum.reduceat(edges[:, :3], starts),
        high=np.maximum.reduceat(edges[:, 3:], starts),
        cut=np.isin(ids[rows], cut(block.labels, core, origin, regions)),
    )


def halo(voxel_size: VoxelSize) -> Index:
    """Voxels (z, y, x) around its core that a block must see."""
    return smoothing(voxel_size).halo


def _runs(block: _Block) -> tuple[NDArray[np.uint32], _Runs]:
    """Ids in the array, rising, and its runs, cut where the core begins and ends."""
    labels, core, origin = block.labels, block.core, block.origin
    first = np.ones(labels.shape, np.bool_)
    np.not_equal(labels[:, :, 1:], labels[:, :, :-1], out=first[:, :, 1:])
    for edge in (core.start[2] - origin[2], core.stop[2] - origin[2]):
        if edge < labels.shape[2]:
            first[:, :, edge] = True
    start = np.flatnonzero(first)
    stop = np.append(start[1:], labels.size)
    ids = labels.ravel()[start]
    start, stop, ids = start[ids > 0], stop[ids > 0], ids[ids > 0]
    distinct, row = np.unique(ids, return_inverse=True)
    line, x = np.divmod(start, labels.shape[2])
    z, y = np.divmod(line, labels.shape[1])
    z, y, x = z + origin[0], y + origin[1], x + origin[2]
    own = np.ones(row.shape, np.bool_)
    for place, low, high in zip((z, y, x), core.start, core.stop, strict=True):
        own &= (place >= low) & (place < high)
    return distinct, _Runs(row, z, y, x, x + (stop - start), own)


def _moments(runs: _Runs) -> NDArray[np.int64]:
    """Per run: voxels, and sums of z, y, x and of their products, as in SUMS."""
    z, y, a, b = runs.z, runs.y, runs.x0, runs.x1
    n = b - a
    x = (a + b - 1) * n // 2
    xx = ((b - 1) * b * (2 * b - 1) - (a - 1) * a * (2 * a - 1)) // 6
    return np.stack([n, z * n, y * n, x, z * z * n, y * y * n, xx, z * y * n, z * x, y * x], axis=1)


def _grey(block: _Block, image: NDArray[np.generic], own: _Runs) -> NDArray[np.float64]:
    """Per run of the core: sum of the image and of its square."""
    values = image[block.labels[relative(block.core, block.origin)] > 0]
    exact = values.astype(np.int64 if values.dtype.kind in "biu" else np.float64)
    starts = np.concatenate([[0], np.cumsum(own.x1 - own.x0)[:-1]])
    sums = [np.add.reduceat(exact, starts), np.add.reduceat(exact * exact, starts)]
    return np.stack(sums, axis=1).astype(np.float64)


def _faces(block: _Block, runs: _Runs, ids: NDArray[np.uint32], by: Smoothing) -> NDArray[np.int64]:
    """Face weights of the instances in the core, by rising id, each in a crop of its own."""
    order, starts, _ = groups(runs.row)
    edges = _edges(runs)[order]
    lows = np.minimum.reduceat(edges[:, :3], starts)
    highs = np.maximum.reduceat(edges[:, 3:], starts)
    lows = np.maximum(lows, np.array(block.core.start) - by.halo)
    highs = np.minimum(highs, np.array(block.core.stop) + by.halo)
    present = np.unique(runs.row[runs.own])
    weights = np.empty((present.size, 3), np.int64)
    for k, row in enumerate(present):
        box = Box(_index(lows[row]), _index(highs[row]))
        mask = block.labels[relative(box, block.origin)] == ids[row]
        counted = None
        common = box.intersect(block.core)
        if common is not None and common != box:
            counted = np.zeros(mask.shape, np.bool_)
            counted[relative(common, box.start)] = True
        weights[k] = face_weights(mask, counted, by)
    return weights


def _edges(runs: _Runs) -> NDArray[np.int64]:
    """Per run: first voxel (z, y, x) and one past the last."""
    return np.stack([runs.z, runs.y, runs.x0, runs.z + 1, runs.y + 1, runs.x1], axis=1)


def _index(values: NDArray[np.int64]) -> Index:
    return int(values[0]), int(values[1]), int(values[2])
