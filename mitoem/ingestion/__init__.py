"""Any supported file → a volume. One reader per format, one writer.

To add a format: a file with ``recognise(content)`` and ``read(content, wanted)``, and its line in
``READERS``.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Literal, Protocol

from mitoem.errors import RequestInvalid, SourceUnreadable, SourceUnsupported, printable
from mitoem.ingestion import archive, hdf5, nifti, npz, omezarr, slices, tiff
from mitoem.ingestion.source import Content, Source, Wanted, content_of


class Reader(Protocol):
    """What a format's module offers."""

    __name__: str

    def recognise(self, content: Content) -> bool:
        """Whether the content is of this format."""
        ...

    def read(self, content: Content, wanted: Wanted) -> Source:
        """What it holds."""
        ...


READERS: tuple[Reader, ...] = (nifti, npz, tiff, hdf5, omezarr, slices)
"""Readers in the order in which they look at a file; recognition is by content, not by name."""

KEYED: tuple[Reader, ...] = (npz, hdf5, omezarr)
"""Those whose files may hold several arrays."""


def recognise(
    path: str | Path, *, key: str | None = None, role: Literal["image", "labels"] = "image"
) -> Source:
    """What a file or folder holds: format, axes, shape (z, y, x), dtype, voxel size.

    A zip, or a folder, of one file is looked into. ``key`` names an array among several, or a file
    among several. Raises SourceNotFound, SourceUnreadable (empty, truncated, damaged),
    SourceUnsupported, or RequestInvalid for a key where there is nothing to choose from.
    """
    content, wanted = content_of(Path(path)), Wanted(role, key)
    holds_files = content.is_folder or archive.is_zip(content)
    named = key is not None and holds_files and archive.names_member(content, key)
    source = None if named else _read(content, wanted)
    if source is None and holds_files:
        content, wanted = archive.only_member(content, wanted, readable=_recognised)
        source = _read(content, wanted)
        if source is not None and not hdf5.recognise(content):
            archive.check_size(content, source)
    if source is None:
        known = ", ".join(reader.__name__.rpartition(".")[2] for reader in READERS)
        known = f"{known}, a zip or folder of one"
        raise SourceUnsupported(
            f"{content.where}: expected {known}, found bytes {content.head[:8]!r}"
        )
    if min(source.shape) < 1:
        raise SourceUnreadable(f"{content.where}: expected voxels, found shape {source.shape}")
    part = f"{content.name} {source.format} {role} {key or ''}"
    return replace(source, format=printable(source.format), part=part)


def _recognised(content: Content) -> bool:
    return any(reader.recognise(content) for reader in READERS)


def _read(content: Content, wanted: Wanted) -> Source | None:
    for reader in READERS:
        if reader.recognise(content):
            source = reader.read(content, wanted)
            if wanted.key and (reader not in KEYED or content.head.startswith(npz.NPY)):
                raise RequestInvalid(
                    f"{content.where}: expected no key, as a {source.format} is one array, "
                    f"found {wanted.key!r}"
                )
            return source
    return None
