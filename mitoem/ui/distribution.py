"""The plots of the Instances page: how a measure is distributed; a box drawn on one filters."""

from __future__ import annotations

from functools import partial
from typing import Any

import pandas as pd
import streamlit as st
from plotly.graph_objects import Figure

from mitoem import figures
from mitoem.errors import MitoEMError
from mitoem.morphometry import COLUMNS
from mitoem.ui import cache, filtering, plots, selecting, snippets, words
from mitoem.ui.address import Here
from mitoem.ui.plots import Told

MEASURES = tuple(c.name for c in COLUMNS if c.dtype == "float64" and "centroid" not in c.name)
"""Columns that are worth a histogram."""

PLOTS = ("Histogram", "ECDF", "Scatter")

GROUPS = {"none": "no groups", "split": "by split", "size_class": "by size class",
          "volume": "by volume"}  # fmt: skip
FULL, HEIGHT = 400, 352
"""Pixels of a figure of two lines of caption by itself, and on this page."""


def plot(
    at: Here,
    table: pd.DataFrame,
    *,
    whole: pd.DataFrame,
    measured: frozenset[str],
    complete_only: bool,
) -> None:
    """Histogram, cumulative share or scatter of a measure; a box drawn on it filters.

    ``table`` are the rows that the filter keeps of ``whole``, whose columns with a value are
    ``measured``. Pressing a point selects its instance; a double click takes the range of the
    measure out of the filter.
    """
    kind, column, other = _what(measured)
    look = _look(kind)
    group = look.pop("group")
    if group == "volume":
        table, whole = _pooled(at, table, whole)
    look |= {"complete_only": complete_only, "theme": words.theme(), "marked": at.view.sel}
    if group == "volume":
        look["of"] = at.info.name
    if filtering.now().terms:
        look["behind"] = whole
    figure = draw(kind, table, column, other, group=group, look=look)
    figure.update_layout(height=(figure.layout.height or FULL) - (FULL - HEIGHT), margin_t=40)
    plots.draw(
        figure,
        key=f"plot_{kind.lower()}",
        stem=f"{at.info.name}_{at.view.labels}_{kind.lower()}_{column}"
        + (f"_{other}" if other else ""),
        code=code(at, kind, column, other, group=group, look=look),
        synthetic=cache.synthetic([at.info.name, *(_others(at) if group == "volume" else [])]),
        on_box=partial(_narrow, column, other),
        on_pick=partial(_pick, at.info.name if group == "volume" else None),
        on_reset=partial(_widen, column, other) if _bounded(column, other) else None,
    )


def _what(measured: frozenset[str]) -> tuple[str, str, str | None]:
    """Which plot, of which measure, against which other one."""
    names = [name for name in MEASURES if name in measured] or list(MEASURES)
    with st.container(horizontal=True, gap="small", vertical_alignment="center"):
        kind = words.segments("plot", "Plot", PLOTS, "Histogram")
        column = words.choice(
            "measure", "Measure", names, "volume_um3", names=figures.title, bare=True
        )
        other = None
        if kind == "Scatter":
            usual = "sphericity" if column != "sphericity" else "volume_um3"
            other = words.choice("against", "Against", names, usual, names=figures.title, bare=True)
    return kind, column, other


def _look(kind: str) -> dict[str, Any]:
    """Axes, bins and groups, as the words of the address say."""
    look: dict[str, Any] = {}
    with st.container(horizontal=True, vertical_alignment="center", gap="medium"):
        look["log_x"] = words.switch("logx", "log x", default=True)
        if kind != "ECDF":
            look["log_y"] = words.switch("logy", "log y", default=kind == "Scatter")
        if kind == "Histogram":
            look["bins"] = words.number("bins", "Bins", 10, 100, 40, bare=True)
        several = len(cache.volume_names()) > 1
        known = [name for name in GROUPS if name != "volume" or several]
        group = words.choice("group", "Groups", known, "none", names=GROUPS.__getitem__, bare=True)
    look["group"] = None if group == "none" else group
    return look


def draw(
    kind: str,
    table: pd.DataFrame,
    column: str,
    other: str | None,
    *,
    group: str | None,
    look: dict[str, Any],
) -> Figure:
    """The figure of these rows."""
    if kind == "ECDF":
        sets = figures.by_group(table, group, look.get("behind"))
        return figures.ecdf(sets or {"": table}, column, group=group, **look)
    if kind == "Scatter":
        return figures.scatter(table, column, other or column, group=group, **look)
    return figures.histogram(table, column, group=group, **look)


def code(
    at: Here, kind: str, column: str, other: str | None, *, group: str | None, look: dict[str, Any]
) -> str:
    """Python that draws the same plot."""
    volume, labels = at.info.name, at.view.labels or ""
    text = str(filtering.now())
    lines = ["import mitoem", "from mitoem import figures", ""]
    if group == "volume":
        lines += [
            "import pandas as pd", "",
            f"names = {[volume, *_others(at)]}",
            f"read = lambda **only: pd.concat([mitoem.table(n, {labels!r}, **only)"
            ".assign(volume=n) for n in names])",
            f"table = read(filter={text!r})",
        ]  # fmt: skip
    else:
        lines.append(snippets.table(volume, labels, text))
    if "behind" in look:
        behind = "read()" if group == "volume" else f"mitoem.table({volume!r}, {labels!r})"
        lines.append(f"whole = {behind}")
    options = {k: v for k, v in look.items() if k != "behind"}
    told = [f"{name}={value!r}" for name, value in options.items() if value != ()]
    told += ["behind=whole"] if "behind" in look else []
    told += [f"group={group!r}"] if group else []
    whole = ", whole" if "behind" in look else ""
    rows = f"figures.by_group(table, {group!r}{whole})" if group else '{"": table}'
    first = rows if kind == "ECDF" else "table"
    call = {"ECDF": "ecdf", "Scatter": "scatter", "Histogram": "histogram"}[kind]
    measures = ", ".join(repr(one) for one in (column, other) if one)
    lines += [
        f"figure = figures.{call}({first}, {measures}, {', '.join(told)})",
        f'figure.write_html("{kind.lower()}.html")',
    ]
    return "\n".join(lines)


def _others(at: Here) -> list[str]:
    """Other volumes that have measured labels of the same name."""
    found = []
    for name in cache.volume_names():
        if name == at.info.name:
            continue
        try:
            cache.table(cache.volume(name), at.view.labels or "")
        except MitoEMError:
            continue
        found.append(name)
    return found


def _pooled(
    at: Here, table: pd.DataFrame, whole: pd.DataFrame
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The same with the rows of the other volumes, named in a column ``volume``."""
    kept, every = [table.assign(volume=at.info.name)], [whole.assign(volume=at.info.name)]
    for name in _others(at):
        other = cache.table(cache.volume(name), at.view.labels or "").assign(volume=name)
        every.append(other)
        kept.append(other[filtering.now().apply(other)])
    return pd.concat(kept, ignore_index=True), pd.concat(every, ignore_index=True)


def _narrow(column: str, other: str | None, told: Told) -> None:
    """Turn a box drawn on the plot into the filter."""
    filtering.add_range(column, *sorted(told["x"]))
    if other:
        filtering.add_range(other, *sorted(told["y"]))


def _bounded(*columns: str | None) -> bool:
    return any(filtering.bounds(name) for name in columns if name)


def _widen(column: str, other: str | None) -> None:
    for name in (column, other):
        if name:
            filtering.drop_range(name)


def _pick(volume: str | None, told: Told) -> None:
    """Select the instance of a point; one of another volume has no place here."""
    if volume and told["of"] and told["of"] not in (volume, figures.EXPLAINS):
        st.toast(f"#{told['id']} is of {told['of']}: switch to that volume to select it.")
        return
    selecting.press(int(told["id"]), add=bool(told["add"]))
