"""The line under the menu, and the controls that several pages share."""

from __future__ import annotations

import streamlit as st

from mitoem.ui import address, cache, signin, style
from mitoem.ui.address import Here

SYNTHETIC = "synthetic phantom"

_COPY_HTML = '<button type="button" aria-live="polite">Copy link</button>'
_COPY_JS = """
export default function ({ parentElement }) {
  const button = parentElement.querySelector("button");
  let timer = 0;
  const say = (text) => {
    button.textContent = text;
    clearTimeout(timer);
    timer = setTimeout(() => { button.textContent = "Copy link"; }, 1500);
  };
  button.onclick = async () => {
    try {
      await navigator.clipboard.writeText(window.location.href);
      say("Copied");
    } catch (error) {
      say("Copy it from the address bar");
    }
  };
  return () => clearTimeout(timer);
}
"""


def line(at: Here | None) -> None:
    """Volume, labels, selection, link and badge: one line that stays where it is."""
    with st.container(key="frame", horizontal=True, vertical_alignment="center", gap="xsmall"):
        names = cache.volume_names()
        _volume(names, at)
        _labels(at)
        _selection(at)
        copy = st.components.v2.component(
            "mitoem_copy_link", html=_COPY_HTML, css=style.BUTTON, js=_COPY_JS
        )
        copy(key="copy_link", width=105)
        if at and at.info.synthetic:
            st.badge(SYNTHETIC, icon=":material/science:", color="orange")
        signin.control()


def _volume(names: list[str], at: Here | None) -> None:
    current = at.info.name if at else None
    if current and current not in names:
        names = [*names, current]  # unlisted: its link has led here
    st.session_state["frame_volume"] = current
    st.selectbox(
        "Volume",
        names,
        key="frame_volume",
        on_change=_change_volume,
        placeholder="no volume",
        disabled=not names,
        label_visibility="collapsed",
        help="Volume",
        width=200,
    )


def _change_volume() -> None:
    """Another volume: what was selected there means nothing here."""
    if address.word("sel", ""):
        st.toast("Selection cleared: its ids belong to the other volume.")
    address.enter(st.session_state["frame_volume"])


def _labels(at: Here | None) -> None:
    sets = [one.name for one in at.info.labels] if at else []
    st.session_state["frame_labels"] = at.view.labels if at else None
    st.selectbox(
        "Labels",
        sets,
        key="frame_labels",
        on_change=_change_labels,
        placeholder="no labels",
        disabled=not sets,
        label_visibility="collapsed",
        help="Labels: truth, or a saved prediction",
        width=160,
    )


def _change_labels() -> None:
    if address.word("sel", ""):
        st.toast("Selection cleared: its ids belong to the other labels.")
    address.change(labels=st.session_state["frame_labels"], sel=None)


def _selection(at: Here | None) -> None:
    count = len(at.view.sel) if at else 0
    st.button(
        f"{count} selected  ×" if count else "none selected",
        key="frame_clear",
        on_click=lambda: address.change(sel=None),
        disabled=not count,
        help=_ids(at.view.sel) if at and count else "Double-click an instance, or click a row",
        width=125,
    )


def _ids(ids: tuple[int, ...]) -> str:
    shown = ", ".join(f"#{i}" for i in ids[:12])
    return f"Clear {shown}{' …' if len(ids) > 12 else ''}"
