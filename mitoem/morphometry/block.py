"""One block of labels, measured: runs along x give the sums, crops give the faces."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from mitoem.errors import ShapeMismatch
from mitoem.geometry import Box, Index, VoxelSize
from mitoem.morphometry.border import cut, end_of, relative, within
from mitoem.morphometry.components import parts
from mitoem.morphometry.neighbours import Faces, face_centres
from mitoem.morphometry.partial import Partial, groups
from mitoem.morphometry.runs import Runs, moments, runs_of
from mitoem.morphometry.surface import Smoothing, face_weights, smoothing


@dataclass(frozen=True, slots=True)
class _Block:
    """Labels from voxel ``origin`` on, the core that is measured, and the smoothing."""

    labels: NDArray[np.uint32]
    core: Box
    origin: Index
    by: Smoothing


@dataclass(frozen=True, slots=True)
class _Crop:
    """One instance around the core: its mask from voxel ``start`` on, and where the core lies.

    ``counted`` is None when all of it lies in the core.
    """

    mask: NDArray[np.bool_]
    counted: NDArray[np.bool_] | None
    start: Index


def block_partial(
    labels: NDArray[np.uint32],
    image: NDArray[np.generic] | None = None,
    *,
    core: Box,
    origin: Index,
    voxel_size: VoxelSize,
    regions: Sequence[Box] = (),
    neighbours: bool = False,
) -> Partial:
    """Measure one block.

    ``labels``: uint32 (z, y, x) from voxel ``origin`` on; holds ``core`` and ``halo(voxel_size)``
    voxels around it, less where the volume ends. ``image``: of the core's shape. ``regions``: what
    was labelled (labels outside it are background); empty for the core's whole array.
    ``neighbours``: keep the surfaces for distances. Raises ShapeMismatch when the image has not
    the core's shape.
    """
    if image is not None and image.shape != core.shape:
        raise ShapeMismatch(f"image block of shape {image.shape}, expected {core.shape} (z, y, x)")
    outer = Box(origin, end_of(origin, labels.shape))
    regions = regions or (outer,)
    block = _Block(within(labels, outer, regions), core, origin, smoothing(voxel_size))
    ids, runs = runs_of(block.labels, core=core, origin=origin)
    # A block without a voxel of its own may be the one to see two neighbours' parts meet.
    linked = replace(Partial.none(image=image is not None), parts=parts(ids, runs, core))
    own = runs.taken(runs.starting_in(core.start, core.stop))
    if not own.row.size:
        return linked
    order, starts, rows = groups(own.row)
    edges = own.edges[order]
    weights, faces = np.empty((rows.size, 3), np.int64), []
    for k, crop in enumerate(_crops(block, runs, ids, rows)):
        weights[k] = face_weights(crop.mask, crop.counted, block.by)
        if neighbours:
            faces.append(face_centres(crop.mask, crop.counted, crop.start))
    return replace(
        linked,
        ids=ids[rows],
        sums=np.hstack([np.add.reduceat(moments(own)[order], starts), weights]),
        grey=None if image is None else np.add.reduceat(_grey(image, own, core)[order], starts),
        low=np.minimum.reduceat(edges[:, :3], starts),
        high=np.maximum.reduceat(edges[:, 3:], starts),
        cut=np.isin(ids[rows], cut(block.labels, core, origin, regions)),
        faces=Faces.of(ids[rows], faces) if neighbours else linked.faces,
    )


def halo(voxel_size: VoxelSize) -> Index:
    """Voxels (z, y, x) around its core that a block must see."""
    return smoothing(voxel_size).halo


def _grey(image: NDArray[np.generic], own: Runs, core: Box) -> NDArray[np.float64]:
    """Per run of the core: sum of the image and of its square."""
    length = own.x1 - own.x0
    first = np.ravel_multi_index(
        tuple(c - a for c, a in zip((own.z, own.y, own.x0), core.start, strict=True)), core.shape
    )
    begin = np.cumsum(length) - length
    voxels = np.arange(int(length.sum())) + np.repeat(first - begin, length)
    values = image.ravel()[voxels]
    exact = values.astype(np.int64 if values.dtype.kind in "biu" else np.float64)
    sums = [np.add.reduceat(exact, begin), np.add.reduceat(exact * exact, begin)]
    return np.stack(sums, axis=1).astype(np.float64)


def _crops(
    block: _Block, runs: Runs, ids: NDArray[np.uint32], rows: NDArray[np.integer]
) -> Iterator[_Crop]:
    """The instances ``rows`` one after another."""
    order, starts, _ = groups(runs.row)
    edges = runs.edges[order]
    lows = np.minimum.reduceat(edges[:, :3], starts)
    highs = np.maximum.reduceat(edges[:, 3:], starts)
    lows = np.maximum(lows, np.array(block.core.start) - block.by.halo)
    highs = np.minimum(highs, np.array(block.core.stop) + block.by.halo)
    for row in rows:
        box = Box(_index(lows[row]), _index(highs[row]))
        mask = block.labels[relative(box, block.origin)] == ids[row]
        counted = None
        common = box.intersect(block.core)
        if common is not None and common != box:
            counted = np.zeros(mask.shape, np.bool_)
            counted[relative(common, box.start)] = True
        yield _Crop(mask, counted, box.start)


def _index(values: NDArray[np.int64]) -> Index:
    return int(values[0]), int(values[1]), int(values[2])
