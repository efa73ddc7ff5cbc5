"""What the Instances page gives away: tables with their sidecar, surfaces of the selection."""

from __future__ import annotations

import io
import shlex
import tempfile
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Literal, get_args

import pandas as pd
import streamlit as st

import mitoem
from mitoem import export, front
from mitoem.front.downloads import Kind
from mitoem.ui import address, menu, snippets
from mitoem.ui.address import Here

_NAMES: Mapping[Kind, str] = {"csv": "CSV", "parquet": "Parquet"}


def row(at: Here, table: pd.DataFrame, *, expression: str, shown: int) -> None:
    """Show the selection in Explore; save rows and surfaces, made when they are asked for."""
    with st.container(horizontal=True, gap="small", vertical_alignment="center"):
        st.button(
            "Show in Explore",
            icon=":material/visibility:",
            disabled=not at.view.sel,
            on_click=_go,
        )
        _save(at, f"CSV · {shown:,} shown", expression, "csv", which="bare")
        with st.popover("Download", icon=":material/download:"):
            _tables(at, len(table), expression, shown)
            _meshes(at)
        snippets.offer(_code(at, expression), command=_command(at, expression))
    if st.session_state.pop("instances_go", False):
        st.switch_page(menu.page("explore"))


def _go() -> None:
    st.session_state["instances_go"] = True


def _tables(at: Here, total: int, expression: str, shown: int) -> None:
    st.markdown("**Table** with a JSON that says where it comes from, in a zip")
    for kind in get_args(Kind):
        with st.container(horizontal=True, gap="small"):
            _save(at, f"{_NAMES[kind]} · {shown:,} shown", expression, kind, which="shown")
            _save(at, f"{_NAMES[kind]} · all {total:,}", "", kind, which="all")


def _save(
    at: Here, text: str, expression: str, kind: Kind, *, which: Literal["shown", "all", "bare"]
) -> None:
    """A button that saves rows with their sidecar; ``bare`` ones without."""
    stem = _stem(at) + ("_all" if which == "all" else "")
    end = kind if which == "bare" else f"{kind}.zip"
    volume, labels, link = at.info.name, at.view.labels or "", address.link(at)

    def made() -> bytes:
        found = mitoem.download(volume, labels, kind=kind, filter=expression, permalink=link)
        if which == "bare":
            return found.content
        return _zip({f"{stem}.{kind}": found.content, f"{stem}.json": found.sidecar})

    st.download_button(
        text, made, file_name=f"{stem}.{end}", on_click="ignore", key=f"save_{kind}_{which}"
    )


def _meshes(at: Here) -> None:
    chosen = at.view.sel
    st.markdown("**Surfaces** of the selection, in µm")
    if not chosen:
        st.caption("Select instances first.")
        return
    kind = st.segmented_control(
        "Format", ("glb", *export.MESH_FORMATS), default="glb", required=True, key="mesh_format",
        label_visibility="collapsed",
    )  # fmt: skip
    st.download_button(
        f"{kind.upper()} of {len(chosen)} selected",
        lambda: _surfaces(at.info.name, at.view.labels or "", chosen, str(kind)),
        file_name=f"{_stem(at)}_{kind}.zip",
        on_click="ignore",
        key=f"save_meshes_{kind}",
    )


def _surfaces(volume: str, labels: str, ids: tuple[int, ...], kind: str) -> bytes:
    of = mitoem.open_volume(volume)
    with tempfile.TemporaryDirectory() as folder:
        for one in ids:
            surface = front.mesh(of, labels, one)
            export.write_mesh(Path(folder), surface, one, formats=[kind], level=0, volume=of)
        return _zip({path.name: path.read_bytes() for path in sorted(Path(folder).iterdir())})


def _zip(files: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as file:
        for name, content in files.items():
            file.writestr(name, content)
    return out.getvalue()


def _stem(at: Here) -> str:
    synthetic = "_synthetic" if at.info.synthetic else ""
    return f"{at.info.name}_{at.view.labels}{synthetic}_instances"


def _code(at: Here, expression: str) -> str:
    read = snippets.table(at.info.name, at.view.labels or "", expression)
    lines = ["import mitoem", "", read, 'table.to_csv("instances.csv", index=False)']
    if ids := ", ".join(map(str, at.view.sel)):
        mesh = f"mitoem.mesh({at.info.name!r}, {at.view.labels!r}, one)"
        lines += [f"surfaces = [{mesh} for one in [{ids}]]  # vertices (x, y, z) in µm"]
    return "\n".join(lines)


def _command(at: Here, expression: str) -> str:
    name = f"{at.info.name}/{at.view.labels}"
    kept = f" --filter={shlex.quote(expression)}" if expression else ""
    text = f"python -m mitoem table {name}{kept} --out instances.csv"
    if at.view.sel:
        text += (
            f"\npython -m mitoem mesh {name} --ids {','.join(map(str, at.view.sel))} --out meshes"
        )
    return text
