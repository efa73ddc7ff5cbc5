"""How good a model is: on the real stack that it never saw, and on phantoms of other seeds."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mitoem.geometry import VoxelSize
from mitoem.inference import Model, predict
from mitoem.inference.resample import nearest, resample
from mitoem.phantom import make
from mitoem.scores import evaluate
from mitoem.training.sources import data_root

GRID: VoxelSize = (40.0, 8.0, 8.0)
"""Voxel size at which the validation stack is scored, nm."""

HELD_OUT = (901, 902)
"""Seeds of phantoms that training never uses."""


def validation(model: Model) -> dict[str, Any]:
    """Scores on sections 50–59 of the CDeep3M stack, resampled to 40 × 8 × 8 nm."""
    with np.load(data_root() / "cdeep3m_sbem_z50_59.npz") as data:
        image, labels = data["image"], data["labels"]
    z, y, x = image.shape
    shape = (z, round(y * 5.9 / GRID[1]), round(x * 5.9 / GRID[2]))
    truth = nearest(labels, shape)
    return agreement(truth, predict(resample(image, shape), voxel_size=GRID, model=model).labels)


def section(model: Model) -> dict[str, Any]:
    """Scores on the labelled section of SNEMI3D (trained on, unless left out), its pixels."""
    with np.load(data_root() / "snemi3d_z41_57.npz") as data:
        image, labels, at = data["image"], data["labels"], int(data["labelled_slices"][0])
    found = predict(image, voxel_size=(30.0, 6.0, 6.0), model=model)
    return agreement(labels[at : at + 1], found.labels[at : at + 1])


def phantoms(model: Model) -> dict[str, Any]:
    """Scores on phantoms of both kinds with held-out seeds."""
    scores = {}
    for kind in ("r", "h"):
        for seed in HELD_OUT:
            made = make(kind, shape=(32, 512, 512), seed=seed)
            found = predict(made.image, voxel_size=made.voxel_size, model=model)
            scores[f"{kind}-{seed}"] = agreement(made.labels, found.labels)
    return scores


def agreement(truth: NDArray[Any], found: NDArray[np.uint32]) -> dict[str, Any]:
    """Foreground IoU, and F1 with its counts at IoU 0.5 and 0.75, matched one to one."""
    scores = evaluate(truth, found)
    row: dict[str, Any] = {
        "foreground_iou": round(scores.foreground_iou, 4),
        "truth": scores.truth_instances,
        "predicted": scores.predicted_instances,
    }
    for one in scores.accuracy:
        row[f"f1_{one.threshold:g}"] = round(one.f1, 4)
        row[f"matched_{one.threshold:g}"] = one.true_positives
    return row
