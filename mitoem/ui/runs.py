"""A prediction on the page: queue, progress, result. Everything is read back from the run's
directory, so a reload, a second tab or a restarted server finds it again.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import streamlit as st

from mitoem import jobs
from mitoem.errors import RunFailed, RunNotFound
from mitoem.geometry import Box, Index
from mitoem.jobs import RunState, made, shares
from mitoem.ui import address, cache, panels, signin, stack
from mitoem.volume import Volume

POLL_SECONDS = 0.3

_SO_FAR = (255.0, 150.0, 0.0)
"""Colour of what the network has found while it runs."""


_ADVICE = {
    "ImageInvalid": "There is nothing to see in this crop: choose another.",
    "MemoryShort": "Choose a smaller crop, or run it from the command line, by blocks.",
    "ModelInvalid": "The server's model file is missing or damaged: install the explorer anew.",
    "VolumeNotFound": "The volume was removed.",
}
"""What to do about a run that failed, by the name of its error."""


def root() -> Path:
    """The data root whose worker does the runs."""
    return cache.roots().writable


def allow(kind: str, request: Mapping[str, Any]) -> None:
    """Raise SignInNeeded or LimitReached where ``start`` would, before anything is kept for it."""
    signin.need("start work on this server")
    shares.check(root(), signin.client(), kind, request)


def start(kind: str, request: Mapping[str, Any]) -> str:
    """Queue a run; returns its id. Raises SignInNeeded, LimitReached, VolumeNotFound."""
    signin.need("start work on this server")
    if "volume" in request:
        cache.volume(request["volume"])
    return jobs.submit(root(), kind, {**request}, client=signin.client())


def status(run_id: str) -> RunState:
    """Where a run stands; raises RunNotFound, also where its volume is not for this person."""
    state = jobs.status(root(), run_id)
    if not _seen(state):
        raise RunNotFound(f"no run {run_id!r} here")
    return state


def recent(last: int) -> list[RunState]:
    """The newest runs of volumes that this person is told of, or looks at."""
    told = {*cache.volume_names(), address.word("volume", "")}
    return [one for one in jobs.runs(root(), last=last) if _seen(one) and _volume(one) in told]


def _seen(state: RunState) -> bool:
    """Whether this person may see the volume of a run."""
    name = _volume(state)
    return name is not None and cache.may_see(name)


def _volume(state: RunState) -> str | None:
    """The volume that a run reads or makes; None for one whose first run is gone."""
    try:
        while "volume" not in state.request and "of" in state.request:
            state = jobs.status(root(), state.request["of"])
    except RunNotFound:
        return None
    return str(state.request.get("volume") or state.request.get("name"))


def asked(state: RunState) -> Mapping[str, Any]:
    """The prediction that a run is, or that a decode run started from."""
    while state.kind == "decode":
        state = jobs.status(root(), state.request["of"])
    return state.request


def network(state: RunState) -> str:
    """Id of the run whose probabilities a run was decoded from."""
    return str(state.request["of"]) if state.kind == "decode" else state.id


def waiting(run_id: str) -> None:
    """Place in the queue, progress and cancel, refreshed by itself until the run is finished."""
    _watch(run_id)


@st.fragment(run_every=POLL_SECONDS)
def _watch(run_id: str) -> None:
    with panels.edge():  # the right to see its volume may end meanwhile
        _watched(status(run_id))


def _watched(state: RunState) -> None:
    run_id = state.id
    if state.finished:
        address.rerun()
    if state.state == "queued":
        jobs.ensure_worker(root())
        ahead = state.place or 0
        before = "next in the queue" if not ahead else f"{ahead} run{'s' * (ahead > 1)} before it"
        st.progress(0.0, text=f"Waiting · {before}")
    else:
        st.progress(state.progress, text=f"{state.progress:.0%} · {state.message}")
    if not signin.enabled() or (not signin.stranger() and state.client == signin.client()):
        st.button("Cancel", key=f"cancel_{run_id}", on_click=jobs.cancel, args=(root(), run_id))
    if state.state == "running" and state.kind == "predict":
        picture = _so_far(run_id, Box.parse(state.request["box"]), state.request["volume"])
        if picture is not None:
            st.image(picture, caption="Middle section: mitochondria so far, in orange")


def _so_far(run_id: str, box: Box, volume: str) -> np.ndarray[Any, Any] | None:
    """The middle section with the mask as far as it is done, or None before there is one."""
    path = jobs.directory(root(), run_id) / "mask.npy"
    if not path.is_file() or path.stat().st_size < box.size:
        return None
    mask = np.load(path, mmap_mode="r")
    thin = -(-max(mask.shape[1:]) // stack.MAX_EDGE)
    share = np.asarray(mask[mask.shape[0] // 2, ::thin, ::thin])[..., None] / 255 * 0.6
    version = cache.volume(volume).version("image")
    grey = _middle(volume, version, box.start, box.stop)[::thin, ::thin, None]
    mixed: np.ndarray[Any, Any] = grey * (1 - share) + share * np.array(_SO_FAR)
    return mixed.round().astype(np.uint8)


@st.cache_data(max_entries=4, show_spinner=False)
def _middle(name: str, version: str, start: Index, stop: Index) -> np.ndarray[Any, Any]:
    del version
    z = (start[0] + stop[0]) // 2
    section = Box((z, start[1], start[2]), (z + 1, stop[1], stop[2]))
    plane: np.ndarray[Any, Any] = cache.volume(name).read(section)[0]
    return plane


def ended(state: RunState) -> bool:
    """Say how a run ended that made nothing; True when it made a result."""
    if state.state == "done":
        return True
    if state.state == "failed":
        panels.error(RunFailed(state.error))
        st.caption(_ADVICE.get(state.fault, "Choose another crop, or try once more."))
    else:
        text = "You stopped this run." if state.state == "cancelled" else state.error
        panels.empty(state.state.capitalize(), text)
    if state.kind in ("predict", "decode"):
        st.button("Run it again", key=f"again_{state.id}", on_click=_again, args=(state.id,))
    return False


def _again(run_id: str) -> None:
    with panels.refused():
        signin.need("start work on this server")
        address.change(run=jobs.resubmit(root(), run_id, client=signin.client()))


def table(run_id: str) -> pd.DataFrame:
    """The instances that a finished run found; raises RunFailed for a damaged file."""
    return made.table(jobs.directory(root(), run_id))


def scores(run_id: str) -> dict[str, Any] | None:
    """The scores of a finished run, or None where there was no truth; raises RunFailed."""
    return made.scores(jobs.directory(root(), run_id))


def labels(run_id: str) -> np.ndarray[Any, np.dtype[np.uint32]]:
    """The labels that a finished run found; raises RunFailed."""
    return made.labels(jobs.directory(root(), run_id))


def picture(state: RunState) -> None:
    """The result beside the truth, as a stack to scrub through."""
    stack.show(_sheets(state), key="result_stack")


def _sheets(state: RunState) -> dict[str, Any]:
    """The stack of a run; of other thresholds of the same probabilities one layer alone is new."""
    request = asked(state)
    volume = cache.volume(request["volume"])
    truth = request.get("truth") or ""
    versions = tuple(volume.version(one) for one in ("image", truth) if one)
    below, layers = _below(request["volume"], versions, request["box"], truth)
    return {**below, "key": state.id, "layers": [_predicted(state.id), *layers]}


@st.cache_data(max_entries=8, show_spinner=False)
def _predicted(run_id: str) -> dict[str, str]:
    return stack.layer("Prediction", labels(run_id))


@st.cache_data(max_entries=4, show_spinner=False)
def _below(
    name: str, versions: tuple[str, ...], text: str, truth: str
) -> tuple[dict[str, Any], list[dict[str, str]]]:
    """The image of a box, and its truth if there is one."""
    del versions
    volume: Volume = cache.volume(name)
    box = Box.parse(text)
    size = volume.info.voxel_size
    below = stack.sheets(volume.read(box), start=box.start[0], voxel_size=size)
    return below, [stack.layer("Truth", volume.read(box, layer=truth))] if truth else []
