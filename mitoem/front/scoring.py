"""Predictions and their scores."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from mitoem import manifest
from mitoem.errors import LabelsInvalid
from mitoem.front.shelves import Cancelled, Data, Progress, open_volume, resolved
from mitoem.geometry import Box
from mitoem.ingestion import recognise
from mitoem.ingestion.parts import checked
from mitoem.labels import check as check_labels
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
    data: Data = None,
    progress: Progress | None = None,
    cancelled: Cancelled | None = None,
) -> Prediction:
    """Run the bundled model (or another ONNX file) on a box of a volume at level 0."""
    from mitoem import inference

    target = resolved(volume, data=data)
    return inference.predict(
        target.read(box),
        voxel_size=target.info.voxel_size,
        model=model,
        decode=decode,
        progress=progress,
        cancelled=cancelled,
    )


def evaluate(
    truth: npt.NDArray[Any] | str | Path,
    prediction: npt.NDArray[Any] | str | Path,
    *,
    size_thresholds: tuple[int, int] = (5000, 15000),
    scores: npt.NDArray[Any] | None = None,
    data: Data = None,
) -> Scores:
    """Score a prediction against the truth; arrays, files, or ``NAME/labels``.

    Two label sets of one volume are compared where both were labelled. Raises ShapeMismatch with
    both shapes, LabelsInvalid, SourceUnreadable.
    """
    from mitoem import scores as scoring

    a, b = _pair(truth, prediction, data)
    return scoring.evaluate(a, b, size_thresholds=size_thresholds, scores=scores)


def read_labels(labels: npt.NDArray[Any] | str | Path, *, data: Data = None) -> npt.NDArray[Any]:
    """Labels as an array (z, y, x) uint32, from an array, a file, or ``NAME/labels``."""
    if isinstance(labels, np.ndarray):
        return check_labels(labels)
    named = _named(labels)
    if named is not None:
        return open_volume(named[0], data=data).read(layer=named[1])
    source = recognise(labels, role="labels")
    if len(source.runs) > 1:
        raise LabelsInvalid(
            f"{source.path.name}: expected slices without gaps, found {source.format}; "
            "`labels add` puts them into a volume, where they can be scored"
        )
    return np.concatenate(list(checked(source)(64))).astype(np.uint32)


def read_image(path: str | Path, *, key: str | None = None) -> npt.NDArray[Any]:
    """An image file of any supported format as an array (z, y, x) of its own dtype."""
    return np.concatenate(list(recognise(path, key=key).slabs(64)))


def common_coverage(volume: Volume, truth: str, prediction: str) -> Box:
    """The level-0 box that two label sets of a volume both cover; raises LabelsInvalid if none."""
    for one in volume.info.label_set(truth).coverage:
        for other in volume.info.label_set(prediction).coverage:
            common = one.intersect(other)
            if common is not None:
                return common
    raise LabelsInvalid(f"{truth!r} and {prediction!r} of {volume.name!r} cover no voxel together")


def _pair(
    truth: npt.NDArray[Any] | str | Path, prediction: npt.NDArray[Any] | str | Path, data: Data
) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
    """Both label arrays; of two sets of one volume only the box that both cover."""
    a, b = _named(truth), _named(prediction)
    if a is None or b is None or a[0] != b[0]:
        return read_labels(truth, data=data), read_labels(prediction, data=data)
    target = open_volume(a[0], data=data)
    common = common_coverage(target, a[1], b[1])
    return target.read(common, layer=a[1]), target.read(common, layer=b[1])


def _named(labels: npt.NDArray[Any] | str | Path) -> tuple[str, str] | None:
    """``NAME/labels`` apart, or None for an array or a file that exists."""
    if isinstance(labels, np.ndarray) or Path(labels).exists():
        return None
    name, slash, one = str(labels).partition("/")
    if not slash or "/" in one or os.sep in one:
        return None
    try:
        return manifest.check_name(name), manifest.check_name(one, what="labels")
    except ValueError:
        return None
