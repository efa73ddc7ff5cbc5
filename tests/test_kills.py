"""Commands that are killed at any moment: nothing is lost, nothing half there, the end the same.

``MITOEM_KILLS=20`` makes it twenty kills of each command; the usual is one.
"""

from __future__ import annotations

import hashlib
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

import mitoem
from mitoem import jobs

KILLS = int(os.environ.get("MITOEM_KILLS", "1"))

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="SIGKILL is of POSIX systems")


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A grey stack with blobs, and their labels."""
    at = tmp_path_factory.mktemp("sources")
    rng = np.random.default_rng(4)
    image = rng.integers(60, 200, (48, 384, 384), np.uint8)
    labels = np.zeros(image.shape, np.uint16)
    for one in range(1, 60):
        z, y, x = (int(rng.integers(0, n - 30)) for n in (48 + 20, 384, 384))
        labels[z : z + 8, y : y + 25, x : x + 25] = one
    image[labels > 0] //= 2
    np.save(at / "image.npy", image)
    np.save(at / "labels.npy", labels)
    return at


def words(command: str, sources: Path) -> list[str]:
    return {
        "ingest": ["ingest", "one", "--image", str(sources / "image.npy"), "--labels",
                   str(sources / "labels.npy"), "--voxel-size", "30,8,8"],
        "measure": ["measure", "one"],
        "predict": ["predict", "one", "--box", "0:32,0:256,0:256", "--save", "found",
                    "--overwrite"],
        "blocks": ["predict", "one", "--blocks", "--save", "found", "--overwrite"],
    }[command]  # fmt: skip


def start(asked: Sequence[str], root: Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "mitoem", *asked, "--data", str(root), "--quiet"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )


def finish(asked: Sequence[str], root: Path) -> float:
    """Run a command to its end; seconds that it took."""
    began = time.monotonic()
    running = start(asked, root)
    _, told = running.communicate(timeout=300)
    assert running.returncode == 0, told.decode()
    return time.monotonic() - began


def digest(root: Path) -> str:
    """Of all voxels, all metadata of arrays, and all numbers of tables."""
    found = hashlib.sha256()
    for path in sorted((root / "one" / "image.zarr").rglob("*")):
        if path.is_file():
            found.update(f"{path.relative_to(root)}".encode() + path.read_bytes())
    for one in mitoem.open_volume("one", data=root).info.labels:
        found.update(mitoem.download("one", one.name, data=root).content)
    return found.hexdigest()


@pytest.mark.parametrize("command", ["ingest", "measure", "predict", "blocks"])
def test_a_killed_command_is_as_if_it_had_never_begun_or_ended(
    command: str, sources: Path, tmp_path: Path
) -> None:
    before = tmp_path / "before"
    before.mkdir()
    if command != "ingest":
        finish([*words("ingest", sources), "--no-measure"], before)
    whole = tmp_path / "whole"
    subprocess.run(["cp", "-r", str(before), str(whole)], check=True)
    seconds = finish(words(command, sources), whole)
    wanted, draw = digest(whole), random.Random(command)
    root = tmp_path / "root"
    subprocess.run(["cp", "-r", str(before), str(root)], check=True)
    for _ in range(KILLS):
        running = start(words(command, sources), root)
        time.sleep(draw.uniform(0.2, 1.0) * seconds)
        os.killpg(running.pid, signal.SIGKILL)
        running.communicate()
        for name in mitoem.volumes(data=root):
            check = subprocess.run(
                [sys.executable, "-m", "mitoem", "check", name, "--deep", "--data", str(root)],
                capture_output=True, text=True, check=False,
            )  # fmt: skip
            assert check.returncode == 0, f"{check.stdout}{check.stderr}"
    finish(words(command, sources), root)
    assert digest(root) == wanted
    left = [one.name for one in root.iterdir() if "partial" in one.name]
    assert not left, "nothing half made stays behind"


def test_a_killed_worker_leaves_runs_that_can_be_asked_again(sources: Path, tmp_path: Path) -> None:
    finish([*words("ingest", sources), "--no-measure"], tmp_path)
    asked = {"volume": "one", "box": "0:32,0:256,0:256"}
    first = jobs.submit(tmp_path, "predict", asked)
    whole = jobs.wait(tmp_path, first, seconds=120)
    assert whole.state == "done"
    labels = (jobs.directory(tmp_path, first) / "labels.npy").read_bytes()
    draw = random.Random(7)
    for _ in range(KILLS):
        run = jobs.submit(tmp_path, "predict", asked)
        time.sleep(draw.uniform(0.0, 1.5))
        living = jobs.registry.worker(tmp_path)
        if living:
            os.kill(int(living["who"][0]), signal.SIGKILL)
        while not jobs.status(tmp_path, run).finished:
            jobs.ensure_worker(tmp_path)
            time.sleep(0.05)
        assert jobs.status(tmp_path, run).state in ("done", "interrupted")
        again = jobs.wait(tmp_path, jobs.resubmit(tmp_path, run), seconds=120)
        assert again.state == "done"
        assert (jobs.directory(tmp_path, again.id) / "labels.npy").read_bytes() == labels
    jobs.stop_worker(tmp_path)
