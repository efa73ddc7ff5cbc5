"""One instance as a small picture: its three planes side by side."""

from __future__ import annotations

from typing import Final

import numpy as np

from mitoem import render
from mitoem.front.card import inside
from mitoem.front.squares import squares
from mitoem.geometry import Box, VoxelSize
from mitoem.volume import Volume

EDGE: Final = 128
"""Pixels along each side of a plane's picture."""

GAP: Final = 3
LEAST_FIELD_NM: Final = 500.0
_AROUND: Final = 1.3
"""The field is so many times as wide as the instance is long."""

OUTSIDE: Final = 20
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
    paint = render.Paint(
        window=(info.grey.p1, info.grey.p99),
        selected=(instance_id,),
        selected_opacity=0.5,
        other_opacity=0.12,
    )
    gap = np.zeros((EDGE, GAP, 3), np.uint8)
    parts: list[render.Rgb] = []
    for one in squares(volume, ("image", labels), centre, field_nm=field, edge=EDGE):
        painted = render.overlay(one.layers["image"], one.layers[labels], paint=paint)
        painted[~one.inner] = OUTSIDE
        parts += [painted, gap]
    return np.concatenate(parts[:-1], axis=1)
