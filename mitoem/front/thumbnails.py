"""One instance as a small picture: its three planes side by side."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from mitoem import render
from mitoem.errors import MitoEMError
from mitoem.front.card import SEARCHED
from mitoem.front.squares import squares
from mitoem.geometry import Box, Index, VoxelSize
from mitoem.volume import Volume, coarse

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

    ``EDGE`` rows of three times ``EDGE`` columns and the gaps, uint8 RGB, at true proportions, the
    middle of the box in the middle. Each plane lies where most of the instance is cut; it is
    filled, others are faint.
    """
    info = volume.info
    centre, widest = _middle(box), _widest(volume, labels, instance_id, box=box)
    field = field_nm(box, info.voxel_size)
    paint = render.Paint(
        window=(info.grey.p1, info.grey.p99),
        selected=(instance_id,),
        selected_opacity=0.5,
        other_opacity=0.12,
    )
    gap = np.zeros((EDGE, GAP, 3), np.uint8)
    parts: list[render.Rgb] = []
    planes = squares(volume, ("image", labels), centre, field_nm=field, edge=EDGE, through=widest)
    for one in planes:
        painted = render.overlay(one.layers["image"], one.layers[labels], paint=paint)
        painted[~one.inner] = OUTSIDE
        parts += [painted, gap]
    return np.concatenate(parts[:-1], axis=1)


def _widest(volume: Volume, labels: str, instance_id: int, *, box: Box) -> Index:
    """For each axis the level-0 section in which most of an instance lies, of equals the middle.

    Large ones are looked at in a coarser level. What cannot be read, or a level has lost, is cut
    in the middle of its box.
    """
    levels = volume.info.levels
    level, rough = next(
        (n, part)
        for n, part in enumerate(coarse(box, one.factors) for one in levels)
        if part.size <= SEARCHED or n == len(levels) - 1
    )
    try:
        mask = volume.read(rough, level=level, layer=labels) == instance_id
    except MitoEMError:
        return _middle(box)
    if not mask.any():
        return _middle(box)
    z, y, x = (
        _section(mask.sum(tuple({0, 1, 2} - {axis})), rough.start[axis], factor, stop)
        for axis, (factor, stop) in enumerate(
            zip(levels[level].factors, volume.info.shape, strict=True)
        )
    )
    return z, y, x


def _section(areas: npt.NDArray[np.intp], start: int, factor: int, stop: int) -> int:
    """The level-0 section in the middle of the widest of a level, whose first is ``start``."""
    best = np.flatnonzero(areas == areas.max())
    return min((start + int(best[len(best) // 2])) * factor + factor // 2, stop - 1)


def _middle(box: Box) -> Index:
    z, y, x = ((a + b) // 2 for a, b in zip(box.start, box.stop, strict=True))
    return z, y, x
