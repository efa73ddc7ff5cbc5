"""The levels of a pyramid: how far each is shrunk, and the shrinking of images and labels."""

from __future__ import annotations

from itertools import pairwise, product
from typing import Any

import numpy as np
import numpy.typing as npt
import tensorstore as ts

from mitoem.geometry import Index, VoxelSize

PLANE_TARGET = 512
"""A pyramid ends at the first level whose plane is smaller than this in both directions, so that
the coarsest picture is a single tile."""

ISOTROPY = 1.5
"""An axis is shrunk while its voxel is less than this many times the smallest edge."""


def level_factors(shape: Index, voxel_size: VoxelSize) -> tuple[Index, ...]:
    """Cumulative shrink factors (z, y, x) of every level, the first being (1, 1, 1).

    Axes with the smaller voxels shrink first, until voxels are nearly isotropic.

    >>> level_factors((1000, 4096, 4096), (30.0, 8.0, 8.0))
    ((1, 1, 1), (1, 2, 2), (1, 4, 4), (2, 8, 8), (4, 16, 16))
    """
    factors: list[Index] = [(1, 1, 1)]
    while True:
        last = factors[-1]
        sizes = [-(-n // f) for n, f in zip(shape, last, strict=True)]
        if max(sizes[1:]) < PLANE_TARGET:
            return tuple(factors)
        edges = [v * f for v, f in zip(voxel_size, last, strict=True)]
        limit = ISOTROPY * min(e for e, n in zip(edges, sizes, strict=True) if n > 1)
        z, y, x = (
            f * 2 if e < limit and n > 1 else f for f, e, n in zip(last, edges, sizes, strict=True)
        )
        factors.append((z, y, x))


def step(fine: Index, coarse: Index) -> Index:
    """Shrink factors from one level to the next, from their cumulative factors."""
    z, y, x = (c // f for f, c in zip(fine, coarse, strict=True))
    return z, y, x


def shrink_image(image: npt.NDArray[np.uint8], factors: Index) -> npt.NDArray[np.uint8]:
    """Block means rounded to the nearest integer, halves to even; edge blocks use what is there.

    Shape (z, y, x) → ceil(shape / factors). Truncating instead would darken every level.
    """
    if factors == (1, 1, 1):
        return image
    small = ts.downsample(ts.array(image), list(factors), "mean")
    result: npt.NDArray[np.uint8] = np.ascontiguousarray(small.read().result())
    return result


def shrink_labels(labels: npt.NDArray[Any], factors: Index) -> npt.NDArray[Any]:
    """The most frequent id of each block, the lowest of several: ids are names and have no mean.

    Shape (z, y, x) → ceil(shape / factors), same dtype; edge blocks use what is there. Nearly all
    blocks hold one id, so only the others are counted: three times as fast as sorting every block.
    """
    if factors == (1, 1, 1):
        return labels
    spare = [(0, -n % f) for n, f in zip(labels.shape, factors, strict=True)]
    if any(after for _, after in spare):
        labels = np.pad(labels, spare, mode="edge")  # every voxel of a block equally often
    z, y, x = factors
    voxels = [labels[i::z, j::y, k::x] for i, j, k in product(range(z), range(y), range(x))]
    small: npt.NDArray[Any] = voxels[0].copy()
    mixed = voxels[1] != small
    for other in voxels[2:]:
        mixed |= other != small
    places = np.nonzero(mixed)
    small[places] = _modes(np.stack([one[places] for one in voxels]))
    return small


def _modes(ids: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """The most frequent id of each column, the lowest of several; shape (ids, columns)."""
    ids = np.sort(ids, axis=0)
    modes: npt.NDArray[Any] = ids[0].copy()
    run, longest = np.ones(len(modes), np.int16), np.ones(len(modes), np.int16)
    for before, here in pairwise(ids):
        run = np.where(here == before, run + 1, 1)
        longer = run > longest
        modes[longer], longest[longer] = here[longer], run[longer]
    return modes
