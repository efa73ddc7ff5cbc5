"""Histograms of several tables as shares, on the same bins, so that their sizes do not matter."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from mitoem.figures.limits import draw_limits, limits, note
from mitoem.figures.marks import HIDDEN_AXIS, mark
from mitoem.figures.samples import Values, numbers, sample
from mitoem.figures.sizes import bin_edges
from mitoem.figures.style import INKS, Theme, figure, log_axis, title, unit


def shares(
    tables: Mapping[str, pd.DataFrame],
    column: str,
    *,
    complete_only: bool = True,
    marked: Sequence[int] = (),
    of: str = "",
    log_x: bool = True,
    bins: int | None = None,
    theme: Theme = "light",
) -> go.Figure:
    """Share of the instances of each table in each bin of ``column``; bars lie over each other.

    Bins are equal on the axis and the same for all tables; when their number is None, it is twice
    the cube root of the least number of instances (the Rice rule), within 10 and 40. ``marked``:
    ids of instances of the table ``of`` that are pointed at.
    """
    ink = INKS[theme]
    drawn = {
        name: sample(frame, column, logs=(log_x,), complete_only=complete_only)
        for name, frame in tables.items()
    }
    every = [numbers(one.rows, column) for one in drawn.values()]
    fewest = min((one.size for one in every), default=0)
    count = bins or int(np.clip(2 * np.cbrt(fewest), 10, 40))
    edges = bin_edges(np.concatenate([*every, np.zeros(0)]), bins=count, log=log_x)
    traces, captions, pointers = list[Any](), [], list[Any]()
    for number, (name, one) in enumerate(drawn.items()):
        captions.append(f"{name}: {one.caption.replace(', hatched', '')}")
        pointers += mark(one, marked if name == of else (), column, ink=ink)
        if every[number].size:
            colour = ink.series[number % len(ink.series)]
            traces.append(_bars(every[number], edges, name=name, colour=colour, of=unit(column)))
    lines = limits(column, edges, [one.rows for one in drawn.values()])
    captions += [note(lines)] if lines else []
    plot = figure(
        [*traces, *pointers] if traces else [], theme=theme, caption="<br>".join(captions)
    )
    _axes(plot, column, edges=edges, log_x=log_x)
    draw_limits(plot, lines, edges, log=log_x, ink=ink)
    plot.update_layout(
        yaxis2=HIDDEN_AXIS,
        barmode="overlay",
        showlegend=True,
        margin={"b": 70 + 17 * len(captions)},
        height=370 + 17 * len(captions),
    )
    return plot


def _bars(values: Values, edges: Values, *, name: str, colour: str, of: str) -> go.Bar:
    """Shares of the values in each bin, through which the others are seen."""
    counts, _ = np.histogram(values, edges)
    return go.Bar(
        x=edges[:-1],
        y=counts / values.size,
        width=np.diff(edges),
        offset=0,
        marker={"color": colour, "line": {"width": 0.5, "color": colour}},
        opacity=0.55,
        name=name,
        meta=name,
        customdata=np.stack([edges[:-1], edges[1:], counts], axis=1),
        hovertemplate=(
            f"%{{customdata[0]:.3~g}} – %{{customdata[1]:.3~g}} {of}<br>"
            f"%{{y:.1%}}, %{{customdata[2]:,}} instances<extra>{name}</extra>"
        ),
    )


def _axes(plot: go.Figure, column: str, *, edges: Values, log_x: bool) -> None:
    """Shares against the measure, from the first edge to the last."""
    room = (edges[-1] - edges[0]) * 0.02
    plain = {"range": [edges[0] - room, edges[-1] + room]}
    plot.update_xaxes(log_axis(edges[0], edges[-1]) if log_x else plain, title_text=title(column))
    plot.update_yaxes(title_text="Share of instances", rangemode="tozero", tickformat=".0%")
