"""Zips and folders seen alike: files with a name and a size, read in place, never unpacked.

A zip is read by nobody's leave: names that leave it, links, encrypted members and sizes that
cannot be true are refused before anything is opened. Python's ``zipfile`` hands out at most the
declared bytes of a member and then compares its CRC-32, so a longer truth is noticed too.
"""

from __future__ import annotations

import math
import re
import stat
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from io import BufferedIOBase
from pathlib import PurePosixPath
from typing import cast

from mitoem.errors import SourceUnreadable, SourceUnsupported
from mitoem.ingestion.digest import LEFT_BEHIND, files_below
from mitoem.ingestion.npz import ENCRYPTED, ZIP
from mitoem.ingestion.source import HEAD, Content, Source, Wanted, naming

MOST_DEFLATE = 1100
"""No deflate stream grows by more than 1032 times. Source: zlib's technical details."""

SPARE = 1 << 20
"""Bytes that a file may have above twice those of its voxels: headers, profiles, tables."""

FEW = 16
"""Files of a zip among which one that can be read is looked for."""

MOST_FILES = 1 << 17
"""Files looked at in one folder or zip; MitoEM's have 1000."""

FAULTS = (zipfile.BadZipFile, zlib.error, RuntimeError, OSError, EOFError, ValueError)
"""What reading a member can raise: damage, a codec that is not there, the disk."""

Open = Callable[[str], AbstractContextManager[BufferedIOBase]]


@dataclass(frozen=True, slots=True)
class Member:
    """A file inside: its name as stored, and the bytes that it is said to have."""

    name: str
    size: int

    @property
    def path(self) -> PurePosixPath:
        """The name with forward slashes, as some zips of Windows do not have them."""
        return PurePosixPath(self.name.replace("\\", "/"))


def is_zip(content: Content) -> bool:
    """Whether the first bytes are a zip's."""
    return content.head.startswith((ZIP, b"PK\x05\x06"))


def members(content: Content) -> tuple[Member, ...]:
    """The files of a zip or folder by name; hidden ones and those of desktops do not count.

    Raises SourceUnreadable for a damaged, unsafe or empty one, SourceUnsupported for an encrypted
    one.
    """
    if content.is_folder:
        below = files_below(content.path)
        _check_count(len(below), content)
        found = [Member(name, (content.path / name).stat().st_size) for name in below]
    else:
        found = listed(content)
    kept = sorted((one for one in found if _counts(one)), key=lambda one: one.name)
    if not kept:
        raise SourceUnreadable(f"{content.where}: expected an image file inside, found none")
    return tuple(kept)


def listed(content: Content) -> list[Member]:
    """All files of a zip, hidden ones too, each found safe; raises as ``members`` does."""
    with naming(content.where, FAULTS), content.open() as file, zipfile.ZipFile(file) as archive:
        found = archive.infolist()
    _check_count(len(found), content)
    seen: set[str] = set()
    for one in found:
        if one.filename in seen:
            raise SourceUnreadable(
                f"{content.where}: expected each file once, found {one.filename} twice"
            )
        seen.add(one.filename)
    return [_checked(one, content) for one in found if not one.filename.endswith("/")]


@contextmanager
def opened(content: Content) -> Iterator[Open]:
    """A way to open the files of a zip or folder by name, for several threads."""
    if content.is_folder:
        yield lambda name: (content.path / name).open("rb")
        return
    with content.open() as file, zipfile.ZipFile(file) as archive:
        yield lambda name: cast(BufferedIOBase, archive.open(name))


def names_member(content: Content, key: str) -> bool:
    """Whether a key is the name of a file in a zip or folder."""
    return any(_is_named(one, key) for one in members(content))


def _is_named(member: Member, key: str | None) -> bool:
    return key in (member.name, member.path.name, member.path.stem)


def only_member(
    content: Content, wanted: Wanted, *, readable: Callable[[Content], bool]
) -> tuple[Content, Wanted]:
    """The one file in a zip or folder, or the one whose name the key is, and what to ask of it.

    Files that are not ``readable`` do not count. Raises SourceUnreadable for a damaged zip,
    SourceUnsupported when it holds none or several.
    """
    inside = members(content)
    chosen = [one for one in inside if _is_named(one, wanted.key)]
    if len(chosen) == 1:
        return member_content(content, chosen[0]), replace(wanted, key=None)
    chosen = chosen or list(inside)
    if 1 < len(chosen) <= FEW:
        images = [one for one in chosen if one.size and readable(member_content(content, one))]
        chosen = images if len(images) == 1 else chosen
    if len(chosen) != 1:
        names = ", ".join(one.name for one in chosen[:5])
        raise SourceUnsupported(
            f"{content.where}: expected one volume inside, or --key with the name of one, "
            f"found {len(chosen)} ({names})"
        )
    return member_content(content, chosen[0]), wanted


def member_content(content: Content, member: Member) -> Content:
    """A file of a zip or folder as content of its own; raises SourceUnreadable for an empty one."""

    @contextmanager
    def open_member() -> Iterator[BufferedIOBase]:
        with opened(content) as open_file, open_file(member.name) as stream:
            yield stream

    with naming(f"{content.where}[{member.name}]", FAULTS), open_member() as first:
        head = first.read(HEAD)
    if not head:
        raise SourceUnreadable(f"{content.where}[{member.name}]: found 0 bytes")
    return Content(content.path, member.name, head, open_member, member.size)


def check_size(content: Content, source: Source) -> None:
    """Raises SourceUnreadable for a file that is larger than its own volume can be."""
    most = 2 * math.prod(source.shape) * source.dtype.itemsize + SPARE
    if content.size > most:
        raise SourceUnreadable(
            f"{content.where}: expected at most {most} bytes for a volume of shape "
            f"{source.shape}, found {content.size}"
        )


def _check_count(found: int, content: Content) -> None:
    if found > MOST_FILES:
        raise SourceUnsupported(
            f"{content.where}: expected at most {MOST_FILES} files, found {found}"
        )


def _checked(member: zipfile.ZipInfo, content: Content) -> Member:
    where = f"{content.where}[{member.filename}]"
    one = Member(member.filename, member.file_size)
    outside = one.path.is_absolute() or ".." in one.path.parts
    if outside or not one.path.parts or re.match(r"[A-Za-z]:", member.filename):
        raise SourceUnreadable(f"{where}: expected a name inside the zip, found one that leaves it")
    if stat.S_ISLNK(member.external_attr >> 16):
        raise SourceUnreadable(f"{where}: expected a file in the zip, found a link")
    if member.flag_bits & ENCRYPTED:
        raise SourceUnsupported(f"{where}: expected an open zip, found an encrypted one")
    if member.compress_type == zipfile.ZIP_DEFLATED:
        most = (member.compress_size + 64) * MOST_DEFLATE
        if member.file_size > most:
            raise SourceUnreadable(
                f"{where}: expected at most {most} bytes from {member.compress_size} compressed, "
                f"found {member.file_size} declared"
            )
    return one


def _counts(member: Member) -> bool:
    parts = member.path.parts
    hidden = any(part.startswith(".") or part == "__MACOSX" for part in parts)
    return not hidden and parts[-1] not in LEFT_BEHIND
