"""Volumes as directories: locked while they change, swapped in whole, listed last.

A change of a volume that is there is decided in one step: what is to be done is written down
whole, as ``.next.json``, then done. Who dies on the way leaves the note, and whoever opens the
volume next, to read or to change it, ends the work.
"""

from __future__ import annotations

import ctypes
import hashlib
import json
import os
import shutil
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from mitoem import access, catalog, manifest, ome
from mitoem.errors import VolumeExists, VolumeInvalid
from mitoem.ingestion.disk import disk_error, json_bytes, write_json
from mitoem.ingestion.layout import shards
from mitoem.manifest import VolumeInfo
from mitoem.volume import Volume, open_at

PARTIAL = ".partial-"
"""Prefix of what is being written; no volume or labels name starts with a dot."""

LABELS = "image.zarr/labels"
"""Where label sets lie inside a volume."""

Move = tuple[str, str]
"""From where to where, inside a volume."""

SETTLE_SECONDS = 5.0
"""How long a reader waits for a change that another process makes: it takes milliseconds."""

_HERE, _EXCHANGE = -100, 2
"""``AT_FDCWD`` and ``RENAME_EXCHANGE`` of renameat2(2)."""


@contextmanager
def held(root: Path, name: str) -> Iterator[None]:
    """The lock of a volume name; raises VolumeExists when another process writes it now."""
    locks = root / ".locks"
    try:
        locks.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise disk_error(error) from error
    try:
        with FileLock(locks / f"{name}.lock", timeout=0):
            _end(root / name)
            yield
    except Timeout as error:
        raise VolumeExists(f"volume {name!r} is being written by another process") from error


def publish(path: Path, info: VolumeInfo) -> None:
    """Write the list of label images and ``volume.json``, with the shards that are there."""
    if (path / LABELS).is_dir():
        write_json(path / LABELS / "zarr.json", _listing(info))
    write_json(path / manifest.FILE, _described(path, info, {}))


def change(
    path: Path, info: VolumeInfo, *, moves: Sequence[Move] = (), drops: Sequence[str] = ()
) -> None:
    """Make of a volume, whose lock is held, the one that ``info`` says, as if in one step.

    ``moves`` put files or directories in place of what is there, ``drops`` are deleted; all are
    paths inside the volume. Once the note lies there only names change, so that a full disk is
    met before. Raises DiskFull, and nothing is changed.
    """
    came = {target: source for source, target in moves}
    listing, described = ".next-labels.json", f".next-{manifest.FILE}"
    last = [(listing, f"{LABELS}/zarr.json"), (described, manifest.FILE)]
    try:
        write_json(path / listing, _listing(info))
        write_json(path / described, _described(path, info, came))
        write_json(path / manifest.NEXT, {"moves": [*moves, *last], "drops": list(drops)})
    except OSError:
        for one in (listing, described):
            (path / one).unlink(missing_ok=True)
        raise
    _end(path)


def settle(path: Path) -> None:
    """End the change that a process left half made; one that is being made now is waited for.

    Raises VolumeInvalid where that cannot be done.
    """
    end = time.monotonic() + SETTLE_SECONDS
    try:
        while (path / manifest.NEXT).is_file() and time.monotonic() < end:
            with suppress(VolumeExists), held(path.parent, path.name):
                return
            time.sleep(0.005)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise VolumeInvalid(
            f"{path.name}/{manifest.NEXT}: expected a whole volume, found a change that was "
            f"stopped half-way and cannot be ended here: {error}"
        ) from error


def _end(path: Path) -> None:
    """Do what the note of a change says, if there is one: the same however often it was begun."""
    old = path.with_name(f"{PARTIAL}{path.name}.old")
    if old.exists() and not path.exists():
        old.rename(path)  # stopped between the two steps of a swap
    note = path / manifest.NEXT
    if not note.is_file():
        for draft in path.glob(".*next*"):  # of a change that was never decided
            draft.unlink(missing_ok=True)
        return
    asked: dict[str, Any] = json.loads(note.read_text(encoding="utf-8"))
    moves = [(source, target) for source, target in asked["moves"]]
    for source, target in moves:
        if (path / source).exists():
            _put(path / source, path / target)
    for one in [*asked["drops"], *(_aside(target) for _, target in moves)]:
        _delete(path / one)
    note.unlink()


def _put(source: Path, target: Path) -> None:
    """Give a file or directory a name; a directory that had it goes aside."""
    target.parent.mkdir(parents=True, exist_ok=True)
    if target.is_dir():
        aside = target.with_name(f"{PARTIAL}{target.name}.old")
        _delete(aside)
        target.rename(aside)
    source.replace(target)


def _aside(target: str) -> str:
    """Where ``_put`` puts what was in the way, inside the volume."""
    folder, _, name = target.rpartition("/")
    return f"{folder}/{PARTIAL}{name}.old"


def _delete(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _listing(info: VolumeInfo) -> dict[str, Any]:
    return ome.group(ome.labels_attributes([one.name for one in info.labels]))


def _described(path: Path, info: VolumeInfo, came: dict[str, str]) -> dict[str, Any]:
    """What ``volume.json`` will say; ``came``: where labels lie now that are to be moved."""
    levels = len(info.levels)
    layers = {"image": ("image.zarr", path / "image.zarr")}
    for one in info.labels:
        place = f"{LABELS}/{one.name}"
        layers[one.name] = (place, path / came.get(place, place))
    files: dict[str, dict[str, int]] = {}
    small: dict[str, str] = {}
    if (path / LABELS).is_dir():
        small[f"{LABELS}/zarr.json"] = hashlib.sha256(json_bytes(_listing(info))).hexdigest()
    for name, (place, below) in layers.items():
        files |= {f"{name}/{n}": found for n, found in shards(below, levels).items()}
        for one_file in ("zarr.json", *(f"{n}/zarr.json" for n in range(levels))):
            content = (below / one_file).read_bytes()
            small[f"{place}/{one_file}"] = hashlib.sha256(content).hexdigest()
    return manifest.to_json(replace(info, shards=files, metadata=small))


def remove_volume(volume: Volume) -> None:
    """Delete a volume: hidden first, so that nobody reads a part of it.

    The name of one that was not everyone's stays closed until its ``access`` is set anew.
    """
    path = local(volume)
    with held(path.parent, path.name):
        hidden = path.with_name(f"{PARTIAL}{path.name}.gone")
        shutil.rmtree(hidden, ignore_errors=True)
        path.rename(hidden)
        catalog.write_index(path.parent)
        access.close(path.parent, path.name)
        shutil.rmtree(hidden)


def forget(root: Path, name: str) -> None:
    """Delete what a stopped call has written of a volume: nobody is to go on with it."""
    with held(root, name):
        shutil.rmtree(root / f"{PARTIAL}{name}", ignore_errors=True)


def tidy(root: Path, name: str, *, plan: str) -> None:
    """What a call that was stopped after its volume was in place had still to do.

    Its list of volumes, and the deletion of what the volume replaced; a write that can go on,
    which has a file ``plan``, stays.
    """
    partial = root / f"{PARTIAL}{name}"
    with suppress(VolumeExists, OSError), held(root, name):  # not now, or not here
        shutil.rmtree(root / f"{PARTIAL}{name}.old", ignore_errors=True)
        if not (partial / plan).exists():
            shutil.rmtree(partial, ignore_errors=True)
        catalog.write_index(root)


def forget_labels(volume: Volume, name: str) -> None:
    """Delete what a stopped call has written of a label set: nobody is to go on with it."""
    path = local(volume)
    with held(path.parent, path.name):
        shutil.rmtree(path / LABELS / f"{PARTIAL}{name}", ignore_errors=True)


def rename_labels(volume: Volume, name: str, new: str) -> Volume:
    """Give a label set, with its table, another name; raises VolumeExists for a taken one."""
    manifest.check_name(new, what="labels")
    path, one = local(volume), volume.info.label_set(name)
    with held(path.parent, path.name):
        if any(known.name == new for known in volume.info.labels):
            raise VolumeExists(f"volume {volume.name!r} has labels {new!r} already")
        renamed = tuple(
            replace(known, name=new) if known is one else known for known in volume.info.labels
        )
        moves = [(f"{LABELS}/{name}", f"{LABELS}/{new}")]
        moves += [(one, f"tables/{new}{Path(one).suffix}") for one in _tables(path, name)]
        change(path, replace(volume.info, labels=renamed), moves=moves)
    return open_at(path)


def remove_labels(volume: Volume, name: str) -> Volume:
    """Take a label set off the list, and delete its files and its table."""
    path = local(volume)
    volume.info.label_set(name)
    with held(path.parent, path.name):
        left = tuple(one for one in volume.info.labels if one.name != name)
        change(
            path,
            replace(volume.info, labels=left),
            moves=[(f"{LABELS}/{name}", f"{LABELS}/{PARTIAL}{name}.gone")],
            drops=[f"{LABELS}/{PARTIAL}{name}.gone", *_tables(path, name)],
        )
    return open_at(path)


def _tables(path: Path, name: str) -> list[str]:
    """The table of a label set and its note, as paths inside the volume."""
    return [f"tables/{one.name}" for one in sorted((path / "tables").glob(f"{name}.*"))]


def local(volume: Volume) -> Path:
    """The directory of a volume; raises VolumeInvalid for a remote one, which cannot change."""
    if volume.path is None:
        raise VolumeInvalid(f"expected a local volume to change, found {volume.url}")
    return volume.path


def swap(partial: Path, target: Path) -> None:
    """Put a finished directory in place of another, if any; in one step where the system can."""
    old = target.with_name(f"{PARTIAL}{target.name}.old")
    shutil.rmtree(old, ignore_errors=True)
    if target.exists() and _exchange(partial, target):
        shutil.rmtree(partial, ignore_errors=True)
        return
    if target.exists():
        target.rename(old)
    partial.rename(target)
    shutil.rmtree(old, ignore_errors=True)


def _exchange(one: Path, other: Path) -> bool:
    """Let two directories trade names in one step; whether the system (Linux) and the disk can."""
    if sys.platform != "linux":
        return False
    trade = getattr(ctypes.CDLL(None), "renameat2", None)
    if trade is None:
        return False
    done: int = trade(_HERE, os.fsencode(one), _HERE, os.fsencode(other), _EXCHANGE)
    return done == 0
