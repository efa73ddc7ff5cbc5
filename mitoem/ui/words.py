"""Widgets that are a word of the address: read from it, written back by their callback."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import streamlit as st

from mitoem.figures import Theme
from mitoem.ui import address


def choice(
    word: str,
    label: str,
    options: Sequence[str],
    default: str,
    *,
    names: Callable[[str], str] = str,
    bare: bool = False,
) -> str:
    """A select box, ``bare`` without its label; a word that is no option shows the default."""
    st.session_state[_key(word)] = _one_of(word, options, default)
    chosen = st.selectbox(
        label, options, key=_key(word), format_func=names, on_change=_write, args=(word, default),
        label_visibility="collapsed" if bare else "visible",
    )  # fmt: skip
    return str(chosen)


def segments(word: str, label: str, options: Sequence[str], default: str) -> str:
    """A row of buttons of which one is on."""
    st.session_state[_key(word)] = _one_of(word, options, default)
    chosen = st.segmented_control(
        label, options, key=_key(word), required=True, on_change=_write, args=(word, default),
        label_visibility="collapsed",
    )  # fmt: skip
    return str(chosen)


def switch(word: str, label: str, *, default: bool, help: str | None = None) -> bool:  # noqa: A002
    """A toggle, ``1`` or ``0`` in the address."""
    st.session_state[_key(word)] = on(word, default=default)
    return st.toggle(
        label, key=_key(word), on_change=_write, args=(word, str(int(default))), help=help
    )


def on(word: str, *, default: bool) -> bool:
    """What the toggle of a word shows, also before it is drawn."""
    return _one_of(word, ("0", "1"), str(int(default))) == "1"


def number(word: str, label: str, low: int, high: int, default: int, *, bare: bool = False) -> int:
    """A slider of whole numbers; a word that is none in its range shows the default."""
    st.session_state[_key(word)] = whole(word, low, high, default)
    return int(
        st.slider(
            label,
            low,
            high,
            key=_key(word),
            on_change=_write,
            args=(word, str(default)),
            label_visibility="collapsed" if bare else "visible",
            help=label if bare else None,
        )
    )


def whole(word: str, low: int, high: int, default: int) -> int:
    """The whole number of a word; the default, and a notice, where it is none in this range."""
    text = address.word(word, str(default))
    if text.isascii() and text.isdigit() and len(text) < 10 and low <= int(text) <= high:
        return int(text)
    address.tell(word, f"a whole number from {low:,} to {high:,}", str(default))
    return default


def theme() -> Theme:
    """The theme that the browser shows."""
    return "dark" if st.context.theme.type == "dark" else "light"


def _one_of(word: str, options: Sequence[str], default: str) -> str:
    """The option that a word names; the default, and a notice, where it names none."""
    found = address.word(word, default)
    if found in options:
        return found
    address.tell(word, f"one of {', '.join(options[:8])}", default)
    return default


def _key(word: str) -> str:
    return f"word_{word}"


def _write(word: str, default: str) -> None:
    if address.just_set(word):
        return
    value = st.session_state[_key(word)]
    text = str(int(value)) if isinstance(value, bool) else str(value)
    address.put(**{word: None if text == default else text})
