"""What tells one file or folder from another: its content's SHA-256, and a quick stamp."""

from __future__ import annotations

import hashlib
import os
from functools import lru_cache
from pathlib import Path

from mitoem.errors import SourceUnreadable

LEFT_BEHIND = {".DS_Store", "Thumbs.db", "desktop.ini"}
"""Files that a desktop puts into folders, and changes by itself."""


def files_below(folder: Path) -> list[str]:
    """Names of the files in a folder and its folders, relative to it, sorted.

    What desktops leave behind is left out. Raises SourceUnreadable for a folder that may not be
    read.
    """

    def refuse(error: OSError) -> None:
        raise SourceUnreadable(f"{error.filename}: {error.strerror}") from error

    found = []
    for where, _, names in os.walk(folder, onerror=refuse):
        inside = Path(where).relative_to(folder)
        for name in names:
            if name not in LEFT_BEHIND and not name.startswith("._"):
                found.append((inside / name).as_posix())
    return sorted(found)


def sha256_of(path: Path) -> str:
    """SHA-256 of a file, hexadecimal; read anew only when its stamp changed.

    That of a folder is over the sorted names, sizes and SHA-256 of its files, however the folder
    itself is called.
    """
    return _sha256(path, *stamp(path))


def stamp(path: Path) -> tuple[int, int]:
    """Bytes, and the time of a file: what tells that it changed.

    A folder has the bytes of all its files and, in place of the time, a number that changes with
    the name, size or time of any of them.
    """
    if not path.is_dir():
        found = path.stat()
        return found.st_size, found.st_mtime_ns
    listing, total = hashlib.sha256(), 0
    for name in files_below(path):
        found = (path / name).stat()
        total += found.st_size
        listing.update(f"{name}\0{found.st_size}\0{found.st_mtime_ns}\n".encode())
    return total, int.from_bytes(listing.digest()[:8], "little")


@lru_cache(maxsize=64)
def _sha256(path: Path, _size: int, _time: int) -> str:
    if not path.is_dir():
        return _of_file(path)
    whole = hashlib.sha256()
    for name in files_below(path):
        file = path / name
        whole.update(f"{name}\0{file.stat().st_size}\0{_of_file(file)}\n".encode())
    return whole.hexdigest()


def _of_file(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
