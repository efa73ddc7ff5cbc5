"""Volumes and label sets: open, list, make from files, add to."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy.typing as npt

from mitoem import catalog
from mitoem.geometry import Box, Index, VoxelSize
from mitoem.ingestion import assemble, placing, recognise
from mitoem.ingestion import parts as label_parts
from mitoem.ingestion import run as ingestion
from mitoem.ingestion.source import unchanged
from mitoem.labels import check as check_labels
from mitoem.labels import smallest_dtype
from mitoem.volume import Volume

Progress = Callable[[float, str], None]
Cancelled = Callable[[], bool]
Data = str | Path | None
"""Data roots; None for ``MITOEM_DATA``, else ``data/``."""


def open_volume(name: str, *, data: Data = None) -> Volume:
    """The volume of that name; raises VolumeNotFound, which lists those that exist."""
    return catalog.from_environment(data).open(name)


def volumes(*, data: Data = None) -> list[str]:
    """Names of the complete volumes, sorted."""
    return catalog.from_environment(data).names()


def ingest(
    name: str,
    image: str | Path,
    *,
    labels: Sequence[str | Path] = (),
    labels_offset: Index | None = None,
    voxel_size: VoxelSize | None = None,
    key: str | None = None,
    labels_key: str | None = None,
    rescale: bool = False,
    crop: Box | None = None,
    overwrite: bool = False,
    description: str = "",
    data: Data = None,
    say: Callable[[str], None] = lambda line: None,
    expect: Callable[[int, str], None] = lambda voxels, stage: None,
    progress: Progress | None = None,
    cancelled: Cancelled | None = None,
    scheduler: str | None = None,
) -> Volume:
    """Make a volume from files of any supported format; see ``mitoem.ingestion.run``.

    ``voxel_size`` in nm and ``labels_offset`` are (z, y, x). ``key`` names an array in a file of
    several, ``labels_key`` that of the labels where it is another. ``description`` is told with
    the volume's sources. ``say`` hears what was recognised, ``expect`` how many voxels each stage
    is. A complete volume from the same sources is returned untouched.
    """
    request = ingestion.Request(
        name=name,
        image=Path(image),
        labels=tuple(Path(path) for path in labels),
        labels_offset=labels_offset,
        voxel_size=voxel_size,
        key=key,
        labels_key=labels_key,
        rescale=rescale,
        crop=crop,
        overwrite=overwrite,
        description=description,
    )
    root = catalog.from_environment(data).writable
    watch = placing.Watch(progress, cancelled, scheduler)
    volume, made = ingestion.run(root, request, say=say, expect=expect, watch=watch)
    if not made:
        say(f"volume {name!r} is complete already, from the same sources")
    return volume


def add_labels(
    volume: str | Volume,
    name: str,
    labels: npt.NDArray[Any] | str | Path,
    *,
    offset: Index | None = None,
    kind: Literal["truth", "prediction"] = "prediction",
    provenance: str = "",
    key: str | None = None,
    overwrite: bool = False,
    data: Data = None,
    say: Callable[[str], None] = lambda line: None,
    expect: Callable[[int, str], None] = lambda voxels, stage: None,
    progress: Progress | None = None,
    cancelled: Cancelled | None = None,
    scheduler: str | None = None,
) -> Volume:
    """Put labels, an array (z, y, x) or a file, beside a volume's image at ``offset``.

    Without an offset, slices lie at their numbers and all else at (0, 0, 0). ``say`` hears what a
    file was recognised as, ``expect`` how many voxels are written, and their name.
    Raises LabelsInvalid, ShapeMismatch with both shapes, VolumeExists for a taken name.
    """
    target = resolved(volume, data=data)
    verify: Callable[[], None] = lambda: None  # noqa: E731 -- an array does not change
    if isinstance(labels, str | Path):
        source = recognise(labels, key=key, role="labels")
        say(source.describe())
        placed = label_parts.parts_of([source], offset=offset, first=target.info.first_slice)
        verify = unchanged(source)
        dtype = label_parts.labels_dtype([source])
    else:
        ids = check_labels(labels)
        dtype = smallest_dtype(int(ids.max(initial=0)))
        placed = (placing.from_array(ids, offset=offset or (0, 0, 0), dtype=dtype),)
    new = assemble.NewLabels(name, placed, dtype, kind, provenance)
    expect(sum(part.box.size for part in placed), name)
    watch = placing.Watch(progress, cancelled, scheduler)
    return assemble.add_labels(target, new, overwrite=overwrite, watch=watch, verify=verify)


def resolved(volume: str | Volume, *, data: Data = None) -> Volume:
    """The volume itself, or the one of that name."""
    return volume if isinstance(volume, Volume) else open_volume(volume, data=data)
