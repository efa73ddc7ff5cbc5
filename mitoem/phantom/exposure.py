"""What a microscope adds to a section: blur, brightness, shading, noise, knife marks."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mitoem.phantom.grid import Floats

_MARKED = 0.06
"""Part of the sections that a notch in the knife has marked."""


def smooth(a: Floats) -> Floats:
    """A little blur: weights 1, 2, 1 along both axes."""
    b = a.copy()
    b[1:-1] = 0.5 * a[1:-1] + 0.25 * (a[:-2] + a[2:])
    c = b.copy()
    c[:, 1:-1] = 0.5 * b[:, 1:-1] + 0.25 * (b[:, :-2] + b[:, 2:])
    return c


def expose(grey: Floats, rng: np.random.Generator) -> NDArray[np.uint8]:
    """Blur, brightness and contrast of the section, shading, shot noise."""
    height, width = grey.shape
    sharp = rng.uniform(0.15, 0.55)
    grey = grey * np.float32(sharp) + smooth(grey) * np.float32(1 - sharp)
    gain, offset = rng.normal(1.08, 0.06), rng.normal(0.0, 6.0)
    tilt = rng.normal(0.0, 3.5, 2)
    shade = np.linspace(-1, 1, height)[:, None] * tilt[0] + np.linspace(-1, 1, width) * tilt[1]
    # Four bytes summed are near enough to normal, and much cheaper; their deviation is 148.
    draws = rng.integers(0, 1 << 32, height * width, np.uint32).view(np.uint8)
    first, second, third, fourth = draws.reshape(4, height, width)
    noise = np.add(first, second, dtype=np.uint16).astype(np.float32)
    noise += third
    noise += fourth
    noise -= 510
    noise *= np.sqrt(np.maximum(grey, 20.0) / 150) * np.float32(rng.uniform(7.0, 12.0) / 148)
    grey += noise
    grey -= 150
    grey *= np.float32(gain)
    grey += (shade + 150 + offset).astype(np.float32)
    if rng.random() < _MARKED:
        _scratch(grey, rng)
    np.clip(grey, 0, 255, out=grey)
    return np.asarray(np.rint(grey), np.uint8)


def _scratch(grey: Floats, rng: np.random.Generator) -> None:
    """A knife mark: a faint straight line across the whole section."""
    height, width = grey.shape
    angle = rng.normal(0.0, 0.15)
    place = rng.random() * width
    x = np.arange(width, dtype=np.float32) - np.float32(place)
    y = np.arange(height, dtype=np.float32)[:, None] - np.float32(height / 2)
    away = x * np.float32(np.cos(angle)) + y * np.float32(np.sin(angle))
    grey += np.float32(rng.choice([-30.0, 26.0])) * np.exp(-((away / rng.uniform(1.5, 5.0)) ** 2))
