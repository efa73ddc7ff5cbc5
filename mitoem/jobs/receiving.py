"""The runs that take in a person's own file: an image becomes a volume, labels a prediction.

request   ingest: file, name; perhaps voxel_size (nm), key, rescale, data
          labels: file, volume, name; perhaps offset, key, data; lengths are (z, y, x)
file      ``<id>/<name>`` in ``runs/.uploads``, kept there whole before the run is queued
result    the volume, or the labels and their count; found.json: what the file was taken for

Nothing is read of an upload but in a process of its own, see ``apart``. A run that succeeds or is
stopped removes its file; after any other end the file stays for another try, for a day.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import psutil

from mitoem import catalog
from mitoem.errors import (
    MemoryShort,
    MitoEMError,
    RequestInvalid,
    RunCancelled,
    SourceUnreadable,
    SourceUnsupported,
    VolumeExists,
)
from mitoem.jobs import apart, forgetting
from mitoem.jobs.job import Job, fields, name
from mitoem.jobs.registry import directory, read_json, write_json
from mitoem.jobs.uploads import check_file, discard, kept
from mitoem.manifest import check_name

if TYPE_CHECKING:
    from mitoem.ingestion.source import Source
    from mitoem.volume import Volume

FOUND = "found.json"

SECTIONS_HELD = 120
"""Sections in memory while a volume is written: 1.83 GiB for 4096 × 4096 ones, see
``docs/benchmarks.md``."""

MOST_VOXELS = 4_000_000_000
"""Of an upload, once it is unpacked: a few kilobytes may hold any number of zeros."""


def found(root: str | Path, run_id: str) -> dict[str, Any]:
    """What the file of a run was taken for: dtype, shape, voxel_size; empty if for nothing.

    Raises RunNotFound.
    """
    return read_json(directory(root, run_id) / FOUND)


def check_ingest(request: Mapping[str, Any]) -> None:
    """Raise RequestInvalid, or NameInvalid, for a request that cannot be run."""
    fields(request, needed={"file", "name"}, allowed={"voxel_size", "key", "rescale", "data"})
    check_name(name(request, "name"))
    check_file(request["file"])
    _check_three(request, "voxel_size", of=(int, float), above=0)
    _check_key(request)
    if not isinstance(request.get("rescale", False), bool):
        raise RequestInvalid(f"rescale: expected true or false, found {request['rescale']!r}")


def check_labels(request: Mapping[str, Any]) -> None:
    """Raise RequestInvalid, or NameInvalid, for a request that cannot be run."""
    fields(request, needed={"file", "volume", "name"}, allowed={"offset", "key", "data"})
    name(request, "volume")
    if check_name(name(request, "name"), what="labels") == "truth":
        raise RequestInvalid(f"labels name {request['name']!r} is taken: choose another")
    check_file(request["file"])
    _check_three(request, "offset", of=(int,), above=-1)
    _check_key(request)


def run_ingest(job: Job) -> dict[str, Any]:
    """Make the volume; its sources and description name the file and its SHA-256."""
    path = kept(job.root, job.request["file"])
    with _received(job, path):
        _check_free(job.request["name"], job.request.get("data") or job.root)
        try:
            return apart.run(job, _ingest, what=path.name)
        except BaseException:
            forgetting.volume(job.root, job.request)
            raise


def run_labels(job: Job) -> dict[str, Any]:
    """Put the labels beside the image, then measure them; without a table they do not stay."""
    ask, path = job.request, kept(job.root, job.request["file"])
    info = catalog.from_environment(ask.get("data") or job.root).open(ask["volume"]).info
    with _received(job, path):
        if any(one.name == ask["name"] for one in info.labels):
            raise VolumeExists(f"volume {info.name!r} has labels {ask['name']!r} already")
        try:
            return apart.run(job, _labels, what=path.name)
        except BaseException:
            forgetting.labels(job.root, ask, measured=True)
            raise


def _ingest(job: Job) -> dict[str, Any]:
    """What the child does of an ``ingest``."""
    from mitoem import front
    from mitoem.ingestion.digest import sha256_of

    ask, path = job.request, kept(job.root, job.request["file"])
    source = _look(job, path, role="image")
    size = ask.get("voxel_size")
    volume = front.ingest(
        ask["name"],
        path,
        voxel_size=None if size is None else (size[0], size[1], size[2]),
        key=ask.get("key"),
        rescale=ask.get("rescale", False),
        description=f"Uploaded file {path.name} (sha256 {sha256_of(path)}).",
        data=ask.get("data") or job.root,
        progress=lambda done, what: job.report(done, f"write {what}"),
    )
    return {"volume": volume.name, "line": _line(source, ask.get("key"), volume)}


def _labels(job: Job) -> dict[str, Any]:
    """What the child does of a ``labels``."""
    from mitoem import front

    ask, path = job.request, kept(job.root, job.request["file"])
    data, offset = ask.get("data") or job.root, ask.get("offset")
    _look(job, path, role="labels")
    volume = front.add_labels(
        ask["volume"],
        ask["name"],
        path,
        offset=None if offset is None else (offset[0], offset[1], offset[2]),
        key=ask.get("key"),
        provenance=forgetting.provenance(path),
        data=data,
        progress=lambda done, what: job.report(0.5 * done, f"write {what}"),
    )
    frame = front.measure(
        volume,
        ask["name"],
        data=data,
        progress=lambda done, what: job.report(0.5 + 0.5 * done, what),
    )
    return {"volume": ask["volume"], "labels": ask["name"], "instances": len(frame)}


def _line(source: Source, key: str | None, volume: Volume) -> str:
    """What a file was taken for, and which voxel size holds."""
    shape = " × ".join(str(n) for n in source.shape)
    z, y, x = volume.info.voxel_size
    return (
        f"{source.path.name}{f' [{key}]' if key else ''}: {source.format}, {shape} {source.dtype}, "
        f"voxels of {z:g} × {y:g} × {x:g} nm ({volume.info.voxel_size_source})"
    )


@contextmanager
def _received(job: Job, path: Path) -> Iterator[None]:
    """Removes the file where the run succeeds or is stopped; no error tells where it lay."""
    try:
        yield
    except RunCancelled:
        discard(job.root, job.request["file"])
        raise
    except MitoEMError as error:
        text = str(error)
        for folder in (path.parent, path.parent.resolve()):
            text = text.replace(f"{folder}/", "").replace(f"{folder}\\", "")
        raise type(error)(text) from error
    discard(job.root, job.request["file"])


def _look(job: Job, path: Path, *, role: Literal["image", "labels"]) -> Source:
    """What the file holds, kept beside the run; raises what recognising raises, MemoryShort."""
    from mitoem.ingestion import recognise

    job.report(0.0, "look at the file")
    if not path.stat().st_size:
        raise SourceUnreadable(f"{path.name}: expected an image file, found 0 bytes")
    source = recognise(path, key=job.request.get("key"), role=role)
    card = {
        "dtype": source.dtype.name,
        "shape": source.shape,
        "voxel_size": source.voxel_size,
    }
    write_json(job.directory / FOUND, card)
    needed = SECTIONS_HELD * source.shape[1] * source.shape[2] * source.dtype.itemsize
    free = min(psutil.virtual_memory().available, apart.Limits.from_environment().memory)
    if needed > free:
        raise MemoryShort(
            f"{path.name}: sections of {source.shape[1]} × {source.shape[2]} voxels need about "
            f"{needed / 1e9:.1f} GB of memory, {free / 1e9:.1f} GB are free for it"
        )
    if (voxels := math.prod(source.shape)) > MOST_VOXELS:
        raise SourceUnsupported(
            f"{path.name}: expected at most {MOST_VOXELS:,} voxels in an upload, found {voxels:,}; "
            "ingest it from the command line"
        )
    return source


def _check_free(volume: str, data: str | Path) -> None:
    """Raise VolumeExists for the name of a volume of another root: ours would hide it."""
    roots = catalog.from_environment(data)
    if volume in roots.names() and not (roots.writable / volume).exists():
        raise VolumeExists(f"volume {volume!r} exists already, in another data root")


def _check_key(request: Mapping[str, Any]) -> None:
    if not isinstance(request.get("key"), str | None):
        raise RequestInvalid(f"key: expected the name of an array, found {request['key']!r}")


def _check_three(
    request: Mapping[str, Any], field: str, *, of: tuple[type, ...], above: float
) -> None:
    """Raise RequestInvalid unless a field is absent, or three numbers above a limit."""
    given = request.get(field)
    if given is None:
        return
    whole = isinstance(given, list | tuple) and len(given) == 3
    if not whole or not all(type(one) in of and above < one < float("inf") for one in given):
        raise RequestInvalid(f"{field}: expected z, y, x, each above {above}, found {given!r}")
