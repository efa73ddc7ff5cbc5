"""One plot on a page: drawn in place, saved as SVG, PNG and numbers, copied as Python.

Drawn by plotly.js in a component of our own: Streamlit's chart is mounted anew whenever its figure
changes, which flickers, and saves in one format alone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any

import streamlit as st
from plotly.graph_objects import Figure
from streamlit.components.v2.types import ComponentRenderer

from mitoem import figures
from mitoem.ui import modules, snippets, style

_HTML = """
<div class="mitoem-plot"><div class="figure" role="img"></div>
<div class="save"><button type="button" class="svg" title="Save as SVG">SVG</button>
<button type="button" class="png" title="Save as PNG, three times the size">PNG</button></div></div>
"""

_CSS = """
.mitoem-plot { position: relative; min-height: 23rem; }
.mitoem-plot:not([data-drawn]) .save { visibility: hidden; }
.mitoem-plot .main-svg { will-change: transform; }
.mitoem-plot .save { position: absolute; right: 0; display: flex; gap: .25rem; }
.mitoem-plot .save button { font: inherit; font-size: .72rem; line-height: 1; padding: .28rem .4rem;
  color: var(--st-text-color); opacity: .62; background: none; cursor: pointer;
  border: 1px solid var(--st-border-color); border-radius: .25rem; }
.mitoem-plot .save button:is(:hover, :focus-visible) { opacity: 1; outline: none;
  border-color: var(--st-primary-color); color: var(--st-primary-color); }
"""

Told = Mapping[str, Any]


def draw(
    figure: Figure,
    *,
    key: str,
    stem: str,
    code: str,
    synthetic: Sequence[str] = (),
    on_box: Callable[[Told], None] | None = None,
    on_pick: Callable[[Told], None] | None = None,
    on_reset: Callable[[], None] | None = None,
) -> None:
    """Draw a plot, and below it what saves its numbers and the Python that makes it.

    ``stem``: name of saved files without their ending; ``code``: the snippet; ``synthetic``: the
    volumes drawn that are phantoms, which the caption, files and numbers say. ``on_box`` gets the
    box drawn on it, ``{"x": [low, high], "y": [low, high]}`` in data units; ``on_pick`` a pressed
    point, ``{"id": instance, "of": its trace's meta, "add": shift is held}``; ``on_reset`` is
    called on a double click. All three are callbacks: they run before the page does.
    """
    figure.update_layout(font_family=style.FONT)
    if synthetic:
        stem += "_synthetic"
        _say_on_top(figure, _phantoms(synthetic))
    caption = _caption(figure)
    _component()(
        key=key,
        data={
            "base": modules.base(),
            "figure": figure.to_json(),
            "stem": stem,
            "resets": on_reset is not None,
            "said": f"{_axes(figure)}. {caption}".replace("<br>", "; "),
        },
        on_box_change=lambda: on_box(_told(key, "box")) if on_box else None,
        on_pick_change=lambda: on_pick(_told(key, "pick")) if on_pick else None,
        on_reset_change=lambda: on_reset() if on_reset else None,
    )
    with st.container(horizontal=True, gap="small", vertical_alignment="center"):
        st.download_button(
            "Numbers",
            lambda: _numbers(figure, synthetic),
            file_name=f"{stem}.csv",
            mime="text/csv",
            icon=":material/download:",
            on_click="ignore",
            key=f"{key}_numbers",
            help="What the plot draws, as CSV",
            type="tertiary",
        )
        snippets.offer(code)


def _caption(figure: Figure) -> str:
    return str(figure.layout.annotations[0].text) if figure.layout.annotations else ""


def _say_on_top(figure: Figure, line: str) -> None:
    """A first line of the caption: beside its only line, or above several."""
    before = _caption(figure)
    mark = "<br>" if "<br>" in before else " · "
    figure.layout.annotations[0].text = f"{line}{mark}{before}"


def _phantoms(names: Sequence[str]) -> str:
    return f"synthetic phantom{'s' * (len(names) > 1)}: {', '.join(names)}"


def _numbers(figure: Figure, synthetic: Sequence[str]) -> bytes:
    """What the plot draws, as CSV; a column says so where phantoms are among it."""
    table = figures.drawn_numbers(figure)
    if synthetic:
        table = table.assign(contains=_phantoms(synthetic))
    return table.to_csv(index=False).encode()


def _told(key: str, name: str) -> Told:
    told: Told = st.session_state[key][name]
    return told


def _axes(figure: Figure) -> str:
    """What lies along the axes, in words."""
    return f"{figure.layout.yaxis.title.text} against {figure.layout.xaxis.title.text}"


@cache
def _component() -> ComponentRenderer:
    return modules.component("plot", html=_HTML, css=_CSS)
