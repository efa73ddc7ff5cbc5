"""A clock that is set back, or was wrong: order, freshness and who lives do not hang on it."""

from __future__ import annotations

import io
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

import mitoem
from mitoem import jobs
from mitoem.jobs import registry, scoring, uploads

UNSHARE = ["unshare", "--user", "--map-root-user", "--mount"]

FUTURE, PAST = time.time() + 20 * 365 * 86_400, 86_400.0


@pytest.fixture
def root(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path
    jobs.stop_worker(tmp_path)


def dated(path: Path, when: float) -> None:
    """Everything there as if it had been written at that time of the clock."""
    for one in (path, *path.rglob("*")):
        os.utime(one, (when, when))


def test_a_process_is_the_same_one_after_the_clock_was_set(tmp_path: Path) -> None:
    own_disk = subprocess.run([*UNSHARE, "true"], check=False, capture_output=True)
    if sys.platform != "linux" or own_disk.returncode:
        pytest.skip("this machine lets nobody have another /proc/stat")
    # The kernel tells when the machine started by its clock: another time once that is set.
    stat = Path("/proc/stat").read_text()
    before = next(line for line in stat.splitlines() if line.startswith("btime"))
    (tmp_path / "stat").write_text(stat.replace(before, f"btime {int(before.split()[1]) - 7200}"))
    program = (
        "import json, sys, psutil; from mitoem.jobs import registry\n"
        "print(psutil.boot_time(), registry.alive(json.loads(sys.argv[1])))"
    )
    mount = f'mount --bind "{tmp_path}/stat" /proc/stat && exec "$@"'
    asked = [sys.executable, "-c", program, json.dumps(registry.identity())]
    done = subprocess.run(
        [*UNSHARE, "sh", "-c", mount, "sh", *asked],
        check=True, capture_output=True, text=True, cwd=Path(__file__).parents[1],
    )  # fmt: skip
    assert done.stdout.split() == [f"{int(before.split()[1]) - 7200}.0", "True"]


def test_runs_come_in_the_order_in_which_they_were_asked_for(root: Path) -> None:
    ids = []
    for when in (FUTURE, PAST, FUTURE / 2):
        run_id = jobs.submit(root, "probe", {"seconds": 0.0}, start=False)
        asked = registry.home(root) / run_id / "request.json"
        made = json.loads(asked.read_text())
        made["created"] = time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime(when))
        asked.write_text(json.dumps(made))
        dated(asked.parent, when)
        os.utime(registry.home(root) / ".queue" / run_id, (when, when))
        ids.append(run_id)
    assert [one.id for one in jobs.runs(root)] == ids[::-1]
    assert [jobs.status(root, one).place for one in ids] == [0, 1, 2]
    jobs.ensure_worker(root)
    done = [jobs.wait(root, one, seconds=30) for one in ids]
    assert [one.state for one in done] == ["done"] * 3
    assert [one.started for one in done] == sorted(one.started for one in done)


def test_uploads_of_a_clock_that_was_wrong_do_not_stay_for_years(root: Path) -> None:
    ages = {"now": 0.0, "hour ahead": 3600.0, "years ahead": FUTURE - time.time(), "old": -90_000.0}
    kept = {name: uploads.keep(root, "a.npy", io.BytesIO(b"abc")) for name in ages}
    for name, file in kept.items():
        dated(uploads.kept(root, file).parent, time.time() + ages[name])
    waits = uploads.keep(root, "a.npy", io.BytesIO(b"abc"))
    jobs.submit(root, "ingest", {"file": waits, "name": "one"}, start=False)
    dated(uploads.kept(root, waits).parent, FUTURE)
    uploads.tidy(root)
    there = {
        name for name, file in kept.items() if (uploads.home(root) / ".uploads" / file).exists()
    }
    assert there == {"now", "hour ahead"}
    assert uploads.kept(root, waits).is_file(), "a run in the queue needs it"


def test_tables_scores_and_sources_are_known_by_what_they_say(root: Path) -> None:
    rng = np.random.default_rng(1)
    labels = np.zeros((8, 64, 64), np.uint16)
    labels[2:6, 10:30, 10:30], labels[2:6, 40:60, 40:60] = 1, 2
    np.savez(root / "one.npz", image=rng.integers(0, 255, labels.shape, np.uint8), labels=labels)
    words = {"labels": [root / "one.npz"], "voxel_size": (30, 8, 8), "data": root / "data"}
    volume = mitoem.ingest("one", root / "one.npz", **words)
    mitoem.measure("one", data=root / "data")
    for scored in ("first", "second"):
        guess = np.where(labels == 1, 1, 0) if scored == "first" else labels
        volume = mitoem.add_labels("one", "run", guess, data=root / "data", overwrite=True)
        asked = {"volume": "one", "truth": "truth", "prediction": "run"}
        asked["versions"] = [volume.version(name) for name in ("truth", "run")]
        run_id = jobs.submit(root / "data", "evaluate", asked)
        assert jobs.wait(root / "data", run_id, seconds=60).state == "done"
        run_id = jobs.submit(root / "data", "evaluate", asked)
        assert jobs.wait(root / "data", run_id, seconds=60).state == "done"
        # The newest is the last one asked for, however the clock went.
        dated(registry.home(root / "data") / run_id, PAST)
        scores = registry.home(root / "data") / run_id / "scores.json"
        scores.unlink()
        jobs.scoring.made.keep_scores(scores.parent, {"which": scored})
        found = scoring.newest(root / "data", volume, "run", None)
        assert found is not None and found.scores == {"which": scored}
    jobs.stop_worker(root / "data")
    dated(root / "data" / "one", FUTURE)
    dated(root / "data" / "one" / "tables", PAST)
    assert len(mitoem.stored_table(volume, data=root / "data")) == 2
    os.utime(root / "one.npz", (PAST, PAST))
    said: list[str] = []
    mitoem.ingest("one", root / "one.npz", say=said.append, **words)
    assert any("complete already" in line for line in said)
    shutil.rmtree(root / "data")
