"""From sums to the table of instances."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mitoem.geometry import VoxelSize, voxel_volume_um3
from mitoem.morphometry.columns import COLUMNS, MEDIUM_VOXELS, SMALL_VOXELS
from mitoem.morphometry.neighbours import neighbours
from mitoem.morphometry.partial import SUMS, Partial
from mitoem.morphometry.skeleton import Skeleton
from mitoem.morphometry.surface import area_um2

NO_SPLIT = "none"
"""What the column ``split`` says of an instance in no split."""


class SplitLike(Protocol):
    """A named range of sections: z from ``start`` up to, not including, ``stop``."""

    @property
    def name(self) -> str:
        """What the table calls it."""

    @property
    def start(self) -> int:
        """Its first section."""

    @property
    def stop(self) -> int:
        """One past its last section."""


def finish(
    partial: Partial,
    *,
    voxel_size: VoxelSize,
    splits: Sequence[SplitLike] = (),
    skeletons: Sequence[Skeleton] | None = None,
    progress: Callable[[float, str], None] | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> pd.DataFrame:
    """One row per instance, by rising id, with every column of COLUMNS.

    ``voxel_size`` in nm (z, y, x). ``splits``: the first that holds the centroid's section names
    the row. ``skeletons``: of every row, or None. Columns that were not measured are there and
    blank. Raises RunCancelled.
    """
    sums = {name: partial.sums[:, k] for k, name in enumerate(SUMS)}
    count = sums["count"]
    edges = np.array(voxel_size)
    mean = partial.sums[:, 1:4] / count[:, None]
    values: dict[str, Any] = {"instance_id": partial.ids, "voxel_count": count}
    values |= _shape(partial, voxel_size)
    values |= _axes(partial, edges)
    for k, axis in enumerate("zyx"):
        values[f"centroid_{axis}_um"] = mean[:, k] * edges[k] * 1e-3
        values[f"bbox_{axis}0"] = partial.low[:, k]
        values[f"bbox_{axis}1"] = partial.high[:, k]
    if partial.grey is not None:
        grey, square = (partial.grey[:, k] for k in range(2))
        values["intensity_mean"] = grey / count
        values["intensity_std"] = np.sqrt(np.maximum(square * count - grey * grey, 0.0)) / count
    parts = partial.parts.joined()
    values["component_count"] = np.bincount(
        np.searchsorted(partial.ids, parts), minlength=partial.ids.size
    )
    values["touches_border"] = partial.cut
    values["split"] = _split(mean[:, 0], splits)
    sizes = np.searchsorted([SMALL_VOXELS, MEDIUM_VOXELS], count)
    values["size_class"] = np.array(["small", "medium", "large"], object)[sizes]
    if skeletons is not None:
        values |= _lines(skeletons)
    if partial.faces.ids.size:
        surfaces = partial.faces.by_row(partial.ids)
        found = neighbours(surfaces, voxel_size=voxel_size, progress=progress, cancelled=cancelled)
        values["nearest_neighbour_um"] = found.nearest_um
        values["neighbour_count"] = found.count
    if progress is not None:
        progress(1.0, f"{partial.ids.size} instances")
    return frame(values)


def frame(values: Mapping[str, Any]) -> pd.DataFrame:
    """A table with every column of COLUMNS in order, blank where ``values`` lacks it."""
    rows = len(values["instance_id"])
    blank = {"float64": np.nan, "Int64": pd.NA, "boolean": pd.NA}
    columns = {}
    for column in COLUMNS:
        given = values.get(column.name)
        if given is None:
            given = [blank[column.dtype]] * rows
        columns[column.name] = pd.Series(given, dtype=column.dtype)
    return pd.DataFrame(columns)


def empty() -> pd.DataFrame:
    """The table of no instances: every column, no row."""
    return finish(Partial.none(), voxel_size=(1.0, 1.0, 1.0))


def example() -> pd.DataFrame:
    """One row with a value in every column: an expression that fits it fits all tables."""
    some = {"str": "", "bool": False, "boolean": False, "int64": 0, "Int64": 0, "float64": 0.0}
    return pd.DataFrame({c.name: pd.Series([some[c.dtype]], dtype=c.dtype) for c in COLUMNS})


def _shape(partial: Partial, voxel_size: VoxelSize) -> dict[str, NDArray[np.float64]]:
    """Volume, surface and what follows from the two."""
    volume = partial.sums[:, 0] * voxel_volume_um3(voxel_size)
    # No body has less surface than the ball of its volume; flat scraps of one section, whose
    # normals are guesses, would come out below.
    least = np.cbrt(36 * np.pi * volume**2)
    area = np.maximum(area_um2(partial.sums[:, -3:], voxel_size), least)
    return {
        "volume_um3": volume,
        "surface_area_um2": area,
        "equivalent_diameter_um": np.cbrt(6 * volume / np.pi),
        "sphericity": np.minimum(least / area, 1.0),
        "mci": area**3 / (16 * np.pi**2 * volume**2),
        "surface_to_volume_per_um": area / volume,
    }


def _axes(partial: Partial, edges: NDArray[np.float64]) -> dict[str, NDArray[np.float64]]:
    """Ratios of the standard deviations along the principal axes."""
    # Exact integers: n Σab − Σa Σb is small beside either term far from the origin.
    whole = partial.sums[:, :10].astype(object)
    count, first = whole[:, 0], whole[:, 1:4]
    pairs = {(0, 0): 4, (1, 1): 5, (2, 2): 6, (0, 1): 7, (0, 2): 8, (1, 2): 9}
    spread = np.zeros((len(whole), 3, 3))
    for (a, b), k in pairs.items():
        exact = count * whole[:, k] - first[:, a] * first[:, b]
        spread[:, a, b] = spread[:, b, a] = (exact / (count * count)).astype(np.float64)
    values = np.maximum(np.linalg.eigvalsh(spread * np.outer(edges, edges)), 0.0)
    # Rounding leaves about 1e-16 of the largest where a direction has no extent.
    values[values < 1e-12 * values[:, 2:]] = 0.0
    minor, middle, major = np.sqrt(values).T
    return {"elongation": _ratio(major, middle), "flatness": _ratio(middle, minor)}


def _lines(skeletons: Sequence[Skeleton]) -> dict[str, list[float] | list[int] | list[bool]]:
    """The columns that skeletons fill."""
    return {
        "length_um": [s.length * 1e-3 for s in skeletons],
        "branch_points": [s.branch_points for s in skeletons],
        "end_points": [s.end_points for s in skeletons],
        "loops": [s.loops for s in skeletons],
        "radius_mean_um": [s.radius_mean * 1e-3 for s in skeletons],
        "radius_min_um": [s.radius_min * 1e-3 for s in skeletons],
        "possible_moas": [s.possible_moas for s in skeletons],
    }


def _ratio(over: NDArray[np.float64], under: NDArray[np.float64]) -> NDArray[np.float64]:
    ratio = np.full(over.shape, np.nan)
    np.divide(over, under, out=ratio, where=under > 0)
    return ratio


def _split(section: NDArray[np.float64], splits: Sequence[SplitLike]) -> NDArray[np.object_]:
    """Name of the split of each mean section; section i reaches from i − ½ to i + ½."""
    names = np.full(section.shape, NO_SPLIT, object)
    for split in reversed(splits):
        names[(section >= split.start - 0.5) & (section < split.stop - 0.5)] = split.name
    return names
