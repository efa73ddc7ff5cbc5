"""What one block knows of its instances, in sums that add up to those of the whole.

Everything is an integer sum, a minimum, a maximum or a link between parts, so the table of a
volume is the same, to the last bit, however the volume was cut and in whatever order the blocks
came back.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from mitoem.errors import ShapeMismatch
from mitoem.geometry import Index
from mitoem.morphometry.components import Parts
from mitoem.morphometry.neighbours import Faces

SUMS: Final = ("count", "z", "y", "x", "zz", "yy", "xx", "zy", "zx", "yx", "fz", "fy", "fx")
"""Columns of ``Partial.sums``: voxels, their first and second moments in voxels, face weights."""


@dataclass(frozen=True, slots=True)
class Partial:
    """Sums per instance over the voxels seen so far; rows follow ``ids``, which rise.

    ``sums`` (n, 13) int64, see SUMS. ``grey`` (n, 2): sum of the image inside and of its square,
    or None without an image; exact below 2⁵³. ``low``, ``high`` (n, 3): bounding box, half-open.
    ``cut``: touches a face of the labelled region. ``parts``: what joins into components.
    ``faces``: surfaces for the distances between instances, none unless asked for.
    """

    ids: NDArray[np.uint32]
    sums: NDArray[np.int64]
    grey: NDArray[np.float64] | None
    low: NDArray[np.int64]
    high: NDArray[np.int64]
    cut: NDArray[np.bool_]
    parts: Parts
    faces: Faces

    @classmethod
    def none(cls, *, image: bool = False) -> Partial:
        """No instances: the zero of addition. ``image``: whether grey values are summed."""
        corner = np.empty((0, 3), np.int64)
        return cls(
            np.empty(0, np.uint32),
            np.empty((0, len(SUMS)), np.int64),
            np.empty((0, 2)) if image else None,
            corner,
            corner,
            np.empty(0, np.bool_),
            Parts.none(),
            Faces.none(),
        )

    def __add__(self, other: Partial) -> Partial:
        return Partial.total((self, other))

    def moved(self, by: Index) -> Partial:
        """The same instances ``by`` voxels (z, y, x) further on; parts must all be known."""
        n, first, z, y, x = self.sums[:, 0], self.sums[:, 1:4].copy(), *by
        sums, shift = self.sums.copy(), np.array(by)
        sums[:, 1:4] += n[:, None] * shift
        sums[:, 4:7] += 2 * first * shift + n[:, None] * shift**2
        for column, a, b, u, v in ((7, 0, 1, z, y), (8, 0, 2, z, x), (9, 1, 2, y, x)):
            sums[:, column] += u * first[:, b] + v * first[:, a] + n * u * v
        return replace(self, sums=sums, low=self.low + shift, high=self.high + shift)

    @classmethod
    def total(cls, partials: Iterable[Partial]) -> Partial:
        """The sum of any number of partials; they all have an image, or none has."""
        given = list(partials)
        seen = [p for p in given if p.ids.size or p.parts.ids.size]
        if not seen:
            return given[0] if given else cls.none()
        greys = [p.grey for p in seen if p.grey is not None]
        if greys and len(greys) < len(seen):
            raise ShapeMismatch(f"{len(greys)} of {len(seen)} blocks have an image")
        order, starts, ids = groups(np.concatenate([p.ids for p in seen]))
        return cls(
            ids.astype(np.uint32),
            np.add.reduceat(np.concatenate([p.sums for p in seen])[order], starts),
            np.add.reduceat(np.concatenate(greys)[order], starts) if greys else None,
            np.minimum.reduceat(np.concatenate([p.low for p in seen])[order], starts),
            np.maximum.reduceat(np.concatenate([p.high for p in seen])[order], starts),
            np.logical_or.reduceat(np.concatenate([p.cut for p in seen])[order], starts),
            Parts.total([p.parts for p in seen]),
            Faces.total([p.faces for p in seen]),
        )


def groups(
    keys: NDArray[np.integer],
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.integer]]:
    """Order that sorts ``keys``, where each group starts in it, and the distinct keys."""
    order = np.argsort(keys, kind="stable")
    ordered = keys[order]
    new = np.ones(keys.shape, np.bool_)
    new[1:] = ordered[1:] != ordered[:-1]
    starts = np.flatnonzero(new)
    return order, starts, ordered[starts]
