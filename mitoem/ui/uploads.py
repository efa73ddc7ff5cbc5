"""A person's own file: an image becomes a volume of this server, labels a prediction of a volume.

The page keeps the bytes and queues a run; the worker reads them. The word ``upload`` of the
address names the run, so that a reload finds it again, and the file where it failed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any, BinaryIO, cast

import streamlit as st

from mitoem import access
from mitoem.errors import MitoEMError, RunNotFound, SourceNotFound
from mitoem.geometry import Box
from mitoem.jobs import RunState, receiving
from mitoem.jobs import uploads as files
from mitoem.manifest import RESERVED, check_name
from mitoem.ui import address, cache, facts, panels, runs, signin
from mitoem.ui import upload_fields as fields
from mitoem.ui.address import Here

WIDTH = 560
"""Pixels of the form on a wide page."""

_ADVICE = {
    "VoxelSizeMissing": "Type its voxel size below; it is never guessed.",
    "SourceUnsupported": "This cannot be taken in as it is: choose another file.",
    "SourceUnreadable": "The file is damaged, or no such image: choose another.",
    "VolumeExists": "Choose another name below.",
    "ShapeMismatch": "Correct the offset below, or choose labels of this volume.",
    "BoxOutside": "Correct the offset below, or choose labels of this volume.",
    "LabelsInvalid": "Labels are whole numbers from 0, one number per instance.",
    "DiskFull": "Make room on the server's disk, then try again.",
    "MemoryShort": "Cut the image into parts, or ingest it on a larger machine.",
    "TimeShort": "Cut the image into parts, or ingest it by `python -m mitoem` on the server.",
}
"""What to do about an error, by its name."""


_SHARED = (
    "It becomes a volume of this server, which everyone who uses it sees on every page; "
    "`python -m mitoem remove NAME` takes it away."
)
_UNLISTED = (
    "It becomes a volume that is listed for you alone. Whoever you give its link to sees it too, "
    "for {days} days; letters that nobody can guess are put behind its name."
)


@dataclass(frozen=True, slots=True)
class _File:
    """What is to be taken in: new from the browser, or ``kept`` from a try that failed."""

    name: str
    tag: str
    data: BinaryIO | None = None
    kept: str = ""


def arrived() -> str | None:
    """The volume that an upload has become, as soon as it has; that upload is over then."""
    state = _run("ingest")
    if state is None or state.state != "done":
        return None
    st.session_state["upload_line"] = (state.result["volume"], state.result["line"])
    return str(state.result["volume"])


def waits() -> bool:
    """Whether the address names an image on its way in."""
    return _run("ingest") is not None


def line(volume: str) -> str:
    """What the file of a volume was taken for, where this person has just uploaded it."""
    name, text = st.session_state.get("upload_line", ("", ""))
    return str(text) if name == volume else ""


def image() -> None:
    """Take in an image: the file, what it does not say of itself, and how that goes."""
    if signin.stranger():
        st.caption("Sign in, in the line above, to add an image of your own.")
        return
    state = _run("ingest")
    if state and not state.finished:
        _wait(state)
        return
    file = _choose(state, "Image of your own")
    if file is not None:
        before = _before(state)
        known = receiving.found(runs.root(), state.id) if state and file.kept else {}
        size = fields.three(
            "Voxel", before.get("voxel_size"), file.tag, of=float,
            empty="needed" if "voxel_size" in known and not known["voxel_size"] else "from file",
        )  # fmt: skip
        taken = {*cache.volume_names(), *RESERVED["volume"]}
        name = fields.name("Volume name", before, file.name, file.tag, taken=taken)
        key = fields.key(before, file.name, file.tag)
        rescale = known.get("dtype", "uint8") != "uint8" and st.checkbox(
            f"Rescale {known['dtype']} to 8 bit",
            value=bool(before.get("rescale")),
            key=f"upload_rescale_{file.tag}",
            help="The range of its grey values becomes 0–255.",
        )
        asked: dict[str, Any] = {"name": name, "data": cache.data()}
        asked |= {"voxel_size": size} if size else {}
        asked |= ({"key": key} if key else {}) | ({"rescale": True} if rescale else {})
        _send("Add as a volume", "ingest", file, asked, ready=bool(name) and size is not None)
    st.caption(_SHARED if not signin.enabled() else _UNLISTED.format(days=f"{access.days():g}"))


def prediction(at: Here) -> None:
    """Take in labels of this volume; once they are there, the page shows them."""
    if signin.stranger():
        st.caption("Sign in, in the line above, to add labels of your own.")
        return
    state = _run("labels")
    if state and state.request["volume"] != at.info.name:
        state = None
    if state and state.state == "done":
        _say_part(at, state.result["labels"])
        address.change(prediction=state.result["labels"], upload=None)
        address.rerun()
    with st.container(width=WIDTH):
        if state and not state.finished:
            _wait(state)
        else:
            _labels(at, state)


def _say_part(at: Here, name: str) -> None:
    """Say where labels lie that are smaller than their volume."""
    whole = Box.whole(at.info.shape)
    for one in at.info.labels:
        if one.name == name and one.coverage != (whole,):
            st.toast(f"{name} covers {one.coverage[0]} of {whole}: it was taken as a part.")


def _labels(at: Here, state: RunState | None) -> None:
    file = _choose(state, "Prediction of your own")
    if file is not None:
        before = _before(state)
        taken = {"truth", *RESERVED["labels"], *(one.name for one in at.info.labels)}
        name = fields.name("Name of these labels", before, file.name, file.tag, taken=taken)
        offset = fields.three("Begins at", before.get("offset"), file.tag, of=int, empty="0")
        key = fields.key(before, file.name, file.tag)
        asked: dict[str, Any] = {"volume": at.info.name, "name": name, "data": cache.data()}
        asked |= ({"offset": offset} if offset else {}) | ({"key": key} if key else {})
        _send("Add as a prediction", "labels", file, asked, ready=bool(name) and offset is not None)
    shape = " × ".join(str(n) for n in at.info.shape)
    st.caption(
        f"Labels (z, y, x) as large as {at.info.name}, {shape}, or a part of it; they lie beside "
        f"its image for everyone; `python -m mitoem labels remove {at.info.name}/NAME` takes them "
        "away."
    )


def _claimed(kind: str, asked: Mapping[str, Any]) -> dict[str, Any]:
    """What is asked, with a name that nobody can guess for the volume of who has signed in.

    The rule is there before the volume is.
    """
    owner = signin.user()
    if kind != "ingest" or owner is None:
        return dict(asked)
    signin.need("add a volume")
    taken = cache.roots().names()
    name = access.claim(
        runs.root(), check_name(str(asked["name"])), owner, taken=taken.__contains__
    )
    return {**asked, "name": name}


def _run(kind: str) -> RunState | None:
    """The run that the address names, if it is of that kind."""
    run_id = address.word("upload", "")
    if not run_id:
        return None
    try:
        state = runs.status(run_id)
    except (RunNotFound, ValueError):
        return None
    mine = state.client == signin.client() or not signin.enabled()
    return state if state.kind == kind and mine else None


def _wait(state: RunState) -> None:
    file = facts.plain(PurePath(state.request["file"]).name)
    st.caption(f"{file} becomes `{state.request['name']}`")
    runs.waiting(state.id)


def _choose(state: RunState | None, label: str) -> _File | None:
    """How the last try ended, and the file for this one: the one kept, else one to be chosen."""
    if state and state.state == "cancelled":
        files.discard(runs.root(), state.request["file"])
        st.caption("You stopped it; nothing was added.")
    elif state and state.state in ("failed", "interrupted"):
        kept = _told(state)
        if kept is not None:
            return kept
    limit = st.get_option("server.maxUploadSize")
    tag = state.id if state else "new"
    given = st.file_uploader(
        f"{label}, at most {limit} MB",
        type=list(fields.TYPES),
        key=f"upload_file_{label}_{tag}",
        help="NIfTI, TIFF stack, HDF5, .npz, .npy, or a zip of sections or of a Zarr. What is "
        "larger goes in by `python -m mitoem` on the server.",
    )
    return _File(given.name, given.file_id, data=cast(BinaryIO, given)) if given else None


def _told(state: RunState) -> _File | None:
    """An error in its place, what to do about it, and the file that was kept, if it still is."""
    file = str(state.request["file"])
    deep = receiving.found(runs.root(), state.id).get("dtype", "uint8") != "uint8"
    with st.container(border=True):
        st.markdown(f":material/error: **{state.fault or state.state.capitalize()}**")
        st.text(state.error)
        if state.kind == "ingest" and state.fault == "SourceUnsupported" and deep:
            st.caption("Rescale its grey values to 8 bit below.")
        else:
            several = state.fault == "SourceUnreadable" and file.lower().endswith(fields.SEVERAL)
            usual = _ADVICE.get(state.fault, "Try again, or choose another file.")
            st.caption("Name the array below, or choose another file." if several else usual)
        try:
            path = files.kept(runs.root(), file)
        except SourceNotFound:
            return None
        st.button(
            "Choose another file",
            key=f"upload_drop_{state.id}",
            type="tertiary",
            icon=":material/close:",
            on_click=_drop,
            args=(file,),
        )
    return _File(path.name, state.id, kept=file)


def _drop(file: str) -> None:
    files.discard(runs.root(), file)
    address.change(upload=None)


def _before(state: RunState | None) -> Mapping[str, Any]:
    """What was asked at the last try."""
    return state.request if state and state.state in ("failed", "interrupted") else {}


def _send(label: str, kind: str, file: _File, asked: Mapping[str, Any], *, ready: bool) -> None:
    """The button that keeps the file and queues the run; a bad request leaves nothing behind."""
    pressed = st.button(
        f"{label}{' · try again' if file.kept else ''}",
        key=f"upload_send_{file.tag}",
        type="primary",
        icon=":material/upload:",
        width="stretch",
        disabled=not ready,
    )
    if not pressed:
        return
    with panels.edge():
        runs.allow(kind, asked)
        kept = file.kept
        if file.data is not None:
            with st.spinner("Keeping the file"):
                kept = files.keep(runs.root(), file.name, file.data)
        try:
            run_id = runs.start(kind, {"file": kept, **_claimed(kind, asked)})
        except MitoEMError:
            if file.data is not None:
                files.discard(runs.root(), kept)
            raise
        address.change(upload=run_id)
        address.rerun()
