"""Two sets of instances: how far apart they lie, how sure that is, and one map of both."""

from __future__ import annotations

from mitoem.effects.blocks import (
    EDGES,
    FEWEST_BLOCKS,
    MOST_BLOCKS,
    REPLICATES,
    Difference,
    Draw,
    Estimate,
    Placed,
    block_numbers,
    cubes,
    difference,
    usual_edge,
)
from mitoem.effects.measured import differences, placed
from mitoem.effects.principal import Components, components
from mitoem.effects.sizes import Summary, Values, cliffs_delta, hodges_lehmann, summary

__all__ = [
    "EDGES",
    "FEWEST_BLOCKS",
    "MOST_BLOCKS",
    "REPLICATES",
    "Components",
    "Difference",
    "Draw",
    "Estimate",
    "Placed",
    "Summary",
    "Values",
    "block_numbers",
    "cliffs_delta",
    "components",
    "cubes",
    "difference",
    "differences",
    "hodges_lehmann",
    "placed",
    "summary",
    "usual_edge",
]
