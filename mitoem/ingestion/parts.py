"""Label files → parts of one label set: where each lies in the volume, checked while it streams."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from mitoem.errors import BoxOutside, LabelsInvalid, ShapeMismatch
from mitoem.geometry import MITOEM_SHAPE, Box, Index
from mitoem.ingestion.placing import Placed, crop_placed
from mitoem.ingestion.source import Slabs, Source

SCAN_DEPTH = 8
"""Sections held at a time while a file is read through for its range of values."""


def place_labels(
    image: Source, labels: Sequence[Source], *, offset: Index | None, crop: Box | None
) -> tuple[Placed, ...]:
    """Where the label files of an image lie, by rising z, cropped as the image is.

    With an offset the first section lies there. Without one, numbered slices lie at their numbers
    (the image's first section is that of its own first number, else 0), whatever the order of the
    files; other files follow each other from 0 and must fill the image, or be MitoEM's own, whose
    labels are known to start at 0. Raises ShapeMismatch with both shapes.
    """
    if not labels:
        return ()
    if offset is None:
        _check_fit(image, labels)
        first = image.runs[0].start if image.runs else 0
        parts = parts_of(labels, offset=None, first=first)
        return parts if crop is None else _cropped(parts, crop)
    return parts_of(labels, offset=offset)


def parts_of(
    labels: Sequence[Source], *, offset: Index | None = None, first: int = 0
) -> tuple[Placed, ...]:
    """The runs of sections of label files, each where it lies.

    ``first`` is the slice number of z = 0.

    Files that are all numbered keep their distances along z; other files follow each other.
    Raises ShapeMismatch for numbered files among others, or for numbers below ``first``.
    """
    numbered = [bool(source.runs) for source in labels]
    if any(numbered) and not all(numbered):
        named, other = labels[numbered.index(True)], labels[numbered.index(False)]
        raise ShapeMismatch(
            f"{other.path.name}: expected numbered slices as in {named.path.name}, "
            f"found a {other.format}; add it by itself with `labels add`"
        )
    z, y, x = offset or (0, 0, 0)
    if all(numbered):
        lowest = min(source.runs[0].start for source in labels)
        if offset is None and lowest < first:
            raise ShapeMismatch(
                f"expected label slices from number {first}, the image's first, found {lowest}"
            )
        shift = z - lowest if offset is not None else -first
        runs = [(source, [run.start + shift for run in source.runs]) for source in labels]
    else:
        runs = []
        for source in labels:
            runs.append((source, [z]))
            z += source.shape[0]
    parts = [one for source, starts in runs for one in _runs(source, starts, (y, x))]
    return tuple(sorted(parts, key=lambda part: part.offset[0]))


def labels_dtype(labels: Sequence[Source]) -> np.dtype[Any]:
    """uint16 where all ids fit; files of wider integers are read through once to know."""
    for source in labels:
        if source.dtype.itemsize <= 2:
            continue
        for slab in checked(source)(SCAN_DEPTH):
            if slab.max(initial=0) > np.iinfo(np.uint16).max:
                return np.dtype(np.uint32)
    return np.dtype(np.uint16)


def checked(source: Source) -> Slabs:
    """The slabs of a label file as uint16 or uint32; other ids raise LabelsInvalid."""
    if source.dtype.kind not in "uib":
        raise LabelsInvalid(f"{source.path.name}: expected integer ids, found {source.dtype}")

    def slabs(depth: int, start: int = 0) -> Iterator[npt.NDArray[Any]]:
        for slab in source.slabs(depth, start):
            if source.dtype.kind == "i" and slab.min(initial=0) < 0:
                raise LabelsInvalid(
                    f"{source.path.name}: expected ids from 0, found {int(slab.min())}"
                )
            if source.dtype.itemsize > 4 and slab.max(initial=0) > np.iinfo(np.uint32).max:
                raise LabelsInvalid(
                    f"{source.path.name}: expected ids to {np.iinfo(np.uint32).max}, "
                    f"found {int(slab.max())}"
                )
            yield slab.astype(np.uint16 if source.dtype.itemsize <= 2 else np.uint32, copy=False)

    return slabs


def _runs(source: Source, starts: Sequence[int], corner: tuple[int, int]) -> Iterator[Placed]:
    """A file's runs of sections, each at its z, all at one corner (y, x) of the plane."""
    whole = Placed(source.shape, checked(source), (0, 0, 0), source.identity)
    if len(starts) == 1:
        yield replace(whole, offset=(starts[0], *corner))
        return
    done = 0
    for run, start in zip(source.runs, starts, strict=True):
        inner = Box((done, 0, 0), (done + len(run), *source.shape[1:]))
        yield replace(crop_placed(whole, inner), offset=(start, *corner))
        done += len(run)


def _cropped(parts: Sequence[Placed], crop: Box) -> tuple[Placed, ...]:
    """What of the parts lies in a box of the volume, in indices of that box."""
    back = (-crop.start[0], -crop.start[1], -crop.start[2])
    kept: list[Placed] = []
    for part in parts:
        common = part.box.intersect(crop)
        if common is not None:
            z, y, x = part.offset
            inner = crop_placed(part, common.shift((-z, -y, -x)))
            kept.append(replace(inner, offset=common.shift(back).start))
    if not kept:
        boxes = " and ".join(str(part.box) for part in parts)
        raise BoxOutside(f"expected labels in the crop {crop}, found them in {boxes}")
    return tuple(kept)


def _check_fit(image: Source, labels: Sequence[Source]) -> None:
    """Raises ShapeMismatch for labels that nothing says where to place in the image."""
    numbers = image.runs[0] if image.runs else range(image.shape[0])
    depth = sum(source.shape[0] for source in labels)
    fills = depth == image.shape[0] or (image.shape == MITOEM_SHAPE and depth < image.shape[0])
    for source in labels:
        if source.shape[1:] != image.shape[1:] or not (source.runs or fills):
            raise ShapeMismatch(
                f"{source.path.name}: labels of shape {(depth, *source.shape[1:])} do not fit "
                f"the image's {image.shape} (z, y, x); --labels-offset places a part"
            )
        if source.runs and source.runs[-1].stop > numbers.stop:
            raise ShapeMismatch(
                f"{source.path.name}: label slices up to number {source.runs[-1].stop - 1} leave "
                f"the image's {numbers.start} to {numbers.stop - 1}; --labels-offset places them"
            )
