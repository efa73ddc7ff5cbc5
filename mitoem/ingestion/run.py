"""Files → a volume: what is placed where, which voxel size holds, what is refused."""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from mitoem import manifest
from mitoem.errors import (
    BoxOutside,
    RequestInvalid,
    SourceUnsupported,
    VolumeExists,
    VoxelSizeMissing,
)
from mitoem.geometry import MITOEM_SHAPE, MITOEM_VOXEL_SIZE, Box, Index, VoxelSize
from mitoem.ingestion import recognise, shelf
from mitoem.ingestion.assemble import PLAN, Facts, NewLabels, create_volume
from mitoem.ingestion.digest import sha256_of, stamp
from mitoem.ingestion.parts import SCAN_DEPTH, labels_dtype, place_labels
from mitoem.ingestion.placing import Placed, Watch, crop_placed
from mitoem.ingestion.source import Slabs, Source, unchanged
from mitoem.manifest import Split
from mitoem.volume import Volume, open_at

EDGE_NM = (0.5, 10_000.0)
"""Edges of a voxel in which mitochondria are measured, up to those of light microscopy.

One of an electron micrograph in µm lies below; smoothing over 30 nm would take 60 voxels there.
"""

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
    labels_key: str | None = None
    rescale: bool = False
    crop: Box | None = None
    overwrite: bool = False
    description: str = ""


def run(
    root: Path,
    request: Request,
    *,
    say: Callable[[str], None],
    expect: Callable[[int, str], None],
    watch: Watch,
) -> tuple[Volume, bool]:
    """The volume, and whether it was made now; ``say`` hears what was recognised, a line
    each; ``expect`` the voxels of each stage and its name.

    A complete volume from the same sources is returned as it is; one from other sources raises
    VolumeExists unless ``overwrite``. Raises every error of the readers and of the writer.
    """
    manifest.check_name(request.name)
    image = recognise(request.image, key=request.key)
    labels = [_labels(path, request) for path in request.labels]
    for source in (image, *labels):
        say(source.describe())
    for notice in image.notices if request.voxel_size is None else ():
        say(f"notice: {notice}")
    size, size_source = _voxel_size(image, request.voxel_size)
    z, y, x = size
    say(f"{request.name}: voxels of {z:g} × {y:g} × {x:g} nm (z, y, x; {size_source})")
    _check_image(image, rescale=request.rescale)
    _check_crop(image, request.crop)
    parts = place_labels(image, labels, offset=request.labels_offset, crop=request.crop)
    sources, made_from = _sources(image, labels), _made_from(request, image, labels)
    target = root / request.name
    if (target / manifest.FILE).is_file() and not request.overwrite:
        same = _same(open_at(target), sources, size, made_from)
        shelf.tidy(root, request.name, plan=PLAN)
        return same, False
    labelled = sum(part.box.size for part in parts)
    expect(request.crop.size if request.crop else int(np.prod(image.shape)), "image")
    expect(labelled, "truth")
    expect(labelled, "measure")
    placed = _image(image, rescale=request.rescale, crop=request.crop)
    facts = Facts(
        title=request.name,
        voxel_size=size,
        voxel_size_source=size_source,
        splits=MITOEM_SPLITS if _is_mitoem(placed.shape, size) else (),
        sources=sources,
        description=request.description,
        made_from=made_from,
        first_slice=_first_slice(image, request.crop),
    )
    new = NewLabels("truth", parts, labels_dtype(labels)) if parts else None
    volume = create_volume(
        root,
        request.name,
        image=placed,
        labels=new,
        facts=facts,
        overwrite=request.overwrite,
        watch=watch,
        verify=unchanged(image, *labels),
    )
    return volume, True


def _labels(path: Path, request: Request) -> Source:
    """A label file; without a key of its own the image's counts, where the format has keys."""
    if not request.labels_key:
        with contextlib.suppress(RequestInvalid):
            return recognise(path, key=request.key, role="labels")
    return recognise(path, key=request.labels_key, role="labels")


def _voxel_size(image: Source, asked: VoxelSize | None) -> tuple[VoxelSize, str]:
    if asked is not None:
        check_voxel_size(asked)
        return asked, "given by a person"
    if image.voxel_size is None and image.shape == MITOEM_SHAPE:
        return MITOEM_VOXEL_SIZE, "MitoEM's, by its shape"
    if image.voxel_size is None:
        raise VoxelSizeMissing(
            f"{image.path.name}: a {image.format} does not say its voxel size; "
            "give --voxel-size Z,Y,X in nm"
        )
    check_voxel_size(image.voxel_size, where=f"{image.path.name}, {image.voxel_size_source}")
    return image.voxel_size, image.voxel_size_source


def check_voxel_size(size: VoxelSize, *, where: str = "--voxel-size") -> None:
    """Raises VoxelSizeMissing for edges (z, y, x) outside of ``EDGE_NM``."""
    low, high = EDGE_NM
    if not all(low <= edge <= high for edge in size):
        found = " × ".join(f"{edge:g}" for edge in size)
        unit = "µm" if min(size) < low else "another unit"
        raise VoxelSizeMissing(
            f"{where}: expected edges of {low:g} to {high:g} nm (z, y, x), found {found} nm; "
            f"is it in {unit}? --voxel-size Z,Y,X gives it in nm"
        )


def _first_slice(image: Source, crop: Box | None) -> int:
    """The number of the slice that becomes z = 0."""
    return (image.runs[0].start if image.runs else 0) + (crop.start[0] if crop else 0)


def _made_from(request: Request, image: Source, labels: Sequence[Source]) -> str:
    """The same for the same arrays of the same files placed and changed alike."""
    facts = [
        [source.identity for source in (image, *labels)],
        [str(request.crop), str(request.labels_offset), request.rescale],
    ]
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest()


def _check_image(image: Source, *, rescale: bool) -> None:
    if image.dtype.kind not in "buif":
        raise SourceUnsupported(f"{image.path.name}: expected grey values, found {image.dtype}")
    if image.dtype != np.uint8 and not rescale:
        raise SourceUnsupported(
            f"{image.path.name}: expected uint8 grey values, found {image.dtype}; "
            "--rescale maps the range of the data to 0–255"
        )


def _check_crop(image: Source, crop: Box | None) -> None:
    if crop is not None and any(b > n for b, n in zip(crop.stop, image.shape, strict=True)):
        raise BoxOutside(f"crop {crop} leaves the image of shape {image.shape} (z, y, x)")


def _image(image: Source, *, rescale: bool, crop: Box | None) -> Placed:
    """The image as uint8, cropped where asked."""
    placed = Placed(image.shape, image.slabs, identity=image.identity)
    if image.dtype != np.uint8 and rescale:
        placed = replace(placed, slabs=_rescaled(image), identity=f"{placed.identity} rescaled")
    return placed if crop is None else crop_placed(placed, crop)


def _rescaled(image: Source) -> Slabs:
    """Grey values mapped linearly from the range of the whole file to 0–255."""
    low, high = np.inf, -np.inf
    for slab in image.slabs(SCAN_DEPTH):
        least, most = float(slab.min()), float(slab.max())
        if not np.isfinite([least, most]).all():
            raise SourceUnsupported(
                f"{image.path.name}: expected finite grey values, found {least} to {most}"
            )
        low, high = min(low, least), max(high, most)
    scale = 255.0 / (high - low) if high > low else 0.0

    def slabs(depth: int, start: int = 0) -> Iterator[npt.NDArray[Any]]:
        for slab in image.slabs(depth, start):
            grey = (slab.astype(np.float64) - low) * scale
            yield np.clip(np.rint(grey), 0, 255).astype(np.uint8)

    return slabs


def _sources(image: Source, labels: Sequence[Source]) -> tuple[manifest.Source, ...]:
    roles = [("image", image), *(("truth", source) for source in labels)]
    return tuple(
        manifest.Source(role, one.path.name, one.format, stamp(one.path)[0], sha256_of(one.path))
        for role, one in roles
    )


def _same(
    volume: Volume, sources: tuple[manifest.Source, ...], size: VoxelSize, made_from: str
) -> Volume:
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
    if volume.info.made_from not in ("", made_from):
        raise VolumeExists(
            f"volume {volume.name!r} exists already, made from the same files with another key, "
            "crop, offset or rescaling; --overwrite replaces it"
        )
    return volume


def _is_mitoem(shape: Index, voxel_size: VoxelSize) -> bool:
    return shape == MITOEM_SHAPE and voxel_size == MITOEM_VOXEL_SIZE
