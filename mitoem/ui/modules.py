"""Components of the pages whose script is one of the modules that the server serves."""

from __future__ import annotations

import streamlit as st
from streamlit.components.v2.types import ComponentRenderer

from mitoem.server import static

_SCRIPT = """
export default async function (component) {
  const place = new URL(`${component.data.base}/viewer/RELEASE/NAME.js`, window.location.origin);
  return (await import(place.href)).attach(component);
}
"""


def base() -> str:
    """The path that the app is served under, with a slash before it; "" at the root.

    Part of the data of every component, as ``base``: its script is found by it.
    """
    inner = (st.get_option("server.baseUrlPath") or "").strip("/")
    return f"/{inner}" if inner else ""


def sheet(name: str) -> str:
    """The style sheet beside the module of that name."""
    return (static.VIEWER / f"{name}.css").read_text(encoding="utf-8")


def component(name: str, *, html: str, css: str) -> ComponentRenderer:
    """A component of the page's own styles that the module ``name`` draws, by its ``attach``."""
    script = _SCRIPT.replace("RELEASE", static.release()).replace("NAME", name)
    return st.components.v2.component(
        f"mitoem_{name}", html=html, css=css, js=script, isolate_styles=False
    )
