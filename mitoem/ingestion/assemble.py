"""Make a volume from sources, or labels beside one: placed, checked, written, then made visible.

A volume is written under a hidden name and renamed when it is complete, so that nobody ever sees
half of one; ``volume.json`` is its last file.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
from filelock import FileLock, Timeout

from mitoem import manifest, ome, pyramid
from mitoem.errors import (
    DiskFull,
    LabelsInvalid,
    MitoEMError,
    VolumeExists,
    VolumeInvalid,
)
from mitoem.geometry import Box, VoxelSize
from mitoem.ingestion.placing import Placed, Watch, bounding_box, in_order, stream
from mitoem.ingestion.writer import LayerWriter, aligned, disk_error, shards, write_json
from mitoem.manifest import LabelSet, VolumeInfo
from mitoem.volume import Volume, open_at

PARTIAL = ".partial-"
"""Prefix of a volume that is being written; no volume name starts with a dot."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of a volume besides its voxels."""

    title: str
    voxel_size: VoxelSize
    voxel_size_source: str
    synthetic: bool = False
    splits: tuple[manifest.Split, ...] = ()
    sources: tuple[manifest.Source, ...] = ()
    licence: str = "not stated"
    citation: str = ""
    description: str = ""


@dataclass(frozen=True, slots=True)
class NewLabels:
    """A label set to be written: its name, its parts, and the dtype that holds all ids."""

    name: str
    parts: tuple[Placed, ...]
    dtype: np.dtype[Any]
    kind: Literal["truth", "prediction"] = "truth"
    provenance: str = ""


def create_volume(
    root: Path,
    name: str,
    *,
    image: Placed,
    labels: NewLabels | None = None,
    facts: Facts,
    overwrite: bool = False,
    watch: Watch = Watch(),  # noqa: B008 -- frozen
) -> Volume:
    """Write a volume (image uint8, and its labels) and make it visible when it is whole.

    Raises VolumeExists for a taken name or one being written by somebody else, ShapeMismatch for
    labels that do not lie inside the image, DiskFull, and whatever the sources raise; then
    nothing of it remains.
    """
    manifest.check_name(name)
    target, partial = root / name, root / f"{PARTIAL}{name}"
    root.mkdir(parents=True, exist_ok=True)
    with held(root, name):
        if target.exists() and not overwrite:
            raise VolumeExists(f"volume {name!r} exists already in {root}; --overwrite replaces it")
        _check_space(root, image, labels)
        shutil.rmtree(partial, ignore_errors=True)
        try:
            _write_volume(partial, name, image=image, labels=labels, facts=facts, watch=watch)
        except BaseException as error:
            shutil.rmtree(partial, ignore_errors=True)
            full = disk_error(error) if isinstance(error, OSError) else error
            if full is not error and not isinstance(error, MitoEMError):
                raise full from error
            raise
        _swap(partial, target)
    return open_at(target)


def add_labels(
    volume: Volume,
    labels: NewLabels,
    *,
    overwrite: bool = False,
    watch: Watch = Watch(),  # noqa: B008 -- frozen
) -> Volume:
    """Write a label set beside a volume's image; it is listed when it is whole.

    Raises VolumeExists for a taken name, ShapeMismatch for parts outside the image.
    """
    name = manifest.check_name(labels.name, what="labels")
    path = _local(volume)
    with held(path.parent, path.name):
        volume = open_at(path)
        taken = any(one.name == name for one in volume.info.labels)
        if taken and not overwrite:
            raise VolumeExists(f"volume {volume.name!r} has labels {name!r} already")
        directory = path / "image.zarr" / "labels"
        partial = directory / f"{PARTIAL}{name}"
        shutil.rmtree(partial, ignore_errors=True)
        try:
            one = _write_labels(partial, labels, info=volume.info, watch=watch)
        except BaseException:
            shutil.rmtree(partial, ignore_errors=True)
            raise
        _swap(partial, directory / name)
        others = tuple(known for known in volume.info.labels if known.name != name)
        publish(path, replace(volume.info, labels=(*others, one)))
    return open_at(path)


def remove_labels(volume: Volume, name: str) -> Volume:
    """Take a label set off the list, then delete its files and its table."""
    path = _local(volume)
    volume.info.label_set(name)
    with held(path.parent, path.name):
        left = tuple(one for one in volume.info.labels if one.name != name)
        publish(path, replace(volume.info, labels=left))
        shutil.rmtree(path / "image.zarr" / "labels" / name, ignore_errors=True)
        for table in (path / "tables").glob(f"{name}.*"):
            table.unlink()
    return open_at(path)


def remove_volume(volume: Volume) -> None:
    """Delete a volume: hidden first, so that nobody reads a part of it."""
    path = _local(volume)
    with held(path.parent, path.name):
        hidden = path.with_name(f"{PARTIAL}{path.name}.old")
        shutil.rmtree(hidden, ignore_errors=True)
        path.rename(hidden)
        shutil.rmtree(hidden)


def rename_labels(volume: Volume, name: str, new: str) -> Volume:
    """Give a label set, with its table, another name; raises VolumeExists for a taken one."""
    manifest.check_name(new, what="labels")
    path, one = _local(volume), volume.info.label_set(name)
    with held(path.parent, path.name):
        if any(known.name == new for known in volume.info.labels):
            raise VolumeExists(f"volume {volume.name!r} has labels {new!r} already")
        directory = path / "image.zarr" / "labels"
        (directory / name).rename(directory / new)
        for table in (path / "tables").glob(f"{name}.*"):
            table.rename(table.with_name(new + table.suffix))
        renamed = tuple(
            replace(known, name=new) if known is one else known for known in volume.info.labels
        )
        publish(path, replace(volume.info, labels=renamed))
    return open_at(path)


def publish(path: Path, info: VolumeInfo) -> None:
    """Write the list of label images and ``volume.json``, with the shards that are there."""
    zarr = path / "image.zarr"
    levels = len(info.levels)
    if info.labels:
        names = [one.name for one in info.labels]
        write_json(zarr / "labels" / "zarr.json", ome.group(ome.labels_attributes(names)))
    files = {f"image/{n}": found for n, found in shards(zarr, levels).items()}
    for one in info.labels:
        below = shards(zarr / "labels" / one.name, levels)
        files |= {f"{one.name}/{n}": found for n, found in below.items()}
    write_json(path / manifest.FILE, manifest.to_json(replace(info, shards=files)))


@contextmanager
def held(root: Path, name: str) -> Iterator[None]:
    """The lock of a volume name; raises VolumeExists when another process writes it now."""
    locks = root / ".locks"
    locks.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(locks / f"{name}.lock", timeout=0):
            yield
    except Timeout as error:
        raise VolumeExists(f"volume {name!r} is being written by another process") from error


def _local(volume: Volume) -> Path:
    if volume.path is None:
        raise VolumeInvalid(f"expected a local volume to change, found {volume.url}")
    return volume.path


def _write_volume(
    path: Path,
    name: str,
    *,
    image: Placed,
    labels: NewLabels | None,
    facts: Facts,
    watch: Watch,
) -> None:
    shape = image.shape
    factors = pyramid.level_factors(shape, facts.voxel_size)
    levels = manifest.level_infos(shape, facts.voxel_size, factors)
    zarr = path / "image.zarr"
    zarr.mkdir(parents=True)
    write_json(zarr / "zarr.json", ome.group(ome.image_attributes(levels, is_labels=False)))
    writer = LayerWriter(zarr, levels, dtype=np.dtype(np.uint8), region=Box.whole(shape))
    stream(writer, [image], Box.whole(shape), what="image", watch=watch)
    info = VolumeInfo(
        name=name,
        title=facts.title,
        synthetic=facts.synthetic,
        shape=shape,
        voxel_size=facts.voxel_size,
        voxel_size_source=facts.voxel_size_source,
        levels=levels,
        grey=writer.grey,
        version=_version(zarr, len(levels), facts.sources),
        splits=facts.splits,
        sources=facts.sources,
        licence=facts.licence,
        citation=facts.citation,
        description=facts.description,
    )
    if labels is not None:
        written = _write_labels(zarr / "labels" / labels.name, labels, info=info, watch=watch)
        info = replace(info, labels=(written,))
    publish(path, info)


def _write_labels(path: Path, labels: NewLabels, *, info: VolumeInfo, watch: Watch) -> LabelSet:
    whole = bounding_box(labels.parts, info.shape)
    region = aligned(whole, info.levels)
    path.mkdir(parents=True)
    write_json(path / "zarr.json", ome.group(ome.image_attributes(info.levels, is_labels=True)))
    writer = LayerWriter(path, info.levels, dtype=labels.dtype, region=region)
    stream(writer, in_order(labels.parts), region, what=labels.name, watch=watch)
    if labels.kind == "truth" and not writer.instances:
        raise LabelsInvalid(f"{labels.name}: expected instances, found no instance in box {whole}")
    return LabelSet(
        name=labels.name,
        kind=labels.kind,
        dtype="uint16" if labels.dtype == np.uint16 else "uint32",
        coverage=(whole,),
        instances=writer.instances,
        vanished=writer.vanished,
        version=_version(path, len(info.levels), info.sources),
        provenance=labels.provenance,
        per_section=writer.per_section,
    )


def _version(path: Path, levels: int, sources: Sequence[manifest.Source]) -> str:
    """A short name for this content: changes when the sources or the stored bytes change."""
    facts = [shards(path, levels), [source.sha256 for source in sources]]
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:12]


def _check_space(root: Path, image: Placed, labels: NewLabels | None) -> None:
    """Raises DiskFull, with the bytes needed and free, before anything is written."""
    labelled = sum(part.box.size for part in labels.parts) if labels else 0
    needed = int(image.box.size * 1.45 + labelled * 0.15) + (1 << 24)
    free = shutil.disk_usage(root).free
    if free < needed:
        raise DiskFull(f"{root}: about {needed:,} bytes are needed, {free:,} are free")


def _swap(partial: Path, target: Path) -> None:
    """Put a finished directory in place of another, if any."""
    old = target.with_name(f"{PARTIAL}{target.name}.old")
    shutil.rmtree(old, ignore_errors=True)
    if target.exists():
        target.rename(old)
    partial.rename(target)
    shutil.rmtree(old, ignore_errors=True)
