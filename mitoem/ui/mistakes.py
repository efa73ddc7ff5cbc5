"""The error browser of the Evaluate page: filters, walking from error to error, verdicts, CSV."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache, partial
from typing import Any
from urllib.parse import quote

import streamlit as st
from streamlit.components.v2.types import ComponentRenderer

from mitoem import front
from mitoem.errors import BoxInvalid, MitoEMError
from mitoem.front import Judgement
from mitoem.geometry import Box
from mitoem.render.scale import named
from mitoem.ui import address, facts, menu, modules, panels, signin, snippets
from mitoem.ui import cache as kept
from mitoem.ui.address import Here

KINDS = ("split", "merge", "missed", "invented", "loose")
SIZES = ("small", "medium", "large")
JUDGED = ("unjudged", *front.VERDICTS)

MOST = 2000
"""Errors that are listed at once, those with most voxels lost."""

_HTML = '<div class="mistakes" role="group" aria-label="Error browser"></div>'


def browse(at: Here, found: Mapping[str, Any], truth: str, prediction: str) -> None:
    """The errors of a scoring that the filters keep, and what was judged of them."""
    errors: Sequence[Mapping[str, Any]] = found["errors"]
    if not errors:
        st.caption("Every instance is correct.")
        return
    name = address.word("error", "")
    if name and name not in {front.name_of(one) for one in errors}:
        address.tell("error", "an error of these two label sets", "the first")
    judged = front.judgements(at.volume, truth, prediction, data=kept.data())
    rows = _filtered(errors, judged, found["size_thresholds"])
    if not rows:
        panels.empty("No error is left", "The filters above, taken together, keep none.")
        st.button("Clear the filters", icon=":material/filter_alt_off:", on_click=_clear)
        return
    component = _component()
    component(
        key="mistakes",
        data=_data(at, rows[:MOST], judged, truth, prediction),
        on_current_change=_go,
        on_judged_change=partial(_judge, at.info.name, truth, prediction),
        on_open_change=_open,
    )
    more = f" The {MOST:,} with most voxels lost are listed." if len(rows) > MOST else ""
    with st.container(horizontal=True, gap="small", vertical_alignment="center"):
        st.caption(
            f"{len(rows):,} of {len(errors):,} errors, {len(judged):,} judged.{more} Keys, "
            "while the browser has focus: n p walk, 1 2 3 judge, + − zoom, e opens Explore.",
            width="stretch",
        )
        _save(at, errors, judged, truth, prediction)
        names = [f"{at.info.name}/{one}" for one in (truth, prediction)]
        snippets.offer(_code(at.info.name, truth, prediction),
                       command=f"python -m mitoem evaluate {names[0]} {names[1]} "
                       "--errors errors.csv")  # fmt: skip
    opened = st.session_state.pop("mistakes_open", "")
    chosen = next((one for one in errors if front.name_of(one) == opened), None)
    if chosen:
        _visit(chosen, truth, prediction)


def _filtered(
    errors: Sequence[Mapping[str, Any]],
    judged: Mapping[str, Judgement],
    thresholds: Sequence[int],
) -> list[Mapping[str, Any]]:
    """Errors of the chosen types, sizes, verdicts and place, most voxels lost first."""
    with st.container(horizontal=True, gap="small", vertical_alignment="center"):
        counts = {kind: sum(one["kind"] == kind for one in errors) for kind in KINDS}
        kinds = _pills("kinds", "Types", KINDS, {k: f"{k} · {n:,}" for k, n in counts.items()})
        low, high = thresholds
        sizes = _pills(
            "sizes", "Size", SIZES,
            {"small": f"≤ {low:,}", "medium": f"≤ {high:,}", "large": f"> {high:,} voxels"},
        )  # fmt: skip
        verdicts = _pills("judged", "Verdict", JUDGED, {})
        place = _place()
    kept_rows = []
    for one in errors:
        size = SIZES[(one["voxels"] > low) + (one["voxels"] > high)]
        known = judged.get(front.name_of(one))
        verdict = known.verdict if known else JUDGED[0]
        inside = place is None or all(
            a <= p < b for a, p, b in zip(place.start, one["point"], place.stop, strict=True)
        )
        if one["kind"] in kinds and size in sizes and verdict in verdicts and inside:
            kept_rows.append(one)
    return kept_rows


def _pills(
    word: str, label: str, options: Sequence[str], names: Mapping[str, str]
) -> frozenset[str]:
    """Several of some options, as a word of the address; none chosen means all."""
    key = f"mistakes_{word}"
    asked = [one for one in address.word(word, "").split(",") if one]
    chosen = [one for one in asked if one in options]
    if len(chosen) < len(asked):
        address.tell(word, f"some of {', '.join(options)}", ", ".join(chosen) or "all")
    st.session_state[key] = chosen

    def write() -> None:
        address.change(**{word: ",".join(st.session_state[key]) or None})

    st.pills(
        label, options, selection_mode="multi", key=key, on_change=write,
        format_func=lambda one: names.get(one, one), label_visibility="collapsed", width="content",
    )  # fmt: skip
    return frozenset(chosen or options)


def _place() -> Box | None:
    """The box that worst points must lie in; None for everywhere."""
    text = address.word("place", "")
    st.session_state["mistakes_place"] = text
    st.text_input(
        "Place",
        key="mistakes_place",
        placeholder="z0:z1,y0:y1,x0:x1",
        label_visibility="collapsed",
        width=165,
        help="Worst points inside this box alone",
        on_change=lambda: address.change(place=st.session_state["mistakes_place"].strip() or None),
    )
    if not text:
        return None
    try:
        return Box.parse(text)
    except BoxInvalid as error:
        st.markdown(f":red[:material/error: {facts.plain(str(error))}]")
        return None


def _data(
    at: Here,
    rows: Sequence[Mapping[str, Any]],
    judged: Mapping[str, Judgement],
    truth: str,
    prediction: str,
) -> dict[str, Any]:
    legend = named(front.KINDS, order=front.KINDS)[1]
    shown = ("kind", "truth", "predictions", "others", "partner", "voxels", "iou", "lost",
             "point")  # fmt: skip
    voxel_size = at.info.voxel_size
    return {
        "base": modules.base(),
        "place": f"{modules.base()}/api/v1/volumes/{quote(at.info.name)}/labels",
        "truth": truth,
        "prediction": prediction,
        "versions": {name: at.volume.version(name) for name in ("image", truth, prediction)},
        "mistakes": [
            {name: one[name] for name in shown}
            | {"name": front.name_of(one), "field": front.field_of(one["voxels"], voxel_size)}
            for one in rows
        ],
        "current": address.word("error", ""),
        "verdicts": {name: one.verdict for name, one in judged.items()},
        "kinds": dict(zip(legend.names, legend.colours, strict=True)),
        "difference": {name: f"rgb({r},{g},{b})" for name, (r, g, b) in front.DIFFERENCE.items()},
        "offered": list(front.VERDICTS),
    }


def _clear() -> None:
    address.change(kinds=None, sizes=None, judged=None, place=None)


def _go() -> None:
    address.change(error=str(st.session_state["mistakes"]["current"]))


def _open() -> None:
    st.session_state["mistakes_open"] = str(st.session_state["mistakes"]["open"])


def _judge(volume: str, truth: str, prediction: str) -> None:
    """Keep what was judged since the last run; what cannot be kept is said, and stays unsaved."""
    address.change()
    try:
        signin.need("keep verdicts")
        for name, verdict in st.session_state["mistakes"]["judged"]:
            front.judge(volume, truth, prediction, name, verdict or None, data=kept.data())
    except (MitoEMError, OSError) as error:
        told = facts.plain(str(error))
        st.toast(f"The verdict could not be kept: {told}", icon=":material/error:")


def _save(
    at: Here,
    errors: Sequence[Mapping[str, Any]],
    judged: Mapping[str, Judgement],
    truth: str,
    prediction: str,
) -> None:
    synthetic = "_synthetic" if at.info.synthetic else ""
    st.download_button(
        "CSV of errors and verdicts",
        lambda: front.error_table(
            errors, judged, volume=at.info.name, truth=truth, prediction=prediction
        ).to_csv(index=False),
        file_name=f"{at.info.name}_{truth}_{prediction}_errors{synthetic}.csv",
        mime="text/csv",
        icon=":material/download:",
        type="tertiary",
        on_click="ignore",
    )


def _code(volume: str, truth: str, prediction: str) -> str:
    sides = f"{f'{volume}/{truth}'!r}, {f'{volume}/{prediction}'!r}"
    return (
        "import mitoem\nfrom mitoem import front\n\n"
        f"scores = mitoem.evaluate({sides})\n"
        f"errors = front.errors_of(scores, {sides})\n"
        'errors.to_csv("errors.csv", index=False)'
    )


def _visit(error: Mapping[str, Any], truth: str, prediction: str) -> None:
    """Go to an error in Explore: its worst point, coloured by type, the other side outlined."""
    z, y, x = error["point"]
    real = error["truth"] > 0
    address.change(
        labels=truth if real else prediction,
        beside=prediction if real else truth,
        sel=str(error["truth"] if real else error["predictions"][0]),
        z=str(z),
        y=str(y),
        x=str(x),
        zoom="2",
        colour="error",
    )
    st.switch_page(menu.page("explore"))


@cache
def _component() -> ComponentRenderer:
    return modules.component("mistakes", html=_HTML, css=modules.sheet("mistakes"))
