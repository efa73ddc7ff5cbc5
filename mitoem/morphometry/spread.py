"""The pieces of work that measuring consists of, and where they are done: threads, or elsewhere."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final, Protocol, TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray

from mitoem.errors import RunCancelled, ShapeMismatch
from mitoem.geometry import Box, Index, VoxelSize
from mitoem.labels import check
from mitoem.morphometry.block import block_partial, halo
from mitoem.morphometry.border import within
from mitoem.morphometry.partial import Partial
from mitoem.morphometry.skeleton import Skeleton, skeleton

Reader: TypeAlias = Callable[[Box], NDArray[np.generic]]
"""Reads a box of a volume: an array of the box's shape."""

Cancelled: TypeAlias = Callable[[], bool]

_MOST_WORKERS: Final = 8

T = TypeVar("T")
R = TypeVar("R")


class Each(Protocol):
    """Runs a function on every item, somewhere; gives its answers as they come, with numbers.

    The function and the readers within must survive pickling when that is another process.
    """

    def __call__(self, function: Callable[[T], R], items: Sequence[T]) -> Iterator[tuple[int, R]]:
        """The answers, each with the number of its item."""


@dataclass(frozen=True, slots=True)
class Measured:
    """Measures the block of a core, from what the readers give; callable."""

    labels: Reader
    image: Reader | None
    shape: Index
    voxel_size: VoxelSize
    regions: tuple[Box, ...]
    neighbours: bool

    def __call__(self, core: Box) -> Partial:
        """The sums of the voxels of a core."""
        outer = core.grow(halo(self.voxel_size), within=self.shape)
        return block_partial(
            check(_read(self.labels, outer, "labels")),
            None if self.image is None else _read(self.image, core, "image"),
            core=core,
            origin=outer.start,
            voxel_size=self.voxel_size,
            regions=self.regions,
            neighbours=self.neighbours,
        )


@dataclass(frozen=True, slots=True)
class Thinned:
    """Makes the skeleton of an instance, given its id and its box; callable."""

    labels: Reader
    regions: tuple[Box, ...]
    voxel_size: VoxelSize

    def __call__(self, instance: tuple[int, Box]) -> Skeleton:
        """The skeleton of an id in its bounding box."""
        instance_id, box = instance
        labels = check(_read(self.labels, box, "labels"))
        mask = within(labels, box, self.regions or (box,)) == instance_id
        return skeleton(mask, voxel_size=self.voxel_size)


def threads(workers: int | None, cancelled: Cancelled | None) -> Each:
    """Threads here, with a few items at work at a time, so that few are in memory."""

    def each(function: Callable[[T], R], items: Sequence[T]) -> Iterator[tuple[int, R]]:
        count = workers or min(os.cpu_count() or 1, _MOST_WORKERS, max(len(items), 1))
        pending: deque[tuple[int, Future[R]]] = deque()
        with ThreadPoolExecutor(count, thread_name_prefix="measure") as pool:
            try:
                for number, item in enumerate(items):
                    if len(pending) > count:
                        first, future = pending.popleft()
                        yield first, future.result()
                    if cancelled is not None and cancelled():
                        raise RunCancelled(f"measuring stopped at {number} of {len(items)} pieces")
                    pending.append((number, pool.submit(function, item)))
                while pending:
                    first, future = pending.popleft()
                    yield first, future.result()
            finally:
                pool.shutdown(cancel_futures=True)

    return each


def _read(read: Reader, box: Box, what: str) -> NDArray[np.generic]:
    """A box of a volume; raises ShapeMismatch when the reader gives another shape."""
    values = read(box)
    if values.shape != box.shape:
        raise ShapeMismatch(f"{what} of box {box} have shape {values.shape}, expected {box.shape}")
    return values
