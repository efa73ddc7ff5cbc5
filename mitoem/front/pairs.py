"""Truth and prediction as two streams of sections, whatever they are, and their overlap table."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt

from mitoem import manifest
from mitoem.errors import LabelsInvalid, RunCancelled, ShapeMismatch
from mitoem.front.shelves import Cancelled, Data, Progress, open_volume
from mitoem.geometry import Box, Index
from mitoem.ingestion import recognise
from mitoem.ingestion.parts import checked
from mitoem.labels import check as check_labels
from mitoem.volume import Volume

if TYPE_CHECKING:
    from mitoem.scores import Contingency

SLAB_VOXELS: Final = 2**25
"""Voxels of each side that are held at once."""

Labels = npt.NDArray[Any] | str | Path
"""Label arrays (z, y, x), files of any format that is read, or ``NAME/labels``."""


@dataclass(frozen=True, slots=True, eq=False)
class Side:
    """One of two label sets: its shape (z, y, x), and its sections, so many at a time or fewer.

    ``start`` is the place of its first voxel in its volume.
    """

    shape: Index
    slabs: Callable[[int], Iterator[npt.NDArray[Any]]]
    start: Index = (0, 0, 0)

    def whole(self) -> npt.NDArray[np.uint32]:
        """All of it, uint32."""
        parts = [np.zeros((0, *self.shape[1:]), np.uint32), *self.slabs(64)]
        return np.concatenate(parts).astype(np.uint32, copy=False)


def side(labels: Labels, *, data: Data = None) -> Side:
    """Labels as a stream; raises LabelsInvalid, LabelsNotFound, SourceUnreadable."""
    if isinstance(labels, np.ndarray):
        return _of_array(check_labels(labels))
    known = named(labels)
    if known is not None:
        volume = open_volume(known[0], data=data)
        return of_volume(volume, known[1], Box.whole(volume.info.shape))
    source = recognise(labels, role="labels")
    if len(source.runs) > 1:
        raise LabelsInvalid(
            f"{source.path.name}: expected slices without gaps, found {source.format}; "
            "`labels add` puts them into a volume, where they can be scored"
        )
    return Side(source.shape, lambda depth: iter(checked(source)(depth)))


def of_volume(volume: Volume, labels: str, box: Box) -> Side:
    """A box of a label set of a volume; raises LabelsNotFound."""
    volume.info.label_set(labels)

    def slabs(depth: int) -> Iterator[npt.NDArray[Any]]:
        for z in range(box.start[0], box.stop[0], depth):
            stop = (min(z + depth, box.stop[0]), *box.stop[1:])
            yield volume.read(Box((z, *box.start[1:]), stop), layer=labels)

    return Side(box.shape, slabs, box.start)


def sides(truth: Labels, prediction: Labels, *, data: Data = None) -> tuple[Side, Side]:
    """Both streams; of two sets of one volume only the box that both cover."""
    a, b = named(truth), named(prediction)
    if a is None or b is None or a[0] != b[0]:
        return side(truth, data=data), side(prediction, data=data)
    target = open_volume(a[0], data=data)
    common = common_coverage(target, a[1], b[1])
    return of_volume(target, a[1], common), of_volume(target, b[1], common)


def overlap(
    truth: Side,
    prediction: Side,
    *,
    progress: Progress | None = None,
    cancelled: Cancelled | None = None,
) -> Contingency:
    """The overlap table of two streams; a few sections of each are in memory at a time.

    Raises ShapeMismatch with both shapes, RunCancelled.
    """
    from mitoem import scores

    if truth.shape != prediction.shape:
        raise ShapeMismatch(
            f"truth of shape {truth.shape} and prediction of shape {prediction.shape}: expected "
            "one shape (z, y, x)"
        )
    depth, height, width = truth.shape
    step = max(1, SLAB_VOXELS // max(1, height * width))
    table, done = scores.EMPTY, 0
    for one, other in _aligned(truth.slabs(step), prediction.slabs(step)):
        if cancelled is not None and cancelled():
            raise RunCancelled(f"stopped at section {done} of {depth}")
        z, y, x = truth.start
        table = table + scores.contingency(one, other, offset=(z + done, y, x))
        done += len(one)
        if progress is not None:
            progress(done / depth, f"section {done} of {depth}")
    return table


def _aligned(
    first: Iterator[npt.NDArray[Any]], second: Iterator[npt.NDArray[Any]]
) -> Iterator[tuple[npt.NDArray[Any], npt.NDArray[Any]]]:
    """The same sections of both, however each cuts itself into slabs."""
    one, other = next(first, None), next(second, None)
    while one is not None and other is not None:
        count = min(len(one), len(other))
        yield one[:count], other[:count]
        one = one[count:] if len(one) > count else next(first, None)
        other = other[count:] if len(other) > count else next(second, None)


def common_coverage(volume: Volume, truth: str, prediction: str) -> Box:
    """The level-0 box that two label sets of a volume both cover; raises LabelsInvalid if none."""
    for one in volume.info.label_set(truth).coverage:
        for other in volume.info.label_set(prediction).coverage:
            common = one.intersect(other)
            if common is not None:
                return common
    raise LabelsInvalid(f"{truth!r} and {prediction!r} of {volume.name!r} cover no voxel together")


def _of_array(labels: npt.NDArray[Any]) -> Side:
    if labels.ndim != 3:
        raise ShapeMismatch(f"labels of shape {labels.shape}: expected 3 axes (z, y, x)")
    z, y, x = labels.shape
    return Side(
        (z, y, x), lambda depth: (labels[k : k + depth] for k in range(0, max(z, 1), depth))
    )


def named(labels: Labels) -> tuple[str, str] | None:
    """``NAME/labels`` apart, or None for an array or a file that exists."""
    if isinstance(labels, np.ndarray) or Path(labels).exists():
        return None
    name, slash, one = str(labels).partition("/")
    if not slash or "/" in one or os.sep in one:
        return None
    try:
        return manifest.check_name(name), manifest.check_name(one, what="labels")
    except ValueError:
        return None
