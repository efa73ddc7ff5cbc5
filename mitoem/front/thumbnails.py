"""One instance as a small picture: its three planes side by side."""

from __future__ import annotations

from typing import Final

import numpy as np

from mitoem import render
from mitoem.front.card import inside
from mitoem.geometry import Box, Index, VoxelSize
from mitoem.volume import Volume

EDGE: Final = 128
"""Pixels along each side of a plane's picture."""

GAP: Final = 3
LEAST_FIELD_NM: Final = 500.0
_AROUND: Final = 1.3
"""The field is so many times as wide as the instance is long."""

_OUTSIDE: Final = 20
"""Grey of what lies outside the volume."""


def field_nm(box: Box, voxel_size: VoxelSize) -> float:
    """How much of the tissue a thumbnail shows along each side, in nm."""
    longest = max(n * v for n, v in zip(box.shape, voxel_size, strict=True))
    return max(LEAST_FIELD_NM, _AROUND * longest)


def thumbnail(volume: Volume, labels: str, instance_id: int, *, box: Box) -> render.Rgb:
    """The planes z, y and x through an instance, side by side; ``box``: its level-0 bounding box.

    ``EDGE`` rows of three times ``EDGE`` columns and the gaps, uint8 RGB, at true proportions. The
    planes meet in a voxel of the instance near the middle of its box; it is filled, others are
    faint.
    """
    info = volume.info
    z, y, x = ((a + b) // 2 for a, b in zip(box.start, box.stop, strict=True))
    centre = inside(volume, labels, instance_id, box=box, centre=(z, y, x))
    field = field_nm(box, info.voxel_size)
    level = max(n for n, one in enumerate(info.levels) if n == 0 or _fine(one.voxel_size, field))
    shown = [_indices(volume, level, axis, centre[axis], field) for axis in range(3)]
    paint = render.Paint(
        window=(info.grey.p1, info.grey.p99),
        selected=(instance_id,),
        selected_opacity=0.5,
        other_opacity=0.12,
    )
    gap = np.zeros((EDGE, GAP, 3), np.uint8)
    parts: list[render.Rgb] = []
    for axis in range(3):
        start, grey, ids = _read(volume, labels, level, axis=axis, shown=shown)
        rows, columns = (
            np.where(np.array(places) < 0, -1, np.array(places) - low)
            for k, (places, low) in enumerate(zip(shown, start, strict=True))
            if k != axis
        )
        inner = (rows >= 0)[:, None] & (columns >= 0)
        at = np.ix_(np.maximum(rows, 0), np.maximum(columns, 0))
        painted = render.overlay(grey[at], np.where(inner, ids[at], 0), paint=paint)
        painted[~inner] = _OUTSIDE
        parts += [painted, gap]
    return np.concatenate(parts[:-1], axis=1)


def _fine(voxel_size: VoxelSize, field: float) -> bool:
    """Whether a level has a voxel for each pixel of a field, in the plane of the sections."""
    return max(voxel_size[1:]) * EDGE <= field


def _indices(volume: Volume, level: int, axis: int, centre: int, field: float) -> list[int]:
    """The voxel of a level under each pixel along an axis; -1 outside of the volume."""
    fine, one = volume.info.voxel_size[axis], volume.info.levels[level]
    places = (centre + 0.5) * fine + (np.arange(EDGE) + 0.5) * (field / EDGE) - field / 2
    found = np.floor(places / one.voxel_size[axis]).astype(int)
    middle = min(centre // one.factors[axis], one.shape[axis] - 1)
    found[EDGE // 2] = middle
    return [int(k) if 0 <= k < one.shape[axis] else -1 for k in found]


def _read(
    volume: Volume, labels: str, level: int, *, axis: int, shown: list[list[int]]
) -> tuple[Index, render.Plane, render.Ids]:
    """First voxel of the plane across ``axis`` through the middle of what is shown; grey; ids."""
    spans = [sorted(k for k in places if k >= 0) for places in shown]
    start = [span[0] for span in spans]
    stop = [span[-1] + 1 for span in spans]
    start[axis] = shown[axis][EDGE // 2]
    stop[axis] = start[axis] + 1
    box = Box(_index(start), _index(stop))
    grey, ids = (
        np.take(volume.read(box, level=level, layer=layer), 0, axis=axis)
        for layer in ("image", labels)
    )
    return box.start, grey, ids


def _index(values: list[int]) -> Index:
    return values[0], values[1], values[2]
