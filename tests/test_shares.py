"""What one person may have of the worker: runs at a time, voxels in an hour."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from mitoem import access, jobs
from mitoem.errors import LimitReached
from mitoem.jobs import shares

ANNA, BERT = "a" * 32, "b" * 32
PROBE = {"seconds": 0}
CROP = {"volume": "phantom-r", "box": "0:10,0:100,0:100"}


def test_runs_of_one_person_are_limited_and_those_of_others_are_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MITOEM_RUNS_PER_CLIENT", "2")
    first = jobs.submit(tmp_path, "probe", PROBE, start=False, client=ANNA)
    jobs.submit(tmp_path, "probe", PROBE, start=False, client=ANNA)
    with pytest.raises(LimitReached, match=r"at most 2 .* found 2"):
        jobs.submit(tmp_path, "probe", PROBE, start=False, client=ANNA)
    assert len(jobs.runs(tmp_path)) == 2
    jobs.submit(tmp_path, "probe", PROBE, start=False, client=BERT)
    for _ in range(3):
        jobs.submit(tmp_path, "probe", PROBE, start=False)
    jobs.cancel(tmp_path, first)
    jobs.submit(tmp_path, "probe", PROBE, start=False, client=ANNA)
    assert [one.client for one in jobs.runs(tmp_path)].count(ANNA) == 3


def test_many_at_the_same_moment_take_no_more_than_the_share(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MITOEM_RUNS_PER_CLIENT", "3")

    def ask(_: int) -> bool:
        with suppress(LimitReached):
            jobs.submit(tmp_path, "probe", PROBE, start=False, client=ANNA)
            return True
        return False

    with ThreadPoolExecutor(16) as tabs:
        assert sum(tabs.map(ask, range(64))) == 3
    assert len(jobs.runs(tmp_path)) == 3


def test_voxels_of_one_person_are_limited_for_an_hour(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MITOEM_VOXELS_PER_HOUR", "250000")
    spent = [jobs.submit(tmp_path, "predict", CROP, start=False, client=ANNA) for _ in range(2)]
    with pytest.raises(LimitReached, match=r"at most 250,000 .* found 200,000 and 100,000"):
        jobs.submit(tmp_path, "predict", CROP, start=False, client=ANNA)
    jobs.submit(tmp_path, "probe", PROBE, start=False, client=ANNA)
    jobs.submit(tmp_path, "predict", CROP, start=False, client=BERT)
    file = jobs.directory(tmp_path, spent[0]) / "request.json"
    ago = (datetime.now(UTC) - timedelta(hours=1, minutes=1)).isoformat()
    file.write_text(json.dumps(json.loads(file.read_text()) | {"created": ago}))
    jobs.submit(tmp_path, "predict", CROP, start=False, client=ANNA)


def test_nothing_is_limited_where_the_limits_are_off(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MITOEM_RUNS_PER_CLIENT", "0")
    monkeypatch.setenv("MITOEM_VOXELS_PER_HOUR", "0")
    for _ in range(12):
        jobs.submit(tmp_path, "predict", CROP, start=False, client=ANNA)
    assert len(jobs.runs(tmp_path)) == 12


def test_voxels_that_are_separated_anew_count_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MITOEM_VOXELS_PER_HOUR", "250000")
    first = jobs.submit(tmp_path, "predict", CROP, start=False, client=ANNA)
    ask = {"of": first, "decode": {}}
    again = jobs.submit(tmp_path, "decode", ask, start=False, client=ANNA)
    with pytest.raises(LimitReached, match=r"found 200,000 and 100,000"):
        jobs.submit(tmp_path, "decode", ask | {"of": again}, start=False, client=ANNA)
    jobs.submit(tmp_path, "decode", ask, start=False, client=BERT)


def test_one_person_has_so_many_volumes_those_on_the_way_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MITOEM_VOLUMES_PER_CLIENT", "2")

    def send(owner: str) -> str:
        name = access.claim(tmp_path, "crop", owner, taken=lambda _: False)
        request = {"file": f"{'0' * 32}/crop.npy", "name": name}
        return jobs.submit(tmp_path, "ingest", request, start=False, client=owner)

    here = tmp_path / access.claim(tmp_path, "here", ANNA, taken=lambda _: False)
    here.mkdir()
    (here / "volume.json").write_text("{}")
    access.claim(tmp_path, "never-came", ANNA, taken=lambda _: False)
    coming = send(ANNA)
    with pytest.raises(LimitReached, match=r"at most 2 .* found 1 and 1 on the way"):
        send(ANNA)
    send(BERT)
    jobs.cancel(tmp_path, coming)
    send(ANNA)


def test_a_person_who_asks_without_end_holds_up_no_other(tmp_path: Path) -> None:
    with shares.turn(tmp_path, ANNA):
        jobs.submit(tmp_path, "probe", PROBE, start=False, client=BERT)


@pytest.mark.parametrize("text", ["{", '{"created": 5}', f'{{"client": "{ANNA}"}}'])
def test_a_damaged_run_keeps_nobody_from_asking(text: str, tmp_path: Path) -> None:
    damaged = jobs.submit(tmp_path, "predict", CROP, start=False, client=BERT)
    (jobs.directory(tmp_path, damaged) / "request.json").write_text(text)
    jobs.submit(tmp_path, "predict", CROP, start=False, client=ANNA)
