"""Any supported file → a volume. One reader per format, one writer.

To add a format: a file with ``recognise(content)`` and ``read(content, key=…)``, and its line in
``READERS``.
"""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from mitoem.errors import SourceUnsupported
from mitoem.ingestion import archive, hdf5, nifti, npz, tiff
from mitoem.ingestion.source import Content, Source, content_of


class Reader(Protocol):
    """What a format's module offers."""

    __name__: str

    def recognise(self, content: Content) -> bool:
        """Whether the content is of this format."""
        ...

    def read(self, content: Content, *, key: str | None = None) -> Source:
        """What it holds."""
        ...


READERS: tuple[Reader, ...] = (nifti, npz, tiff, hdf5)
"""Readers in the order in which they look at a file; recognition is by content, not by name."""


def recognise(path: str | Path, *, key: str | None = None) -> Source:
    """What a file holds: format, axes, shape (z, y, x), dtype, voxel size; a zip is looked into.

    Raises SourceNotFound, SourceUnreadable (empty, truncated, damaged) or SourceUnsupported.
    """
    content = content_of(Path(path))
    source = _read(content, key)
    if source is None and archive.is_zip(content):
        source = _read(archive.only_member(content), key)
    if source is None:
        known = ", ".join(reader.__name__.rpartition(".")[2] for reader in READERS)
        raise SourceUnsupported(
            f"{content.where}: expected {known} or a zip of one, found bytes {content.head[:8]!r}"
        )
    return source


def _read(content: Content, key: str | None) -> Source | None:
    for reader in READERS:
        if reader.recognise(content):
            return reader.read(content, key=key)
    return None
