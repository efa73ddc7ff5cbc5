"""Every column of a statistics CSV but those of skeletons, computed anew in plain numpy.

Shares no code with the project and imports nothing of it: what the columns mean is taken from the
data dictionary. Slow, and meant to be read.
"""

from __future__ import annotations

import csv
from itertools import combinations_with_replacement, product
from pathlib import Path
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]
Box = tuple[tuple[int, int, int], tuple[int, int, int]]

SMOOTH_NM = 30.0
NEAR_NM = 100.0
SMALL, MEDIUM = 5_000, 15_000


def read_csv(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def rows(
    labels: Array,
    image: Array,
    *,
    voxel_nm: tuple[float, float, float],
    coverage: list[Box],
    splits: list[tuple[str, int, int]],
) -> list[dict[str, Any]]:
    """One row per instance; labels outside of the coverage count for nothing."""
    covered = np.zeros(labels.shape, bool)
    for (z0, y0, x0), (z1, y1, x1) in coverage:
        covered[z0:z1, y0:y1, x0:x1] = True
    labels = np.where(covered, labels, 0)
    ids = [int(one) for one in np.unique(labels) if one]
    masks = {one: np.pad(labels == one, 20) for one in ids}
    faces = {one: face_centres(mask, voxel_nm) for one, mask in masks.items()}
    return [
        plain(labels == one, image, covered, one, voxel_nm=voxel_nm, splits=splits)
        | shape(masks[one], voxel_nm)
        | neighbours(one, faces)
        for one in ids
    ]


def plain(
    mask: Array, image: Array, covered: Array, instance: int, *,
    voxel_nm: tuple[float, float, float], splits: list[tuple[str, int, int]],
) -> dict[str, Any]:  # fmt: skip
    places = np.argwhere(mask)
    grey = image[mask].astype(np.float64)
    middle = places.mean(axis=0)
    row: dict[str, Any] = {
        "instance_id": instance,
        "voxel_count": len(places),
        "intensity_mean": grey.mean(),
        "intensity_std": grey.std(),
        "component_count": parts(places),
        "touches_border": at_an_edge(mask, covered),
        "split": next((n for n, a, b in splits if a - 0.5 <= middle[0] < b - 0.5), "none"),
        "size_class": "small" if len(places) <= SMALL else
                      "medium" if len(places) <= MEDIUM else "large",
    }  # fmt: skip
    for k, axis in enumerate("zyx"):
        row[f"centroid_{axis}_um"] = middle[k] * voxel_nm[k] / 1000
        row[f"bbox_{axis}0"] = places[:, k].min()
        row[f"bbox_{axis}1"] = places[:, k].max() + 1
    spread = np.sqrt(np.linalg.eigvalsh(np.cov((places * voxel_nm).T, bias=True)).clip(0))
    spread = np.where(spread < 1e-6 * spread[2], 0, spread) if len(places) > 1 else np.zeros(3)
    minor, mean, major = spread
    row["elongation"] = major / mean if mean else np.nan
    row["flatness"] = mean / minor if minor else np.nan
    return row


def parts(places: Array) -> int:
    """Separate parts, 26 neighbours to a voxel: a flood fill."""
    left = {tuple(one) for one in places.tolist()}
    steps = [one for one in product((-1, 0, 1), repeat=3) if any(one)]
    count = 0
    while left:
        count += 1
        reached = [left.pop()]
        while reached:
            z, y, x = reached.pop()
            for dz, dy, dx in steps:
                beside = (z + dz, y + dy, x + dx)
                if beside in left:
                    left.remove(beside)
                    reached.append(beside)
    return count


def at_an_edge(mask: Array, covered: Array) -> bool:
    """Whether a voxel has a face beyond which nobody labelled."""
    inside, known = np.pad(mask, 1), np.pad(covered, 1)
    for axis in range(3):
        for step in (1, -1):
            if (inside & ~np.roll(known, step, axis)).any():
                return True
    return False


def widths(voxel: float) -> tuple[int, ...]:
    """Three running means, of about equal widths, of joint variance nearest the smoothing's."""
    sigma = max(SMOOTH_NM / voxel, 1.0)
    equal = round((4 * sigma**2 + 1) ** 0.5)
    sizes = [width for width in range(equal - 2, equal + 3) if width > 0]
    triples = [t for t in combinations_with_replacement(sizes, 3) if sum(t) % 2]
    return min(
        triples, key=lambda t: (abs(sum(w * w - 1 for w in t) / 12 - sigma**2), t[-1] - t[0])
    )


def smoothed(mask: Array, voxel_nm: tuple[float, float, float]) -> Array:
    out = mask.astype(np.int64)
    for axis, voxel in enumerate(voxel_nm):
        kernel = np.ones(1, np.int64)
        for width in widths(voxel):
            kernel = np.convolve(kernel, np.ones(width, np.int64))
        middle = len(kernel) // 2
        out = sum(
            (weight * np.roll(out, k - middle, axis) for k, weight in enumerate(kernel.tolist())),
            np.zeros_like(out),
        )
    return out


def surface_um2(mask: Array, voxel_nm: tuple[float, float, float]) -> float:
    """Voxel faces, each with the cosine between its outward direction and the smoothed normal.

    Cosines are rounded to 2⁻²⁰, as the project sums them.
    """
    field, total = smoothed(mask, voxel_nm), 0.0
    rises = [np.roll(field, -1, k) - np.roll(field, 1, k) for k in range(3)]
    for axis in range(3):
        others = [voxel_nm[k] for k in range(3) if k != axis]
        face = mask != np.roll(mask, -1, axis)
        slopes = [
            ((rise + np.roll(rise, -1, axis))[face] / voxel_nm[k]) for k, rise in enumerate(rises)
        ]
        steep = np.sqrt(sum(slope**2 for slope in slopes))
        cosine = np.ones(len(steep))
        outwards = np.where(mask[face], -1, 1) * slopes[axis]
        np.divide(outwards, steep, out=cosine, where=steep > 0)
        total += np.rint(cosine * 2**20).sum() / 2**20 * others[0] * others[1] * 1e-6
    return total


def shape(mask: Array, voxel_nm: tuple[float, float, float]) -> dict[str, float]:
    volume = np.count_nonzero(mask) * float(np.prod(voxel_nm)) * 1e-9
    ball = (36 * np.pi * volume**2) ** (1 / 3)
    area = max(surface_um2(mask, voxel_nm), ball)
    return {
        "volume_um3": volume,
        "surface_area_um2": area,
        "equivalent_diameter_um": (6 * volume / np.pi) ** (1 / 3),
        "sphericity": min(np.pi ** (1 / 3) * (6 * volume) ** (2 / 3) / area, 1.0),
        "mci": area**3 / (16 * np.pi**2 * volume**2),
        "surface_to_volume_per_um": area / volume,
    }


def face_centres(mask: Array, voxel_nm: tuple[float, float, float]) -> Array:
    """Centres of the faces between a body and what is around it, nm."""
    found = []
    for axis in range(3):
        places = np.argwhere(mask != np.roll(mask, -1, axis)).astype(np.float64)
        places[:, axis] += 0.5
        found.append(places)
    return np.concatenate(found) * voxel_nm


def neighbours(instance: int, faces: dict[int, Array]) -> dict[str, float]:
    mine = faces[instance]
    apart = [
        min(np.linalg.norm(mine - point, axis=1).min() for point in other)
        for one, other in faces.items()
        if one != instance
    ]
    return {
        "nearest_neighbour_um": min(apart) / 1000 if apart else np.nan,
        "neighbour_count": sum(one <= NEAR_NM for one in apart),
    }
