"""Which instances belong together, and what went wrong with each.

An instance belongs with whatever holds the largest share of it, background included; truth and
prediction that are linked so, from either side, form groups. A group of one truth and one
prediction is one-to-one, of one truth and several predictions a split, and so on. The idea is
Kar et al.'s (PLOS Computational Biology 18 (2022) e1009879), the names are those that the MitoEM
leaderboard uses.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

import numpy as np
import numpy.typing as npt
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from mitoem.geometry import Index
from mitoem.scores.overlap import Contingency, Counts
from mitoem.scores.pairs import Pairs

Kind: TypeAlias = Literal["correct", "loose", "split", "merge", "missed", "invented"]

LOOSE_BELOW: Final = 0.75
"""A one-to-one pair below this IoU has a loose boundary; the leaderboard's own threshold."""


@dataclass(frozen=True, slots=True)
class InstanceError:
    """What became of one truth instance, or of one prediction that has no truth (``truth`` 0).

    ``predictions`` are those of its group, ``others`` its other true instances; ``iou`` and
    ``lost`` refer to its own ``partner``, the prediction that shares most with it and with no
    other instance more (0: it has none; of an invented prediction that itself). ``lost`` voxels
    are those of the instance outside its partner and those of the partner in the background;
    ``point`` is a voxel (z, y, x) in the middle of the longest run of the largest lost part, or
    of what the partner takes of another true instance.
    """

    kind: Kind
    truth: int
    predictions: tuple[int, ...]
    others: tuple[int, ...]
    partner: int
    voxels: int
    iou: float
    lost: int
    point: Index


@dataclass(frozen=True, slots=True)
class Associations:
    """Truth instances by the kind of their group; ``background`` counts invented predictions."""

    one_to_one: int
    missing: int
    over_segmentation: int
    under_segmentation: int
    many_to_many: int
    background: int


@dataclass(frozen=True, slots=True, eq=False)
class Groups:
    """Group of each instance by rising id, and how many of both sides each group holds."""

    truth: npt.NDArray[np.intp]
    prediction: npt.NDArray[np.intp]
    truths: Counts
    predictions: Counts


def associate(
    table: Contingency, pairs: Pairs, groups: Groups
) -> tuple[Associations, tuple[InstanceError, ...]]:
    """Count the associations, and type every instance, most lost voxels first."""
    t, p = groups.truths[groups.truth], groups.predictions[groups.truth]
    counts = Associations(
        one_to_one=int(((t == 1) & (p == 1)).sum()),
        missing=int((p == 0).sum()),
        over_segmentation=int(((t == 1) & (p > 1)).sum()),
        under_segmentation=int(((t > 1) & (p == 1)).sum()),
        many_to_many=int(((t > 1) & (p > 1)).sum()),
        background=int((groups.truths[groups.prediction] == 0).sum()),
    )
    errors = _typed(table, pairs, groups)
    return counts, tuple(sorted(errors, key=lambda one: (-one.lost, one.truth, one.predictions)))


def groups_of(table: Contingency, pairs: Pairs) -> Groups:
    """The groups that the largest shares of both sides link."""
    n, m = pairs.truth_ids.size, pairs.prediction_ids.size
    links = np.concatenate(
        [
            largest(table.truth, table.prediction, table.voxels),
            largest(table.prediction, table.truth, table.voxels),
        ]
    )
    linked = links[(table.truth[links] > 0) & (table.prediction[links] > 0)]
    t = np.searchsorted(pairs.truth_ids, table.truth[linked])
    p = np.searchsorted(pairs.prediction_ids, table.prediction[linked]) + n
    graph = coo_array((np.ones(t.size, bool), (t, p)), shape=(n + m, n + m))
    number, group = connected_components(graph, directed=False)
    truths = np.bincount(group[:n], minlength=number)
    predictions = np.bincount(group[n:], minlength=number)
    return Groups(group[:n].astype(np.intp), group[n:].astype(np.intp), truths, predictions)


def largest(
    ids: npt.NDArray[np.uint32], others: npt.NDArray[np.uint32], voxels: Counts
) -> npt.NDArray[np.intp]:
    """Row with the largest share of each id, by rising id.

    Of equal shares an instance comes before background, and the smallest id first.
    """
    order = np.lexsort((others, others == 0, -voxels, ids))
    return order[np.unique(ids[order], return_index=True)[1]]


def _partners(pairs: Pairs, groups: Groups) -> npt.NDArray[np.intp]:
    """Per truth instance the row of its own partner (−1: none) in its group.

    By falling overlap, one to one.
    """
    partner = np.full(pairs.truth_ids.size, -1, np.intp)
    taken = np.zeros(pairs.prediction_ids.size, bool)
    for row in np.lexsort((pairs.prediction, pairs.truth, -pairs.shared)):
        t, p = pairs.truth[row], pairs.prediction[row]
        together = groups.truth[t] == groups.prediction[p]
        if together and partner[t] < 0 and not taken[p]:
            partner[t], taken[p] = row, True
    return partner


def _typed(table: Contingency, pairs: Pairs, groups: Groups) -> list[InstanceError]:
    """Every truth instance, and every prediction in a group without truth."""
    members = _members(pairs.prediction_ids, groups.prediction)
    truths = _members(pairs.truth_ids, groups.truth)
    partner, iou = _partners(pairs, groups), pairs.iou
    parts, shares = _rows_of(table.truth), _rows_of(table.prediction)
    errors = []
    for place, one in enumerate(pairs.truth_ids.tolist()):
        row, group, rows = partner[place], int(groups.truth[place]), parts[one]
        own, overlap, wrong, foreign = 0, 0.0, rows, rows[:0]
        if row >= 0:
            own, overlap = int(pairs.prediction_ids[pairs.prediction[row]]), float(iou[row])
            taken = shares[own]
            foreign = taken[(table.truth[taken] > 0) & (table.truth[taken] != one)]
            wrong = np.concatenate(
                [rows[table.prediction[rows] != own], taken[table.truth[taken] == 0]]
            )
        worst = np.concatenate([wrong, foreign])
        errors.append(
            InstanceError(
                kind=_kind(int(groups.truths[group]), int(groups.predictions[group]), overlap),
                truth=one,
                predictions=tuple(members.get(group, ())),
                others=tuple(other for other in truths[group] if other != one),
                partner=own,
                voxels=int(pairs.truth_sizes[place]),
                iou=overlap,
                lost=int(table.voxels[wrong].sum()),
                point=_point(table, worst if worst.size else rows),
            )
        )
    for place in np.flatnonzero(groups.truths[groups.prediction] == 0).tolist():
        one, size = int(pairs.prediction_ids[place]), int(pairs.prediction_sizes[place])
        point = _point(table, shares[one])
        errors.append(InstanceError("invented", 0, (one,), (), one, size, 0.0, size, point))
    return errors


def _members(ids: npt.NDArray[np.uint32], groups: npt.NDArray[np.intp]) -> dict[int, list[int]]:
    """Ids by their group."""
    found: dict[int, list[int]] = {}
    for one, group in zip(ids.tolist(), groups.tolist(), strict=True):
        found.setdefault(group, []).append(one)
    return found


def _kind(truths: int, predictions: int, iou: float) -> Kind:
    if predictions == 0:
        return "missed"
    if truths == predictions == 1:
        return "correct" if iou >= LOOSE_BELOW else "loose"
    return "split" if predictions >= truths else "merge"


def _rows_of(ids: npt.NDArray[np.integer]) -> Mapping[int, npt.NDArray[np.intp]]:
    """Rows of the table by id."""
    order = np.argsort(ids, kind="stable")
    names, starts = np.unique(ids[order], return_index=True)
    return dict(zip(names.tolist(), np.split(order, starts[1:]), strict=True))


def _point(table: Contingency, rows: npt.NDArray[np.intp]) -> Index:
    z, y, x = table.point[rows[np.argmax(table.voxels[rows])]].tolist()
    return z, y, x
