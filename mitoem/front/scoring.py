"""Predictions and their scores."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from mitoem.front import pairs
from mitoem.front.pairs import Labels
from mitoem.front.shelves import Cancelled, Data, Progress, resolved
from mitoem.geometry import Box
from mitoem.ingestion import recognise
from mitoem.volume import Volume

if TYPE_CHECKING:
    from mitoem.inference import DecodeParameters, Prediction
    from mitoem.scores import Scores


def predict(
    volume: str | Volume,
    box: Box | None = None,
    *,
    model: str | Path | None = None,
    decode: DecodeParameters | None = None,
    flips: bool = False,
    data: Data = None,
    progress: Progress | None = None,
    cancelled: Cancelled | None = None,
) -> Prediction:
    """Run the bundled model (or another ONNX file) on a box of a volume at level 0.

    Parameters as of ``mitoem.inference.predict``. Raises MemoryShort before it reads: a box of
    any size goes through ``predict_blocks``.
    """
    from mitoem import inference

    target = resolved(volume, data=data)
    region = (box or Box.whole(target.info.shape)).inside(target.info.shape)
    voxel_size = target.info.voxel_size
    inference.check_memory(inference.estimate(region.shape, voxel_size=voxel_size, model=model))
    return inference.predict(
        target.read(region),
        voxel_size=voxel_size,
        model=model,
        decode=decode,
        flips=flips,
        progress=progress,
        cancelled=cancelled,
    )


def evaluate(
    truth: Labels,
    prediction: Labels,
    *,
    size_thresholds: tuple[int, int] = (5000, 15000),
    scores: npt.NDArray[Any] | None = None,
    data: Data = None,
    progress: Progress | None = None,
    cancelled: Cancelled | None = None,
) -> Scores:
    """Score a prediction against the truth; arrays, files, or ``NAME/labels``.

    Two label sets of one volume are compared where both were labelled. Sections are read a few at
    a time, so that pairs of any size can be scored; a heat map (``scores`` of the labels' shape)
    needs the prediction whole. Raises ShapeMismatch with both shapes, LabelsInvalid,
    SourceUnreadable, RunCancelled.
    """
    from mitoem import scores as scoring

    one, other = pairs.sides(truth, prediction, data=data)
    table = pairs.overlap(one, other, progress=progress, cancelled=cancelled)
    ranks = None if scores is None else scoring.ranking(other.whole(), scores)
    return scoring.evaluate_table(table, size_thresholds=size_thresholds, scores=ranks)


def read_labels(labels: Labels, *, data: Data = None) -> npt.NDArray[np.uint32]:
    """Labels as an array (z, y, x) uint32, from an array, a file, or ``NAME/labels``."""
    return pairs.side(labels, data=data).whole()


def read_image(path: str | Path, *, key: str | None = None) -> npt.NDArray[Any]:
    """An image file of any supported format as an array (z, y, x) of its own dtype."""
    return np.concatenate(list(recognise(path, key=key).slabs(64)))
