"""The filter of the Instances page: its box, its terms as chips, ranges drawn on a plot."""

from __future__ import annotations

import decimal
import math
import re

import pandas as pd
import streamlit as st

from mitoem import figures, filters
from mitoem.errors import MitoEMError
from mitoem.filters import Filter
from mitoem.morphometry import COLUMNS
from mitoem.ui import address, cache, facts
from mitoem.ui.address import Here
from mitoem.view.wishes import filter_mistake

_TEXT, _ERROR = "filter_text", "filter_error"

_CHOICES = {
    "touches_border": {"cut": "touches_border", "complete": "not touches_border"},
    "possible_moas": {"yes": "possible_moas", "no": "not possible_moas"},
}
"""What there is to choose of a column of yes and no, and the term that says so."""


def box() -> None:
    """The text box; a bad expression stays in it, and the last good one in force."""
    if _TEXT not in st.session_state:  # nor is what was said of its text, on a page left since
        st.session_state[_ERROR] = ""
    if not st.session_state[_ERROR]:
        st.session_state[_TEXT] = address.word("f", "")
    st.text_input(
        "Filter",
        key=_TEXT,
        on_change=_read,
        placeholder='volume_um3 > 0.05 and not touches_border and split == "train"',
        label_visibility="collapsed",
        icon=":material/filter_alt:",
    )


def mistake() -> None:
    """Under the box: what is wrong with the expression in it; of the address a notice tells."""
    if told := st.session_state[_ERROR]:
        st.markdown(f":red[:material/error: {facts.plain(told)}]")


def _read() -> None:
    _write(" ".join(st.session_state[_TEXT].split()))


def _write(text: str) -> None:
    """Put a filter in force, and take away what a bad one left; a bad one is told."""
    st.session_state[_ERROR] = filter_mistake(text)
    if not st.session_state[_ERROR]:
        address.change(f=text or None)


def now() -> Filter:
    """The filter in force; one that keeps every row where the address holds none that fits."""
    text = address.word("f", "")
    return filters.parse("" if filter_mistake(text) else text)


def chips() -> None:
    """Each part of the filter with a button that takes it away; nothing where there is none."""
    terms = now().terms
    if not terms:
        return
    with st.container(horizontal=True, gap="xsmall", key="filter_chips"):
        for number, term in enumerate(terms):
            st.button(
                f"{facts.plain(_words(term))} ✕",
                key=f"chip_{number}",
                help=f"Take away: {facts.plain(str(term))}",
                on_click=_without,
                args=(number,),
            )
        if len(terms) > 1:
            st.button("Clear all", key="chip_all", type="tertiary", on_click=_write, args=("",))


def _without(number: int) -> None:
    _write(str(now().without(number)))


_RANGE = re.compile(r"(\S+) <= (\w+) <= (\S+)")
_BOUND = re.compile(r"(\w+) (<=|>=|<|>) (\S+)")
_SIGNS = {"<=": "≤", ">=": "≥", "<": "<", ">": ">"}


def _words(term: Filter) -> str:
    """A part of a filter as people read it."""
    text = str(term)
    plain = {"touches_border": "cut", "not touches_border": "complete"}
    if text in plain:
        return plain[text]
    if found := _RANGE.fullmatch(text):
        return f"{figures.title(found[2])} {found[1]} – {found[3]}"
    if found := _BOUND.fullmatch(text):
        return f"{figures.title(found[1])} {_SIGNS[found[2]]} {found[3]}"
    return text


def adder(table: pd.DataFrame, measured: frozenset[str]) -> None:
    """A panel that writes a part of the filter: a column, and its range or its words."""
    with st.popover("Add", icon=":material/add:", help="Add a condition"):
        names = [one.name for one in COLUMNS if one.name in measured]
        column = st.selectbox(
            "Column",
            names,
            index=names.index("volume_um3"),
            key="add_column",
            format_func=figures.title,
        )
        choices = _CHOICES.get(column) or _named(table, column)
        if choices:
            chosen = st.segmented_control("Keep", list(choices), key=f"add_{column}")
            st.button(
                "Add", key="add_word", disabled=not chosen, type="primary",
                on_click=_add, args=(choices[chosen] if chosen else "",),
            )  # fmt: skip
            return
        values = table[column].dropna().astype(float)
        low, high = float(values.min()), float(values.max())
        left, right = st.columns(2)
        left.number_input("From", value=low, format="%.4g", key=f"add_low_{column}")
        right.number_input("To", value=high, format="%.4g", key=f"add_high_{column}")
        st.button(
            "Add", key="add_range", type="primary", on_click=_add_ends, args=(column, low, high)
        )


def _named(table: pd.DataFrame, column: str) -> dict[str, str]:
    """The words of a column, each with the term that keeps it; none for numbers."""
    if pd.api.types.is_numeric_dtype(table[column].dtype):
        return {}
    return {str(one): f'{column} == "{one}"' for one in sorted(table[column].dropna().unique())}


def _add(term: str) -> None:
    _write(str(now() & filters.parse(term)))


def apply(table: pd.DataFrame) -> pd.DataFrame:
    """The rows that the filter in force keeps."""
    return table[now().apply(table)]


def expression(*, complete_only: bool) -> str:
    """The expression that keeps what the page shows, cut instances included in the judgement."""
    return str(now() & filters.parse("not touches_border" if complete_only else ""))


def _add_ends(column: str, low: float, high: float) -> None:
    """Bound a column by what a person wrote in place of its least and largest value."""
    least, most = (float(st.session_state[f"add_{end}_{column}"]) for end in ("low", "high"))
    if least > most:
        st.toast(f"Nothing lies from {least:g} to {most:g}.", icon=":material/error:")
    elif (least, most) == (low, high):
        add_range(column, low, high)
    else:
        ends = (None if least == low else least, None if most == high else most)
        _write(str(now().ranged(column, *ends)))


def add_range(column: str, low: float, high: float) -> None:
    """Narrow the filter to a range drawn on a plot, in place of an earlier range of the column."""
    _write(str(now().ranged(column, *outwards(low, high))))


def outwards(low: float, high: float) -> tuple[float, float]:
    """A range in short numbers that leaves nothing of it out.

    Each end is off by at most a thousandth of the width, and has four digits at least: the low end
    of a range over decades keeps its own.

    >>> outwards(0.0123456, 0.4567891)
    (0.01234, 0.4568)
    """
    width = high - low
    digits = 4 + max(math.ceil(math.log10(max(abs(low), abs(high)) / width)) if width else 0, 0)
    short = decimal.Context(prec=digits, rounding=decimal.ROUND_FLOOR)
    over = decimal.Context(prec=digits, rounding=decimal.ROUND_CEILING)
    return float(short.create_decimal(low)), float(over.create_decimal(high))


def bounds(column: str) -> bool:
    """Whether the filter in force holds a range of this column."""
    return now().unbounded(column) != now()


def drop_range(column: str) -> None:
    """Take away what bounds a column."""
    _write(str(now().unbounded(column)))


def note(at: Here) -> None:
    """On Explore: that a filter is in force, what it keeps, and the way to be rid of it."""
    try:
        table = cache.table(at.volume, at.view.labels or "")
        kept = now().apply(table)
        cut = int((kept & table["touches_border"].to_numpy(bool)).sum())
        told = f"{int(kept.sum()):,} of {len(table):,} instances"
        told += f", {cut:,} of them cut by a face" if cut else ""
    except MitoEMError:
        told = "these labels are not measured: every instance is shown"
    with st.container(horizontal=True, gap="small", vertical_alignment="center"):
        st.markdown(f":material/filter_alt: {facts.plain(str(now()))} · {told}", width="content")
        st.button(
            "Clear the filter", key="filter_off", type="tertiary", on_click=_write, args=("",)
        )
