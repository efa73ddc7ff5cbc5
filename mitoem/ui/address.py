"""The words of the address: read once, kept for the session, written by Python alone.

A page change by the menu drops the query, and a component's report may arrive with a query that is
already old. So the words in force live in the session; the query is read when a session starts and
when a person comes with other words than ours (a link, the back button), and written on every run.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import NoReturn
from urllib.parse import urlencode

import streamlit as st

from mitoem.errors import VolumeNotFound
from mitoem.manifest import LabelSet, VolumeInfo
from mitoem.ui import cache, signin
from mitoem.ui.viewer import insist
from mitoem.view import WORDS, Notice, View, from_query, resolve, to_query
from mitoem.volume import Volume

OWN = {
    "instances": (
        "plot",
        "measure",
        "against",
        "group",
        "logx",
        "logy",
        "bins",
        "cut",
        "show",
        "sort",
        "up",
        "cols",
        "page",
    ),
    "compare": (
        "a",
        "b",
        "measure",
        "cut",
        "logx",
        "logy",
        "chart",
        "axes",
        "against",
        "edge",
        "boot",
    ),
    "inference": ("run", "save", "upload"),
    "evaluate": (
        "truth",
        "prediction",
        "other",
        "part",
        "error",
        "kinds",
        "sizes",
        "judged",
        "place",
        "trying",
        "upload",
    ),
}
"""Words that a page has of its own, beside those of the view."""

VIEWER = "viewer"
"""Key of the viewer's mount, whose state the session holds."""

_WORDS, _SENT, _PAGE, _ACTED = "mitoem_words", "mitoem_sent", "mitoem_page", "mitoem_acted"
_SET_AT, _TOLD = "mitoem_set_at", "mitoem_told"
_UNHEARD_SECONDS = 0.8
"""How long a widget may still say what it showed before its word was set elsewhere."""

_STALE_SECONDS = 0.3
"""How long a click may still come with the address from before the last one we wrote."""


@dataclass(frozen=True, slots=True)
class Here:
    """Where the person is: a volume, and the view of it that can be drawn."""

    volume: Volume
    view: View
    notices: tuple[Notice, ...]

    @property
    def info(self) -> VolumeInfo:
        """What the volume says of itself."""
        return self.volume.info

    @property
    def labels(self) -> LabelSet | None:
        """The label set in use, or None where the volume has none."""
        return self.info.label_set(self.view.labels) if self.view.labels else None


def begin(page: str) -> None:
    """Take over what the browser brings; call once per run, before anything is drawn.

    What was taken over counts as sent: a click may end this run before it writes the address, and
    the next run then finds the same query beside what the click has changed.
    """
    query = {k: v for k, v in st.query_params.to_dict().items() if k in _known()}
    sent: list[dict[str, str]] = st.session_state.setdefault(_SENT, [])
    known = st.session_state.get(_WORDS)
    recent = time.monotonic() - st.session_state.get("mitoem_sent_at", 0.0) < _STALE_SECONDS
    acted = _viewer_moved() or st.session_state.pop(_ACTED, False)
    stale = query in sent[:-1] and (recent or acted)
    if known is None:
        st.session_state[_WORDS] = query
        sent.append(query)
    elif query and query not in sent[-1:] and not stale:
        mine = {k: v for k, v in known.items() if k not in WORDS and k not in OWN.get(page, ())}
        st.session_state[_WORDS] = mine | query
        sent.append(query)
        insist(VIEWER)
    st.session_state[_PAGE] = page
    st.session_state[_TOLD] = []


def tell(name: str, expected: str, shown: str) -> None:
    """Say that a word of the address could not be had; once in a run."""
    found = word(name, "")
    line = f"{name}={found[:40]} (expected {expected}); showing {shown}"
    if line not in st.session_state[_TOLD]:
        st.session_state[_TOLD].append(line)


def told() -> list[str]:
    """What was said of words in this run."""
    return list(st.session_state[_TOLD])


def _viewer_moved() -> bool:
    """Whether this run comes from a report of the viewer: the query is no wish then."""
    now, before = repr(st.session_state.get(VIEWER)), st.session_state.get("mitoem_viewer_was")
    st.session_state["mitoem_viewer_was"] = now
    return now != before


def word(name: str, default: str) -> str:
    """A word of the address, or the default."""
    return str(_words().get(name, default))


def change(**words: str | None) -> None:
    """Set words of the address; None takes one away. Fit for a widget's callback.

    Without words: a person has acted, and the query of this run is no wish.
    """
    put(**words)
    times = st.session_state.setdefault(_SET_AT, {})
    times |= dict.fromkeys(words, time.monotonic())


def put(**words: str | None) -> None:
    """``change``, for the very widget that shows the word."""
    now = dict(_words())
    for name, value in words.items():
        if value is None:
            now.pop(name, None)
        else:
            now[name] = value
    st.session_state[_WORDS] = now
    st.session_state[_ACTED] = True


def just_set(name: str) -> bool:
    """Whether a word was set a moment ago by other than its widget.

    The browser may not have heard of it yet: what the widget says then is the value from before.
    """
    at = st.session_state.get(_SET_AT, {}).get(name, -1.0)
    return bool(time.monotonic() - at < _UNHEARD_SECONDS)


def enter(volume: str) -> None:
    """Go to another volume: no view, run or prediction of this one means anything there.

    An upload goes on, and so does the filter: the columns are the same.
    """
    of_volume = {*WORDS, *OWN["inference"], *OWN["evaluate"]} - {"upload", "f"}
    others = {k: v for k, v in _words().items() if k not in of_volume}
    st.session_state[_WORDS] = others | {"volume": volume}
    st.session_state[_ACTED] = True


def rerun() -> NoReturn:
    """Run the page once more from its top, with the query that this run began with: no wish."""
    st.session_state[_ACTED] = True
    st.rerun()


def keep(view: View, info: VolumeInfo) -> None:
    """Make this view the one in force."""
    others = {k: v for k, v in _words().items() if k not in WORDS}
    st.session_state[_WORDS] = others | to_query(view, info)


def somewhere() -> bool:
    """Whether the address names a volume, or there is one to begin with."""
    return bool(word("volume", "") or cache.volume_names())


def here() -> Here:
    """Where the person is now.

    Raises VolumeNotFound where there is no volume at all, or none of the name in the address.
    """
    asked = from_query(_words())
    if not somewhere():
        if signin.stranger():
            raise VolumeNotFound("no volume here is open to everyone")
        raise VolumeNotFound("there is no volume yet: make the two demo volumes, or ingest one")
    volume = cache.volume(str(asked.volume) if asked.volume else cache.volume_names()[0])
    view, notices = resolve(asked, volume.info)
    return Here(volume, view, notices)


def link(at: Here) -> str:
    """The whole address of what the page shows now."""
    return f"{(st.context.url or '').partition('?')[0]}?{urlencode(_shown(at))}"


def _shown(at: Here | None) -> dict[str, str]:
    """The words of the view and of this page; as they came, where there is nothing to see."""
    words = to_query(at.view, at.info) if at else {k: v for k, v in _words().items() if k in WORDS}
    own = OWN.get(st.session_state[_PAGE], ())
    return words | {k: v for k, v in _words().items() if k in own}


def emit(at: Here | None) -> None:
    """Write the words of the view and of this page to the browser's address."""
    words = _shown(at)
    sent: list[dict[str, str]] = st.session_state[_SENT]
    if st.query_params.to_dict() != words:
        st.query_params.from_dict(words)
    if words not in sent[-1:]:
        st.session_state[_SENT] = [*sent[-20:], words]
        st.session_state["mitoem_sent_at"] = time.monotonic()


def _known() -> set[str]:
    return set(WORDS) | {name for own in OWN.values() for name in own}


def _words() -> dict[str, str]:
    words: dict[str, str] = st.session_state.setdefault(_WORDS, {})
    return words
