"""Two predictions beside each other: the instances on which they differ."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd
import streamlit as st

from mitoem import front
from mitoem.ui import address, panels
from mitoem.ui.evaluation import Sides

_COLUMNS = {
    "truth": "Truth", "voxels": "Voxels", "kind_a": "A", "iou_a": "IoU in A",
    "lost_a": "Lost in A", "kind_b": "B", "iou_b": "IoU in B", "lost_b": "Lost in B",
    "gain": "B loses less by",
}  # fmt: skip


def show(sides: Sides, first: Mapping[str, Any], second: Mapping[str, Any] | None) -> None:
    """A table of true instances that came out differently; a row leads to either error."""
    if second is None:
        panels.empty(
            "No second prediction is chosen",
            "Choose one under “Beside it”: then the instances on which the two differ stand here.",
        )
        return
    frame = front.differing(first, second)
    better, worse = int((frame["gain"] > 0).sum()), int((frame["gain"] < 0).sum())
    invented = [one["error_counts"].get("invented", 0) for one in (first, second)]
    st.caption(
        f"A is {sides.prediction}, B is {sides.other}. They differ on {len(frame):,} true "
        f"instances: B loses fewer voxels of {better:,}, more of {worse:,}. Invented: "
        f"{invented[0]:,} in A, {invented[1]:,} in B."
    )
    if frame.empty:
        return
    shown = frame.rename(columns=_COLUMNS)
    for side in ("A", "B"):
        shown[f"IoU in {side}"] = [_iou(one) for one in shown[f"IoU in {side}"]]
    number = st.column_config.NumberColumn(format="localized")
    picked = st.dataframe(
        shown,
        hide_index=True,
        height=min(460, 38 + 35 * len(frame)),
        key="rivals",
        on_select="rerun",
        selection_mode="single-row",
        column_config=dict.fromkeys(("Voxels", "Lost in A", "Lost in B", _COLUMNS["gain"]), number),
    )
    chosen = picked["selection"]["rows"]
    if not chosen or chosen[0] >= len(frame):
        st.caption("Select a row to look at the instance in either prediction.")
        return
    row = frame.iloc[chosen[0]]
    with st.container(horizontal=True, gap="small"):
        for name, kind in ((sides.prediction, row["kind_a"]), (sides.other, row["kind_b"])):
            st.button(
                f"#{row['truth']} in {name}",
                key=f"rival_{name}",
                icon=":material/visibility:",
                disabled=kind == "correct",
                help="It is correct there" if kind == "correct" else None,
                on_click=_look,
                args=(sides, name, int(row["truth"])),
            )


def _iou(value: float) -> str:
    """An overlap; of a correct instance it is known to be enough."""
    return "≥ 0.75" if pd.isna(value) else f"{value:.3f}"


def _look(sides: Sides, prediction: str, truth: int) -> None:
    other = sides.other if prediction == sides.prediction else sides.prediction
    address.change(prediction=prediction, other=other, part=None, error=f"t{truth}")
