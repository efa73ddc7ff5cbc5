"""What a reader says about a file before its voxels are read, and how they are handed on."""

from __future__ import annotations

import math
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from io import BufferedIOBase, BufferedReader
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np
import numpy.typing as npt
from isal import isal_zlib

from mitoem.errors import MitoEMError, SourceNotFound, SourceUnreadable, SourceUnsupported
from mitoem.geometry import Index, VoxelSize
from mitoem.ingestion.digest import sha256_of, stamp

HEAD = 560
"""Bytes from the start of a file by which readers recognise it."""


MOST_CHUNK = 1 << 30
"""Bytes of one chunk of an array; the tools that people use write some megabytes."""

MOST_NAMED = 20
"""Arrays of a file that a message lists."""

_ISAL_FAULT: Any = isal_zlib.error  # its stub types it as an instance

STREAM_FAULTS: tuple[type[Exception], ...] = (
    OSError,
    EOFError,
    zlib.error,
    zipfile.BadZipFile,
    _ISAL_FAULT,
)
"""What a damaged or truncated stream raises while it is read."""


class Slabs(Protocol):
    """Sections of an array in order, from ``start`` on, at most ``depth`` at a time."""

    def __call__(self, depth: int, start: int = 0) -> Iterator[npt.NDArray[Any]]:
        """The sections, (≤ depth, y, x) at a time."""
        ...


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is asked of a file that may hold several arrays: its part, and the name of one."""

    role: Literal["image", "labels"] = "image"
    key: str | None = None


@dataclass(frozen=True, slots=True)
class Source:
    """An array in a file: what was recognised, and ``slabs`` to stream it.

    ``shape`` (z, y, x); ``voxel_size`` in nm (z, y, x) or None where the file does not say;
    ``slabs(depth, start)`` yields the sections from ``start`` on, ``depth`` at a time, as
    (≤ depth, y, x). ``runs``: the slice numbers of the sections where these say their place in z,
    rising and apart from each other; empty for files that do not say. ``part``: what of the file
    was asked for and taken.
    """

    path: Path
    format: str
    axes: str
    shape: Index
    dtype: np.dtype[Any]
    voxel_size: VoxelSize | None
    voxel_size_source: str
    slabs: Slabs
    notices: tuple[str, ...] = ()
    runs: tuple[range, ...] = ()
    part: str = ""

    @property
    def identity(self) -> str:
        """The same for the same array of the same bytes: of a file that holds several, which."""
        return f"{sha256_of(self.path)} {self.part}"

    def describe(self) -> str:
        """One line for a person: what this file was taken for."""
        size = "unknown voxel size"
        if self.voxel_size is not None:
            z, y, x = self.voxel_size
            size = f"{z:g} × {y:g} × {x:g} nm (z, y, x; {self.voxel_size_source})"
        shape = " × ".join(str(n) for n in self.shape)
        return f"{self.path.name}: {self.format}, axes {self.axes}, {shape} {self.dtype}, {size}"


def unchanged(*sources: Source) -> Callable[[], None]:
    """A check, for after reading, that raises SourceUnreadable where a file changed since now."""
    before = [(source.path, stamp(source.path)) for source in sources]

    def verify() -> None:
        for path, then in before:
            if stamp(path) != then:
                raise SourceUnreadable(
                    f"{path.name}: changed while it was read, from {then} to {stamp(path)} "
                    "(bytes, time)"
                )

    return verify


@dataclass(frozen=True, slots=True)
class Content:
    """A file, or a member of an archive: its name, its first bytes, and how to open it anew.

    A folder is content too, without bytes; opening it raises SourceUnreadable.
    """

    path: Path
    name: str
    head: bytes
    open: Callable[[], AbstractContextManager[BufferedIOBase]]
    size: int

    @property
    def is_folder(self) -> bool:
        """Whether this is a folder of files."""
        return not self.head and self.path.is_dir()

    @property
    def where(self) -> str:
        """How messages name it."""
        return self.path.name if self.name == self.path.name else f"{self.path.name}[{self.name}]"


@contextmanager
def naming(where: str, faults: tuple[type[Exception], ...]) -> Iterator[None]:
    """What a library raises for a bad file, as SourceUnreadable with the file's name.

    Errors of this project pass as they are.
    """
    try:
        yield
    except MitoEMError:
        raise
    except faults as error:
        reason = next(iter(str(error).splitlines()), "") or type(error).__name__
        raise SourceUnreadable(f"{where}: {reason[:300]}") from error


def content_of(path: Path) -> Content:
    """The content of a file or folder; raises SourceNotFound, or SourceUnreadable when empty."""
    if not path.exists():
        raise SourceNotFound(f"no file {path}")
    if path.is_dir():
        return Content(path, path.name, b"", lambda: _no_file(path), 0)
    try:
        with path.open("rb") as file:
            head = file.read(HEAD)
    except OSError as error:
        raise SourceUnreadable(f"{path}: {error.strerror}") from error
    if not head:
        raise SourceUnreadable(f"{path}: expected an image file, found 0 bytes")
    return Content(path, path.name, head, lambda: path.open("rb"), path.stat().st_size)


def _no_file(path: Path) -> AbstractContextManager[BufferedIOBase]:
    raise SourceUnreadable(f"{path.name}: expected a file, found a folder")


def check_chunk(shape: Sequence[int], dtype: np.dtype[Any], *, where: str) -> None:
    """Raises SourceUnsupported for chunks of which a single one would fill the memory."""
    if (size := math.prod(shape) * dtype.itemsize) > MOST_CHUNK:
        raise SourceUnsupported(
            f"{where}: expected chunks of at most {MOST_CHUNK:,} bytes, found {size:,}"
        )


def flat(shape: Sequence[int]) -> Index | None:
    """Shape (z, y, x) of an array, without axes of length 1 before it; None for any other."""
    if len(shape) < 3 or any(n != 1 for n in shape[:-3]):
        return None
    z, y, x = (int(n) for n in shape[-3:])
    return z, y, x


def planes_from_stream(
    stream: BufferedIOBase,
    *,
    shape: Index,
    dtype: np.dtype[Any],
    depth: int,
    start: int = 0,
    where: str,
    to_the_end: bool = True,
) -> Iterator[npt.NDArray[Any]]:
    """Slabs of sections from a stream of raw voxels, z slowest and x fastest, after ``start``.

    Raises SourceUnreadable, with the bytes expected and found, when the stream ends early; and,
    for voxels ``to_the_end`` of the stream, when it goes on, which also compares the checksum of
    a gzip or zip.
    """
    nz, ny, nx = shape
    plane = ny * nx * dtype.itemsize
    _skip(stream, start * plane, where)
    for z in range(start, nz, depth):
        count = min(depth, nz - z)
        slab = np.empty((count, ny, nx), dtype)
        view = slab.reshape(-1).view(np.uint8).data
        filled, reason = 0, ""
        try:
            while filled < len(view):
                got = stream.readinto(view[filled : filled + (1 << 24)])
                if not got:
                    break
                filled += got
            if to_the_end and filled == len(view) and z + count == nz and stream.read(1):
                reason = ", and more behind them"
        except STREAM_FAULTS as error:
            reason = f" ({error})"
        if reason or filled < len(view):
            raise SourceUnreadable(
                f"{where}: expected {nz * plane} bytes of voxels, "
                f"found {z * plane + filled}{reason}"
            )
        yield slab


def _skip(stream: BufferedIOBase, count: int, where: str) -> None:
    """Leave out bytes: by a jump in a plain file, by reading on in a compressed one."""
    if count and isinstance(stream, BufferedReader):
        stream.seek(count, 1)
        return
    left = count
    while left:
        try:
            got = len(stream.read(min(left, 1 << 24)))
        except STREAM_FAULTS as error:
            raise SourceUnreadable(f"{where}: {error}") from error
        if not got:
            raise SourceUnreadable(f"{where}: expected {count} bytes, found {count - left}")
        left -= got
