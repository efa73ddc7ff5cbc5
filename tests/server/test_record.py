"""The line that a request leaves, and the answer to a bug."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from served import TILES, Site
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from mitoem import server
from mitoem.catalog import Catalog
from mitoem.server import access, record


@pytest.fixture
def lines() -> Iterator[list[str]]:
    """The lines as they would be written."""
    found: list[str] = []

    class Kept(logging.Handler):
        def emit(self, one: logging.LogRecord) -> None:
            found.append(record._Lines().format(one))

    handler, before = Kept(), record.log.level
    record.log.addHandler(handler)
    record.log.setLevel(logging.INFO)
    yield found
    record.log.removeHandler(handler)
    record.log.setLevel(before)


def ask(path: str, *, headers: Any = None) -> httpx.Response:
    """An application with a route that has a bug, as the server puts its own together."""

    async def broken(request: Request) -> Response:
        raise ZeroDivisionError(f"of {request.url}")

    async def asked() -> httpx.Response:
        inner = server.application([Route("/api/broken", broken)], access.Site(Catalog(())))
        app = Starlette(middleware=[Middleware(record.Record)])
        app.mount("/", inner)
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app)) as client:
            return await client.get(f"http://it{path}", headers=headers)

    return asyncio.run(asked())


def test_a_bug_answers_with_the_id_that_its_traceback_is_logged_under(lines: list[str]) -> None:
    answer = ask("/api/broken?who=Ada", headers={"X-Request-ID": "given-1234"})
    assert answer.status_code == 500
    assert answer.json() == {"error": "internal error, see the server's log", "id": "given-1234"}
    assert answer.headers["x-request-id"] == "given-1234"
    (line,) = map(json.loads, lines)
    assert (line["level"], line["id"], line["status"]) == ("error", "given-1234", 500)
    assert line["error"] == "ZeroDivisionError"
    assert "in broken" in line["traceback"]


@pytest.mark.parametrize(
    "given", ["", "short", "a" * 65, 'quo"ted-and-long', "line\\nbreak-line", "é" * 9]
)
def test_an_id_that_is_none_is_not_taken_over(given: str) -> None:
    mine = ask("/api/none", headers={b"X-Request-ID": given.encode()}).headers["x-request-id"]
    assert mine != given
    assert len(mine) == 16


@pytest.mark.parametrize(("level", "told"), [("off", 0), ("errors", 1), ("all", 3)])
def test_the_level_says_what_is_written(
    site: Site, lines: list[str], monkeypatch: pytest.MonkeyPatch, level: str, told: int
) -> None:
    monkeypatch.setenv("MITOEM_LOG", level)
    site.ask("/healthz")
    ask("/api/broken")
    site.ask(f"{TILES}/image/z/0/0/0/0?v=Ada")
    assert len(lines) == told
    assert not [one for one in lines if "Ada" in one or "127.0.0.1" in one]


def test_an_unknown_level_is_no_level(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MITOEM_LOG", "loud")
    with pytest.raises(ValueError, match="expected one of off, errors, all, found 'loud'"):
        record.level()


def test_a_flood_of_refusals_is_one_line_a_second(lines: list[str]) -> None:
    async def refused(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 503, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    async def flood() -> None:
        scope = {"type": "http", "method": "GET", "path": "/api/x", "headers": []}
        app = record.Record(refused)
        for _ in range(200):
            await app(scope, asyncio.Event().wait, _nowhere)

    asyncio.run(flood())
    assert len(lines) == 1


async def _nowhere(message: Any) -> None:
    del message


@pytest.mark.parametrize(
    ("path", "told"),
    [
        ("/", "/{page}"),
        ("/Ada/Lovelace", "/{page}"),
        ("/zarr/Ada/0", "/zarr/…"),
        ("/api", "/api"),
        ("/_stcore/upload_file/Ada/x.tif", "/_stcore/upload_file"),
        ("/_stcore/Ada", "/_stcore/…"),
        ("/media/Ada.png", "/media/…"),
        ("//evil", "/{page}"),
    ],
)
def test_a_path_is_told_less_all_that_a_person_chose(path: str, told: str) -> None:
    assert record.shortened(path) == told


def test_a_line_break_in_what_is_logged_begins_no_line(lines: list[str]) -> None:
    entry = record.Entry("id", "GET", "/x", error='a\n{"level": "forged"}\r\n\u2028')
    record.log.error("request", extra={"line": entry.line()})
    assert len(lines[0].splitlines()) == 1
    assert json.loads(lines[0])["level"] == "error"


def test_an_image_is_not_logged_with_its_volume(
    site: Site, lines: list[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    del tmp_path
    monkeypatch.setenv("MITOEM_LOG", "all")
    site.ask("/api/v1/volumes/Ada-s-own/labels/Ada/instances.csv?filter=Ada")
    (line,) = map(json.loads, lines)
    assert line["route"] == "/api/v1/volumes/{volume}/labels/{labels}/instances.{format}"
    assert line["status"] == 404
