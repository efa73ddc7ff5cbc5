"""Every page from the main script, without a browser: what it draws, and what it does."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path

import files
import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

import mitoem
from mitoem import access, jobs
from mitoem.access import Rule
from mitoem.manifest import SEAL
from mitoem.scores import METRICS
from mitoem.ui import facts, gallery, manual

MAIN = Path(__file__).parents[1] / "mitoem" / "ui" / "main.py"
PAGES = ("datasets", "explore", "instances", "compare", "inference", "evaluate", "help")


@pytest.fixture
def root(small_data: Path) -> Iterator[Path]:
    yield small_data
    jobs.stop_worker(small_data)


def visit(page: str, query: Mapping[str, str] | None = None) -> AppTest:
    app = AppTest.from_file(str(MAIN), default_timeout=60)
    for word, value in (query or {}).items():
        app.query_params[word] = value
    app.run()
    return go(app, page)


def go(app: AppTest, page: str) -> AppTest:
    app.query_params.clear()  # as a click on the menu does
    return app.switch_page(f"../../pages/{page}.py").run()


def fine(app: AppTest) -> None:
    assert not app.exception, [one.message for one in app.exception]
    assert "material/error" not in text(app)


def text(app: AppTest) -> str:
    kinds = (app.markdown, app.caption, app.text, app.warning, app.info, app.title, app.subheader)
    return "\n".join(str(one.value) for kind in kinds for one in kind)


def words(app: AppTest) -> dict[str, str]:
    found = dict(app.query_params)
    return {name: one if isinstance(one, str) else one[-1] for name, one in found.items()}


@pytest.mark.usefixtures("root")
@pytest.mark.parametrize("page", PAGES)
def test_every_page_draws_and_says_that_a_phantom_is_synthetic(page: str) -> None:
    app = visit(page)
    fine(app)
    assert app.selectbox(key="frame_volume").value == "phantom-h"
    assert "synthetic phantom" in text(app)


@pytest.mark.parametrize("page", PAGES)
def test_without_a_volume_every_page_says_what_to_do(
    page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MITOEM_DATA", str(tmp_path))
    app = visit(page)
    assert not app.exception
    if page != "help":
        assert any("python -m mitoem demo" in one.value for one in app.code)


@pytest.mark.usefixtures("root")
def test_an_unknown_volume_is_one_named_error_and_the_switch_still_works() -> None:
    app = visit("explore", {"volume": "atlantis"})
    assert not app.exception
    assert "VolumeNotFound" in text(app) and "atlantis" in text(app)
    assert "Choose a volume in the line above." in text(app)
    app.selectbox(key="frame_volume").select("phantom-r").run()
    fine(app)
    assert words(app)["volume"] == "phantom-r"


@pytest.mark.usefixtures("root")
def test_selection_position_and_filter_survive_a_page_change_by_the_menu() -> None:
    given = {"volume": "phantom-r", "z": "5", "sel": "2,3", "f": "volume_um3 > 0.001", "cut": "0"}
    app = visit("instances", given)
    fine(app)
    assert words(app) == {"v": "1", **given}
    assert app.text_input(key="filter_text").value == given["f"]
    go(app, "explore")
    assert words(app) == {"v": "1", **{k: v for k, v in given.items() if k != "cut"}}
    assert app.button(key="frame_clear").label.startswith("2 selected")
    go(app, "instances")
    assert words(app)["cut"] == "0"


@pytest.mark.usefixtures("root")
def test_ids_that_the_labels_do_not_hold_are_told_and_not_counted_as_selected() -> None:
    app = visit(
        "instances",
        {"volume": "phantom-r", "sel": "2,3,999999", "cut": "0", "f": "instance_id < 3"},
    )
    fine(app)
    told = "2 selected, 1 of them not among these rows; 1 more not in these labels"
    assert told in [one.value for one in app.caption]


@pytest.mark.usefixtures("root")
@pytest.mark.parametrize("bad", ["nosuch > 1", "volume_um3 >> 2", "split > 1"])
@pytest.mark.parametrize("cut", ["0", "1"])
def test_a_filter_that_fits_no_table_is_in_force_nowhere(bad: str, cut: str) -> None:
    app = visit("instances", {"volume": "phantom-r", "f": bad, "cut": cut, "group": "volume"})
    fine(app)
    notice = app.warning[0].value.replace("\\", "")
    assert notice.startswith(f"f={bad}: ") and notice.endswith("; showing all rows")
    assert not [one for one in app.button if one.key and one.key.startswith("chip_")]
    code = " ".join(one.value for one in app.code)
    assert "figures.histogram" in code and bad not in code
    assert ("filter='not touches_border'" in code) == (cut == "1")


@pytest.mark.usefixtures("root")
def test_each_bad_word_of_instances_and_compare_is_named_and_its_default_shown() -> None:
    bad = {"bins": "abc", "logx": "foo", "cut": "maybe", "up": "x", "cols": "foo,mci"}
    app = visit("instances", {"volume": "phantom-r", **bad})
    told = text(app)
    assert all(word in told for word in bad)
    assert app.toggle(key="word_cut").value and app.toggle(key="word_logx").value
    assert app.slider(key="word_bins").value == 40
    app = visit("compare", {"boot": "-3", "cut": "no"})
    assert "boot" in text(app) and app.toggle(key="word_cut").value


@pytest.mark.usefixtures("root")
def test_where_no_row_is_left_the_page_says_whether_cut_ones_would_be() -> None:
    for f, told in (
        ("instance_id < 0", "No instance passes: take a condition away."),
        ("touches_border", "No complete instance passes: switch “complete only” off to see"),
    ):
        app = visit("instances", {"volume": "phantom-r", "f": f})
        assert any(one.value.startswith(told) for one in app.info)


@pytest.mark.usefixtures("root")
def test_the_chip_clears_the_selection_and_another_volume_does_so_too() -> None:
    app = visit("explore", {"sel": "2,3"})
    app.button(key="frame_clear").click().run()
    assert "sel" not in words(app)
    app = visit("explore", {"sel": "2,3", "z": "4"})
    app.selectbox(key="frame_volume").select("phantom-r").run()
    assert words(app) == {"v": "1", "volume": "phantom-r"}
    assert "Selection cleared" in app.toast[0].value


@pytest.mark.usefixtures("root")
def test_a_bad_word_becomes_its_default_and_one_notice_names_it() -> None:
    app = visit("explore", {"z": "-3", "mode": "glow"})
    notices = app.warning[0].value
    assert "z=-3" in notices and "mode=glow" in notices
    assert "mode" not in words(app)


@pytest.mark.usefixtures("root")
def test_datasets_shows_every_fact_of_the_card_beside_its_correction() -> None:
    app = visit("datasets")
    rows = [row for table in facts.card()["tables"] for row in table["rows"]]
    shown = [tuple(row) for one in app.table for row in one.value.reset_index().to_numpy()]
    for row in rows:
        found = [one for one in shown if one[0] == f"**{row['field']}**"]
        assert any(row["card"] == one[1] and row["value"] == one[2] for one in found), row
        assert all(row["status"] in one[4] and one[5] for one in found), row
    assert {row["status"] for row in rows} == {"confirmed", "corrected", "unverified"}


def test_the_card_gives_the_voxel_of_mitoem_in_millimetres_x_y_z() -> None:
    spacing = facts.card()["tables"][1]["rows"][0]
    assert spacing["card"] == "(1.0, 1.0, 1.0) mm"
    assert spacing["value"].startswith("8e-6, 8e-6, 3e-5") and spacing["unit"] == "mm"


@pytest.mark.parametrize(
    "bad", ["instance_id <= __import__('os')", "instance_id <", "no_such > 1", "split > 3"]
)
@pytest.mark.usefixtures("root")
def test_a_filter_that_cannot_be_used_is_told_and_the_last_good_one_stays(bad: str) -> None:
    app = visit("instances", {"cut": "0"})
    rows = len(app.dataframe[0].value)
    app.text_input(key="filter_text").set_value("instance_id <= 2").run()
    assert len(app.dataframe[0].value) == 2 < rows
    app.text_input(key="filter_text").set_value(bad).run()
    assert not app.exception
    assert "material/error" in text(app)
    assert len(app.dataframe[0].value) == 2
    assert words(app)["f"] == "instance_id <= 2"
    app.text_input(key="filter_text").set_value("").run()
    fine(app)
    assert len(app.dataframe[0].value) == rows


@pytest.mark.usefixtures("root")
def test_an_added_range_keeps_every_row_until_an_end_of_it_is_changed() -> None:
    app = visit("instances", {"cut": "0"})
    rows = len(app.dataframe[0].value)
    app.selectbox(key="add_column").set_value("mci").run()
    app.button(key="add_range").click().run()
    assert words(app)["f"].count("<= mci <=") == 1
    assert len(app.dataframe[0].value) == rows
    low = app.number_input(key="add_low_mci")
    low.set_value(low.value * (1 + 1e-12))
    app.button(key="add_range").click().run()
    assert words(app)["f"].startswith("mci >= ")
    assert len(app.dataframe[0].value) == rows - 1


@pytest.mark.usefixtures("root")
def test_a_filter_by_what_was_not_measured_says_so() -> None:
    assert "Not measured here" in text(visit("instances", {"f": "length_um > 1"}))
    assert "Not measured here" not in text(visit("instances", {"f": "volume_um3 > 99"}))


@pytest.mark.usefixtures("root")
def test_cut_instances_are_hidden_until_they_are_asked_for() -> None:
    app = visit("instances")
    assert not app.dataframe[0].value["touches_border"].any()
    app.toggle(key="word_cut").set_value(False).run()
    assert app.dataframe[0].value["touches_border"].any()
    assert words(app)["cut"] == "0"


@pytest.mark.usefixtures("root")
@pytest.mark.parametrize("plot", ["Histogram", "ECDF", "Scatter"])
def test_each_plot_draws_each_kind_of_table(plot: str) -> None:
    fine(visit("instances", {"plot": plot, "cut": "0", "measure": "sphericity"}))
    fine(visit("instances", {"plot": plot, "f": "instance_id < 0"}))


def test_labels_that_were_never_measured_are_measured_on_request(own_root: Path) -> None:
    shutil.rmtree(own_root / "phantom-h" / "tables")
    app = visit("instances")
    fine(app)
    next(one for one in app.button if one.label == "Measure now").click().run()
    run = jobs.runs(own_root)[0]
    assert jobs.wait(own_root, run.id, seconds=60).state == "done"
    app.run()
    fine(app)
    assert len(app.dataframe) == 1


def test_lengths_are_measured_on_request_and_the_rule_of_strings_is_printed(own_root: Path) -> None:
    app = visit("instances")
    assert "length_um" not in app.dataframe[0].value
    app.button(key="measure_lengths").click().run()
    fine(app)
    assert "Cancel" in [one.label for one in app.button]
    (run, *_) = jobs.runs(own_root)
    assert jobs.wait(own_root, run.id, seconds=120).state == "done"
    app.run()
    fine(app)
    assert app.dataframe[0].value["length_um"].notna().all()
    assert "radius up to 80 nm between two swellings at least 2 times" in text(app)
    assert not [one for one in app.button if one.key == "measure_lengths"]


@pytest.mark.usefixtures("root")
def test_rows_are_ordered_and_columns_chosen_by_the_address() -> None:
    app = visit("instances", {"cut": "0", "sort": "volume_um3", "cols": "mci,volume_um3"})
    fine(app)
    rows = app.dataframe[0].value
    assert rows.columns.tolist() == ["instance_id", "mci", "volume_um3"]
    assert rows["volume_um3"].is_monotonic_decreasing
    app.toggle(key="word_up").set_value(True).run()
    assert app.dataframe[0].value["volume_um3"].is_monotonic_increasing
    app.multiselect(key="columns_chosen").set_value(["sphericity"]).run()
    assert words(app)["cols"] == "sphericity"
    app.button(key="row_on").click().run()
    assert int(words(app)["sel"]) == app.dataframe[0].value["instance_id"].iloc[0]


def test_labels_without_an_instance_say_so_on_every_page_that_counts(own_root: Path) -> None:
    file = own_root / "phantom-h" / "volume.json"
    info = json.loads(file.read_text())
    truth = mitoem.open_volume("phantom-h").read(layer="truth")
    z, y, x = (int(n) for n in np.argwhere(truth == 0)[0])
    info["labels"][0]["coverage"] = [[[z, y, x], [z + 1, y + 1, x + 1]]]
    del info[SEAL]
    file.write_text(json.dumps(info))
    assert mitoem.measure("phantom-h").empty
    app = visit("instances")
    fine(app)
    assert "holds no instance" in text(app)
    for page in ("explore", "compare", "datasets"):
        fine(visit(page))


def test_a_root_that_does_not_answer_is_named_on_datasets(
    own_root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MITOEM_DATA", f"{own_root}:http://127.0.0.1:9/em")
    app = visit("datasets")
    fine(app)
    (told,) = app.error
    assert "http://127.0.0.1:9/em" in told.value
    assert "phantom-h" in text(app)


@pytest.mark.usefixtures("root")
def test_compare_puts_two_volumes_side_by_side() -> None:
    app = visit("compare", {"cut": "0"})
    fine(app)
    deltas = app.table[0].value["Cliff's delta [95 %]"]
    assert len(deltas) > 10
    assert all(abs(float(one.split()[0].replace("−", "-"))) <= 1 for one in deltas)
    assert any("one specimen each" in one.value for one in app.info)


@pytest.mark.usefixtures("root")
def test_a_box_outside_the_volume_is_told_where_it_was_typed() -> None:
    app = visit("inference")
    app.segmented_control(key="crop_from").set_value("Numbers").run()
    app.text_input(key="crop_box_phantom-h").set_value("0:8,0:64,0:9999").run()
    assert not app.exception
    assert "BoxOutside" in text(app)
    assert not [one for one in app.button if one.label == "Run"]


def test_a_crop_is_predicted_scored_saved_and_evaluated(own_root: Path) -> None:
    app = visit("inference")
    fine(app)
    next(one for one in app.button if one.label == "Run").click().run()
    run_id = words(app)["run"]
    assert jobs.wait(own_root, run_id, seconds=120).state == "done"
    app.run()
    fine(app)
    assert {"F1 at IoU 0.5", "AP-75"} <= {one.label for one in app.metric}
    assert any("that a face of the scored part cuts" in one.value for one in app.caption)
    assert any("Synthetic phantom" in one.value for one in app.warning)
    app.slider(key=f"decode_mask_{run_id}").set_value(0.3).run()
    again = words(app)["run"]
    assert again != run_id and jobs.wait(own_root, again, seconds=60).state == "done"
    app.run()
    app.text_input[0].set_value("mine")
    next(one for one in app.button if one.label == "Save").click().run()
    assert jobs.wait(own_root, words(app)["save"], seconds=60).state == "done"
    app.run()
    fine(app)
    go(app, "evaluate")
    next(one for one in app.button if one.label == "Evaluate").click().run()
    assert jobs.wait(own_root, jobs.runs(own_root)[0].id, seconds=60).state == "done"
    app.run()
    fine(app)
    app.segmented_control(key="word_part").set_value("Scores").run()
    fine(app)
    named = set(app.table[0].value.index)
    assert METRICS["AP75"].name in named and METRICS["adapted_rand_error"].name in named
    app.segmented_control(key="word_part").set_value("Thresholds").run()
    fine(app)
    app.slider(key=f"decode_mask_{run_id}").set_value(0.5).run()
    trying = words(app)["trying"]
    assert jobs.wait(own_root, trying, seconds=60).state == "done"
    app.run()
    fine(app)
    saved, now = (app.dataframe[0].value[name].tolist() for name in ("Saved", "Now"))
    assert len(saved) == 6 and saved != now
    assert app.dataframe[1].value["Instances"].tolist()[0] == "correct"


def test_a_run_over_mirror_images_says_so_wherever_it_goes(
    own_root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MITOEM_THREADS", "1")  # so that the times differ on fast machines too
    app = visit("inference")
    once = re.search(r"about \*\*(\d+) s", text(app))
    app.checkbox(key="flips").check().run()
    four_times = re.search(r"about \*\*(\d+) s", text(app))
    assert once and four_times and int(four_times[1]) > int(once[1])
    next(one for one in app.button if one.label == "Run").click().run()
    run_id = words(app)["run"]
    assert jobs.wait(own_root, run_id, seconds=120).state == "done"
    app.run()
    fine(app)
    assert "mean over mirror images" in text(app)
    assert any("--flips" in one.value for one in app.code)
    assert any("flips=True" in one.value for one in app.code)
    kept = jobs.submit(own_root, "save", {"of": run_id, "name": "mirrored"})
    assert jobs.wait(own_root, kept, seconds=60).state == "done"
    volume = jobs.status(own_root, run_id).request["volume"]
    info = mitoem.open_volume(volume, data=own_root).info
    assert "mean over mirror images" in info.label_set("mirrored").provenance


def test_a_cancelled_and_a_failed_run_say_so_and_can_be_run_again(own_root: Path) -> None:
    ask = {"volume": "phantom-h", "box": "0:8,0:64,0:64"}
    stopped = jobs.submit(own_root, "predict", ask, start=False)
    jobs.cancel(own_root, stopped)
    app = visit("inference", {"run": stopped})
    fine(app)
    assert "You stopped this run." in text(app)
    failed = jobs.submit(own_root, "predict", ask | {"box": "0:8,0:64,0:6400"})
    assert jobs.wait(own_root, failed, seconds=60).state == "failed"
    app = visit("inference", {"run": failed})
    assert not app.exception
    assert "BoxOutside" in text(app) or "leaves the volume" in text(app)
    app = visit("inference", {"run": "000999-gone"})
    assert not app.exception and "RunNotFound" in text(app)


def test_runs_of_an_unlisted_volume_are_told_beside_it_alone(own_root: Path) -> None:
    hidden = access.unguessable("crop")
    files.copy_volume(own_root / "phantom-h", hidden)
    access.change(own_root, hidden, access.unlisted("a" * 32))
    for name in (hidden, "phantom-h"):
        ask = {"volume": name, "box": "0:8,0:64,0:64"}
        jobs.cancel(own_root, jobs.submit(own_root, "predict", ask, start=False))
    for name, told in ((hidden, {hidden, "phantom-h"}), ("phantom-h", {"phantom-h"})):
        app = visit("inference", {"volume": name})
        fine(app)
        runs = [one.label for one in app.button if (one.key or "").startswith("earlier_")]
        assert {name for name in (hidden, "phantom-h") for run in runs if name in run} == told


def test_a_run_whose_volume_is_closed_meanwhile_is_shown_no_more(own_root: Path) -> None:
    files.copy_volume(own_root / "phantom-h", "other")
    ask = {"volume": "other", "box": "0:8,0:64,0:64"}
    app = visit("inference", {"run": jobs.submit(own_root, "predict", ask, start=False)})
    fine(app)
    assert app.button(key=f"cancel_{words(app)['run']}")
    access.change(own_root, "other", Rule("signed-in"))
    app.run()
    assert not app.exception
    assert "RunNotFound" in text(app)
    assert not [one for one in app.button if (one.key or "").startswith("cancel_")]


def test_help_lists_the_keys_of_the_viewer_and_none_of_streamlits() -> None:
    keys = manual.keys()["Key or mouse"].tolist()
    assert {"`,`", "`.`", "`space`", "`[`", "`]`", "`?`", "`1`", "`o`"} <= set(keys)
    assert not {"`r`", "`c`"} & set(keys)


@pytest.mark.usefixtures("root")
def test_the_model_card_names_its_data_its_scores_and_its_failures() -> None:
    app = visit("inference")
    next(one for one in app.button if one.label.startswith("Model card")).click().run()
    fine(app)
    assert {"Scores", "Trained on", "Known failures"} <= {one.value for one in app.subheader}


@pytest.mark.usefixtures("root")
def test_without_the_model_inference_says_so_and_the_crop_is_still_shown(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from mitoem.inference import model
    from mitoem.ui import cache, crop

    for place in (model, cache):
        monkeypatch.setattr(place, "BUNDLED", tmp_path / "model.onnx")
    cache.model.clear()
    crop.estimate.clear()
    try:
        app = visit("inference")
    finally:
        cache.model.clear()
        crop.estimate.clear()
    assert not app.exception
    assert "ModelInvalid" in text(app) and "model" in text(app)
    assert app.segmented_control(key="crop_from").value == "View"


@pytest.mark.usefixtures("root")
def test_a_run_of_another_kind_is_no_prediction(small_data: Path) -> None:
    other = jobs.submit(small_data, "probe", {"seconds": 0})
    assert jobs.wait(small_data, other, seconds=60).state == "done"
    app = visit("inference", {"run": other})
    assert not app.exception
    assert "is no prediction" in text(app)


def test_a_crop_of_a_volume_of_one_section_is_all_of_it(own_root: Path, tmp_path: Path) -> None:
    np.save(tmp_path / "thin.npy", np.arange(200 * 220).reshape(1, 200, 220).astype(np.uint8))
    mitoem.ingest("thin", tmp_path / "thin.npy", voxel_size=(30, 8, 8), data=own_root)
    app = visit("inference", {"volume": "thin"})
    fine(app)
    assert "0:1,0:200,0:220" in text(app)


def test_a_taken_name_is_told_and_the_form_stays(own_root: Path) -> None:
    asked = {"volume": "phantom-h", "box": "0:8,0:64,0:64"}
    run = jobs.submit(own_root, "predict", asked)
    assert jobs.wait(own_root, run, seconds=60).state == "done"
    app = visit("inference", {"volume": "phantom-h", "run": run})
    fine(app)
    app.text_input[0].set_value("truth")
    next(one for one in app.button if one.label == "Save").click().run()
    assert "VolumeExists" in text(app) and not app.exception
    assert [one for one in app.button if one.label == "Save"]


def test_a_bad_word_of_evaluate_is_named_in_a_notice(own_root: Path) -> None:
    volume = mitoem.open_volume("phantom-h", data=own_root)
    mitoem.add_labels(volume, "guess", volume.read(layer="truth"), data=own_root)
    app = visit("evaluate", {"volume": "phantom-h", "prediction": "nope", "part": "None"})
    fine(app)
    (told,) = (one.value for one in app.warning)
    assert "prediction=nope" in told and "showing guess" in told and "part=None" in told


def test_labels_that_were_replaced_have_no_probabilities(own_root: Path) -> None:
    asked = {"volume": "phantom-h", "box": "0:16,0:128,0:128", "truth": "truth"}
    run = jobs.submit(own_root, "predict", asked)
    kept = jobs.submit(own_root, "save", {"of": run, "name": "mine"})
    assert jobs.wait(own_root, kept, seconds=90).state == "done"
    words = {"volume": "phantom-h", "prediction": "mine", "part": "Thresholds"}
    app = visit("evaluate", words)
    next(one for one in app.button if one.label == "Evaluate").click().run()
    assert jobs.wait(own_root, jobs.runs(own_root)[0].id, seconds=60).state == "done"
    app.run()
    assert "mine was made on" in text(app)
    volume = mitoem.open_volume("phantom-h", data=own_root)
    truth = volume.read(layer="truth")
    mitoem.add_labels(volume, "mine", truth, overwrite=True, data=own_root)
    app = visit("evaluate", words)
    next(one for one in app.button if one.label == "Evaluate").click().run()
    assert jobs.wait(own_root, jobs.runs(own_root)[0].id, seconds=60).state == "done"
    app.run()
    assert "mine has no probabilities here" in text(app)


def test_a_scoring_of_an_older_program_is_asked_for_again(own_root: Path) -> None:
    volume = mitoem.open_volume("phantom-h", data=own_root)
    mitoem.add_labels(volume, "guess", volume.read(layer="truth") * 0, data=own_root)
    words = {"volume": "phantom-h", "prediction": "guess"}
    app = visit("evaluate", words)
    next(one for one in app.button if one.label == "Evaluate").click().run()
    run = jobs.runs(own_root)[0].id
    assert jobs.wait(own_root, run, seconds=60).state == "done"
    path = jobs.directory(own_root, run) / "scores.json"
    old = json.loads(path.read_text())
    del old["correct"]
    for one in old["errors"]:
        del one["others"], one["partner"]
    path.write_text(json.dumps(old))
    app = visit("evaluate", words)
    fine(app)
    assert [one for one in app.button if one.label == "Evaluate"]


def test_a_scoring_that_failed_can_be_asked_for_again(own_root: Path) -> None:
    volume = mitoem.open_volume("phantom-h", data=own_root)
    mitoem.add_labels(volume, "guess", volume.read(layer="truth") * 0, data=own_root)
    app = visit("evaluate", {"volume": "phantom-h", "prediction": "guess"})
    next(one for one in app.button if one.label == "Evaluate").click().run()
    run = jobs.runs(own_root)[0].id
    assert jobs.wait(own_root, run, seconds=60).state == "done"
    path = jobs.directory(own_root, run) / "state.json"
    path.write_text(json.dumps({"state": "failed", "error": "the disk was full"}))
    app.run()
    assert not app.exception and "the disk was full" in text(app)
    next(one for one in app.button if one.label == "Evaluate again").click().run()
    assert jobs.runs(own_root)[0].id != run


@pytest.mark.usefixtures("root")
def test_next_begins_at_the_first_picture_in_view(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gallery, "PAGE", 2)
    app = visit("instances", {"cut": "0", "show": "Gallery", "page": "2"})
    app.button(key="row_on").click().run()
    fine(app)
    whole = mitoem.table("phantom-h")["instance_id"].tolist()
    assert words(app)["sel"] == str(whole[2]) and words(app)["page"] == "2"


@pytest.mark.usefixtures("root")
def test_explore_says_how_many_of_a_filters_instances_are_cut() -> None:
    app = visit("explore", {"f": "voxel_count > 0"})
    cut = int(mitoem.table("phantom-h")["touches_border"].sum())
    assert f"{cut} of them cut by a face" in text(app)
