"""Two sets of instances: how far apart they lie, how sure that is, and one map of both."""

from __future__ import annotations

from mitoem.effects.blocks import REPLICATES, Difference, Draw, Estimate, Placed, difference
from mitoem.effects.cubes import (
    EDGES,
    FEWEST_BLOCKS,
    MOST_PAIRS,
    Extent,
    block_numbers,
    fitting_edges,
    usual_edge,
)
from mitoem.effects.measured import differences, placed
from mitoem.effects.principal import Components, components
from mitoem.effects.sizes import Summary, Values, cliffs_delta, hodges_lehmann, summary

__all__ = [
    "EDGES",
    "FEWEST_BLOCKS",
    "MOST_PAIRS",
    "REPLICATES",
    "Components",
    "Difference",
    "Draw",
    "Estimate",
    "Extent",
    "Placed",
    "Summary",
    "Values",
    "block_numbers",
    "cliffs_delta",
    "components",
    "difference",
    "differences",
    "fitting_edges",
    "hodges_lehmann",
    "placed",
    "summary",
    "usual_edge",
]
