"""Balls, ellipsoids and capsules on a voxel grid, with their exact volume and surface.

Everything is in nm (z, y, x). A voxel belongs to a body when its centre lies inside.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import ellipeinc, ellipkinc

VOXEL = (30.0, 8.0, 8.0)


@dataclass(frozen=True)
class Body:
    """A mask cropped to the body with two voxels around, its volume nm³, area nm², cable nm.

    ``deviations``: standard deviations of its points along its own axes, falling, nm. ``centre``:
    its middle, in nm (z, y, x) from the middle of the mask's first voxel.
    """

    mask: NDArray[np.bool_]
    volume: float
    area: float
    length: float
    deviations: tuple[float, float, float]
    centre: tuple[float, float, float]


def rotation(rng: np.random.Generator) -> NDArray[np.float64]:
    """A random rotation, evenly spread."""
    q, r = np.linalg.qr(rng.normal(size=(3, 3)))
    return q * np.sign(np.diag(r))


def ball(voxels: float, rng: np.random.Generator) -> Body:
    """A ball of about so many voxels at a random sub-voxel offset."""
    return ellipsoid(voxels, rng, aspect=(1, 1, 1))


def ellipsoid(
    voxels: float, rng: np.random.Generator, aspect: tuple[float, float, float] | None = None
) -> Body:
    """An ellipsoid of random orientation, its axes within 1 : 2 : 4 unless given."""
    shape = np.array(aspect or (1, rng.uniform(1, 2), rng.uniform(1, 4)))
    axes = np.cbrt(voxels * np.prod(VOXEL) * 3 / (4 * np.pi) / shape.prod()) * shape
    turn = rotation(rng)
    grid = _grid(np.sqrt(turn**2 @ axes**2), rng)
    points = grid @ turn
    mask = ((points / axes) ** 2).sum(-1) <= 1
    major, middle, minor = sorted((axes / np.sqrt(5)).tolist(), reverse=True)
    volume = 4 / 3 * np.pi * float(axes.prod())
    deviations = (major, middle, minor)
    return Body(mask, volume, _ellipsoid_area(axes), np.nan, deviations, _centre(grid))


def capsule(voxels: float, rng: np.random.Generator, ratio: float | None = None) -> Body:
    """A capsule of random orientation, its cylinder 1 to 10 radii long unless given."""
    long = rng.uniform(1, 10) if ratio is None else ratio
    volume = voxels * float(np.prod(VOXEL))
    radius = float(np.cbrt(volume / (np.pi * long + 4 / 3 * np.pi)))
    axis = rotation(rng)[:, 0]
    half = long * radius / 2
    points = _grid(np.abs(axis) * half + radius, rng)
    along = np.clip(points @ axis, -half, half)
    mask = ((points - along[..., None] * axis) ** 2).sum(-1) <= radius**2
    rod, caps = np.pi * radius**2 * 2 * half / volume, 4 / 3 * np.pi * radius**3 / volume
    across = float(np.sqrt(rod * radius**2 / 4 + caps * radius**2 / 5))
    ends = radius**2 / 5 + half**2 + 2 * half * 3 / 8 * radius
    far = float(np.sqrt(rod * half**2 / 3 + caps * ends))
    area, length = 4 * np.pi * radius * (half + radius), 2 * (half + radius)
    return Body(mask, volume, area, length, (far, across, across), _centre(points))


def _grid(half: NDArray[np.float64], rng: np.random.Generator) -> NDArray[np.float64]:
    """Voxel centres around a body that reaches ``half`` from the origin, randomly offset."""
    axes = []
    for reach, edge in zip(half, VOXEL, strict=True):
        count = int(np.ceil(reach / edge)) + 2
        axes.append((np.arange(-count, count + 1) + rng.uniform(-0.5, 0.5)) * edge)
    return np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1)


def _centre(grid: NDArray[np.float64]) -> tuple[float, float, float]:
    """Where the origin lies, from the first voxel's centre."""
    z, y, x = (-grid[0, 0, 0]).tolist()
    return z, y, x


def _ellipsoid_area(axes: NDArray[np.float64]) -> float:
    """Surface of an ellipsoid by Legendre's integrals (DLMF 19.33)."""
    c, b, a = np.sort(axes)
    if a - c < 1e-9 * a:
        return float(4 * np.pi * a * a)
    phi = np.arccos(c / a)
    m = a**2 * (b**2 - c**2) / (b**2 * (a**2 - c**2))
    bracket = ellipeinc(phi, m) * np.sin(phi) ** 2 + ellipkinc(phi, m) * np.cos(phi) ** 2
    return float(2 * np.pi * c**2 + 2 * np.pi * a * b / np.sin(phi) * bracket)
