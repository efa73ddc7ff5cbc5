"""The rows of the Instances page: as a table, as pictures or in 3-D, in one order."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pandas as pd
import streamlit as st

from mitoem import figures
from mitoem.morphometry import COLUMNS
from mitoem.ui import address, cache, filtering, gallery, modules, selecting, words
from mitoem.ui.address import Here
from mitoem.ui.viewer import viewer
from mitoem.view.wishes import MAX_SELECTED

VIEWS = ("Table", "Gallery", "3-D")

FIRST = (
    "volume_um3", "surface_area_um2", "sphericity", "mci", "elongation", "length_um",
    "touches_border", "size_class", "split",
)  # fmt: skip
"""Columns that the table shows until others are chosen; blank ones are left out."""

SHORT = {"instance_id": "id", "mci": "MCI", "touches_border": "Cut"}
"""Heads of columns whose title is long."""

HEIGHT = 373

_HEAD = "rows_head"
"""The column whose head is pressed in the browser."""

SCENE = "rows_viewer"
"""Key of the 3-D view's mount."""


def panel(
    at: Here, shown: pd.DataFrame, *, hidden: int, measured: frozenset[str], expression: str
) -> None:
    """The rows as the address wants them: what to draw, in which order, and steps through them.

    ``hidden``: how many more the filter keeps, which are left out as cut ones.
    """
    with st.container(horizontal=True, gap="small", vertical_alignment="center"):
        view = words.segments("show", "Show", VIEWS, "Table")
        rows = _sorted(shown, measured)
        columns = _columns(measured)
    if rows.empty:
        st.info(_nothing(measured, hidden=hidden))
    elif view == "3-D":
        _scene(at, expression)
    elif view == "Gallery":
        gallery.show(at, rows, [name for name in columns if name != "instance_id"][:4])
    else:
        _table(at, rows, columns)
    _steps(at, rows)


def _nothing(measured: frozenset[str], *, hidden: int) -> str:
    """Why there may be no row, and what to do; ``hidden`` cut ones pass the filter."""
    names = {column.name for column in COLUMNS} - measured
    if blank := [figures.title(name) for name in filtering.now().columns if name in names]:
        return (
            f"Not measured here, so no instance passes: {', '.join(blank)}. “Measure lengths” "
            "adds the columns of skeletons; or take the condition away."
        )
    if hidden:
        return f"No complete instance passes: switch “complete only” off to see {hidden:,} cut."
    return "No instance passes: take a condition away."


def _sorted(shown: pd.DataFrame, measured: frozenset[str]) -> pd.DataFrame:
    """The rows in the order of the address: by a column, largest first unless told otherwise."""
    names = ["instance_id", *(c.name for c in COLUMNS[1:] if c.name in measured)]
    by = words.choice(
        "sort", "Order", names, "instance_id", names=lambda one: f"by {_head(one)}", bare=True
    )
    rising = words.switch("up", "rising", default=by == "instance_id")
    return shown.sort_values(by, ascending=rising, kind="stable", na_position="last")


def _columns(measured: frozenset[str]) -> list[str]:
    """The columns that are shown, the id first; a panel chooses them."""
    known = [c.name for c in COLUMNS[1:] if c.name in measured or c.name in FIRST]
    usual = [name for name in FIRST if name in measured]
    text = address.word("cols", "")
    wished = [name for name in text.split(",") if name in known] or usual
    if text and text != ",".join(wished):
        address.tell("cols", f"of {', '.join(known[:8])} …", ", ".join(wished))
    with st.popover("Columns", icon=":material/view_column:"):
        st.session_state["columns_chosen"] = wished
        st.multiselect(
            "Columns", known, key="columns_chosen", format_func=figures.title,
            on_change=_choose, args=(usual,),
        )  # fmt: skip
        st.button("All measured", key="columns_all", on_click=_all, args=(known,))
        st.button("The usual ones", key="columns_usual", on_click=_all, args=(None,))
    return ["instance_id", *wished]


def _choose(usual: list[str]) -> None:
    chosen = st.session_state["columns_chosen"]
    address.change(cols=None if chosen in ([], usual) else ",".join(chosen))


def _all(known: list[str] | None) -> None:
    address.change(cols=",".join(known) if known else None)


def _table(at: Here, rows: pd.DataFrame, columns: list[str]) -> None:
    """The table: click rows to select their instances, a head to order by its column."""
    ids = rows["instance_id"].tolist()
    key = f"rows_{at.info.name}_{at.view.labels}"
    places = {one: place for place, one in enumerate(ids)}
    chosen = sorted(places[one] for one in at.view.sel if one in places)
    drawn = (hash(tuple(ids)), ",".join(map(str, at.view.sel)))
    if st.session_state.get("rows_drawn") != drawn or key not in st.session_state:
        st.session_state["rows_drawn"] = drawn
        if st.session_state.get(_HEAD) != address.word("sort", "instance_id"):
            st.session_state[_HEAD] = None
        heads = [one for one in (st.session_state[_HEAD],) if one in columns]
        st.session_state[key] = {"selection": {"rows": chosen, "columns": heads, "cells": []}}
    st.dataframe(
        rows[columns],
        key=key,
        hide_index=True,
        height=min(HEIGHT, 37 + 35 * max(2, len(rows))),
        on_select=lambda: _select(key, ids),
        selection_mode=["multi-row", "single-column"],
        column_config=_config(),
    )


def _select(key: str, ids: list[int]) -> None:
    """Rows → selection; those selected earlier that the table does not show stay selected."""
    told = st.session_state[key]["selection"]
    rows, places = told["rows"], {one: place for place, one in enumerate(ids)}
    shown = sorted(places[one] for one in selecting.now() if one in places)
    head = told["columns"][0] if told["columns"] else None
    before, st.session_state[_HEAD] = st.session_state.get(_HEAD), head
    # A head that is pressed again comes as let go; neither is a word on the rows.
    pressed = head or before
    if pressed and (head not in (None, before) or sorted(rows) == shown):
        _order(pressed)
        return
    there = set(ids)
    hidden = [one for one in selecting.now() if one not in there]
    selecting.take([*hidden, *(ids[row] for row in rows if row < len(ids))])
    st.session_state["rows_drawn"] = (hash(tuple(ids)), address.word("sel", ""))


def _order(by: str) -> None:
    """Order by a column, the other way round where it is so already."""
    before, usual = address.word("sort", "instance_id"), by == "instance_id"
    rising = usual if by != before else not words.on("up", default=usual)
    address.change(sort=None if usual else by, up=None if rising == usual else str(int(rising)))


def _config() -> dict[str, Any]:
    """How each column is shown: its title with its unit, its definition as a tip."""
    found: dict[str, Any] = {}
    by = address.word("sort", "instance_id")
    arrow = {by: "↑ " if words.on("up", default=by == "instance_id") else "↓ "}
    for column in COLUMNS:
        name, tip = arrow.get(column.name, "") + _head(column.name), column.definition
        if column.dtype == "float64":
            found[column.name] = st.column_config.NumberColumn(name, help=tip, format="%.4g")
        elif column.dtype in ("bool", "boolean"):
            found[column.name] = st.column_config.CheckboxColumn(name, help=tip)
        else:
            found[column.name] = st.column_config.Column(name, help=tip)
    return found


def _head(name: str) -> str:
    return SHORT.get(name) or figures.title(name)


def _scene(at: Here, expression: str) -> None:
    """All shown instances in 3-D, and the selected ones in full."""
    view = replace(at.view, layout="3d", filter=expression)
    state = viewer(at.info, view, base=modules.base(), key=SCENE, everything=True)
    if state is not None and state.sel != at.view.sel:
        selecting.take(state.sel)
        address.rerun()


def _steps(at: Here, rows: pd.DataFrame) -> None:
    """Next and previous in the order of the rows; what is selected and not among them."""
    ids = rows["instance_id"].tolist()
    every = cache.table(at.volume, at.view.labels or "")["instance_id"]
    selected = every[every.isin(at.view.sel)]
    hidden, unknown = int((~selected.isin(ids)).sum()), len(at.view.sel) - len(selected)
    told = f"{len(selected)} selected" if len(selected) else "none selected"
    told += f", {hidden} of them not among these rows" if hidden else ""
    told += f"; {unknown} more not in these labels" if unknown else ""
    with st.container(horizontal=True, gap="small", vertical_alignment="center"):
        st.button("Previous", icon=":material/arrow_back:", key="row_back", disabled=not ids,
                  help="Select the row before", on_click=_step, args=(ids, -1))  # fmt: skip
        st.button("Next", icon=":material/arrow_forward:", key="row_on", disabled=not ids,
                  help="Select the next row", on_click=_step, args=(ids, 1))  # fmt: skip
        st.caption(told, width="content")
        if ids and len(ids) <= MAX_SELECTED:
            st.button(f"Select these {len(ids)}", key="rows_all", type="tertiary",
                      on_click=selecting.take, args=(ids,))  # fmt: skip


def _step(ids: list[int], by: int) -> None:
    first = gallery.first(len(ids)) if address.word("show", VIEWS[0]) == "Gallery" else 0
    found = selecting.step(ids, by, first=first)
    if found is not None:
        gallery.turn(ids.index(found) // gallery.PAGE + 1, len(ids))
