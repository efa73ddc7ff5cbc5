"""One image file, PNG or TIFF, as one section: what its header says, and its voxels."""

from __future__ import annotations

import math
import struct
from collections.abc import Callable
from dataclasses import dataclass
from io import BytesIO
from typing import Any, Literal

import imagecodecs
import numpy as np
import numpy.typing as npt
import tifffile

from mitoem.errors import SourceUnreadable, SourceUnsupported
from mitoem.ingestion.archive import MOST_DEFLATE
from mitoem.ingestion.source import naming
from mitoem.ingestion.tiff import ALONE
from mitoem.ingestion.tiff import FAULTS as TIFF_FAULTS
from mitoem.ingestion.tiff import MAGIC as TIFF

PNG = b"\x89PNG\r\n\x1a\n"
PNG_HEADER = 33
"""Bytes up to the end of the header chunk. Source: PNG specification, section 11.2.1."""

MOST_PIXELS = 1 << 30
"""Of one section; MitoEM's have 2^24. More is taken for a file made to fill the memory."""

_PNG_CHANNELS = {0: 1, 2: 3, 4: 2, 6: 4}


@dataclass(frozen=True, slots=True)
class Plane:
    """What a file says of its section: rows and columns, values per pixel and their dtype."""

    kind: Literal["PNG", "TIFF"]
    shape: tuple[int, int]
    channels: int
    dtype: np.dtype[Any]

    def __str__(self) -> str:
        y, x = self.shape
        channels = f" × {self.channels} channels" if self.channels > 1 else ""
        return f"{y} × {x}{channels} {self.dtype}"

    @property
    def size(self) -> int:
        """Bytes of the decoded section."""
        return math.prod(self.shape) * self.channels * self.dtype.itemsize


def recognise(head: bytes) -> bool:
    """Whether the first bytes are those of a PNG or TIFF file."""
    return head.startswith(PNG) or head[:4] in TIFF


def of_png(head: bytes, *, where: str) -> Plane:
    """What a PNG's header says; raises SourceUnreadable, SourceUnsupported for palettes and bits.

    A palette's numbers are names of colours, neither grey values nor ids that one could trust.
    """
    if len(head) < PNG_HEADER or not head.startswith(PNG) or head[12:16] != b"IHDR":
        raise SourceUnreadable(f"{where}: expected a PNG header, found {head[:16]!r}")
    x, y, bits, colour = struct.unpack(">IIBB", head[16:26])
    if colour not in _PNG_CHANNELS or bits not in (8, 16):
        found = "a palette" if colour == 3 else f"{bits} bits"
        raise SourceUnsupported(f"{where}: expected grey or RGB of 8 or 16 bits, found {found}")
    dtype = np.dtype(np.uint8 if bits == 8 else np.uint16)
    return _bounded(Plane("PNG", (y, x), _PNG_CHANNELS[colour], dtype), where)


def decode(data: bytes, *, where: str, fits: Callable[[Plane], None]) -> npt.NDArray[Any]:
    """The values of a file, (y, x) or (y, x, channels), of the file's own dtype.

    ``fits`` hears what the header says before anything is decoded, and may raise. Raises
    SourceUnreadable for damage.
    """
    if data.startswith(PNG):
        plane = of_png(data[:PNG_HEADER], where=where)
        fits(plane)
        if plane.size > MOST_DEFLATE * len(data):
            raise SourceUnreadable(
                f"{where}: expected at most {MOST_DEFLATE * len(data)} bytes from {len(data)}, "
                f"found a header of {plane}"
            )
        with naming(where, (RuntimeError, ValueError)):
            return np.asarray(imagecodecs.png_decode(data))
    if data[:4] not in TIFF:
        raise SourceUnsupported(f"{where}: expected a PNG or TIFF slice, found {data[:8]!r}")
    with naming(where, TIFF_FAULTS):
        return _decode_tiff(data, where, fits)


def grey(values: npt.NDArray[Any], *, where: str) -> npt.NDArray[Any]:
    """Grey values; of three channels only where all are equal, else SourceUnsupported."""
    if values.ndim == 2:
        return values
    colours = _opaque(values, where)
    if not (colours == colours[..., :1]).all():
        raise SourceUnsupported(f"{where}: expected grey values, found colours")
    return colours[..., 0]


def ids(values: npt.NDArray[Any], *, where: str) -> npt.NDArray[Any]:
    """Ids; of three channels R·65536 + G·256 + B as uint32, as MitoEM's colour labels are read."""
    if values.ndim == 2:
        return values
    colours = _opaque(values, where)
    if colours.dtype != np.uint8:
        raise SourceUnsupported(
            f"{where}: expected ids as RGB of 8 bits, found channels of {colours.dtype}"
        )
    red, green, blue = (colours[..., i].astype(np.uint32) for i in range(3))
    return red << 16 | green << 8 | blue


def _opaque(values: npt.NDArray[Any], where: str) -> npt.NDArray[Any]:
    channels = values.shape[2]
    if channels == 3:
        return values
    if channels == 4 and (values[..., 3] == np.iinfo(values.dtype).max).all():
        return values[..., :3]
    raise SourceUnsupported(
        f"{where}: expected 1 or 3 channels, found {channels}, of which one is transparency"
    )


def _decode_tiff(data: bytes, where: str, fits: Callable[[Plane], None]) -> npt.NDArray[Any]:
    with tifffile.TiffFile(BytesIO(data), is_ome=False, **ALONE) as tiff:
        if len(tiff.pages) != 1:
            raise SourceUnsupported(
                f"{where}: expected one page per slice, found {len(tiff.pages)}"
            )
        page = tiff.pages.first
        if page.ndim not in (2, 3) or (page.ndim == 3 and page.planarconfig != 1):
            raise SourceUnsupported(f"{where}: expected a grey slice, found axes {page.axes}")
        if page.photometric == tifffile.PHOTOMETRIC.MINISWHITE:
            raise SourceUnsupported(f"{where}: expected black as 0, found white as 0")
        channels = page.shape[2] if page.ndim == 3 else 1
        dtype = np.dtype(page.dtype).newbyteorder("=")
        plane = _bounded(Plane("TIFF", (page.shape[0], page.shape[1]), channels, dtype), where)
        fits(plane)
        end = max(a + n for a, n in zip(page.dataoffsets, page.databytecounts, strict=True))
        if end > len(data):
            raise SourceUnreadable(f"{where}: expected {end} bytes, found {len(data)}")
        decoded = np.asarray(page.asarray(maxworkers=1))
        if decoded.shape != page.shape:
            raise SourceUnreadable(
                f"{where}: expected pixels of shape {page.shape}, found {decoded.shape}"
            )
        return decoded


def _bounded(plane: Plane, where: str) -> Plane:
    if not 0 < math.prod(plane.shape) <= MOST_PIXELS:
        raise SourceUnreadable(f"{where}: expected 1 to {MOST_PIXELS} pixels, found {plane}")
    return plane
