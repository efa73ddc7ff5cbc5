"""The challenge's zip: right names, key, shape and voxels, or a named error and no file."""

from __future__ import annotations

import shutil
import zipfile
from pathlib import Path

import h5py
import numpy as np
import pytest

import mitoem
from mitoem import errors
from mitoem.cli import main
from mitoem.front.challenge import Challenge

SMALL = Challenge((32, 384, 576), 16)


@pytest.fixture
def root(small_root: Path, tmp_path: Path) -> Path:
    """Both phantoms, each with a prediction ``run`` whose ids of H need 32 bits."""
    for name, more in (("phantom-h", 100_000), ("phantom-r", 0)):
        shutil.copytree(small_root / name, tmp_path / name)
        volume = mitoem.open_volume(name, data=tmp_path)
        labels = volume.read(layer="truth")
        run = np.where(labels > 0, labels + more, 0).astype(np.uint32)
        mitoem.add_labels(volume, "run", run, data=tmp_path)
    return tmp_path


def test_a_submission_holds_the_scored_sections_of_both_volumes(root: Path) -> None:
    seen: list[float] = []
    written = mitoem.submission(
        root / "out.zip", human="phantom-h/run", rat="phantom-r/run", challenge=SMALL, data=root,
        progress=lambda done, _: seen.append(done),
    )  # fmt: skip
    assert seen == sorted(seen) and seen[-1] == 1
    with zipfile.ZipFile(root / "out.zip") as file:
        assert file.namelist() == ["0_human_instance_seg_pred.h5", "1_rat_instance_seg_pred.h5"]
        file.extractall(root / "out")
    for name, one, dtype in zip(("phantom-h", "phantom-r"), written, ("<u4", "u2"), strict=True):
        with h5py.File(root / "out" / one.file) as file:
            assert list(file) == ["main"]
            found = file["main"][:]
        expected = mitoem.open_volume(name, data=root).read(layer="run")[16:]
        assert found.dtype == np.dtype(dtype) and np.array_equal(found, expected)
        assert one.instances == len(np.unique(expected)) - 1


def test_labels_that_leave_scored_sections_out_are_refused_with_both_boxes(root: Path) -> None:
    volume = mitoem.open_volume("phantom-r", data=root)
    mitoem.add_labels(volume, "half", volume.read(layer="truth")[:24], data=root)
    with pytest.raises(errors.ShapeMismatch, match=r"half covers 0:24.*expected all of 16:32"):
        mitoem.submission(
            root / "out.zip", human="phantom-h/run", rat="phantom-r/half", challenge=SMALL,
            data=root,
        )  # fmt: skip
    assert not [*root.glob("*.zip"), *root.glob(".submission*")]


def test_the_command_refuses_volumes_that_are_not_of_the_challenge(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["export", "--human", "phantom-h/run", "--rat", "phantom-r/run", "--data", str(root)]
    assert main([*words, "--submission", str(root / "out.zip")]) == 1
    told = capsys.readouterr().err
    assert "(32, 384, 576)" in told and "(1000, 4096, 4096)" in told
    assert main([*words, "--submission", str(root / "out.tar")]) == 1
    assert "expected .zip" in capsys.readouterr().err
    assert not [*root.glob("*.zip")]
