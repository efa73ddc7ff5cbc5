"""One layer of a volume, unit by unit: resumable, and the same bytes however it was interrupted.

Beside the arrays a hidden directory keeps the statistics of every finished unit; it is removed
when the layer is complete.
"""

from __future__ import annotations

import io
import shutil
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from mitoem import blocks
from mitoem.geometry import Box
from mitoem.ingestion.layout import CHUNK, create_arrays, units
from mitoem.ingestion.placing import Placed, Watch, sections
from mitoem.ingestion.writer import LayerStats, LayerWriter
from mitoem.manifest import LevelInfo

READ_BYTES = 1 << 25
"""Voxels read at a time; the next are read while these are written."""

AHEAD_BYTES = 6 * READ_BYTES
"""Voxels of an image read ahead while a block is written; labels, whose blocks are the largest,
read one piece ahead."""

STATE = ".units"
"""Directory of the finished units' statistics, inside the layer's own."""


@dataclass(frozen=True, slots=True)
class Layer:
    """A layer to be written: where, what levels, from which parts, over which level-0 box."""

    directory: Path
    levels: tuple[LevelInfo, ...]
    parts: tuple[Placed, ...]
    dtype: np.dtype[Any]
    region: Box
    name: str


def write_layer(layer: Layer, *, watch: Watch) -> LayerStats:
    """Write all levels of a layer and return its statistics; finished units are not redone."""
    create_arrays(layer.directory, layer.levels, dtype=layer.dtype)
    state = layer.directory / STATE
    state.mkdir(exist_ok=True)
    _unlock(layer.directory)
    every = units(layer.region, layer.levels, dtype=layer.dtype)
    left = [unit for unit in every if not _path(state, unit).exists()]
    done = layer.region.size - sum(unit.size for unit in left)
    cluster = blocks.scheduler_address(watch.scheduler) is not None
    work = [(unit,) for unit in left] if cluster else _runs(left)
    one = partial(write_units, layer, watch=Watch() if cluster else watch)
    for _, voxels in blocks.each(one, work, scheduler=watch.scheduler, cancelled=watch.cancelled):
        done += voxels
        watch.report(done / layer.region.size, layer.name)
    _unlock(layer.directory)
    total = _sum(_load(state, unit) for unit in every)
    shutil.rmtree(state)
    return total


def _unlock(directory: Path) -> None:
    """Remove what writes that were killed have left, of this process or of a worker elsewhere."""
    for leftover in directory.rglob("*.__lock"):
        leftover.unlink(missing_ok=True)


def write_units(layer: Layer, run: Sequence[Box], *, watch: Watch) -> int:
    """Write units that follow each other from one reading of the parts; returns their voxels.

    Each unit's statistics are kept beside the arrays as soon as it is on the disk.
    """
    z, region = run[0].start[0], layer.region
    whole = Box(run[0].start, run[-1].stop)
    depth = max(1, min(CHUNK[0], READ_BYTES // (whole.size // whole.shape[0])))
    ahead = 1 if layer.dtype != np.uint8 else max(1, AHEAD_BYTES // READ_BYTES)
    stream = _ahead(sections(layer.parts, whole, dtype=layer.dtype, depth=depth), ahead)
    held: npt.NDArray[Any] | None = None
    for unit in run:
        writer = LayerWriter(layer.directory, layer.levels, dtype=layer.dtype, region=unit)
        while z < unit.stop[0]:
            slab = next(stream) if held is None else held
            room = unit.stop[0] - z
            held = slab[room:] if len(slab) > room else None
            writer.write(slab[:room])
            z += min(len(slab), room)
            watch.report((z - region.start[0]) / region.shape[0], layer.name)
        _keep(layer.directory / STATE, unit, writer.close())
    return whole.size


def _runs(left: Sequence[Box]) -> list[tuple[Box, ...]]:
    """The units that are left, those that follow each other together."""
    runs: list[list[Box]] = []
    for unit in left:
        if runs and runs[-1][-1].stop[0] == unit.start[0]:
            runs[-1].append(unit)
        else:
            runs.append([unit])
    return [tuple(run) for run in runs]


def _ahead(slabs: Iterator[npt.NDArray[Any]], count: int) -> Iterator[npt.NDArray[Any]]:
    """The same slabs, the next ``count`` being read while this one is written."""
    with ThreadPoolExecutor(1) as reader:
        waiting = deque(reader.submit(next, slabs, None) for _ in range(count))
        while (slab := waiting.popleft().result()) is not None:
            waiting.append(reader.submit(next, slabs, None))
            yield slab
            del slab


def _path(state: Path, unit: Box) -> Path:
    return state / f"{unit.start[0]}-{unit.stop[0]}.npz"


def _keep(state: Path, unit: Box, stats: LayerStats) -> None:
    data = io.BytesIO()
    arrays: dict[str, Any] = {f"ids{level}": ids for level, ids in enumerate(stats.ids)}
    arrays |= {"histogram": stats.histogram, "per_section": stats.per_section}
    np.savez(data, **arrays)
    whole = _path(state, unit)
    hidden = whole.with_suffix(".partial")
    hidden.write_bytes(data.getvalue())
    hidden.replace(whole)


def _sum(stats: Iterator[LayerStats]) -> LayerStats:
    total = next(stats)
    for one in stats:
        total += one
    return total


def _load(state: Path, unit: Box) -> LayerStats:
    with np.load(_path(state, unit), allow_pickle=False) as kept:
        count = sum(name.startswith("ids") for name in kept.files)
        ids = tuple(kept[f"ids{level}"] for level in range(count))
        return LayerStats(kept["histogram"], ids, kept["per_section"])
