"""Folders, and zips, of one image per section: MitoEM's own PNG images and TIFF labels.

A section lies at the number in its name; several folders of one zip (train and validation) are
one source. Sections are decoded by two threads, straight from the zip.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from typing import IO, Any, cast

import numpy as np
import numpy.typing as npt
import tifffile

from mitoem.errors import SourceUnreadable
from mitoem.ingestion import archive, planes
from mitoem.ingestion.archive import Member, Open
from mitoem.ingestion.numbering import missing, numbered, runs
from mitoem.ingestion.planes import Plane
from mitoem.ingestion.source import Content, Source, Wanted, naming
from mitoem.ingestion.tiff import ALONE
from mitoem.ingestion.tiff import FAULTS as TIFF_FAULTS

DECODERS = 2
"""Threads that decode; each holds one section."""

SUFFIXES = {".png", ".tif", ".tiff"}
"""What the names of slices end in; a file of another name and content is none."""

SAMPLE = 8
"""Files whose first bytes are looked at to recognise a folder of slices."""


def recognise(content: Content) -> bool:
    """Whether this is a folder or zip of mostly PNG or TIFF files.

    One TIFF alone is a stack, unless it is one page with a number in its name.
    """
    if not content.is_folder and not archive.is_zip(content):
        return False
    inside = archive.members(content)
    sample = inside[:: -(-len(inside) // SAMPLE)]
    with archive.opened(content) as open_file:
        heads = [_head(content, one, open_file) for one in sample]
        if len(inside) == 1:
            return heads[0].startswith(planes.PNG) or _is_one_page(inside[0], open_file)
    return sum(map(planes.recognise, heads)) * 2 > len(heads)


def _is_one_page(file: Member, open_file: Open) -> bool:
    """Whether a file is a TIFF of one page whose name counts a slice."""
    if not any(letter.isdigit() for letter in file.path.stem):
        return False
    try:
        with (
            open_file(file.name) as stream,
            tifffile.TiffFile(cast(IO[bytes], stream), **ALONE) as tiff,
        ):
            return len(tiff.pages) == 1 and len(tiff.series[0].shape) == 2
    except TIFF_FAULTS:
        return False


def read(content: Content, wanted: Wanted) -> Source:
    """The sections by rising number; raises SourceUnreadable or SourceUnsupported, with the file.

    Labels may have gaps along z, which ``runs`` shows; an image may not.
    """
    inside = {one.name: one for one in archive.members(content)}
    with archive.opened(content) as open_file:
        heads = {name: _head(content, one, open_file) for name, one in inside.items()}
        others = [name for name, head in heads.items() if not planes.recognise(head)]
        for name in others:
            if inside[name].path.suffix.lower() in SUFFIXES:
                raise SourceUnreadable(
                    f"{content.where}[{name}]: expected a PNG or TIFF slice, "
                    f"found bytes {heads[name][:8]!r}"
                )
        by_number = numbered([name for name in inside if name not in others], where=content.where)
        if wanted.role == "image":
            _refuse_gaps(by_number, content)
        names = list(by_number.values())
        stack = _look(content, inside[names[0]], wanted, open_file)
    for name in names:
        where = f"{content.where}[{name}]"
        stack.check_size(inside[name].size, where=where)
        if heads[name].startswith(planes.PNG):
            stack.check(planes.of_png(heads[name], where=where), where=where)
    source = _source(content, stack, [inside[name] for name in names], list(by_number))
    if others:
        left = f"{others[0]}{f' and {len(others) - 1} more' if len(others) > 1 else ''}"
        return replace(source, format=f"{source.format} ({left} left out)")
    return source


@dataclass(frozen=True, slots=True)
class _Stack:
    """What all slices of a source share: the plane of a file, and what becomes of its values."""

    plane: Plane
    wanted: Wanted

    @property
    def dtype(self) -> np.dtype[Any]:
        """Of the sections that are handed on."""
        if self.wanted.role == "labels" and self.plane.channels > 1:
            return np.dtype(np.uint32)
        return self.plane.dtype

    def check_size(self, size: int, *, where: str) -> None:
        """Raises SourceUnreadable for a file that no slice of this size fills."""
        most = 2 * self.plane.size + archive.SPARE
        if size > most:
            raise SourceUnreadable(
                f"{where}: expected at most {most} bytes for a slice of {self.plane}, found {size}"
            )

    def check(self, plane: Plane, *, where: str) -> None:
        """Raises SourceUnreadable for a plane of another size or dtype; ids may be narrower."""
        like = replace(plane, kind=self.plane.kind)
        if self.wanted.role == "labels" and np.can_cast(plane.dtype, self.plane.dtype, "safe"):
            like = replace(like, dtype=self.plane.dtype)
        if like != self.plane:
            raise SourceUnreadable(f"{where}: expected a slice of {self.plane}, found {plane}")

    def section(self, data: bytes, *, where: str) -> npt.NDArray[Any]:
        """A file's section."""
        fits = partial(self.check, where=where)
        return self.values(planes.decode(data, where=where, fits=fits), where=where)

    def values(self, decoded: npt.NDArray[Any], *, where: str) -> npt.NDArray[Any]:
        """Ids or grey values of decoded ones."""
        convert = planes.ids if self.wanted.role == "labels" else planes.grey
        return convert(decoded, where=where)


def _look(content: Content, first: Member, wanted: Wanted, open_file: Open) -> _Stack:
    """Decode the first slice: the others must be like it."""
    where = f"{content.where}[{first.name}]"
    if first.size > 16 * planes.MOST_PIXELS:
        raise SourceUnreadable(f"{where}: expected a slice, found {first.size} bytes")
    found: list[Plane] = []
    decoded = planes.decode(_data(content, first, open_file), where=where, fits=found.append)
    plane = found[0]
    if wanted.role == "labels" and plane.channels == 1 and plane.dtype == np.uint8:
        plane = replace(plane, dtype=np.dtype(np.uint16))  # other slices may hold higher ids
    stack = _Stack(plane, wanted)
    stack.values(decoded, where=where)
    return stack


def _source(content: Content, stack: _Stack, files: list[Member], numbers: list[int]) -> Source:
    shape = (len(files), *stack.plane.shape)

    def fill(slab: npt.NDArray[Any], file: Member, open_file: Open) -> None:
        data = _data(content, file, open_file)
        slab[...] = stack.section(data, where=f"{content.where}[{file.name}]")

    def slabs(depth: int, start: int = 0) -> Iterator[npt.NDArray[Any]]:
        with archive.opened(content) as open_file, ThreadPoolExecutor(DECODERS) as pool:
            for z in range(start, shape[0], depth):
                part = files[z : z + depth]
                slab = np.empty((len(part), *shape[1:]), stack.dtype)
                list(pool.map(fill, slab, part, [open_file] * len(part)))
                yield slab

    spans = runs(numbers)
    named = ", ".join(f"{run.start}–{run.stop - 1}" for run in spans[:8])
    named += f" and {len(spans) - 8} more runs" if len(spans) > 8 else ""
    colour = " with RGB ids" if stack.dtype != stack.plane.dtype else ""
    return Source(
        content.path,
        f"{stack.plane.kind} slices {named}{colour}",
        "z, y, x",
        shape,
        stack.dtype,
        None,
        "",
        slabs,
        runs=spans,
    )


def _refuse_gaps(by_number: dict[int, str], content: Content) -> None:
    count, names = missing(by_number)
    if count:
        first, last = min(by_number), max(by_number)
        raise SourceUnreadable(
            f"{content.where}: expected every slice from {first} to {last}, "
            f"{count} missing: {', '.join(names)}{', …' if count > len(names) else ''}"
        )


def _head(content: Content, file: Member, open_file: Open) -> bytes:
    where = f"{content.where}[{file.name}]"
    with naming(where, archive.FAULTS), open_file(file.name) as stream:
        head = stream.read(planes.PNG_HEADER)
    if not head and file.path.suffix.lower() in SUFFIXES:
        raise SourceUnreadable(f"{where}: expected a slice, found 0 bytes")
    return head


def _data(content: Content, file: Member, open_file: Open) -> bytes:
    """All bytes of a file; of a zip's, no more than declared and with the CRC-32 compared."""
    where = f"{content.where}[{file.name}]"
    with naming(where, archive.FAULTS), open_file(file.name) as stream:
        return stream.read(file.size + 1)
