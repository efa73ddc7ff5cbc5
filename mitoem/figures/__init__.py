"""Tables → Plotly figures: honest about what is cut, missing or hidden, with units on the axes."""

from __future__ import annotations

from mitoem.figures.curves import ap_curve, by_group, ecdf, scatter
from mitoem.figures.drawn import EXPLAINS, drawn_numbers
from mitoem.figures.limits import TRUNCATION_VOXELS
from mitoem.figures.maps import component_map, measure_map
from mitoem.figures.pairs import shares
from mitoem.figures.sizes import bin_edges, histogram
from mitoem.figures.style import Theme, title, unit

__all__ = [
    "EXPLAINS",
    "TRUNCATION_VOXELS",
    "Theme",
    "ap_curve",
    "bin_edges",
    "by_group",
    "component_map",
    "drawn_numbers",
    "ecdf",
    "histogram",
    "measure_map",
    "scatter",
    "shares",
    "title",
    "unit",
]
