"""Accuracy by category of the truth, as the challenge's current leaderboard groups it.

A true instance has the category of its size or of its skeleton's length; a predicted one the
largest among the truths that it is associated with. Instances are matched once, over all
categories; a hit and a miss count where the truth belongs, an unmatched prediction where the
prediction does. The counts of the categories add up to those without categories.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, TypeAlias

import numpy as np
import numpy.typing as npt

from mitoem.scores.associations import Groups
from mitoem.scores.matching import ACCURACY_THRESHOLDS, Accuracy, counted, matched
from mitoem.scores.pairs import Pairs

Ranks: TypeAlias = npt.NDArray[np.intp]
"""Place of each instance's category among the names, smallest category first; −1: unmeasured."""

SIZES: Final = ("small", "medium", "large")
LENGTHS: Final = ("short", "medium", "long")
LENGTH_LIMITS_UM: Final = (1.0, 4.0)
"""Cable length from which a truth is medium and long. Source: the leaderboard, 1000 and 4000 nm."""

UNMEASURED: Final = "unmeasured"
"""The category of truth whose length is not known; of all categories the smallest."""


def accuracy_by_size(
    pairs: Pairs, groups: Groups, limits: tuple[int, int]
) -> dict[str, tuple[Accuracy, ...]]:
    """Accuracy for truth of up to a, up to b, and above b voxels."""
    return accuracy_by(np.digitize(pairs.truth_sizes, limits, right=True), SIZES, pairs, groups)


def accuracy_by_length(
    pairs: Pairs, groups: Groups, lengths: Mapping[int, float] | None
) -> dict[str, tuple[Accuracy, ...]] | None:
    """Accuracy by skeleton length in µm of the true ids; absent or NaN is ``UNMEASURED``."""
    if lengths is None:
        return None
    um = np.array([lengths.get(int(one), np.nan) for one in pairs.truth_ids], np.float64)
    ranks = np.where(np.isfinite(um), np.digitize(um, LENGTH_LIMITS_UM), -1)
    return accuracy_by(ranks, LENGTHS, pairs, groups)


def accuracy_by(
    ranks: Ranks, names: Sequence[str], pairs: Pairs, groups: Groups
) -> dict[str, tuple[Accuracy, ...]]:
    """Accuracy at every reported IoU threshold for every category, smallest first.

    ``ranks`` of the truth by rising id. A prediction without associated truth falls into the
    first category. ``UNMEASURED`` comes last, and only where a truth is.
    """
    predicted = _predicted(ranks, groups)
    categories = dict(enumerate(names)) | ({-1: UNMEASURED} if (ranks < 0).any() else {})
    found: dict[str, tuple[Accuracy, ...]] = dict.fromkeys(categories.values(), ())
    for threshold in ACCURACY_THRESHOLDS:
        rows = matched(pairs, threshold=threshold)
        hits, iou = ranks[pairs.truth[rows]], pairs.iou[rows]
        misses = np.delete(ranks, pairs.truth[rows])
        invented = np.delete(predicted, pairs.prediction[rows])
        for rank, name in categories.items():
            found[name] += (
                counted(
                    iou[hits == rank],
                    false_positives=int((invented == rank).sum()),
                    false_negatives=int((misses == rank).sum()),
                    threshold=threshold,
                ),
            )
    return found


def _predicted(ranks: Ranks, groups: Groups) -> Ranks:
    """Rank of each prediction: the largest of its group's truths, the first where it has none."""
    largest = np.full(groups.truths.size, -1, np.intp)
    np.maximum.at(largest, groups.truth, ranks)
    return np.where(groups.truths == 0, 0, largest)[groups.prediction]
