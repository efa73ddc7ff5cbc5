"""The two sides of the Inference page: what to run, and what came of it."""

from __future__ import annotations

from typing import Any

import streamlit as st

from mitoem import jobs
from mitoem.errors import RunNotFound
from mitoem.geometry import Box
from mitoem.manifest import VolumeInfo
from mitoem.ui import address, cache, panels, results, runs, signin
from mitoem.ui.address import Here

KINDS = ("predict", "decode")
"""Kinds of run that make a prediction."""

_EARLIER = 12
_LOOK = 60


def start(at: Here, box: Box) -> None:
    """The button that queues a run; the worker is started, and warmed, before it is pressed."""
    if not signin.stranger():
        jobs.ensure_worker(runs.root())
    flips = st.checkbox(
        "Average over mirror images",
        key="flips",
        persist_state="session",
        help="The mean over the crop and its three mirror images in the plane: steadier, in four "
        "times the time.",
    )
    st.button(
        "Run",
        key="run_button",
        type="primary",
        icon=":material/play_arrow:",
        width="stretch",
        disabled=signin.stranger(),
        help="Sign in, in the line above, to run the network" if signin.stranger() else None,
        on_click=_submit,
        args=(at.info.name, box, truth(at.info, box), flips),
    )


def _submit(volume: str, box: Box, labels: str | None, flips: bool) -> None:
    request: dict[str, Any] = {
        "volume": volume,
        "box": str(box),
        "data": cache.data(),
    }
    if flips:
        request["flips"] = True
    if labels:
        request["truth"] = labels
    with panels.refused():
        address.change(run=runs.start("predict", request), save=None)


def truth(info: VolumeInfo, box: Box) -> str | None:
    """The label set to score against: the first truth that somebody labelled inside the box."""
    for one in info.labels:
        if one.kind == "truth" and any(box.intersect(part) for part in one.coverage):
            return one.name
    return None


def earlier(at: Here) -> None:
    """Runs of this server, newest first, to come back to."""
    found = [one for one in runs.recent(_LOOK) if one.kind in KINDS]
    if not found:
        return
    with st.expander(f"Earlier runs ({len(found)})"):
        for one in found[:_EARLIER]:
            request = runs.asked(one)
            st.button(
                f"{one.created[11:19]} · {request['volume']} · {request['box']} · {_what(one)}",
                key=f"earlier_{one.id}",
                type="tertiary",
                on_click=_revisit,
                args=(one.id, request["volume"], at.info.name),
            )


def _what(state: jobs.RunState) -> str:
    """What tells a run from others of the same box: its thresholds, or how it ended."""
    if state.state != "done":
        return state.state
    values = [f"{state.result['decode'][name]:.2f}" for name in ("mask", "seed", "contour")]
    return ("thresholds " if state.kind == "decode" else "network, ") + " ".join(values)


def _revisit(run_id: str, volume: str, current: str) -> None:
    if volume != current:
        address.enter(volume)
    address.change(run=run_id, save=None)


def show(at: Here | None, run_id: str) -> None:
    """One run: waiting, ended without a result, or its result; in the frame of its volume.

    Raises RunNotFound, also for a run that is no prediction.
    """
    state = runs.status(run_id)
    if state.kind not in KINDS:
        raise RunNotFound(f"run {run_id} is no prediction, but {state.kind!r}")
    request = runs.asked(state)
    if at and at.info.name != request["volume"]:
        address.enter(request["volume"])
        address.change(run=run_id)
        address.rerun()
    st.subheader(f"3  Run {run_id[:6]} · {request['volume']} · {request['box']}")
    if not state.finished:
        runs.waiting(run_id)
    elif runs.ended(state):
        _result(state, cache.volume(request["volume"]).info)


def _result(state: jobs.RunState, info: VolumeInfo) -> None:
    mirrored = ", mean over mirror images" if runs.asked(state).get("flips") else ""
    seconds = sum(state.result["seconds"].values())
    st.caption(
        f"{state.result['instances']} instances in {seconds:.1f} s · "
        f"{state.result['foreground']:.1%} of the voxels · {state.result['model']} in "
        f"{state.result['precision']}{mirrored}"
    )
    runs.picture(state)
    results.thresholds(state)
    results.scores(state, info)
    left, right = st.columns([3, 2], gap="medium")
    with left:
        results.table(state)
        results.downloads(state, info)
    with right:
        saving = address.word("save", "")
        if saving:
            with panels.edge():
                results.saved(saving)
        else:
            results.save(state, info)
        with st.expander("Copy as Python and command line"):
            results.code(state)
