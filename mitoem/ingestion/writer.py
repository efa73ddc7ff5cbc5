"""One layer of a volume, written section by section with all its levels in one pass.

Sharded Zarr v3: chunks 32 × 128 × 128 in shards of at most 128 × 1024 × 1024, each chunk
compressed by Blosc-LZ4 and closed by a CRC-32C. Every chunk inside the written region is stored,
zeros too, so that a chunk that is absent there is a fault and never reads as background.
"""

from __future__ import annotations

import errno
import json
import math
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
from mitoem.errors import DiskFull, SourceUnreadable
from mitoem.geometry import Box, Index
from mitoem.manifest import GreyStats, LevelInfo
from mitoem.volume import coarse, open_array, to_url

CHUNK: Index = (32, 128, 128)
SHARD: Index = (128, 1024, 1024)

SLAB_BYTES = 1 << 27
"""The block of sections that is shrunk and stored at a time, per layer: as deep as a shard."""

MOST_WRITES = 2
"""Shards on their way to the disk at a time."""

WRITING = {"store_data_equal_to_fill_value": True, "cache_pool": {"total_bytes_limit": 0}}
"""How arrays are opened for writing: zeros are stored, and nothing written is kept in memory."""


def shard_shape(shape: Index, itemsize: int) -> Index:
    """Shards of an array: what fits of 128 × 1024 × 1024, in whole chunks and one slab deep."""
    z, y, x = (
        min(shard, -(-n // chunk) * chunk)
        for n, shard, chunk in zip(shape, SHARD, CHUNK, strict=True)
    )
    while z > CHUNK[0] and z * shape[1] * shape[2] * itemsize > SLAB_BYTES:
        z = max(CHUNK[0], z // 2 // CHUNK[0] * CHUNK[0])
    return z, y, x


def array_metadata(level: LevelInfo, dtype: np.dtype[Any]) -> dict[str, Any]:
    """Zarr v3 metadata of a level; TensorStore and Neuroglancer read its voxel size there too."""
    little = {"name": "bytes", "configuration": {"endian": "little"}}
    blosc = {
        "cname": "lz4",
        "clevel": 5,
        "shuffle": "shuffle" if dtype.itemsize > 1 else "noshuffle",
        "typesize": dtype.itemsize,
        "blocksize": 0,
    }
    sharding = {
        "chunk_shape": list(CHUNK),
        "codecs": [little, {"name": "blosc", "configuration": blosc}, {"name": "crc32c"}],
        "index_codecs": [little, {"name": "crc32c"}],
        "index_location": "end",
    }
    grid = {"chunk_shape": list(shard_shape(level.shape, dtype.itemsize))}
    return {
        "attributes": {"dimension_units": [f"{edge:.10g} nm" for edge in level.voxel_size]},
        "shape": list(level.shape),
        "data_type": dtype.name,
        "chunk_grid": {"name": "regular", "configuration": grid},
        "chunk_key_encoding": {"name": "default"},
        "codecs": [{"name": "sharding_indexed", "configuration": sharding}],
        "fill_value": 0,
        "dimension_names": ["z", "y", "x"],
    }


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
        self._blocks: list[npt.NDArray[Any] | None] = [None for _ in levels]
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
            block, rest = self._fill(level, planes)
            del planes
            if len(rest):
                waiting.append((level, rest))
            del rest
            if block is None:
                continue
            if self.is_labels and level:
                self._see(level, block)
            self._store(level, block)
            self._next[level] += len(block)
            if level + 1 < len(self._levels):
                factors = pyramid.step(self._levels[level].factors, self._levels[level + 1].factors)
                shrink = pyramid.shrink_labels if self.is_labels else pyramid.shrink_image
                waiting.append((level + 1, shrink(block, factors)))
            del block  # the largest array there is: gone before the next level is stored

    def _fill(
        self, level: int, planes: npt.NDArray[Any]
    ) -> tuple[npt.NDArray[Any] | None, npt.NDArray[Any]]:
        """A block of a whole shard's depth, if the planes complete one, and the planes left."""
        z, held = self._next[level], self._held[level]
        depth = self._shards[level][0]
        full = min(depth - z % depth, self._regions[level].stop[0] - z)
        if held == 0 and len(planes) >= full:
            return planes[:full], planes[full:]
        block = self._blocks[level]
        if block is None:
            block = np.empty((full, *planes.shape[1:]), self.dtype)
        taken = min(full - held, len(planes))
        block[held : held + taken] = planes[:taken]
        if held + taken == full:
            self._blocks[level], self._held[level] = None, 0
            return block, planes[taken:]
        self._blocks[level], self._held[level] = block, held + taken
        return None, planes[taken:]

    def _store(self, level: int, block: npt.NDArray[Any]) -> None:
        """Write a block shard by shard, each in one piece, leaving out those that exist."""
        box = self._regions[level]
        z0, size = self._next[level], self._shards[level]
        z = z0 // size[0]
        for y in range(box.start[1] // size[1], -(-box.stop[1] // size[1])):
            for x in range(box.start[2] // size[2], -(-box.stop[2] // size[2])):
                if (self._directory / f"{level}/c/{z}/{y}/{x}").exists():
                    continue
                y0, y1 = max(y * size[1], box.start[1]), min((y + 1) * size[1], box.stop[1])
                x0, x1 = max(x * size[2], box.start[2]), min((x + 1) * size[2], box.stop[2])
                part = block[:, y0 - box.start[1] : y1 - box.start[1],
                             x0 - box.start[2] : x1 - box.start[2]]  # fmt: skip
                self._wait(MOST_WRITES - 1)
                transaction = ts.Transaction()
                store = self._stores[level].with_transaction(transaction)
                store[z0 : z0 + len(block), y0:y1, x0:x1].write(part).result()
                self._writes.append(transaction.commit_async())

    def _wait(self, left: int) -> None:
        """Wait until at most ``left`` writes are under way."""
        while len(self._writes) > left:
            try:
                self._writes.pop(0).result()
            except (ValueError, OSError) as error:
                raise disk_error(error) from error


def aligned(box: Box, levels: Sequence[LevelInfo]) -> Box:
    """The box grown outwards to whole voxels of every level, inside the volume."""
    factors = levels[-1].factors
    z0, y0, x0 = (a // f * f for a, f in zip(box.start, factors, strict=True))
    z1, y1, x1 = (
        min(n, -(-b // f) * f) for b, f, n in zip(box.stop, factors, levels[0].shape, strict=True)
    )
    return Box((z0, y0, x0), (z1, y1, x1))


def write_json(path: Path, data: Any) -> None:
    """Write JSON whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.partial")
    partial.write_text(json.dumps(data, indent=1) + "\n", encoding="utf-8")
    partial.replace(path)


def shards(directory: Path, levels: int) -> dict[str, dict[str, int]]:
    """Bytes of every shard file below the arrays of a layer: level -> path -> bytes."""
    return {
        str(n): {
            path.relative_to(directory / str(n)).as_posix(): path.stat().st_size
            for path in sorted((directory / str(n)).glob("c/*/*/*"))
        }
        for n in range(levels)
    }


def disk_error(error: Exception) -> Exception:
    """DiskFull for a full disk, else the error itself."""
    full = "No space left" in str(error) or getattr(error, "errno", None) == errno.ENOSPC
    if full or "RESOURCE_EXHAUSTED" in str(error):
        return DiskFull(f"the disk is full: {str(error).splitlines()[0][:300]}")
    return error


def create_arrays(directory: Path, levels: Sequence[LevelInfo], *, dtype: np.dtype[Any]) -> None:
    """The empty arrays of a layer, one per level; those that exist are left as they are."""
    for n, level in enumerate(levels):
        metadata = array_metadata(level, dtype)
        overrides = WRITING | {"metadata": metadata, "create": True, "open": True}
        open_array(to_url(directory / str(n)), overrides=overrides)


def units(region: Box, levels: Sequence[LevelInfo], *, dtype: np.dtype[Any]) -> list[Box]:
    """The region cut along z where every level's shards end: units share no shard.

    They can be written in any order, by several processes, and one by one after a stop.
    """
    depth = math.lcm(
        *(shard_shape(one.shape, dtype.itemsize)[0] * one.factors[0] for one in levels)
    )
    cuts = range(region.start[0] // depth * depth + depth, region.stop[0], depth)
    edges = [region.start[0], *cuts, region.stop[0]]
    plane0, plane1 = region.start[1:], region.stop[1:]
    return [Box((a, *plane0), (b, *plane1)) for a, b in pairwise(edges)]
