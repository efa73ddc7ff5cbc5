"""The histogram of a measure, with what the data set leaves out drawn in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from mitoem.figures.drawn import EXPLAINS
from mitoem.figures.marks import HIDDEN_AXIS, mark
from mitoem.figures.samples import Flags, Sample, Values, groups, numbering, numbers, sample
from mitoem.figures.style import INKS, Ink, Theme, figure, log_axis, title, unit
from mitoem.morphometry.columns import MEDIUM_VOXELS, SMALL_VOXELS

TRUNCATION_VOXELS: Final = 2_000
"""Least voxels of a MitoEM instance, as its data set card states; nobody has verified it."""


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
    ids of instances that are pointed at.
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
    lines = _limits(whole.rows, column, edges)
    pointers = mark(drawn, marked, column, ink=ink)
    traces = [*ghosts, *bars, *pointers] if len(whole.rows) else []
    plot = figure(traces, theme=theme, caption=drawn.caption + _note(lines))
    room = (edges[-1] - edges[0]) * 0.02
    plain = {"range": [edges[0] - room, edges[-1] + room]}
    plot.update_xaxes(log_axis(edges[0], edges[-1]) if log_x else plain, title_text=title(column))
    plot.update_yaxes(title_text="Instances", rangemode="tozero")
    if log_y:
        top = float(np.log10(max(tallest, 1) * 1.6))
        plot.update_yaxes(type="log", range=[np.log10(0.7), top], dtick=1)
    elif tallest < WHOLE_TICKS:
        plot.update_yaxes(dtick=1)
    plot.update_layout(
        yaxis2=HIDDEN_AXIS,
        barmode="overlay",
        dragmode="select",
        selectdirection="h",
        showlegend=group is not None or bool(drawn.cut.any()),
    )
    _draw_limits(plot, lines, log_x=log_x, ink=ink)
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


def voxels_to(column: str, rows: pd.DataFrame, voxels: float) -> float | None:
    """Where an instance of so many voxels lies on the axis of ``column``; None for other measures.

    The volume of a voxel is taken from the table itself; None where it holds several.
    """
    if column == "voxel_count":
        return voxels
    if column not in ("volume_um3", "equivalent_diameter_um") or rows.empty:
        return None
    if not {"volume_um3", "voxel_count"} <= set(rows.columns):
        return None
    counts = numbers(rows, "voxel_count")
    largest, voxel = int(np.argmax(counts)), numbers(rows, "volume_um3") / counts
    if not np.allclose(voxel, voxel[largest]):
        return None
    volume = voxels * voxel[largest]
    return float(volume) if column == "volume_um3" else float((6 * volume / np.pi) ** (1 / 3))


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
            pattern = {"shape": "/", "size": 5, "solidity": 0.3, "fgcolor": hatch}
            fill = {"color": "rgba(0,0,0,0)", "pattern": pattern} if cut else {"color": colour}
            traces.append(
                go.Bar(
                    x=edges[:-1],
                    y=counts,
                    base=None if overlaid else base,
                    width=np.diff(edges),
                    offset=0,
                    marker={**fill, "line": {"width": 0.5, "color": hatch if cut else colour}},
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
    return traces, tallest


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


def _limits(rows: pd.DataFrame, column: str, edges: Values) -> dict[str, tuple[float, str]]:
    """Label → place and dash of the lines that lie on the plot."""
    lines = {}
    for voxels, dash in (
        (TRUNCATION_VOXELS, "dash"),
        (SMALL_VOXELS, "dot"),
        (MEDIUM_VOXELS, "dot"),
    ):
        at = voxels_to(column, rows, voxels)
        if at is not None and edges[0] * (1 - 1e-9) <= at <= edges[-1]:
            lines[f"{voxels:,}"] = at, dash
    return lines


def _note(lines: dict[str, tuple[float, str]]) -> str:
    """A line of the caption that says what the drawn lines are."""
    least = f"{TRUNCATION_VOXELS:,}"
    classes = " and ".join(text for text in lines if text != least)
    told = [f"{least} voxels: the dataset card's minimum (unverified)"] if least in lines else []
    told += [f"{classes} voxels: size classes"] if classes else []
    return "<br>" + "; ".join(told) if told else ""


def _draw_limits(
    plot: go.Figure, lines: dict[str, tuple[float, str]], *, log_x: bool, ink: Ink
) -> None:
    """Vertical lines with their labels above; labels that would touch are set one above another."""
    low, high = plot.layout.xaxis.range
    before, step = -np.inf, 0
    for text, (at, dash) in lines.items():
        line = {"color": ink.text, "width": 1, "dash": dash}
        plot.add_shape(type="line", x0=at, x1=at, y0=0, y1=1, yref="paper", line=line)
        place = np.log10(at) if log_x else at
        step = step + 1 if (place - before) / (high - low) < 0.08 else 0
        before = place
        plot.add_annotation(
            x=place,
            y=1,
            yref="paper",
            yanchor="bottom",
            yshift=12 * step,
            text=text,
            showarrow=False,
            font={"size": 11, "color": ink.quiet},
        )
