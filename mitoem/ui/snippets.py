"""Copy as Python: the few lines that make again what a page shows."""

from __future__ import annotations

import streamlit as st


def offer(code: str, *, command: str = "") -> None:
    """A button that shows Python to copy, and the command line that does the same, if any."""
    with st.popover("Copy as Python", icon=":material/code:", type="tertiary"):
        st.code(code, language="python", wrap_lines=True)
        if command:
            st.code(command, language="bash", wrap_lines=True)


def table(volume: str, labels: str, expression: str = "", *, name: str = "table") -> str:
    """The line that reads the rows of an instance table."""
    kept = f", filter={expression!r}" if expression else ""
    return f"{name} = mitoem.table({volume!r}, {labels!r}{kept})"
