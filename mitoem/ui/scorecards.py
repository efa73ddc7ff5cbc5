"""Every metric by its full name, the curve of average precision, and accuracy by group."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
import streamlit as st

from mitoem import figures
from mitoem.scores import METRICS, NO_TRUTH, AveragePrecision
from mitoem.ui import cache, panels, plots, runs, snippets, words
from mitoem.ui.address import Here

Found = Mapping[str, Any]
"""Scores as ``Scores.to_json`` gives them."""

_VOXELWISE = ("foreground_iou", "vi_split", "vi_merge", "adapted_rand_error")


def show(at: Here, truth: str, found: Mapping[str, Found]) -> None:
    """All scores of one prediction, or of two beside each other; ``found`` by their names."""
    left, right = st.columns([3, 2], gap="large")
    with left:
        st.subheader("Every metric")
        with st.container(key="metrics_table"):
            st.table(metrics(found).set_index("Metric"))
    with right:
        st.subheader("Average precision by IoU")
        curve(at.info.name, truth, found)
        st.subheader("By size")
        _groups(found, "accuracy_by_size")
        st.subheader("By cable length")
        _by_length(at, truth, found)
    names = [f"{at.info.name}/{one}" for one in (truth, *found)]
    code = "import json\n\nimport mitoem\n\n" + "".join(
        f"scores = mitoem.evaluate({names[0]!r}, {one!r}).to_json()\n"
        'print(json.dumps(scores["accuracy"], indent=1), len(scores["errors"]))\n'
        for one in names[1:]
    )
    lines = "\n".join(f"python -m mitoem evaluate {names[0]} {one} --json" for one in names[1:])
    snippets.offer(code, command=lines)


def metrics(found: Mapping[str, Found]) -> pd.DataFrame:
    """Every score by its full name, with a value for each prediction, and its definition."""
    values = {name: _values(one) for name, one in found.items()}
    first = next(iter(values.values()))
    columns: dict[str, list[str]] = {"Metric": [row[0] for row in first]}
    for name, rows in values.items():
        columns["Value" if len(values) == 1 else name] = [_number(row[2]) for row in rows]
    columns["Definition"] = [row[1] for row in first]
    return pd.DataFrame(columns)


def _values(found: Found) -> list[tuple[str, str, float]]:
    """Name, definition and value of every score."""
    values = [
        (METRICS[name].name, METRICS[name].definition, value) for name, value in found["ap"].items()
    ]
    for threshold, scores in found["accuracy"].items():
        values += [
            (f"{METRICS[name].name}, IoU ≥ {threshold}", METRICS[name].definition, value)
            for name, value in scores.items()
            if name in METRICS
        ]
    values += [(METRICS[one].name, METRICS[one].definition, found[one]) for one in _VOXELWISE]
    values += [
        (METRICS[name].name, METRICS[name].definition, count)
        for name, count in found["associations"].items()
    ]
    return values


def _number(value: float) -> str:
    if isinstance(value, int):
        return f"{value:,}"
    return "no truth" if value < 0 else f"{value:.4f}"


def curve(volume: str, truth: str, found: Mapping[str, Found]) -> None:
    """Average precision against the IoU that a hit needs."""
    curves = {}
    for name, one in found.items():
        steps = tuple(float(t) for t in one["ap_by_iou"])
        nothing = (NO_TRUTH,) * len(steps)
        every = tuple(one["ap_by_iou"].values())
        curves[name] = AveragePrecision(steps, every, nothing, nothing, nothing)
    figure = figures.ap_curve(curves, theme=words.theme())
    figure.update_layout(margin_t=28, height=340)
    code = "import mitoem\nfrom mitoem import figures\n\ncurves = {}\n" + "".join(
        f"curves[{name!r}] = mitoem.evaluate({f'{volume}/{truth}'!r}, {f'{volume}/{name}'!r}).ap\n"
        for name in found
    )
    code += 'figure = figures.ap_curve(curves)\nfigure.write_html("average_precision.html")'
    plots.draw(
        figure, key="ap_curve", stem="average_precision", code=code,
        synthetic=cache.synthetic([volume]),
    )  # fmt: skip


def _groups(found: Mapping[str, Found], key: str) -> None:
    """Accuracy of each group of instances; a table with a row for each group and prediction."""
    rows: list[dict[str, Any]] = []
    for name, one in found.items():
        for group, by_iou in (one.get(key) or {}).items():
            told = by_iou["0.75"]
            row = {"Group": group, "Prediction": name} if len(found) > 1 else {"Group": group}
            true = told["true_positives"] + told["false_negatives"]
            rows.append(
                row
                | {
                    "True": true,
                    "Found": told["true_positives"],
                    "Invented": told["false_positives"],
                    "Accuracy": told["accuracy"] if told["accuracy"] >= 0 else None,
                    "F1": told["f1"] if told["f1"] >= 0 else None,
                }
            )
    score = st.column_config.NumberColumn(format="%.3f")
    st.dataframe(
        pd.DataFrame(rows).sort_values("Group", key=_order, kind="stable"),
        hide_index=True,
        column_config={"Accuracy": score, "F1": score},
        key=f"groups_{key}",
    )
    st.caption(
        "One-to-one matches at IoU ≥ 0.75. A prediction counts in the largest group of the true "
        "instances that it belongs with, an invented one in the smallest."
    )


def _order(groups: pd.Series[Any]) -> pd.Series[Any]:
    order: Sequence[str] = ("small", "short", "medium", "large", "long", "unmeasured")
    return groups.map({name: place for place, name in enumerate(order)})


def _by_length(at: Here, truth: str, found: Mapping[str, Found]) -> None:
    """Groups by skeleton length, once the truth has lengths."""
    if any(one.get("accuracy_by_length") for one in found.values()):
        _groups(found, "accuracy_by_length")
        st.caption("Short: below 1 µm of skeleton; long: from 4 µm.")
        return
    running = [
        one
        for one in runs.recent(20)
        if one.kind == "measure" and not one.finished and one.request.get("labels") == truth
        and one.request.get("volume") == at.info.name
    ]  # fmt: skip
    if running:
        runs.waiting(running[0].id)
        return
    st.caption(
        f"The lengths of {truth} are not measured, or were after this scoring: measure them, then "
        "evaluate again."
    )
    request = {"volume": at.info.name, "labels": truth, "data": cache.data(), "skeletons": True}
    st.button(
        "Measure lengths",
        icon=":material/straighten:",
        on_click=_measure,
        args=(request,),
    )


def _measure(request: Mapping[str, Any]) -> None:
    with panels.refused():
        runs.start("measure", request)
