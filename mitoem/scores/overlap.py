"""The overlap table: how many voxels each truth instance shares with each predicted one.

Every score is computed from this table alone. It is additive: the tables of the blocks of a pair
of volumes add up to the table of the whole, so a pair of any size fits in bounded memory.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from mitoem.errors import ShapeMismatch
from mitoem.geometry import Index
from mitoem.labels import check

SLAB_VOXELS: Final = 2**22
"""Voxels counted at once: their runs and masks stay below 200 MB."""

Ids = npt.NDArray[np.uint32]
Counts = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Contingency:
    """One row per pair of ids that share a voxel, background included, by rising (truth, id).

    ``longest`` is the pair's longest run of voxels along x, ``point`` the (z, y, x) voxel in its
    middle: a place where the pair can be looked at. Counts and runs add exactly over blocks whose
    rows are whole; a run that a block cuts counts as its longer part.
    """

    truth: Ids
    prediction: Ids
    voxels: Counts
    longest: Counts
    point: Counts

    def __add__(self, other: Contingency) -> Contingency:
        """The table of both blocks together."""
        return _reduced(
            np.concatenate([_packed(self), _packed(other)]),
            np.concatenate([self.voxels, other.voxels]),
            np.concatenate([self.longest, other.longest]),
            np.concatenate([self.point, other.point]),
        )

    @property
    def total(self) -> int:
        """Voxels counted."""
        return int(self.voxels.sum())

    def sizes(self, side: str) -> tuple[Ids, Counts]:
        """Instances of ``truth`` or ``prediction``, by rising id, and their voxels."""
        ids = self.truth if side == "truth" else self.prediction
        names, places = np.unique(ids, return_inverse=True)
        counts = np.zeros(names.size, np.int64)
        np.add.at(counts, places, self.voxels)
        return names[names > 0], counts[names > 0]


def contingency(
    truth: npt.NDArray[Any], prediction: npt.NDArray[Any], *, offset: Index = (0, 0, 0)
) -> Contingency:
    """Count every pair of ids of two label arrays (z, y, x) of one shape.

    ``offset`` is the place of the arrays' first voxel, for the points of blocks. Raises
    ShapeMismatch with both shapes, LabelsInvalid for labels that are none.
    """
    if truth.shape != prediction.shape or truth.ndim != 3:
        raise ShapeMismatch(
            f"truth of shape {truth.shape} and prediction of shape {prediction.shape}: "
            "expected two 3-D arrays of one shape (z, y, x)"
        )
    depth, height, width = truth.shape
    table = EMPTY
    sections = max(1, SLAB_VOXELS // max(1, height * width))
    rows = max(1, min(height, SLAB_VOXELS // max(1, width)))
    parts: list[Contingency] = []
    for z in range(0, depth, sections):
        for y in range(0, height, rows):
            slab = np.s_[z : z + sections, y : y + rows]
            at = (z + offset[0], y + offset[1], offset[2])
            parts.append(_count(check(truth[slab]), check(prediction[slab]), at))
        if len(parts) >= 32:
            table, parts = _sum([table, *parts]), []
    return _sum([table, *parts])


def _count(truth: Ids, prediction: Ids, offset: Index) -> Contingency:
    """The table of one slab, from its runs of equal pairs along x."""
    a, b = truth.ravel(), prediction.ravel()
    if a.size == 0:
        return EMPTY
    change = np.empty(a.size, bool)
    np.not_equal(a[1:], a[:-1], out=change[1:])
    change[1:] |= b[1:] != b[:-1]
    change[:: truth.shape[2]] = True
    starts = np.flatnonzero(change)
    lengths = np.diff(starts, append=a.size)
    packed = (a[starts].astype(np.uint64) << np.uint64(32)) | b[starts]
    middle = np.unravel_index(starts + (lengths - 1) // 2, truth.shape)
    points = np.stack(middle, axis=1) + np.array(offset)
    return _reduced(packed, lengths, lengths, points)


def _reduced(
    packed: npt.NDArray[np.uint64], voxels: Counts, longest: Counts, point: Counts
) -> Contingency:
    """One row per distinct pair: voxels add up, the longest run stays (the first of equals)."""
    if packed.size == 0:
        return EMPTY
    order = np.argsort(packed)
    ordered = packed[order]
    starts = np.flatnonzero(np.concatenate([[True], ordered[1:] != ordered[:-1]]))
    sizes = np.diff(starts, append=packed.size)
    runs = longest[order]
    best = np.maximum.reduceat(runs, starts)
    candidates = np.where(runs == np.repeat(best, sizes), order, packed.size)
    first = np.minimum.reduceat(candidates, starts)
    pairs = ordered[starts]
    return Contingency(
        (pairs >> np.uint64(32)).astype(np.uint32),
        (pairs & np.uint64(2**32 - 1)).astype(np.uint32),
        np.add.reduceat(voxels[order], starts),
        best,
        point[first],
    )


def _packed(table: Contingency) -> npt.NDArray[np.uint64]:
    return (table.truth.astype(np.uint64) << np.uint64(32)) | table.prediction


def _sum(tables: list[Contingency]) -> Contingency:
    return _reduced(
        np.concatenate([_packed(one) for one in tables]),
        np.concatenate([one.voxels for one in tables]),
        np.concatenate([one.longest for one in tables]),
        np.concatenate([one.point for one in tables]),
    )


EMPTY: Final = Contingency(
    np.zeros(0, np.uint32),
    np.zeros(0, np.uint32),
    np.zeros(0, np.int64),
    np.zeros(0, np.int64),
    np.zeros((0, 3), np.int64),
)
"""The table of no voxels: it adds nothing."""
