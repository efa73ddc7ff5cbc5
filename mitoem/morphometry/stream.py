"""Measure a whole volume block by block, in bounded memory."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import product
from typing import Final, TypeAlias, TypeVar

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mitoem.errors import LabelsInvalid, RunCancelled, ShapeMismatch
from mitoem.geometry import Box, Index, VoxelSize
from mitoem.labels import check
from mitoem.morphometry.block import block_partial, halo
from mitoem.morphometry.border import within
from mitoem.morphometry.partial import Partial
from mitoem.morphometry.skeleton import Skeleton, skeleton
from mitoem.morphometry.table import SplitLike, finish

Reader: TypeAlias = Callable[[Box], NDArray[np.generic]]
"""Reads a box of a volume: an array of the box's shape."""

Progress: TypeAlias = Callable[[float, str], None]
Cancelled: TypeAlias = Callable[[], bool]

BLOCK: Final[Index] = (64, 512, 512)
"""Core of a block in voxels (z, y, x): whole chunks of 32 × 128 × 128."""

_MOST_WORKERS: Final = 8
_ADD_TOGETHER: Final = 16

T = TypeVar("T")
R = TypeVar("R")


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
    progress: Progress | None = None,
    cancelled: Cancelled | None = None,
) -> pd.DataFrame:
    """Measure every instance of a volume that is read box by box; else as ``measure``.

    ``regions``: the boxes that were labelled, empty for the whole volume. Readers are called from
    several threads when ``workers`` is not 1.
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
    progress: Progress | None = None,
    cancelled: Cancelled | None = None,
) -> Partial:
    """The sums of a whole volume: what ``measure_blocks`` makes its table of."""
    labelled = tuple(region.inside(shape) for region in regions) or (Box.whole(shape),)
    cores = tuple(blocks(labelled, block))
    margin = halo(voxel_size)

    def one(core: Box) -> Partial:
        outer = core.grow(margin, within=shape)
        return block_partial(
            check(_read(read_labels, outer, "labels")),
            None if read_image is None else _read(read_image, core, "image"),
            core=core,
            origin=outer.start,
            voxel_size=voxel_size,
            regions=labelled,
            neighbours=neighbours,
        )

    total = Partial.none(image=read_image is not None)
    waiting: list[Partial] = []
    for done, partial in enumerate(_each(one, cores, workers, cancelled), start=1):
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
    progress: Progress | None = None,
    cancelled: Cancelled | None = None,
) -> list[Skeleton]:
    """The skeleton of every instance of the sums, each from a crop that is read again."""

    def one(row: int) -> Skeleton:
        low, high = partial.low[row].tolist(), partial.high[row].tolist()
        box = Box((low[0], low[1], low[2]), (high[0], high[1], high[2]))
        labels = check(_read(read_labels, box, "labels"))
        mask = within(labels, box, regions or (box,)) == partial.ids[row]
        return skeleton(mask, voxel_size=voxel_size)

    rows, found = range(partial.ids.size), []
    for line in _each(one, rows, workers, cancelled):
        found.append(line)
        if progress is not None:
            progress(len(found) / len(rows), f"skeleton {len(found)} of {len(rows)}")
    return found


def blocks(regions: Sequence[Box], block: Index) -> Iterator[Box]:
    """Cores that cover the regions: blocks of a grid through voxel 0, clipped to their hull."""
    low = tuple(min(r.start[k] for r in regions) for k in range(3))
    high = tuple(max(r.stop[k] for r in regions) for k in range(3))
    steps = (range(a // n * n, b, n) for a, b, n in zip(low, high, block, strict=True))
    for z, y, x in product(*steps):
        start = max(z, low[0]), max(y, low[1]), max(x, low[2])
        stop = (
            min(z + block[0], high[0]),
            min(y + block[1], high[1]),
            min(x + block[2], high[2]),
        )
        # One voxel more: a block between two regions sees whether they meet at its corner.
        seen = Box(start, (stop[0] + 1, stop[1] + 1, stop[2] + 1))
        if any(seen.intersect(region) is not None for region in regions):
            yield Box(start, stop)


def _each(
    one: Callable[[T], R], items: Sequence[T], workers: int | None, cancelled: Cancelled | None
) -> Iterator[R]:
    """The answer for every item, in order; a few at work at a time, so that few are in memory."""
    count = workers or min(os.cpu_count() or 1, _MOST_WORKERS, max(len(items), 1))
    pending: deque[Future[R]] = deque()
    with ThreadPoolExecutor(count, thread_name_prefix="measure") as pool:
        try:
            for number, item in enumerate(items):
                if len(pending) > count:
                    yield pending.popleft().result()
                if cancelled is not None and cancelled():
                    raise RunCancelled(f"measuring stopped at {number} of {len(items)} pieces")
                pending.append(pool.submit(one, item))
            while pending:
                yield pending.popleft().result()
        finally:
            pool.shutdown(cancel_futures=True)


def _share(progress: Progress | None, low: float, high: float) -> Progress | None:
    """Progress of a part of the work that takes from ``low`` to ``high`` of the whole."""
    if progress is None:
        return None
    whole = progress
    return lambda done, text: whole(low + done * (high - low), text)


def _read(read: Reader, box: Box, what: str) -> NDArray[np.generic]:
    """A box of a volume; raises ShapeMismatch when the reader gives another shape."""
    values = read(box)
    if values.shape != box.shape:
        raise ShapeMismatch(f"{what} of box {box} have shape {values.shape}, expected {box.shape}")
    return values
