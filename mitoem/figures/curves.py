"""Scatter of two measures, cumulative distributions, and precision against overlap."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from mitoem.figures.drawn import EXPLAINS
from mitoem.figures.limits import draw_limits, limits, note
from mitoem.figures.marks import HIDDEN_AXIS, mark, ring
from mitoem.figures.points import key, points
from mitoem.figures.samples import (
    Sample,
    Values,
    groups,
    left_out,
    numbering,
    numbers,
    sample,
)
from mitoem.figures.style import INKS, Ink, Theme, figure, log_axis, tint, title, unit
from mitoem.scores.precision import AveragePrecision

WEBGL_FROM: Final = 3_000
"""From so many points a scatter is drawn by WebGL, and small; fewer stay vectors when saved."""

STEPS: Final = 2_000
"""Most steps of a cumulative curve. Of more instances so many points are drawn, all exact, straight
from one to the next: nowhere off by more than 1/2000, a fifth of a pixel. A browser takes a second
to draw 25,000 steps."""

_SYMBOLS: Final = ("circle", "diamond", "square", "triangle-up", "cross", "x")
_DASHES: Final = ("solid", "dash", "dot", "dashdot", "longdash", "longdashdot")


def scatter(
    frame: pd.DataFrame,
    x: str,
    y: str,
    *,
    group: str | None = None,
    complete_only: bool = True,
    behind: pd.DataFrame | None = None,
    marked: Sequence[int] = (),
    of: str = "",
    log_x: bool = True,
    log_y: bool = True,
    theme: Theme = "light",
) -> go.Figure:
    """Two measures of every instance; ``customdata`` of a point is its id.

    Cut instances are hollow, or hidden and counted when ``complete_only``. ``behind``: the table
    before a filter that left ``frame``, drawn pale behind it; the axes are its own. ``marked``:
    ids with a ring around them, of the volume ``of`` where the table holds several.
    """
    ink = INKS[theme]
    share: dict[str, Any] = {"logs": (log_x, log_y), "complete_only": complete_only}
    whole = sample(frame if behind is None else behind, x, y, **share)
    drawn = sample(frame, x, y, total=whole.total, **share)
    kind = go.Scattergl if len(whole.rows) >= WEBGL_FROM else go.Scatter
    places = numbering(frame if behind is None else behind, group)
    traces = [
        *([] if behind is None else _ghosts(left_out(whole, drawn), x, y, ink=ink, kind=kind)),
        *_points(drawn, x, y, group, places=places, ink=ink, kind=kind),
        *ring(drawn, marked, x, y, ink=ink, kind=kind, of=of),
    ]
    across, up = numbers(whole.rows, x), numbers(whole.rows, y)
    lines = limits(x, across, [whole.rows]), limits(y, up, [whole.rows]) if y != x else []
    told = [drawn.caption.replace("hatched", "hollow"), note([*lines[0], *lines[1]])]
    plot = figure(traces, theme=theme, caption="<br>".join(filter(None, told)))
    plot.update_xaxes(_axis(across, log=log_x), title_text=title(x))
    plot.update_yaxes(_axis(up, log=log_y), title_text=title(y), minor_ticks="")
    plot.update_layout(dragmode="select", showlegend=group is not None or bool(drawn.cut.any()))
    draw_limits(plot, lines[0], across, log=log_x, ink=ink)
    draw_limits(plot, lines[1], up, log=log_y, ink=ink, axis="y")
    return plot


def _ghosts(rows: pd.DataFrame, x: str, y: str, *, ink: Ink, kind: type[Any]) -> list[Any]:
    """The points that a filter leaves out."""
    if rows.empty:
        return []
    return [
        kind(
            x=numbers(rows, x),
            y=numbers(rows, y),
            mode="markers",
            marker={"color": ink.ghost, "size": _width(kind) - 1},
            name="left out by the filter",
            hoverinfo="skip",
            showlegend=False,
            meta=EXPLAINS,
        )
    ]


def _points(
    drawn: Sample,
    x: str,
    y: str,
    group: str | None,
    *,
    places: Mapping[str, int],
    ink: Ink,
    kind: type[Any],
) -> list[Any]:
    """The points of each group, in its colour and with its symbol."""
    traces = []
    opacity = float(np.clip(60 / np.sqrt(max(len(drawn.rows), 1)), 0.25, 0.8))
    for name, rows in groups(drawn.rows, group).items():
        number = places[name]
        colour = ink.accent if group is None else ink.series[number % len(ink.series)]
        symbol = _SYMBOLS[number % len(_SYMBOLS)]
        look = {"color": colour, "size": _width(kind), "symbol": symbol}
        part, pale = (drawn.rows[rows], drawn.cut[rows]), {**look, "opacity": opacity}
        cloud = points(*part, x, y, name=name, look=pale, kind=kind)
        if name:
            cloud = [trace.update(showlegend=False) for trace in cloud]
            traces += key(name, look=look, kind=kind)
        traces += cloud
    if group and drawn.cut.any():
        look = {"color": ink.text, "symbol": "circle-open", "line": {"width": 1}}
        traces += key("cut by a face", look=look, kind=kind)
    return traces


def _width(kind: type[Any]) -> int:
    """Pixels across a point: of very many, large ones hide each other and take long to draw."""
    return 4 if kind is go.Scattergl else 6


def ecdf(
    tables: Mapping[str, pd.DataFrame],
    column: str,
    *,
    complete_only: bool = True,
    behind: pd.DataFrame | None = None,
    group: str | None = None,
    marked: Sequence[int] = (),
    of: str = "",
    log_x: bool = True,
    theme: Theme = "light",
) -> go.Figure:
    """Share of the instances of each table that have at most this value of ``column``.

    ``behind``: the table before a filter that left these, drawn pale; the axis is its own.
    ``group``: its column whose groups the tables are; counts are then of each group. ``marked``:
    ids of instances that are pointed at, of the table ``of``, or of any.
    """
    ink, captions = INKS[theme], []
    traces: list[Any] = []
    everything, frames, pointers = [np.zeros(0)], list[pd.DataFrame](), list[Any]()
    share: dict[str, Any] = {"logs": (log_x,), "complete_only": complete_only}
    if behind is not None:
        frames.append(sample(behind, column, **share).rows)
        everything.append(values := np.sort(numbers(frames[0], column)))
        traces += _steps(values, column, name="before the filter", colour=ink.ghost)
    totals = {} if behind is None else {n: len(part) for n, part in by_group(behind, group).items()}
    for number, (name, frame) in enumerate(tables.items()):
        drawn = sample(frame, column, total=totals.get(name), **share)
        pointers += mark(drawn, marked if of in ("", name) else (), column, ink=ink)
        values = np.sort(numbers(drawn.rows, column))
        captions.append(f"{name}: {drawn.caption.replace(', hatched', '')}".removeprefix(": "))
        if values.size == 0:
            continue
        everything.append(values)
        frames.append(drawn.rows)
        colour = ink.accent if len(tables) == 1 else ink.series[number % len(ink.series)]
        dash = _DASHES[number % len(_DASHES)]
        traces += _steps(values, column, name=name, colour=colour, dash=dash, meta=name)
    traces = [*traces, *pointers] if traces else []
    every = np.concatenate(everything)
    lines = limits(column, every, frames)
    captions += [note(lines)] if lines else []
    plot = figure(traces, theme=theme, caption="<br>".join(captions))
    plot.update_xaxes(_axis(every, log=log_x), title_text=title(column))
    plot.update_yaxes(title_text="Share of instances", range=[0, 1.01], tickformat=".0%")
    draw_limits(plot, lines, every, log=log_x, ink=ink)
    plot.update_layout(
        yaxis2=HIDDEN_AXIS,
        dragmode="select",
        selectdirection="h",
        showlegend=len(tables) > 1,
        margin={"b": 70 + 17 * len(captions)},
        height=370 + 17 * len(captions),
    )
    return plot


def _steps(
    values: Values,
    column: str,
    *,
    name: str,
    colour: str,
    dash: str = "solid",
    meta: str = EXPLAINS,
) -> list[go.Scatter]:
    """The cumulative curve of sorted values, none for none: of many, ``STEPS`` evenly chosen."""
    if values.size == 0:
        return []
    ranks = np.arange(values.size + 1)
    if values.size > STEPS:
        ranks = np.linspace(0, values.size, STEPS + 1).round().astype(np.int64)
    return [
        go.Scatter(
            x=values[np.maximum(ranks - 1, 0)],
            y=ranks / values.size,
            name=name,
            meta=meta,
            mode="lines",
            line={
                "shape": "hv" if values.size <= STEPS else "linear",
                "width": 2,
                "color": colour,
                "dash": dash,
            },
            hovertemplate=f"%{{y:.1%}} have at most %{{x:.4~g}} {unit(column)}",
        )
    ]


def ap_curve(curves: Mapping[str, AveragePrecision], *, theme: Theme = "light") -> go.Figure:
    """Average precision of each prediction at every IoU threshold; no line where no truth is."""
    ink, traces = INKS[theme], []
    for number, (name, ap) in enumerate(curves.items()):
        colour = ink.accent if len(curves) == 1 else ink.series[number % len(ink.series)]
        values = [value if value >= 0 else None for value in ap.every]
        traces.append(
            go.Scatter(
                x=list(ap.thresholds),
                y=values,
                name=name,
                mode="lines+markers",
                line={"color": colour, "width": 2},
                marker={"symbol": _SYMBOLS[number % len(_SYMBOLS)], "size": 7},
                fill="tozeroy" if len(curves) == 1 else "none",
                fillcolor=tint(colour, 0.12),
                hovertemplate=f"AP %{{y:.3f}} at IoU ≥ %{{x:.2f}}<extra>{name}</extra>",
            )
        )
    means = [
        f"{name} {np.mean(ap.every):.3f}" if min(ap.every) >= 0 else f"{name} no truth"
        for name, ap in curves.items()
    ]
    plot = figure(traces, theme=theme, caption="Mean over the thresholds: " + ", ".join(means))
    plot.update_xaxes(title_text="IoU threshold", range=[0.48, 0.97], dtick=0.05, tickformat=".2f")
    plot.update_yaxes(title_text="Average precision", range=[0, 1.02])
    plot.update_layout(showlegend=len(curves) > 1)
    return plot


def by_group(
    frame: pd.DataFrame, group: str | None, behind: pd.DataFrame | None = None
) -> dict[str, pd.DataFrame]:
    """The table cut into one table per group, in the order in which plots name them.

    ``behind``: the table before a filter that left ``frame``, whose groups they are, some without
    a row.
    """
    kept = groups(frame, group)
    names = kept if behind is None else groups(behind, group)
    return {name: frame[kept[name]] if name in kept else frame[:0] for name in names}


def _axis(values: Values, *, log: bool) -> dict[str, Any]:
    """An axis that holds these values."""
    if log and values.size:
        return log_axis(float(values.min()), float(values.max()))
    return {"type": "log" if log else "linear"}
