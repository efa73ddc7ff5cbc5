"""NIfTI-1 and NIfTI-2, plain or gzipped: (x, y, z) in the file, handed on as (z, y, x)."""

from __future__ import annotations

import math
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from io import BufferedIOBase
from typing import Any

import nibabel as nib
import numpy as np
import numpy.typing as npt
from isal import igzip
from nibabel.spatialimages import HeaderDataError
from nibabel.wrapstruct import WrapStructError

from mitoem.errors import SourceUnreadable, SourceUnsupported
from mitoem.geometry import MITOEM_VOXEL_SIZE, Index, VoxelSize
from mitoem.ingestion.source import (
    STREAM_FAULTS,
    Content,
    Source,
    Wanted,
    naming,
    planes_from_stream,
)

GZIP = b"\x1f\x8b"
_MAGIC = {348: nib.Nifti1Header, 540: nib.Nifti2Header}
_UNIT_NM = {"meter": 1e9, "mm": 1e6, "micron": 1e3}

MOST_OFFSET = 1 << 24
"""Bytes of headers and extensions before the voxels."""

PLAUSIBLE_NM = (0.5, 2000.0)
"""No electron micrograph of tissue has a voxel edge outside of this: it tells the unit."""


HEADER_FAULTS: tuple[type[Exception], ...] = (
    *STREAM_FAULTS, WrapStructError, HeaderDataError, ValueError,
)  # fmt: skip

inflate: Any = igzip.IGzipFile  # gzip.GzipFile with ISA-L inside, 1.6 times as fast; untyped


def recognise(content: Content) -> bool:
    """Whether the first bytes are a NIfTI header, or a gzip stream of one."""
    return _header_class(_head(content)) is not None


def read(content: Content, wanted: Wanted) -> Source:
    """What the header says; raises SourceUnreadable or SourceUnsupported, naming the file."""
    del wanted
    header = _header(content)
    with naming(content.where, (HeaderDataError, KeyError, ValueError, OverflowError)):
        shape, dtype = _shape(header, content), header.get_data_dtype()
        slope, inter = header.get_slope_inter()
        size, source, notices = _voxel_size(header, _unmended(content))
        offset = int(header.get_data_offset())
    if not 0 < offset <= MOST_OFFSET:
        raise SourceUnreadable(
            f"{content.where}: expected voxels within {MOST_OFFSET} bytes, found them at {offset}"
        )
    if (slope not in (None, 1.0)) or (inter not in (None, 0.0)):
        raise SourceUnsupported(
            f"{content.where}: expected unscaled voxels, found slope {slope} and intercept {inter}"
        )

    def slabs(depth: int, start: int = 0) -> Iterator[npt.NDArray[Any]]:
        with _stream(content) as voxels:
            _skip(voxels, offset, content)
            yield from planes_from_stream(
                voxels, shape=shape, dtype=dtype, depth=depth, start=start, where=content.where
            )

    name = "NIfTI, gzipped" if content.head.startswith(GZIP) else "NIfTI"
    return Source(
        content.path, name, "x, y, z → z, y, x", shape, dtype, size, source, slabs, notices
    )


def _head(content: Content) -> bytes:
    if not content.head.startswith(GZIP):
        return content.head
    try:
        return zlib.decompressobj(wbits=31).decompress(content.head, 540)
    except zlib.error:
        return b""


def _header_class(head: bytes) -> Any:
    if len(head) < 8:
        return None
    for order in ("<i4", ">i4"):
        size = int(np.frombuffer(head[:4], order)[0])
        magic = head[344:348] if size == 348 else head[4:8]
        if size in _MAGIC and (magic[:2] == b"n+" or len(head) < 348):
            return _MAGIC[size]
    return None


@contextmanager
def _stream(content: Content) -> Iterator[BufferedIOBase]:
    with content.open() as raw:
        if content.head.startswith(GZIP):
            with inflate(fileobj=raw) as stream:
                yield stream
        else:
            yield raw


def _header(content: Content) -> Any:
    """The header alone: what its extensions say of their own size is never believed."""
    kind = _header_class(_head(content))
    try:
        with _stream(content) as stream:
            return kind(stream.read(kind.sizeof_hdr))
    except HEADER_FAULTS as error:
        raise SourceUnreadable(f"{content.where}: no readable NIfTI header ({error})") from error


def _shape(header: Any, content: Content) -> Index:
    shape = tuple(int(n) for n in header.get_data_shape())
    while len(shape) > 3 and shape[-1] == 1:
        shape = shape[:-1]
    if len(shape) != 3 or min(shape) < 1:
        raise SourceUnsupported(f"{content.where}: expected 3 axes (x, y, z), found shape {shape}")
    x, y, z = shape
    return z, y, x


def _voxel_size(header: Any, stored: Any) -> tuple[VoxelSize | None, str, tuple[str, ...]]:
    """The header's voxel in nm; the converters' default of 1 becomes MitoEM's, with a notice.

    A spacing that no unit makes an electron micrograph's is unknown; so is one of 0 or NaN.
    """
    x, y, z = spacing = _spacing(stored)
    unit = header.get_xyzt_units()[0]
    if not all(math.isfinite(edge) and edge > 0 for edge in spacing):
        return None, "", ()
    if spacing == (1.0, 1.0, 1.0):
        note = (
            f"header spacing {x:g} × {y:g} × {z:g} {unit} is a converter's default: "
            "taken as 30 × 8 × 8 nm (z, y, x); --voxel-size says otherwise"
        )
        return MITOEM_VOXEL_SIZE, "MitoEM's, header overridden", (note,)
    declared = unit if unit in _UNIT_NM else "mm"
    origin = f"header, in {unit}" if unit in _UNIT_NM else "header, without a unit: mm assumed"
    for name, factor in ((declared, _UNIT_NM[declared]), ("µm", 1e3), ("nm", 1.0)):
        nm = tuple(float(f"{edge * factor:.6g}") for edge in (z, y, x))
        if all(PLAUSIBLE_NM[0] <= edge <= PLAUSIBLE_NM[1] for edge in nm):
            if name == declared:
                return (nm[0], nm[1], nm[2]), origin, ()
            note = (
                f"header spacing {x:g} × {y:g} × {z:g} {unit} is no electron micrograph's: "
                f"taken as {name}; --voxel-size says otherwise"
            )
            return (nm[0], nm[1], nm[2]), f"header, read as {name}", (note,)
    return None, "", ()


def _unmended(content: Content) -> Any:
    """The header as it is stored: nibabel turns a spacing of 0 into 1."""
    head = _head(content)
    kind = _header_class(head)
    return kind(head[: kind.sizeof_hdr], check=False)


def _spacing(header: Any) -> tuple[float, float, float]:
    """Edges along x, y and z as stored; those of the affine where the spacing is the default."""
    x, y, z = (float(edge) for edge in header["pixdim"][1:4])
    if (x, y, z) == (1.0, 1.0, 1.0) and int(header["sform_code"]) > 0:
        columns = header.get_sform()[:3, :3].T
        x, y, z = (float(f"{np.linalg.norm(column):.6g}") for column in columns)
    return x, y, z


def _skip(stream: BufferedIOBase, count: int, content: Content) -> None:
    try:
        if len(stream.read(count)) == count:
            return
    except STREAM_FAULTS as error:
        raise SourceUnreadable(f"{content.where}: {error}") from error
    raise SourceUnreadable(f"{content.where}: ends before its voxels, at byte {count}")
