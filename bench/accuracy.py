"""How far each column is from the truth, on bodies of known shape at random places and turns."""

from __future__ import annotations

from typing import Any

import numpy as np

from mitoem.morphometry import measure, skeleton
from tests.shapes import VOXEL, Body, ball, capsule, ellipsoid

SIZES = (2_000, 5_000, 10_000, 20_000, 50_000, 100_000)
"""Voxels of the bodies."""


def accuracy(bodies: int) -> list[dict[str, Any]]:
    """Errors in percent, mean and worst, on bodies of known shape, offset and turned at random."""
    rows = []
    for voxels in SIZES:
        rng = np.random.default_rng(voxels)
        for make_body in (ball, ellipsoid, capsule):
            errors: dict[str, list[float]] = {}
            for _ in range(bodies):
                for name, error in _errors(make_body(voxels, rng)).items():
                    errors.setdefault(name, []).append(100 * error)
            row: dict[str, Any] = {"voxels": voxels, "body": make_body.__name__}
            for name, values in errors.items():
                row[f"{name}_mean"] = round(float(np.abs(values).mean()), 2)
                row[f"{name}_worst"] = round(float(np.abs(values).max()), 2)
            rows.append(row)
    return rows


def _errors(body: Body) -> dict[str, float]:
    """Relative errors of each column that the body has a true value of.

    Of the centroid: its distance from the true one, in equivalent diameters.
    """
    row = measure(body.mask, voxel_size=VOXEL).iloc[0]
    volume, area = body.volume * 1e-9, body.area * 1e-6
    major, middle, minor = body.deviations
    true = {
        "volume_um3": volume,
        "surface_area_um2": area,
        "equivalent_diameter_um": np.cbrt(6 * volume / np.pi),
        "sphericity": np.cbrt(36 * np.pi * volume**2) / area,
        "mci": area**3 / (16 * np.pi**2 * volume**2),
        "surface_to_volume_per_um": area / volume,
        "elongation": major / middle,
        "flatness": middle / minor,
    }
    found = {name: float(row[name] / value - 1) for name, value in true.items()}
    centre = [row[f"centroid_{axis}_um"] * 1e3 for axis in "zyx"]
    away = np.linalg.norm(np.subtract(centre, body.centre))
    found["centroid"] = float(away / np.cbrt(6 * body.volume / np.pi))
    if np.isfinite(body.length):
        line = skeleton(body.mask, voxel_size=VOXEL)
        radius = body.area / (2 * np.pi * body.length)
        found["length_um"] = line.length / body.length - 1
        found["radius_mean_um"] = line.radius_mean / radius - 1
    return found


def markdown(rows: list[dict[str, Any]]) -> str:
    """The errors as a table: a line for a column and a body, mean / worst in percent by size."""
    names = dict.fromkeys(
        name.removesuffix("_mean") for row in rows for name in row if name.endswith("_mean")
    )
    lines = [f"| column | body | {' | '.join(f'{size:,}' for size in SIZES)} |"]
    lines.append("|---" * (2 + len(SIZES)) + "|")
    for name in names:
        for body in dict.fromkeys(row["body"] for row in rows):
            cells = [
                f"{row[f'{name}_mean']:.1f} / {row[f'{name}_worst']:.1f}"
                for row in rows
                if row["body"] == body and f"{name}_mean" in row
            ]
            if cells:
                lines.append(f"| `{name}` | {body} | {' | '.join(cells)} |")
    return "\n".join(lines)
