"""Volumes that are not everyone's: no route tells a stranger of them, and tokens open one."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote

import files
import httpx
import pytest
from served import LABELS, TILES, Site
from starlette.applications import Starlette

from mitoem import access, server
from mitoem.access import Rule
from mitoem.server import openapi, tokens

SECRET = "not the one of another server"
ANNA = access.pseudonym("key", "anna")


def who(cookies: Mapping[str, str]) -> str | None:
    """What a sign-in leads to; the real one is in ``tests/browser/test_access.py``."""
    return access.pseudonym("key", cookies["person"]) if "person" in cookies else None


@dataclass(frozen=True)
class Ask:
    """The application over a root of its own, asked by a stranger or by a person."""

    root: Path
    app: Starlette

    def __call__(self, path: str, person: str = "", **headers: str) -> httpx.Response:
        async def once() -> httpx.Response:
            cookies = {"Cookie": f"person={person}"} if person else {}
            async with httpx.AsyncClient(transport=httpx.ASGITransport(self.app)) as client:
                return await client.get(f"http://it{path}", headers=cookies | headers)

        return asyncio.run(once())

    def rule(self, rule: Rule) -> None:
        """Say who sees the volume."""
        access.change(self.root, "wide", rule)


@pytest.fixture
def ask(damaged: Site) -> Ask:
    app = Starlette(
        routes=server.routes(data=damaged.root, who=who, secret=SECRET),
        middleware=server.middleware(),
    )
    return Ask(damaged.root, app)


EVERY = (
    "/api/v1/volumes/wide",
    f"{TILES}/image/z/0/0/0/0",
    f"{TILES}/truth/z/0/0/0/0",
    "/api/v1/volumes/wide/voxels/1/1/1",
    "/api/v1/volumes/wide/figure.png",
    "/api/v1/volumes/wide/neuroglancer",
    f"{LABELS}/instances.csv",
    f"{LABELS}/instances/70000",
    f"{LABELS}/thumbnails/70000.jpg",
    f"{LABELS}/against/run-1/1/1/1.jpg",
    f"{LABELS}/colours.json?by=volume_um3",
    f"{LABELS}/meshes/overview.glb",
    f"{LABELS}/meshes/70000.glb",
    "/zarr/wide/zarr.json",
    "/zarr/wide/0/zarr.json",
)


def test_every_route_of_a_volume_is_tried() -> None:
    shapes = [path for path in openapi.description()["paths"] if "{volume}" in path]
    for shape in shapes:
        pattern = re.sub(r"\\\{[^}]*\\\}", ".+", re.escape(shape))
        assert [one for one in EVERY if re.fullmatch(pattern, one.partition("?")[0])], shape


@pytest.mark.parametrize("path", EVERY)
def test_a_stranger_cannot_tell_a_hidden_volume_from_none(ask: Ask, path: str) -> None:
    ask.rule(Rule("signed-in"))
    hidden, none = ask(path), ask(path.replace("/wide", "/none"))
    assert hidden.status_code == none.status_code == 404
    assert hidden.text.replace("wide", "none") == none.text
    assert ask(path, "anna").status_code in (200, 302)


@pytest.mark.parametrize("rule", [Rule("signed-in"), Rule("public", "", time.time() - 1)])
def test_lists_name_what_the_asker_may_see(ask: Ask, rule: Rule) -> None:
    ask.rule(rule)
    seen = ["wide"] if rule.opens(ANNA) else []
    for person, expected in (("", []), ("anna", seen)):
        assert ask("/healthz", person).json()["volumes"] == expected
        told = ask("/api/v1/volumes", person).json()["volumes"]
        assert [one["name"] for one in told] == expected


def test_what_is_not_everyones_is_kept_by_its_asker_alone(ask: Ask) -> None:
    info = ask("/api/v1/volumes/wide").json()
    path = f"{TILES}/image/z/0/0/0/0?v={info['version']}"
    assert "public" in ask(path).headers["cache-control"]
    ask.rule(Rule("signed-in"))
    assert "private" in ask(path, "anna").headers["cache-control"]
    name = access.unguessable("crop")
    files.copy_volume(ask.root / "wide", name)
    access.change(ask.root, name, access.unlisted(ANNA))
    assert "private" in ask(path.replace("/wide/", f"/{name}/")).headers["cache-control"]


def test_a_token_opens_its_volume_and_nothing_else(ask: Ask) -> None:
    ask.rule(Rule("signed-in"))
    by = f"/token/{tokens.issue(SECRET, 'wide', ANNA)}"
    whole = ask("/zarr/wide/zarr.json", "anna")
    answer = ask(f"{by}/zarr/wide/zarr.json", Origin="https://elsewhere")
    assert answer.content == whole.content
    assert answer.headers["access-control-allow-origin"] == "*"
    assert ask(f"{by}{TILES}/image/z/0/0/0/0").status_code == 200
    assert [one["name"] for one in ask(f"{by}/api/v1/volumes").json()["volumes"]] == ["wide"]
    for closed in ("/api/v1/volumes/none", "/healthz", "/viewer/gl.js", "/", "/token/x/zarr/wide/"):
        assert ask(by + closed).status_code == 404
    other = f"/token/{tokens.issue(SECRET, 'none', ANNA)}"
    assert ask(f"{other}/zarr/wide/zarr.json").status_code == 404
    assert ask(f"{other}/api/v1/volumes").json()["volumes"] == []


def test_a_token_ends_with_its_time_and_with_its_persons_right(
    ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    ask.rule(Rule("signed-in"))
    good = tokens.issue(SECRET, "wide", ANNA)
    forged = [good[:-1] + ("A" if good[-1] != "A" else "B"), "", "x", "." * 300, good * 2]
    for bad in [*forged, tokens.issue("of another server", "wide", ANNA)]:
        assert ask(f"/token/{bad}/zarr/wide/zarr.json").status_code == 404
    monkeypatch.setenv("MITOEM_TOKEN_HOURS", "0.0003")
    short = tokens.issue(SECRET, "wide", ANNA)
    assert ask(f"/token/{short}/zarr/wide/zarr.json").status_code == 200
    time.sleep(2.1)
    answer = ask(f"/token/{short}/zarr/wide/zarr.json")
    assert answer.status_code == 404 and "expired" in answer.json()["error"]
    assert ask(f"/token/{good}/zarr/wide/zarr.json").status_code == 200
    ask.rule(Rule("public", "", time.time() - 1))
    assert ask(f"/token/{good}/zarr/wide/zarr.json").status_code == 404


def test_neuroglancer_gets_a_token_where_it_needs_one_and_never_a_newer_one(ask: Ask) -> None:
    path = "/api/v1/volumes/wide/neuroglancer"
    assert "/token/" not in unquote(ask(path, "anna").headers["location"])
    ask.rule(Rule("signed-in"))
    link = unquote(ask(path, "anna").headers["location"])
    (given, *more) = set(re.findall(r"http://it(/token/[^/]+)/zarr/wide/", link))
    assert not more
    assert ask(f"{given}/zarr/wide/zarr.json").status_code == 200
    again = unquote(ask(f"{given}{path}").headers["location"])
    assert set(re.findall(r"http://it(/token/[^/]+)/zarr/wide/", again)) == {given}
