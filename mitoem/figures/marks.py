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


def mark(
    drawn: Sample, marked: Sequence[int], column: str, *, ink: Ink, of: str = ""
) -> list[go.Scatter]:
    """A pointer on the x axis for each marked instance that is drawn; none gives no trace."""
    ids, values = marked_values(drawn, marked, column, of=of)
    look = {"symbol": "triangle-up", "size": 11, "line": {"width": 1, "color": ink.ghost}}
    places = {"x": values, "y": [0.0] * len(ids), "yaxis": "y2", "cliponaxis": False}
    told = f": %{{x:.4~g}} {unit(column)}"
    return _selected(go.Scatter, ids, places=places, look={**look, "color": ink.text}, told=told)


def ring(
    drawn: Sample,
    marked: Sequence[int],
    x: str,
    y: str,
    *,
    ink: Ink,
    kind: type[Any],
    of: str = "",
) -> list[Any]:
    """A ring around each marked point of a scatter; ``kind`` is the trace class of its points."""
    ids, across, up = marked_values(drawn, marked, x, y, of=of)
    look = {"symbol": "circle-open", "size": 13, "line": {"width": 2, "color": ink.text}}
    places = {"x": across, "y": up}
    return _selected(kind, ids, places=places, look={**look, "color": ink.text}, told="")


def _selected(
    kind: type[Any], ids: list[int], *, places: dict[str, Any], look: dict[str, Any], told: str
) -> list[Any]:
    """The trace that marks these instances; none for none."""
    if not ids:
        return []
    hover = f"#%{{customdata}}{told}<extra>selected</extra>"
    return [
        kind(
            **places, customdata=ids, mode="markers", marker=look, name="selected",
            showlegend=False, hovertemplate=hover, meta=EXPLAINS,
        )
    ]  # fmt: skip
