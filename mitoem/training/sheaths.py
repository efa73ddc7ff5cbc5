"""Drawn myelin: long dark bands and rings, the forms most often mistaken for mitochondria.

Volumes with few labelled sections show little myelin, and little of it cut along its length,
where it is as dark and as wide as a mitochondrion. Drawn over real sections, with their own
grain, it is background that a network must tell from mitochondria by its length and evenness.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.random import Generator
from torch import Tensor

WIDTH = (8.0, 40.0)
"""Thickness of a sheath in pixels: 60 to 320 nm."""


def lay(
    grey: Tensor, ids: Tensor, grain: Tensor, rng: Generator, *, most: int = 3
) -> tuple[Tensor, Tensor]:
    """One to ``most`` sheaths over a patch (z, y, x) with grey values of about 0…1 and its ids.

    ``grain`` is the patch's own fine texture, which the sheaths take over.
    """
    for _ in range(int(rng.integers(1, most + 1))):
        across = (_band if rng.random() < 0.7 else _ring)(grey.shape, rng)
        half = float(np.exp(rng.uniform(*np.log(WIDTH)))) / 2
        dark = torch.quantile(grey[:, ::4, ::4].flatten(), float(rng.uniform(0.005, 0.25)))
        fill = dark + rng.uniform(-0.06, 0.1) + grain * rng.uniform(0.5, 1.3)
        if rng.random() < 0.6:
            lamellae = torch.sin(across * (2 * np.pi / rng.uniform(3, 9)))
            fill = fill + lamellae * rng.uniform(0.01, 0.1)
        cover = torch.sigmoid((half - across.abs()) * rng.uniform(1.0, 3.0))
        grey = torch.lerp(grey, fill, cover)
        ids = ids * (cover < 0.5)
    return grey, ids


def _plane(shape: torch.Size, rng: Generator) -> tuple[Tensor, Tensor, Tensor]:
    """Section numbers (z, 1, 1), and y and x (1, y, x) about a random point."""
    depth, ny, nx = shape
    y = torch.arange(ny, dtype=torch.float32) - float(rng.uniform(0, ny))
    x = torch.arange(nx, dtype=torch.float32) - float(rng.uniform(0, nx))
    z = torch.arange(depth, dtype=torch.float32)
    return z[:, None, None], y[None, :, None], x[None, None, :]


def _band(shape: torch.Size, rng: Generator) -> Tensor:
    """Distance in pixels from the middle of a bent band, drifting from section to section."""
    z, y, x = _plane(shape, rng)
    turn = rng.uniform(0, np.pi)
    along, across = np.cos(turn) * x + np.sin(turn) * y, np.cos(turn) * y - np.sin(turn) * x
    bend = rng.uniform(0, 14) * torch.sin(along * (2 * np.pi / rng.uniform(90, 400)))
    return across - bend + z * float(rng.normal(0, 3))


def _ring(shape: torch.Size, rng: Generator) -> Tensor:
    """Distance in pixels from an oval, growing or shrinking from section to section."""
    z, y, x = _plane(shape, rng)
    radius = rng.uniform(20, 90) + z * float(rng.normal(0, 1.5))
    oval = float(np.exp(rng.uniform(-0.4, 0.4)))
    return torch.hypot(y * oval, x / oval) - radius
