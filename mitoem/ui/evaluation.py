"""Which label sets are compared on the Evaluate page, and the runs that score them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import streamlit as st

from mitoem.errors import RunFailed
from mitoem.geometry import Box
from mitoem.jobs import RunState
from mitoem.ui import address, cache, menu, panels, runs, uploads, words
from mitoem.ui.address import Here

NONE = "none"
"""What stands for no second prediction."""

PARTS = ("Errors", "Scores", "Two predictions", "Thresholds")
"""Parts of the page."""

LATEST = "correct"
"""Key of the scores that came last."""

_LOOK = 200
"""Runs among which an earlier scoring is looked for."""


@dataclass(frozen=True, slots=True)
class Sides:
    """Names of the label sets: the truth, a prediction, and perhaps another one beside it."""

    truth: str
    prediction: str
    other: str = ""

    @property
    def predictions(self) -> tuple[str, ...]:
        """One prediction, or two."""
        return (self.prediction, self.other) if self.other else (self.prediction,)


def choose(at: Here) -> tuple[Sides, str] | None:
    """The label sets to compare and the part of the page, or None where there are not two."""
    truths = [one.name for one in at.info.labels if one.kind == "truth"]
    others = [one.name for one in at.info.labels if one.kind == "prediction"]
    if not truths or not others:
        _lacking(at, "truth" if not truths else "saved prediction")
        if truths:
            uploads.prediction(at)
        return None
    one, two, three, rest = st.columns([2, 2, 2, 5], gap="small", vertical_alignment="bottom")
    with one:
        truth = words.choice("truth", "Truth", truths, truths[0])
    with two:
        prediction = words.choice("prediction", "Prediction", others, others[-1])
    rivals = [NONE, *(name for name in others if name != prediction)]
    with three:
        other = words.choice("other", "Beside it", rivals, NONE)
    sides = Sides(truth, prediction, "" if other == NONE else other)
    with (
        rest,
        st.container(
            horizontal=True,
            gap="small",
            horizontal_alignment="distribute",
            vertical_alignment="center",
        ),
    ):
        part = _part()
        if not address.word("upload", ""):
            with st.popover("Upload labels", icon=":material/upload:"):
                uploads.prediction(at)
    if address.word("upload", ""):
        with st.container(border=True):
            uploads.prediction(at)
    return sides, part


def _lacking(at: Here, what: str) -> None:
    has_truth = what != "truth"
    run = "Run the model on Inference and save the result, or add" if has_truth else "Add"
    panels.empty(
        f"{at.info.name} has no {what} yet",
        f"Evaluate compares truth with a saved prediction. {run} labels of your own:",
        code=f"python -m mitoem labels add {at.info.name}/"
        f"{'my-prediction' if has_truth else 'truth'} --from FILE.h5",
    )
    if has_truth:
        st.page_link(menu.page("inference"), label="Go to Inference")


def run_of(at: Here, truth: str, prediction: str) -> RunState | None:
    """The newest run that scored these very label sets, in their present versions.

    One of an older program, whose errors lack what this page shows, does not count.
    """
    request = _request(at, truth, prediction)
    for one in runs.recent(_LOOK):
        same = one.kind == "evaluate" and dict(one.request) | {"data": request["data"]} == request
        if not same or one.state in ("cancelled", "interrupted"):
            continue
        with suppress(RunFailed):  # damaged: it is asked for again
            if one.state != "done" or LATEST in (runs.scores(one.id) or {}):
                return one
    return None


def ready(at: Here, sides: Sides) -> tuple[RunState, ...] | None:
    """The finished scorings of all predictions; None while one is missing, which is then shown."""
    found = [run_of(at, sides.truth, one) for one in sides.predictions]
    missing = [one for one, state in zip(sides.predictions, found, strict=True) if state is None]
    if missing:
        st.button("Evaluate", type="primary", on_click=_start, args=(at, sides.truth, missing))
        st.caption(
            f"{' and '.join(missing)} against {sides.truth}: scored in the worker, slab by slab, "
            "where both label sets cover the volume."
        )
        return None
    states = [one for one in found if one is not None]
    for state in states:
        if not state.finished:
            runs.waiting(state.id)
            return None
    if not all(runs.ended(state) for state in states):
        _again(at, sides)
        return None
    return tuple(states)


def _start(at: Here, truth: str, predictions: list[str]) -> None:
    with panels.refused():
        for one in predictions:
            runs.start("evaluate", _request(at, truth, one))


def _request(at: Here, truth: str, prediction: str) -> dict[str, Any]:
    return {
        "volume": at.info.name,
        "truth": truth,
        "prediction": prediction,
        "versions": [at.volume.version(truth), at.volume.version(prediction)],
        "data": cache.data(),
    }


def apart(sides: Sides, states: Sequence[RunState]) -> None:
    """A line that two predictions, scored in different boxes, must not be compared without."""
    boxes = [Box.parse(one.result["box"]) for one in states]
    if len(set(boxes)) > 1:
        panels.banner(
            f"Scored in different boxes: {sides.prediction} in {boxes[0]}, {sides.other} in "
            f"{boxes[1]}. Scores side by side are of different instances; instances that only one "
            "of the two saw are left out of the comparison.",
            tone="warning",
        )


def foot(
    at: Here, sides: Sides, states: Sequence[RunState], found: Mapping[str, dict[str, Any]]
) -> None:
    """A line for each prediction: what was scored, by which rules; and the way to do it anew."""
    with st.container(horizontal=True, gap="small", vertical_alignment="center"):
        lines = [
            f"{f'{name}: ' if sides.other else ''}{_where(at, sides, state, found[name])}"
            for name, state in zip(sides.predictions, states, strict=True)
        ]
        st.caption("  \n".join(lines), width="stretch")
        _again(at, sides)


def _again(at: Here, sides: Sides) -> None:
    st.button(
        "Evaluate again",
        type="tertiary",
        icon=":material/refresh:",
        on_click=_start,
        args=(at, sides.truth, list(sides.predictions)),
    )


def _where(at: Here, sides: Sides, state: RunState, found: dict[str, Any]) -> str:
    counts, low_high = found["counts"], found["size_thresholds"]
    return (
        f"{counts['truth_instances']:,} true and {counts['predicted_instances']:,} predicted "
        f"instances in {Box.parse(state.result['box'])}, where both sets cover the volume. Label "
        f"version {at.volume.version(sides.truth)[:12]}; size classes part at "
        f"{low_high[0]:,} and {low_high[1]:,} voxels; cut instances count in full, as in the "
        "challenge's code."
    )


def _part() -> str:
    """Which part of the page is shown."""
    return words.segments("part", "Part", PARTS, PARTS[0])
