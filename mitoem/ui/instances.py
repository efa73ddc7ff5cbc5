"""The instance table of the labels in use, or what it takes to have one."""

from __future__ import annotations

from typing import Any

import pandas as pd
import streamlit as st

from mitoem.errors import MitoEMError, TableMissing, VolumeInvalid
from mitoem.morphometry import SWELLING, THIN_NM
from mitoem.ui import cache, facts, panels, runs, selecting
from mitoem.ui.address import Here


def rows(at: Here) -> pd.DataFrame | None:
    """The table of the labels in use; offers to measure them, or says that they are empty."""
    if not at.view.labels:
        panels.empty(
            f"{at.info.name} has no labels",
            "Instances are counted from labels. Add some, or predict them on Inference.",
            code=f"python -m mitoem labels add {at.info.name}/truth --from FILE",
        )
        return None
    try:
        table = cache.table(at.volume, at.view.labels)
    except (TableMissing, VolumeInvalid) as found:
        offer_to_measure(at.info.name, at.view.labels, found)
        return None
    if table.empty:
        panels.empty(
            f"{at.info.name}/{at.view.labels} holds no instance",
            "The labels were measured and are background everywhere: nothing to plot or to list.",
        )
        return None
    return table


def measured(at: Here) -> frozenset[str]:
    """Columns of the table of the labels in use that hold a value."""
    return cache.measured(at.volume, at.view.labels or "")


def offer_to_measure(volume: str, labels: str, why: MitoEMError) -> None:
    """Say why there is no table, and offer to measure; or show how the measuring goes."""
    request = {"volume": volume, "labels": labels}
    for one in runs.recent(20):
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


def _measure(volume: str, labels: str, **more: bool) -> None:
    with panels.refused():
        runs.start("measure", {"volume": volume, "labels": labels, **more, "data": cache.data()})


def lengths(at: Here, table: pd.DataFrame) -> None:
    """Offer to measure lengths and branches, which take long; or tell what they showed."""
    labels = at.view.labels or ""
    if table["length_um"].notna().any():
        _strings(table)
    if table.empty or table["length_um"].notna().any():
        return
    request: dict[str, Any] = {"volume": at.info.name, "labels": labels, "skeletons": True}
    for one in runs.recent(20):
        if one.kind == "measure" and not one.finished and request.items() <= one.request.items():
            runs.waiting(one.id)
            return
    st.button(
        "Measure lengths",
        icon=":material/timeline:",
        key="measure_lengths",
        help="Length, branches, loops, radii and possible mitochondria on a string, from the "
        "skeleton of each instance: the slow columns. They are kept with the table.",
        on_click=_measure,
        kwargs=request,
    )


def _strings(table: pd.DataFrame) -> None:
    """How many instances may be strings, by which rule."""
    count = int(table["possible_moas"].fillna(False).sum())
    st.caption(
        f"{count:,} of {len(table):,} instances are possible mitochondria on a string: their "
        f"skeleton has a stretch of radius up to {THIN_NM:g} nm between two swellings at least "
        f"{SWELLING:g} times as thick. A hint for the eye, no finding."
    )


def find(at: Here) -> None:
    """A box that selects instances by their ids."""
    st.session_state.setdefault("find_id", "")
    st.text_input(
        "Find",
        key="find_id",
        placeholder="#id, #id",
        width=140,
        label_visibility="collapsed",
        icon=":material/tag:",
        help="Select instances by id",
        on_change=_find,
        args=(at,),
    )


def _find(at: Here) -> None:
    """Select the ids that there are; name the others."""
    known = set(cache.table(at.volume, at.view.labels or "")["instance_id"].tolist())
    words = st.session_state["find_id"].replace("#", " ").replace(",", " ").split()
    ids = [int(word) for word in words if word.isdigit()]
    there = [one for one in ids if one in known]
    missing = [word for word in words if not word.isdigit() or int(word) not in known]
    if missing:
        told = facts.plain(", ".join(missing[:5]))
        st.toast(f"No instance {told} in these labels.", icon=":material/error:")
    if there:
        selecting.take(there)
    st.session_state["find_id"] = ""
