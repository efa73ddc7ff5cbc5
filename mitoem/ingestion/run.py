"""Files → a volume: what is placed where, which voxel size holds, what is refused."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from mitoem import manifest
from mitoem.errors import (
    BoxOutside,
    LabelsInvalid,
    ShapeMismatch,
    SourceUnreadable,
    SourceUnsupported,
    VolumeExists,
    VoxelSizeMissing,
)
from mitoem.geometry import MITOEM_VOXEL_SIZE, Box, Index, VoxelSize
from mitoem.ingestion import recognise, shelf
from mitoem.ingestion.assemble import Facts, NewLabels, create_volume
from mitoem.ingestion.placing import Placed, Watch
from mitoem.ingestion.source import Slabs, Source, sha256_of, stamp
from mitoem.manifest import Split
from mitoem.volume import Volume, open_at

MITOEM_SHAPE: Index = (1000, 4096, 4096)
"""Shape of both MitoEM volumes (z, y, x)."""

SCAN_DEPTH = 8
"""Sections held at a time while a file is read through for its range of values."""

MITOEM_SPLITS = (Split("train", 0, 400), Split("validation", 400, 500))
"""Labelled sections of MitoEM; the labels of 500–999 are withheld. Source: Wei et al. 2020."""


@dataclass(frozen=True, slots=True)
class Request:
    """What a person asked to ingest; paths as given, boxes and offsets (z, y, x), sizes in nm."""

    name: str
    image: Path
    labels: tuple[Path, ...] = ()
    labels_offset: Index | None = None
    voxel_size: VoxelSize | None = None
    key: str | None = None
    rescale: bool = False
    crop: Box | None = None
    overwrite: bool = False


def run(
    root: Path,
    request: Request,
    *,
    say: Callable[[str], None],
    expect: Callable[[int], None],
    watch: Watch,
) -> tuple[Volume, bool]:
    """The volume, and whether it was made now; ``say`` hears what was recognised, a line
    each; ``expect`` the number of voxels of the image.

    A complete volume from the same sources is returned as it is; one from other sources raises
    VolumeExists unless ``overwrite``. Raises every error of the readers and of the writer.
    """
    manifest.check_name(request.name)
    image = recognise(request.image, key=request.key)
    labels = [recognise(path, key=labels_key(path, request.key)) for path in request.labels]
    for source in (image, *labels):
        say(source.describe())
    for notice in image.notices if request.voxel_size is None else ():
        say(f"notice: {notice}")
    size, size_source = _voxel_size(image, request.voxel_size)
    _check_image(image, rescale=request.rescale)
    parts = place_labels(image, labels, offset=request.labels_offset, crop=request.crop)
    sources = _sources(image, labels)
    target = root / request.name
    if (target / manifest.FILE).is_file() and not request.overwrite:
        return _same(open_at(target), sources, size), False
    expect(int(np.prod(image.shape)))
    placed = _image(image, rescale=request.rescale, crop=request.crop)
    facts = Facts(
        title=request.name,
        voxel_size=size,
        voxel_size_source=size_source,
        splits=MITOEM_SPLITS if _is_mitoem(placed.shape, size) else (),
        sources=sources,
    )
    new = NewLabels("truth", parts, labels_dtype(labels)) if parts else None
    before = [stamp(source.path) for source in (image, *labels)]
    volume = create_volume(
        root,
        request.name,
        image=placed,
        labels=new,
        facts=facts,
        overwrite=request.overwrite,
        watch=watch,
    )
    for source, then in zip((image, *labels), before, strict=True):
        if stamp(source.path) != then:
            shelf.remove_volume(volume)
            raise SourceUnreadable(
                f"{source.path.name}: changed while it was read, from {then} to "
                f"{stamp(source.path)} (bytes, time)"
            )
    return volume, True


def place_labels(
    image: Source, labels: Sequence[Source], *, offset: Index | None, crop: Box | None
) -> tuple[Placed, ...]:
    """Where each label file lies: the first at ``offset``, the others behind it along z.

    Without an offset labels must have the image's shape; only MitoEM's own (full planes of the
    first sections) are known to start at 0. Raises ShapeMismatch with both shapes.
    """
    if not labels:
        return ()
    depth = sum(source.shape[0] for source in labels)
    if offset is None:
        whole = depth == image.shape[0] or image.shape == MITOEM_SHAPE
        for source in labels:
            if source.shape[1:] != image.shape[1:] or not whole or depth > image.shape[0]:
                raise ShapeMismatch(
                    f"{source.path.name}: labels of shape {(depth, *source.shape[1:])} do not fit "
                    f"the image's {image.shape} (z, y, x); --labels-offset places a part"
                )
    z, y, x = offset or (0, 0, 0)
    cropped = crop if crop is not None and offset is None else None
    parts = []
    for source in labels:
        checked = _checked(source)
        one = Placed(source.shape, checked, (z, y, x), sha256_of(source.path))
        if cropped is not None:
            part_crop = one.box.intersect(cropped)
            if part_crop is not None:
                back = (-cropped.start[0], -cropped.start[1], -cropped.start[2])
                inner = part_crop.shift((-z, -y, -x))
                one = replace(crop_placed(one, inner), offset=part_crop.shift(back).start)
                parts.append(one)
        else:
            parts.append(one)
        z += source.shape[0]
    return tuple(parts)


def labels_dtype(labels: Sequence[Source]) -> np.dtype[Any]:
    """uint16 where all ids fit; files of wider integers are read through once to know."""
    for source in labels:
        if source.dtype.itemsize <= 2:
            continue
        for slab in _checked(source)(SCAN_DEPTH):
            if slab.max(initial=0) > np.iinfo(np.uint16).max:
                return np.dtype(np.uint32)
    return np.dtype(np.uint16)


def labels_of(source: Source, *, offset: Index = (0, 0, 0)) -> Placed:
    """The labels in a file, checked while they stream; raises LabelsInvalid."""
    return Placed(source.shape, _checked(source), offset, sha256_of(source.path))


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


def _checked(source: Source) -> Slabs:
    """The slabs of a label file as uint16 or uint32; floats and negative ids raise."""
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


def labels_key(path: Path, key: str | None) -> str | None:
    """In an ``.npz`` that holds both, labels are under ``labels``."""
    if key is not None or path.suffix != ".npz":
        return key
    with np.load(path, allow_pickle=False) as archive:
        return "labels" if "labels" in archive.files else None


def _voxel_size(image: Source, asked: VoxelSize | None) -> tuple[VoxelSize, str]:
    if asked is not None:
        return asked, "given by a person"
    if image.voxel_size is None:
        raise VoxelSizeMissing(
            f"{image.path.name}: a {image.format} does not say its voxel size; "
            "give --voxel-size Z,Y,X in nm"
        )
    return image.voxel_size, image.voxel_size_source


def _check_image(image: Source, *, rescale: bool) -> None:
    if image.dtype != np.uint8 and not rescale:
        raise SourceUnsupported(
            f"{image.path.name}: expected uint8 grey values, found {image.dtype}; "
            "--rescale maps the range of the data to 0–255"
        )


def _image(image: Source, *, rescale: bool, crop: Box | None) -> Placed:
    """The image as uint8, cropped where asked."""
    if crop is not None and any(b > n for b, n in zip(crop.stop, image.shape, strict=True)):
        raise BoxOutside(f"crop {crop} leaves the image of shape {image.shape} (z, y, x)")
    placed = Placed(image.shape, image.slabs, identity=sha256_of(image.path))
    if image.dtype != np.uint8 and rescale:
        placed = replace(placed, slabs=_rescaled(image), identity=f"{placed.identity} rescaled")
    return placed if crop is None else crop_placed(placed, crop)


def _rescaled(image: Source) -> Slabs:
    """Grey values mapped linearly from the range of the whole file to 0–255."""
    low, high = np.inf, -np.inf
    for slab in image.slabs(SCAN_DEPTH):
        low, high = min(low, float(slab.min())), max(high, float(slab.max()))
    if not np.isfinite([low, high]).all():
        raise SourceUnsupported(
            f"{image.path.name}: expected finite grey values, found {low, high}"
        )
    scale = 255.0 / (high - low) if high > low else 0.0

    def slabs(depth: int, start: int = 0) -> Iterator[npt.NDArray[Any]]:
        for slab in image.slabs(depth, start):
            yield np.rint((slab.astype(np.float32) - low) * scale).astype(np.uint8)

    return slabs


def _sources(image: Source, labels: Sequence[Source]) -> tuple[manifest.Source, ...]:
    roles = [("image", image), *(("truth", source) for source in labels)]
    return tuple(
        manifest.Source(
            role, one.path.name, one.format, one.path.stat().st_size, sha256_of(one.path)
        )
        for role, one in roles
    )


def _same(volume: Volume, sources: tuple[manifest.Source, ...], size: VoxelSize) -> Volume:
    """The existing volume when it came from these sources; else VolumeExists says what differs."""
    kept = [(one.role, one.sha256) for one in volume.info.sources]
    asked = [(one.role, one.sha256) for one in sources]
    if kept != asked:
        files = ", ".join(one.file for one in volume.info.sources) or "elsewhere"
        raise VolumeExists(
            f"volume {volume.name!r} exists already, made from {files}; --overwrite replaces it"
        )
    if volume.info.voxel_size != size:
        raise VolumeExists(
            f"volume {volume.name!r} exists already with voxel size {volume.info.voxel_size} nm, "
            f"asked for {size}; --overwrite replaces it"
        )
    return volume


def _is_mitoem(shape: Index, voxel_size: VoxelSize) -> bool:
    return shape == MITOEM_SHAPE and voxel_size == MITOEM_VOXEL_SIZE
