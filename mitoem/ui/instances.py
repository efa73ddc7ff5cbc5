"""Instances as rows: the plot, the table, the card of the selection, the downloads."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable
from typing import Any

import pandas as pd
import streamlit as st

import mitoem
from mitoem import figures, jobs, tables
from mitoem.errors import MitoEMError, TableMissing, VolumeInvalid
from mitoem.morphometry import COLUMNS
from mitoem.ui import address, cache, distribution, menu, panels, runs
from mitoem.ui.address import Here

FIRST = (
    "instance_id", "volume_um3", "surface_area_um2", "sphericity", "mci", "elongation",
    "touches_border", "size_class", "split",
)  # fmt: skip
"""Columns that the table shows first."""

SHORT = {"instance_id": "id", "mci": "MCI", "touches_border": "Cut"}
"""Heads of columns whose title is long."""


def rows(at: Here) -> pd.DataFrame | None:
    """The table of the labels in use; offers to measure them where there is none."""
    if not at.view.labels:
        panels.empty(
            f"{at.info.name} has no labels",
            "Instances are counted from labels. Add some, or predict them on Inference.",
            code=f"python -m mitoem labels add {at.info.name}/truth --from FILE",
        )
        return None
    try:
        return cache.table(at.volume, at.view.labels)
    except (TableMissing, VolumeInvalid) as found:
        offer_to_measure(at.info.name, at.view.labels, found)
        return None


def offer_to_measure(volume: str, labels: str, why: MitoEMError) -> None:
    """Say why there is no table, and offer to measure; or show how the measuring goes."""
    request = {"volume": volume, "labels": labels}
    for one in jobs.runs(runs.root(), last=20):
        if one.kind == "measure" and not one.finished and request.items() <= one.request.items():
            st.subheader(f"Measuring {labels} of {volume}")
            runs.waiting(one.id)
            return
    panels.empty(f"No table of {volume}/{labels} yet", f"{str(why)[:1].upper()}{str(why)[1:]}.")
    st.button(
        "Measure now",
        key=f"measure_{volume}_{labels}",
        type="primary",
        on_click=_measure,
        args=(volume, labels),
    )


def _measure(volume: str, labels: str) -> None:
    runs.start("measure", {"volume": volume, "labels": labels, "data": cache.data()})


def listing(at: Here, shown: pd.DataFrame) -> None:
    """The table: sort by a column's head, click rows to select their instances."""
    order = [*FIRST, *(c for c in shown.columns if c not in FIRST and shown[c].notna().any())]
    frame = shown[order].reset_index(drop=True)
    ids = frame["instance_id"].tolist()
    places = {one: place for place, one in enumerate(ids)}
    chosen = [places[one] for one in at.view.sel if one in places]
    mine = st.session_state.get("instances_mine")
    if mine is not None and mine != ",".join(str(i) for i in at.view.sel):
        distribution.revise()
    st.session_state["instances_mine"] = ",".join(str(i) for i in at.view.sel)
    revision = distribution.revision()
    key = f"rows_{at.info.name}_{at.view.labels}_{hash(tuple(ids))}_{revision}"
    st.dataframe(
        frame,
        key=key,
        hide_index=True,
        height=min(500, 36 + 33 * max(2, len(frame))),
        on_select=lambda: _select(key, ids),
        selection_mode="multi-row",
        selection_default={"selection": {"rows": chosen}},
        column_config=_columns(),
    )
    hidden = len(at.view.sel) - len(chosen)
    st.caption(
        ("Click rows to select." if ids else "No instance passes the filter.")
        + (f" {hidden} of the {len(at.view.sel)} selected are not among these rows." * bool(hidden))
    )


def _select(key: str, ids: list[int]) -> None:
    """Rows → selection; those selected earlier that the table does not show stay selected."""
    rows = st.session_state[key]["selection"]["rows"]
    there = set(ids)
    hidden = [i for i in address.word("sel", "").split(",") if i.isdigit() and int(i) not in there]
    chosen = [*hidden, *(str(ids[row]) for row in rows)][:50]
    address.change(sel=",".join(chosen) or None)
    st.session_state["instances_mine"] = ",".join(chosen)


def _columns() -> dict[str, Any]:
    """How each column is shown: its title with its unit, its definition as a tip."""
    found: dict[str, Any] = {}
    for column in COLUMNS:
        name = SHORT.get(column.name) or figures.title(column.name)
        if column.dtype == "float64":
            found[column.name] = st.column_config.NumberColumn(
                name, help=column.definition, format="%.4g"
            )
        elif column.dtype in ("bool", "boolean"):
            found[column.name] = st.column_config.CheckboxColumn(name, help=column.definition)
        else:
            found[column.name] = st.column_config.Column(name, help=column.definition)
    return found


def actions(at: Here, table: pd.DataFrame, *, expression: str, shown: int) -> None:
    """Show the selection in Explore; download shown or all rows, computed on click."""
    labels = at.view.labels or ""
    stem = f"{at.info.name}_{labels}{'_synthetic' if at.info.synthetic else ''}_instances"
    link = st.context.url or ""
    with st.container(horizontal=True, gap="small"):
        st.button(
            "Show in Explore",
            icon=":material/visibility:",
            disabled=not at.view.sel,
            on_click=_centre,
            args=(at, table),
        )
        for text, which, end, make in (
            (f"CSV · {shown:,} shown", expression, ".csv", _csv),
            (f"CSV · all {len(table):,}", "", "_all.csv", _csv),
            ("CSV with provenance", expression, ".zip", _zip),
            ("Parquet", expression, ".parquet", _parquet),
        ):
            st.download_button(
                text,
                make(at.info.name, labels, which, link),
                file_name=stem + end,
                on_click="ignore",
                key=f"download{end}",
            )
    if st.session_state.pop("instances_go", False):
        st.switch_page(menu.page("explore"))


def _centre(at: Here, table: pd.DataFrame) -> None:
    found = table[table["instance_id"] == at.view.sel[0]]
    if not found.empty:
        place = {
            axis: str(round(float(found[f"centroid_{axis}_um"].iloc[0]) * 1000 / size))
            for axis, size in zip("zyx", at.info.voxel_size, strict=True)
        }
        address.change(**place)
    st.session_state["instances_go"] = True


def _csv(volume: str, labels: str, expression: str, link: str) -> Callable[[], bytes]:
    return lambda: _download(volume, labels, expression, link).csv


def _zip(volume: str, labels: str, expression: str, link: str) -> Callable[[], bytes]:
    def make() -> bytes:
        found, out = _download(volume, labels, expression, link), io.BytesIO()
        with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as file:
            file.writestr(f"{volume}_{labels}_instances.csv", found.csv)
            file.writestr(f"{volume}_{labels}_instances.json", found.sidecar)
        return out.getvalue()

    return make


def _parquet(volume: str, labels: str, expression: str, link: str) -> Callable[[], bytes]:
    del link
    return lambda: tables.to_parquet(mitoem.table(volume, labels, filter=expression))


def _download(volume: str, labels: str, expression: str, link: str) -> Any:
    return mitoem.csv(volume, labels, filter=expression, permalink=link)
