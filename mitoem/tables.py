"""Instance tables beside a volume: Parquet with its provenance, and CSV for people.

A table remembers the version of the labels and of the code that made it, and is never served
when either changed.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from mitoem.errors import TableMissing, VolumeInvalid

TABLE_VERSION = 1
"""Raised when a column's definition changes, so that older tables are measured again."""


def write(
    directory: Path, labels: str, frame: pd.DataFrame, *, provenance: Mapping[str, Any]
) -> Path:
    """Store a table and its provenance; the table appears whole or not at all."""
    directory.mkdir(parents=True, exist_ok=True)
    path = directory / f"{labels}.parquet"
    data = io.BytesIO()
    frame.to_parquet(data, index=False)
    content = data.getvalue()
    note: dict[str, Any] = {"table_version": TABLE_VERSION, "rows": len(frame)}
    note |= dict(provenance) | {"sha256": hashlib.sha256(content).hexdigest()}
    _replace(path, content)
    _replace(path.with_suffix(".json"), (json.dumps(note, indent=1) + "\n").encode())
    return path


def read(directory: Path, labels: str, *, version: str) -> pd.DataFrame:
    """The table of a label set of that version.

    Raises TableMissing when the labels were never measured, or changed since, VolumeInvalid for
    a damaged file.
    """
    path = directory / f"{labels}.parquet"
    note = provenance(directory, labels)
    if note is None or not path.is_file():
        raise TableMissing(f"labels {labels!r} are not measured yet")
    found = (note.get("labels_version"), note.get("table_version"))
    if found != (version, TABLE_VERSION):
        raise TableMissing(
            f"labels {labels!r} changed since they were measured: expected labels version "
            f"{version} and table version {TABLE_VERSION}, found {found[0]} and {found[1]}"
        )
    content = path.read_bytes()
    digest = hashlib.sha256(content).hexdigest()
    if digest != note.get("sha256"):
        raise VolumeInvalid(f"{path.name}: expected SHA-256 {note.get('sha256')}, found {digest}")
    return pd.read_parquet(io.BytesIO(content))


def provenance(directory: Path, labels: str) -> dict[str, Any] | None:
    """What is written beside a table, or None where there is none."""
    path = directory / f"{labels}.json"
    if not path.is_file():
        return None
    try:
        note: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise VolumeInvalid(f"{path.name}: {error}") from error
    return note


def to_csv(frame: pd.DataFrame) -> bytes:
    """UTF-8 with one header row; floats are written so that they read back exactly."""
    return frame.to_csv(index=False, lineterminator="\n").encode()


def to_parquet(frame: pd.DataFrame) -> bytes:
    """The same rows as Parquet."""
    data = io.BytesIO()
    frame.to_parquet(data, index=False)
    return data.getvalue()


def sidecar(csv: bytes, **facts: Any) -> bytes:
    """The JSON that travels with a CSV: the given facts and the SHA-256 of its bytes."""
    note = facts | {"csv_sha256": hashlib.sha256(csv).hexdigest()}
    return (json.dumps(note, indent=1, default=str) + "\n").encode()


def _replace(path: Path, data: bytes) -> None:
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    partial.write_bytes(data)
    partial.replace(path)
