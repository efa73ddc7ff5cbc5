"""NumPy archives (``.npz``) and single arrays (``.npy``), never pickled ones."""

from __future__ import annotations

import ast
import math
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from io import BufferedIOBase
from typing import Any, cast

import numpy as np
import numpy.typing as npt

from mitoem.errors import SourceUnreadable, SourceUnsupported
from mitoem.ingestion.source import (
    MOST_NAMED,
    Content,
    Source,
    Wanted,
    flat,
    naming,
    planes_from_stream,
)

NPY = b"\x93NUMPY"
ZIP = b"PK\x03\x04"
_FAULTS = (zipfile.BadZipFile, zlib.error, OSError, EOFError, RuntimeError, ValueError)

_HEADER_FAULTS = (
    ValueError, SyntaxError, KeyError, TypeError, OverflowError, RecursionError, MemoryError,
)  # fmt: skip
"""What a header raises that is no header; ``ast`` calls one nested too deeply a MemoryError."""

ENCRYPTED = 1
"""The flag of a zip member that needs a password. Source: APPNOTE.TXT, 4.4.4."""

MOST_FORTRAN = 1 << 30
"""Bytes of an array in Fortran order, which is held in memory as a whole."""

LABELS = "labels"
"""The key of the labels in an archive that holds an image too."""


def recognise(content: Content) -> bool:
    """Whether this is a ``.npy`` header, or a zip of nothing but ``.npy`` members."""
    if content.head.startswith(NPY):
        return True
    if not content.head.startswith(ZIP):
        return False
    try:
        with content.open() as file, zipfile.ZipFile(file) as archive:
            members = archive.infolist()
    except _FAULTS:
        return False
    plain = (one.filename.endswith(".npy") and not one.flag_bits & ENCRYPTED for one in members)
    return bool(members) and all(plain)


def read(content: Content, wanted: Wanted) -> Source:
    """The array under the key, else for labels ``labels``, else the first with three axes."""
    with naming(content.where, _FAULTS):
        name = None if content.head.startswith(NPY) else _member(content, wanted)

    @contextmanager
    def stream() -> Iterator[BufferedIOBase]:
        with content.open() as raw:
            if name is None:
                yield raw
                return
            with zipfile.ZipFile(raw) as archive, archive.open(name) as member:
                yield cast(BufferedIOBase, member)

    with naming(content.where, _FAULTS), stream() as file:
        stored, fortran, dtype, offset = _npy_header(file, content.where)
    shape = flat(stored)
    if shape is None:
        raise SourceUnsupported(f"{content.where}: expected 3 axes (z, y, x), found shape {stored}")
    size = math.prod(shape) * dtype.itemsize
    if name is None and offset + size > content.size:
        raise SourceUnreadable(
            f"{content.where}: expected {offset + size} bytes for shape {shape} {dtype}, "
            f"found {content.size}"
        )
    if fortran and size > MOST_FORTRAN:
        raise SourceUnsupported(
            f"{content.where}: expected at most {MOST_FORTRAN} bytes in Fortran order, found "
            f"{size}; save it by np.save(file, np.ascontiguousarray(array))"
        )

    def in_c_order(depth: int, start: int = 0) -> Iterator[npt.NDArray[Any]]:
        with naming(content.where, _FAULTS), stream() as file:
            file.read(offset)
            yield from planes_from_stream(
                file, shape=shape, dtype=dtype, depth=depth, start=start, where=content.where
            )

    def in_fortran_order(depth: int, start: int = 0) -> Iterator[npt.NDArray[Any]]:
        """Sections lie scattered over the file: all of it is read at once."""
        turned = (shape[2], shape[1], shape[0])
        with naming(content.where, _FAULTS), stream() as file:
            file.read(offset)
            (whole,) = planes_from_stream(
                file, shape=turned, dtype=dtype, depth=shape[2], where=content.where
            )
        for z in range(start, shape[0], depth):
            yield np.ascontiguousarray(whole[:, :, z : z + depth].T)

    return Source(
        content.path,
        "NumPy array" if name is None else f"NumPy archive, key {name.removesuffix('.npy')!r}",
        "z, y, x",
        shape,
        dtype,
        None,
        "",
        in_fortran_order if fortran else in_c_order,
    )


def _member(content: Content, wanted: Wanted) -> str:
    key = wanted.key
    with content.open() as file, zipfile.ZipFile(file) as archive:
        names = archive.namelist()
        if key is None and wanted.role == "labels" and f"{LABELS}.npy" in names:
            return f"{LABELS}.npy"
        if key is not None:
            if f"{key}.npy" in names:
                return f"{key}.npy"
            known = ", ".join(name.removesuffix(".npy") for name in names[:MOST_NAMED])
            raise SourceUnreadable(f"{content.where}: no key {key!r}; it has: {known}")
        for name in names:
            with archive.open(name) as member:
                if flat(_npy_header(cast(BufferedIOBase, member), content.where)[0]):
                    return name
    known = ", ".join(names[:MOST_NAMED])
    raise SourceUnsupported(f"{content.where}: no array with 3 axes among {known}")


def _npy_header(
    file: BufferedIOBase, where: str
) -> tuple[tuple[int, ...], bool, np.dtype[Any], int]:
    """Shape, Fortran order, dtype and length of a ``.npy`` header; pickles are refused."""
    start = file.read(8)
    if len(start) < 8 or not start.startswith(NPY):
        raise SourceUnreadable(f"{where}: expected a .npy header, found {start[:8]!r}")
    width = 2 if start[6] == 1 else 4
    length = int.from_bytes(file.read(width), "little")
    try:
        header = ast.literal_eval(file.read(min(length, 65536)).decode("latin1"))
        dtype = np.dtype(header["descr"])
        shape = tuple(int(n) for n in header["shape"])
        fortran = bool(header["fortran_order"])
    except _HEADER_FAULTS as error:
        reason = str(error) or type(error).__name__
        raise SourceUnreadable(f"{where}: unreadable .npy header ({reason})") from error
    if dtype.hasobject:
        raise SourceUnsupported(f"{where}: pickled objects are never read")
    return shape, fortran, dtype, 8 + width + length
