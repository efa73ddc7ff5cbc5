"""Truth against prediction: the challenge's scores, partition scores, and errors by type.

Everything is computed from one overlap table, which is additive over blocks.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from mitoem.errors import ShapeMismatch
from mitoem.labels import check
from mitoem.scores.associations import Associations, InstanceError, associate, groups_of
from mitoem.scores.complete import Complete, Cut, cut_of, score_complete
from mitoem.scores.groups import accuracy_by_length, accuracy_by_size
from mitoem.scores.information import adapted_rand_error, foreground_iou, variation_of_information
from mitoem.scores.matching import Accuracy, accuracies
from mitoem.scores.metrics import METRICS, Metric
from mitoem.scores.overlap import EMPTY, Contingency, contingency
from mitoem.scores.pairs import pairs_of
from mitoem.scores.precision import NO_TRUTH, AveragePrecision, average_precision

__all__ = [
    "EMPTY",
    "METRICS",
    "NO_TRUTH",
    "Accuracy",
    "Associations",
    "AveragePrecision",
    "Complete",
    "Contingency",
    "Cut",
    "InstanceError",
    "Metric",
    "Scores",
    "contingency",
    "evaluate",
    "evaluate_table",
    "ranking",
]

SIZE_THRESHOLDS: Final = (5000, 15000)
"""Voxels that part small, medium and large. Source: the challenge's evaluation code."""


@dataclass(frozen=True, slots=True)
class Scores:
    """All scores of one prediction; counts are of instances and voxels.

    ``errors`` types every truth instance and every invented prediction, most lost voxels first.
    ``accuracy_by_length`` is None where no lengths were given, ``complete`` where it was not
    asked for.
    """

    ap: AveragePrecision
    accuracy: tuple[Accuracy, ...]
    accuracy_by_size: Mapping[str, tuple[Accuracy, ...]]
    accuracy_by_length: Mapping[str, tuple[Accuracy, ...]] | None
    complete: Complete | None
    vi_split: float
    vi_merge: float
    adapted_rand_error: float
    foreground_iou: float
    associations: Associations
    errors: tuple[InstanceError, ...]
    truth_instances: int
    predicted_instances: int
    truth_voxels: int
    predicted_voxels: int
    voxels: int
    size_thresholds: tuple[int, int]

    def to_json(self) -> dict[str, Any]:
        """What ``evaluate --json`` prints: errors in full, of correct instances the true ids."""
        wrong = [asdict(one) for one in self.errors if one.kind != "correct"]
        return {
            "ap": self.ap.to_json(),
            "ap_by_iou": {
                f"{t:.2f}": ap for t, ap in zip(self.ap.thresholds, self.ap.every, strict=True)
            },
            "accuracy": _by_iou(self.accuracy),
            "accuracy_by_size": _by_category(self.accuracy_by_size),
            "accuracy_by_length": self.accuracy_by_length and _by_category(self.accuracy_by_length),
            "complete": self.complete and self.complete.to_json(),
            "vi_split": self.vi_split,
            "vi_merge": self.vi_merge,
            "adapted_rand_error": self.adapted_rand_error,
            "foreground_iou": self.foreground_iou,
            "associations": asdict(self.associations),
            "error_counts": dict(sorted(Counter(one.kind for one in self.errors).items())),
            "errors": wrong,
            "correct": sorted(one.truth for one in self.errors if one.kind == "correct"),
            "counts": {
                "truth_instances": self.truth_instances,
                "predicted_instances": self.predicted_instances,
                "truth_voxels": self.truth_voxels,
                "predicted_voxels": self.predicted_voxels,
                "voxels": self.voxels,
            },
            "size_thresholds": list(self.size_thresholds),
        }


def _by_iou(found: tuple[Accuracy, ...]) -> dict[str, Any]:
    return {f"{one.threshold:g}": one.to_json() for one in found}


def _by_category(found: Mapping[str, tuple[Accuracy, ...]]) -> dict[str, Any]:
    return {name: _by_iou(one) for name, one in found.items()}


def evaluate(
    truth: npt.NDArray[Any],
    prediction: npt.NDArray[Any],
    *,
    size_thresholds: tuple[int, int] = SIZE_THRESHOLDS,
    scores: npt.NDArray[Any] | None = None,
    lengths: Mapping[int, float] | None = None,
    complete: bool = False,
) -> Scores:
    """Score predicted labels against true ones, both (z, y, x) with 0 = background.

    ``scores`` rank the predictions for AP: rows of (id, score), or a heat map of the labels'
    shape whose mean inside each instance is its score; their voxel count when None. ``lengths``
    are skeleton cable lengths in µm by true id, for the accuracy by length; truth without one, or
    with NaN, is a category "unmeasured" of its own. ``complete`` scores also without what a face
    of the arrays cuts. A score without truth to find is −1; an empty prediction scores 0. Raises
    ShapeMismatch with both shapes, LabelsInvalid.
    """
    table = contingency(truth, prediction)
    return evaluate_table(
        table,
        size_thresholds=size_thresholds,
        scores=None if scores is None else ranking(prediction, scores),
        lengths=lengths,
        cut=cut_of(truth, prediction) if complete else None,
    )


def evaluate_table(
    table: Contingency,
    *,
    size_thresholds: tuple[int, int] = SIZE_THRESHOLDS,
    scores: Mapping[int, float] | None = None,
    lengths: Mapping[int, float] | None = None,
    cut: Cut | None = None,
) -> Scores:
    """``evaluate`` from an overlap table, such as the sum of the tables of many blocks.

    ``cut`` names the instances that a face of the scored box cuts, for ``Scores.complete``.
    """
    pairs = pairs_of(table)
    groups = groups_of(table, pairs)
    split, merge = variation_of_information(table)
    associations, errors = associate(table, pairs, groups)
    complete = None
    if cut is not None:
        complete = score_complete(table, pairs, cut, size_thresholds=size_thresholds, scores=scores)
    return Scores(
        ap=average_precision(pairs, size_thresholds=size_thresholds, scores=scores),
        accuracy=accuracies(pairs),
        accuracy_by_size=accuracy_by_size(pairs, groups, size_thresholds),
        accuracy_by_length=accuracy_by_length(pairs, groups, lengths),
        complete=complete,
        vi_split=split,
        vi_merge=merge,
        adapted_rand_error=adapted_rand_error(table),
        foreground_iou=foreground_iou(table),
        associations=associations,
        errors=errors,
        truth_instances=pairs.truth_ids.size,
        predicted_instances=pairs.prediction_ids.size,
        truth_voxels=int(pairs.truth_sizes.sum()),
        predicted_voxels=int(pairs.prediction_sizes.sum()),
        voxels=table.total,
        size_thresholds=size_thresholds,
    )


def ranking(prediction: npt.NDArray[Any], scores: npt.NDArray[Any]) -> dict[int, float]:
    """Score of each predicted id, from rows of (id, score) or from a heat map.

    The mean of a heat map is taken as it is: a factor would not change the ranking. Raises
    ShapeMismatch when ``scores`` is neither.
    """
    if scores.ndim == 2 and scores.shape[1] == 2:
        return {int(one): float(score) for one, score in scores.tolist()}
    if scores.shape != prediction.shape:
        raise ShapeMismatch(
            f"scores of shape {scores.shape}: expected rows of (id, score), or a heat map of "
            f"the prediction's shape {prediction.shape}"
        )
    inside = prediction > 0
    ids, places = np.unique(check(prediction[inside]), return_inverse=True)
    means = np.bincount(places, scores[inside].astype(np.float64)) / np.bincount(places)
    return dict(zip(ids.tolist(), means.tolist(), strict=True))
