"""A Dask cluster whose workers are shot, one or all, or whose scheduler is."""

from __future__ import annotations

import hashlib
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import files
import numpy as np
import pytest

import mitoem
from mitoem import blocks, checking, errors

ROOT = Path(__file__).parents[1]

ALL = os.environ.get("MITOEM_FAULTS") == "all"


class Cluster:
    """A scheduler and workers on loopback, each a process that may be shot."""

    def __init__(self, here: Path) -> None:
        self.here = here
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        self.address = f"tcp://127.0.0.1:{port}"
        self.scheduler = self._start("dask_scheduler", "--host", "127.0.0.1", "--port", str(port))
        self.workers: list[subprocess.Popen[bytes]] = []

    def add(self, count: int) -> None:
        """Start workers, and return when they have joined."""
        from distributed import Client

        new = [self._start("dask_worker", self.address, "--no-nanny", "--nthreads", "1")
               for _ in range(count)]  # fmt: skip
        self.workers += new
        with Client(self.address, timeout=60, set_as_default=False) as client:
            client.wait_for_workers(sum(one.poll() is None for one in self.workers), timeout=60)

    def shoot(self, count: int) -> None:
        """Kill so many workers, the first first."""
        for one in self.workers[:count]:
            one.send_signal(signal.SIGKILL)
            one.wait(10)
        del self.workers[:count]

    def end(self) -> None:
        """Kill what is left."""
        for one in (*self.workers, self.scheduler):
            one.kill()
            one.wait(10)

    def _start(self, program: str, *words: str) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [sys.executable, "-m", f"distributed.cli.{program}", *words, "--no-dashboard"],
            cwd=self.here, env=os.environ | {"PYTHONPATH": str(ROOT)},
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    made = Cluster(tmp_path)
    try:
        made.add(2)
        yield made
    finally:
        made.end()


@contextmanager
def meanwhile(work: Callable[[], None], when: Callable[[], bool]) -> Iterator[None]:
    """Do something in another thread as soon as something else is so."""

    def wait() -> None:
        end = time.monotonic() + 60
        while not when() and time.monotonic() < end:
            time.sleep(0.005)
        work()

    thread = threading.Thread(target=wait)
    thread.start()
    yield
    thread.join()


def tree(root: Path) -> dict[str, str]:
    found = sorted(path for path in root.rglob("*") if path.is_file())
    return {
        path.relative_to(root).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in found
    }


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """Four units of work."""
    shape = (500, 300, 40)
    np.savez(tmp_path / "b.npz", image=files.image(shape), labels=files.labels(shape))
    return tmp_path / "b.npz"


def ingest(source: Path, root: Path, scheduler: str | None) -> None:
    mitoem.ingest(
        "one", source, labels=[source], voxel_size=(30, 8, 8), data=root, scheduler=scheduler
    )


def test_when_one_worker_is_shot_the_other_ends_the_work_to_the_same_bytes(
    cluster: Cluster, source: Path, tmp_path: Path
) -> None:
    ingest(source, tmp_path / "here", None)
    mitoem.measure("one", skeletons=True, data=tmp_path / "here")
    there = tmp_path / "there"
    with meanwhile(lambda: cluster.shoot(1), lambda: any(there.rglob(".units/*.npz"))):
        ingest(source, there, cluster.address)
    assert tree(there / "one") != {}
    cluster.add(1)
    seen: list[float] = []
    with meanwhile(lambda: cluster.shoot(1), lambda: bool(seen) and seen[-1] > 0):
        mitoem.measure(
            "one", skeletons=True, data=there, scheduler=cluster.address,
            progress=lambda done, _: seen.append(done),
        )  # fmt: skip
    assert tree(there / "one") == tree(tmp_path / "here" / "one")


@pytest.mark.parametrize("shot", ["workers", "scheduler"] if ALL else ["workers"])
def test_a_cluster_that_is_gone_is_named_in_time_and_leaves_nothing_half_there(
    shot: str, cluster: Cluster, source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(blocks, "WORKERS_SECONDS", 2.0)
    monkeypatch.setattr(blocks, "CONNECT_SECONDS", 5)
    there = tmp_path / "there"
    end = (lambda: cluster.shoot(2)) if shot == "workers" else cluster.scheduler.kill
    began = time.monotonic()
    with (
        meanwhile(end, lambda: any(there.rglob(".units/*.npz"))),
        pytest.raises(errors.SchedulerUnreachable, match=cluster.address),
    ):
        ingest(source, there, cluster.address)
    assert time.monotonic() - began < 30
    assert mitoem.volumes(data=there) == []
    ingest(source, there, None)
    wrong = checking.check(mitoem.open_volume("one", data=there), deep=True, data=there)
    assert [one.message for one in wrong] == ["labels 'truth' are not measured yet"]
