"""Scores of complete instances alone: what a face of the scored box cuts is left out.

Left out is every truth that touches a face; and every prediction whose largest share lies in such
a truth, or lies in the background while the prediction touches a face itself. Sizes and IoU of
what is kept stay those of the whole table.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from mitoem.labels import border_ids, check
from mitoem.scores.associations import largest
from mitoem.scores.matching import Accuracy, accuracies
from mitoem.scores.overlap import Contingency, Ids
from mitoem.scores.pairs import Pairs
from mitoem.scores.precision import AveragePrecision, average_precision


@dataclass(frozen=True, slots=True, eq=False)
class Cut:
    """Ids of the true and of the predicted instances that touch a face of the scored box."""

    truth: Ids
    prediction: Ids


@dataclass(frozen=True, slots=True)
class Complete:
    """Detection and average precision over complete instances, and how many were left out."""

    accuracy: tuple[Accuracy, ...]
    ap: AveragePrecision
    excluded_truth: int
    excluded_predicted: int

    def to_json(self) -> dict[str, Any]:
        """What stands under ``complete``."""
        return {
            "accuracy": {f"{one.threshold:g}": one.to_json() for one in self.accuracy},
            "ap": self.ap.to_json(),
            "excluded": {"truth": self.excluded_truth, "predicted": self.excluded_predicted},
        }


def cut_of(truth: npt.NDArray[Any], prediction: npt.NDArray[Any]) -> Cut:
    """The cut instances of two label arrays (z, y, x); raises LabelsInvalid."""
    return Cut(border_ids(check(truth)), border_ids(check(prediction)))


def complete_only(table: Contingency, pairs: Pairs, cut: Cut) -> Pairs:
    """The pairs of a table without the instances that are left out."""
    rows = largest(table.prediction, table.truth, table.voxels)
    home = table.truth[rows[table.prediction[rows] > 0]]
    at_face = np.isin(pairs.prediction_ids, cut.prediction)
    excluded = np.where(home > 0, np.isin(home, cut.truth), at_face)
    return pairs.kept(~np.isin(pairs.truth_ids, cut.truth), ~excluded)


def score_complete(
    table: Contingency,
    pairs: Pairs,
    cut: Cut,
    *,
    size_thresholds: tuple[int, int],
    scores: Mapping[int, float] | None,
) -> Complete:
    """Score what is complete; parameters as of ``evaluate``."""
    kept = complete_only(table, pairs, cut)
    return Complete(
        accuracy=accuracies(kept),
        ap=average_precision(kept, size_thresholds=size_thresholds, scores=scores),
        excluded_truth=pairs.truth_ids.size - kept.truth_ids.size,
        excluded_predicted=pairs.prediction_ids.size - kept.prediction_ids.size,
    )
