"""One-to-one matching of instances, and the accuracy of the challenge's current leaderboard."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
from scipy.optimize import linear_sum_assignment

from mitoem.scores.pairs import Floats, Pairs
from mitoem.scores.precision import NO_TRUTH

ACCURACY_THRESHOLDS: Final = (0.5, 0.75)
"""IoU of a match; the leaderboard ranks by 0.75."""


@dataclass(frozen=True, slots=True)
class Accuracy:
    """Detection at one IoU threshold; the ratios are −1 where there is no truth."""

    threshold: float
    true_positives: int
    false_positives: int
    false_negatives: int
    accuracy: float
    precision: float
    recall: float
    f1: float
    panoptic_quality: float
    mean_iou: float

    def to_json(self) -> dict[str, float]:
        """All but the threshold, which is the key."""
        return {name: value for name, value in asdict(self).items() if name != "threshold"}


def accuracies(pairs: Pairs) -> tuple[Accuracy, ...]:
    """``accuracy`` at each of the thresholds that are reported."""
    return tuple(accuracy(pairs, threshold=t) for t in ACCURACY_THRESHOLDS)


def accuracy(pairs: Pairs, *, threshold: float) -> Accuracy:
    """Match instances one to one at ``threshold`` and count.

    Among the pairs of at least that IoU, the matching of the largest number, then of the largest
    total IoU (Hungarian). Panoptic quality as in Kirillov et al., CVPR 2019, equation 1.
    """
    rows = matched(pairs, threshold=threshold)
    return counted(
        pairs.iou[rows],
        false_positives=pairs.prediction_ids.size - rows.size,
        false_negatives=pairs.truth_ids.size - rows.size,
        threshold=threshold,
    )


def counted(
    iou: Floats, *, false_positives: int, false_negatives: int, threshold: float
) -> Accuracy:
    """The numbers of a matching, from the IoU of its pairs and the counts of what has none."""
    tp, fp, fn = iou.size, false_positives, false_negatives
    total = float(iou.sum())

    def share(part: float, whole: float) -> float:
        return NO_TRUTH if tp + fn == 0 else part / whole if part else 0.0

    return Accuracy(
        threshold=threshold,
        true_positives=tp,
        false_positives=fp,
        false_negatives=fn,
        accuracy=share(tp, tp + fp + fn),
        precision=share(tp, tp + fp),
        recall=share(tp, tp + fn),
        f1=share(2 * tp, 2 * tp + fp + fn),
        panoptic_quality=share(total, tp + fp / 2 + fn / 2),
        mean_iou=share(total, tp),
    )


def matched(pairs: Pairs, *, threshold: float) -> npt.NDArray[np.intp]:
    """Places of the pairs that are matched one to one.

    Above an IoU of one half an instance has one partner at most, so that only the rest, if any,
    is a problem of assignment.
    """
    rows = np.flatnonzero(pairs.iou >= threshold)
    truth, prediction = pairs.truth[rows], pairs.prediction[rows]
    rivals = (np.bincount(truth)[truth] > 1) | (np.bincount(prediction)[prediction] > 1)
    alone, contested = rows[~rivals], rows[rivals]
    if contested.size == 0:
        return alone
    names, t = np.unique(pairs.truth[contested], return_inverse=True)
    others, p = np.unique(pairs.prediction[contested], return_inverse=True)
    gain, which = np.zeros((names.size, others.size)), np.full((names.size, others.size), -1)
    gain[t, p] = 2 * min(gain.shape) + pairs.iou[contested]
    which[t, p] = contested
    chosen = which[linear_sum_assignment(gain, maximize=True)]
    return np.concatenate([alone, chosen[chosen >= 0]])
