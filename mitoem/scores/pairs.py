"""The overlap table without background: instances by place, and the IoU of every touching pair."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from mitoem.scores.overlap import Contingency, Counts, Ids

Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class Pairs:
    """Instances of both sides by rising id with their voxels, and the pairs that share voxels.

    ``truth`` and ``prediction`` hold places in ``truth_ids`` and ``prediction_ids``, ``shared``
    voxels; pairs are sorted by (truth, prediction).
    """

    truth_ids: Ids
    truth_sizes: Counts
    prediction_ids: Ids
    prediction_sizes: Counts
    truth: npt.NDArray[np.intp]
    prediction: npt.NDArray[np.intp]
    shared: Counts

    @property
    def iou(self) -> Floats:
        """Intersection over union of every pair."""
        union = self.truth_sizes[self.truth] + self.prediction_sizes[self.prediction] - self.shared
        return np.asarray(self.shared / union, np.float64)

    def kept(self, truth: Flags, prediction: Flags) -> Pairs:
        """The instances that are flagged, and the pairs of two of them; sizes stay."""
        rows = truth[self.truth] & prediction[self.prediction]
        return Pairs(
            self.truth_ids[truth],
            self.truth_sizes[truth],
            self.prediction_ids[prediction],
            self.prediction_sizes[prediction],
            (np.cumsum(truth) - 1)[self.truth[rows]],
            (np.cumsum(prediction) - 1)[self.prediction[rows]],
            self.shared[rows],
        )


def pairs_of(table: Contingency) -> Pairs:
    """The pairs of instances of an overlap table."""
    truth_ids, truth_sizes = table.sizes("truth")
    prediction_ids, prediction_sizes = table.sizes("prediction")
    both = (table.truth > 0) & (table.prediction > 0)
    return Pairs(
        truth_ids,
        truth_sizes,
        prediction_ids,
        prediction_sizes,
        np.searchsorted(truth_ids, table.truth[both]),
        np.searchsorted(prediction_ids, table.prediction[both]),
        table.voxels[both],
    )
