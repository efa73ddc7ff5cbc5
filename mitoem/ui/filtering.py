"""The filter of the Instances page: its box, its error, and ranges drawn on a plot."""

from __future__ import annotations

import re

import pandas as pd
import streamlit as st

from mitoem import filters
from mitoem.errors import FilterInvalid
from mitoem.ui import address

_TEXT, _ERROR, _TABLE = "filter_text", "filter_error", "filter_columns"


def box(table: pd.DataFrame) -> None:
    """The text box; a bad expression is told under it and the last good one stays in force."""
    st.session_state[_TABLE] = list(table.columns)
    if _ERROR not in st.session_state:
        st.session_state[_ERROR] = ""
    if not st.session_state[_ERROR]:
        st.session_state[_TEXT] = address.word("f", "")
    st.text_input(
        "Filter",
        key=_TEXT,
        on_change=_read,
        placeholder='volume_um3 > 0.05 and not touches_border and split == "train"',
        label_visibility="collapsed",
    )
    if st.session_state[_ERROR]:
        st.markdown(f":red[:material/error: {_plain(st.session_state[_ERROR])}]")


def _read() -> None:
    text = " ".join(st.session_state[_TEXT].split())
    try:
        filters.parse(text).check(st.session_state[_TABLE])
    except FilterInvalid as error:
        st.session_state[_ERROR] = str(error)
        return
    st.session_state[_ERROR] = ""
    address.change(f=text or None)


def apply(table: pd.DataFrame) -> pd.DataFrame:
    """The rows that the filter in force keeps; all of them, and an error, where it is invalid."""
    try:
        return table[filters.parse(address.word("f", "")).apply(table)]
    except FilterInvalid as error:
        st.markdown(f":red[:material/error: {_plain(str(error))}] Showing every row.")
        return table


def expression(*, complete_only: bool) -> str:
    """The expression that keeps what the page shows, cut instances included in the judgement."""
    text = address.word("f", "")
    if not complete_only:
        return text
    return f"({text}) and not touches_border" if text else "not touches_border"


def add_range(column: str, low: float, high: float) -> None:
    """Narrow the filter to a range of a column, in place of an earlier range of it."""
    number = r"[-+0-9.e]+"
    earlier = re.compile(rf"(?: and )?{number} <= {re.escape(column)} <= {number}")
    rest = earlier.sub("", address.word("f", "")).strip().removeprefix("and ").strip()
    new = f"{low:.4g} <= {column} <= {high:.4g}"
    if " or " in rest and not (rest.startswith("(") and rest.endswith(")")):
        rest = f"({rest})"
    address.change(f=f"{rest} and {new}" if rest else new)
    st.session_state[_ERROR] = ""


def _plain(text: str) -> str:
    """Text that Markdown leaves as it is."""
    return re.sub(r"([\\`*_{}\[\]()#+\-.!|<>~:$])", r"\\\1", text)
