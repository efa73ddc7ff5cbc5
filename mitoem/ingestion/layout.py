"""How a layer lies on disk: chunks in shards, arrays, units that share no shard.

Sharded Zarr v3: chunks 32 × 128 × 128 in shards of at most 128 × 1024 × 1024, each chunk
compressed by Blosc-LZ4 and closed by a CRC-32C. Every chunk inside the written region is stored,
zeros too, so that a chunk that is absent there is a fault and never reads as background.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from mitoem.geometry import Box, Index
from mitoem.manifest import LevelInfo
from mitoem.volume import open_array, to_url

CHUNK: Index = (32, 128, 128)
SHARD: Index = (128, 1024, 1024)

SLAB_BYTES = 1 << 26
"""The block of sections that is shrunk and stored at a time, per layer: as deep as a shard."""

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


def aligned(box: Box, levels: Sequence[LevelInfo]) -> Box:
    """The box grown outwards to whole voxels of every level, inside the volume."""
    factors = levels[-1].factors
    z0, y0, x0 = (a // f * f for a, f in zip(box.start, factors, strict=True))
    z1, y1, x1 = (
        min(n, -(-b // f) * f) for b, f, n in zip(box.stop, factors, levels[0].shape, strict=True)
    )
    return Box((z0, y0, x0), (z1, y1, x1))


def shards(directory: Path, levels: int) -> dict[str, dict[str, int]]:
    """Bytes of every shard file below the arrays of a layer: level -> path -> bytes."""
    return {
        str(n): {
            path.relative_to(directory / str(n)).as_posix(): path.stat().st_size
            for path in sorted((directory / str(n)).glob("c/*/*/*"))
        }
        for n in range(levels)
    }


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
