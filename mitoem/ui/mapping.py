"""The map of the Compare page: points and boxes select instances of the current labels."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
import streamlit as st
from plotly.graph_objects import Figure

from mitoem import figures
from mitoem.effects import Components
from mitoem.ui import address, menu, selecting
from mitoem.ui.address import Here
from mitoem.ui.comparison import Pair
from mitoem.ui.plots import Told
from mitoem.view.wishes import MAX_SELECTED

MOST_ROWS = 6
"""Rows of the selection that are shown at once; more are scrolled."""

OTHERS = "compare_other"
"""Key of the point of the other set that was pressed last: (volume/labels, id)."""


def acts(pair: Pair, figure: Figure, of: str) -> dict[str, Any]:
    """What a box, a pressed point and a double click do; ``of`` is the set that can be selected."""
    return {
        "on_box": partial(select_inside, points(figure, of)),
        "on_pick": partial(_pick, pair, of),
        "on_reset": partial(selecting.take, ()) if selecting.now() else None,
    }


def loadings(found: Components) -> None:
    """Which measures make the components, and which do not enter."""
    st.dataframe(
        pd.DataFrame(
            {
                "Measure": [figures.title(name) for name in found.columns],
                "Component 1": found.loadings[:, 0],
                "Component 2": found.loadings[:, 1],
            }
        ),
        hide_index=True,
        height="content",
        key="compare_loadings",
        column_config={
            name: st.column_config.NumberColumn(format="%+.2f")
            for name in ("Component 1", "Component 2")
        },
    )
    out = [f"{figures.title(name)}: {_reason(why)}" for name, why in found.left_out]
    st.caption(
        f"Loadings of standardised logs over {found.rows:,} instances of both sets together. "
        "Left out: grey levels, which are of the image and not of the shape"
        + "".join(f"; {one}" for one in out) + "."
    )  # fmt: skip


def _reason(why: str) -> str:
    """Why a measure does not enter; the name of another one in words."""
    head, same, name = why.partition("the same as ")
    return f"{head}{same}{figures.title(name).lower()}" if same else why


def points(figure: Figure, of: str) -> tuple[Any, Any, Any]:
    """Ids, x and y of the drawn points of one set."""
    drawn = [trace for trace in figure.data if of and trace.meta == of]
    if not drawn:
        return np.zeros(0, np.int64), np.zeros(0), np.zeros(0)
    ids, x, y = (
        np.concatenate([getattr(trace, name) for trace in drawn])
        for name in ("customdata", "x", "y")
    )
    return ids, x, y


def select_inside(points: tuple[Any, Any, Any], told: Told) -> None:
    """Select the instances of the current labels inside a box, as many as an address holds."""
    ids, x, y = points
    if ids.size == 0:
        st.toast("The volume in the line above is neither A nor B: press a point to go there.")
        return
    (left, right), (low, high) = sorted(told["x"]), sorted(told["y"])
    inside = np.sort(ids[(x >= left) & (x <= right) & (y >= low) & (y <= high)])
    selecting.take(inside.tolist())
    if inside.size > MAX_SELECTED:
        st.toast(f"{inside.size:,} instances lie in the box: the first {MAX_SELECTED} by id are "
                 "selected.")  # fmt: skip


def _pick(pair: Pair, of: str, told: Told) -> None:
    """Select the instance of a point; one of the other set waits for the page to switch."""
    if told["of"] in (of, figures.EXPLAINS):
        st.session_state.pop(OTHERS, None)
        selecting.press(int(told["id"]), add=bool(told["add"]))
        return
    if told["of"] in pair.names:
        name = (pair.a, pair.b)[pair.names.index(told["of"])]
        st.session_state[OTHERS] = (name, int(told["id"]))
        address.change()
        st.toast(f"#{told['id']} is of {name}, which the line above does not show.")


def elsewhere(pair: Pair) -> None:
    """Offer to switch to the set of the point that was pressed last, if it is the other one."""
    name, one = st.session_state.get(OTHERS, ("", 0))
    if name not in (pair.a, pair.b):
        return
    with st.container(horizontal=True, gap="small", vertical_alignment="center"):
        st.caption(f"#{one} is of {name}.", width="content")
        st.button(
            f"Switch there and select #{one}",
            key="compare_switch",
            type="tertiary",
            icon=":material/swap_horiz:",
            on_click=_switch,
            args=(pair, name, one),
        )


def _switch(pair: Pair, name: str, one: int) -> None:
    volume, _, labels = name.partition("/")
    st.session_state.pop(OTHERS, None)
    address.enter(volume)
    address.change(labels=labels, sel=str(one), a=pair.a, b=pair.b)


def selected(at: Here, pair: Pair, measures: Sequence[str]) -> None:
    """The selected instances of the current labels, and the way to see them."""
    current = f"{at.info.name}/{at.view.labels}"
    if not at.view.sel or current not in (pair.a, pair.b):
        return
    table = pair.tables[(pair.a, pair.b).index(current)]
    rows = table[table["instance_id"].isin(at.view.sel)]
    columns = ["instance_id", *dict.fromkeys(measures), "touches_border"]
    heads = {name: figures.title(name) for name in columns}
    heads |= {"instance_id": "id", "touches_border": "Cut"}
    with st.container(horizontal=True, gap="small", vertical_alignment="center"):
        st.caption(f"{len(rows)} selected in {current}", width="content")
        st.button("Show in Explore", icon=":material/visibility:", on_click=_go)
    st.dataframe(
        rows[columns].rename(columns=heads),
        hide_index=True,
        height="content" if len(rows) <= MOST_ROWS else 36 * (MOST_ROWS + 1),
        key="compare_selected",
        column_config={
            heads[name]: st.column_config.NumberColumn(format="%.4g") for name in columns[1:-1]
        },
    )
    if st.session_state.pop("compare_go", False):
        st.switch_page(menu.page("explore"))


def _go() -> None:
    st.session_state["compare_go"] = True
