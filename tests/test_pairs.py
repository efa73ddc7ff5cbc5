"""Pairs of label sets as streams: the same scores from arrays, files and volumes, in any slabs."""

from __future__ import annotations

import shutil
from pathlib import Path

import files
import h5py
import numpy as np
import pytest
import tifffile

import mitoem
from mitoem import errors, front
from mitoem.front import pairs

SHAPE = (32, 384, 576)


@pytest.fixture
def root(small_root: Path, tmp_path: Path) -> Path:
    """``phantom-h`` with its truth moved by a voxel as labels ``run``, on sections 4 to 27."""
    shutil.copytree(small_root / "phantom-h", tmp_path / "phantom-h")
    volume = mitoem.open_volume("phantom-h", data=tmp_path)
    run = np.roll(volume.read(layer="truth"), 1, 2)[4:28]
    mitoem.add_labels(volume, "run", run, offset=(4, 0, 0), data=tmp_path)
    return tmp_path


def arrays(root: Path) -> tuple[np.ndarray, np.ndarray]:
    volume = mitoem.open_volume("phantom-h", data=root)
    return volume.read(layer="truth")[4:28], volume.read(layer="run")[4:28]


def test_arrays_files_and_label_sets_have_the_same_scores(root: Path) -> None:
    truth, run = arrays(root)
    expected = mitoem.evaluate(truth, run).to_json()
    with h5py.File(root / "truth.h5", "w") as file:
        file["main"] = truth
    tifffile.imwrite(root / "run.tif", run.astype(np.uint16))
    files.nifti(root / "run.nii.gz", run.astype(np.uint16))
    for other in (root / "run.tif", root / "run.nii.gz", run):
        assert mitoem.evaluate(root / "truth.h5", other).to_json() == expected
    found = mitoem.evaluate("phantom-h/truth", "phantom-h/run", data=root).to_json()
    assert found["counts"] == expected["counts"] and found["ap"] == expected["ap"]
    moved = [[z - 4, y, x] for z, y, x in (one["point"] for one in found["errors"])]
    assert moved == [list(one["point"]) for one in expected["errors"]], "places in the volume"


@pytest.mark.parametrize("voxels", [1, 3 * SHAPE[1] * SHAPE[2], 2**30])
def test_the_slabs_change_no_score(
    root: Path, monkeypatch: pytest.MonkeyPatch, voxels: int
) -> None:
    truth, run = arrays(root)
    tifffile.imwrite(root / "run.tif", run.astype(np.uint16))
    expected = mitoem.evaluate(truth, run).to_json()
    monkeypatch.setattr(pairs, "SLAB_VOXELS", voxels)
    seen: list[float] = []
    found = mitoem.evaluate(truth, root / "run.tif", progress=lambda done, _: seen.append(done))
    assert found.to_json() == expected
    assert seen == sorted(seen) and seen[-1] == 1


def test_a_heat_map_ranks_the_prediction_of_a_part_of_a_volume(root: Path) -> None:
    truth, run = arrays(root)
    heat = np.random.default_rng(0).random(run.shape)
    by_array = mitoem.evaluate(truth, run, scores=heat).ap
    named = mitoem.evaluate("phantom-h/truth", "phantom-h/run", scores=heat, data=root).ap
    assert by_array == named


def test_streams_of_other_lengths_are_cut_to_the_same_sections() -> None:
    labels = np.arange(10, dtype=np.uint32)[:, None, None] + np.zeros((10, 2, 3), np.uint32)
    one = pairs.Side((10, 2, 3), lambda _: iter(np.split(labels, [1, 4, 9])))
    other = pairs.Side((10, 2, 3), lambda _: iter(np.split(labels, [2, 3])))
    table = front.overlap(one, other)
    assert table.truth.tolist() == table.prediction.tolist() == list(range(10))
    assert table.voxels.tolist() == [6] * 10


def test_shapes_that_differ_are_named_before_anything_is_read(root: Path) -> None:
    truth, _ = arrays(root)
    with pytest.raises(errors.ShapeMismatch, match=r"24, 384, 576.*23, 384, 576"):
        mitoem.evaluate(truth, truth[1:])


def test_scoring_stops_when_asked(root: Path) -> None:
    truth, run = arrays(root)
    with pytest.raises(errors.RunCancelled, match="section 0 of 24"):
        mitoem.evaluate(truth, run, cancelled=lambda: True)
