"""Where arrays lie in a volume, and the streaming of their sections into a layer."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from mitoem.errors import BoxOutside, RunCancelled, ShapeMismatch
from mitoem.geometry import Box, Index
from mitoem.ingestion.source import Source
from mitoem.ingestion.writer import LayerWriter

Progress = Callable[[float, str], None]


@dataclass(frozen=True, slots=True)
class Watch:
    """Who wants to hear of progress, and who may stop the work."""

    progress: Progress | None = None
    cancelled: Callable[[], bool] | None = None

    def report(self, done: float, what: str) -> None:
        """Tell the share done; raises RunCancelled when somebody asked to stop."""
        if self.cancelled is not None and self.cancelled():
            raise RunCancelled(f"stopped while writing {what}")
        if self.progress is not None:
            self.progress(done, what)


@dataclass(frozen=True, slots=True)
class Placed:
    """An array and where its first voxel lies in the volume, level 0 (z, y, x)."""

    shape: Index
    slabs: Callable[[int], Iterator[npt.NDArray[Any]]]
    offset: Index = (0, 0, 0)

    @property
    def box(self) -> Box:
        """The level-0 box that the array covers."""
        return Box.whole(self.shape).shift(self.offset)


def from_array(array: npt.NDArray[Any], *, offset: Index = (0, 0, 0)) -> Placed:
    """An array in memory as something that can be placed."""

    def slabs(depth: int) -> Iterator[npt.NDArray[Any]]:
        for z in range(0, array.shape[0], depth):
            yield array[z : z + depth]

    z, y, x = array.shape
    return Placed((z, y, x), slabs, offset)


def from_source(source: Source, *, offset: Index = (0, 0, 0)) -> Placed:
    """A recognised file as something that can be placed."""
    return Placed(source.shape, source.slabs, offset)


def in_order(parts: Sequence[Placed]) -> list[Placed]:
    """The parts by rising z."""
    return sorted(parts, key=lambda part: part.offset[0])


def bounding_box(parts: Sequence[Placed], shape: Index) -> Box:
    """The one box that parts of a label set fill: same plane, one after another along z.

    Raises BoxOutside or ShapeMismatch with both values where they do not.
    """
    parts = in_order(parts)
    for part in parts:
        box = part.box
        if any(b > n for b, n in zip(box.stop, shape, strict=True)):
            raise ShapeMismatch(
                f"labels of shape {part.shape} at offset {part.offset} do not lie inside the image "
                f"of shape {shape}"
            )
    for before, after in pairwise(parts):
        a, b = before.box, after.box
        if a.stop[0] != b.start[0] or (a.start[1:], a.stop[1:]) != (b.start[1:], b.stop[1:]):
            raise BoxOutside(f"label parts must follow each other along z, found {a} then {b}")
    return Box(parts[0].box.start, parts[-1].box.stop)


def stream(
    writer: LayerWriter, parts: Sequence[Placed], region: Box, *, what: str, watch: Watch
) -> None:
    """Hand the sections of the parts to the writer, zeros where the region reaches further."""
    z, plane = region.start[0], region.shape[1:]
    dtype = writer.dtype
    for part in parts:
        box = part.box
        inner = (
            slice(None),
            slice(box.start[1] - region.start[1], box.stop[1] - region.start[1]),
            slice(box.start[2] - region.start[2], box.stop[2] - region.start[2]),
        )
        for slab in part.slabs(writer.depth):
            if z < box.start[0]:
                writer.write(np.zeros((box.start[0] - z, *plane), dtype))
                z = box.start[0]
            if slab.shape[1:] != plane:
                padded = np.zeros((len(slab), *plane), dtype)
                padded[inner] = slab
                slab = padded  # noqa: PLW2901
            writer.write(slab)
            z += len(slab)
            watch.report((z - region.start[0]) / region.shape[0], what)
    if z < region.stop[0]:
        writer.write(np.zeros((region.stop[0] - z, *plane), dtype))
    writer.close()
