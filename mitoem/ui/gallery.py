"""The rows of the Instances page as pictures: three planes of each instance, page by page."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any
from urllib.parse import quote

import pandas as pd
import streamlit as st
from streamlit.components.v2.types import ComponentRenderer

from mitoem import figures
from mitoem.front import field_nm
from mitoem.geometry import Box
from mitoem.ui import address, modules, selecting, words
from mitoem.ui.address import Here

PAGE = 24
"""Pictures on a page."""

MOST_PAGES = 999_999

_HTML = '<div class="gallery" role="group" aria-label="Instances"></div>'

_CSS = """
.gallery { display: grid; gap: .5rem; overflow-y: auto; padding: 2px;
  max-height: max(373px, calc(100vh - 330px));
  grid-template-columns: repeat(auto-fill, minmax(270px, 1fr)); font-family: var(--st-font); }
.gallery .card { display: flex; flex-direction: column; gap: .25rem; padding: .3rem;
  cursor: pointer;
  color: var(--st-text-color); background: var(--st-secondary-background-color);
  border: 1px solid transparent; border-radius: .35rem; text-align: left; font: inherit;
  font-size: .8rem; line-height: 1.25; }
.gallery .card > .planes { position: relative; display: block; }
.gallery .card img { display: block; width: 100%; aspect-ratio: 390 / 128; border-radius: .2rem;
  background: #14181b; }
.gallery .card i { position: absolute; bottom: 0; padding: 0 .25rem; border-radius: 0 .2rem 0 0;
  font: 600 .6rem/1.5 var(--st-font); color: #e8edf1; background: #14181bb3; }
.gallery .card i:nth-of-type(2) { left: calc(131 / 390 * 100%); }
.gallery .card i:nth-of-type(3) { left: calc(262 / 390 * 100%); }
.gallery .card > span { display: flex; flex-wrap: wrap; gap: 0 .6rem;
  font-variant-numeric: tabular-nums; }
.gallery .card em { font-style: normal; opacity: .75; border-bottom: 1px dashed currentColor; }
.gallery .card:hover { border-color: var(--st-border-color); }
.gallery .card:focus-visible { outline: 2px solid var(--st-primary-color); outline-offset: 1px; }
.gallery .card[aria-pressed="true"] { border-color: var(--st-primary-color);
  box-shadow: 0 0 0 1px var(--st-primary-color); }
"""


def show(at: Here, rows: pd.DataFrame, measures: Sequence[str]) -> None:
    """One page of pictures, each with what the table shows first; pages turn below it."""
    pages = max(1, -(-len(rows) // PAGE))
    page = number(pages)
    part = rows.iloc[(page - 1) * PAGE : page * PAGE]
    labels = at.view.labels or ""
    place = f"/api/v1/volumes/{quote(at.info.name)}/labels/{quote(labels)}/thumbnails"
    _component()(
        key="gallery",
        data={
            "base": modules.base(),
            "place": modules.base() + place,
            "version": f"{at.info.version} {at.info.label_set(labels).version}",
            "cards": [_card(at, row, measures) for row in part.to_dict("records")],
            "selected": list(at.view.sel),
        },
        on_pick_change=_pick,
        on_open_change=_open,
        on_turn_change=lambda: turn(page + st.session_state["gallery"]["turn"], pages),
    )
    if pages > 1:
        _pager(page, pages, len(rows))


def first(rows: int) -> int:
    """The place, in the order of the rows, of the first picture in view."""
    return (number(max(1, -(-rows // PAGE))) - 1) * PAGE


def number(pages: int) -> int:
    """The page of the address, moved to the nearest there is."""
    return min(words.whole("page", 1, MOST_PAGES, 1), pages)


def turn(to: int, pages: int) -> None:
    """Turn to a page, as far as there is one."""
    to = min(max(to, 1), pages)
    address.change(page=str(to) if to > 1 else None)


def _pager(page: int, pages: int, count: int) -> None:
    with st.container(horizontal=True, gap="small", vertical_alignment="center"):
        st.button("", icon=":material/chevron_left:", key="page_back", disabled=page == 1,
                  help="Page before", on_click=turn, args=(page - 1, pages))  # fmt: skip
        first, last = (page - 1) * PAGE + 1, min(page * PAGE, count)
        st.markdown(f"{first:,}–{last:,} of {count:,}", width="content")
        st.button("", icon=":material/chevron_right:", key="page_on", disabled=page == pages,
                  help="Next page", on_click=turn, args=(page + 1, pages))  # fmt: skip


def _card(at: Here, row: dict[Any, Any], measures: Sequence[str]) -> dict[str, Any]:
    start, stop = ([int(row[f"bbox_{axis}{end}"]) for axis in "zyx"] for end in (0, 1))
    box = Box((start[0], start[1], start[2]), (stop[0], stop[1], stop[2]))
    lines = [_line(name, row[name]) for name in measures if not pd.isna(row[name])]
    lines.append(f"{field_nm(box, at.info.voxel_size) / 1000:.2g} µm wide")
    return {
        "id": int(row["instance_id"]),
        "lines": lines,
        "cut": bool(row["touches_border"]),
    }


def _line(name: str, value: Any) -> str:
    if not isinstance(value, int | float) or isinstance(value, bool):
        return str(value)
    unit = figures.unit(name)
    short = {"volume_um3": "", "mci": "MCI "}.get(name, f"{figures.title(name).split(' (')[0]} ")
    return f"{short}{value:,.3g}{' ' + unit if unit else ''}"


def _pick() -> None:
    told = st.session_state["gallery"]["pick"]
    selecting.press(int(told["id"]), add=bool(told["add"]))


def _open() -> None:
    selecting.take([int(st.session_state["gallery"]["open"])])
    st.session_state["instances_go"] = True


@cache
def _component() -> ComponentRenderer:
    return modules.component("gallery", html=_HTML, css=_CSS)
