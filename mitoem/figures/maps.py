"""Maps of several tables: their instances by two measures, or by two principal components."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from mitoem.effects import Components
from mitoem.figures.curves import WEBGL_FROM
from mitoem.figures.limits import Side, draw_limits, limits, note
from mitoem.figures.marks import ring
from mitoem.figures.points import key, points
from mitoem.figures.samples import Sample, numbers, sample
from mitoem.figures.style import INKS, Theme, figure, log_axis, title

_SYMBOLS: Final = ("circle", "diamond", "square", "triangle-up")
_FIRST, _SECOND = "component_1", "component_2"


def measure_map(
    tables: Mapping[str, pd.DataFrame],
    x: str,
    y: str,
    *,
    complete_only: bool = True,
    marked: Sequence[int] = (),
    of: str = "",
    log_x: bool = True,
    log_y: bool = True,
    theme: Theme = "light",
) -> go.Figure:
    """Two measures of the instances of every table; ``customdata`` of a point is its id.

    Cut instances are hollow, or hidden and counted when ``complete_only``. ``marked``: ids of
    instances of the table ``of`` with a ring around them.
    """
    drawn = {
        name: sample(frame, x, y, logs=(log_x, log_y), complete_only=complete_only)
        for name, frame in tables.items()
    }
    frames = [one.rows for one in drawn.values()]
    found = {name: np.concatenate([numbers(rows, name) for rows in frames]) for name in (x, y)}
    lines = {name: limits(name, values, frames) for name, values in found.items()}
    told = note([line for several in lines.values() for line in several])
    plot = _cloud(drawn, x, y, marked, of, told=told, theme=theme)
    sides: tuple[tuple[Side, str, bool], ...] = (("x", x, log_x), ("y", y, log_y))
    for side, name, log in sides:
        values = found[name]
        around = log_axis(values.min(), values.max()) if log and values.size else {}
        plot.update_layout({f"{side}axis": {**around, "title": {"text": title(name)}}})
        draw_limits(plot, lines[name], values, log=log, ink=INKS[theme], axis=side)
    plot.update_yaxes(minor_ticks="")
    return plot


def component_map(
    tables: Mapping[str, pd.DataFrame],
    found: Components,
    *,
    complete_only: bool = True,
    marked: Sequence[int] = (),
    of: str = "",
    theme: Theme = "light",
) -> go.Figure:
    """The instances of every table by the two principal components that were found.

    Instances that lack a measure are left out and counted.
    """
    drawn = {}
    for name, frame in tables.items():
        places = found.place(frame)
        placed = frame.assign(**{_FIRST: places[:, 0], _SECOND: places[:, 1]})
        drawn[name] = sample(
            placed, _FIRST, _SECOND, logs=(False, False), complete_only=complete_only
        )
    plot = _cloud(drawn, _FIRST, _SECOND, marked, of, theme=theme)
    first, second = (f"{share:.0%}" for share in found.shares)
    plot.update_xaxes(title_text=f"Component 1 ({first} of the variance)")
    plot.update_yaxes(title_text=f"Component 2 ({second} of the variance)")
    return plot


def _cloud(
    drawn: Mapping[str, Sample],
    x: str,
    y: str,
    marked: Sequence[int],
    of: str,
    *,
    theme: Theme,
    told: str = "",
) -> go.Figure:
    """Points of every table, hollow where a face cuts them; rings around those of ``of``.

    Many points are drawn in slices that take turns, so that no table hides another.
    """
    ink = INKS[theme]
    total = sum(len(one.rows) for one in drawn.values())
    many = total >= WEBGL_FROM
    kind, slices = (go.Scattergl, SLICES) if many else (go.Scatter, 1)
    size, dark = (4, 25) if many else (6, 60)
    opacity = float(np.clip(dark / np.sqrt(max(total, 1)), 0.15, 0.8))
    turns: list[list[Any]] = [[] for _ in range(slices)]
    keys, rings, captions = list[Any](), list[Any](), []
    for number, (name, one) in enumerate(drawn.items()):
        look = {"color": ink.series[number % len(ink.series)], "size": size}
        look["symbol"] = _SYMBOLS[number % len(_SYMBOLS)]
        captions.append(f"{name}: {one.caption.replace('hatched', 'hollow')}")
        pale = {**look, "opacity": opacity}
        for turn in range(slices):
            part = one.rows.iloc[turn::slices], one.cut[turn::slices]
            cloud = points(*part, x, y, name=name, look=pale, kind=kind)
            turns[turn] += [trace.update(showlegend=False) for trace in cloud]
        keys += key(name, look=look, kind=kind) if len(one.rows) else []
        rings += ring(one, marked if name == of else (), x, y, ink=ink, kind=kind)
    captions += [told] if told else []
    traces = [*keys, *(trace for turn in turns for trace in turn), *rings]
    plot = figure(traces, theme=theme, caption="<br>".join(captions))
    plot.update_layout(
        dragmode="select",
        showlegend=True,
        margin={"b": 70 + 17 * len(captions)},
        height=370 + 17 * len(captions),
    )
    return plot


SLICES: Final = 8
"""Parts of a large table that are drawn in turn with those of the others."""
