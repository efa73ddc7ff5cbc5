"""Instance tables against the labels that they measure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TypeAlias

import numpy as np
import pandas as pd

from mitoem.catalog import Catalog
from mitoem.checking.finding import Finding, differs
from mitoem.errors import MitoEMError, TableMissing
from mitoem.manifest import LabelSet
from mitoem.volume import Volume

Counts: TypeAlias = Mapping[int, int]
"""Voxels of each instance, as counted."""

_CORNERS = [f"bbox_{axis}{end}" for end in (0, 1) for axis in "zyx"]
_COLUMNS = ["instance_id", "voxel_count", *_CORNERS]


def check(
    volume: Volume, known: Catalog, one: LabelSet, counts: Counts | None
) -> Iterator[Finding]:
    """The table of a label set: its version, rows, ids and boxes, and its counts where counted."""
    where = f"{volume.name}/tables/{one.name}.parquet"
    beside = f"{volume.name}/tables/{one.name}.json"
    try:
        note = known.provenance(volume, one.name)
    except MitoEMError as error:
        yield Finding("error", beside, str(error))
        return
    if note is None and (known.tables(volume) / f"{one.name}.parquet").exists():
        where = beside
    try:
        frame = known.table(volume, one.name)
    except TableMissing as error:
        yield Finding("notice", where, str(error))
        return
    except MitoEMError as error:
        yield Finding("error", where, str(error))
        return
    missing = [name for name in _COLUMNS if name not in frame.columns]
    if missing:
        yield differs(where, "columns", _COLUMNS, f"none called {', '.join(missing)}")
        return
    if len(frame) != one.instances:
        yield differs(where, "rows", one.instances, len(frame))
    ids = frame["instance_id"]
    if ids.duplicated().any() or (ids <= 0).any():
        yield differs(where, "ids", "each once, above 0", sorted(ids[ids.duplicated()])[:5])
    yield from _boxes(volume, frame, where)
    if counts is not None:
        yield from _counts(frame, counts, where)


def _boxes(volume: Volume, frame: pd.DataFrame, where: str) -> Iterator[Finding]:
    """Bounding boxes that are empty or reach beyond the volume."""
    start, stop = frame[_CORNERS[:3]].to_numpy(), frame[_CORNERS[3:]].to_numpy()
    bad = (start < 0) | (start >= stop) | (stop > np.asarray(volume.info.shape))
    wrong = np.flatnonzero(bad.any(axis=1))
    if len(wrong):
        found = f"instance {frame['instance_id'].iloc[wrong[0]]} and {len(wrong) - 1} more"
        yield differs(where, "boxes", f"inside {volume.info.shape}", found)


def _counts(frame: pd.DataFrame, counts: Counts, where: str) -> Iterator[Finding]:
    """Ids and voxel counts against those of the labels."""
    rows = dict(zip(frame["instance_id"], frame["voxel_count"], strict=True))
    unmeasured, gone = sorted(counts.keys() - rows.keys()), sorted(rows.keys() - counts.keys())
    if unmeasured or gone:
        found = f"without {unmeasured[:5]} and with {gone[:5]}, which the labels lack"
        yield differs(where, "ids", "those of the labels", found)
    other = [i for i in rows.keys() & counts.keys() if rows[i] != counts[i]]
    if other:
        first = min(other)
        what = f"voxels of instance {first} (and of {len(other) - 1} more)"
        yield differs(where, what, counts[first], rows[first])
