"""Every metric by its full name, with a one-line definition for the screen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Metric:
    """A score's full name, what it is in one line, and which way is better."""

    name: str
    definition: str
    better: str = "higher"


METRICS: Final[Mapping[str, Metric]] = {
    "mAP": Metric(
        "Mean average precision",
        "Average precision, averaged over the IoU thresholds 0.50, 0.55 … 0.95.",
    ),
    "AP50": Metric(
        "Average precision at IoU 0.50",
        "Area under precision against recall, predictions ranked by score; a hit has IoU ≥ 0.50.",
    ),
    "AP75": Metric(
        "Average precision at IoU 0.75",
        "As at 0.50, but a hit needs IoU ≥ 0.75; the number that the 2021 challenge ranks by.",
    ),
    "AP75_small": Metric(
        "Average precision at IoU 0.75, small instances",
        "The same for truth of at most 5,000 voxels, unless other limits are given.",
    ),
    "AP75_medium": Metric(
        "Average precision at IoU 0.75, medium instances",
        "The same for truth of more than 5,000 and at most 15,000 voxels.",
    ),
    "AP75_large": Metric(
        "Average precision at IoU 0.75, large instances",
        "The same for truth of more than 15,000 voxels.",
    ),
    "accuracy": Metric(
        "Detection accuracy",
        "TP / (TP + FP + FN) after one-to-one matching at the IoU threshold.",
    ),
    "accuracy_by_size": Metric(
        "Detection accuracy by size",
        "By voxels of the truth: small up to 5,000, medium up to 15,000, large above, unless other "
        "limits are given; a prediction counts with its largest truth, an invented one as small.",
    ),
    "accuracy_by_length": Metric(
        "Detection accuracy by skeleton length",
        "By cable length of the truth: short below 1 µm, medium below 4 µm, long from there; a "
        "prediction counts with its longest truth, an invented one as short.",
    ),
    "complete": Metric(
        "Complete instances",
        "Scores without truth that a face of the box cuts, and without predictions that lie mostly "
        "in such truth, or mostly in the background at a face.",
    ),
    "precision": Metric("Precision", "TP / (TP + FP): the share of predictions that are right."),
    "recall": Metric("Recall", "TP / (TP + FN): the share of truth instances that are found."),
    "f1": Metric("F1 score", "Harmonic mean of precision and recall: 2 TP / (2 TP + FP + FN)."),
    "panoptic_quality": Metric(
        "Panoptic quality",
        "Summed IoU of the matched pairs / (TP + FP / 2 + FN / 2).",
    ),
    "mean_iou": Metric("Mean IoU of matches", "Mean intersection over union of matched pairs."),
    "true_positives": Metric("True positives (TP)", "Instances matched one to one."),
    "false_positives": Metric("False positives (FP)", "Predictions without a match.", "lower"),
    "false_negatives": Metric("False negatives (FN)", "Truth without a match.", "lower"),
    "foreground_iou": Metric(
        "Foreground IoU",
        "Voxels that are mitochondrion in both, over those that are in either; ids play no part.",
    ),
    "vi_split": Metric(
        "Variation of information, split",
        "Bits needed to tell the predicted id once the true one is known: too many pieces.",
        "lower",
    ),
    "vi_merge": Metric(
        "Variation of information, merge",
        "Bits needed to tell the true id once the predicted one is known: pieces run together.",
        "lower",
    ),
    "adapted_rand_error": Metric(
        "Adapted Rand error",
        "1 − F-score of pairs of true foreground voxels that lie in one object in both.",
        "lower",
    ),
    "one_to_one": Metric("One-to-one", "Truth that belongs with one prediction, and it with it."),
    "missing": Metric("Missing", "Truth that no prediction belongs with.", "lower"),
    "over_segmentation": Metric(
        "Over-segmentation (split)", "Truth that several predictions belong with.", "lower"
    ),
    "under_segmentation": Metric(
        "Under-segmentation (merge)", "Truth that shares its only prediction.", "lower"
    ),
    "many_to_many": Metric(
        "Many-to-many", "Truth in a group of several truths and several predictions.", "lower"
    ),
    "background": Metric("Background (invented)", "Predictions that no truth has.", "lower"),
}
