"""One instance: what was measured of it, how it lies among the others, and what is near."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd

from mitoem.errors import InstanceNotFound, MitoEMError
from mitoem.geometry import Box, Index, VoxelSize
from mitoem.morphometry import COLUMNS
from mitoem.volume import Volume, coarse

PLAIN: Final = {"instance_id", "split", "size_class", "touches_border", "possible_moas"}
NEAREST: Final = 6
"""Other instances that a card names."""
SEARCHED: Final = 1 << 20
"""Voxels of the finest level in which a place inside an instance is looked for."""


@dataclass(frozen=True, slots=True)
class Measure:
    """A measurement with its unit; ``larger_than`` is the share of complete instances below it."""

    name: str
    unit: str
    value: float
    larger_than: float | None


@dataclass(frozen=True, slots=True)
class Near:
    """Another instance and how far its centroid is, µm."""

    instance_id: int
    centre_um: float


@dataclass(frozen=True, slots=True)
class Card:
    """All that is known of one instance; ``centre`` and ``box`` in level-0 voxels (z, y, x)."""

    instance_id: int
    cut: bool
    split: str
    size_class: str
    possible_moas: bool | None
    centre: Index
    box: tuple[Index, Index]
    measures: tuple[Measure, ...]
    near: tuple[Near, ...]
    complete: int


def card(frame: pd.DataFrame, instance_id: int, *, voxel_size: VoxelSize) -> Card:
    """The card of an instance of a table; raises InstanceNotFound.

    Shares are taken among complete instances; those of a cut one are left out, as what is
    missing of it is unknown.
    """
    found = frame[frame["instance_id"] == instance_id]
    if found.empty:
        raise InstanceNotFound(f"no instance {instance_id} in a table of {len(frame)}")
    row = found.iloc[0]
    complete = frame[~frame["touches_border"].astype(bool)]
    cut = bool(row["touches_border"])
    places = [f"centroid_{axis}_um" for axis in "zyx"]
    distance = np.linalg.norm(
        frame[places].to_numpy(float) - row[places].to_numpy(float).reshape(1, 3), axis=1
    )
    order = [k for k in np.argsort(distance, kind="stable") if k != frame.index.get_loc(row.name)]
    ids = frame["instance_id"].to_numpy()
    z, y, x = (
        round(float(row[place]) * 1000 / edge)
        for place, edge in zip(places, voxel_size, strict=True)
    )
    return Card(
        instance_id=instance_id,
        cut=cut,
        split=str(row["split"]),
        size_class=str(row["size_class"]),
        possible_moas=None if pd.isna(row["possible_moas"]) else bool(row["possible_moas"]),
        centre=(z, y, x),
        box=(_corner(row, 0), _corner(row, 1)),
        measures=tuple(_measures(row, complete, cut=cut)),
        near=tuple(Near(int(ids[k]), float(distance[k])) for k in order[:NEAREST]),
        complete=len(complete),
    )


def inside(volume: Volume, labels: str, instance_id: int, *, box: Box, centre: Index) -> Index:
    """The voxel of an instance nearest its ``centre``, in level-0 voxels (z, y, x).

    The centroid of a curved body lies outside of it. Large ones, by their ``box``, are searched
    at a coarser level; where its voxels cannot be read, or a level has lost it, the centre has to
    do.
    """
    found = _Sought(labels, instance_id, centre)
    try:
        for level, of in enumerate(volume.info.levels):
            rough = coarse(box, of.factors)
            if rough.size > SEARCHED and of is not volume.info.levels[-1]:
                continue
            place = _nearest(volume, found, level, rough)
            if place is None or level == 0:
                return place or found.centre
            start = [p * f for p, f in zip(place, of.factors, strict=True)]
            stop = [
                min(s + f, n) for s, f, n in zip(start, of.factors, volume.info.shape, strict=True)
            ]
            fine = Box((start[0], start[1], start[2]), (stop[0], stop[1], stop[2]))
            return _nearest(volume, found, 0, fine) or found.centre
    except MitoEMError:
        pass
    return found.centre


@dataclass(frozen=True, slots=True)
class _Sought:
    """An instance of a label set, and the place (z, y, x) that it is wanted near to."""

    labels: str
    instance_id: int
    centre: Index


def _nearest(volume: Volume, found: _Sought, level: int, box: Box) -> Index | None:
    """Where in a box of a level the instance comes nearest its centre; None: not there."""
    places = np.argwhere(volume.read(box, level=level, layer=found.labels) == found.instance_id)
    if not len(places):
        return None
    places += box.start
    factors = np.array(volume.info.levels[level].factors)
    middle = (np.array(found.centre) + 0.5) / factors - 0.5
    far = ((places - middle) * factors * volume.info.voxel_size) ** 2
    z, y, x = places[far.sum(1).argmin()].tolist()
    return z, y, x


def _measures(row: pd.Series, complete: pd.DataFrame, *, cut: bool) -> list[Measure]:
    found = []
    for column in COLUMNS:
        name = column.name
        if name in PLAIN or name.startswith(("bbox_", "centroid_")) or pd.isna(row[name]):
            continue
        value = float(row[name])
        known = complete[name].dropna()
        share = None if cut or len(known) < 2 else float((known.astype(float) < value).mean())
        found.append(Measure(name, column.unit, value, share))
    return found


def _corner(row: pd.Series, end: int) -> Index:
    return int(row[f"bbox_z{end}"]), int(row[f"bbox_y{end}"]), int(row[f"bbox_x{end}"])
