"""Connections that take too long are given up, those that move are not."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import plotly
import pytest
import uvicorn
from served import TILES, Site, application

from mitoem.server import connections, static
from mitoem.server.connections import STALL_S, Watch

BIG = b"GET /viewer/plotly.min.js HTTP/1.1\r\nHost: it\r\n\r\n"
PLOTLY = (Path(plotly.__file__).parent / "package_data" / static.PLOTLY).stat().st_size


@asynccontextmanager
async def serving(root: Path, parser: Any) -> AsyncIterator[tuple[Watch, int]]:
    """The application behind uvicorn on this loop: its watch, asleep, and its port."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        config = uvicorn.Config(application(root), ws="none", http=parser, log_level="warning")
        server = uvicorn.Server(config)
        task = asyncio.create_task(server._serve([listening]))
        while not server.started:
            await asyncio.sleep(0.01)
        yield Watch(server), listening.getsockname()[1]
        server.should_exit = True
        await task


@asynccontextmanager
async def client(port: int, raw: bytes = BIG) -> AsyncIterator[socket.socket]:
    """A client that asks, and whose computer takes little before it is asked to."""
    with socket.socket() as one:
        one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        one.connect(("127.0.0.1", port))
        one.setblocking(False)
        await asyncio.get_running_loop().sock_sendall(one, raw)
        await asyncio.sleep(0.3)
        yield one


async def taken(one: socket.socket, most: int = 10_000_000) -> int:
    """Take so many bytes, or all until the connection ends or 10 s pass without any."""
    size, loop = 0, asyncio.get_running_loop()
    with suppress(ConnectionError, TimeoutError):
        while size < most and (
            part := await asyncio.wait_for(loop.sock_recv(one, 65_536), timeout=10)
        ):
            size += len(part)
    return size


@pytest.mark.parametrize("parser", ["httptools", "h11"])
def test_a_client_that_takes_nothing_is_given_up_and_one_that_takes_is_not(
    root: Path, parser: str
) -> None:
    async def both() -> None:
        async with (
            serving(root, parser) as (watch, port),
            client(port) as still,
            client(port) as moves,
        ):
            now = time.monotonic()
            watch.look(now)
            assert watch.unsent > 0
            some = await taken(moves, 1_000_000)
            watch.look(now + STALL_S - 5)
            watch.look(now + STALL_S + 1)
            assert await taken(still) < PLOTLY
            assert some + await taken(moves, PLOTLY - some) >= PLOTLY

    asyncio.run(both())


@pytest.mark.parametrize("parser", ["httptools", "h11"])
@pytest.mark.parametrize("raw", [b"", b"GET /healthz HTTP/1.1\r\nX: ", b"POST / HTTP/1.1\r\n"])
def test_a_request_that_never_ends_is_given_up(root: Path, parser: str, raw: bytes) -> None:
    async def slow() -> None:
        async with serving(root, parser) as (watch, port), client(port, raw) as one:
            now = time.monotonic()
            for later in (0.0, connections.HEAD_S - 1):
                watch.look(now + later)
            assert len(watch.server.server_state.connections) == 1
            watch.look(now + connections.HEAD_S + 1)
            assert await taken(one) == 0
            assert not watch.server.server_state.connections

    asyncio.run(slow())


def test_more_than_memory_is_given_to_ends_the_slowest(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def crowd() -> None:
        async with serving(root, "httptools") as (watch, port), client(port) as first:
            now = time.monotonic()
            watch.look(now)
            async with client(port) as second:
                watch.look(now + 1)
                both = watch.unsent  # how much the system holds for each, it decides
                monkeypatch.setattr(connections, "UNSENT_BYTES", both - 1)
                watch.look(now + 1.5)
                assert 0 < watch.unsent < both
                assert await taken(first) < PLOTLY
                assert await taken(second, PLOTLY) >= PLOTLY

    asyncio.run(crowd())


def test_a_server_that_is_told_to_end_says_so(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    server = uvicorn.Server(uvicorn.Config(application(root)))
    monkeypatch.setattr(connections, "_watch", [Watch(server)])
    assert Site(root).ask("/healthz").json()["ready"] is True
    server.should_exit = True
    refused = Site(root).ask(f"{TILES}/image/z/0/0/0/0")
    assert (refused.status_code, refused.headers["retry-after"]) == (503, "1")
    well = Site(root).ask("/healthz")
    assert (well.status_code, well.json()["status"], well.json()["ready"]) == (
        503,
        "leaving",
        False,
    )
