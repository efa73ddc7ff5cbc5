"""Scores of the whole partition: variation of information and adapted Rand error."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from mitoem.scores.overlap import Contingency, Counts
from mitoem.scores.precision import NO_TRUTH


def variation_of_information(table: Contingency) -> tuple[float, float]:
    """Bits (split, merge): entropy of the prediction given the truth, and the other way round.

    Background is one more label. Source: Meilă, Journal of Multivariate Analysis 98 (2007) 873.
    """
    shared, rows, columns = _margins(table)
    if shared.size == 0:
        return 0.0, 0.0
    weight = shared / shared.sum()
    split = float((weight * np.log2(rows / shared)).sum())
    return split, float((weight * np.log2(columns / shared)).sum())


def foreground_iou(table: Contingency) -> float:
    """Voxels that are foreground in both, over those in either; −1 where neither has any."""
    truth, prediction = table.truth > 0, table.prediction > 0
    either = int(table.voxels[truth | prediction].sum())
    return int(table.voxels[truth & prediction].sum()) / either if either else NO_TRUTH


def adapted_rand_error(table: Contingency) -> float:
    """One minus the F-score of pairs of voxels that lie together, over the truth's foreground.

    0 is perfect; −1 where there is no truth. Predicted background is one more label. Source:
    Arganda-Carreras et al., Frontiers in Neuroanatomy 9 (2015) 142.
    """
    inside = table.truth > 0
    part = Contingency(
        table.truth[inside],
        table.prediction[inside],
        table.voxels[inside],
        table.longest[inside],
        table.point[inside],
    )
    if part.total == 0:
        return NO_TRUTH
    together = _pairs_within(part.voxels)
    truth = _pairs_within(_sums(part.truth, part.voxels)[0])
    prediction = _pairs_within(_sums(part.prediction, part.voxels)[0])
    return 0.0 if truth + prediction == 0 else 1.0 - 2 * together / (truth + prediction)


def _sums(ids: npt.NDArray[np.uint32], voxels: Counts) -> tuple[Counts, Counts]:
    """Voxels per id, and the same per row."""
    names, places = np.unique(ids, return_inverse=True)
    sums = np.zeros(names.size, np.int64)
    np.add.at(sums, places, voxels)
    return sums, sums[places]


def _margins(table: Contingency) -> tuple[Counts, Counts, Counts]:
    return (
        table.voxels,
        _sums(table.truth, table.voxels)[1],
        _sums(table.prediction, table.voxels)[1],
    )


def _pairs_within(sizes: Counts) -> float:
    return float((sizes.astype(np.float64) * (sizes - 1)).sum())
