"""Small files written whole or not at all, and what a full disk is called."""

from __future__ import annotations

import errno
import json
import os
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from mitoem.errors import DiskFull, DiskReadOnly, MitoEMError
from mitoem.geometry import Index


def write_json(path: Path, data: Any) -> None:
    """Write JSON whole or not at all; raises DiskFull."""
    write_whole(path, json_bytes(data))


def json_bytes(data: Any) -> bytes:
    """JSON as it is written."""
    return (json.dumps(data, indent=1) + "\n").encode()


def write_whole(path: Path, content: bytes) -> None:
    """Write a small file whole or not at all, and leave nothing of a half; raises DiskFull."""
    partial = path.with_name(f".{path.name}.partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        partial.write_bytes(content)
        partial.replace(path)
    except OSError as error:
        with suppress(OSError):
            partial.unlink(missing_ok=True)
        raise disk_error(error) from error


def mapped(path: Path, *, dtype: npt.DTypeLike, shape: Index) -> npt.NDArray[Any]:
    """A new array in a file, with all its space taken; raises DiskFull.

    Otherwise a full disk would end the process, in the middle of the array, without a word.
    """
    whole = np.lib.format.open_memmap(path, mode="w+", dtype=dtype, shape=shape)
    if hasattr(os, "posix_fallocate"):
        try:
            with path.open("r+b") as file:
                os.posix_fallocate(file.fileno(), 0, path.stat().st_size)
        except OSError as error:
            del whole
            path.unlink(missing_ok=True)
            raise disk_error(error) from error
    return whole


def disk_error(error: Exception) -> Exception:
    """DiskFull for a full disk, DiskReadOnly for one that takes no writing, else the error."""
    text, number = str(error).splitlines()[0][:300], getattr(error, "errno", None)
    if isinstance(error, MitoEMError):
        return error
    if "No space left" in text or number == errno.ENOSPC or "RESOURCE_EXHAUSTED" in text:
        return DiskFull(f"the disk is full: {text}")
    if number in (errno.EROFS, errno.EACCES, errno.EPERM) or "Read-only file system" in text:
        return DiskReadOnly(f"nothing can be written there: {text}")
    return error
