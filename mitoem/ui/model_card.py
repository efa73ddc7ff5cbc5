"""The card of the bundled model: what it is, what it saw, how good it is, where it fails."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pandas as pd
import streamlit as st

from mitoem.ui import cache


@st.dialog("Model card", width="large")
def show() -> None:
    """Everything that the model's file says, in a window of its own."""
    facts = cache.model()
    grid = " × ".join(f"{v:g}" for v in facts["input"]["voxel_size_nm"])
    low, high = facts["input"]["sections_nm"]
    fine, rough = facts["input"]["pixels_nm"]
    network = facts["network"]
    st.markdown(
        f"**{facts['name']}** · {network['family']} · {network['parameters']:,} parameters  \n"
        f"Works at {grid} nm (z, y, x): sections of {low:g}–{high:g} nm and pixels of "
        f"{fine:g}–{rough:g} nm are taken as they are, other images are resampled.  \n"
        f"SHA-256 `{facts['sha256']}`"
    )
    rows = [
        *_scores(facts.get("scores", {})),
        *_scores(facts.get("left_out", {}), "a recipe that left a source out"),
    ]
    if rows:
        st.subheader("Scores")
        st.dataframe(pd.DataFrame(rows), hide_index=True, height="content")
    training = facts.get("training", {})
    if "data" in training:
        st.subheader("Trained on")
        st.dataframe(pd.DataFrame(list(_data(training["data"]))), hide_index=True, height="content")
        st.caption(f"{training['steps']:,} steps; `{training['command']}`")
    if "known_failures" in facts:
        st.subheader("Known failures")
        st.markdown("\n".join(f"- {one}" for one in facts["known_failures"]))


def _scores(found: Mapping[str, Any], name: str = "") -> Iterator[dict[str, Any]]:
    """One row per scored volume; groups of volumes are taken apart."""
    if "foreground_iou" in found:
        yield {
            "Scored on": name,
            "True": found["truth"],
            "Predicted": found["predicted"],
            "Foreground IoU": found["foreground_iou"],
            "F1 at IoU 0.5": found["f1_0.5"],
            "F1 at IoU 0.75": found["f1_0.75"],
        }
        return
    for key, inner in found.items():
        if isinstance(inner, Mapping):
            yield from _scores(inner, f"{name}: {key}" if name else key)


def _data(sources: list[dict[str, Any]]) -> Iterator[dict[str, str]]:
    for one in sources:
        yield {
            "Source": one["name"],
            "What": one["what"],
            "Voxel (nm)": " × ".join(f"{v:g}" for v in one["voxel_size_nm"]),
            "Citation": one["citation"],
            "Terms": one["terms"],
        }
