"""The thresholds of a prediction that this server made: other ones, their scores and errors."""

from __future__ import annotations

from typing import Any

import pandas as pd
import streamlit as st

from mitoem.errors import RunNotFound
from mitoem.jobs import RunState
from mitoem.scores import NO_TRUTH
from mitoem.ui import address, panels, results, runs
from mitoem.ui.address import Here

_LOOK = 400
"""Runs among which the one that made a label set is looked for."""


def show(at: Here, prediction: str) -> None:
    """Sliders, and what they change; only separating and scoring are done again."""
    made = maker(at, prediction)
    if made is None:
        panels.empty(
            f"{prediction} has no probabilities here",
            "Thresholds can be tried on predictions that were made on the Inference page of this "
            "server and saved from it, as long as their run is kept.",
        )
        return
    state = _tried(made)
    request = runs.asked(state)
    st.caption(f"{prediction} was made on {request['box']}; the scores here are of that box.")
    if not state.finished:
        runs.waiting(state.id)
        return
    if not runs.ended(state):
        return
    results.thresholds(state, word="trying")
    left, right = st.columns([3, 2], gap="large")
    with left:
        runs.picture(state)
    with right:
        _scores(made, state)
        if state.id != made.id:
            results.save(state, at.info)


def maker(at: Here, labels: str) -> RunState | None:
    """The finished run whose result these very labels are, while it is on disk."""
    wanted = (at.info.name, labels, at.volume.version(labels))
    for one in runs.recent(_LOOK):
        if one.kind != "save" or one.state != "done":
            continue
        if tuple(one.result.get(name) for name in ("volume", "labels", "version")) != wanted:
            continue
        try:
            found = runs.status(str(one.request["of"]))
        except RunNotFound:
            return None
        return found if found.state == "done" else None
    return None


def _tried(made: RunState) -> RunState:
    """The decode run of the address, if it is of the same probabilities; else what was saved."""
    run_id = address.word("trying", "")
    if not run_id:
        return made
    try:
        state = runs.status(run_id)
    except RunNotFound:
        return made
    return state if runs.network(state) == runs.network(made) else made


def _scores(made: RunState, state: RunState) -> None:
    """Scores and errors as saved, and with the thresholds of now."""
    before, now = runs.scores(made.id), runs.scores(state.id)
    if before is None or now is None:
        panels.banner("No truth in this box: nothing to score against.")
        return
    rows = [
        (title, results.value(before, group, threshold, name),
         results.value(now, group, threshold, name))
        for group, threshold, name, title in results.SHOWN
    ]  # fmt: skip
    frame = pd.DataFrame(rows, columns=["Score", "Saved", "Now"]).replace(NO_TRUTH, float("nan"))
    frame["Change"] = frame["Now"] - frame["Saved"]
    number = st.column_config.NumberColumn(format="%.3f")
    signed = st.column_config.NumberColumn(format="%+.3f")
    st.dataframe(
        frame, hide_index=True, key="trying_scores",
        column_config={"Saved": number, "Now": number, "Change": signed},
    )  # fmt: skip
    st.dataframe(_errors(before, now), hide_index=True, key="trying_errors")


def _errors(before: dict[str, Any], now: dict[str, Any]) -> pd.DataFrame:
    kinds = ("correct", "loose", "split", "merge", "missed", "invented")
    rows = [
        (kind, before["error_counts"].get(kind, 0), now["error_counts"].get(kind, 0))
        for kind in kinds
    ]
    frame = pd.DataFrame(rows, columns=["Instances", "Saved", "Now"])
    frame["Change"] = frame["Now"] - frame["Saved"]
    return frame
