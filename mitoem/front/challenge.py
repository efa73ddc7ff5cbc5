"""The challenge's submission: one zip with the predictions of both volumes, checked."""

from __future__ import annotations

import tempfile
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import h5py
import numpy as np
import numpy.typing as npt

from mitoem.errors import ShapeMismatch, SourceUnsupported
from mitoem.front.shelves import Data, Progress, open_volume
from mitoem.geometry import Box, Index
from mitoem.ingestion.hdf5 import MAIN
from mitoem.volume import Volume

CHUNK: Final[Index] = (16, 256, 256)
"""Chunk of the HDF5 files; gzipped."""

SLAB: Final = 32
"""Sections that are read at once: whole chunks of the volume, in pieces of ``ROWS`` rows."""

ROWS: Final = 512


@dataclass(frozen=True, slots=True)
class Challenge:
    """What is submitted of a volume of ``shape`` (z, y, x): its sections from ``first`` on."""

    shape: Index
    first: int

    @property
    def box(self) -> Box:
        """The part of each volume that is scored."""
        return Box((self.first, 0, 0), self.shape)


MITOEM: Final = Challenge((1000, 4096, 4096), 500)
"""Sections 500 to 999 of each volume. Source: MitoEM challenge, submission format."""

FILES: Final = {"human": "0_human_instance_seg_pred.h5", "rat": "1_rat_instance_seg_pred.h5"}
"""Name in the zip of each volume's prediction."""


@dataclass(frozen=True, slots=True)
class Submitted:
    """One prediction in the zip: its file, the label set, its shape, type and instances."""

    file: str
    labels: str
    shape: Index
    dtype: str
    instances: int


def submission(
    path: Path,
    *,
    human: str,
    rat: str,
    challenge: Challenge = MITOEM,
    data: Data = None,
    progress: Progress | None = None,
) -> tuple[Submitted, ...]:
    """Write the zip of two label sets, each ``VOLUME/LABELS``; it appears whole or not at all.

    Both HDF5 files hold one dataset, ``main``, of the scored sections, (z, y, x), in the type in
    which the labels are stored: uint16 where all ids fit. A few sections are in memory at a time.
    Raises ShapeMismatch for a volume of another shape or labels that leave scored sections out,
    LabelsNotFound, SourceUnsupported for a name that does not end in ``.zip``.
    """
    if path.suffix.lower() != ".zip":
        raise SourceUnsupported(f"{path.name}: expected .zip")
    asked = {"human": human, "rat": rat}
    sources = {who: _checked(name, challenge, data) for who, name in asked.items()}
    path.parent.mkdir(parents=True, exist_ok=True)
    found = []
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=".submission-") as folder:
        partial = Path(folder) / path.name
        with zipfile.ZipFile(partial, "w", zipfile.ZIP_STORED) as file:
            for number, (who, (volume, labels)) in enumerate(sources.items()):
                one = Path(folder) / FILES[who]
                watch = None if progress is None else _half(progress, number, who)
                found.append(_write(one, volume, labels, challenge.box, watch))
                file.write(one, one.name)
                one.unlink()
        partial.replace(path)
    return tuple(found)


def _checked(name: str, challenge: Challenge, data: Data) -> tuple[Volume, str]:
    """Volume and label set of a name, fit to be submitted."""
    volume_name, _, labels = name.partition("/")
    volume = open_volume(volume_name, data=data)
    one = volume.info.label_set(labels)
    if volume.info.shape != challenge.shape:
        raise ShapeMismatch(
            f"{volume_name} has shape {volume.info.shape}, expected {challenge.shape} (z, y, x)"
        )
    box = challenge.box
    if sum(c.size for b in one.coverage if (c := b.intersect(box)) is not None) < box.size:
        covered = ", ".join(str(b) for b in one.coverage) or "nothing"
        raise ShapeMismatch(f"{name} covers {covered}, expected all of {box}")
    return volume, labels


def _write(
    path: Path, volume: Volume, labels: str, box: Box, progress: Progress | None
) -> Submitted:
    """One HDF5 file of the box, and what is in it."""
    dtype = volume.store(labels, 0).dtype.numpy_dtype
    ids, done = np.zeros(0, np.uint32), 0
    chunk = tuple(min(c, n) for c, n in zip(CHUNK, box.shape, strict=True))
    with h5py.File(path, "w") as file:
        out = file.create_dataset(
            MAIN, box.shape, dtype, chunks=chunk, compression="gzip", compression_opts=1
        )
        for part, voxels in _parts(volume, labels, box):
            start = part.start[0] - box.start[0]
            stop = part.stop[0] - box.start[0]
            out[start:stop, part.start[1] : part.stop[1]] = voxels.astype(dtype)
            ids = np.union1d(ids, np.unique(voxels))
            done += part.size
            if progress is not None:
                progress(done / box.size, labels)
    count = int(np.count_nonzero(ids))
    return Submitted(path.name, f"{volume.name}/{labels}", box.shape, str(dtype), count)


def _parts(volume: Volume, labels: str, box: Box) -> Iterator[tuple[Box, npt.NDArray[Any]]]:
    """Pieces of a box, whole rows of a few sections, one after another."""
    for z in range(box.start[0], box.stop[0], SLAB):
        for y in range(box.start[1], box.stop[1], ROWS):
            stop = (min(z + SLAB, box.stop[0]), min(y + ROWS, box.stop[1]), box.stop[2])
            part = Box((z, y, box.start[2]), stop)
            yield part, volume.read(part, layer=labels)


def _half(progress: Progress, number: int, who: str) -> Progress:
    """Progress of one of the two files."""
    return lambda done, _: progress((number + done) / len(FILES), who)
