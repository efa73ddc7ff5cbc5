"""HDF5: the dataset that is named, else ``main``, else the first with three axes (z, y, x)."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from typing import Any

import h5py
import numpy as np
import numpy.typing as npt

from mitoem.errors import SourceUnreadable, SourceUnsupported
from mitoem.ingestion.source import (
    MOST_NAMED,
    Content,
    Source,
    Wanted,
    check_chunk,
    flat,
    naming,
)

MAGIC = b"\x89HDF\r\n\x1a\n"
FAULTS = (OSError, RuntimeError, KeyError, ValueError, TypeError, EOFError, zlib.error)
"""What h5py raises for files that are damaged or lie, and a zip around one."""

MAIN = "main"
"""The dataset that MitoEM's tools read and write."""

MOST_DATASETS = 10_000
"""Datasets of one file that are looked through."""

MOST_DEPTH = 50
"""Groups inside each other."""


def recognise(content: Content) -> bool:
    """Whether the first bytes are HDF5's signature."""
    return content.head.startswith(MAGIC)


def read(content: Content, wanted: Wanted) -> Source:
    """What the dataset says; raises SourceUnreadable or SourceUnsupported, naming the file."""
    with naming(content.where, FAULTS), content.open() as raw, h5py.File(raw, "r") as file:
        dataset = _choose(file, wanted.key, content)
        name = str(dataset.name).strip("/")
        _check(dataset, f"{content.where}[{name}]")
        stored, dtype = tuple(int(n) for n in dataset.shape or ()), np.dtype(dataset.dtype)
    shape = flat(stored)
    if shape is None:
        raise SourceUnsupported(
            f"{content.where}[{name}]: expected 3 axes (z, y, x), found shape {stored}"
        )
    before = (0,) * (len(stored) - 3)

    def slabs(depth: int, start: int = 0) -> Iterator[npt.NDArray[Any]]:
        where = f"{content.where}[{name}]"
        with naming(where, FAULTS), content.open() as raw, h5py.File(raw, "r") as file:
            for z in range(start, shape[0], depth):
                yield file[name][*before, z : z + depth]

    return Source(
        content.path,
        f"HDF5, dataset {name!r}",
        "z, y, x",
        shape,
        dtype,
        None,
        "",
        slabs,
    )


def _choose(file: h5py.File, key: str | None, content: Content) -> h5py.Dataset:
    """The dataset that is wanted; raises SourceUnreadable, or SourceUnsupported for a tangle.

    Links are not followed: what they lead to may be another file of this disk.
    """
    names: list[str] = []

    def note(name: bytes, info: Any) -> bool | None:
        if info.type == h5py.h5o.TYPE_DATASET:
            names.append(name.decode(errors="replace"))
        return len(names) > MOST_DATASETS or name.count(b"/") > MOST_DEPTH or None

    if h5py.h5o.visit(file.id, note, info=True):
        raise SourceUnsupported(
            f"{content.where}: expected at most {MOST_DATASETS} datasets, at most {MOST_DEPTH} "
            "groups deep, found more"
        )
    wanted = (key or "").strip("/") or (MAIN if MAIN in names else None)
    if wanted is None:
        wanted = next((name for name in names if flat(file[name].shape or ())), None)
    if wanted in names:
        return file[wanted]
    known = ", ".join(f"{name} {file[name].shape}" for name in names[:MOST_NAMED]) or "none"
    if wanted is None:
        raise SourceUnreadable(
            f"{content.where}: expected a dataset of 3 axes (z, y, x), found {known}"
        )
    raise SourceUnreadable(f"{content.where}: no dataset {wanted!r}; it has: {known}")


def _check(dataset: h5py.Dataset, where: str) -> None:
    """Raises SourceUnsupported for voxels that lie in other files, or in absurd chunks."""
    if dataset.external or dataset.is_virtual:
        raise SourceUnsupported(f"{where}: expected voxels in this file, found them in another")
    if dataset.chunks is not None:
        check_chunk(dataset.chunks, dataset.dtype, where=where)
