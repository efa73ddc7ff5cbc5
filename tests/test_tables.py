"""Stored tables: never stale, never poorer than before without a word, and of one definition."""

from __future__ import annotations

import hashlib
import io
import json
from pathlib import Path
from typing import get_args

import numpy as np
import pandas as pd
import pytest
from scipy import ndimage

import mitoem
from mitoem import jobs, morphometry, tables
from mitoem.errors import RequestInvalid, RunCancelled
from mitoem.front.downloads import Kind
from mitoem.jobs import measuring
from mitoem.jobs.job import Job
from mitoem.manifest import SEAL, sealed
from mitoem.version import versions

VOXEL = (30.0, 8.0, 8.0)

GOLDEN = {2: "b9a6dd952b0dc76b"}
"""Version of the table → digest of the numbers that it gives for ``golden``. A change of a column's
numbers needs a new version, so that tables on disk are measured again."""


def golden() -> pd.DataFrame:
    """A small table that has every kind of column."""
    rng = np.random.default_rng(11)
    labels, _ = ndimage.label(ndimage.gaussian_filter(rng.normal(size=(14, 60, 66)), (1, 4, 4)) > 0)
    image = rng.integers(0, 256, labels.shape).astype(np.uint8)
    return morphometry.measure(labels, image, voxel_size=VOXEL, skeletons=True)


def test_numbers_do_not_change_without_a_new_version_of_the_table() -> None:
    text = golden().to_csv(index=False, float_format="%.6g")
    digest = hashlib.sha256(text.encode()).hexdigest()[:16]
    assert {tables.TABLE_VERSION: digest}.items() <= GOLDEN.items()


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Volume ``one``: a bar and a point."""
    labels = np.zeros((10, 60, 60), np.uint8)
    labels[3:7, 20:30, 10:50] = 3
    labels[5, 50, 50] = 9
    np.savez(tmp_path / "one.npz", image=labels * 20, labels=labels)
    source = tmp_path / "one.npz"
    mitoem.ingest("one", source, labels=[source], voxel_size=VOXEL, data=tmp_path)
    return tmp_path


def note(root: Path) -> dict[str, object]:
    found: dict[str, object] = json.loads((root / "one/tables/truth.json").read_text())
    return found


def test_lengths_are_kept_when_a_table_is_measured_again(root: Path) -> None:
    assert mitoem.table("one", data=root)["length_um"].isna().all()
    assert mitoem.measure("one", skeletons=True, data=root)["length_um"].notna().all()
    assert mitoem.measure("one", data=root)["length_um"].notna().all()
    assert note(root)["skeletons"] is True
    assert mitoem.measure("one", skeletons=False, data=root)["length_um"].isna().all()
    assert mitoem.measure("one", data=root)["length_um"].isna().all()


@pytest.mark.parametrize("changed", ["measured_from", "table_version"])
def test_a_table_of_other_labels_or_other_code_is_measured_again(root: Path, changed: str) -> None:
    fresh = mitoem.measure("one", skeletons=True, data=root)
    file = root / "one/tables/truth.json"
    stale = fresh.assign(volume_um3=0.0)
    content = tables.to_parquet(stale)
    (root / "one/tables/truth.parquet").write_bytes(content)
    sha256 = hashlib.sha256(content).hexdigest()
    file.write_text(json.dumps(sealed(note(root) | {"sha256": sha256})))
    assert mitoem.table("one", data=root).equals(stale), "a current table is taken as it is"
    file.write_text(json.dumps(sealed(note(root) | {changed: "another"})))
    pd.testing.assert_frame_equal(mitoem.table("one", data=root), fresh, check_exact=True)


def test_labels_that_were_written_anew_are_measured_anew_with_lengths_as_before(root: Path) -> None:
    before = mitoem.measure("one", skeletons=True, data=root)
    labels = np.zeros((10, 60, 60), np.uint32)
    labels[2:8, 10:40, 10:30] = 70_000
    mitoem.add_labels("one", "truth", labels, data=root, overwrite=True)
    after = mitoem.table("one", data=root)
    assert (before["instance_id"].tolist(), after["instance_id"].tolist()) == ([3, 9], [70_000])
    assert after["length_um"].notna().all()


def test_the_same_labels_with_more_around_them_are_measured_anew(root: Path) -> None:
    body = np.ones((2, 8, 8), np.uint8)
    mitoem.add_labels("one", "mine", body, offset=(4, 30, 30), kind="prediction", data=root)
    assert mitoem.table("one", "mine", data=root)["touches_border"].all()
    around = np.pad(body, 1)
    mitoem.add_labels(
        "one", "mine", around, offset=(3, 29, 29), kind="prediction", overwrite=True, data=root
    )
    assert not mitoem.table("one", "mine", data=root)["touches_border"].any()


@pytest.mark.parametrize(("said", "column"), [("voxel_size_nm", "volume_um3"), ("splits", "split")])
def test_a_volume_of_which_something_else_is_said_is_measured_anew(
    root: Path, said: str, column: str
) -> None:
    before = mitoem.table("one", data=root)[column]
    file = root / "one/volume.json"
    info = json.loads(file.read_text())
    info[said] = {"voxel_size_nm": [60, 8, 8],
                  "splits": [{"name": "test", "start": 0, "stop": 10}]}[said]  # fmt: skip
    del info[SEAL]
    file.write_text(json.dumps(info))
    after = mitoem.table("one", data=root)[column]
    if column == "split":
        assert set(before) == {"none"} and set(after) == {"test"}
    else:
        np.testing.assert_allclose(after, 2 * before)


def test_a_download_says_with_what_it_was_measured(root: Path) -> None:
    mitoem.measure("one", data=root)
    file = root / "one/tables/truth.json"
    assert note(root)["measured_with"] == versions()
    old = {"measured_with": {"mitoem": "0.0.1"}}
    file.write_text(json.dumps(sealed(note(root) | old)))
    told = json.loads(mitoem.download("one", data=root).sidecar)
    assert old.items() <= told.items()
    assert told["versions"] != old["measured_with"]


def test_a_run_measures_lengths_when_it_is_asked_to(root: Path) -> None:
    try:
        ask = {"volume": "one", "labels": "truth", "skeletons": True}
        run = jobs.submit(root, "measure", ask)
        assert jobs.wait(root, run, seconds=60).result == {"instances": 2}
        assert mitoem.table("one", data=root)["length_um"].notna().all()
        with pytest.raises(RequestInvalid, match="skeletons"):
            jobs.submit(root, "measure", ask | {"skeletons": "yes"})
    finally:
        jobs.stop_worker(root)


def test_a_run_tells_how_far_it_is_and_once_cancelled_leaves_the_table_as_it_was(
    own_root: Path,
) -> None:
    before = mitoem.table("phantom-h")
    seen: list[float] = []

    def job(until: float) -> Job:
        return Job(
            own_root, own_root, {"volume": "phantom-h", "labels": "truth", "skeletons": True},
            lambda done, _: seen.append(done), lambda: seen[-1:] > [until],
        )  # fmt: skip

    with pytest.raises(RunCancelled):
        measuring.run(job(0.3))
    assert 0.3 < seen[-1] < 0.8, "it stopped among the skeletons"
    assert mitoem.table("phantom-h").equals(before)
    seen.clear()
    assert measuring.run(job(1)) == {"instances": len(before)}
    assert seen == sorted(seen) and seen[-1] == 1
    assert mitoem.table("phantom-h")["length_um"].notna().all()


def test_a_labelled_part_without_an_instance_gives_a_table_without_rows(root: Path) -> None:
    file = root / "one/volume.json"
    info = json.loads(file.read_text())
    info["labels"][0]["coverage"] = [[[0, 0, 0], [3, 60, 60]]]
    del info[SEAL]
    file.write_text(json.dumps(info))
    assert mitoem.measure("one", skeletons=True, data=root).empty
    for kind in get_args(Kind):
        found = mitoem.download("one", kind=kind, filter="volume_um3 > 0", data=root)
        assert (found.rows, found.total) == (0, 0)
        read = pd.read_csv if kind == "csv" else pd.read_parquet
        assert list(read(io.BytesIO(found.content))) == [one.name for one in morphometry.COLUMNS]
