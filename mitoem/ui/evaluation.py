"""Truth against a saved prediction: scores in full, the AP curve, the errors one by one."""

from __future__ import annotations

from typing import Any

import pandas as pd
import streamlit as st

from mitoem import figures, jobs
from mitoem.geometry import Box
from mitoem.jobs import RunState
from mitoem.scores import METRICS, NO_TRUTH, AveragePrecision
from mitoem.ui import address, cache, menu, panels, plots, runs, snippets, words
from mitoem.ui.address import Here

KINDS = ("split", "merge", "missed", "invented", "loose")
"""Types of error, as the table names them."""

_LOOK = 200
"""Runs among which an earlier scoring is looked for."""


def choose(at: Here) -> tuple[str, str] | None:
    """The two label sets to compare, or None where there are not two."""
    truths = [one.name for one in at.info.labels if one.kind == "truth"]
    others = [one.name for one in at.info.labels if one.kind == "prediction"]
    if not truths or not others:
        lacks = "truth" if not truths else "saved prediction"
        run = "Run the model on Inference and save the result, or add" if truths else "Add"
        panels.empty(
            f"{at.info.name} has no {lacks} yet",
            f"Evaluate compares truth with a saved prediction. {run} labels of your own:",
            code=f"python -m mitoem labels add {at.info.name}/"
            f"{'my-prediction' if truths else 'truth'} --from FILE.h5",
        )
        if truths:
            st.page_link(menu.page("inference"), label="Go to Inference")
        return None
    wished = address.word("prediction", others[-1])
    left, right = st.columns(2)
    truth = left.selectbox("Truth", truths)
    st.session_state["evaluate_prediction"] = wished if wished in others else others[-1]
    prediction = right.selectbox(
        "Prediction",
        others,
        key="evaluate_prediction",
        on_change=lambda: address.change(prediction=st.session_state["evaluate_prediction"]),
    )
    return truth, prediction


def run_of(at: Here, truth: str, prediction: str) -> RunState | None:
    """The newest run that scored these very label sets, in their present versions."""
    request = _request(at, truth, prediction)
    for one in jobs.runs(runs.root(), last=_LOOK):
        same = one.kind == "evaluate" and dict(one.request) == request
        if same and one.state not in ("cancelled", "interrupted"):
            return one
    return None


def start(at: Here, truth: str, prediction: str) -> None:
    """Queue the scoring."""
    runs.start("evaluate", _request(at, truth, prediction))


def _request(at: Here, truth: str, prediction: str) -> dict[str, Any]:
    return {
        "volume": at.info.name,
        "truth": truth,
        "prediction": prediction,
        "versions": [at.volume.version(truth), at.volume.version(prediction)],
        "data": cache.data(),
    }


def metrics(found: dict[str, Any]) -> pd.DataFrame:
    """Every score by its full name, with its value and its definition."""
    values: list[tuple[str, str, float]] = [
        (METRICS[name].name, METRICS[name].definition, value) for name, value in found["ap"].items()
    ]
    for threshold, scores in found["accuracy"].items():
        values += [
            (f"{METRICS[name].name}, IoU ≥ {threshold}", METRICS[name].definition, value)
            for name, value in scores.items()
            if name in METRICS
        ]
    for name in ("foreground_iou", "vi_split", "vi_merge", "adapted_rand_error"):
        values.append((METRICS[name].name, METRICS[name].definition, found[name]))
    values += [
        (METRICS[name].name, METRICS[name].definition, count)
        for name, count in found["associations"].items()
    ]
    rows = [(name, _number(value), text) for name, text, value in values]
    return pd.DataFrame(rows, columns=["Metric", "Value", "Definition"])


def _number(value: float) -> str:
    if isinstance(value, int):
        return f"{value:,}"
    return "no truth" if value < 0 else f"{value:.4f}"


def curve(found: dict[str, Any], truth: str, prediction: str) -> None:
    """Average precision against the IoU that a hit needs; both sets as ``VOLUME/LABELS``."""
    steps = tuple(float(t) for t in found["ap_by_iou"])
    every = tuple(found["ap_by_iou"].values())
    nothing = (NO_TRUTH,) * len(steps)
    ap = AveragePrecision(steps, every, nothing, nothing, nothing)
    figure = figures.ap_curve({prediction.partition("/")[2]: ap}, theme=words.theme())
    figure.update_layout(margin_t=28, height=340)
    plots.draw(figure, key="ap_curve", stem="average_precision", code=_code(truth, prediction))


def _code(truth: str, prediction: str) -> str:
    return (
        "import mitoem\nfrom mitoem import figures\n\n"
        f"scores = mitoem.evaluate({truth!r}, {prediction!r})\n"
        f"figure = figures.ap_curve({{{prediction!r}: scores.ap}})\n"
        'figure.write_html("average_precision.html")'
    )


def errors(at: Here, found: dict[str, Any], truth: str, prediction: str) -> None:
    """The errors, most voxels lost first; a click leads to the worst point in Explore."""
    rows = pd.DataFrame(found["errors"])
    if rows.empty:
        st.caption("Every instance is correct.")
        return
    kinds = st.pills(
        "Types",
        KINDS,
        selection_mode="multi",
        default=KINDS,
        key="error_kinds",
        label_visibility="collapsed",
    )
    rows = rows[rows["kind"].isin(kinds)].reset_index(drop=True)
    shown = pd.DataFrame(
        {
            "type": rows["kind"],
            "truth": [str(one) if one else "–" for one in rows["truth"]],
            "prediction": [", ".join(str(i) for i in ids) or "–" for ids in rows["predictions"]],
            "voxels": rows["voxels"],
            "IoU": rows["iou"],
            "lost voxels": rows["lost"],
            "worst point (z, y, x)": [", ".join(str(p) for p in point) for point in rows["point"]],
        }
    )
    picked = st.dataframe(
        shown,
        hide_index=True,
        height=min(420, 36 + 33 * max(1, len(shown))),
        key="errors",
        on_select="rerun",
        selection_mode="single-row",
        column_config={"IoU": st.column_config.NumberColumn(format="%.3f")},
    )
    st.caption(f"{len(rows):,} of {len(found['errors']):,} errors shown. Click a row to see it.")
    chosen = picked["selection"]["rows"]
    if chosen and chosen[0] < len(rows):
        _visit(rows.iloc[chosen[0]], truth, prediction)


def _visit(error: pd.Series[Any], truth: str, prediction: str) -> None:
    """Go to an error: its worst point, selected in the label set that holds it."""
    z, y, x = error["point"]
    real = error["truth"] > 0
    address.change(
        labels=truth if real else prediction,
        sel=str(error["truth"] if real else error["predictions"][0]),
        z=str(z),
        y=str(y),
        x=str(x),
        zoom="2",
    )
    st.switch_page(menu.page("explore"))


def scored(at: Here, state: RunState, truth: str, prediction: str) -> None:
    """The whole result of a finished run."""
    found = runs.scores(state.id)
    if found is None:
        return
    box = Box.parse(state.result["box"])
    counts = found["counts"]
    st.caption(
        f"{counts['truth_instances']:,} true and {counts['predicted_instances']:,} predicted "
        f"instances in {box}, where both sets cover the volume. Label version "
        f"{at.volume.version(truth)[:12]}; size classes part at "
        f"{found['size_thresholds'][0]:,} and {found['size_thresholds'][1]:,} voxels; cut "
        "instances count in full, as in the challenge's code."
    )
    left, right = st.columns([3, 2], gap="large")
    with left:
        st.subheader("Errors")
        errors(at, found, truth, prediction)
    with right:
        st.subheader("Average precision by IoU")
        curve(found, f"{at.info.name}/{truth}", f"{at.info.name}/{prediction}")
    st.subheader("Every metric")
    with st.container(key="metrics_table"):
        st.table(metrics(found).set_index("Metric"))
    names = [f"{at.info.name}/{one}" for one in (truth, prediction)]
    code = (
        "import json\n\nimport mitoem\n\n"
        f"scores = mitoem.evaluate({names[0]!r}, {names[1]!r}).to_json()\n"
        'print(json.dumps(scores["accuracy"], indent=1), len(scores["errors"]))'
    )
    snippets.offer(code, command=f"python -m mitoem evaluate {names[0]} {names[1]} --json")
