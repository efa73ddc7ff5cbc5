"""Designed panels: what happened, what was expected, what to do next."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import streamlit as st

from mitoem import stores
from mitoem.errors import (
    LabelsNotFound,
    MitoEMError,
    NameInvalid,
    RunNotFound,
    SignInNeeded,
    StoreUnreachable,
    TableMissing,
    VolumeNotFound,
)
from mitoem.ui import cache, facts, signin

DEMO = "python -m mitoem demo"
LOOK_SECONDS = 3.0
"""Between two looks whether a store that did not answer does now; a look takes no time."""

UNFOLDED = 2
"""Notices that are shown in full: more would push the page away."""
INGEST = "python -m mitoem ingest NAME --image IMAGE --labels LABELS"


@contextmanager
def edge() -> Iterator[None]:
    """Catch a named error where it happened and show it there; anything else is a bug."""
    try:
        yield
    except MitoEMError as found:
        error(found)


@contextmanager
def refused() -> Iterator[None]:
    """``edge`` for the callback of a button, which has no place to draw in."""
    try:
        yield
    except MitoEMError as found:
        text = f"**{type(found).__name__}**: {facts.plain(str(found))}"
        st.toast(text, icon=":material/error:", duration="long")


def error(found: MitoEMError) -> None:
    """One named error and what to do about it."""
    with st.container(border=True):
        st.markdown(f":material/error: **{type(found).__name__}**")
        st.text(str(found))
        match found:
            case VolumeNotFound() if signin.stranger():
                st.caption("It may be for people who have signed in: sign in, in the line above.")
            case SignInNeeded():
                st.caption("In the line above.")
            case NameInvalid() | VolumeNotFound() if cache.volume_names():
                st.caption("Choose a volume in the line above.")
            case VolumeNotFound():
                st.caption("The demo volumes take less than a minute:")
                st.code(DEMO, language="bash")
                st.caption("Your own images, with or without labels:")
                st.code(INGEST, language="bash")
            case TableMissing():
                st.caption("Measure these labels, then come back:")
                st.code("python -m mitoem measure NAME/LABELS", language="bash")
            case RunNotFound():
                st.caption("It was removed, or the link is of another server. Start a new run.")
            case LabelsNotFound():
                st.caption("Choose another label set in the line above.")
            case StoreUnreachable():
                _away()


def _away() -> None:
    """A store elsewhere does not answer: what to do, and the page anew as soon as it does."""
    st.caption(
        "The store that this volume lies on does not answer, or refuses. Meanwhile the volumes of "
        "other stores work: choose one in the line above."
    )
    st.button("Try again", key="store_again", on_click=stores.forget_silence)
    if stores.silent():
        st.caption("It is asked again every few seconds; then the page comes back by itself.")
        _look()


@st.fragment(run_every=LOOK_SECONDS)
def _look() -> None:
    """Draw the page anew once every store answers."""
    cache.roots().faults()
    if not stores.silent():
        st.rerun()


def empty(title: str, text: str, *, code: str = "") -> None:
    """A panel that has nothing to show yet: why, and the next step."""
    with st.container(border=True):
        st.markdown(f"**{title}**")
        st.caption(text)
        if code:
            st.code(code, language="bash")


def no_volumes(root: str) -> None:
    """A server that shows this person no volume: how to come by one."""
    if signin.enabled():
        empty(
            "No volumes here for you yet",
            "Nothing is open to everyone: sign in, in the line above."
            if signin.stranger()
            else "Add an image of your own on the page Inference, under Upload.",
        )
        return
    empty(
        "No volumes here yet",
        f"The data root {root} holds no complete volume. The two demo volumes take less than a "
        "minute; or ingest images of your own.",
        code=f"{DEMO}\n{INGEST}",
    )


def notices(lines: Sequence[str]) -> None:
    """What could not be had as it was asked, one line each; many of them folded away."""
    if not lines:
        return
    if len(lines) <= UNFOLDED:
        st.warning("  \n".join(map(facts.plain, lines)), icon=":material/link_off:")
        return
    words = ", ".join(dict.fromkeys(line.partition("=")[0] for line in lines))
    title = f"{len(lines)} words of this link could not be had as they were asked: {words}"
    with st.expander(title, icon=":material/link_off:"):
        st.text("\n".join(lines))


def faults(found: Sequence[MitoEMError]) -> None:
    """Data roots that cannot be read now: which, why, and what that hides."""
    for fault in found:
        told = cache.roots().public(str(fault)) if signin.enabled() else str(fault)
        st.error(
            f"**A data root does not answer; its volumes are not listed.**  \n`{told}`",
            icon=":material/cloud_off:",
        )


def banner(text: str, *, tone: str = "info") -> None:
    """A line that a result must not be read without."""
    show = st.warning if tone == "warning" else st.info
    show(text, icon=":material/info:")
