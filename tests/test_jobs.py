"""The queue, its worker process, and what is left when either is killed."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from itertools import pairwise
from pathlib import Path

import numpy as np
import psutil
import pytest

import mitoem
from mitoem import jobs
from mitoem.errors import NameInvalid, RequestInvalid, RunNotFound
from mitoem.jobs.registry import alive, read_json, worker
from mitoem.jobs.worker import _Record


@pytest.fixture
def root(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path
    jobs.stop_worker(tmp_path)


@pytest.fixture(scope="module")
def busy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """One root, with its worker, for the tests that leave it in peace."""
    path = tmp_path_factory.mktemp("busy")
    yield path
    jobs.stop_worker(path)


def until(root: Path, run_id: str, state: str, *, seconds: float = 20) -> jobs.RunState:
    end = time.monotonic() + seconds
    while (now := jobs.status(root, run_id)).state != state:
        assert time.monotonic() < end, f"{now} never became {state}"
        time.sleep(0.01)
    return now


def kill(root: Path) -> None:
    process = psutil.Process(int(worker(root)["who"][0]))
    process.kill()
    process.wait(5)


def test_a_run_goes_from_the_queue_to_done(busy: Path) -> None:
    run_id = jobs.submit(busy, "probe", {"seconds": 0.3})
    first = jobs.status(busy, run_id)
    done = jobs.wait(busy, run_id, seconds=20)
    assert first.state in ("queued", "running")
    assert (done.state, done.progress, done.place, done.error) == ("done", 1.0, None, "")
    assert done.result["seconds"] >= 0.3
    times = [datetime.fromisoformat(t) for t in (done.created, done.started, done.ended)]
    assert times == sorted(times) and all(t.tzinfo is not None for t in times)


def test_a_warm_worker_takes_a_run_within_100_ms_and_is_niced(busy: Path) -> None:
    jobs.wait(busy, jobs.submit(busy, "probe", {"seconds": 0}), seconds=20)
    assert psutil.Process(int(worker(busy)["who"][0])).nice() >= 10
    waits = []
    for _ in range(5):
        begin = time.perf_counter()
        jobs.wait(busy, jobs.submit(busy, "probe", {"seconds": 0}), seconds=20)
        waits.append(time.perf_counter() - begin)
    assert sorted(waits)[2] < 0.1, waits


def test_runs_are_done_in_the_order_they_came_and_know_their_place(busy: Path) -> None:
    ids = [jobs.submit(busy, "probe", {"seconds": 0.4}) for _ in range(3)]
    until(busy, ids[0], "running")
    places = [jobs.status(busy, i).place for i in ids]
    assert places == [0, 1, 2]
    states = [jobs.wait(busy, i, seconds=20) for i in ids]
    assert [s.state for s in states] == ["done"] * 3
    assert all(a.ended <= b.started for a, b in pairwise(states))
    assert [s.id for s in jobs.runs(busy)][:3] == ids[::-1]


def test_a_running_run_is_cancelled_within_two_seconds_and_the_next_one_starts(busy: Path) -> None:
    long = jobs.submit(busy, "probe", {"seconds": 60})
    following = jobs.submit(busy, "probe", {"seconds": 0})
    until(busy, long, "running")
    begin = time.monotonic()
    jobs.cancel(busy, long)
    until(busy, long, "cancelled")
    assert time.monotonic() - begin < 2
    assert jobs.wait(busy, following, seconds=5).state == "done"


def test_a_waiting_run_is_cancelled_at_once_without_a_worker(root: Path) -> None:
    run_id = jobs.submit(root, "probe", {"seconds": 1}, start=False)
    assert jobs.status(root, run_id).state == "queued"
    jobs.cancel(root, run_id)
    assert jobs.status(root, run_id).state == "cancelled"
    jobs.wait(root, jobs.submit(root, "probe", {"seconds": 0}), seconds=20)
    assert jobs.status(root, run_id).state == "cancelled"


def test_a_killed_worker_leaves_an_interrupted_run_and_the_queue_goes_on(root: Path) -> None:
    struck = jobs.submit(root, "probe", {"seconds": 60})
    after = jobs.submit(root, "probe", {"seconds": 0})
    until(root, struck, "running")
    kill(root)
    state = jobs.status(root, struck)
    assert state.state == "interrupted"
    assert "submit it again" in state.error
    assert jobs.status(root, after).state == "queued"
    jobs.ensure_worker(root)
    assert jobs.wait(root, after, seconds=20).state == "done"
    assert jobs.status(root, struck).state == "interrupted"
    written = json.loads((jobs.directory(root, struck) / "state.json").read_text())
    assert written["state"] == "interrupted"
    again = jobs.resubmit(root, struck)
    assert jobs.status(root, again).request == state.request
    jobs.cancel(root, again)


def test_a_stopped_worker_says_that_its_run_was_interrupted(root: Path) -> None:
    run_id = jobs.submit(root, "probe", {"seconds": 60})
    until(root, run_id, "running")
    who = worker(root)["who"]
    jobs.stop_worker(root)
    assert worker(root) == {}
    assert not alive(who)
    assert jobs.status(root, run_id).state == "interrupted"


def test_a_failing_run_names_its_error_and_the_worker_survives(busy: Path) -> None:
    bad = jobs.submit(busy, "probe", {"seconds": 0, "fail": "no such luck"})
    state = jobs.wait(busy, bad, seconds=20)
    assert (state.state, state.error) == ("failed", "ValueError: no such luck")
    log = (busy / "runs" / ".worker.log").read_text(encoding="utf-8").splitlines()
    told = [json.loads(line) for line in log if line.startswith("{")]
    assert "no such luck" in next(one["traceback"] for one in told if one["run"] == bad)
    who = worker(busy)["who"]
    assert jobs.wait(busy, jobs.submit(busy, "probe", {"seconds": 0}), seconds=20).state == "done"
    assert worker(busy)["who"] == who


def test_one_worker_serves_a_root_however_many_ask_for_it(root: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        ids = list(pool.map(lambda _: jobs.submit(root, "probe", {"seconds": 0}), range(8)))
    assert len(set(ids)) == 8
    assert {jobs.wait(root, i, seconds=20).state for i in ids} == {"done"}
    mine = [p for p in psutil.process_iter(["cmdline"]) if str(root) in (p.info["cmdline"] or [])]
    assert len(mine) == 1


def test_a_worker_whose_root_is_gone_ends(tmp_path: Path) -> None:
    root = tmp_path / "root"
    jobs.wait(root, jobs.submit(root, "probe", {"seconds": 0}), seconds=20)
    process = psutil.Process(int(worker(root)["who"][0]))
    (root / "runs").rename(tmp_path / "gone")
    process.wait(5)


def test_a_run_outlives_the_process_that_asked_for_it(root: Path) -> None:
    ask = "import sys; from mitoem import jobs; "
    ask += "print(jobs.submit(sys.argv[1], 'probe', {'seconds': 0.5}))"
    asked = subprocess.run(
        [sys.executable, "-c", ask, str(root)], capture_output=True, text=True, check=True
    )
    assert jobs.wait(root, asked.stdout.strip(), seconds=30).state == "done"


def test_an_idle_worker_ends_and_the_next_run_starts_another(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MITOEM_WORKER_IDLE", "0.1")
    jobs.wait(root, jobs.submit(root, "probe", {"seconds": 0}), seconds=20)
    end = time.monotonic() + 10
    while worker(root):
        assert time.monotonic() < end
        time.sleep(0.02)
    assert jobs.wait(root, jobs.submit(root, "probe", {"seconds": 0}), seconds=20).state == "done"


def test_a_worker_of_older_code_starts_anew_between_two_runs(root: Path) -> None:
    jobs.wait(root, jobs.submit(root, "probe", {"seconds": 0}), seconds=20)
    card = root / "runs" / ".worker.json"
    old = json.loads(card.read_text())
    card.write_text(json.dumps(old | {"code": 1}))
    assert jobs.wait(root, jobs.submit(root, "probe", {"seconds": 0}), seconds=20).state == "done"
    end = time.monotonic() + 10
    while worker(root).get("since") in (None, old["since"]) or worker(root)["code"] == 1:
        assert time.monotonic() < end
        time.sleep(0.02)
    assert jobs.wait(root, jobs.submit(root, "probe", {"seconds": 0}), seconds=20).state == "done"


@pytest.mark.parametrize(
    ("kind", "fields"),
    [
        ("bake", {}),
        ("probe", {}),
        ("probe", {"seconds": -1}),
        ("probe", {"seconds": "1"}),
        ("predict", {"volume": "a", "box": "0:1,0:1,0:1", "flips": "yes"}),
    ],
)
def test_a_bad_request_is_refused_before_anything_is_written(
    root: Path, kind: str, fields: dict[str, object]
) -> None:
    with pytest.raises(RequestInvalid):
        jobs.submit(root, kind, fields)
    assert not (root / "runs").exists()


def test_a_run_that_is_not_there_is_a_named_error(root: Path) -> None:
    with pytest.raises(RunNotFound):
        jobs.status(root, "000001-none")
    with pytest.raises(NameInvalid):
        jobs.status(root, "../..")


def test_only_a_finished_run_is_removed(root: Path) -> None:
    run_id = jobs.submit(root, "probe", {"seconds": 0}, start=False)
    with pytest.raises(RequestInvalid, match="queued"):
        jobs.remove(root, run_id)
    jobs.cancel(root, run_id)
    jobs.remove(root, run_id)
    assert jobs.runs(root) == []


def test_without_its_model_the_worker_says_so_and_does_other_runs(tmp_path: Path) -> None:
    package = Path(mitoem.__file__).parent
    shutil.copytree(package, tmp_path / "mitoem", ignore=shutil.ignore_patterns("model.onnx"))
    script = """
import sys
import mitoem
from mitoem import jobs
root = sys.argv[1]
mitoem.ingest("one", sys.argv[2], voxel_size=(30, 8, 8), data=root)
asked = {"volume": "one", "box": "0:8,0:64,0:64"}
jobs.ensure_worker(root)
for kind, request in (("predict", asked), ("probe", {"seconds": 0})):
    state = jobs.wait(root, jobs.submit(root, kind, request), seconds=60)
    print(state.state, state.fault, state.error)
jobs.stop_worker(root)
"""
    np.save(tmp_path / "image.npy", np.zeros((8, 64, 64), np.uint8))
    done = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path / "root"), str(tmp_path / "image.npy")],
        cwd=tmp_path, capture_output=True, text=True, check=True,
    )  # fmt: skip
    predicted, probed = done.stdout.splitlines()
    assert predicted.startswith("failed ModelInvalid model file") and "model.onnx" in predicted
    assert probed.startswith("done")


def test_a_run_that_has_ended_ends_no_second_time(tmp_path: Path) -> None:
    """A SIGTERM may come in the moment in which a run is written down as done."""
    record = _Record(tmp_path, [1, 1.0])
    record.end("done")
    record.end("interrupted", "the worker was stopped")
    assert read_json(tmp_path / "state.json")["state"] == "done"
