"""Measure a whole volume block by block, in bounded memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Final, TypeAlias

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mitoem.errors import LabelsInvalid, ShapeMismatch
from mitoem.geometry import Box, Index, VoxelSize
from mitoem.morphometry.partial import Partial
from mitoem.morphometry.skeleton import Skeleton
from mitoem.morphometry.spread import Cancelled, Each, Measured, Reader, Thinned, threads
from mitoem.morphometry.table import SplitLike, finish

Progress: TypeAlias = Callable[[float, str], None]

BLOCK: Final[Index] = (64, 512, 512)
"""Core of a block in voxels (z, y, x): whole chunks of 32 × 128 × 128."""

_ADD_TOGETHER: Final = 16


def measure(
    labels: NDArray[np.generic],
    image: NDArray[np.generic] | None = None,
    *,
    voxel_size: VoxelSize,
    region: Box | None = None,
    origin: Index = (0, 0, 0),
    splits: Sequence[SplitLike] = (),
    neighbours: bool = True,
    skeletons: bool = False,
    block: Index = BLOCK,
    workers: int | None = None,
    progress: Progress | None = None,
    cancelled: Cancelled | None = None,
) -> pd.DataFrame:
    """Measure every instance of an array of labels.

    ``labels``: whole numbers (z, y, x), 0 = background. ``image``: of the same shape, or None.
    ``voxel_size``: nm (z, y, x). ``region``: what was labelled, in voxels of the array; None for
    all of it. ``origin``: where the array starts in the volume that the table speaks of.
    ``neighbours``, ``skeletons``: measure distances between instances, and lengths and branches,
    too. Returns one row per instance by rising id, with the columns of COLUMNS; the table depends
    on neither ``block`` nor ``workers``. Raises LabelsInvalid, ShapeMismatch, BoxOutside,
    RunCancelled.
    """
    if labels.ndim != 3:
        raise LabelsInvalid(f"labels have {labels.ndim} axes, expected 3 (z, y, x)")
    if image is not None and image.shape != labels.shape:
        raise ShapeMismatch(f"image of shape {image.shape}, labels of shape {labels.shape}")
    return measure_blocks(
        lambda box: labels[box.slices],
        None if image is None else lambda box: image[box.slices],
        (labels.shape[0], labels.shape[1], labels.shape[2]),
        voxel_size=voxel_size,
        regions=() if region is None else (region,),
        origin=origin,
        splits=splits,
        neighbours=neighbours,
        skeletons=skeletons,
        block=block,
        workers=workers,
        progress=progress,
        cancelled=cancelled,
    )


def measure_blocks(
    read_labels: Reader,
    read_image: Reader | None,
    shape: Index,
    *,
    voxel_size: VoxelSize,
    regions: Sequence[Box] = (),
    origin: Index = (0, 0, 0),
    splits: Sequence[SplitLike] = (),
    neighbours: bool = True,
    skeletons: bool = False,
    block: Index = BLOCK,
    workers: int | None = None,
    each: Each | None = None,
    progress: Progress | None = None,
    cancelled: Cancelled | None = None,
) -> pd.DataFrame:
    """Measure every instance of a volume that is read box by box; else as ``measure``.

    ``regions``: the boxes that were labelled, empty for the whole volume. Readers are called from
    several threads when ``workers`` is not 1. ``each``: where blocks and skeletons are worked on,
    instead of in threads here.
    """
    partial = volume_partial(
        read_labels,
        read_image,
        shape,
        voxel_size=voxel_size,
        regions=regions,
        neighbours=neighbours,
        block=block,
        workers=workers,
        each=each,
        progress=_share(progress, 0.0, 0.3 if skeletons else 0.7),
        cancelled=cancelled,
    )
    lines = None
    if skeletons:
        lines = volume_skeletons(
            partial,
            read_labels,
            voxel_size=voxel_size,
            regions=regions,
            workers=workers,
            each=each,
            progress=_share(progress, 0.3, 0.8),
            cancelled=cancelled,
        )
    return finish(
        partial.moved(origin),
        voxel_size=voxel_size,
        splits=splits,
        skeletons=lines,
        progress=_share(progress, 0.8 if skeletons else 0.7, 1.0),
        cancelled=cancelled,
    )


def volume_partial(
    read_labels: Reader,
    read_image: Reader | None,
    shape: Index,
    *,
    voxel_size: VoxelSize,
    regions: Sequence[Box] = (),
    neighbours: bool = False,
    block: Index = BLOCK,
    workers: int | None = None,
    each: Each | None = None,
    progress: Progress | None = None,
    cancelled: Cancelled | None = None,
) -> Partial:
    """The sums of a whole volume: what ``measure_blocks`` makes its table of."""
    labelled = tuple(region.inside(shape) for region in regions) or (Box.whole(shape),)
    cores = tuple(blocks(labelled, block))
    one = Measured(read_labels, read_image, shape, voxel_size, labelled, neighbours)
    results = (each or threads(workers, cancelled))(one, cores)
    total = Partial.none(image=read_image is not None)
    waiting: list[Partial] = []
    for done, (_, partial) in enumerate(results, start=1):
        waiting.append(partial)
        if len(waiting) == _ADD_TOGETHER or done == len(cores):
            total = Partial.total([total, *waiting])
            waiting.clear()
        if progress is not None:
            progress(done / len(cores), f"block {done} of {len(cores)}")
    return total


def volume_skeletons(
    partial: Partial,
    read_labels: Reader,
    *,
    voxel_size: VoxelSize,
    regions: Sequence[Box] = (),
    workers: int | None = None,
    each: Each | None = None,
    progress: Progress | None = None,
    cancelled: Cancelled | None = None,
) -> list[Skeleton]:
    """The skeleton of every instance of the sums, each from a crop that is read again."""
    rows = [
        (int(instance_id), Box((low[0], low[1], low[2]), (high[0], high[1], high[2])))
        for instance_id, low, high in zip(
            partial.ids, partial.low.tolist(), partial.high.tolist(), strict=True
        )
    ]
    one = Thinned(read_labels, tuple(regions), voxel_size)
    found: dict[int, Skeleton] = {}
    for number, line in (each or threads(workers, cancelled))(one, rows):
        found[number] = line
        if progress is not None:
            progress(len(found) / len(rows), f"skeleton {len(found)} of {len(rows)}")
    return [found[number] for number in range(len(rows))]


def blocks(regions: Sequence[Box], block: Index) -> Iterator[Box]:
    """Cores that cover the regions: blocks of a grid through voxel 0, clipped to their hull."""
    z0, y0, x0 = (min(r.start[k] for r in regions) for k in range(3))
    z1, y1, x1 = (max(r.stop[k] for r in regions) for k in range(3))
    for core in Box((z0, y0, x0), (z1, y1, x1)).blocks(block):
        # One voxel more: a block between two regions sees whether they meet at its corner.
        z, y, x = core.stop
        seen = Box(core.start, (z + 1, y + 1, x + 1))
        if any(seen.intersect(region) is not None for region in regions):
            yield core


def _share(progress: Progress | None, low: float, high: float) -> Progress | None:
    """Progress of a part of the work that takes from ``low`` to ``high`` of the whole."""
    if progress is None:
        return None
    whole = progress
    return lambda done, text: whole(low + done * (high - low), text)
