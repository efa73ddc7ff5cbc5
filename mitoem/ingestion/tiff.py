"""Multi-page TIFF stacks: plain, compressed, tiled, BigTIFF, OME-TIFF, ImageJ's; page = section."""

from __future__ import annotations

import logging
import math
import struct
import threading
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, Any, cast
from xml.etree import ElementTree

import numpy as np
import numpy.typing as npt
import tifffile

from mitoem.errors import SourceUnreadable, SourceUnsupported
from mitoem.geometry import Index, VoxelSize
from mitoem.ingestion.source import Content, Source, Wanted, naming, planes_from_stream

MOST_CHANNELS = 4
"""A channel axis longer than this is a stack of sections that a program filed as channels."""

MAGIC = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
_UNIT_NM = {
    "pm": 1e-3, "Å": 0.1, "nm": 1.0, "nanometer": 1.0, "µm": 1e3, "μm": 1e3, "um": 1e3,
    "\\u00B5m": 1e3, "micron": 1e3, "mm": 1e6, "cm": 1e7, "m": 1e9,
}  # fmt: skip
"""Nanometres in each unit that OME-XML and ImageJ write; µ is U+00B5 in one, U+03BC in another."""

ALONE: dict[str, Any] = {"_multifile": False} | {
    f"is_{kind}": False
    for kind in (
        "mmstack", "ndtiff", "svs", "scn", "qpi", "ndpi", "bif", "avs", "philips", "eer",
        "indica", "scanimage",
    )
}  # fmt: skip
"""No file names another one of this disk; slides and their markup are none of ours."""

FAULTS = (
    tifffile.TiffFileError, ValueError, OSError, RuntimeError, KeyError, IndexError, TypeError,
    ZeroDivisionError, AssertionError, MemoryError, struct.error, zlib.error,
)  # fmt: skip
"""What tifffile raises for files that are damaged or lie."""


def recognise(content: Content) -> bool:
    """Whether the first bytes are a TIFF or BigTIFF header."""
    return content.head[:4] in MAGIC


def read(content: Content, wanted: Wanted) -> Source:
    """What the pages say; raises SourceUnreadable or SourceUnsupported, naming the file."""
    del wanted
    with naming(content.where, FAULTS), _open(content) as tiff:
        series = tiff.series[0]
        shape, dtype = tuple(int(n) for n in series.shape), np.dtype(series.dtype)
        axes = str(series.axes)
        size, source = _voxel_size(tiff)
        if tiff.pages.first.photometric == tifffile.PHOTOMETRIC.MINISWHITE:
            raise SourceUnsupported(f"{content.where}: expected black as 0, found white as 0")
    full = _shape(shape, axes, content)

    def slabs(depth: int, start: int = 0) -> Iterator[npt.NDArray[Any]]:
        with naming(content.where, FAULTS), _open(content) as tiff:
            yield from _slabs(content, tiff, full, depth=depth, start=start)

    return Source(content.path, "TIFF stack", axes.lower(), full, dtype, size, source, slabs)


class _Complaints(logging.Handler):
    """Keeps what tifffile only logs: a truncated file opens with the pages that are left."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.lines: list[str] = []
        self._thread = threading.get_ident()

    def emit(self, record: logging.LogRecord) -> None:
        if record.thread == self._thread:
            self.lines.append(record.getMessage())


@contextmanager
def _open(content: Content) -> Iterator[tifffile.TiffFile]:
    """An open file whose pages are all there; raises SourceUnreadable with the bytes missing."""
    complaints, logger = _Complaints(), logging.getLogger("tifffile")
    logger.addHandler(complaints)
    try:
        with content.open() as file, _stack(cast(IO[bytes], file), content) as tiff:
            series = tiff.series[0]
            pages = series.pages
            if any(page is None for page in pages):
                raise SourceUnreadable(
                    f"{content.where}: expected all sections in one file, "
                    f"found {sum(page is not None for page in pages)} of {len(pages)}"
                )
            ends = [
                offset + count
                for page in pages
                if page is not None
                for offset, count in zip(page.dataoffsets, page.databytecounts, strict=True)
            ]
            if series.dataoffset is not None:
                ends.append(series.dataoffset + series.nbytes)
            if complaints.lines:
                raise SourceUnreadable(f"{content.where}: {complaints.lines[0]}")
            if max(ends, default=0) > content.size:
                raise SourceUnreadable(
                    f"{content.where}: expected {max(ends)} bytes, found {content.size}"
                )
            yield tiff
    finally:
        logger.removeHandler(complaints)


def _stack(file: IO[bytes], content: Content) -> tifffile.TiffFile:
    """A file of one series; raises SourceUnsupported for images of several sizes."""
    tiff = tifffile.TiffFile(file, name=content.name, **ALONE)
    if (tag := tiff.pages.first.tags.get("ImageDescription")) and "<!DOCTYPE" in str(tag.value):
        raise SourceUnreadable(f"{content.where}: expected a description, found one with a DTD")
    if len(tiff.series) > 1 and tiff.is_shaped:
        # Sections written one by one, each of them described as an array of its own.
        file.seek(0)
        tiff = tifffile.TiffFile(file, name=content.name, is_shaped=False, **ALONE)
    if len(tiff.series) > 1:
        shapes = ", ".join(str(tuple(one.shape)) for one in tiff.series[:4])
        raise SourceUnsupported(
            f"{content.where}: expected one stack of sections, "
            f"found {len(tiff.series)} images of shapes {shapes}"
        )
    return tiff


def _slabs(
    content: Content, tiff: tifffile.TiffFile, shape: Index, *, depth: int, start: int
) -> Iterator[npt.NDArray[Any]]:
    """Plain voxels as one stream, whatever the pages; all else page by page."""
    series = tiff.series[0]
    if series.dataoffset is not None:
        dtype = np.dtype(series.dtype).newbyteorder(tiff.byteorder)
        with content.open() as stream:
            stream.seek(series.dataoffset)
            yield from planes_from_stream(
                stream,
                shape=shape,
                dtype=dtype,
                depth=depth,
                start=start,
                where=content.where,
                to_the_end=False,
            )
        return
    if len(series.pages) != shape[0]:
        raise SourceUnsupported(
            f"{content.where}: expected a page per section or plain voxels, "
            f"found {len(series.pages)} pages for {shape[0]} sections"
        )
    for z in range(start, shape[0], depth):
        count = min(depth, shape[0] - z)
        slab = tiff.asarray(key=range(z, z + count), series=0, maxworkers=2)
        yield slab.reshape((count, *shape[1:]))


def _shape(shape: tuple[int, ...], axes: str, content: Content) -> Index:
    channels = [n for n, axis in zip(shape, axes, strict=True) if axis in "SC"]
    if "S" in axes or (channels and min(channels) <= MOST_CHANNELS):
        raise SourceUnsupported(
            f"{content.where}: expected grey sections, found axes {axes} of shape {shape} (colour)"
        )
    if len(shape) == 2:
        return 1, shape[0], shape[1]
    if len(shape) != 3:
        raise SourceUnsupported(
            f"{content.where}: expected 3 axes (z, y, x), found axes {axes} of shape {shape}"
        )
    return shape[0], shape[1], shape[2]


def _voxel_size(tiff: tifffile.TiffFile) -> tuple[VoxelSize | None, str]:
    """From OME-XML, or from ImageJ's spacing and resolution; else unknown."""
    if tiff.is_ome:
        return _ome_voxel_size(tiff.ome_metadata or ""), "OME-XML"
    meta = tiff.imagej_metadata or {}
    factor = _UNIT_NM.get(str(meta.get("unit", "")))
    tags = tiff.pages.first.tags
    if factor is None or "spacing" not in meta or "XResolution" not in tags:
        return None, ""
    edges = [float(meta["spacing"]) * factor]
    for tag in ("YResolution", "XResolution"):
        pixels, per = tags[tag].value
        edges.append(per / pixels * factor if pixels else math.inf)
    return _plausible(edges), "ImageJ metadata"


def _ome_voxel_size(xml: str) -> VoxelSize | None:
    """PhysicalSizeZ, Y and X of the first image; µm where no unit stands beside them.

    Source: the OME-XML schema, element Pixels.
    """
    try:
        pixels = ElementTree.fromstring(xml).find(".//{*}Pixels")
    except ElementTree.ParseError as error:
        raise SourceUnreadable(f"unreadable OME-XML ({error})") from error
    if pixels is None:
        return None
    edges = []
    for axis in "ZYX":
        size = pixels.get(f"PhysicalSize{axis}")
        factor = _UNIT_NM.get(pixels.get(f"PhysicalSize{axis}Unit", "µm"))
        if size is None or factor is None:
            return None
        edges.append(float(size) * factor)
    return _plausible(edges)


def _plausible(edges: list[float]) -> VoxelSize | None:
    if not all(math.isfinite(edge) and edge > 0 for edge in edges):
        return None
    z, y, x = (float(f"{edge:.6g}") for edge in edges)
    return z, y, x
