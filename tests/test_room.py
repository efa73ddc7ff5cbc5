"""Finished runs make room: which go, which stay, and what damaged ones keep from nobody."""

from __future__ import annotations

import json
import os
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from mitoem import jobs
from mitoem.jobs.registry import GONE
from mitoem.jobs.room import Room

ANNA, BERT = "a" * 32, "b" * 32
MB = 1_000_000


@pytest.fixture
def root(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path
    jobs.stop_worker(tmp_path)


def finished(
    root: Path,
    mb: float,
    *,
    hours: float = 2.0,
    client: str = "",
    kind: str = "probe",
    of: str = "",
) -> str:
    """A run that ended so many hours ago and takes so many megabytes."""
    run_id = jobs.submit(root, "probe", {"seconds": 0}, start=False)
    run = jobs.directory(root, run_id)
    (run / "labels.npy").write_bytes(b"0" * int(mb * MB))
    asked = {"kind": kind, "created": "2026-01-01T00:00:00Z", "client": client}
    (run / "request.json").write_text(json.dumps(asked | {"request": {"of": of} if of else {}}))
    (run / "state.json").write_text(json.dumps({"state": "failed"}))
    (root / "runs" / ".queue" / run_id).unlink()
    os.utime(run, (time.time() - hours * 3600,) * 2)
    return run_id


def left(root: Path) -> set[str]:
    return {one.id for one in jobs.runs(root)}


def test_the_oldest_runs_go_with_all_that_came_of_them(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = finished(root, 5), finished(root, 5)
    third, fresh = finished(root, 5, of=first), finished(root, 5, hours=0.5)
    waits = jobs.submit(root, "probe", {"seconds": 0}, start=False)
    here, room = {first, second, third, fresh, waits}, Room(root)
    for most, gone in ((0, set()), (21, set()), (16, {second}), (1, {first, third})):
        monkeypatch.setenv("MITOEM_RUNS_BYTES", str(most * MB))
        assert set(room.make()) == gone
        here -= gone
        assert left(root) == here
    assert {path.name for path in (root / "runs").iterdir()} == {*here, ".queue"}


def test_who_takes_most_gives_first(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    anna = [finished(root, 2, client=ANNA) for _ in range(2)]
    bert = [finished(root, 2, client=BERT) for _ in range(5)]
    monkeypatch.setenv("MITOEM_RUNS_BYTES", str(8.5 * MB))
    assert Room(root).make() == bert[:3]
    assert left(root) == {*anna, *bert[3:]}


def test_small_runs_and_uploads_that_failed_today_stay(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    small, upload = finished(root, 0.1), finished(root, 2, kind="ingest")
    yesterday, large = finished(root, 2, kind="ingest", hours=25), finished(root, 2)
    monkeypatch.setenv("MITOEM_RUNS_BYTES", "1")
    assert Room(root).make() == [yesterday, large]
    assert left(root) == {small, upload}


def test_what_somebody_has_just_asked_for_stays(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = finished(root, 2), finished(root, 2)
    room, remove = Room(root), Room._remove
    monkeypatch.setenv("MITOEM_RUNS_BYTES", "1")

    def meanwhile(self: Room, family: Sequence[jobs.RunState], taken: Counter[str]) -> list[str]:
        jobs.submit(root, "save", {"of": second, "name": "kept"}, start=False)
        return remove(self, family, taken)

    monkeypatch.setattr(Room, "_remove", meanwhile)
    assert room.make() == [first]
    assert second in left(root)


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("state.json", '{"state": "done", "progress": null}'),
        ("request.json", '{"request": null}'),
        ("request.json", "{"),
        ("state.json", ""),
    ],
)
def test_a_worker_makes_room_whatever_else_is_damaged(
    file: str, text: str, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MITOEM_RUNS_BYTES", "1000")
    half, old, damaged = finished(root, 2), finished(root, 2), finished(root, 0.1)
    jobs.directory(root, half).rename(root / "runs" / f"{GONE}{half}")
    (jobs.directory(root, damaged) / file).write_text(text)
    asked = jobs.submit(root, "probe", {"seconds": 0})
    assert jobs.wait(root, asked, seconds=20).state == "done"
    assert old not in left(root) and asked in left(root)
    assert not [path for path in (root / "runs").iterdir() if path.name.startswith(GONE)]


def test_a_worker_that_is_told_no_number_works_on(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = finished(root, 2)
    for said in ("10GB", "nan", "-1"):
        monkeypatch.setenv("MITOEM_RUNS_BYTES", said)
        asked = jobs.submit(root, "probe", {"seconds": 0})
        assert jobs.wait(root, asked, seconds=20).state == "done"
        jobs.stop_worker(root)
    assert old in left(root)


def test_a_run_whose_source_made_room_says_so(root: Path) -> None:
    source = finished(root, 0.1)
    run_id = jobs.submit(root, "save", {"of": source, "name": "kept"}, start=False)
    jobs.remove(root, source)
    jobs.ensure_worker(root)
    assert jobs.wait(root, run_id, seconds=20).fault == "RunNotFound"
