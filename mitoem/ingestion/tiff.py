"""Multi-page TIFF stacks, compressed ones too; one page is one section."""

from __future__ import annotations

import logging
import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, Any, cast

import numpy as np
import numpy.typing as npt
import tifffile

from mitoem.errors import SourceUnreadable, SourceUnsupported
from mitoem.geometry import Index, VoxelSize
from mitoem.ingestion.source import Content, Source, Wanted

MOST_CHANNELS = 4
"""A channel axis longer than this is a stack of sections that a program filed as channels."""

MAGIC = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
_IMAGEJ_NM = {"nm": 1.0, "nanometer": 1.0, "um": 1e3, "µm": 1e3, "\\u00B5m": 1e3, "micron": 1e3}
FAULTS = (tifffile.TiffFileError, ValueError, OSError, RuntimeError, KeyError, IndexError)


def recognise(content: Content) -> bool:
    """Whether the first bytes are a TIFF or BigTIFF header."""
    return content.head[:4] in MAGIC


def read(content: Content, wanted: Wanted) -> Source:
    """What the pages say; raises SourceUnreadable or SourceUnsupported, naming the file."""
    del wanted
    try:
        with _open(content) as tiff:
            series = tiff.series[0]
            shape, dtype = tuple(int(n) for n in series.shape), np.dtype(series.dtype)
            axes = str(series.axes)
            size, source = _voxel_size(tiff)
            pages = len(series.pages)
    except FAULTS as error:
        raise SourceUnreadable(f"{content.where}: {error}") from error
    full = _shape(shape, axes, content)

    def slabs(depth: int, start: int = 0) -> Iterator[npt.NDArray[Any]]:
        try:
            with _open(content) as tiff:
                yield from _slabs(tiff, full, depth=depth, start=start, paged=pages == full[0])
        except FAULTS as error:
            raise SourceUnreadable(f"{content.where}: {error}") from error

    return Source(content.path, "TIFF stack", axes.lower(), full, dtype, size, source, slabs)


class _Complaints(logging.Handler):
    """Keeps what tifffile only logs: a truncated file opens with the pages that are left."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(record.getMessage())


@contextmanager
def _open(content: Content) -> Iterator[tifffile.TiffFile]:
    """An open file whose pages are all there; raises SourceUnreadable with the bytes missing."""
    complaints, logger = _Complaints(), logging.getLogger("tifffile")
    logger.addHandler(complaints)
    try:
        with (
            content.open() as file,
            tifffile.TiffFile(cast(IO[bytes], file), name=content.name) as tiff,
        ):
            pages = tiff.series[0].pages
            ends = [
                offset + count
                for page in pages
                if page is not None
                for offset, count in zip(page.dataoffsets, page.databytecounts, strict=True)
            ]
            if complaints.lines:
                raise SourceUnreadable(f"{content.where}: {complaints.lines[0]}")
            if max(ends, default=0) > content.size:
                raise SourceUnreadable(
                    f"{content.where}: expected {max(ends)} bytes, found {content.size}"
                )
            yield tiff
    finally:
        logger.removeHandler(complaints)


def _slabs(
    tiff: tifffile.TiffFile, shape: Index, *, depth: int, start: int, paged: bool
) -> Iterator[npt.NDArray[Any]]:
    """Page by page where a page is a section; a file of one contiguous block is mapped."""
    series = tiff.series[0]
    if not paged:
        whole = series.asarray(out="memmap").reshape(shape)
        for z in range(start, shape[0], depth):
            yield np.array(whole[z : z + depth])
        return
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
    """From ImageJ's spacing and resolution, or OME-XML is left to a person: else unknown."""
    meta = tiff.imagej_metadata or {}
    factor = _IMAGEJ_NM.get(str(meta.get("unit", "")))
    tags = tiff.pages[0].tags  # type: ignore[union-attr]
    if factor is None or "spacing" not in meta or "XResolution" not in tags:
        return None, ""
    edges = [float(meta["spacing"]) * factor]
    for tag in ("YResolution", "XResolution"):
        pixels, per = tags[tag].value
        edges.append(per / pixels * factor if pixels else math.inf)
    if not all(math.isfinite(e) and e > 0 for e in edges):
        return None, ""
    z, y, x = (float(f"{e:.6g}") for e in edges)
    return (z, y, x), "ImageJ metadata"
