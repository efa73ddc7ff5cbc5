"""The seven pages."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

FIRST = "datasets"
"""The page at ``/``."""

WITHOUT_VOLUME = (FIRST, "inference", "help")
"""Pages that have something to say where there is no volume."""

_TITLES = {
    "datasets": "Datasets",
    "explore": "Explore",
    "instances": "Instances",
    "compare": "Compare",
    "inference": "Inference",
    "evaluate": "Evaluate",
    "help": "Help",
}

_FOLDER = Path(__file__).parents[2] / "pages"


def page(name: str) -> str:
    """The script of a page, as ``st.switch_page`` wants it."""
    return str(_FOLDER / f"{name}.py")


def pages() -> list[st.Page]:
    """What the menu shows, the first page first; and that page once more, hidden, at its own name.

    Streamlit serves its default page at ``/`` alone: the hidden one leads there.
    """
    others = [
        st.Page(page(name), title=title, url_path=name)
        for name, title in _TITLES.items()
        if name != FIRST
    ]
    home = st.Page(page(FIRST), title=_TITLES[FIRST], url_path="home", default=True)
    again = st.Page(page(FIRST), title=_TITLES[FIRST], url_path=FIRST, visibility="hidden")
    return [home, *others, again]
