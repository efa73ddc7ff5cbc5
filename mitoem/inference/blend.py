"""Cut a volume into overlapping tiles and put their predictions together without seams.

Along each axis the weights of neighbouring tiles sum to one: the outer ``trim`` voxels of a tile
count nothing where a neighbour covers them, then a linear ramp of ``ramp`` voxels crosses over
in the middle of the overlap.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mitoem.geometry import Box, Index

ONE = 65280
"""Weight 1 × probability 1 in the sums: 255 × 256, so that a byte is the upper half."""


@dataclass(frozen=True, slots=True)
class Span:
    """One tile along one axis: where it starts, and its weight per voxel."""

    start: int
    weight: NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Tile:
    """A box of the padded volume (z, y, x), with its weight along each axis."""

    box: Box
    weights: tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]

    def core(self, within: Index) -> Box:
        """The part of the box where this tile has the most weight, inside ``within``."""
        start, stop = [], []
        for at, weight, n in zip(self.box.start, self.weights, within, strict=True):
            strong = np.flatnonzero(weight >= 0.5)
            start.append(min(at + int(strong[0]), n - 1))
            stop.append(min(at + int(strong[-1]) + 1, n))
        return Box((start[0], start[1], start[2]), (stop[0], stop[1], stop[2]))


@dataclass(frozen=True, slots=True)
class Plan:
    """All tiles of a volume: one shape for all, the padded shape, the spans of each axis."""

    shape: Index
    padded: Index
    spans: tuple[tuple[Span, ...], tuple[Span, ...], tuple[Span, ...]]

    def __len__(self) -> int:
        z, y, x = (len(s) for s in self.spans)
        return z * y * x

    def __iter__(self) -> Iterator[Tile]:
        for z, y, x in itertools.product(*self.spans):
            start = (z.start, y.start, x.start)
            stop = (
                z.start + self.shape[0],
                y.start + self.shape[1],
                x.start + self.shape[2],
            )
            yield Tile(Box(start, stop), (z.weight, y.weight, x.weight))


def plan(
    shape: Index, *, divisors: Index, smallest: Index, largest: Index, trim: Index, ramp: Index
) -> Plan:
    """Tiles for a volume of ``shape``: as few per axis as ``largest`` allows, equally spread."""
    numbers = zip(shape, divisors, smallest, largest, trim, ramp, strict=True)
    axes = [
        _axis(max(n, least), divisor=d, largest=most, trim=t, ramp=r)
        for n, d, least, most, t, r in numbers
    ]
    (tz, pz, sz), (ty, py, sy), (tx, px, sx) = axes
    return Plan((tz, ty, tx), (pz, py, px), (sz, sy, sx))


def _axis(
    least: int, *, divisor: int, largest: int, trim: int, ramp: int
) -> tuple[int, int, tuple[Span, ...]]:
    """Tile length, padded length and spans along one axis of at least ``least`` voxels."""
    overlap = 2 * trim + ramp
    count = 1
    while True:
        tile = -(-(least + (count - 1) * overlap) // (count * divisor)) * divisor
        if tile <= largest:
            break
        count += 1
    padded = max(tile, least)
    starts = [round(i * (padded - tile) / max(1, count - 1)) for i in range(count)]
    centres = [(a + b + tile) / 2 for a, b in itertools.pairwise(starts)]
    spans = []
    for i, start in enumerate(starts):
        at = start + np.arange(tile, dtype=np.float32) + 0.5
        weight = np.ones(tile, np.float32)
        if i > 0:
            weight = np.minimum(weight, np.clip(0.5 + (at - centres[i - 1]) / ramp, 0, 1))
        if i < count - 1:
            weight = np.minimum(weight, np.clip(0.5 - (at - centres[i]) / ramp, 0, 1))
        spans.append(Span(start, weight.astype(np.float32)))
    return tile, padded, tuple(spans)


class Blend:
    """Sums of weighted probabilities, two bytes per channel and voxel."""

    def __init__(self, channels: int, plan_: Plan):
        self._sums = np.zeros((channels, *plan_.padded), np.uint16)
        self._single = len(plan_) == 1

    def add(self, tile: Tile, probabilities: NDArray[np.float32]) -> None:
        """Add a tile's probabilities (channels, z, y, x) in 0…1."""
        wz, wy, wx = tile.weights
        weight = wz[:, None, None] * wy[None, :, None] * wx[None, None, :] * np.float32(ONE)
        for sums, found in zip(self._sums, probabilities, strict=True):
            part = found * (np.float32(ONE) if self._single else weight)
            sums[tile.box.slices] += part.astype(np.uint16)

    def bytes_of(self, channel: int, shape: Index) -> NDArray[np.uint8]:
        """One channel as probability × 255, cropped to the unpadded shape."""
        z, y, x = shape
        sums = self._sums[channel, :z, :y, :x]
        return ((sums.astype(np.uint32) + 128) >> 8).astype(np.uint8)
