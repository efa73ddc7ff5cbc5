"""Boxes of voxels and the physical space around them.

Everything is (z, y, x). The centre of voxel (0, 0, 0) of level 0 lies at 0 nm, and voxel
(i, j, k) at (i, j, k) × voxel size, as in OME-Zarr; a coarser level starts half a voxel in.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeAlias

from mitoem.errors import BoxInvalid, BoxOutside

Index: TypeAlias = tuple[int, int, int]
"""Voxel index or shape, (z, y, x)."""

VoxelSize: TypeAlias = tuple[float, float, float]
"""Edges of a voxel in nanometres, (z, y, x)."""

MITOEM_VOXEL_SIZE: VoxelSize = (30.0, 8.0, 8.0)
"""Voxel of both MitoEM volumes, nm (z, y, x). Source: Wei et al., MICCAI 2020."""

MITOEM_SHAPE: Index = (1000, 4096, 4096)
"""Shape of both MitoEM volumes (z, y, x). Source: the same."""

_BOX = re.compile(r"\s*(\d+):(\d+)\s*,\s*(\d+):(\d+)\s*,\s*(\d+):(\d+)\s*")


@dataclass(frozen=True, slots=True)
class Box:
    """A half-open box of voxels: from ``start`` up to, not including, ``stop`` (z, y, x)."""

    start: Index
    stop: Index

    def __post_init__(self) -> None:
        if any(a < 0 or b <= a for a, b in zip(self.start, self.stop, strict=True)):
            raise BoxInvalid(f"box {self} is empty or starts below 0")

    def __str__(self) -> str:
        return ",".join(f"{a}:{b}" for a, b in zip(self.start, self.stop, strict=True))

    @classmethod
    def parse(cls, text: str) -> Box:
        """Read ``z0:z1,y0:y1,x0:x1``.

        Raises BoxInvalid when the text has another form or the box is empty.

        >>> Box.parse("0:32,10:20,5:9").shape
        (32, 10, 4)
        """
        match = _BOX.fullmatch(text)
        if match is None:
            raise BoxInvalid(f"box {text!r} is not of the form z0:z1,y0:y1,x0:x1")
        z0, z1, y0, y1, x0, x1 = (int(g) for g in match.groups())
        return cls((z0, y0, x0), (z1, y1, x1))

    @classmethod
    def whole(cls, shape: Index) -> Box:
        """The box of a whole array of this shape."""
        return cls((0, 0, 0), shape)

    @property
    def shape(self) -> Index:
        """Edges in voxels (z, y, x)."""
        z, y, x = (b - a for a, b in zip(self.start, self.stop, strict=True))
        return z, y, x

    @property
    def size(self) -> int:
        """Number of voxels."""
        z, y, x = self.shape
        return z * y * x

    @property
    def slices(self) -> tuple[slice, slice, slice]:
        """The box as a numpy index."""
        z, y, x = (slice(a, b) for a, b in zip(self.start, self.stop, strict=True))
        return z, y, x

    def shift(self, by: Index) -> Box:
        """The box moved by ``by`` voxels."""
        return Box(_add(self.start, by), _add(self.stop, by))

    def grow(self, margin: Index, *, within: Index) -> Box:
        """The box with ``margin`` voxels more on every side, kept inside ``within`` (a shape)."""
        start = tuple(max(0, a - m) for a, m in zip(self.start, margin, strict=True))
        stop = tuple(min(n, b + m) for b, m, n in zip(self.stop, margin, within, strict=True))
        return Box(_triple(start), _triple(stop))

    def blocks(self, size: Index) -> Iterator[Box]:
        """The box cut by the grid of blocks of that size through voxel 0, in order (z, y, x)."""
        spans = [
            range(a // n, -(-b // n)) for a, b, n in zip(self.start, self.stop, size, strict=True)
        ]
        for place in itertools.product(*spans):
            start = _triple(tuple(i * n for i, n in zip(place, size, strict=True)))
            part = Box(start, _add(start, size)).intersect(self)
            if part is not None:
                yield part

    def intersect(self, other: Box) -> Box | None:
        """The common part, or None where there is none."""
        start = tuple(max(a, b) for a, b in zip(self.start, other.start, strict=True))
        stop = tuple(min(a, b) for a, b in zip(self.stop, other.stop, strict=True))
        if any(b <= a for a, b in zip(start, stop, strict=True)):
            return None
        return Box(_triple(start), _triple(stop))

    def inside(self, shape: Index) -> Box:
        """The box itself; raises BoxOutside, naming both, when it leaves ``shape``."""
        if any(b > n for b, n in zip(self.stop, shape, strict=True)):
            raise BoxOutside(f"box {self} leaves the volume of shape {shape} (z, y, x)")
        return self


def to_nm(index: tuple[float, float, float], voxel_size: VoxelSize) -> tuple[float, float, float]:
    """Physical place in nm of a level-0 voxel index (z, y, x)."""
    z, y, x = (i * v for i, v in zip(index, voxel_size, strict=True))
    return z, y, x


def to_level(index: tuple[float, float, float], factors: Index) -> tuple[float, float, float]:
    """Level-0 index → fractional index on a level whose voxels are ``factors`` times larger.

    The same nanometre point on both: voxel 0 of the coarse level is centred on (f − 1) / 2.
    """
    z, y, x = ((i - (f - 1) / 2) / f for i, f in zip(index, factors, strict=True))
    return z, y, x


def from_level(index: tuple[float, float, float], factors: Index) -> tuple[float, float, float]:
    """Fractional index on a coarse level → level-0 index; the inverse of ``to_level``."""
    z, y, x = (i * f + (f - 1) / 2 for i, f in zip(index, factors, strict=True))
    return z, y, x


def voxel_volume_um3(voxel_size: VoxelSize) -> float:
    """Volume of one voxel in µm³ from its edges in nm."""
    z, y, x = voxel_size
    return z * y * x * 1e-9


def _add(a: Index, b: Index) -> Index:
    return a[0] + b[0], a[1] + b[1], a[2] + b[2]


def _triple(values: tuple[int, ...]) -> Index:
    z, y, x = values
    return z, y, x
