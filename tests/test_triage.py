"""Errors one by one: their pictures, verdicts that last, tables, and two predictions apart."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import mitoem
from mitoem import front
from mitoem.cli import main
from mitoem.errors import LabelsNotFound, RequestInvalid
from mitoem.front.mistakes import DIFFERENCE, EDGE, GAP

VOXEL = (30.0, 8.0, 8.0)

BAR = np.s_[4:12, 40:60, 30:130]
"""The true instance: 8 sections, 20 × 100 pixels."""


def labels() -> tuple[np.ndarray, np.ndarray]:
    """A bar that was cut in two, one that was missed, and an invented one."""
    truth, found = (np.zeros((16, 160, 160), np.uint16) for _ in range(2))
    truth[BAR] = 1
    found[4:12, 40:60, 30:100] = 1
    found[4:12, 40:60, 100:130] = 2
    truth[2:6, 100:110, 20:40] = 5
    found[8:12, 100:120, 100:120] = 9
    return truth, found


@pytest.fixture
def root(tmp_path: Path) -> Path:
    truth, found = labels()
    image = np.zeros(truth.shape, np.uint8)
    np.savez(tmp_path / "image.npz", image=image)
    np.savez(tmp_path / "truth.npz", labels=truth)
    at = tmp_path / "root"
    mitoem.ingest(
        "bars", tmp_path / "image.npz", labels=[tmp_path / "truth.npz"], voxel_size=VOXEL, data=at
    )
    mitoem.add_labels("bars", "guess", found, data=at)
    return at


def scored(root: Path, prediction: str = "guess") -> dict:
    return mitoem.evaluate("bars/truth", f"bars/{prediction}", data=root).to_json()


def errors(root: Path, prediction: str = "guess") -> list[dict]:
    return scored(root, prediction)["errors"]


def test_a_picture_shows_the_difference_at_the_worst_point(root: Path) -> None:
    split = next(one for one in errors(root) if one["kind"] == "split")
    assert (split["truth"], split["predictions"], split["partner"]) == (1, (1, 2), 1)
    volume = mitoem.open_volume("bars", data=root)
    mistake = front.Mistake(1, (1, 2), 1, tuple(split["point"]))
    drawn = front.mistake_picture(volume, "truth", "guess", mistake, field_nm=1600.0)
    side = 3 * EDGE + 2 * GAP
    assert drawn.shape == (side, side, 3)
    plane = drawn[:EDGE, 2 * (EDGE + GAP) :].astype(int)
    areas = {
        name: (np.abs(plane - 0.6 * np.array(ink)).max(axis=2) < 3).sum()  # the image is black
        for name, ink in DIFFERENCE.items()
    }
    pixel = (1600 / EDGE) ** 2
    assert areas["both"] * pixel == pytest.approx(20 * 70 * 64, rel=0.06)
    assert areas["mixed up"] * pixel == pytest.approx(20 * 30 * 64, rel=0.1)
    assert areas["missed"] == areas["invented"] == 0


def test_a_field_fits_the_instance_and_has_limits() -> None:
    assert front.field_of(1, VOXEL) == 800.0
    assert 800.0 < front.field_of(50_000, VOXEL) < front.field_of(200_000, VOXEL) < 4000.0
    assert front.field_of(10**9, VOXEL) == 4000.0


@pytest.mark.parametrize(
    ("point", "field", "named"), [((16, 0, 0), 900.0, "outside"), ((0, 0, 0), 10.0, "field")]
)
def test_a_picture_of_nowhere_is_refused(
    root: Path, point: tuple[int, int, int], field: float, named: str
) -> None:
    volume = mitoem.open_volume("bars", data=root)
    with pytest.raises(RequestInvalid, match=named):
        front.mistake_picture(
            volume, "truth", "guess", front.Mistake(1, (1,), 1, point), field_nm=field
        )


def test_verdicts_last_and_reach_the_csv_of_the_command_line(root: Path, tmp_path: Path) -> None:
    names = [front.name_of(one) for one in errors(root)]
    assert sorted(names) == ["p9", "t1", "t5"]
    mitoem.judge("bars", "truth", "guess", "t1", "model wrong", data=root)
    mitoem.judge("bars", "truth", "guess", "t5", "unsure", data=root)
    mitoem.judge("bars", "truth", "guess", "t5", "label wrong", data=root)
    mitoem.judge("bars", "truth", "guess", "p9", "unsure", data=root)
    mitoem.judge("bars", "truth", "guess", "p9", None, data=root)
    kept = mitoem.judgements("bars", "truth", "guess", data=root)
    assert {name: one.verdict for name, one in kept.items()} == {
        "t1": "model wrong",
        "t5": "label wrong",
    }
    out = tmp_path / "errors.csv"
    assert main(["evaluate", "bars/truth", "bars/guess", "--errors", str(out), "--json",
                 "--data", str(root)]) == 0  # fmt: skip
    frame = pd.read_csv(out, keep_default_na=False).set_index("error")
    assert frame.loc["t1", "verdict"] == "model wrong" and frame.loc["t1", "judged"]
    assert frame.loc["p9", "verdict"] == "" and frame.loc["p9", "prediction_ids"] == "9"
    assert frame.loc["t1", "prediction_ids"] == "1 2"
    assert frame.loc["t1", "lost_voxels"] == 8 * 20 * 30


def test_verdicts_of_other_labels_are_not_shown(root: Path) -> None:
    mitoem.judge("bars", "truth", "guess", "t1", "unsure", data=root)
    _, found = labels()
    mitoem.add_labels("bars", "guess", np.roll(found, 1, axis=2), overwrite=True, data=root)
    assert mitoem.judgements("bars", "truth", "guess", data=root) == {}
    mitoem.add_labels("bars", "guess", found, overwrite=True, data=root)
    assert set(mitoem.judgements("bars", "truth", "guess", data=root)) == {"t1"}


def test_a_verdict_that_is_none_and_labels_that_are_none_are_refused(root: Path) -> None:
    with pytest.raises(RequestInvalid, match="perhaps"):
        mitoem.judge("bars", "truth", "guess", "t1", "perhaps", data=root)
    with pytest.raises(LabelsNotFound, match="nope"):
        mitoem.judgements("bars", "truth", "nope", data=root)


def test_errors_of_files_have_no_verdicts(tmp_path: Path) -> None:
    truth, found = labels()
    for name, ids in (("a.npz", truth), ("b.npz", found)):
        np.savez(tmp_path / name, labels=ids)
    sides = (str(tmp_path / "a.npz"), str(tmp_path / "b.npz"))
    frame = front.errors_of(mitoem.evaluate(*sides), *sides)
    assert frame["volume"].eq("").all() and frame["verdict"].eq("").all()
    assert frame["truth"].eq(sides[0]).all()


def test_two_predictions_differ_where_they_make_something_else(root: Path) -> None:
    _, found = labels()
    better = found.copy()
    better[found == 2] = 1
    mitoem.add_labels("bars", "better", better, data=root)
    frame = front.differing(scored(root), scored(root, "better"))
    assert frame["truth"].tolist() == [1], "of 5, missed by both, nothing differs"
    row = frame.iloc[0]
    assert (row["kind_a"], row["kind_b"], row["gain"]) == ("split", "correct", 8 * 20 * 30)
    assert front.differing(scored(root), scored(root)).empty
    mirrored = front.differing(scored(root, "better"), scored(root))
    assert mirrored["gain"].tolist() == [-8 * 20 * 30]


def test_what_only_one_of_two_predictions_covers_is_left_out(root: Path) -> None:
    _, found = labels()
    mitoem.add_labels("bars", "low", found[:7], data=root)
    part = scored(root, "low")
    assert 5 in [one["truth"] for one in part["errors"]], "it lies in the sections that are covered"
    mitoem.add_labels("bars", "high", found[7:], offset=(7, 0, 0), data=root)
    away = scored(root, "high")
    assert 5 not in away["correct"] and 5 not in [one["truth"] for one in away["errors"]]
    assert 5 not in front.differing(scored(root), away)["truth"].tolist()


def test_a_merge_names_the_others_and_points_at_what_is_foreign(root: Path) -> None:
    truth, _ = labels()
    merged = np.where(truth > 0, 1, 0)
    mitoem.add_labels("bars", "merged", merged, data=root)
    first = next(one for one in errors(root, "merged") if one["truth"] == 1)
    assert (first["kind"], first["others"], first["lost"]) == ("merge", (5,), 0)
    assert truth[tuple(first["point"])] == 5
