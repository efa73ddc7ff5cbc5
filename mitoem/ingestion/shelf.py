"""Volumes as directories: locked while they change, swapped in whole, listed last."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from filelock import FileLock, Timeout

from mitoem import catalog, manifest, ome
from mitoem.errors import VolumeExists, VolumeInvalid
from mitoem.ingestion.disk import write_json
from mitoem.ingestion.layout import shards
from mitoem.manifest import VolumeInfo
from mitoem.volume import Volume, open_at

PARTIAL = ".partial-"
"""Prefix of what is being written; no volume or labels name starts with a dot."""


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


def publish(path: Path, info: VolumeInfo) -> None:
    """Write the list of label images and ``volume.json``, with the shards that are there."""
    zarr = path / "image.zarr"
    levels = len(info.levels)
    if info.labels or (zarr / "labels").is_dir():
        names = [one.name for one in info.labels]
        write_json(zarr / "labels" / "zarr.json", ome.group(ome.labels_attributes(names)))
    files = {f"image/{n}": found for n, found in shards(zarr, levels).items()}
    for one in info.labels:
        below = shards(zarr / "labels" / one.name, levels)
        files |= {f"{one.name}/{n}": found for n, found in below.items()}
    write_json(path / manifest.FILE, manifest.to_json(replace(info, shards=files)))


def remove_volume(volume: Volume) -> None:
    """Delete a volume: hidden first, so that nobody reads a part of it."""
    path = local(volume)
    with held(path.parent, path.name):
        hidden = path.with_name(f"{PARTIAL}{path.name}.old")
        shutil.rmtree(hidden, ignore_errors=True)
        path.rename(hidden)
        catalog.write_index(path.parent)
        shutil.rmtree(hidden)


def forget(root: Path, name: str) -> None:
    """Delete what a stopped call has written of a volume: nobody is to go on with it."""
    with held(root, name):
        shutil.rmtree(root / f"{PARTIAL}{name}", ignore_errors=True)


def forget_labels(volume: Volume, name: str) -> None:
    """Delete what a stopped call has written of a label set: nobody is to go on with it."""
    path = local(volume)
    with held(path.parent, path.name):
        shutil.rmtree(path / "image.zarr" / "labels" / f"{PARTIAL}{name}", ignore_errors=True)


def rename_labels(volume: Volume, name: str, new: str) -> Volume:
    """Give a label set, with its table, another name; raises VolumeExists for a taken one."""
    manifest.check_name(new, what="labels")
    path, one = local(volume), volume.info.label_set(name)
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


def remove_labels(volume: Volume, name: str) -> Volume:
    """Take a label set off the list, then delete its files and its table."""
    path = local(volume)
    volume.info.label_set(name)
    with held(path.parent, path.name):
        left = tuple(one for one in volume.info.labels if one.name != name)
        publish(path, replace(volume.info, labels=left))
        shutil.rmtree(path / "image.zarr" / "labels" / name, ignore_errors=True)
        for table in (path / "tables").glob(f"{name}.*"):
            table.unlink()
    return open_at(path)


def local(volume: Volume) -> Path:
    """The directory of a volume; raises VolumeInvalid for a remote one, which cannot change."""
    if volume.path is None:
        raise VolumeInvalid(f"expected a local volume to change, found {volume.url}")
    return volume.path


def swap(partial: Path, target: Path) -> None:
    """Put a finished directory in place of another, if any."""
    old = target.with_name(f"{PARTIAL}{target.name}.old")
    shutil.rmtree(old, ignore_errors=True)
    if target.exists():
        target.rename(old)
    partial.rename(target)
    shutil.rmtree(old, ignore_errors=True)
