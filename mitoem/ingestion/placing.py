"""Where arrays lie in a volume, and the streaming of their sections into a layer."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from mitoem.errors import BoxOutside, RunCancelled, ShapeMismatch, SourceUnreadable
from mitoem.geometry import Box, Index
from mitoem.ingestion.source import Slabs

Progress = Callable[[float, str], None]


@dataclass(frozen=True, slots=True)
class Watch:
    """Who hears of progress, who may stop the work, and which Dask cluster does it, if any."""

    progress: Progress | None = None
    cancelled: Callable[[], bool] | None = None
    scheduler: str | None = None

    def report(self, done: float, what: str) -> None:
        """Tell the share done; raises RunCancelled when somebody asked to stop."""
        if self.cancelled is not None and self.cancelled():
            raise RunCancelled(f"stopped while writing {what}")
        if self.progress is not None:
            self.progress(done, what)


@dataclass(frozen=True, slots=True)
class Placed:
    """An array and where its first voxel lies in the volume, level 0 (z, y, x).

    ``identity`` is the same for the same content, so that a stopped write can go on; empty for
    content that cannot be recognised again.
    """

    shape: Index
    slabs: Slabs
    offset: Index = (0, 0, 0)
    identity: str = ""

    @property
    def box(self) -> Box:
        """The level-0 box that the array covers."""
        return Box.whole(self.shape).shift(self.offset)


def from_array(
    array: npt.NDArray[Any], *, offset: Index = (0, 0, 0), dtype: npt.DTypeLike | None = None
) -> Placed:
    """An array, in memory or mapped from a file, as something that can be placed."""

    def slabs(depth: int, start: int = 0) -> Iterator[npt.NDArray[Any]]:
        for z in range(start, array.shape[0], depth):
            yield np.asarray(array[z : z + depth], dtype)

    z, y, x = array.shape
    return Placed((z, y, x), slabs, offset)


def crop_placed(placed: Placed, crop: Box) -> Placed:
    """The part of an array inside a box of its own indices."""
    crop.inside(placed.shape)

    def slabs(depth: int, start: int = 0) -> Iterator[npt.NDArray[Any]]:
        z = crop.start[0] + start
        for slab in placed.slabs(depth, z):
            kept = slab[: crop.stop[0] - z]
            yield kept[:, crop.slices[1], crop.slices[2]]
            z += len(kept)
            if z >= crop.stop[0]:
                return

    identity = placed.identity and f"{placed.identity} {crop}"
    return Placed(crop.shape, slabs, placed.offset, identity)


def in_order(parts: Sequence[Placed]) -> list[Placed]:
    """The parts by rising z."""
    return sorted(parts, key=lambda part: part.offset[0])


def coverage(parts: Sequence[Placed], shape: Index) -> tuple[Box, ...]:
    """The boxes that the parts of a label set fill, by rising z; those that meet become one.

    Raises ShapeMismatch for a part outside the image, BoxOutside for parts that overlap in z.
    """
    boxes: list[Box] = []
    for part in in_order(parts):
        box = part.box
        if any(b > n for b, n in zip(box.stop, shape, strict=True)):
            raise ShapeMismatch(
                f"labels of shape {part.shape} at offset {part.offset} do not lie inside the image "
                f"of shape {shape}"
            )
        if boxes and box.start[0] < boxes[-1].stop[0]:
            raise BoxOutside(f"label parts must not overlap along z, found {boxes[-1]} and {box}")
        if boxes and _meet(boxes[-1], box):
            boxes[-1] = Box(boxes[-1].start, box.stop)
        else:
            boxes.append(box)
    return tuple(boxes)


def around(boxes: Sequence[Box]) -> Box:
    """The smallest box that holds all of them."""
    starts, stops = [b.start for b in boxes], [b.stop for b in boxes]
    z0, y0, x0 = (min(axis) for axis in zip(*starts, strict=True))
    z1, y1, x1 = (max(axis) for axis in zip(*stops, strict=True))
    return Box((z0, y0, x0), (z1, y1, x1))


def sections(
    parts: Sequence[Placed], region: Box, *, dtype: np.dtype[Any], depth: int
) -> Iterator[npt.NDArray[Any]]:
    """The sections of a region in order, at most ``depth`` at a time; zeros where no part lies."""
    z, plane = region.start[0], region.shape[1:]
    for part in in_order(parts):
        box = part.box.intersect(Box((z, 0, 0), (region.stop[0], *part.box.stop[1:])))
        if box is None:
            continue
        for gap in range(z, box.start[0], depth):
            yield np.zeros((min(depth, box.start[0] - gap), *plane), dtype)
        z = box.start[0]
        inner = box.shift((0, -region.start[1], -region.start[2])).slices[1:]
        for slab in part.slabs(depth, z - part.offset[0]):
            kept = slab[: region.stop[0] - z]
            if kept.shape[1:] == plane and kept.dtype == dtype:
                yield kept
            else:
                padded = np.zeros((len(kept), *plane), dtype)
                padded[:, *inner] = kept
                yield padded
            z += len(kept)
            if z >= box.stop[0]:
                break
        if z < box.stop[0]:
            raise SourceUnreadable(f"expected sections up to z = {box.stop[0]}, found up to {z}")
    for gap in range(z, region.stop[0], depth):
        yield np.zeros((min(depth, region.stop[0] - gap), *plane), dtype)


def _meet(a: Box, b: Box) -> bool:
    return a.stop[0] == b.start[0] and (a.start[1:], a.stop[1:]) == (b.start[1:], b.stop[1:])
