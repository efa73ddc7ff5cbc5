"""Predictions and their scores."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from mitoem.errors import SourceNotFound, SourceUnreadable
from mitoem.front import instances, pairs
from mitoem.front.pairs import Labels
from mitoem.front.shelves import Cancelled, Data, Progress, open_volume, resolved
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
    lengths: Mapping[int, float] | None = None,
    data: Data = None,
    progress: Progress | None = None,
    cancelled: Cancelled | None = None,
) -> Scores:
    """Score a prediction against the truth; arrays, files, or ``NAME/labels``.

    Two label sets of one volume are compared where both were labelled. Sections are read a few at
    a time, so that pairs of any size can be scored; a heat map (``scores`` of the labels' shape)
    needs the prediction whole. ``lengths`` in µm by true id: where the truth is ``NAME/labels``
    and its table holds them, they are taken from there unasked. Raises ShapeMismatch with both
    shapes, LabelsInvalid, SourceUnreadable, RunCancelled.
    """
    from mitoem import scores as scoring

    one, other = pairs.sides(truth, prediction, data=data)
    table = pairs.overlap(one, other, progress=progress, cancelled=cancelled)
    ranks = None if scores is None else scoring.ranking(other.whole(), scores)
    known = pairs.named(truth)
    if lengths is None and known is not None:
        lengths = instances.lengths_um(open_volume(known[0], data=data), known[1], data=data)
    return scoring.evaluate_table(
        table, size_thresholds=size_thresholds, scores=ranks, lengths=lengths
    )


def read_lengths(path: str | Path) -> dict[int, float]:
    """Skeleton lengths in µm by id, from a CSV with columns ``instance_id`` and ``length_um``.

    An instance table as CSV is one. NaN where a length is blank. Raises SourceNotFound,
    SourceUnreadable for a missing column, a value that is no number, an id that is there twice.
    """
    file = Path(path)
    if not file.is_file():
        raise SourceNotFound(f"{path}: expected a CSV file, found none")
    try:
        frame = pd.read_csv(file)
        if not {"instance_id", "length_um"} <= set(frame.columns):
            raise ValueError(f"found {', '.join(map(str, frame.columns))[:200]}")
        ids, lengths = (pd.to_numeric(frame[name]) for name in ("instance_id", "length_um"))
        if not (ids % 1 == 0).all() or ids.duplicated().any():
            raise ValueError("found ids that are no whole numbers, or there twice")
    except ValueError as error:
        reason = str(error).partition("\n")[0]
        wanted = "expected columns instance_id and length_um of numbers, one row per instance"
        raise SourceUnreadable(f"{file.name}: {wanted}; {reason}") from error
    return dict(zip(ids.astype(int).tolist(), lengths.astype(float).tolist(), strict=True))


def read_labels(labels: Labels, *, data: Data = None) -> npt.NDArray[np.uint32]:
    """Labels as an array (z, y, x) uint32, from an array, a file, or ``NAME/labels``."""
    return pairs.side(labels, data=data).whole()


def read_image(path: str | Path, *, key: str | None = None) -> npt.NDArray[Any]:
    """An image file of any supported format as an array (z, y, x) of its own dtype."""
    return np.concatenate(list(recognise(path, key=key).slabs(64)))
