"""The data dictionary: every column of an instance table, in the order in which it is written."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Column:
    """One measurement: its name, unit ("" = a plain number), meaning, source and pandas dtype.

    ``int64``, ``float64``, ``bool`` and ``str`` columns are always measured (a float may be NaN
    where the shape has no such number); ``Int64`` and ``boolean`` are <NA> until measured.
    """

    name: str
    unit: str
    definition: str
    source: str
    dtype: str

    @property
    def colourable(self) -> bool:
        """Whether the column says something of an instance that colours can show."""
        return self.name != "instance_id" and not self.name.startswith("bbox_")


_SURFACE: Final = (
    "Lenoir et al. 1996; Coeurjolly, Flin, Teytaud and Tougne 2003 (surface area by normal "
    "integration)"
)
_SKELETON: Final = "Lee, Kashyap and Chu 1994 (thinning)"
_EIGEN: Final = "principal axes of the second moments"
_CHALLENGE: Final = "MitoEM challenge, Wei et al. MICCAI 2020"

SWELLING: Final = 2.0
"""A stretch is a thin one between swellings when both swellings are so many times as thick.

Mitochondria on a string have tubes of 40–60 nm between bodies of 200 nm and more: Zhang et al.,
Sci Rep 6:18725 (2016). Twice is the cautious end.
"""

THIN_NM: Final = 80.0
"""Largest radius of a stretch that counts as thin, in nm."""

COLUMNS: Final[tuple[Column, ...]] = (
    Column("instance_id", "", "label value of the instance", "", "int64"),
    Column("voxel_count", "", "number of voxels", "", "int64"),
    Column("volume_um3", "µm³", "voxel count × voxel volume", "", "float64"),
    Column(
        "surface_area_um2",
        "µm²",
        "sum over the voxel faces of face area × cos of the angle between face and body normal; "
        "the normal is the gradient of the instance's mask smoothed by 30 nm; a cut object is "
        "closed where the labelled region ends; never less than a ball of the same volume has",
        _SURFACE,
        "float64",
    ),
    Column(
        "equivalent_diameter_um",
        "µm",
        "diameter of the ball of the same volume, (6V/π)^⅓",
        "",
        "float64",
    ),
    Column("sphericity", "", "π^⅓ (6V)^⅔ / SA; 1 for a ball", "Wadell 1935", "float64"),
    Column(
        "mci",
        "",
        "mitochondrial complexity index, SA³ / (16 π² V²); 9/(4π) = 0.716 for a ball",
        "Vincent et al. 2019; Faitg et al. 2021",
        "float64",
    ),
    Column("surface_to_volume_per_um", "1/µm", "surface area / volume", "", "float64"),
    Column(
        "elongation",
        "",
        "major / middle standard deviation of voxel positions in nm; blank when the middle is 0",
        _EIGEN,
        "float64",
    ),
    Column(
        "flatness",
        "",
        "middle / minor standard deviation of voxel positions in nm; blank when the minor is 0",
        _EIGEN,
        "float64",
    ),
    Column(
        "length_um", "µm", "cable length of the skeleton, from tip to tip", _SKELETON, "float64"
    ),
    Column("branch_points", "", "skeleton nodes where more than two branches meet", "", "Int64"),
    Column("end_points", "", "skeleton nodes with one branch", "", "Int64"),
    Column("loops", "", "independent cycles of the skeleton", "", "Int64"),
    Column(
        "radius_mean_um",
        "µm",
        "mean distance from the skeleton to the surface",
        "Euclidean distance transform in nm",
        "float64",
    ),
    Column(
        "radius_min_um",
        "µm",
        "smallest such distance along the skeleton, further than the mean from its ends",
        "Euclidean distance transform in nm",
        "float64",
    ),
    Column("centroid_z_um", "µm", "mean z of the voxel centres; voxel 0 lies at 0", "", "float64"),
    Column("centroid_y_um", "µm", "mean y of the voxel centres; voxel 0 lies at 0", "", "float64"),
    Column("centroid_x_um", "µm", "mean x of the voxel centres; voxel 0 lies at 0", "", "float64"),
    Column("bbox_z0", "", "first voxel along z", "", "int64"),
    Column("bbox_z1", "", "one past the last voxel along z", "", "int64"),
    Column("bbox_y0", "", "first voxel along y", "", "int64"),
    Column("bbox_y1", "", "one past the last voxel along y", "", "int64"),
    Column("bbox_x0", "", "first voxel along x", "", "int64"),
    Column("bbox_x1", "", "one past the last voxel along x", "", "int64"),
    Column("intensity_mean", "grey", "mean of the image inside", "", "float64"),
    Column("intensity_std", "grey", "standard deviation of the image inside", "", "float64"),
    Column(
        "nearest_neighbour_um",
        "µm",
        "distance between its surface and the nearest other instance's, by voxel face centres; 0 "
        "where they touch, blank for a lone instance",
        "",
        "float64",
    ),
    Column(
        "component_count", "", "separate parts under one id, 26 neighbours to a voxel", "", "int64"
    ),
    Column(
        "neighbour_count", "", "instances whose surface comes within 100 nm of its own", "", "Int64"
    ),
    Column(
        "possible_moas",
        "",
        f"possible mitochondrion on a string: along the skeleton a stretch of radius up to "
        f"{THIN_NM:g} nm between two swellings each at least {SWELLING:g} times as thick; a thin "
        "stretch that ends freely, as a nanotunnel does, is none",
        "after Zhang et al. 2016",
        "boolean",
    ),
    Column("touches_border", "", "touches a face of the labelled region: a cut object", "", "bool"),
    Column("split", "", "part of the data set that holds the z of its centroid", "", "str"),
    Column(
        "size_class",
        "",
        "small up to 5,000 voxels, medium up to 15,000, large above",
        _CHALLENGE,
        "str",
    ),
)
"""Every column of the table, in order."""

SMALL_VOXELS: Final = 5_000
"""Largest instance of class small, in voxels. Source: MitoEM challenge evaluation code."""

MEDIUM_VOXELS: Final = 15_000
"""Largest instance of class medium, in voxels. Source: MitoEM challenge evaluation code."""
