"""Zips that hold one volume file, read in place: MitoEM's zipped ``.nii.gz`` among them."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from io import BufferedIOBase
from typing import cast

from mitoem.errors import SourceUnreadable, SourceUnsupported
from mitoem.ingestion.npz import ZIP
from mitoem.ingestion.source import Content


def is_zip(content: Content) -> bool:
    """Whether the first bytes are a zip's."""
    return content.head.startswith(ZIP) or content.head.startswith(b"PK\x05\x06")


def only_member(content: Content) -> Content:
    """The one file in a zip; hidden files and the resource forks of macOS do not count.

    Raises SourceUnreadable for a damaged zip, SourceUnsupported when it holds none or several.
    """
    try:
        with content.open() as file, zipfile.ZipFile(file) as archive:
            members = [one for one in archive.infolist() if _counts(one)]
            if len(members) != 1:
                names = ", ".join(one.filename for one in members[:5]) or "nothing"
                raise SourceUnsupported(
                    f"{content.where}: expected one volume in the zip, "
                    f"found {len(members)} ({names})"
                )
            member = members[0]
            with archive.open(member) as first:
                head = first.read(512)
    except (zipfile.BadZipFile, RuntimeError, OSError, EOFError) as error:
        if isinstance(error, SourceUnsupported):
            raise
        raise SourceUnreadable(f"{content.where}: {error}") from error

    @contextmanager
    def open_member() -> Iterator[BufferedIOBase]:
        with (
            content.open() as file,
            zipfile.ZipFile(file) as archive,
            archive.open(member.filename) as stream,
        ):
            yield cast(BufferedIOBase, stream)

    if not head:
        raise SourceUnreadable(f"{content.where}[{member.filename}]: found 0 bytes")
    return Content(content.path, member.filename, head, open_member, member.file_size)


def _counts(member: zipfile.ZipInfo) -> bool:
    parts = member.filename.split("/")
    hidden = any(part.startswith(".") or part == "__MACOSX" for part in parts)
    return not member.is_dir() and not hidden
