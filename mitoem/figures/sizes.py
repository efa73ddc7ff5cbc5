"""The histogram of a measure, with what the data set leaves out drawn in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd
import plotly.graph_objects as go

from mitoem.figures.drawn import EXPLAINS
from mitoem.figures.limits import draw_limits, limits, note
from mitoem.figures.marks import HIDDEN_AXIS, mark
from mitoem.figures.samples import Flags, Sample, Values, groups, numbering, numbers, sample
from mitoem.figures.style import INKS, Ink, Theme, figure, log_axis, title, unit

WHOLE_TICKS: Final = 6
"""Bars lower than this would get ticks at halves of an instance."""


def histogram(
    frame: pd.DataFrame,
    column: str,
    *,
    group: str | None = None,
    complete_only: bool = True,
    behind: pd.DataFrame | None = None,
    marked: Sequence[int] = (),
    of: str = "",
    log_x: bool = True,
    log_y: bool = False,
    bins: int = 40,
    theme: Theme = "light",
) -> go.Figure:
    """How many instances have which value of ``column``.

    Bins are equal on the axis, so equal ratios on a log axis. Cut instances are hatched, or
    hidden and counted when ``complete_only``. ``group`` names a column of words. Bars are stacked
    on a linear axis and overlaid on a log one, where heights do not add. ``behind``: the table
    before a filter that left ``frame``, drawn pale behind it; the bins are its own. ``marked``:
    ids of instances that are pointed at, of the volume ``of`` where the table holds several.
    """
    ink = INKS[theme]
    share: dict[str, Any] = {"logs": (log_x,), "complete_only": complete_only}
    whole = sample(frame if behind is None else behind, column, **share)
    drawn = sample(frame, column, total=whole.total, **share)
    edges = bin_edges(numbers(whole.rows, column), bins=bins, log=log_x)
    ghosts = [] if behind is None else _ghost(whole, column, edges, ink=ink)
    places = numbering(frame if behind is None else behind, group)
    bars, tallest = _bars(drawn, column, edges, group, places=places, overlaid=log_y, ink=ink)
    if ghosts:
        tallest = max(tallest, int(max(ghosts[0].y)))
    lines = limits(column, edges, [whole.rows])
    pointers = mark(drawn, marked, column, ink=ink, of=of)
    traces = [*ghosts, *bars, *pointers] if len(whole.rows) else []
    told = [drawn.caption, note(lines)] if lines else [drawn.caption]
    plot = figure(traces, theme=theme, caption="<br>".join(told))
    room = (edges[-1] - edges[0]) * 0.02
    plain = {"range": [edges[0] - room, edges[-1] + room]}
    plot.update_xaxes(log_axis(edges[0], edges[-1]) if log_x else plain, title_text=title(column))
    plot.update_yaxes(title_text="Instances", rangemode="tozero")
    if log_y:
        top = max(tallest, 2) * 1.6
        plot.update_yaxes(log_axis(1.0, top) | {"range": [np.log10(0.7), np.log10(top)]})
        plot.update_yaxes(minor_ticks="")
    elif tallest < WHOLE_TICKS:
        plot.update_yaxes(dtick=1)
    plot.update_layout(
        yaxis2=HIDDEN_AXIS,
        barmode="overlay",
        dragmode="select",
        selectdirection="h",
        showlegend=group is not None or bool(drawn.cut.any()),
    )
    draw_limits(plot, lines, edges, log=log_x, ink=ink)
    return plot


def bin_edges(values: Values, *, bins: int, log: bool) -> Values:
    """``bins`` + 1 edges around the values, equal in ratio on a log axis; whole numbers kept whole.

    >>> bin_edges(np.array([1.0, 100.0]), bins=2, log=True).round(6).tolist()
    [1.0, 10.0, 100.0]
    """
    if values.size == 0:
        return np.array([1.0, 10.0]) if log else np.array([0.0, 1.0])
    low, high = float(values.min()), float(values.max())
    if low == high:
        low, high = (low / 1.1, high * 1.1) if log else (low - 0.5, high + 0.5)
    edges = np.geomspace(low, high, bins + 1) if log else np.linspace(low, high, bins + 1)
    return np.asarray(edges, np.float64)


def _bars(
    drawn: Sample,
    column: str,
    edges: Values,
    group: str | None,
    *,
    places: Mapping[str, int],
    overlaid: bool,
    ink: Ink,
) -> tuple[list[go.Bar], int]:
    """One bar trace per group, and one more, hatched, for its cut instances; the highest count."""
    traces, tallest, below = [], 0, np.zeros(edges.size - 1, np.int64)
    for name, rows in groups(drawn.rows, group).items():
        colour = ink.accent if group is None else ink.series[places[name] % len(ink.series)]
        hatch = ink.text if overlaid else colour
        for cut in (False, True):
            wanted: Flags = rows & (drawn.cut == cut)
            if not wanted.any():
                continue
            counts, _ = np.histogram(numbers(drawn.rows[wanted], column), edges)
            base = np.zeros_like(counts) if overlaid else below
            below = below + counts
            tallest = max(tallest, int((base + counts).max()))
            words = ", ".join(w for w in (name, "cut by a face" if cut else "") if w)
            fill = _hatched(hatch) if cut else {"color": colour}
            traces.append(
                go.Bar(
                    x=edges[:-1],
                    y=counts,
                    base=None if overlaid else base,
                    width=np.diff(edges),
                    offset=0,
                    marker={**fill, "line": _outline(counts, hatch if cut else colour)},
                    opacity=0.6 if overlaid and group is not None else 1,
                    name=words or "complete",
                    showlegend=not (cut and name),
                    customdata=np.stack([edges[:-1], edges[1:]], axis=1),
                    hovertemplate=(
                        f"%{{customdata[0]:.3~g}} – %{{customdata[1]:.3~g}} {unit(column)}<br>"
                        f"%{{y:,}} instances<extra>{words}</extra>"
                    ),
                )
            )
    if group and drawn.cut.any():
        look = _hatched(ink.text) | {"line": {"width": 0.5, "color": ink.text}}
        traces.append(  # of the legend alone: what the hatched bars of every group are
            go.Bar(x=[None], y=[None], name="cut by a face", marker=look, meta=EXPLAINS)
        )
    return traces, tallest


def _hatched(colour: str) -> dict[str, Any]:
    """Lines on nothing."""
    pattern = {"shape": "/", "size": 5, "solidity": 0.3, "fgcolor": colour}
    return {"color": "rgba(0,0,0,0)", "pattern": pattern}


def _outline(counts: npt.NDArray[np.int64], colour: str) -> dict[str, Any]:
    """Of bars; those of no instance would be lines on top of other bars."""
    return {"width": np.where(counts > 0, 0.5, 0.0), "color": colour}


def _ghost(whole: Sample, column: str, edges: Values, *, ink: Ink) -> list[go.Bar]:
    """Pale bars of all rows, behind those that a filter keeps."""
    if whole.rows.empty:
        return []
    counts, _ = np.histogram(numbers(whole.rows, column), edges)
    return [
        go.Bar(
            x=edges[:-1],
            y=counts,
            width=np.diff(edges),
            offset=0,
            marker={"color": ink.ghost, "line": {"width": 0}},
            name="before the filter",
            hoverinfo="skip",
            showlegend=False,
            meta=EXPLAINS,
        )
    ]
