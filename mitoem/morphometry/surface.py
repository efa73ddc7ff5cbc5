"""Surface area of a labelled body, from the faces of its voxels and its smoothed normals.

The staircase of voxel faces is too large by up to 70 %, but the sum of *projected* faces is not:
every face counts with the cosine between its own direction and the body's normal there, which for
a flat patch gives its true area whatever its slope. Faces that look against the normal count
against it, so that sections which jitter, and single voxels more or less, add nothing. The normal
is the gradient of the mask, smoothed by three running means per axis (close to a Gaussian, and in
integers, so the answer does not depend on how the volume was cut). Wide smoothing bends no area
here, only normals: on balls, ellipsoids and capsules the error is 0.2 % at 20,000 voxels of
30 × 8 × 8 nm, where marching cubes on the same smoothed mask shrinks them by 5 %.

Source: Lenoir, Malgouyres, Revenu 1996; Coeurjolly, Flin, Teytaud, Tougne 2003.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from itertools import combinations_with_replacement
from math import sqrt
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from mitoem.geometry import Index, VoxelSize

SMOOTH_NM: Final = 30.0
"""Standard deviation of the smoothing in nm, but one voxel where voxels are larger.

Chosen by measurement among 20–50 nm: less leaves the staircase in large bodies, more rounds the
normals at the tips of small ones.
"""

WEIGHT_UNIT: Final = 1 << 20
"""Cosines are summed as integers of this many parts: exact, so that sums are order-free."""

_LARGEST_CROP: Final = 1 << 19
"""Crops of more voxels are worked on in halves: temporaries stay in the processor's cache."""

_MARGIN: Final = 2
"""Voxels beyond a face that its central differences read."""

Ints: TypeAlias = NDArray[np.signedinteger]


@dataclass(frozen=True, slots=True)
class Smoothing:
    """Widths in voxels of the running means along (z, y, x), and the voxel they were made for."""

    widths: tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]]
    voxel_size: VoxelSize

    @property
    def reach(self) -> Index:
        """Voxels (z, y, x) by which a voxel's value spreads to either side."""
        z, y, x = (sum(w - 1 for w in widths) // 2 for widths in self.widths)
        return z, y, x

    @property
    def halo(self) -> Index:
        """Voxels (z, y, x) that must be known around a face for its weight to be final."""
        z, y, x = (r + _MARGIN for r in self.reach)
        return z, y, x


@lru_cache(maxsize=32)
def smoothing(voxel_size: VoxelSize) -> Smoothing:
    """The running means whose variance comes nearest to SMOOTH_NM squared along each axis."""
    z, y, x = (_widths(max(SMOOTH_NM / v, 1.0)) for v in voxel_size)
    return Smoothing((z, y, x), voxel_size)


def _widths(sigma: float) -> tuple[int, ...]:
    """Three window widths, their joint window centred on a voxel, of variance nearest sigma².

    All within two of the width that three equal windows would have: so their joint window is
    near a Gaussian's.
    """
    around = round(sqrt(4 * sigma**2 + 1))
    sizes = range(max(1, around - 2), around + 3)
    triples = [t for t in combinations_with_replacement(sizes, 3) if sum(t) % 2]
    return min(
        triples, key=lambda t: (abs(sum(w * w - 1 for w in t) / 12 - sigma**2), t[-1] - t[0])
    )


@dataclass(frozen=True, slots=True)
class _Field:
    """One padded crop, flat: its mask, the smoothed mask (value p is centred on p), its strides.

    ``counted``: which inside voxels' faces count, None for all.
    """

    mask: NDArray[np.int16]
    smooth: Ints
    strides: Index
    counted: NDArray[np.bool_] | None


def face_weights(mask: NDArray[np.bool_], core: NDArray[np.bool_] | None, by: Smoothing) -> Index:
    """Summed cosines of the faces of ``mask``, per face direction (z, y, x), × WEIGHT_UNIT.

    ``mask``: one instance, cropped to its bounding box or to ``by.halo`` beyond ``core``; what
    lies outside is taken for background. ``core``: voxels whose faces count, None for all.
    """
    if mask.size > _LARGEST_CROP and max(mask.shape) > 4 * max(by.halo):
        return _in_halves(mask, core, by)
    # What a running sum carries over the end of a row must end before the next row is read.
    extra = (by.reach[0] + 5, by.reach[1] + 3, by.reach[2] + 3)
    padded = np.zeros(tuple(n + e for n, e in zip(mask.shape, extra, strict=True)), np.int16)
    inner = tuple(slice(_MARGIN, _MARGIN + n) for n in mask.shape)
    padded[inner] = mask
    strides = (padded.shape[1] * padded.shape[2], padded.shape[2], 1)
    counted = None
    if core is not None:
        kept = np.zeros(padded.shape, np.bool_)
        kept[inner] = core
        counted = kept.ravel()
    flat = padded.ravel()
    field = _Field(flat, _smooth(flat, strides, by), strides, counted)
    z, y, x = (_direction(field, axis, by.voxel_size) for axis in range(3))
    return z, y, x


def area_um2(weights: NDArray[np.int64], voxel_size: VoxelSize) -> NDArray[np.float64]:
    """Surface area in µm² from summed face weights (…, 3)."""
    z, y, x = voxel_size
    faces = np.array([y * x, z * x, z * y]) * 1e-6
    return np.asarray((weights * faces).sum(axis=-1) / WEIGHT_UNIT, np.float64)


def _in_halves(mask: NDArray[np.bool_], core: NDArray[np.bool_] | None, by: Smoothing) -> Index:
    """The same sum from two overlapping halves of the crop."""
    axis = int(np.argmax(mask.shape))
    middle, halo = mask.shape[axis] // 2, by.halo[axis]
    total = [0, 0, 0]
    for low in (True, False):
        part = slice(0, middle + halo) if low else slice(middle - halo, None)
        own = slice(middle, None) if low else slice(0, halo)
        index: list[slice] = [slice(None)] * 3
        index[axis] = part
        piece = mask[tuple(index)]
        counted = np.ones(piece.shape, np.bool_) if core is None else core[tuple(index)].copy()
        index[axis] = own
        counted[tuple(index)] = False
        if counted.any():
            total = [a + b for a, b in zip(total, face_weights(piece, counted, by), strict=True)]
    return total[0], total[1], total[2]


def _smooth(flat: NDArray[np.int16], strides: Index, by: Smoothing) -> Ints:
    """The smoothed mask, in units of 1 / (product of all widths).

    The sums look backwards only, so that whole arrays are added with an offset; their delay is
    taken off at the end.
    """
    sums: Ints = flat
    gain, delay = 1, 0
    for widths, stride, reach in zip(by.widths, strides, by.reach, strict=True):
        delay += reach * stride
        for width in widths:
            gain *= width
            # One bit is kept for the sign of differences, two for the sum of four of them.
            if gain >= 1 << 29:
                sums = sums.astype(np.int64, copy=False)
            elif gain >= 1 << 13:
                sums = sums.astype(np.int32, copy=False)
            sums = _running_sum(sums, width, stride)
    return sums[delay:]


def _running_sum(values: Ints, width: int, stride: int) -> Ints:
    """Sum of ``width`` values, ``stride`` apart, ending at each place; by doubling."""
    # ``power`` sums a power of two of values; those in the binary form of the width make it up.
    total, covered, power, length = values, 0, values, 1
    while True:
        if width & length:
            total = _plus(total, power, covered * stride) if covered else power
            covered += length
        if 2 * length > width:
            return total
        power, length = _plus(power, power, length * stride), 2 * length


def _plus(values: Ints, later: Ints, delay: int) -> Ints:
    """``values`` plus ``later`` moved on by ``delay`` places."""
    total = values.copy()
    total[delay:] += later[: later.size - delay]
    return total


def _direction(field: _Field, axis: int, voxel_size: VoxelSize) -> int:
    """Summed weights of the faces across one axis."""
    mask, smooth, step = field.mask, field.smooth, field.strides[axis]
    low = np.flatnonzero(mask[:-step] != mask[step:])
    if field.counted is not None:
        inside = low + step * (mask[low] == 0)
        low = low[field.counted[inside]]
    if not low.size:
        return 0
    high = low + step
    squares = np.zeros(low.size)
    across = squares
    for other, (stride, edge) in enumerate(zip(field.strides, voxel_size, strict=True)):
        rise = smooth[low + stride] - smooth[low - stride]
        rise += smooth[high + stride] - smooth[high - stride]
        slope = rise / edge
        if other == axis:
            across = np.where(mask[high], slope, -slope)  # outwards, down the gradient
        squares += slope * slope
    # A face amid perfect symmetry has no gradient: it counts whole.
    even = squares == 0
    squares[even], across[even] = 1.0, 1.0
    return int(np.rint(across / np.sqrt(squares) * WEIGHT_UNIT).sum())
