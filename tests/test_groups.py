"""Accuracy by category of the truth, and the scores of what no face of the box cuts."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

import mitoem
from mitoem import tables
from mitoem.jobs import scoring
from mitoem.jobs.job import Job
from mitoem.scores import METRICS, Accuracy, Cut, contingency, evaluate, evaluate_table
from mitoem.scores.complete import cut_of

Array = npt.NDArray[np.uint32]

ids = st.sampled_from([0, 0, 1, 2, 3, 7, 2**32 - 1])
labels = arrays(np.uint32, (3, 4, 5), elements=ids, fill=st.just(0))
known = st.dictionaries(ids, st.one_of(st.just(math.nan), st.floats(0, 6)))
laws = settings(deadline=None, max_examples=60)


def row(*spans: tuple[int, int, int], length: int = 40) -> Array:
    """Voxels with ``id`` from ``start`` up to ``stop`` along x, away from the other faces."""
    found = np.zeros((3, 3, length), np.uint32)
    for one, start, stop in spans:
        found[1, 1, start:stop] = one
    return found


def counts(found: tuple[Accuracy, ...]) -> list[tuple[int, int, int]]:
    """TP, FP and FN at each threshold."""
    return [(o.true_positives, o.false_positives, o.false_negatives) for o in found]


def test_truth_counts_by_its_length_and_a_prediction_with_its_longest_truth() -> None:
    truth = row((1, 0, 10), (2, 12, 22), (3, 24, 34), (4, 36, 39))
    prediction = row((11, 0, 10), (12, 12, 15), (13, 24, 30), (14, 30, 34), (15, 22, 24))
    prediction[1, 1, 36:38] = 16
    lengths = {1: 0.999, 2: 1.0, 3: 4.0, 4: math.nan, 99: 2.0}
    by = evaluate(truth, prediction, lengths=lengths).accuracy_by_length
    assert by is not None
    assert {name: counts(found) for name, found in by.items()} == {
        "short": [(1, 1, 0), (1, 1, 0)],  # 15 is invented: it goes to the shortest
        "medium": [(0, 1, 1), (0, 1, 1)],
        "long": [(1, 1, 0), (0, 2, 1)],  # 13 and 14 share truth 3
        "unmeasured": [(1, 0, 0), (0, 1, 1)],
    }
    short = by["short"][0]
    assert (short.accuracy, short.precision, short.recall) == (0.5, 0.5, 1)
    assert (short.f1, short.panoptic_quality) == pytest.approx((2 / 3, 2 / 3))
    assert short.mean_iou == 1 and by["long"][0].mean_iou == pytest.approx(0.6)
    assert by["unmeasured"][0].mean_iou == pytest.approx(2 / 3)


def test_a_hit_counts_where_the_truth_belongs_and_a_miss_of_a_merge_with_the_longest() -> None:
    truth, prediction = row((1, 0, 10), (2, 10, 16)), row((9, 0, 16))
    by = evaluate(truth, prediction, lengths={1: 0.5, 2: 5}).accuracy_by_length
    assert by is not None and list(by) == ["short", "medium", "long"]
    assert counts(by["short"]) == [(1, 0, 0), (0, 0, 1)]
    assert counts(by["long"]) == [(0, 0, 1), (0, 1, 1)]
    assert by["medium"][0].f1 == -1, "no truth of that length"


def test_size_classes_end_with_their_limits_as_those_of_ap_do() -> None:
    truth = row((1, 0, 3), (2, 4, 8), (3, 9, 15), (4, 16, 23))
    by = evaluate(truth, truth, size_thresholds=(3, 6)).accuracy_by_size
    assert {name: found[0].true_positives for name, found in by.items()} == {
        "small": 1,
        "medium": 2,
        "large": 1,
    }


@laws
@given(labels, labels, known)
def test_the_counts_of_the_categories_add_up(
    truth: Array, prediction: Array, lengths: dict[int, float]
) -> None:
    scores = evaluate(truth, prediction, size_thresholds=(3, 8), lengths=lengths)
    assert scores.accuracy_by_length is not None
    for by in (scores.accuracy_by_size, scores.accuracy_by_length):
        added = np.sum([counts(found) for found in by.values()], axis=0)
        assert added.tolist() == [list(one) for one in counts(scores.accuracy)]
    unknown = [one for one in np.unique(truth[truth > 0]) if math.isnan(lengths.get(one, math.nan))]
    assert ("unmeasured" in scores.accuracy_by_length) == bool(unknown)


@laws
@given(labels, labels)
def test_one_category_for_all_has_the_scores_without_categories(
    truth: Array, prediction: Array
) -> None:
    lengths = dict.fromkeys(np.unique(truth).tolist(), 0.1)
    scores = evaluate(truth, prediction, lengths=lengths)
    assert scores.accuracy_by_length is not None
    assert scores.accuracy_by_length["short"] == scores.accuracy


@laws
@given(labels, labels, known, st.integers(1, 2))
def test_tables_of_blocks_have_the_scores_of_the_whole(
    truth: Array, prediction: Array, lengths: dict[int, float], z: int
) -> None:
    whole, cut = contingency(truth, prediction), cut_of(truth, prediction)
    added = contingency(truth[:z], prediction[:z]) + contingency(truth[z:], prediction[z:])
    one, other = (
        evaluate_table(table, size_thresholds=(3, 8), lengths=lengths, cut=cut).to_json()
        for table in (whole, added)
    )
    for name in ("accuracy_by_size", "accuracy_by_length", "complete"):
        assert one[name] == other[name]


def test_what_a_face_cuts_is_left_out_and_counted() -> None:
    truth = row((1, 0, 10), (2, 12, 22), (3, 26, 38))
    prediction = row((11, 0, 5), (13, 5, 9), (12, 9, 22), (15, 22, 26), (14, 28, 40))
    prediction[0, 1, 2:5] = 17
    found = evaluate(truth, prediction, complete=True).complete
    assert found is not None
    assert found.excluded_truth == 1
    assert found.excluded_predicted == 3, "11 and 13 lie in 1, 17 in the background at a face"
    assert counts(found.accuracy) == [(2, 1, 0), (1, 2, 1)]
    assert found.accuracy[0].mean_iou == pytest.approx((10 / 13 + 10 / 14) / 2), "sizes stay"
    assert found.ap.every[0] == pytest.approx(1)
    assert found.ap.every[5] == pytest.approx(51 / 101), "of two one is found, first of all"
    assert found.to_json()["excluded"] == {"truth": 1, "predicted": 3}


@laws
@given(labels, labels)
def test_where_nothing_is_cut_the_scores_are_those_of_everything(
    truth: Array, prediction: Array
) -> None:
    wide = evaluate(np.pad(truth, 1), np.pad(prediction, 1), size_thresholds=(3, 8), complete=True)
    assert wide.complete is not None
    assert (wide.complete.ap, wide.complete.accuracy) == (wide.ap, wide.accuracy)
    assert (wide.complete.excluded_truth, wide.complete.excluded_predicted) == (0, 0)


@laws
@given(labels, labels)
def test_what_is_left_out_is_what_the_rule_says(truth: Array, prediction: Array) -> None:
    cut = Cut(np.array([1, 7], np.uint32), np.array([2, 7], np.uint32))
    found = evaluate_table(contingency(truth, prediction), cut=cut).complete
    assert found is not None
    assert found.excluded_truth == len({1, 7} & set(truth.flat))
    excluded = 0
    for one in set(prediction[prediction > 0].tolist()):
        homes, shares = np.unique(truth[prediction == one], return_counts=True)
        best = homes[shares == shares.max()]
        home = min(best[best > 0], default=0)
        excluded += home in (1, 7) or (home == 0 and one in (2, 7))
    assert found.excluded_predicted == excluded


def test_the_json_names_what_is_unknown_null_and_is_itself_without_nan() -> None:
    truth, prediction = row((1, 0, 10), (2, 12, 20)), row((1, 0, 9))
    bare = evaluate(truth, prediction).to_json()
    assert bare["accuracy_by_length"] is bare["complete"] is None
    full = evaluate(truth, prediction, lengths={1: 2.0, 2: math.nan}, complete=True).to_json()
    full = json.loads(json.dumps(full, allow_nan=False))
    assert list(full["accuracy_by_size"]) == ["small", "medium", "large"]
    assert list(full["accuracy_by_length"]) == ["short", "medium", "long", "unmeasured"]
    assert full["accuracy_by_length"]["medium"]["0.75"] == full["accuracy"]["0.75"] | {
        "false_negatives": 0, "accuracy": 1, "recall": 1, "f1": 1, "panoptic_quality": 0.9,
    }  # fmt: skip
    assert set(full["complete"]) == {"accuracy", "ap", "excluded"}
    assert list(full["complete"]["ap"]) == list(full["ap"])
    assert {"accuracy_by_size", "accuracy_by_length", "complete"} <= set(METRICS)


def test_lengths_of_the_measured_truth_are_used_unasked_while_they_are_current(
    tmp_path: Path,
) -> None:
    truth = np.zeros((10, 60, 60), np.uint32)
    truth[3:7, 20:30, 10:50] = 3
    np.savez(tmp_path / "one.npz", image=truth.astype(np.uint8), labels=truth)
    source = tmp_path / "one.npz"
    mitoem.ingest("one", source, labels=[source], voxel_size=(30.0, 30.0, 30.0), data=tmp_path)
    mitoem.add_labels("one", "run", truth, data=tmp_path)

    def medium() -> tuple[float, float] | None:
        """True positives of medium length, by the front door and by the job."""
        found = mitoem.evaluate("one/truth", "one/run", data=tmp_path).to_json()
        request = {"volume": "one", "truth": "truth", "prediction": "run"}
        scoring.run(Job(tmp_path, tmp_path, request, lambda *_: None, lambda: False))
        written = json.loads((tmp_path / "scores.json").read_text())
        both = [one["accuracy_by_length"] for one in (found, written)]
        if None in both:
            assert both == [None, None]
            return None
        one, other = (by["medium"]["0.75"]["true_positives"] for by in both)
        return one, other

    assert medium() is None, "measured without skeletons"
    assert 1 < mitoem.measure("one", skeletons=True, data=tmp_path)["length_um"].iloc[0] < 4
    assert medium() == (1, 1)
    given = mitoem.evaluate("one/truth", truth, lengths={3: 9.0}, data=tmp_path)
    assert given.accuracy_by_length is not None
    assert given.accuracy_by_length["long"][0].true_positives == 1, "what is given comes first"
    truth[1, 2:50:3, 2] = 70_000
    mitoem.add_labels("one", "truth", truth, data=tmp_path, overwrite=True)
    assert tables.provenance(tmp_path / "one/tables", "truth") is not None
    assert medium() is None, "the table is of other labels"
