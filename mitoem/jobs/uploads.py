"""Files of people on their way into a run: ``runs/.uploads/<id>/<name>``, whole or not there.

The server copies the bytes and reads nothing of them. Whoever knows a request's ``file``, which
nobody can guess, can name it in a request.
"""

from __future__ import annotations

import re
import secrets
import shutil
import time
from pathlib import Path
from typing import BinaryIO

from mitoem.errors import DiskFull, MitoEMError, RequestInvalid, SourceNotFound
from mitoem.jobs.registry import home, read_json, waiting

UPLOADS = ".uploads"

KEPT_SECONDS = 86_400.0
"""How long a file waits for another try."""

PIECE = 1 << 22
"""Bytes copied at a time."""

SPARE = 1 << 26
"""Bytes that stay free on the disk."""

_FILE = re.compile(r"[0-9a-f]{32}/[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


def keep(root: str | Path, file_name: str, data: BinaryIO) -> str:
    """Copy an upload beside the runs of a root, whole or not at all; returns a request's ``file``.

    Raises DiskFull, DiskReadOnly.
    """
    from mitoem.ingestion.disk import disk_error

    at, upload = home(root) / UPLOADS, secrets.token_hex(16)
    draft = at / f".new-{upload}"
    file = f"{upload}/{safe_name(file_name)}"
    try:
        at.mkdir(parents=True, exist_ok=True)
        draft.mkdir(mode=0o700)
        _check_space(at, data)
        with (draft / safe_name(file_name)).open("wb") as out:
            shutil.copyfileobj(data, out, PIECE)
        draft.rename(at / upload)
    except BaseException as error:
        shutil.rmtree(draft, ignore_errors=True)
        if isinstance(error, OSError) and not isinstance(error, MitoEMError):
            raise disk_error(error) from error
        raise
    return file


def safe_name(file_name: str) -> str:
    """A file name of a person in letters that every disk takes; the end of a long one is kept.

    >>> safe_name("../my crop (1).nii.gz")
    'my-crop-1-.nii.gz'
    """
    last = re.split(r"[/\\]", file_name)[-1]
    plain = re.sub(r"[^A-Za-z0-9._-]+", "-", last)[-100:].lstrip("._-")
    return plain or "upload"


def kept(root: str | Path, file: str) -> Path:
    """Where an upload lies.

    Raises RequestInvalid for what is no file of ours, SourceNotFound for one that is gone.
    """
    check_file(file)
    at = home(root) / UPLOADS
    path = at / file
    if path.is_symlink() or not path.resolve().is_relative_to(at.resolve()):
        raise RequestInvalid(f"file: expected one in {UPLOADS}, found {file!r}")
    if not path.is_file():
        raise SourceNotFound(f"{path.name}: the uploaded file is gone; upload it again")
    return path


def discard(root: str | Path, file: str) -> None:
    """Remove an upload; one that is gone is no error. Raises RequestInvalid."""
    check_file(file)
    shutil.rmtree(home(root) / UPLOADS / file.partition("/")[0], ignore_errors=True)


def tidy(root: str | Path) -> None:
    """Remove uploads more than a day from now, either way, that no run in the queue waits for."""
    at = home(root)
    asked = [read_json(at / one / "request.json").get("request", {}) for one in waiting(root)]
    needed = {str(one.get("file", "")).partition("/")[0] for one in asked}
    for folder in (at / UPLOADS).iterdir() if (at / UPLOADS).is_dir() else ():
        if folder.name not in needed and abs(_age(folder)) > KEPT_SECONDS:
            shutil.rmtree(folder, ignore_errors=True)


def _age(folder: Path) -> float:
    """Seconds since a folder was made, below 0 where the clock was set back since."""
    return time.time() - folder.stat().st_mtime


def check_file(file: object) -> None:
    """Raise RequestInvalid for what cannot be the name of an upload."""
    if not isinstance(file, str) or not _FILE.fullmatch(file):
        raise RequestInvalid(f"file: expected an upload, <id>/<name>, found {str(file)[:80]!r}")


def _check_space(at: Path, data: BinaryIO) -> None:
    needed = data.seek(0, 2) + SPARE
    data.seek(0)
    free = shutil.disk_usage(at).free
    if free < needed:
        raise DiskFull(f"uploads: {needed:,} bytes are needed, {free:,} are free")
