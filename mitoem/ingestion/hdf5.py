"""HDF5: the dataset that is named, else ``main``, else the first with three axes (z, y, x)."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from typing import Any

import h5py
import numpy as np
import numpy.typing as npt

from mitoem.errors import SourceUnreadable, SourceUnsupported
from mitoem.ingestion.source import Content, Source, Wanted, flat, naming

MAGIC = b"\x89HDF\r\n\x1a\n"
FAULTS = (OSError, RuntimeError, KeyError, ValueError, TypeError, EOFError, zlib.error)
"""What h5py raises for files that are damaged or lie, and a zip around one."""

MAIN = "main"
"""The dataset that MitoEM's tools read and write."""


def recognise(content: Content) -> bool:
    """Whether the first bytes are HDF5's signature."""
    return content.head.startswith(MAGIC)


def read(content: Content, wanted: Wanted) -> Source:
    """What the dataset says; raises SourceUnreadable or SourceUnsupported, naming the file."""
    with naming(content.where, FAULTS), content.open() as raw, h5py.File(raw, "r") as file:
        name = _choose(file, wanted.key, content)
        dataset = file[name]
        stored, dtype = tuple(int(n) for n in dataset.shape), np.dtype(dataset.dtype)
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


def _choose(file: h5py.File, key: str | None, content: Content) -> str:
    names: list[str] = []
    file.visititems(
        lambda name, item: names.append(name) if isinstance(item, h5py.Dataset) else None
    )
    wanted = (key or "").strip("/") or (MAIN if MAIN in names else None)
    if wanted is None:
        wanted = next((name for name in names if flat(file[name].shape)), None)
    known = ", ".join(f"{name} {file[name].shape}" for name in names) or "none"
    if wanted is None:
        raise SourceUnreadable(
            f"{content.where}: expected a dataset of 3 axes (z, y, x), found {known}"
        )
    if wanted not in names:
        raise SourceUnreadable(f"{content.where}: no dataset {wanted!r}; it has: {known}")
    return wanted
