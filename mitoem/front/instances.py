"""Instances: measured tables, and surfaces."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from functools import partial

import pandas as pd

from mitoem import blocks, catalog, filters, meshes, morphometry, tables
from mitoem.catalog import Catalog
from mitoem.errors import InstanceNotFound, TableMissing, VolumeInvalid
from mitoem.front.shelves import Cancelled, Data, Progress, resolved
from mitoem.geometry import Box
from mitoem.version import versions
from mitoem.volume import Volume, coarse


def measure(
    volume: str | Volume,
    labels: str = "truth",
    *,
    skeletons: bool | None = None,
    scheduler: str | None = None,
    data: Data = None,
    progress: Progress | None = None,
    cancelled: Cancelled | None = None,
) -> pd.DataFrame:
    """Measure every instance of a label set and keep the table beside the volume.

    One row per instance; the columns are ``mitoem.morphometry.COLUMNS``. ``skeletons`` fills
    lengths, branches and radii too, which takes most of the time; None does so when the table
    that is replaced has them. ``scheduler``, or ``MITOEM_SCHEDULER``: a Dask cluster that does the
    work; the table is the same. Raises LabelsNotFound, RunCancelled, SchedulerUnreachable.
    """
    known = catalog.from_environment(data)
    target = resolved(volume, data=data)
    info, one = target.info, target.info.label_set(labels)
    if skeletons is None:
        skeletons = _had_skeletons(known, target, labels)
    address, each = blocks.scheduler_address(scheduler), None
    if address is not None:
        each = partial(blocks.each, scheduler=address, cancelled=cancelled)
    frame = morphometry.measure_blocks(
        partial(target.read, layer=labels),
        target.read,
        info.shape,
        voxel_size=info.voxel_size,
        regions=one.coverage,
        splits=info.splits,
        skeletons=skeletons,
        each=each,
        progress=None if progress is None else lambda done, _: progress(done, "measure"),
        cancelled=cancelled,
    )
    provenance = {
        "volume": info.name,
        "labels": labels,
        "labels_version": one.version,
        "measured_from": info.measured_from(labels),
        "measured_with": versions(),
        "sources": [asdict(source) for source in info.sources],
        "voxel_size_nm": info.voxel_size,
        "synthetic": info.synthetic,
        "skeletons": skeletons,
    }
    tables.write(known.tables(target), labels, frame, provenance=provenance)
    return frame


def _had_skeletons(known: Catalog, volume: Volume, labels: str) -> bool:
    """Whether the table of these labels, current or not, was measured with skeletons."""
    try:
        note = known.provenance(volume, labels)
    except VolumeInvalid:
        return False
    return bool(note and note.get("skeletons"))


def table(
    volume: str | Volume,
    labels: str = "truth",
    *,
    filter: str = "",  # noqa: A002 -- the word of the command line and of the URL
    columns: Sequence[str] | None = None,
    data: Data = None,
    progress: Progress | None = None,
) -> pd.DataFrame:
    """The instance table of a label set, measured first where it is missing or out of date.

    ``filter`` is an expression such as ``volume_um3 > 0.05 and not touches_border``; raises
    FilterInvalid for a bad one or for a column that is not there.
    """
    target = resolved(volume, data=data)
    try:
        frame = stored_table(target, labels, data=data)
    except TableMissing:
        frame = measure(target, labels, data=data, progress=progress)
    if filter:
        frame = frame[filters.parse(filter).apply(frame)].reset_index(drop=True)
    return frame if columns is None else tables.chosen(frame, columns)


def stored_table(volume: Volume, labels: str = "truth", *, data: Data = None) -> pd.DataFrame:
    """The table as it is stored; raises TableMissing when the labels need measuring."""
    return catalog.from_environment(data).table(volume, labels)


def lengths_um(
    volume: Volume, labels: str = "truth", *, data: Data = None
) -> dict[int, float] | None:
    """Skeleton length in µm by id, NaN where unknown, from the stored table.

    None where no table of the labels' present version holds any.
    """
    try:
        frame = stored_table(volume, labels, data=data)
    except (TableMissing, VolumeInvalid):
        return None
    if not frame["length_um"].notna().any():
        return None
    return dict(zip(frame["instance_id"].tolist(), frame["length_um"].tolist(), strict=True))


def instance_box(volume: Volume, labels: str, instance_id: int, *, data: Data = None) -> Box:
    """The level-0 bounding box of an instance; raises InstanceNotFound."""
    frame = table(volume, labels, data=data)
    row = frame[frame["instance_id"] == instance_id]
    if row.empty:
        raise _not_found(instance_id, volume, labels, len(frame))
    start = [int(row[f"bbox_{axis}0"].iloc[0]) for axis in "zyx"]
    stop = [int(row[f"bbox_{axis}1"].iloc[0]) for axis in "zyx"]
    return Box((start[0], start[1], start[2]), (stop[0], stop[1], stop[2]))


def instance_ids(
    volume: Volume, labels: str, asked: Sequence[int] = (), *, data: Data = None
) -> list[int]:
    """The ids asked for, or all that there are; raises InstanceNotFound for one that is not."""
    known = table(volume, labels, data=data)["instance_id"].tolist()
    if missing := {*asked} - {*known}:
        raise _not_found(min(missing), volume, labels, len(known))
    return list(asked or known)


def _not_found(one: int, volume: Volume, labels: str, count: int) -> InstanceNotFound:
    return InstanceNotFound(
        f"no instance {one} in {labels!r} of {volume.name!r}, which has {count}"
    )


def mesh(
    volume: str | Volume,
    labels: str,
    instance_id: int,
    *,
    level: int = 0,
    data: Data = None,
) -> meshes.Mesh:
    """The surface of one instance, vertices (x, y, z) in µm, from a level of the pyramid.

    Raises InstanceNotFound for an id that the table does not hold.
    """
    target = resolved(volume, data=data)
    target.level_shape(level)
    info = target.info.levels[level]
    box = coarse(instance_box(target, labels, instance_id, data=data), info.factors)
    mask = target.read(box, level=level, layer=labels) == instance_id
    offset = meshes.level_offset(box.start, info.factors)
    return meshes.mesh(mask, voxel_size=info.voxel_size, offset=offset)
