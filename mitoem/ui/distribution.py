"""The plots of the Instances page: how a measure is distributed; a box drawn on one filters."""

from __future__ import annotations

from typing import Any, cast

import pandas as pd
import streamlit as st
from plotly.graph_objects import Figure
from streamlit.elements.plotly_chart import PlotlyState

from mitoem import figures
from mitoem.morphometry import COLUMNS
from mitoem.ui import address, filtering, style, words

MEASURES = tuple(c.name for c in COLUMNS if c.dtype == "float64" and "centroid" not in c.name)
"""Columns that are worth a histogram."""

PLOTS = ("Histogram", "Cumulative", "Scatter")
_REVISION = "instances_revision"


def revision() -> int:
    """A part of the keys of plot and table: a new one makes them start from the address again."""
    return int(st.session_state.get(_REVISION, 0))


def plot(table: pd.DataFrame, *, whole: pd.DataFrame, complete_only: bool) -> None:
    """Histogram, cumulative share or scatter of a measure; a box drawn on it filters.

    ``table`` are the rows that the filter keeps of ``whole``.
    """
    left, right = st.columns([3, 2], vertical_alignment="center")
    with left:
        kind = words.segments("plot", "Plot", PLOTS, "Histogram")
    with right:
        column = words.choice(
            "measure",
            "Measure",
            _measured(whole),
            "volume_um3",
            names=figures.title,
            bare=True,
        )
    chart = st.container()
    with st.container(horizontal=True, vertical_alignment="center", gap="medium"):
        log_x = words.switch("logx", "log x", default=True)
        if kind == "Histogram":
            log_y = words.switch("logy", "log y", default=False)
            bins = words.number("bins", "Bins", 10, 100, 40)
    shared: dict[str, Any] = {"complete_only": complete_only, "log_x": log_x}
    shared["theme"] = words.theme()
    if kind == "Cumulative":
        figure = figures.ecdf({"": table}, column, **shared)
    elif kind == "Scatter":
        figure = figures.scatter(table, column, _other(column), total=len(whole), **shared)
    else:
        shared |= {"total": len(whole), "log_y": log_y, "bins": bins}
        figure = figures.histogram(table, column, **shared)
    figure.update_layout(height=400, margin_t=28, font_family=style.FONT)
    with chart:
        _draw(figure, kind, column)


def _draw(figure: Figure, kind: str, column: str) -> None:
    """Draw a plot; a box drawn on it becomes the filter."""
    still = kind == "Cumulative"
    event = st.plotly_chart(
        figure,
        key=f"plot_{kind}_{column}_{revision()}",
        theme=None,
        on_select="ignore" if still else "rerun",
        selection_mode="box",
    )
    if not still:
        _narrow(cast(PlotlyState, event), column, _other(column) if kind == "Scatter" else None)


def _measured(table: pd.DataFrame) -> list[str]:
    return [name for name in MEASURES if name in table.columns and table[name].notna().any()]


def _other(column: str) -> str:
    return "sphericity" if column != "sphericity" else "volume_um3"


def _narrow(event: PlotlyState, column: str, other: str | None) -> None:
    """Turn a box drawn on the plot into the filter, and take the box away."""
    boxes = event["selection"]["box"]
    if not boxes:
        return
    filtering.add_range(column, *sorted(boxes[0]["x"]))
    if other:
        filtering.add_range(other, *sorted(boxes[0]["y"]))
    revise()
    address.rerun()


def revise() -> None:
    """Let plot and table start anew."""
    st.session_state[_REVISION] = revision() + 1
