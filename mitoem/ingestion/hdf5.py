"""HDF5: dataset ``main``, else the first with three axes, else the one named; (z, y, x)."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from typing import Any

import h5py
import numpy as np
import numpy.typing as npt

from mitoem.errors import SourceUnreadable, SourceUnsupported
from mitoem.ingestion.source import Content, Source, Wanted, naming

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
        shape, dtype = tuple(int(n) for n in dataset.shape), np.dtype(dataset.dtype)
    if len(shape) != 3:
        raise SourceUnsupported(
            f"{content.where}[{name}]: expected 3 axes (z, y, x), found shape {shape}"
        )

    def slabs(depth: int, start: int = 0) -> Iterator[npt.NDArray[Any]]:
        where = f"{content.where}[{name}]"
        with naming(where, FAULTS), content.open() as raw, h5py.File(raw, "r") as file:
            for z in range(start, shape[0], depth):
                yield file[name][z : z + depth]

    return Source(
        content.path,
        f"HDF5, dataset {name!r}",
        "z, y, x",
        (shape[0], shape[1], shape[2]),
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
    wanted = key or (MAIN if MAIN in names else None)
    if wanted is None:
        volumes = [name for name in names if file[name].ndim == 3]
        wanted = volumes[0] if volumes else None
    if wanted is None or wanted not in names:
        known = ", ".join(names) or "none"
        raise SourceUnreadable(
            f"{content.where}: no dataset {wanted or 'of 3 axes'!r}; it has: {known}"
        )
    return wanted
