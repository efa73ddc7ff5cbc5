"""Labels → one row per instance; additive over blocks.

``measure`` takes arrays, ``measure_blocks`` takes readers and holds a few blocks at a time; for a
cluster, send ``block_partial`` to where the blocks are, add what comes back, and ``finish``.
"""

from mitoem.morphometry.block import block_partial, halo
from mitoem.morphometry.columns import (
    COLUMNS,
    MEDIUM_VOXELS,
    SMALL_VOXELS,
    SWELLING,
    THIN_NM,
    Column,
)
from mitoem.morphometry.partial import Partial
from mitoem.morphometry.skeleton import Skeleton, skeleton
from mitoem.morphometry.stream import (
    BLOCK,
    blocks,
    measure,
    measure_blocks,
    volume_partial,
    volume_skeletons,
)
from mitoem.morphometry.table import NO_SPLIT, empty, example, finish

__all__ = [
    "BLOCK",
    "COLUMNS",
    "MEDIUM_VOXELS",
    "NO_SPLIT",
    "SMALL_VOXELS",
    "SWELLING",
    "THIN_NM",
    "Column",
    "Partial",
    "Skeleton",
    "block_partial",
    "blocks",
    "empty",
    "example",
    "finish",
    "halo",
    "measure",
    "measure_blocks",
    "skeleton",
    "volume_partial",
    "volume_skeletons",
]
