"""Labels and images to measure: ellipsoids of MitoEM's sizes and density, tile beside tile."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mitoem.geometry import Box, Index
from tests.shapes import ellipsoid

TILE: Index = (128, 512, 512)
PER_TILE = 140


def tile(seed: int) -> NDArray[np.uint8]:
    """Ellipsoids of a log-normal size, about 5 % of the voxels, as in MitoEM."""
    rng = np.random.default_rng(seed)
    labels = np.zeros(TILE, np.uint8)
    for number in range(1, PER_TILE + 1):
        mask = ellipsoid(float(np.exp(rng.normal(9.0, 0.8))), rng).mask
        corner = [rng.integers(-s // 3, n - s // 2) for s, n in zip(mask.shape, TILE, strict=True)]
        low = [max(-c, 0) for c in corner]
        part = mask[tuple(slice(a, None) for a in low)]
        start = [max(c, 0) for c in corner]
        there = labels[tuple(slice(a, a + n) for a, n in zip(start, part.shape, strict=True))]
        inside = part[tuple(slice(0, n) for n in there.shape)]
        there[inside & (there == 0)] = number
    return labels


@dataclass(frozen=True, slots=True)
class Tissue:
    """A volume of any shape (z, y, x) out of four tiles in turn, each with ids of its own."""

    shape: Index
    kinds: tuple[NDArray[np.uint8], ...]
    noise: NDArray[np.uint8]

    @classmethod
    def of(cls, shape: Index) -> Tissue:
        """The same voxels for the same shape, always."""
        noise = np.random.default_rng(9).integers(0, 256, TILE).astype(np.uint8)
        return cls(shape, tuple(tile(seed) for seed in range(4)), noise)

    def labels(self, box: Box) -> NDArray[np.uint32]:
        """The labels of a box."""
        out = np.zeros(box.shape, np.uint32)
        across = [-(-n // t) for n, t in zip(self.shape, TILE, strict=True)]
        for place, at in enumerate(np.ndindex(*across)):
            z, y, x = (a * t for a, t in zip(at, TILE, strict=True))
            common = Box((z, y, x), (z + TILE[0], y + TILE[1], x + TILE[2])).intersect(box)
            if common is not None:
                one = self.kinds[place % len(self.kinds)][_within(common, (z, y, x))]
                named = np.where(one > 0, one + np.uint32(place * PER_TILE), np.uint32(0))
                out[_within(common, box.start)] = named
        return out

    def image(self, box: Box) -> NDArray[np.uint8]:
        """The image of a box."""
        places = [np.arange(a, b) % t for a, b, t in zip(box.start, box.stop, TILE, strict=True)]
        return np.asarray(self.noise[np.ix_(*places)])

    def write(self, folder: Path) -> None:
        """All of it as labels.npy and image.npy."""
        labels = np.lib.format.open_memmap(folder / "labels.npy", "w+", np.uint32, self.shape)
        image = np.lib.format.open_memmap(folder / "image.npy", "w+", np.uint8, self.shape)
        deep, *wide = self.shape
        for z in range(0, deep, TILE[0]):
            slab = Box((z, 0, 0), (min(z + TILE[0], deep), wide[0], wide[1]))
            labels[slab.slices], image[slab.slices] = self.labels(slab), self.image(slab)
        labels.flush()
        image.flush()


def _within(box: Box, origin: Index) -> tuple[slice, ...]:
    """The box as an index into an array that starts at voxel ``origin``."""
    return tuple(slice(a - o, b - o) for a, b, o in zip(box.start, box.stop, origin, strict=True))
