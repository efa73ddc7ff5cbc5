"""Marks of the instances that a person points at, on any plot of one measure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import plotly.graph_objects as go

from mitoem.figures.drawn import EXPLAINS
from mitoem.figures.samples import Sample, marked_values
from mitoem.figures.style import Ink, unit

HIDDEN_AXIS: Final[dict[str, Any]] = {
    "overlaying": "y",
    "range": [0, 1],
    "visible": False,
    "fixedrange": True,
}
"""A second y axis, from the bottom of the plot to its top, whatever the first one counts."""


def mark(drawn: Sample, marked: Sequence[int], column: str, *, ink: Ink) -> list[go.Scatter]:
    """A pointer on the x axis for each marked instance that is drawn; none gives no trace."""
    ids, values = marked_values(drawn, marked, column)
    if not ids:
        return []
    return [
        go.Scatter(
            x=values,
            y=[0.0] * len(ids),
            yaxis="y2",
            customdata=ids,
            mode="markers",
            marker={
                "symbol": "triangle-up",
                "size": 11,
                "color": ink.text,
                "line": {"width": 1, "color": ink.ghost},
            },
            cliponaxis=False,
            showlegend=False,
            name="selected",
            hovertemplate=f"#%{{customdata}}: %{{x:.4~g}} {unit(column)}<extra>selected</extra>",
            meta=EXPLAINS,
        )
    ]


def ring(
    drawn: Sample, marked: Sequence[int], x: str, y: str, *, ink: Ink, kind: type[Any]
) -> list[Any]:
    """A ring around each marked point of a scatter; ``kind`` is the trace class of its points."""
    ids, across, up = marked_values(drawn, marked, x, y)
    if not ids:
        return []
    return [
        kind(
            x=across,
            y=up,
            customdata=ids,
            mode="markers",
            marker={
                "symbol": "circle-open",
                "size": 13,
                "color": ink.text,
                "line": {"width": 2, "color": ink.text},
            },
            showlegend=False,
            name="selected",
            hovertemplate="#%{customdata}<extra>selected</extra>",
            meta=EXPLAINS,
        )
    ]
