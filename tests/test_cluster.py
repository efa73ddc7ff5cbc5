"""The same work on a real Dask cluster on loopback: one scheduler, two workers."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import files
import numpy as np
import pandas as pd
import pytest

import mitoem
from mitoem import blocks, errors
from mitoem.cli import main


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


@pytest.fixture(scope="module")
def scheduler(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    port, here = _free_port(), tmp_path_factory.mktemp("dask")
    address = f"tcp://127.0.0.1:{port}"
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[1])}

    def start(program: str, *words: str) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", f"distributed.cli.{program}", *words, "--no-dashboard"]
        return subprocess.Popen(
            command, cwd=here, env=environment, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL
        )

    started = [start("dask_scheduler", "--host", "127.0.0.1", "--port", str(port))]
    started += [start("dask_worker", address, "--nthreads", "1") for _ in range(2)]
    try:
        _wait_for_workers(address, 2)
        yield address
    finally:
        for process in started:
            process.terminate()
        for process in started:
            process.wait(20)


def _wait_for_workers(address: str, count: int) -> None:
    from distributed import Client

    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        try:
            with Client(address, timeout=2, set_as_default=False) as client:
                client.wait_for_workers(count, timeout=30)
                return
        except OSError:
            time.sleep(0.2)
    raise AssertionError(f"no {count} workers at {address}")


def test_a_cluster_writes_the_same_bytes_as_this_process(scheduler: str, tmp_path: Path) -> None:
    shape = (300, 520, 40)
    np.savez(tmp_path / "b.npz", image=files.image(shape), labels=files.labels(shape))
    trees = []
    for root, where in ((tmp_path / "here", None), (tmp_path / "there", scheduler)):
        mitoem.ingest(
            "one", tmp_path / "b.npz", labels=[tmp_path / "b.npz"], voxel_size=(30, 8, 8),
            data=root, scheduler=where,
        )  # fmt: skip
        found = sorted(path for path in (root / "one").rglob("*") if path.is_file())
        trees.append({str(path.relative_to(root)): path.read_bytes() for path in found})
    assert trees[0] == trees[1]


def test_an_error_on_a_worker_arrives_as_it_was_raised(scheduler: str) -> None:
    def fail(number: int) -> int:
        raise errors.SourceUnreadable(f"unit {number}: expected 2 bytes, found 1")

    with pytest.raises(errors.SourceUnreadable, match="unit 3"):
        list(blocks.each(fail, [3], scheduler=scheduler))


def test_a_scheduler_that_is_not_there_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blocks, "CONNECT_SECONDS", 1)
    address = f"tcp://127.0.0.1:{_free_port()}"
    with pytest.raises(errors.SchedulerUnreachable, match=address):
        list(blocks.each(len, ["a"], scheduler=address))


def test_a_cluster_measures_the_same_table_as_this_process(
    scheduler: str, small_root: Path, tmp_path: Path
) -> None:
    shutil.copytree(small_root / "phantom-h", tmp_path / "phantom-h")
    ask = {"skeletons": True, "data": tmp_path}
    here = mitoem.measure("phantom-h", **ask)
    seen: list[float] = []
    there = mitoem.measure(
        "phantom-h", scheduler=scheduler, progress=lambda done, _: seen.append(done), **ask
    )
    pd.testing.assert_frame_equal(here, there, check_exact=True)
    assert there["length_um"].notna().all()
    assert seen == sorted(seen) and seen[-1] == 1


def test_the_command_line_measures_on_a_cluster_and_writes_the_same_bytes(
    scheduler: str, small_root: Path, tmp_path: Path
) -> None:
    written = []
    for where, words in (("here", []), ("there", ["--scheduler", scheduler])):
        shutil.copytree(small_root / "phantom-r", tmp_path / where / "phantom-r")
        data = ["--data", str(tmp_path / where), "--quiet"]
        assert main(["measure", "phantom-r/truth", "--skeletons", *words, *data]) == 0
        written.append((tmp_path / where / "phantom-r/tables/truth.parquet").read_bytes())
    assert written[0] == written[1]


def test_measuring_goes_to_the_cluster_that_the_environment_names(
    own_root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(blocks, "CONNECT_SECONDS", 1)
    address = f"tcp://127.0.0.1:{_free_port()}"
    monkeypatch.setenv("MITOEM_SCHEDULER", address)
    before = mitoem.table("phantom-h")
    with pytest.raises(errors.SchedulerUnreachable, match=address):
        mitoem.measure("phantom-h")
    pd.testing.assert_frame_equal(mitoem.table("phantom-h"), before, check_exact=True)


def test_measuring_on_a_cluster_stops_when_asked(scheduler: str, small_root: Path) -> None:
    seen: list[float] = []
    with pytest.raises(errors.RunCancelled):
        mitoem.measure(
            "phantom-h", scheduler=scheduler, skeletons=True, data=small_root,
            progress=lambda done, _: seen.append(done), cancelled=lambda: seen[-1:] > [0.3],
        )  # fmt: skip
    assert 0.3 < seen[-1] < 0.8, "it stopped among the skeletons"


def test_a_cluster_predicts_the_same_blocks_as_this_process(
    scheduler: str, small_root: Path, tmp_path: Path
) -> None:
    ask = {"box": mitoem.Box((0, 0, 0), (16, 96, 160)), "core": (8, 96, 96), "data": small_root}
    here = mitoem.predict_blocks("phantom-h", folder=tmp_path / "here", **ask)
    there = mitoem.predict_blocks(
        "phantom-h", folder=tmp_path / "there", scheduler=scheduler, **ask
    )
    assert here.blocks == 4
    np.testing.assert_array_equal(here.labels, there.labels)
