"""How many are let in, and how much each may take."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from served import TILES, application
from starlette.requests import Request
from starlette.responses import Response

from mitoem.errors import ServerBusy
from mitoem.server import admission
from mitoem.server.admission import HERE, Admission, Allowance, Gate, Pages, Room, asker

TILE = f"{TILES}/image/z/0/0/0/0?format=raw"


def test_a_client_that_took_its_bytes_waits_and_others_do_not(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MITOEM_CLIENT_BYTES", "300000")
    monkeypatch.setenv("MITOEM_CLIENT_BYTES_PER_S", "300000")

    async def asked() -> None:
        app = application(root)
        mine, other, here = (
            httpx.AsyncClient(
                transport=httpx.ASGITransport(app, client=(ip, 1)), base_url="http://it"
            )
            for ip in ("10.0.0.1", "10.0.0.2", "127.0.0.1")
        )
        async with mine, other, here:
            for _ in range(9):
                assert (await mine.head(TILE)).status_code == 200
            assert [(await mine.get(TILE)).status_code for _ in range(3)] == [200, 200, 429]
            refused = await mine.get(TILE)
            assert list(refused.json()) == ["error"]
            assert refused.headers["retry-after"] == "1"
            assert (await other.get(TILE)).status_code == 200
            assert [(await here.get(TILE)).status_code for _ in range(4)] == [200] * 4
            assert (await mine.get("/healthz")).status_code == 200
            await asyncio.sleep(1.0)
            assert (await mine.get(TILE)).status_code == 200

    asyncio.run(asked())


def test_without_a_limit_nothing_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MITOEM_CLIENT_BYTES", "0")
    allowance = Admission().allowance
    allowance.take("me", 10**12)
    assert (allowance.wait("me"), len(allowance)) == (0, 0)


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 30), st.integers(0, 1000)), max_size=80))
def test_the_table_of_clients_is_bounded_and_nobody_has_more_than_all(
    takes: list[tuple[int, int]],
) -> None:
    allowance = Allowance(1000, 1.0, most=10)
    for client, size in takes:
        allowance.take(str(client), size)
        assert len(allowance) <= 10
        assert allowance.left(str(client)) <= 1000 - size + 0.5


def test_a_full_room_refuses_at_once_and_is_open_when_one_leaves() -> None:
    async def crowd() -> None:
        gate, hold = Gate("tiles", Room(1, 4)), asyncio.Event()

        async def enter(client: str) -> str:
            async with gate.turn(client):
                await hold.wait()
            return client

        inside = [asyncio.create_task(enter(one)) for one in ("a", "a", "b", "c")]
        await asyncio.sleep(0)
        begun = time.monotonic()
        with pytest.raises(ServerBusy, match="4 requests for tiles are under way"):
            await enter("d")
        assert time.monotonic() - begun < 0.1
        hold.set()
        assert await asyncio.gather(*inside) == ["a", "a", "b", "c"]
        assert await enter("d") == "d"
        assert not gate.inside

    asyncio.run(crowd())


def test_no_client_fills_more_than_half_of_a_room() -> None:
    async def crowd() -> None:
        gate, hold = Gate("tiles", Room(4, 4)), asyncio.Event()

        async def enter(client: str) -> None:
            async with gate.turn(client):
                await hold.wait()

        mine = [asyncio.create_task(enter("me")) for _ in range(2)]
        await asyncio.sleep(0)
        with pytest.raises(ServerBusy, match="2 requests of yours"):
            await enter("me")
        other = asyncio.create_task(enter("other"))
        await asyncio.sleep(0)
        hold.set()
        await asyncio.gather(*mine, other)

    asyncio.run(crowd())


@pytest.mark.parametrize("most", [100, 0])
def test_who_asks_again_without_a_pause_is_held_back_while_there_is_room_to_wait(
    most: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else the refusals of a crowd take the event loop from those who are served."""
    monkeypatch.setattr(admission, "PAUSED", most)

    async def full(_: Request) -> Response:
        raise ServerBusy("full")

    async def crowd() -> int:
        ask, end, refused = Admission().guarded("/tiles/", full), time.monotonic() + 1.1, 0

        async def hammer(number: int) -> None:
            nonlocal refused
            scope = {"type": "http", "headers": [], "client": (f"10.0.0.{number}", 1)}
            while time.monotonic() < end:
                with pytest.raises(ServerBusy):
                    await ask(Request(scope))
                refused += 1
                await asyncio.sleep(0)

        await asyncio.gather(*(hammer(number) for number in range(20)))
        return refused

    refused = asyncio.run(crowd())
    assert 20 <= refused <= 20 * 3 if most else refused > 1000


def test_who_gave_up_waiting_leaves_the_line() -> None:
    async def crowd() -> None:
        gate, hold = Gate("tiles", Room(1, 2)), asyncio.Event()

        async def enter(client: str) -> None:
            async with gate.turn(client):
                await hold.wait()

        first, second = (asyncio.create_task(enter(one)) for one in "ab")
        await asyncio.sleep(0)
        second.cancel()
        await asyncio.gather(second, return_exceptions=True)
        assert dict(gate.inside) == {"a": 1}
        hold.set()
        await first

    asyncio.run(crowd())


@pytest.mark.parametrize(
    ("user", "host", "told"),
    [
        ("ada", "10.0.0.1", "user ada"),
        (None, "10.0.0.1", "10.0.0.1"),
        (None, "2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        (None, "2001:db8:1:2:ffff::1", "2001:db8:1:2::/64"),
        (None, "testclient", "testclient"),
        (None, "127.0.0.1", HERE),
        (None, "::1", HERE),
    ],
)
def test_a_client_is_a_person_or_a_household(user: str | None, host: str, told: str) -> None:
    assert (
        asker(Request({"type": "http", "user": user, "client": (host, 1), "headers": []})) == told
    )


def told(pages: Pages, headers: dict[str, str]) -> str:
    """How a websocket with those headers is answered."""
    said: list[str] = []

    async def send(message: Any) -> None:
        said.append(str(message.get("status") or message["type"]))

    async def receive() -> Any:
        return {"type": "websocket.connect"}

    raw = [(name.encode(), value.encode()) for name, value in headers.items()]
    scope = {"type": "websocket", "path": "/", "headers": raw,
             "extensions": {"websocket.http.response": {}}}  # fmt: skip
    asyncio.run(pages(scope, receive, send))
    return said[0] if said else "passed on"


@pytest.mark.parametrize(
    ("origin", "answer"),
    [
        (None, "passed on"),
        ("https://em.example", "passed on"),
        ("http://localhost:8501", "passed on"),
        ("https://friend.example:444", "passed on"),
        ("https://other.example", "passed on"),
        ("https://evil.example", "websocket.close"),
        ("https://em.example.evil", "websocket.close"),
        ("null", "websocket.close"),
        ("", "websocket.close"),
        ("http://[::", "websocket.close"),
    ],
)
def test_a_page_is_opened_by_this_site_and_its_friends(origin: str | None, answer: str) -> None:
    async def page(scope: Any, receive: Any, send: Any) -> None:
        pass

    pages = Pages(page, origins=["https://friend.example", "other.example"])
    headers = {"host": "em.example"} | ({"origin": origin} if origin is not None else {})
    assert told(pages, headers) == answer


def test_beyond_the_most_pages_a_page_is_told_to_come_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("MITOEM_PAGES", "1")
    answers: list[str] = []

    async def page(scope: Any, receive: Any, send: Any) -> None:
        if not answers:
            answers.append(await asyncio.to_thread(told, pages, {}))

    pages = Pages(page)
    assert told(pages, {}) == "passed on"
    assert answers == ["503"]
    assert pages.open == 0
