"""Where the labelled region ends, and which instances are cut there.

A region is a union of boxes, which may touch or overlap: what goes on in the next box is not cut.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from mitoem.geometry import Box, Index


def within(labels: NDArray[np.uint32], outer: Box, regions: Sequence[Box]) -> NDArray[np.uint32]:
    """The labels of box ``outer`` with 0 wherever no region reaches."""
    if any(region.intersect(outer) == outer for region in regions):
        return labels
    kept = np.zeros_like(labels)
    for region in regions:
        common = region.intersect(outer)
        if common is not None:
            where = relative(common, outer.start)
            kept[where] = labels[where]
    return kept


def cut(
    labels: NDArray[np.uint32], core: Box, origin: Index, regions: Sequence[Box]
) -> NDArray[np.uint32]:
    """Ids of voxels of ``core`` beyond which, across a face, no region goes on.

    ``labels`` starts at voxel ``origin`` and holds the core.
    """
    found = [np.empty(0, np.uint32)]
    for region in regions:
        common = region.intersect(core)
        if common is None:
            continue
        inner = labels[relative(common, origin)]
        for axis in range(3):
            first, last = common.start[axis], common.stop[axis] - 1
            if first == region.start[axis]:
                open_ = ~_covered(common, axis, first - 1, regions)
                found.append(np.unique(_layer(inner, axis, 0)[open_]))
            if last + 1 == region.stop[axis]:
                open_ = ~_covered(common, axis, last + 1, regions)
                found.append(np.unique(_layer(inner, axis, -1)[open_]))
    return np.unique(np.concatenate(found))


def relative(box: Box, origin: Index) -> tuple[slice, slice, slice]:
    """The box as an index into an array that starts at voxel ``origin``."""
    z, y, x = (slice(a - o, b - o) for a, b, o in zip(box.start, box.stop, origin, strict=True))
    return z, y, x


def end_of(start: Index, shape: Sequence[int]) -> Index:
    """One past the last voxel of an array of ``shape`` that starts at voxel ``start``."""
    return start[0] + shape[0], start[1] + shape[1], start[2] + shape[2]


def _covered(box: Box, axis: int, layer: int, regions: Sequence[Box]) -> NDArray[np.bool_]:
    """Where, on the layer across ``axis`` beside ``box``, some region lies."""
    start, shape = list(box.start), list(box.shape)
    start[axis], shape[axis] = layer, 1
    covered = np.zeros(shape, np.bool_)
    if layer >= 0:
        z, y, x = start
        beside = Box((z, y, x), end_of((z, y, x), shape))
        for region in regions:
            common = region.intersect(beside)
            if common is not None:
                covered[relative(common, beside.start)] = True
    return np.squeeze(covered, axis)


def _layer(values: NDArray[np.uint32], axis: int, place: int) -> NDArray[np.uint32]:
    """One layer across an axis, as a view (numpy's take would copy the whole array)."""
    index: list[slice | int] = [slice(None)] * 3
    index[axis] = place
    return values[tuple(index)]
