"""The three planes through a point on square pixels: what small pictures are painted from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from mitoem.geometry import Box, Index, VoxelSize
from mitoem.volume import Volume


@dataclass(frozen=True, slots=True, eq=False)
class Square:
    """One plane: layers by name, all (edge, edge); ``inner`` is False outside of the volume."""

    inner: npt.NDArray[np.bool_]
    layers: Mapping[str, npt.NDArray[Any]]


def squares(
    volume: Volume,
    layers: Sequence[str],
    centre: Index,
    *,
    field_nm: float,
    edge: int,
    through: Index | None = None,
) -> list[Square]:
    """The planes across z, y and x around a level-0 voxel, ``field_nm`` wide and high.

    ``edge`` pixels along each side, the voxel under the middle one; ``through``: the level-0
    section of each plane, those of the voxel unless given. Read from the coarsest level
    that has a voxel for each pixel in the plane of the sections; labels are 0 outside.
    """
    info = volume.info
    level = max(
        n for n, one in enumerate(info.levels) if n == 0 or _fine(one.voxel_size, field_nm / edge)
    )
    shown = [
        _indices(volume, level, axis, centre[axis], field=field_nm, edge=edge) for axis in range(3)
    ]
    sections = centre if through is None else through
    return [
        _square(volume, layers, level, axis, shown, section=sections[axis]) for axis in range(3)
    ]


def _fine(voxel_size: VoxelSize, pixel_nm: float) -> bool:
    return max(voxel_size[1:]) <= pixel_nm


def _indices(
    volume: Volume, level: int, axis: int, centre: int, *, field: float, edge: int
) -> npt.NDArray[np.intp]:
    """The voxel of a level under each pixel along an axis; -1 outside of the volume."""
    fine, one = volume.info.voxel_size[axis], volume.info.levels[level]
    places = (centre + 0.5) * fine + (np.arange(edge) + 0.5) * (field / edge) - field / 2
    found = np.floor(places / one.voxel_size[axis]).astype(np.intp)
    found[edge // 2] = _within(volume, level, axis, centre)
    return np.where((found >= 0) & (found < one.shape[axis]), found, -1)


def _within(volume: Volume, level: int, axis: int, section: int) -> int:
    """The section of a level that holds a level-0 section."""
    one = volume.info.levels[level]
    return min(section // one.factors[axis], one.shape[axis] - 1)


def _square(
    volume: Volume,
    layers: Sequence[str],
    level: int,
    axis: int,
    shown: Sequence[npt.NDArray[np.intp]],
    *,
    section: int,
) -> Square:
    """The plane across ``axis`` through a level-0 section, of what is shown."""
    spans = [places[places >= 0] for places in shown]
    middle = _within(volume, level, axis, section)
    low = [int(middle if k == axis else span[0]) for k, span in enumerate(spans)]
    high = [int(middle if k == axis else span[-1]) + 1 for k, span in enumerate(spans)]
    box = Box((low[0], low[1], low[2]), (high[0], high[1], high[2]))
    rows, columns = (
        np.where(places < 0, -1, places - low[k]) for k, places in enumerate(shown) if k != axis
    )
    inner = (rows >= 0)[:, None] & (columns >= 0)
    at = np.ix_(np.maximum(rows, 0), np.maximum(columns, 0))
    read = {name: volume.read(box, level=level, layer=name) for name in layers}
    return Square(
        inner,
        {name: np.where(inner, np.take(part, 0, axis=axis)[at], 0) for name, part in read.items()},
    )
