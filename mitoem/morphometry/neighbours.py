"""How far each instance is from the others, surface to surface.

Surfaces are sets of points, the centres of voxel faces: two instances that share a face are 0
apart, others are exact to half a voxel. Pairs are tried by the gap between their boxes, and only
the points within reach of the other's box are compared.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias, overload

import numpy as np
from isal import isal_zlib
from numpy.typing import NDArray
from scipy.spatial import cKDTree
from scipy.spatial.distance import cdist

from mitoem.errors import RunCancelled
from mitoem.geometry import Index, VoxelSize

NEAR_NM: Final = 100.0
"""Instances whose surfaces come this near are counted as neighbours."""

_SAMPLE: Final = 48
"""Points of each surface that give a first, too large, distance."""

_DIRECT: Final = 20_000
"""Pairs of points up to which all distances are cheaper than a tree."""

_FIRST: Final = 32
"""Neighbours by the gap between boxes that are sorted at first."""

_HELD_BYTES: Final = 128 << 20
"""Unpacked surfaces kept for the pairs to come: some thousand, of a usual size."""

_SLACK: Final = 0.1
"""Nm by which bounds are widened: rounding must not lose what lies exactly on one."""

_BITS: Final = 21
"""A place takes so many bits along each axis, in half voxels from one before the volume."""

_SHORT_BITS: Final = (10, 11, 11)
"""The same along z, y and x for places counted from the first of a piece."""


@dataclass(frozen=True, slots=True)
class Faces:
    """Voxel faces between instances and what is around them, in pieces of one instance each.

    ``ids`` (n,): an id may come several times; ``pieces``: the centres of the faces of each, as
    ``shortened`` gives them. Pieces are never copied: adding blocks up costs no memory.
    """

    ids: NDArray[np.uint32]
    pieces: tuple[Piece, ...]

    @classmethod
    def none(cls) -> Faces:
        """No faces."""
        return cls(np.empty(0, np.uint32), ())

    @classmethod
    def of(cls, ids: NDArray[np.uint32], places: Sequence[NDArray[np.int64]]) -> Faces:
        """The packed places of the faces of each id."""
        return cls(ids, tuple(map(shortened, places)))

    @classmethod
    def total(cls, several: Sequence[Faces]) -> Faces:
        """All faces of several blocks."""
        return cls(
            np.concatenate([f.ids for f in several]), tuple(p for f in several for p in f.pieces)
        )

    def by_row(self, ids: NDArray[np.uint32]) -> Surfaces:
        """The packed places of each of the rising ``ids``, unpacked one by one when asked for."""
        rows: list[list[Piece]] = [[] for _ in range(ids.size)]
        for row, piece in zip(np.searchsorted(ids, self.ids).tolist(), self.pieces, strict=True):
            rows[row].append(piece)
        return Surfaces(rows)


Piece: TypeAlias = NDArray[np.int64] | tuple[int, bytes]
"""Packed places as they are; or the packed first corner and, deflated, the steps from it on."""


def shortened(places: NDArray[np.int64]) -> Piece:
    """Packed places in any order, in less than a byte each instead of eight.

    As they are where they do not lie within a block of 256 × 512 × 512 voxels.
    """
    if not places.size:
        return places
    columns = _columns(places)
    low = [int(column.min()) for column in columns]
    spans = [column - first for column, first in zip(columns, low, strict=True)]
    if any(int(span.max()) >> bits for span, bits in zip(spans, _SHORT_BITS, strict=True)):
        return places
    z, y, x = spans
    short = np.sort((z << _SHORT_BITS[1] + _SHORT_BITS[2]) | (y << _SHORT_BITS[2]) | x)
    steps = np.diff(short, prepend=0).astype("<u4")
    return _pack(low[0], low[1], low[2]), isal_zlib.compress(steps.tobytes(), 1)


def lengthened(piece: Piece) -> NDArray[np.int64]:
    """The packed places again."""
    if not isinstance(piece, tuple):
        return piece
    first, steps = piece
    short = np.cumsum(np.frombuffer(isal_zlib.decompress(steps), "<u4"), dtype=np.int64)
    z = short >> _SHORT_BITS[1] + _SHORT_BITS[2]
    y = short >> _SHORT_BITS[2] & (1 << _SHORT_BITS[1]) - 1
    x = short & (1 << _SHORT_BITS[2]) - 1
    return first + ((z << 2 * _BITS) | (y << _BITS) | x)


class Surfaces(Sequence[NDArray[np.int64]]):
    """The packed face centres of each instance, unpacked when asked for."""

    def __init__(self, rows: Sequence[Sequence[Piece]]) -> None:
        self._rows = rows

    def __len__(self) -> int:
        return len(self._rows)

    @overload
    def __getitem__(self, row: int) -> NDArray[np.int64]: ...
    @overload
    def __getitem__(self, row: slice) -> Surfaces: ...
    def __getitem__(self, row: int | slice) -> NDArray[np.int64] | Surfaces:
        if isinstance(row, slice):
            return Surfaces(self._rows[row])
        return np.concatenate([lengthened(piece) for piece in self._rows[row]])


def _pack(z: int, y: int, x: int) -> int:
    return (z << 2 * _BITS) | (y << _BITS) | x


def _columns(places: NDArray[np.int64]) -> tuple[NDArray[np.int64], ...]:
    """Packed places as z, y and x, in half voxels."""
    low = (1 << _BITS) - 1
    return places >> 2 * _BITS, (places >> _BITS) & low, places & low


@dataclass(frozen=True, slots=True)
class Neighbours:
    """Per instance: distance to the nearest other in µm (NaN when alone), and how many are near."""

    nearest_um: NDArray[np.float64]
    count: NDArray[np.int64]


def face_centres(
    mask: NDArray[np.bool_], core: NDArray[np.bool_] | None, start: Index
) -> NDArray[np.int64]:
    """Packed centres of the faces of a mask that starts at voxel ``start``.

    ``core``: voxels whose faces count, None for all.
    """
    padded = np.pad(mask, 1)
    counted = padded if core is None else np.pad(mask & core, 1)
    found = []
    for axis in range(3):
        below = tuple(slice(None, -1) if k == axis else slice(None) for k in range(3))
        above = tuple(slice(1, None) if k == axis else slice(None) for k in range(3))
        faces = (padded[below] != padded[above]) & (counted[below] | counted[above])
        # Half voxels from one voxel before the volume, as the padding starts one before the mask.
        z, y, x = (
            2 * (p + s) + (k == axis)
            for k, (p, s) in enumerate(zip(np.nonzero(faces), start, strict=True))
        )
        found.append((z << 2 * _BITS) | (y << _BITS) | x)
    return np.concatenate(found)


def neighbours(
    surfaces: Sequence[NDArray[np.int64]],
    *,
    voxel_size: VoxelSize,
    progress: Callable[[float, str], None] | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> Neighbours:
    """Distances among instances, given the packed face centres of each. Raises RunCancelled."""
    search = _Search(surfaces, voxel_size)
    rows = len(surfaces)
    for row in range(rows):
        if cancelled is not None and cancelled():
            raise RunCancelled(f"neighbours stopped at instance {row + 1} of {rows}")
        search.around(row)
        if progress is not None:
            progress((row + 1) / rows, f"neighbours of instance {row + 1} of {rows}")
    nearest = np.where(np.isfinite(search.nearest), search.nearest * 1e-3, np.nan)
    return Neighbours(nearest, search.count)


class _Unpacked:
    """The points of each surface in nm, float32 (3, n); those asked for last are held."""

    def __init__(self, packed: Sequence[NDArray[np.int64]], voxel_size: VoxelSize) -> None:
        self._packed = packed
        self._half = np.array(voxel_size, np.float32)[:, None] / 2
        self._held: OrderedDict[int, NDArray[np.float32]] = OrderedDict()
        self._bytes = 0

    def __call__(self, row: int) -> NDArray[np.float32]:
        """The points of one instance."""
        found = self._held.pop(row, None)
        if found is None:
            columns = np.stack(_columns(self._packed[row]))
            found = np.multiply(columns, self._half, dtype=np.float32)
            self._bytes += found.nbytes
        self._held[row] = found
        while self._bytes > _HELD_BYTES and len(self._held) > 1:
            self._bytes -= self._held.popitem(last=False)[1].nbytes
        return found


class _Search:
    """The surfaces, and what is known of their distances so far, in nm.

    Points are (3, n), an axis after the other: most are ruled out by one axis alone.
    """

    def __init__(self, packed: Sequence[NDArray[np.int64]], voxel_size: VoxelSize) -> None:
        self.points = points = _Unpacked(packed, voxel_size)
        ends = [(points(k).min(axis=1), points(k).max(axis=1)) for k in range(len(packed))]
        self.low = np.array([a for a, _ in ends], np.float64).reshape(-1, 3).T.copy()
        self.high = np.array([b for _, b in ends], np.float64).reshape(-1, 3).T.copy()
        self.nearest = np.full(len(packed), np.inf)
        self.count = np.zeros(len(packed), np.int64)

    def around(self, row: int) -> None:
        """Find the nearest of one instance, and count those near it of a larger row."""
        squares = np.zeros(self.nearest.size)
        for low, high in zip(self.low, self.high, strict=True):
            apart = np.maximum(low - high[row], low[row] - high)
            np.maximum(apart, 0, out=apart)
            squares += apart * apart
        squares[row] = np.inf
        for other in _rising(squares):
            gap = float(np.sqrt(squares[other]))
            if gap > max(self.nearest[row], NEAR_NM) or other == row:
                break
            near = other > row and gap <= NEAR_NM
            if not near and gap >= self.nearest[row]:
                continue
            distance = self._distance(row, other)
            if near and distance <= NEAR_NM:
                self.count[[row, other]] += 1
            for one in (row, other):
                self.nearest[one] = min(self.nearest[one], distance)

    def _distance(self, row: int, other: int) -> float:
        """Distance of two surfaces; infinite when it is too large to matter to ``row``."""
        a, b = self.points(row), self.points(other)
        bound = max(self.nearest[row], NEAR_NM)
        # A few points of each give a distance that is too large; it leaves few points to try.
        for sample in (_SAMPLE, 4 * _SAMPLE):
            bound = min(bound, float(cdist(_some(a, sample), _some(b, sample)).min()))
            a, b = self._within(a, other, bound), self._within(b, row, bound)
            if not a.size or not b.size:
                return np.inf
            if a.shape[1] * b.shape[1] <= _DIRECT:
                return float(cdist(a.T, b.T).min())
        tree = cKDTree(b.T, balanced_tree=False)
        found, _ = tree.query(a.T, distance_upper_bound=bound + _SLACK)
        return float(np.min(found))

    def _within(self, points: NDArray[np.float32], row: int, bound: float) -> NDArray[np.float32]:
        """The points that lie within ``bound`` of the box of an instance."""
        most = (bound + _SLACK) ** 2
        squares = np.zeros(points.shape[1])
        for axis in range(3):
            low, high = self.low[axis, row], self.high[axis, row]
            apart = np.maximum(low - points[axis], points[axis] - high)
            squares += np.maximum(apart, 0) ** 2
            near = np.flatnonzero(squares <= most)
            if near.size < squares.size:
                points, squares = points[:, near], squares[near]
        return points


def _rising(values: NDArray[np.float64]) -> Iterator[int]:
    """Places of the values from the least on, equal ones in order; few are mostly asked for."""
    first = min(_FIRST, values.size)
    least = np.flatnonzero(values <= np.partition(values, first - 1)[first - 1])
    order = least[np.argsort(values[least], kind="stable")]
    yield from order.tolist()
    yield from np.argsort(values, kind="stable")[order.size :].tolist()


def _some(points: NDArray[np.float32], count: int) -> NDArray[np.float32]:
    """About so many of the points (3, n), evenly taken, as (count, 3)."""
    return points[:, :: points.shape[1] // count + 1].T
