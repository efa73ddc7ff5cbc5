"""Average precision of the MitoEM challenge of 2021, as its evaluation code computes it.

Source: Wei et al., MICCAI 2020, and the code published with the challenge (mAP_3Dvolume), whose
habits are kept: one truth may be matched by several predictions, cut objects count in full.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from mitoem.scores.pairs import Flags, Floats, Pairs

IOU_THRESHOLDS: Final[Floats] = np.asarray(0.5 + 0.05 * np.arange(10), np.float64)
RECALLS: Final[Floats] = np.asarray(0.01 * np.arange(101), np.float64)
LARGEST: Final = 10**10
NO_TRUTH: Final = -1.0
"""The score where there is no truth to find."""


@dataclass(frozen=True, slots=True)
class AveragePrecision:
    """AP at each IoU threshold, for all instances and by size; −1 where there is no truth."""

    thresholds: tuple[float, ...]
    every: tuple[float, ...]
    small: tuple[float, ...]
    medium: tuple[float, ...]
    large: tuple[float, ...]

    def to_json(self) -> dict[str, float]:
        """The challenge's six numbers."""
        at75 = 5
        return {
            "mAP": float(np.mean(self.every)),
            "AP50": self.every[0],
            "AP75": self.every[at75],
            "AP75_small": self.small[at75],
            "AP75_medium": self.medium[at75],
            "AP75_large": self.large[at75],
        }


def average_precision(
    pairs: Pairs,
    *,
    size_thresholds: tuple[int, int] = (5000, 15000),
    scores: Mapping[int, float] | None = None,
) -> AveragePrecision:
    """AP for all sizes and for small, medium and large instances.

    Predictions are ranked by ``scores`` (id → score; a missing id scores 0), by their voxel count
    when None; equal scores by rising id. Sizes are (0, a], (a, b] and above b voxels.
    """
    rank = np.argsort(-_scores(pairs, scores), kind="stable")
    a, b = size_thresholds
    best = _best(pairs, np.ones(pairs.truth.size, bool))
    found = []
    for low, high in ((0, LARGEST), (0, a), (a, b), (b, LARGEST)):
        found.append(_in_range(pairs, rank, best, low, high))
    return AveragePrecision(tuple(float(t) for t in IOU_THRESHOLDS), *found)


_Match = tuple[npt.NDArray[np.intp], Floats]


def _best(pairs: Pairs, allowed: Flags) -> _Match:
    """Per prediction the allowed truth of highest IoU (−1: none), the first of equals."""
    place = np.full(pairs.prediction_ids.size, -1, np.intp)
    height = np.zeros(pairs.prediction_ids.size)
    rows = np.flatnonzero(allowed)
    iou = pairs.iou[rows]
    order = rows[np.lexsort((pairs.truth[rows], -iou, pairs.prediction[rows]))]
    who, first = np.unique(pairs.prediction[order], return_index=True)
    place[who] = pairs.truth[order[first]]
    height[who] = pairs.iou[order[first]]
    return place, height


def _in_range(
    pairs: Pairs, rank: npt.NDArray[np.intp], best: _Match, low: int, high: int
) -> tuple[float, ...]:
    """AP at every IoU threshold for truth of more than ``low`` and up to ``high`` voxels."""
    inside = (pairs.truth_sizes > low) & (pairs.truth_sizes <= high)
    wanted = int(inside.sum())
    if wanted == 0:
        return (NO_TRUTH,) * IOU_THRESHOLDS.size
    place, iou = _best(pairs, inside[pairs.truth])
    none = place < 0
    place, iou = np.where(none, best[0], place), np.where(none, best[1], iou)
    size = pairs.prediction_sizes
    outside = (size <= low) | (size > high)
    found = []
    for threshold in IOU_THRESHOLDS:
        matched = (place >= 0) & (iou >= threshold)
        ignored = np.where(matched, ~np.append(inside, False)[place], outside)
        found.append(_area((matched & ~ignored)[rank], (~matched & ~ignored)[rank], wanted))
    return tuple(found)


def _area(hits: Flags, misses: Flags, wanted: int) -> float:
    """Mean precision at 101 recalls, precision made to fall with recall."""
    if hits.size == 0:
        return 0.0
    hit, miss = np.cumsum(hits), np.cumsum(misses)
    recall = hit / wanted
    precision = hit / (hit + miss + np.spacing(1))
    falling = np.maximum.accumulate(precision[::-1])[::-1]
    place = np.searchsorted(recall, RECALLS, side="left")
    return float(np.append(falling, 0.0)[place].mean())


def _scores(pairs: Pairs, scores: Mapping[int, float] | None) -> Floats:
    if scores is None:
        return pairs.prediction_sizes.astype(np.float64)
    return np.array([scores.get(int(one), 0.0) for one in pairs.prediction_ids], np.float64)
