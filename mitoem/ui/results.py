"""What a finished prediction offers: banner, scores, thresholds, saving, downloads."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import streamlit as st

from mitoem import export, jobs, tables
from mitoem.errors import RunFailed, VolumeExists
from mitoem.geometry import Box
from mitoem.jobs import RunState
from mitoem.manifest import VolumeInfo
from mitoem.scores import METRICS
from mitoem.ui import address, menu, panels, runs

SHOWN = (
    ("accuracy", "0.5", "f1", "F1 at IoU 0.5"),
    ("accuracy", "0.75", "f1", "F1 at IoU 0.75"),
    ("ap", "", "AP75", "AP-75"),
    ("", "", "foreground_iou", "Foreground IoU"),
    ("", "", "vi_split", "VI split"),
    ("", "", "vi_merge", "VI merge"),
)

_SLIDERS = {
    "mask": ("Foreground from", "Probability from which a voxel is mitochondrion"),
    "seed": ("Seeds from", "Probability from which a voxel may start an instance"),
    "contour": ("Contour below", "Seeds lie where the contour's probability is below this"),
}

SHORT_SECONDS = 1.0
"""How long a page waits for a run before it shows that it waits."""

FORMATS = (".npz", ".tif", ".nii.gz", ".h5", ".ome.zarr.zip")


def scores(state: RunState, info: VolumeInfo) -> None:
    """The scores, under the banner that they must not be read without."""
    found = runs.scores(state.id)
    if found is None:
        panels.banner("No truth here: nothing to score against.")
        return
    panels.banner(_banner(state, info), tone="warning" if info.synthetic else "info")
    columns = st.columns(len(SHOWN))
    for column, (group, threshold, name, title) in zip(columns, SHOWN, strict=True):
        told = _number(value(found, group, threshold, name))
        column.metric(title, told, help=METRICS[name].definition)
    counts = found["error_counts"]
    told = ", ".join(f"{counts[kind]} {kind}" for kind in counts)
    st.caption(
        f"{found['counts']['truth_instances']} true and "
        f"{found['counts']['predicted_instances']} predicted instances: {told}. {_cut(found)} "
        "Not comparable with published scores on whole volumes."
    )


def _banner(state: RunState, info: VolumeInfo) -> str:
    if info.synthetic:
        return (
            "Synthetic phantom: the model was trained on phantoms of this kind, so these scores "
            "are optimistic and say nothing about real tissue."
        )
    box = Box.parse(runs.asked(state)["box"])
    train = [s for s in info.splits if s.name == "train"]
    if any(s.start < box.stop[0] and s.stop > box.start[0] for s in train):
        return "Training slices: scores here are optimistic for any model that was trained on them."
    part = state.result.get("scored_box")
    return (
        f"Scored on the labelled part {part}; one crop is a small sample. Optimistic if "
        "this tissue is in the model's training data: see its card."
    )


def _number(value: float) -> str:
    return "–" if value < 0 else f"{value:.3f}"


def _complete(found: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """Scores of complete instances, where some are."""
    told: Mapping[str, Any] | None = found.get("complete")
    return told if told and told["accuracy"]["0.5"]["f1"] >= 0 else None


def _cut(found: Mapping[str, Any]) -> str:
    """What became of the instances that a face of the crop cuts."""
    told = found.get("complete")
    if not told:
        return "Instances that a face of the crop cuts are scored as they are."
    left_out = told["excluded"]
    if not _complete(found):
        return (
            f"A face of the scored part cuts all {left_out['truth']} true instances: they are "
            "scored as they are. A larger crop holds complete ones."
        )
    remain = found["counts"]["truth_instances"] - left_out["truth"]
    return (
        f"F1 and AP-75 are of {remain} complete true instances: left out are {left_out['truth']} "
        f"that a face of the scored part cuts, and {left_out['predicted']} predicted ones that lie "
        f"mostly in them, or in the background at a face. With them F1 at 0.75 is "
        f"{_number(found['accuracy']['0.75']['f1'])}."
    )


def value(found: Mapping[str, Any], group: str, threshold: str, name: str) -> float:
    """One of the scores of ``SHOWN``: of complete instances, where there are some."""
    values = (_complete(found) or found)[group] if group else found
    return float((values[threshold] if threshold else values)[name])


def thresholds(state: RunState, *, word: str = "run") -> None:
    """Sliders that separate the instances anew; the network does not run again.

    ``word`` of the address takes the run that they start.
    """
    now, network = state.result["decode"], runs.network(state)
    for column, (name, (title, tip)) in zip(st.columns(3), _SLIDERS.items(), strict=True):
        key = f"decode_{name}_{network}"
        st.session_state[key] = float(now[name])
        column.slider(
            title, 0.05, 0.95, step=0.05, key=key, help=tip, on_change=_separate,
            args=(network, now, word),
        )  # fmt: skip


def _separate(network: str, now: Mapping[str, float], word: str) -> None:
    """Start a run with the thresholds of the sliders; wait for it, as it is nearly always short."""
    asked = {name: st.session_state[f"decode_{name}_{network}"] for name in _SLIDERS}
    asked["seed"] = max(asked["seed"], asked["mask"])
    with panels.refused():
        run_id = runs.start("decode", {"of": network, "decode": {**now, **asked}})
        jobs.wait(runs.root(), run_id, seconds=SHORT_SECONDS)
        address.change(**{word: run_id})


def table(state: RunState) -> None:
    """The instances that were found."""
    shown = ["instance_id", "volume_um3", "surface_area_um2", "sphericity", "touches_border"]
    st.dataframe(
        runs.table(state.id)[shown],
        hide_index=True,
        height=min(260, 36 + 33 * max(1, state.result["instances"])),
        column_config={
            "instance_id": st.column_config.NumberColumn("id"),
            "volume_um3": st.column_config.NumberColumn("volume (µm³)", format="%.4f"),
            "surface_area_um2": st.column_config.NumberColumn("surface (µm²)", format="%.3f"),
            "sphericity": st.column_config.NumberColumn("sphericity", format="%.3f"),
            "touches_border": st.column_config.CheckboxColumn("cut"),
        },
    )


def downloads(state: RunState, info: VolumeInfo) -> None:
    """The table and the labels, written when they are asked for."""
    box = str(runs.asked(state)["box"]).replace(":", "-").replace(",", "_")
    stem = f"{info.name}_{box}_{state.id[:6]}{'_synthetic' if info.synthetic else ''}"
    with st.container(horizontal=True, gap="small"):
        st.download_button(
            "Table CSV",
            lambda: tables.to_csv(runs.table(state.id)),
            file_name=f"{stem}_instances.csv",
            mime="text/csv",
            on_click="ignore",
        )
        for suffix in FORMATS:
            st.download_button(
                f"Labels {suffix}",
                _writer(state.id, suffix, info),
                file_name=f"{stem}_labels{suffix}",
                mime="application/octet-stream",
                on_click="ignore",
            )


def _writer(run_id: str, suffix: str, info: VolumeInfo) -> Callable[[], bytes]:
    def write() -> bytes:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / f"labels{suffix}"
            return export.write_array(
                path, runs.labels(run_id), voxel_size=info.voxel_size
            ).read_bytes()

    return write


def save(state: RunState, info: VolumeInfo) -> None:
    """Keep the labels beside the volume, browsable on every page."""
    with st.form(f"save_{runs.network(state)}", border=False):
        left, right = st.columns([3, 2], vertical_alignment="bottom")
        name = left.text_input("Save as labels", value=_free_name(info))
        pressed = right.form_submit_button("Save", width="stretch")
    if pressed:
        with panels.edge():
            if name.strip() in {one.name for one in info.labels}:
                raise VolumeExists(f"volume {info.name!r} has labels {name.strip()!r} already")
            address.change(save=runs.start("save", {"of": state.id, "name": name.strip()}))
            address.rerun()


def saved(run_id: str) -> None:
    """How saving goes, and the way to look at what was saved."""
    state = runs.status(run_id)
    if not state.finished:
        runs.waiting(run_id)
    elif state.state != "done":
        panels.error(RunFailed(state.error or f"saving was {state.state}"))
        st.button(
            "Choose another name", key=f"anew_{run_id}", on_click=address.change,
            kwargs={"save": None},
        )  # fmt: skip
    else:
        volume, labels = state.result["volume"], state.result["labels"]
        st.success(f"Saved as labels “{labels}” of {volume}, {state.result['instances']} instances")
        if st.button("Show in Explore", key=f"show_{run_id}"):
            address.change(volume=volume, labels=labels, sel=None, save=None)
            st.switch_page(menu.page("explore"))


def _free_name(info: VolumeInfo) -> str:
    taken = {one.name for one in info.labels}
    return next(n for n in (f"prediction-{i}" for i in range(1, 10_000)) if n not in taken)


def code(state: RunState) -> None:
    """The same prediction by command line and from Python."""
    request: Any = runs.asked(state)
    volume, box = request["volume"], request["box"]
    decode = ", ".join(f"{k}={v:g}" for k, v in state.result["decode"].items())
    flips = bool(request.get("flips"))
    mirrored, line = (" --flips", "    flips=True,\n") if flips else ("", "")
    st.code(
        f"python -m mitoem predict {volume} --box {box}{mirrored} "
        f"--decode {','.join(f'{k}={v:g}' for k, v in state.result['decode'].items())} "
        "--out labels.h5",
        language="bash",
        wrap_lines=True,
    )
    st.code(
        "import mitoem\n"
        "from mitoem.geometry import Box\n"
        "from mitoem.inference import DecodeParameters\n\n"
        f"found = mitoem.predict(\n    {volume!r}, Box.parse({box!r}),\n"
        f"    decode=DecodeParameters({decode}),\n"
        f"{line})\n"
        "found.labels  # uint32 (z, y, x)",
        language="python",
    )
