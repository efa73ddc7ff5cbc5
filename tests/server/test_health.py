"""What ``/healthz`` says, and how soon."""

from __future__ import annotations

import asyncio
import shutil
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from served import Site
from starlette.routing import Route

from mitoem import jobs, server
from mitoem.catalog import Catalog
from mitoem.server import access, health


def asked(roots: Catalog, times: int = 1) -> list[httpx.Response]:
    app = server.application([Route("/healthz", health.health)], access.Site(roots))

    async def all_at_once() -> list[httpx.Response]:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app)) as client:
            return await asyncio.gather(*(client.get("http://it/healthz") for _ in range(times)))

    return asyncio.run(all_at_once())


@pytest.fixture
def silent() -> Iterator[str]:
    """A data root that takes connections and never says a word."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen(100)
        yield f"http://127.0.0.1:{listening.getsockname()[1]}/"


def test_all_is_well(site: Site) -> None:
    answer = site.ask("/healthz")
    told = answer.json()
    assert answer.status_code == 200
    assert (told["status"], told["volumes"], told["faults"]) == ("ok", ["wide"], [])
    assert (told["ready"], told["reasons"], told["worker"]) == (True, [], "none")


def test_a_root_that_hangs_hides_no_other_and_is_asked_once(root: Path, silent: str) -> None:
    before, begun = threading.active_count(), time.monotonic()
    answers = asked(Catalog((root.as_uri() + "/", silent)), times=30)
    assert time.monotonic() - begun < health.LOOK_S + 2
    assert threading.active_count() <= before + 4
    for one in answers:
        assert (one.status_code, one.json()["volumes"]) == (200, ["wide"])
        assert one.json()["ready"] is False
        assert one.json()["reasons"] == ["a data root did not answer within 2 s"]


def test_where_nothing_can_be_read_it_fails(silent: str) -> None:
    (answer,) = asked(Catalog((silent,)))
    assert (answer.status_code, answer.json()["status"]) == (503, "failing")
    assert answer.headers["retry-after"] == "1"


def test_rules_that_do_not_parse_show_nothing(root: Path, tmp_path: Path) -> None:
    shutil.copytree(root, tmp_path / "data")
    (tmp_path / "data" / "access.json").write_text("{")
    (answer,) = asked(Catalog(((tmp_path / "data").as_uri() + "/", root.as_uri() + "/")))
    assert answer.json()["volumes"] == []
    assert "access.json" in answer.json()["reasons"][0]
    assert str(tmp_path) not in answer.text


def test_what_is_short_is_told(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copytree(root / "wide", tmp_path / "wide")
    jobs.submit(tmp_path, "predict", {"volume": "wide", "box": "0:8,0:64,0:64"}, start=False)
    monkeypatch.setattr(health, "FREE_BYTES", 10**15)
    monkeypatch.setattr(health, "BUNDLED", tmp_path / "none.onnx")
    (answer,) = asked(Catalog((tmp_path.as_uri() + "/",)))
    assert answer.status_code == 200
    assert answer.json()["ready"] is False
    text = " ".join(answer.json()["reasons"])
    for part in ("MB free", "no worker is alive", "network cannot be read"):
        assert part in text
    assert str(tmp_path) not in answer.text
