"""One layer of a volume, written section by section with all its levels in one pass.

Sharded Zarr v3: chunks 32 × 128 × 128 in shards of at most 128 × 1024 × 1024, each chunk
compressed by Blosc-LZ4 and closed by a CRC-32C. Every chunk inside the written region is stored,
zeros too, so that a chunk that is absent there is a fault and never reads as background.
"""

from __future__ import annotations

import errno
import json
from collections.abc import Sequence
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

SLAB_BYTES = 1 << 29
"""Sections held in memory at a time, per layer; a shard is as deep as one slab."""


def shard_shape(shape: Index, itemsize: int) -> Index:
    """Shards of an array: what fits of 128 × 1024 × 1024, in whole chunks and one slab deep."""
    z, y, x = (
        min(shard, -(-n // chunk) * chunk)
        for n, shard, chunk in zip(shape, SHARD, CHUNK, strict=True)
    )
    while z > CHUNK[0] and z * shape[1] * shape[2] * itemsize > SLAB_BYTES:
        z = max(CHUNK[0], z // 2 // CHUNK[0] * CHUNK[0])
    return z, y, x


def array_metadata(shape: Index, dtype: np.dtype[Any]) -> dict[str, Any]:
    """Zarr v3 metadata of an array of the project's volumes."""
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
    grid = {"chunk_shape": list(shard_shape(shape, dtype.itemsize))}
    return {
        "shape": list(shape),
        "data_type": dtype.name,
        "chunk_grid": {"name": "regular", "configuration": grid},
        "chunk_key_encoding": {"name": "default"},
        "codecs": [{"name": "sharding_indexed", "configuration": sharding}],
        "fill_value": 0,
        "dimension_names": ["z", "y", "x"],
    }


class LayerWriter:
    """Writes the sections of one layer in order, shrinking each shard while it is in memory.

    ``region`` is the level-0 box to be written, aligned so that every level's blocks are whole
    (see ``aligned``); ``write`` takes its sections, any number at a time; ``close`` waits for
    the disk. Coarser levels hold at most one shard's depth of their own planes.
    """

    def __init__(
        self, directory: Path, levels: Sequence[LevelInfo], *, dtype: np.dtype[Any], region: Box
    ) -> None:
        self.dtype = dtype
        self.is_labels = dtype != np.uint8
        self._depths = [shard_shape(level.shape, dtype.itemsize)[0] for level in levels]
        self._levels = levels
        self._regions = [coarse(region, level.factors) for level in levels]
        self._next = [box.start[0] for box in self._regions]
        self._pending: list[list[npt.NDArray[Any]]] = [[] for _ in levels]
        self._ids: list[npt.NDArray[Any]] = [np.zeros(0, dtype) for _ in levels]
        self._per_section = np.zeros(levels[0].shape[0], np.int64)
        self._histogram = np.zeros(256, np.int64)
        self._writes: list[Any] = []
        self._stores = [
            _create(directory / str(n), level.shape, dtype) for n, level in enumerate(levels)
        ]

    def write(self, sections: npt.NDArray[Any]) -> None:
        """Take the next sections of the region, (n, y, x)."""
        self._look_at(sections)
        self._take(0, sections)

    def close(self) -> None:
        """Write what is left; raises when the sections did not fill the region."""
        z, stop = self._next[0] + self._held(0), self._regions[0].stop[0]
        if z != stop:
            raise SourceUnreadable(f"expected sections up to z = {stop}, found up to {z}")
        for level in range(len(self._levels)):
            self._flush(level)
        self._wait(0)

    @property
    def depth(self) -> int:
        """Sections in a slab: handing over this many at a time copies nothing."""
        return self._depths[0]

    @property
    def grey(self) -> GreyStats:
        """Grey statistics of the sections that were written."""
        total = int(self._histogram.sum())
        cumulative = np.cumsum(self._histogram)
        p1, p50, p99 = (
            int(np.searchsorted(cumulative, total * share)) for share in (0.01, 0.5, 0.99)
        )
        mean = float(np.dot(self._histogram, np.arange(256)) / max(total, 1))
        return GreyStats(p1, p50, p99, mean, tuple(int(n) for n in self._histogram))

    @property
    def instances(self) -> int:
        """Number of ids at level 0."""
        return len(self._ids[0])

    @property
    def vanished(self) -> tuple[int, ...]:
        """Per level, the ids of level 0 that no voxel of the level shows."""
        return tuple(len(self._ids[0]) - len(ids) for ids in self._ids)

    @property
    def per_section(self) -> tuple[int, ...]:
        """Instances in each section of the volume."""
        return tuple(int(n) for n in self._per_section)

    def _look_at(self, sections: npt.NDArray[Any]) -> None:
        z = self._next[0] + self._held(0)
        for offset, section in enumerate(sections):
            if self.is_labels:
                ids = fastremap.unique(section)
                self._per_section[z + offset] = np.count_nonzero(ids)
            else:
                picture = Image.fromarray(np.ascontiguousarray(section))
                self._histogram += np.asarray(picture.histogram(), np.int64)

    def _held(self, level: int) -> int:
        return sum(len(block) for block in self._pending[level])

    def _take(self, level: int, sections: npt.NDArray[Any]) -> None:
        """Add planes to a level; write a shard's depth whenever one is full."""
        depth = self._depths[level]
        while len(sections):
            room = depth - (self._next[level] + self._held(level)) % depth
            self._pending[level].append(sections[:room])
            if len(sections) >= room:
                self._flush(level)
            sections = sections[room:]

    def _flush(self, level: int) -> None:
        """Store the held planes of a level and hand their shrunk form to the next."""
        if not self._pending[level]:
            return
        held = self._pending[level]
        block = held[0] if len(held) == 1 else np.concatenate(held)
        self._pending[level] = []
        if self.is_labels:
            found = fastremap.unique(block)
            self._ids[level] = np.union1d(self._ids[level], found[found > 0])
        box, z = self._regions[level], self._next[level]
        target = self._stores[level][z : z + len(block), *box.slices[1:]]
        self._next[level] = z + len(block)
        self._wait(len(self._levels))
        self._writes.append(target.write(np.ascontiguousarray(block)))
        if level + 1 < len(self._levels):
            factors = pyramid.step(self._levels[level].factors, self._levels[level + 1].factors)
            shrink = pyramid.shrink_labels if self.is_labels else pyramid.shrink_image
            self._take(level + 1, shrink(block, factors))

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


def _create(path: Path, shape: Index, dtype: np.dtype[Any]) -> ts.TensorStore:
    return open_array(
        to_url(path),
        overrides={
            "metadata": array_metadata(shape, dtype),
            "store_data_equal_to_fill_value": True,
            "create": True,
        },
    )
