"""The coarse grid that membranes are worked out on, and the way from it to fine voxels."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Floats: TypeAlias = NDArray[np.float32]
Doubles: TypeAlias = NDArray[np.float64]

PITCH = 6
"""Voxels of the image to one of the coarse grid, along y and x."""
PAD = 2
"""Coarse voxels before the first fine one."""


def stretch(n: int, start: float) -> tuple[NDArray[np.intp], Floats]:
    """Rows and weights (3, n) of the quadratic B-spline that refines the coarse grid PITCH-fold.

    ``start`` is the place of the first fine voxel in fine voxels.
    """
    place = (np.arange(n) + start) / PITCH + PAD
    row = np.rint(place).astype(np.intp)
    t = (place - row).astype(np.float32)
    weights = np.stack([0.5 * (0.5 - t) ** 2, 0.75 - t * t, 0.5 * (0.5 + t) ** 2])
    return row[None] + np.array([[-1], [0], [1]]), weights.astype(np.float32)


def refine(coarse: Floats, start: tuple[float, float], size: tuple[int, int]) -> Floats:
    """Fine values (…, h, w) of a coarse field (…, y, x) from the fine voxel ``start`` on."""
    rows, row_weight = stretch(size[0], start[0])
    columns, column_weight = stretch(size[1], start[1])
    low, high = rows[0, 0], rows[2, -1] + 1
    part = coarse[..., low:high, :]
    wide = part[..., columns[0]] * column_weight[0]
    wide += part[..., columns[1]] * column_weight[1]
    wide += part[..., columns[2]] * column_weight[2]
    rows = rows - low
    fine = np.take(wide, rows[0], axis=-2)
    fine *= row_weight[0][:, None]
    for tap in (1, 2):
        more = np.take(wide, rows[tap], axis=-2)
        more *= row_weight[tap][:, None]
        fine += more
    return np.asarray(fine, np.float32)
