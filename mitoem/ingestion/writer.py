"""One unit of a layer, written section by section with all its levels in one pass."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import fastremap
import numpy as np
import numpy.typing as npt
import tensorstore as ts
from PIL import Image

from mitoem import pyramid
from mitoem.errors import SourceUnreadable
from mitoem.geometry import Box
from mitoem.ingestion.disk import disk_error
from mitoem.ingestion.layout import WRITING, shard_shape
from mitoem.manifest import GreyStats, LevelInfo
from mitoem.volume import coarse, open_array, to_url

MOST_WRITES = 1
"""Shards on their way to the disk at a time."""


@dataclass(frozen=True, slots=True)
class LayerStats:
    """What the voxels of a layer are, additive over its units.

    ``histogram``: grey values at level 0, for the image. ``ids``: per level, the ids that it
    shows; ``per_section``: instances in each section of the volume, for labels.
    """

    histogram: npt.NDArray[np.int64]
    ids: tuple[npt.NDArray[np.uint32], ...]
    per_section: npt.NDArray[np.int64]

    def __add__(self, other: LayerStats) -> LayerStats:
        return LayerStats(
            self.histogram + other.histogram,
            tuple(np.union1d(a, b) for a, b in zip(self.ids, other.ids, strict=True)),
            self.per_section + other.per_section,
        )

    @property
    def grey(self) -> GreyStats:
        """Grey statistics of the image."""
        total = int(self.histogram.sum())
        cumulative = np.cumsum(self.histogram)
        p1, p50, p99 = (
            int(np.searchsorted(cumulative, total * share)) for share in (0.01, 0.5, 0.99)
        )
        mean = float(np.dot(self.histogram, np.arange(256)) / max(total, 1))
        return GreyStats(p1, p50, p99, mean, tuple(int(n) for n in self.histogram))

    @property
    def vanished(self) -> tuple[int, ...]:
        """Per level, the ids of level 0 that no voxel of the level shows."""
        return tuple(len(self.ids[0]) - len(ids) for ids in self.ids)


class LayerWriter:
    """Writes the sections of one unit in order, shrinking each shard while it is in memory.

    ``region`` is a level-0 box whose blocks are whole on every level and whose shards belong to
    no other unit (see ``units``). ``write`` takes its sections, any number at a time; ``close``
    waits for the disk. A shard is written in one piece, so a shard that exists is complete: after
    a stop it is not written again. Coarser levels hold at most one shard's depth of planes.
    """

    def __init__(
        self, directory: Path, levels: Sequence[LevelInfo], *, dtype: np.dtype[Any], region: Box
    ) -> None:
        self.dtype = dtype
        self.is_labels = dtype != np.uint8
        self._directory = directory
        self._levels = levels
        self._regions = [coarse(region, level.factors) for level in levels]
        self._shards = [shard_shape(level.shape, dtype.itemsize) for level in levels]
        self._next = [box.start[0] for box in self._regions]
        self._blocks: list[list[npt.NDArray[Any]] | None] = [None for _ in levels]
        self._held = [0 for _ in levels]
        self._ids = [np.zeros(0, np.uint32) for _ in levels]
        self._per_section = np.zeros(levels[0].shape[0], np.int64)
        self._histogram = np.zeros(256, np.int64)
        self._writes: list[Any] = []
        self._stores = [
            open_array(to_url(directory / str(n)), overrides=WRITING) for n in range(len(levels))
        ]

    def write(self, sections: npt.NDArray[Any]) -> None:
        """Take the next sections of the region, (n, y, x)."""
        self._look_at(sections)
        self._take(sections)

    def close(self) -> LayerStats:
        """Write what is left; raises when the sections did not fill the region."""
        z, stop = self._next[0] + self._held[0], self._regions[0].stop[0]
        if z != stop:
            raise SourceUnreadable(f"expected sections up to z = {stop}, found up to {z}")
        self._wait(0)
        return LayerStats(self._histogram, tuple(self._ids), self._per_section)

    def _look_at(self, sections: npt.NDArray[Any]) -> None:
        z = self._next[0] + self._held[0]
        for offset, section in enumerate(sections):
            if self.is_labels:
                self._per_section[z + offset] = self._see(0, section)
            else:
                picture = Image.fromarray(np.ascontiguousarray(section))
                self._histogram += np.asarray(picture.histogram(), np.int64)

    def _see(self, level: int, labels: npt.NDArray[Any]) -> int:
        """Note the ids in an array; returns how many there are besides 0."""
        found = fastremap.unique(labels)
        found = found[found > 0].astype(np.uint32)
        self._ids[level] = np.union1d(self._ids[level], found)
        return len(found)

    def _take(self, sections: npt.NDArray[Any]) -> None:
        """Add planes to level 0; what fills a shard's depth is stored and shrunk to the next."""
        waiting = [(0, sections)]
        del sections
        while waiting:
            level, planes = waiting.pop()
            bands, rest = self._fill(level, planes)
            del planes
            if len(rest):
                waiting.append((level, rest))
            del rest
            if bands is not None:
                shrunk = self._spend(level, bands)
                if shrunk is not None:
                    waiting.append((level + 1, shrunk))

    def _fill(
        self, level: int, planes: npt.NDArray[Any]
    ) -> tuple[list[npt.NDArray[Any]] | None, npt.NDArray[Any]]:
        """A block of a whole shard's depth, if the planes complete one, and the planes left.

        A block is a list of bands, one per row of shards, so that each can go when it is stored.
        """
        z, held = self._next[level], self._held[level]
        depth = self._shards[level][0]
        full = min(depth - z % depth, self._regions[level].stop[0] - z)
        rows = self._rows(level)
        if held == 0 and len(planes) >= full:
            return [planes[:full, a:b] for a, b in rows], planes[full:]
        bands = self._blocks[level] or [
            np.empty((full, b - a, planes.shape[2]), self.dtype) for a, b in rows
        ]
        taken = min(full - held, len(planes))
        for band, (a, b) in zip(bands, rows, strict=True):
            band[held : held + taken] = planes[:taken, a:b]
        if held + taken == full:
            self._blocks[level], self._held[level] = None, 0
            return bands, planes[taken:]
        self._blocks[level], self._held[level] = bands, held + taken
        return None, planes[taken:]

    def _rows(self, level: int) -> list[tuple[int, int]]:
        """Where the rows of shards cut the region's plane, counted from its first row."""
        start, stop = self._regions[level].start[1], self._regions[level].stop[1]
        size = self._shards[level][1]
        cuts = range(start // size * size + size, stop, size)
        return [(a - start, b - start) for a, b in pairwise([start, *cuts, stop])]

    def _spend(self, level: int, bands: list[npt.NDArray[Any]]) -> npt.NDArray[Any] | None:
        """Store a block and shrink it for the next level, letting go of each band on the way."""
        depth, shrunk = len(bands[0]), []
        shrink = pyramid.shrink_labels if self.is_labels else pyramid.shrink_image
        for a, _ in self._rows(level):
            band = bands.pop(0)
            if self.is_labels and level:
                self._see(level, band)
            self._store(level, band, self._regions[level].start[1] + a)
            if level + 1 < len(self._levels):
                fine, small = self._levels[level].factors, self._levels[level + 1].factors
                shrunk.append(shrink(band, pyramid.step(fine, small)))
            del band
        self._next[level] += depth
        return np.concatenate(shrunk, axis=1) if shrunk else None

    def _store(self, level: int, band: npt.NDArray[Any], y0: int) -> None:
        """Write a row of shards, each in one piece, leaving out those that exist."""
        box, z0, size = self._regions[level], self._next[level], self._shards[level]
        z, y, y1 = z0 // size[0], y0 // size[1], y0 + band.shape[1]
        for x in range(box.start[2] // size[2], -(-box.stop[2] // size[2])):
            if (self._directory / f"{level}/c/{z}/{y}/{x}").exists():
                continue
            x0, x1 = max(x * size[2], box.start[2]), min((x + 1) * size[2], box.stop[2])
            self._wait(MOST_WRITES - 1)
            transaction = ts.Transaction()
            store = self._stores[level].with_transaction(transaction)
            part = band[:, :, x0 - box.start[2] : x1 - box.start[2]]
            store[z0 : z0 + len(band), y0:y1, x0:x1].write(part).result()
            self._writes.append(transaction.commit_async())

    def _wait(self, left: int) -> None:
        """Wait until at most ``left`` writes are under way."""
        while len(self._writes) > left:
            try:
                self._writes.pop(0).result()
            except (ValueError, OSError) as error:
                raise disk_error(error) from error
