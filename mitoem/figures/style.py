"""How every plot looks: ink on nothing, so that it lies on a light or a dark page alike."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal, TypeAlias

import plotly.graph_objects as go

from mitoem.morphometry.columns import COLUMNS

Theme: TypeAlias = Literal["light", "dark"]

FONT: Final = '"Source Sans 3", "Source Sans Pro", "Segoe UI", Helvetica, Arial, sans-serif'


@dataclass(frozen=True, slots=True)
class Ink:
    """Colours of one theme: text, quieter text, rules, ghosts, the one accent, series in order.

    A ghost is what a filter leaves out, drawn behind what it keeps.

    The series are Okabe and Ito's (2008), told apart with any colour vision; yellow and black are
    left out, and on dark the blue is lighter.
    """

    text: str
    quiet: str
    rule: str
    ghost: str
    accent: str
    series: tuple[str, ...]


INKS: Final[Mapping[Theme, Ink]] = {
    "light": Ink(
        "#17212a",
        "#56646c",
        "#dfe5e8",
        "#d3dbdf",
        "#0b6b74",
        ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00"),
    ),
    "dark": Ink(
        "#e6ecee",
        "#9fb0b7",
        "#2d3a40",
        "#34424a",
        "#2fa7b1",
        ("#56b4e9", "#e69f00", "#1fb38a", "#d68ab3", "#d55e00", "#f0e442"),
    ),
}

_NAMES: Final[Mapping[str, str]] = {
    "voxel_count": "Size (voxels)",
    "mci": "Mitochondrial complexity index",
    "error": "Error type",
}
_UNITS: Final = {column.name: column.unit for column in COLUMNS}
_SUFFIXES: Final = ("_per_um", "_um3", "_um2", "_um")


def unit(column: str) -> str:
    """Unit of a column, empty for a plain number or a column of another table."""
    return _UNITS.get(column, "")


def title(column: str) -> str:
    """What an axis says: the column in words, with its unit.

    >>> title("volume_um3"), title("mci")
    ('Volume (µm³)', 'Mitochondrial complexity index')
    """
    if column in _NAMES:
        return _NAMES[column]
    words = column
    for suffix in _SUFFIXES:
        words = words.removesuffix(suffix) if unit(column) else words
    words = words.replace("_", " ").capitalize()
    return f"{words} ({unit(column)})" if unit(column) else words


def figure(traces: Sequence[Any], *, theme: Theme, caption: str) -> go.Figure:
    """These traces on no background, with light rules and a caption below."""
    ink = INKS[theme]
    template = {"layout": _layout(ink)}
    drawn = go.Figure(list(traces), {"template": template})
    note = {"xref": "paper", "yref": "paper", "showarrow": False}
    below = {"x": 0, "y": 0, "yshift": -52, "xanchor": "left", "yanchor": "top", "align": "left"}
    font = {"size": 12, "color": ink.quiet}
    drawn.add_annotation({**note, **below, "text": caption, "font": font})
    if not traces:
        font = {"size": 15, "color": ink.quiet}
        drawn.add_annotation({**note, "x": 0.5, "y": 0.5, "text": "Nothing to draw", "font": font})
        drawn.update_xaxes(showticklabels=False, ticks="")
        drawn.update_yaxes(showticklabels=False, showgrid=False)
    return drawn


def _layout(ink: Ink) -> dict[str, Any]:
    axis = {
        "linecolor": ink.quiet,
        "tickcolor": ink.quiet,
        "tickfont": {"color": ink.quiet},
        "title": {"font": {"color": ink.text}, "standoff": 8},
        "ticks": "outside",
        "ticklen": 4,
        "zeroline": False,
        "automargin": True,
    }
    return {
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "font": {"family": FONT, "size": 13, "color": ink.text},
        "colorway": list(ink.series),
        "margin": {"l": 8, "r": 16, "t": 52, "b": 96},
        "height": 400,
        "hoverlabel": {"font": {"family": FONT, "size": 13}},
        "legend": {
            "orientation": "h",
            "x": 1,
            "xanchor": "right",
            "y": 1.1,
            "yanchor": "bottom",
            "font": {"color": ink.text},
        },
        "xaxis": {**axis, "showgrid": False, "showline": True},
        "yaxis": {**axis, "gridcolor": ink.rule, "showline": False, "ticks": ""},
        "modebar": {"bgcolor": "rgba(0,0,0,0)", "color": ink.quiet, "activecolor": ink.accent},
        "newselection": {"line": {"color": ink.accent, "width": 1.5, "dash": "solid"}},
        "separators": ".,",
    }


def log_axis(low: float, high: float) -> dict[str, Any]:
    """A logarithmic axis around two values above 0, its ticks numbers in full, evenly spread.

    Plotly's own ticks between powers of ten are single digits, which few read right.
    """
    bottom, top = math.log10(low), math.log10(high)
    room = max((top - bottom) * 0.03, 0.01)
    decades = range(math.floor(bottom) - 1, math.ceil(top) + 2)
    span = top - bottom
    steps = (1, 2, 5) if span < 2.3 else (1, 3) if span < 5 else (1,)
    ticks = [step * 10.0**power for power in decades for step in steps]
    if sum(low <= tick <= high for tick in ticks) < FEWEST_TICKS:
        ticks = _even_ticks(10 ** (bottom - room), 10 ** (top + room))
    return {
        "type": "log",
        "range": [bottom - room, top + room],
        "tickvals": ticks,
        "ticktext": [f"{tick:,.0f}" if tick >= 1000 else f"{tick:g}" for tick in ticks],
        "minor": {
            "tickvals": [step * 10.0**power for power in decades for step in range(1, 10)],
            "ticks": "outside",
            "ticklen": 2,
            "showgrid": False,
        },
    }


FEWEST_TICKS: Final = 3
"""An axis with fewer ticks than this cannot be read."""


def _even_ticks(low: float, high: float) -> list[float]:
    """Four to nine round numbers, evenly spaced, between two that are near each other."""
    step = 10.0 ** math.floor(math.log10(high - low))
    for part in (1.0, 0.5, 0.2, 0.1):
        first, last = math.ceil(low / (part * step)), math.floor(high / (part * step))
        if last - first >= FEWEST_TICKS:
            break
    return [round(k * part * step, 12) for k in range(first, last + 1)]


def tint(colour: str, share: float) -> str:
    """A ``#rrggbb`` colour of which ``share`` is opaque."""
    red, green, blue = (int(colour[i : i + 2], 16) for i in (1, 3, 5))
    return f"rgba({red},{green},{blue},{share:g})"
