"""Instance tables beside a volume: Parquet with its provenance, and CSV for people.

A table remembers what it was measured from (voxels, their size, the labelled region, the splits)
and the version of the columns, and is never served when either changed; also with which libraries.
It holds no date: the same work gives the same bytes. Tables beside a remote volume are read, never
written.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import time
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import pandas as pd
import psutil

from mitoem import stores
from mitoem.errors import FilterInvalid, TableMissing, VolumeInvalid
from mitoem.manifest import check_seal, sealed

TABLE_VERSION = 2
"""Raised when a column's definition changes, so that older tables are measured again."""

LOOKS = 3
"""Times that a table is read which does not agree with its note."""


def write(
    directory: Path, labels: str, frame: pd.DataFrame, *, provenance: Mapping[str, Any]
) -> Path:
    """Store a table and its provenance; both appear whole, as one, or not at all.

    The new provenance lies beside the old one until the table is there: whoever reads in between,
    or after a process died in between, takes the one that names the table's bytes. Raises DiskFull.
    """
    path, waiting = directory / f"{labels}.parquet", _waiting(directory, labels)
    data = io.BytesIO()
    frame.to_parquet(data, index=False)
    content = data.getvalue()
    note: dict[str, Any] = {"table_version": TABLE_VERSION, "rows": len(frame)}
    note |= dict(provenance) | {"sha256": hashlib.sha256(content).hexdigest()}
    try:
        directory.mkdir(parents=True, exist_ok=True)
        for left in directory.glob(f".{labels}.*.partial"):
            _sweep(left)
        _replace(waiting, (json.dumps(sealed(note), indent=1) + "\n").encode())
        _replace(path, content)
    except OSError as error:
        from mitoem.ingestion.disk import disk_error

        waiting.unlink(missing_ok=True)
        raise disk_error(error) from error
    waiting.replace(directory / f"{labels}.json")
    return path


def read(directory: Path | str, labels: str, *, measured_from: str) -> pd.DataFrame:
    """The table of a label set, from a directory or the URL of one.

    ``measured_from``: what it must be of, as ``VolumeInfo.measured_from`` says. Raises TableMissing
    when the labels were never measured, or changed since, VolumeInvalid for a damaged file,
    StoreUnreachable.
    """
    for _ in range(LOOKS - 1):
        try:
            return _read(directory, labels, measured_from)
        except VolumeInvalid:
            time.sleep(0.01)  # it may just be written anew
    return _read(directory, labels, measured_from)


def _read(directory: Path | str, labels: str, measured_from: str) -> pd.DataFrame:
    note = provenance(directory, labels)
    if note is None:
        raise TableMissing(f"labels {labels!r} are not measured yet")
    found = (note.get("measured_from"), note.get("table_version"))
    if found != (measured_from, TABLE_VERSION):
        raise TableMissing(
            f"labels {labels!r} changed since they were measured: expected a table of "
            f"{measured_from} and version {TABLE_VERSION}, found {found[0]} and {found[1]}"
        )
    sha256 = str(note.get("sha256"))
    if isinstance(directory, str):
        content = _remote(f"{directory}{labels}.parquet", sha256)
    else:
        content = _sound(_local(directory / f"{labels}.parquet"), f"{labels}.parquet", sha256)
    try:
        return pd.read_parquet(io.BytesIO(content))
    except (ValueError, OSError) as error:
        reason = str(error).splitlines()[0]
        raise VolumeInvalid(f"{labels}.parquet does not read: {reason}") from error


def provenance(directory: Path | str, labels: str) -> dict[str, Any] | None:
    """What is written beside a table, or None where there is none."""
    name = f"{labels}.json"
    if isinstance(directory, str):
        return _note(stores.read_held(directory + name), name)
    coming = _note(_local(_waiting(directory, labels)), name)
    if coming is not None:
        content = _local(directory / f"{labels}.parquet") or b""
        if hashlib.sha256(content).hexdigest() == coming.get("sha256"):
            return coming
    return _note(_local(directory / name), name)


def _note(content: bytes | None, name: str) -> dict[str, Any] | None:
    if content is None:
        return None
    try:
        note = json.loads(content)
    except ValueError as error:
        raise VolumeInvalid(f"{name}: {error}") from error
    if not isinstance(note, dict):
        raise VolumeInvalid(f"{name}: expected an object, found {type(note).__name__}")
    check_seal(note, where=name)
    return note


def _waiting(directory: Path, labels: str) -> Path:
    """Where the provenance of a table lies that is being put in place."""
    return directory / f".{labels}.json.next"


def _local(path: Path) -> bytes | None:
    return path.read_bytes() if path.is_file() else None


@lru_cache(maxsize=4)
def _remote(url: str, sha256: str) -> bytes:
    """A table from afar, kept as long as the note beside it names the same bytes."""
    return _sound(stores.read_bytes(url), url, sha256)


def _sound(content: bytes | None, where: str, sha256: str) -> bytes:
    """The content that its note promises; raises TableMissing, VolumeInvalid."""
    if content is None:
        raise TableMissing(f"{where} is not there: measure the labels again")
    digest = hashlib.sha256(content).hexdigest()
    if digest != sha256:
        raise VolumeInvalid(f"{where}: expected SHA-256 {sha256}, found {digest}")
    return content


def chosen(frame: pd.DataFrame, columns: Sequence[str]) -> pd.DataFrame:
    """Some columns of a table, in the order asked for.

    Raises FilterInvalid for an unknown one, and for one that is asked for twice.
    """
    for name in columns:
        if name not in frame.columns:
            known = ", ".join(frame.columns)
            raise FilterInvalid(f"no column {name[:40]!r}; there are: {known}")
        if columns.count(name) > 1:
            raise FilterInvalid(
                f"column {name!r}: expected once, found {columns.count(name)} times"
            )
    return frame[list(columns)]


def to_csv(frame: pd.DataFrame) -> bytes:
    """UTF-8 with one header row; floats are written so that they read back exactly."""
    return frame.to_csv(index=False, lineterminator="\n").encode()


def to_parquet(frame: pd.DataFrame) -> bytes:
    """The same rows as Parquet."""
    data = io.BytesIO()
    frame.to_parquet(data, index=False)
    return data.getvalue()


def sidecar(content: bytes, *, kind: str, **facts: Any) -> bytes:
    """The JSON that travels with a ``csv`` or ``parquet``: the facts and its SHA-256."""
    note = facts | {f"{kind}_sha256": hashlib.sha256(content).hexdigest()}
    return (json.dumps(note, indent=1, default=str) + "\n").encode()


def _replace(path: Path, data: bytes) -> None:
    partial = path.with_name(f".{path.name.lstrip('.')}.{os.getpid()}.partial")
    try:
        partial.write_bytes(data)
        partial.replace(path)
    except OSError:
        partial.unlink(missing_ok=True)
        raise


def _sweep(partial: Path) -> None:
    """Delete what a process has left that lives no more."""
    process = partial.name.split(".")[-2]
    if not (process.isdigit() and psutil.pid_exists(int(process))):
        partial.unlink(missing_ok=True)
