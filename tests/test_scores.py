from __future__ import annotations

import json
import os
from collections import Counter
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.optimize import linear_sum_assignment
from skimage.metrics import adapted_rand_error, variation_of_information

from mitoem.errors import LabelsInvalid, ShapeMismatch
from mitoem.scores import METRICS, Scores, contingency, evaluate, evaluate_table
from mitoem.scores import overlap as overlap_module
from mitoem.scores.matching import matched
from mitoem.scores.pairs import pairs_of

Array = npt.NDArray[np.uint32]
ORACLE = Path(os.environ.get("MITOEM_AP", "../shared/data/ap"))

ids = st.sampled_from([0, 0, 1, 2, 3, 7, 2**32 - 1])
labels = arrays(np.uint32, (3, 4, 5), elements=ids, fill=st.just(0))
laws = settings(deadline=None, max_examples=60)


def blocks(*spans: tuple[int, int, int], length: int = 40) -> Array:
    """One row of voxels with ``id`` from ``start`` up to ``stop``."""
    row = np.zeros((1, 1, length), np.uint32)
    for one, start, stop in spans:
        row[0, 0, start:stop] = one
    return row


def kinds(truth: Array, prediction: Array) -> dict[int, str]:
    return {one.truth: one.kind for one in evaluate(truth, prediction).errors}


@pytest.mark.skipif(not ORACLE.is_dir(), reason=f"the challenge's answers are not at {ORACLE}")
def test_ap_equals_the_official_code() -> None:
    expected = json.loads((ORACLE / "expected.json").read_text())
    for name, answers in expected.items():
        with np.load(ORACLE / f"{name}.npz") as pair:
            truth, prediction = pair["truth"], pair["prediction"]
        for limits, answer in answers.items():
            a, b = (int(n) for n in limits.split(","))
            found = evaluate(truth, prediction, size_thresholds=(a, b)).ap.to_json()
            assert found == pytest.approx(answer, abs=1e-9), (name, limits)


@laws
@given(labels)
def test_identical_labels_score_perfectly(truth: Array) -> None:
    scores = evaluate(truth, truth.copy())
    perfect = 1.0 if truth.any() else -1.0
    for one in scores.accuracy:
        assert (one.accuracy, one.precision, one.recall, one.f1) == (perfect,) * 4
        assert one.panoptic_quality == one.mean_iou == perfect
    assert scores.ap.to_json()["mAP"] == pytest.approx(perfect)
    assert scores.foreground_iou == perfect
    assert (scores.vi_split, scores.vi_merge) == (0, 0)
    assert scores.adapted_rand_error == (0.0 if truth.any() else -1.0)
    assert {one.kind for one in scores.errors} <= {"correct"}


@laws
@given(labels, labels)
def test_new_ids_change_no_score(truth: Array, prediction: Array) -> None:
    """Ids that keep their order: only ties between equal sizes are told apart by id."""
    old = np.unique(prediction)
    new = np.sort(np.random.default_rng(0).choice(10**6, old.size, replace=False) + 1)
    new = np.where(old == 0, 0, new)
    renamed = new[np.searchsorted(old, prediction)].astype(np.uint32)
    before, after = evaluate(truth, prediction), evaluate(truth, renamed)
    assert numbers(before) == pytest.approx(numbers(after))
    assert Counter(one.kind for one in before.errors) == Counter(o.kind for o in after.errors)


def numbers(scores: Scores) -> dict[str, float]:
    flat = {f"ap {name}": value for name, value in scores.ap.to_json().items()}
    for one in scores.accuracy:
        flat |= {f"{one.threshold} {name}": value for name, value in one.to_json().items()}
    flat |= {"split": scores.vi_split, "merge": scores.vi_merge}
    return flat | {"are": scores.adapted_rand_error, "iou": scores.foreground_iou}


@laws
@given(labels, labels, st.integers(1, 2), st.integers(1, 3))
def test_the_tables_of_blocks_add_up_to_the_table_of_the_whole(
    truth: Array, prediction: Array, z: int, y: int
) -> None:
    whole = contingency(truth, prediction)
    parts = [
        contingency(truth[a:b, c:d], prediction[a:b, c:d], offset=(a, c, 0))
        for a, b in ((0, z), (z, 3))
        for c, d in ((0, y), (y, 4))
    ]
    added = parts[0] + parts[1] + parts[2] + parts[3]
    for name in ("truth", "prediction", "voxels", "longest"):
        assert np.array_equal(getattr(whole, name), getattr(added, name)), name
    assert numbers(evaluate_table(added)) == numbers(evaluate_table(whole))
    for point, t, p in zip(added.point, added.truth, added.prediction, strict=True):
        assert (truth[tuple(point)], prediction[tuple(point)]) == (t, p)


def test_slabs_smaller_than_a_section_count_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    random = np.random.default_rng(1)
    truth, prediction = (random.integers(0, 5, (7, 20, 30)).astype(np.uint32) for _ in range(2))
    whole = contingency(truth, prediction)
    for voxels in (1, 100, 700):
        monkeypatch.setattr(overlap_module, "SLAB_VOXELS", voxels)
        slabs = contingency(truth, prediction)
        assert np.array_equal(whole.voxels, slabs.voxels)
        assert np.array_equal(whole.longest, slabs.longest)


@laws
@given(labels, labels)
def test_the_table_counts_every_voxel_once(truth: Array, prediction: Array) -> None:
    table = contingency(truth, prediction)
    found = zip(table.truth.tolist(), table.prediction.tolist(), table.voxels, strict=True)
    expected = Counter(zip(truth.ravel().tolist(), prediction.ravel().tolist(), strict=True))
    assert {(t, p): n for t, p, n in found} == expected
    assert table.total == truth.size


@laws
@given(labels, labels)
def test_partition_scores_equal_those_of_skimage(truth: Array, prediction: Array) -> None:
    small_t, small_p = (np.unique(a, return_inverse=True)[1] for a in (truth, prediction))
    small_t, small_p = small_t + (truth.min() > 0), small_p + (prediction.min() > 0)
    scores = evaluate(truth, prediction)
    split, merge = variation_of_information(small_t, small_p)
    assert (scores.vi_split, scores.vi_merge) == pytest.approx((split, merge), abs=1e-9)
    within = np.bincount(small_t[small_t > 0]), np.bincount(small_p[small_t > 0])
    if sum(int((n * (n - 1)).sum()) for n in within) and all((n > 1).any() for n in within):
        error, _, _ = adapted_rand_error(small_t, small_p)
        assert scores.adapted_rand_error == pytest.approx(error)


@laws
@given(labels, labels)
def test_turning_the_pair_round_swaps_what_is_missed_and_what_is_invented(
    truth: Array, prediction: Array
) -> None:
    one, other = evaluate(truth, prediction), evaluate(prediction, truth)
    assert (one.vi_split, one.vi_merge) == pytest.approx((other.vi_merge, other.vi_split))
    assert one.foreground_iou == other.foreground_iou
    for a, b in zip(one.accuracy, other.accuracy, strict=True):
        assert (a.true_positives, a.false_positives) == (b.true_positives, b.false_negatives)
    assert one.associations.one_to_one == other.associations.one_to_one
    assert one.associations.missing == other.associations.background


@laws
@given(labels, labels, st.sampled_from([0.1, 0.3, 0.5, 0.75]))
def test_matching_equals_a_full_assignment(
    truth: Array, prediction: Array, threshold: float
) -> None:
    pairs = pairs_of(contingency(truth, prediction))
    gain = np.zeros((pairs.truth_ids.size, pairs.prediction_ids.size))
    good = pairs.iou >= threshold
    gain[pairs.truth[good], pairs.prediction[good]] = 100 + pairs.iou[good]
    best = gain[linear_sum_assignment(gain, maximize=True)].sum()
    rows = matched(pairs, threshold=threshold)
    assert (100 + pairs.iou[rows]).sum() == pytest.approx(best)
    assert np.unique(pairs.truth[rows]).size == np.unique(pairs.prediction[rows]).size == rows.size


@laws
@given(labels, labels)
def test_every_instance_has_one_type_and_a_point_inside_what_is_wrong(
    truth: Array, prediction: Array
) -> None:
    scores = evaluate(truth, prediction)
    typed = [one.truth for one in scores.errors if one.kind != "invented"]
    assert sorted(typed) == [one for one in np.unique(truth).tolist() if one]
    counts = scores.associations
    assert len(scores.errors) - len(typed) == counts.background
    assert (
        len(typed)
        == scores.truth_instances
        == (
            counts.one_to_one
            + counts.missing
            + counts.over_segmentation
            + counts.under_segmentation
            + counts.many_to_many
        )
    )
    for one in scores.errors:
        inside = truth[one.point] == one.truth or prediction[one.point] in one.predictions
        assert inside
        assert one.kind != "missed" or (one.lost == one.voxels and not one.predictions)
    assert [one.lost for one in scores.errors] == sorted(o.lost for o in scores.errors)[::-1]


def test_each_kind_of_error_has_its_name() -> None:
    truth = blocks((1, 0, 10), (2, 12, 22), (3, 24, 29), (4, 29, 34), (5, 36, 40))
    prediction = blocks((9, 0, 10), (8, 12, 17), (7, 17, 22), (6, 24, 34))
    assert kinds(truth, prediction) == {
        1: "correct",
        2: "split",
        3: "merge",
        4: "merge",
        5: "missed",
    }
    assert kinds(blocks((1, 0, 10)), blocks((5, 0, 6))) == {1: "loose"}
    assert kinds(blocks(), blocks((5, 0, 6))) == {0: "invented"}
    many = kinds(blocks((1, 0, 10), (2, 10, 16)), blocks((5, 0, 4), (6, 4, 14), (7, 14, 16)))
    assert many == {1: "split", 2: "split"}


def test_voxels_lost_are_counted_against_the_one_partner() -> None:
    truth = blocks((2, 12, 22), (3, 24, 30), (4, 30, 34))
    prediction = blocks((8, 11, 18), (7, 18, 22), (6, 24, 34))
    lost = {one.truth: (one.lost, one.predictions) for one in evaluate(truth, prediction).errors}
    assert lost == {2: (5, (7, 8)), 3: (0, (6,)), 4: (4, (6,))}


def test_the_point_of_a_split_lies_in_the_lost_piece() -> None:
    truth, prediction = blocks((2, 10, 30)), blocks((8, 10, 24), (7, 24, 30))
    assert evaluate(truth, prediction).errors[0].point == (0, 0, 26)


def test_an_empty_prediction_scores_zero_and_an_empty_truth_minus_one() -> None:
    truth, nothing = blocks((1, 0, 10)), blocks()
    missed = evaluate(truth, nothing)
    assert missed.ap.to_json() == {
        "mAP": 0.0,
        "AP50": 0.0,
        "AP75": 0.0,
        "AP75_small": 0.0,
        "AP75_medium": -1.0,
        "AP75_large": -1.0,
    }
    assert missed.accuracy[0].f1 == missed.foreground_iou == 0
    invented = evaluate(nothing, truth)
    assert set(invented.ap.to_json().values()) == {-1.0}
    assert (invented.accuracy[0].f1, invented.adapted_rand_error) == (-1.0, -1.0)
    assert invented.accuracy[0].false_positives == 1
    assert set(evaluate(nothing, nothing).ap.to_json().values()) == {-1.0}


def test_scores_and_heat_maps_rank_the_predictions() -> None:
    truth = blocks((1, 0, 10), (2, 20, 30))
    prediction = blocks((4, 0, 10), (5, 12, 18), length=40)
    first = evaluate(truth, prediction).ap.every[0]
    assert first == pytest.approx(51 / 101)
    last = np.array([[4, 0.1], [5, 0.9]])
    assert evaluate(truth, prediction, scores=last).ap.every[0] == pytest.approx(25.5 / 101)
    heat = np.where(prediction == 5, 200, 30).astype(np.uint8)
    assert evaluate(truth, prediction, scores=heat).ap.every[0] == pytest.approx(25.5 / 101)
    with pytest.raises(ShapeMismatch, match=r"scores of shape \(3,\)"):
        evaluate(truth, prediction, scores=np.zeros(3))


def test_shapes_that_differ_are_both_named() -> None:
    with pytest.raises(ShapeMismatch, match=r"\(1, 1, 40\) and prediction of shape \(1, 1, 39\)"):
        evaluate(blocks(), blocks(length=39))
    with pytest.raises(ShapeMismatch, match="3-D"):
        evaluate(blocks()[0], blocks()[0])


def test_labels_that_are_none_are_refused() -> None:
    with pytest.raises(LabelsInvalid):
        evaluate(blocks().astype(np.int64) - 1, blocks())


def test_the_json_has_the_agreed_form_and_no_nan() -> None:
    scores = evaluate(blocks((1, 0, 10), (2, 12, 20)), blocks((1, 0, 9)))
    data = json.loads(json.dumps(scores.to_json(), allow_nan=False))
    assert list(data["ap"]) == ["mAP", "AP50", "AP75", "AP75_small", "AP75_medium", "AP75_large"]
    assert set(data["accuracy"]) == {"0.5", "0.75"}
    assert {"vi_split", "vi_merge", "adapted_rand_error"} < set(data)
    assert data["error_counts"] == {"correct": 1, "missed": 1}
    assert [one["kind"] for one in data["errors"]] == ["missed"]


def test_every_number_shown_has_a_full_name_and_a_definition() -> None:
    data = evaluate(blocks((1, 0, 10)), blocks((1, 0, 9))).to_json()
    shown = {*data["ap"], *data["accuracy"]["0.5"], *data["associations"]}
    shown |= {"vi_split", "vi_merge", "adapted_rand_error", "foreground_iou"}
    assert shown <= set(METRICS)
    assert all(metric.definition.endswith(".") for metric in METRICS.values())
