"""An error of a prediction as a picture: truth, prediction and difference at its worst point."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from mitoem import render
from mitoem.errors import RequestInvalid
from mitoem.front.squares import Square, squares
from mitoem.front.thumbnails import OUTSIDE
from mitoem.geometry import Index, VoxelSize
from mitoem.volume import Volume

EDGE: Final = 160
"""Pixels along each side of one of the nine pictures."""

GAP: Final = 2
FIELDS_NM: Final = (300.0, 20_000.0)
"""Least and largest width of tissue that is shown."""

_AROUND: Final = 2.2
"""The field is so many times as wide as a ball of the instance's volume."""

DIFFERENCE: Final[Mapping[str, tuple[int, int, int]]] = {
    "both": (46, 160, 134),
    "missed": (70, 140, 255),
    "invented": (255, 150, 0),
    "mixed up": (214, 84, 190),
}
"""Colours of the difference between a true instance and its partner: voxels of both; that no
prediction has; that no truth has; that one of them shares with another instance."""


@dataclass(frozen=True, slots=True)
class Mistake:
    """One error, as ``Scores.to_json`` gives it: what it is of, and where it is worst."""

    truth: int
    predictions: tuple[int, ...]
    partner: int
    point: Index
    others: tuple[int, ...] = ()


def name_of(error: Mapping[str, Any]) -> str:
    """What an error is called in an address: ``t118`` for truth 118, ``p55`` for invented 55."""
    return f"t{error['truth']}" if error["truth"] else f"p{error['predictions'][0]}"


def field_of(voxels: int, voxel_size: VoxelSize) -> float:
    """How much of the tissue is shown around an error in an instance of so many voxels, in nm."""
    diameter = math.cbrt(6 * voxels * math.prod(voxel_size) / math.pi)
    return min(max(_AROUND * diameter, 800.0), 4000.0)


def mistake_picture(
    volume: Volume, truth: str, prediction: str, mistake: Mistake, *, field_nm: float
) -> render.Rgb:
    """Nine pictures: planes z, y, x as rows; truth, prediction, difference as columns.

    uint8 RGB of three times ``EDGE`` and two gaps in height and width. The worst point lies in
    the middle of each. Raises RequestInvalid for a point outside of the volume, or a field that
    no picture has; LabelsNotFound.
    """
    for name in (truth, prediction):
        volume.info.label_set(name)
    if any(p >= n for p, n in zip(mistake.point, volume.info.shape, strict=True)):
        raise RequestInvalid(f"point {mistake.point} lies outside the shape {volume.info.shape}")
    if not FIELDS_NM[0] <= field_nm <= FIELDS_NM[1]:
        low, high = FIELDS_NM
        raise RequestInvalid(f"field must be {low:g} to {high:g} nm, found {field_nm:g}")
    planes = squares(
        volume, ("image", truth, prediction), mistake.point, field_nm=field_nm, edge=EDGE
    )
    rows = [_row(volume, one, truth, prediction, mistake) for one in planes]
    gap = np.zeros((GAP, rows[0].shape[1], 3), np.uint8)
    return np.concatenate([rows[0], gap, rows[1], gap, rows[2]])


def _row(
    volume: Volume, plane: Square, truth: str, prediction: str, mistake: Mistake
) -> render.Rgb:
    grey, true, found = (plane.layers[name] for name in ("image", truth, prediction))
    window = (volume.info.grey.p1, volume.info.grey.p99)
    gap = np.zeros((EDGE, GAP, 3), np.uint8)
    parts = [
        _labels(grey, true, (mistake.truth, *mistake.others), window),
        _labels(grey, found, mistake.predictions, window),
        _difference(grey, true, found, mistake, window),
    ]
    for part in parts:
        part[~plane.inner] = OUTSIDE
    return np.concatenate([parts[0], gap, parts[1], gap, parts[2]], axis=1)


def _labels(
    grey: render.Plane, ids: render.Ids, chosen: tuple[int, ...], window: tuple[int, int]
) -> render.Rgb:
    """Chosen instances filled and outlined, the others faint."""
    paint = render.Paint(window=window, selected=chosen, selected_opacity=0.5, other_opacity=0.18)
    painted = render.overlay(grey, ids, paint=paint)
    rim = render.edges(ids) & np.isin(ids, chosen)
    painted[rim] = render.instance_colour(ids[rim])
    return painted


def _difference(
    grey: render.Plane,
    true: render.Ids,
    found: render.Ids,
    mistake: Mistake,
    window: tuple[int, int],
) -> render.Rgb:
    """Where the true instance and its partner agree, and where each stands alone."""
    painted = render.overlay(grey, paint=render.Paint(window=window)).astype(np.float32)
    real = (true == mistake.truth) & (mistake.truth > 0)
    own = (found == mistake.partner) & (mistake.partner > 0)
    parts: dict[str, npt.NDArray[np.bool_]] = {
        "both": real & own,
        "missed": real & (found == 0),
        "invented": own & (true == 0),
        "mixed up": (real & ~own & (found > 0)) | (own & ~real & (true > 0)),
    }
    for name, part in parts.items():
        painted[part] = 0.4 * painted[part] + 0.6 * np.array(DIFFERENCE[name], np.float32)
    return np.asarray(painted.round(), np.uint8)
