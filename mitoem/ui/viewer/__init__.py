"""The viewer: a Streamlit component that shows the slices and meshes of one volume.

Python passes a view and gets the settled state back; Python alone writes the address. A view is
applied in the browser only when it is a wish: not when it is the component's own report coming
back by way of the address, which may lag a few reports behind.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from importlib.resources import files
from typing import Any, TypedDict, get_args

import streamlit as st
from streamlit.components.v2.types import ComponentRenderer

from mitoem import figures
from mitoem.manifest import VolumeInfo
from mitoem.server import static
from mitoem.view import BY_ID, COLOURS, Layout, Mode, Plane, View

__all__ = ["ViewerState", "insist", "viewer"]

OTHERS = {"plot.js", "gallery.js"}
"""Modules of other components of the pages."""

KEPT_REPORTS = 16
"""Reports that may still come back as views: far more than runs of a page overlap."""

_SCRIPT = """
const modules = MODULES;
export default async function (component) {
  const { data, parentElement } = component;
  const at = (name) => new URL(`${data.base}/viewer/RELEASE/${name}`, window.location.origin).href;
  if (!document.getElementById("mitoem-viewer-modules")) {
    const mark = document.createElement("meta");
    mark.id = "mitoem-viewer-modules";
    document.head.append(mark);
    for (const name of modules) {
      const link = document.createElement("link");
      link.rel = "modulepreload";
      link.href = at(name);
      document.head.append(link);
    }
  }
  let main;
  try {
    main = await import(at("main.js"));
  } catch (error) {
    const place = parentElement.querySelector(".starting, .viewer");
    place.className = "trouble";
    place.textContent = `The viewer's scripts did not load (${error.message}). Reload the page.`;
    return;
  }
  return main.attach(component);
}
"""

_HTML = (
    '<div class="viewer" tabindex="0" role="application" aria-label="Volume viewer">'
    '<div class="starting">Opening the volume …</div></div>'
)


@dataclass(frozen=True, slots=True)
class ViewerState:
    """The settled state of the viewer, as last reported; the words of ``mitoem.view.View``.

    Positions are level-0 voxel indices, ``zoom`` CSS pixels per voxel along x or None for "fit",
    ``op`` per cent (selected, others), ``window`` grey values (low, high).
    """

    volume: str
    x: int
    y: int
    z: int
    zoom: float | None
    plane: Plane
    layout: Layout
    beside: str | None
    sel: tuple[int, ...]
    op: tuple[int, int]
    mode: Mode
    window: tuple[int, int]
    invert: bool
    solo: bool
    colour: str
    seed: int

    def view(self, before: View) -> View:
        """The view that the person now looks at; labels and filter stay as they were."""
        return replace(
            before, x=self.x, y=self.y, z=self.z, zoom=self.zoom, plane=self.plane,
            layout=self.layout, beside=self.beside, sel=self.sel, op=self.op, mode=self.mode,
            window=self.window, invert=self.invert, solo=self.solo, colour=self.colour,
            seed=self.seed,
        )  # fmt: skip


def viewer(
    info: VolumeInfo, view: View, *, base: str = "", key: str = "viewer", everything: bool = False
) -> ViewerState | None:
    """Mount the viewer of a volume and return what it last reported, or None before it has.

    ``base`` is the path that the app is served under ("" at the root); ``key`` names the mount,
    which lives on through reruns. A ``view`` that is neither the one passed before nor a report
    coming back is applied in the browser, once. ``everything``: 3-D begins with all instances that
    the view's filter keeps.
    """
    memory = st.session_state.setdefault(f"{key} memory", forget())
    words = _words(view)
    nonce = ask(memory, json.dumps(words, sort_keys=True))
    result = _component()(
        key=key,
        data={
            "base": base.rstrip("/"),
            "version": _version(info),
            "nonce": nonce,
            "view": words,
            "columns": _columns(),
            "all": everything,
        },
        on_view_change=lambda: None,
    )
    state = parse_report(result.get("view"), info, nonce=nonce)
    if state is not None:
        hear(memory, json.dumps(_words(state.view(view)), sort_keys=True))
    return state


def parse_report(report: object, info: VolumeInfo, *, nonce: int) -> ViewerState | None:
    """What the component reported.

    None where it is nothing, nonsense, of another volume, or from before the wish in force.
    """
    if not isinstance(report, Mapping):
        return None
    if report.get("volume") != info.name or report.get("n") != nonce:
        return None
    try:
        z, y, x = (
            min(max(int(report[a]), 0), n - 1) for a, n in zip("zyx", info.shape, strict=True)
        )
        return ViewerState(
            volume=info.name, x=x, y=y, z=z,
            zoom=None if report["zoom"] is None else float(report["zoom"]),
            plane=_one_of(report["plane"], get_args(Plane)),
            layout=_one_of(report["layout"], get_args(Layout)),
            beside=_labels(report["beside"], info),
            sel=tuple(int(i) for i in report["sel"])[:50],
            op=_pair(report["op"]), mode=_one_of(report["mode"], get_args(Mode)),
            window=_pair(report["w"]), invert=bool(report["inv"]), solo=bool(report["solo"]),
            colour=_one_of(report["colour"], COLOURS), seed=int(report["seed"]),
        )  # fmt: skip
    except (KeyError, TypeError, ValueError):
        return None


def _labels(name: object, info: VolumeInfo) -> str | None:
    return next((one.name for one in info.labels if one.name == name), None)


class Memory(TypedDict):
    """What a session remembers of its viewer: plain values, as Streamlit may keep them."""

    nonce: int
    passed: str
    reports: list[str]


def forget() -> Memory:
    """The memory before anything was passed or reported."""
    return {"nonce": 0, "passed": "", "reports": []}


def ask(memory: Memory, view: str) -> int:
    """The number of the wish in force; it rises when ``view`` is a new one.

    A view is a wish when it is neither the one passed before nor a report coming back.
    """
    reports = memory["reports"]
    if view in reports:
        del reports[: reports.index(view) + 1]
    elif view != memory["passed"]:
        memory["nonce"] += 1
        reports.clear()
    memory["passed"] = view
    return memory["nonce"]


def insist(key: str) -> None:
    """Make the next view a wish, though it be one that was passed or reported before."""
    st.session_state[f"{key} memory"] = st.session_state.get(f"{key} memory", forget()) | {
        "passed": "", "reports": [],
    }  # fmt: skip


def hear(memory: Memory, report: str) -> None:
    """Keep a report, so that it is known when it comes back as a view."""
    if report != memory["passed"] and report not in memory["reports"]:
        memory["reports"] = [*memory["reports"], report][-KEPT_REPORTS:]


def _words(view: View) -> dict[str, Any]:
    """A view as the component takes it."""
    return {
        "volume": view.volume, "labels": view.labels, "beside": view.beside,
        "plane": view.plane, "layout": view.layout,
        "x": view.x, "y": view.y, "z": view.z,
        "zoom": None if view.zoom is None else float(f"{view.zoom:.3g}"),
        "sel": list(view.sel), "op": list(view.op), "mode": view.mode, "w": list(view.window),
        "inv": view.invert, "solo": view.solo, "colour": view.colour, "seed": view.seed,
        "f": view.filter,
    }  # fmt: skip


def _columns() -> list[tuple[str, str]]:
    """Name and title of what instances may be coloured by."""
    return [(name, figures.title(name)) for name in COLOURS if name != BY_ID]


def _version(info: VolumeInfo) -> str:
    """Changes when the volume or any of its labels does, so that its metadata is fetched anew."""
    return " ".join([info.version, *(f"{one.name}:{one.version}" for one in info.labels)])


@cache
def _component() -> ComponentRenderer:
    """The component; its strings never change, so that a mount outlives every rerun."""
    folder = files("mitoem.ui.viewer")
    modules = sorted(
        one.name for one in folder.iterdir() if one.name.endswith(".js") and one.name not in OTHERS
    )
    return st.components.v2.component(
        "mitoem_viewer",
        html=_HTML,
        css=folder.joinpath("viewer.css").read_text("utf-8"),
        js=_SCRIPT.replace("MODULES", json.dumps(modules)).replace("RELEASE", static.release()),
    )


def _one_of(value: object, allowed: tuple[str, ...]) -> Any:
    if value not in allowed:
        raise ValueError(f"{value!r} is none of {allowed}")
    return value


def _pair(values: Sequence[int]) -> tuple[int, int]:
    low, high = (int(v) for v in values)
    return low, high
