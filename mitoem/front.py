"""The front door: what pages, routes' neighbours, scripts and the command line all call.

Volumes are named in the data roots of ``data`` (else ``MITOEM_DATA``, else ``data/``).
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from mitoem import catalog, filters, manifest, morphometry, tables
from mitoem.errors import FilterInvalid, InstanceNotFound, LabelsInvalid, TableMissing
from mitoem.geometry import Box, Index, VoxelSize
from mitoem.ingestion import assemble, placing, recognise
from mitoem.ingestion import run as ingestion
from mitoem.labels import check as check_labels
from mitoem.labels import smallest_dtype
from mitoem.volume import Volume

if TYPE_CHECKING:
    from mitoem.inference import DecodeParameters, Prediction
    from mitoem.meshes import Mesh
    from mitoem.scores import Scores

Progress = Callable[[float, str], None]
Cancelled = Callable[[], bool]
Data = str | Path | None


def open_volume(name: str, *, data: Data = None) -> Volume:
    """The volume of that name; raises VolumeNotFound, which lists those that exist."""
    return catalog.from_environment(data).open(name)


def volumes(*, data: Data = None) -> list[str]:
    """Names of the complete volumes, sorted."""
    return catalog.from_environment(data).names()


def ingest(
    name: str,
    image: str | Path,
    *,
    labels: Sequence[str | Path] = (),
    labels_offset: Index | None = None,
    voxel_size: VoxelSize | None = None,
    key: str | None = None,
    rescale: bool = False,
    crop: Box | None = None,
    overwrite: bool = False,
    data: Data = None,
    say: Callable[[str], None] = lambda line: None,
    progress: Progress | None = None,
    cancelled: Cancelled | None = None,
) -> Volume:
    """Make a volume from files of any supported format; see ``mitoem.ingestion.run``.

    ``voxel_size`` in nm and ``labels_offset`` are (z, y, x). ``say`` hears what was recognised.
    A complete volume from the same sources is returned untouched.
    """
    request = ingestion.Request(
        name=name,
        image=Path(image),
        labels=tuple(Path(path) for path in labels),
        labels_offset=labels_offset,
        voxel_size=voxel_size,
        key=key,
        rescale=rescale,
        crop=crop,
        overwrite=overwrite,
    )
    root = catalog.from_environment(data).writable
    watch = placing.Watch(progress, cancelled)
    volume, made = ingestion.run(root, request, say=say, watch=watch)
    if not made:
        say(f"volume {name!r} is complete already, from the same sources")
    return volume


def add_labels(
    volume: str | Volume,
    name: str,
    labels: npt.NDArray[Any] | str | Path,
    *,
    offset: Index = (0, 0, 0),
    kind: Literal["truth", "prediction"] = "prediction",
    provenance: str = "",
    key: str | None = None,
    overwrite: bool = False,
    data: Data = None,
    progress: Progress | None = None,
) -> Volume:
    """Put labels, an array (z, y, x) or a file, beside a volume's image at ``offset``.

    Raises LabelsInvalid, ShapeMismatch with both shapes, VolumeExists for a taken name.
    """
    target = _volume(volume, data)
    if isinstance(labels, str | Path):
        source = recognise(labels, key=key)
        placed = ingestion.labels_of(source, offset=offset)
        dtype = ingestion.labels_dtype([source])
    else:
        ids = check_labels(labels)
        dtype = smallest_dtype(int(ids.max(initial=0)))
        placed = placing.from_array(ids.astype(dtype), offset=offset)
    new = assemble.NewLabels(name, (placed,), dtype, kind, provenance)
    return assemble.add_labels(target, new, overwrite=overwrite, watch=placing.Watch(progress))


def measure(
    volume: str | Volume,
    labels: str = "truth",
    *,
    data: Data = None,
    progress: Progress | None = None,
    cancelled: Cancelled | None = None,
) -> pd.DataFrame:
    """Measure every instance of a label set and keep the table beside the volume.

    One row per instance; the columns are ``mitoem.morphometry.COLUMNS``.
    """
    known = catalog.from_environment(data)
    target = volume if isinstance(volume, Volume) else known.open(volume)
    info, one = target.info, target.info.label_set(labels)
    frame = morphometry.measure_blocks(
        lambda box: target.read(box, layer=labels),
        target.read,
        info.shape,
        voxel_size=info.voxel_size,
        regions=one.coverage,
        splits=info.splits,
        progress=progress,
        cancelled=cancelled,
    )
    provenance = {
        "volume": info.name,
        "labels": labels,
        "labels_version": one.version,
        "sources": [asdict(source) for source in info.sources],
        "voxel_size_nm": info.voxel_size,
        "synthetic": info.synthetic,
    }
    tables.write(known.tables(target), labels, frame, provenance=provenance)
    return frame


def table(
    volume: str | Volume,
    labels: str = "truth",
    *,
    filter: str = "",  # noqa: A002 -- the word of the command line and of the URL
    columns: Sequence[str] | None = None,
    data: Data = None,
    progress: Progress | None = None,
) -> pd.DataFrame:
    """The instance table of a label set, measured first where it is missing or out of date.

    ``filter`` is an expression such as ``volume_um3 > 0.05 and not touches_border``; raises
    FilterInvalid for a bad one or for a column that is not there.
    """
    known = catalog.from_environment(data)
    target = volume if isinstance(volume, Volume) else known.open(volume)
    try:
        frame = stored_table(target, labels, data=data)
    except TableMissing:
        frame = measure(target, labels, data=data, progress=progress)
    if filter:
        frame = frame[filters.parse(filter).apply(frame)].reset_index(drop=True)
    if columns is not None:
        unknown = [name for name in columns if name not in frame.columns]
        if unknown:
            known_names = ", ".join(frame.columns)
            raise FilterInvalid(f"no column {unknown[0]!r}; there are: {known_names}")
        frame = frame[list(columns)]
    return frame


def stored_table(volume: Volume, labels: str = "truth", *, data: Data = None) -> pd.DataFrame:
    """The table as it lies on disk; raises TableMissing when the labels need measuring."""
    version = volume.info.label_set(labels).version
    return tables.read(catalog.from_environment(data).tables(volume), labels, version=version)


def mesh(
    volume: str | Volume,
    labels: str,
    instance_id: int,
    *,
    level: int = 0,
    data: Data = None,
) -> Mesh:
    """The surface of one instance, vertices (x, y, z) in µm, from a level of the pyramid.

    Raises InstanceNotFound for an id that the table does not hold.
    """
    from mitoem import meshes

    target = _volume(volume, data)
    box = instance_box(target, labels, instance_id, data=data)
    info = target.info.levels[level]
    shape = target.level_shape(level)
    from mitoem.volume import coarse

    outer = coarse(box, info.factors).grow(meshes.MARGIN, within=shape)
    mask = target.read(outer, level=level, layer=labels) == instance_id
    return meshes.of_mask(mask, box=outer, level=info)


def instance_box(volume: Volume, labels: str, instance_id: int, *, data: Data = None) -> Box:
    """The level-0 bounding box of an instance; raises InstanceNotFound."""
    frame = table(volume, labels, data=data)
    row = frame[frame["instance_id"] == instance_id]
    if row.empty:
        raise InstanceNotFound(
            f"no instance {instance_id} in {labels!r} of {volume.name!r}, which has {len(frame)}"
        )
    start = [int(row[f"bbox_{axis}0"].iloc[0]) for axis in "zyx"]
    stop = [int(row[f"bbox_{axis}1"].iloc[0]) for axis in "zyx"]
    return Box((start[0], start[1], start[2]), (stop[0], stop[1], stop[2]))


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

    target = _volume(volume, data)
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
        return _volume(named[0], data).read(layer=named[1])
    source = recognise(labels, key=ingestion.labels_key(Path(labels), None))
    slabs = list(ingestion.labels_of(source).slabs(64))
    return np.concatenate(slabs).astype(np.uint32)


def _pair(
    truth: npt.NDArray[Any] | str | Path, prediction: npt.NDArray[Any] | str | Path, data: Data
) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
    """Both label arrays; of two sets of one volume only the box that both cover."""
    a, b = _named(truth), _named(prediction)
    if a is None or b is None or a[0] != b[0]:
        return read_labels(truth, data=data), read_labels(prediction, data=data)
    target = _volume(a[0], data)
    common = common_coverage(target, a[1], b[1])
    return target.read(common, layer=a[1]), target.read(common, layer=b[1])


def common_coverage(volume: Volume, truth: str, prediction: str) -> Box:
    """The level-0 box that two label sets of a volume both cover; raises LabelsInvalid if none."""
    for one in volume.info.label_set(truth).coverage:
        for other in volume.info.label_set(prediction).coverage:
            common = one.intersect(other)
            if common is not None:
                return common
    raise LabelsInvalid(f"{truth!r} and {prediction!r} of {volume.name!r} cover no voxel together")


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


def _volume(volume: str | Volume, data: Data) -> Volume:
    return volume if isinstance(volume, Volume) else open_volume(volume, data=data)
