"""One layer of a volume, unit by unit: resumable, and the same bytes however it was interrupted.

Beside the arrays a hidden directory keeps the statistics of every finished unit; it is removed
when the layer is complete.
"""

from __future__ import annotations

import io
import shutil
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from mitoem.geometry import Box
from mitoem.ingestion.placing import Placed, Watch, sections
from mitoem.ingestion.writer import LayerStats, LayerWriter, create_arrays, units
from mitoem.manifest import LevelInfo

STATE = ".units"
"""Directory of the finished units' statistics, inside the layer's own."""


def write_layer(
    directory: Path,
    levels: Sequence[LevelInfo],
    parts: Sequence[Placed],
    *,
    dtype: np.dtype[Any],
    region: Box,
    what: str,
    watch: Watch,
) -> LayerStats:
    """Write all levels of a layer and return its statistics; finished units are not redone."""
    create_arrays(directory, levels, dtype=dtype)
    state = directory / STATE
    state.mkdir(exist_ok=True)
    for leftover in directory.rglob("*.__lock"):  # of a write that was killed
        leftover.unlink()
    total: LayerStats | None = None
    for unit in units(region, levels, dtype=dtype):
        stats = _load(state, unit)
        if stats is None:
            stats = _write_unit(
                directory, levels, parts, unit, dtype=dtype, region=region, what=what, watch=watch
            )
            _keep(state, unit, stats)
        watch.report((unit.stop[0] - region.start[0]) / region.shape[0], what)
        total = stats if total is None else total + stats
    shutil.rmtree(state)
    assert total is not None, "a region has at least one unit"
    return total


def _write_unit(
    directory: Path,
    levels: Sequence[LevelInfo],
    parts: Sequence[Placed],
    unit: Box,
    *,
    dtype: np.dtype[Any],
    region: Box,
    what: str,
    watch: Watch,
) -> LayerStats:
    writer = LayerWriter(directory, levels, dtype=dtype, region=unit)
    z = unit.start[0]
    for slab in _ahead(sections(parts, unit, dtype=dtype, depth=writer.depth)):
        writer.write(slab)
        z += len(slab)
        watch.report((z - region.start[0]) / region.shape[0], what)
    return writer.close()


def _ahead(slabs: Iterator[npt.NDArray[Any]]) -> Iterator[npt.NDArray[Any]]:
    """The same slabs, the next one being read while this one is written."""
    with ThreadPoolExecutor(1) as reader:
        waiting = reader.submit(next, slabs, None)
        while (slab := waiting.result()) is not None:
            waiting = reader.submit(next, slabs, None)
            yield slab


def _path(state: Path, unit: Box) -> Path:
    return state / f"{unit.start[0]}-{unit.stop[0]}.npz"


def _keep(state: Path, unit: Box, stats: LayerStats) -> None:
    data = io.BytesIO()
    arrays: dict[str, Any] = {f"ids{level}": ids for level, ids in enumerate(stats.ids)}
    arrays |= {"histogram": stats.histogram, "per_section": stats.per_section}
    np.savez(data, **arrays)
    partial = _path(state, unit).with_suffix(".partial")
    partial.write_bytes(data.getvalue())
    partial.replace(_path(state, unit))


def _load(state: Path, unit: Box) -> LayerStats | None:
    if not _path(state, unit).exists():
        return None
    with np.load(_path(state, unit), allow_pickle=False) as kept:
        count = sum(name.startswith("ids") for name in kept.files)
        ids = tuple(kept[f"ids{level}"] for level in range(count))
        return LayerStats(kept["histogram"], ids, kept["per_section"])
