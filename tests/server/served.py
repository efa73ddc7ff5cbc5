"""The application over a small data root, and what the tests know of it."""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import zarr
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware

from mitoem import server

PROJECT = Path(__file__).parents[2]

SHAPE = (12, 1100, 530)
LEVELS = range(3)

BALL, BALL_NM = 4_000_000_000, 110
"""A ball of that id and radius, centred on (z, y, x) = (180, 3200, 2000) nm."""

TILES = "/api/v1/volumes/wide/tiles"
LABELS = "/api/v1/volumes/wide/labels/truth"


@dataclass(frozen=True)
class Site:
    """The application over one data root, asked without sockets."""

    root: Path
    base: str = ""

    def ask(self, path: str, method: str = "GET", **more: Any) -> httpx.Response:
        async def asked() -> httpx.Response:
            transport = httpx.ASGITransport(application(self.root, self.base))
            async with httpx.AsyncClient(transport=transport) as client:
                return await client.request(method, f"http://it{path}", **more)

        return asyncio.run(asked())


def application(root: Path, base: str = "") -> Starlette:
    """The routes as Streamlit serves them: its gzip inside, our middleware outside."""
    compress = Middleware(GZipMiddleware, minimum_size=100)
    return Starlette(
        routes=server.routes(base, data=root),
        middleware=[*server.middleware(base), compress],
        lifespan=server.lifespan,
    )


@dataclass(frozen=True)
class Running:
    """``streamlit run app.py`` in a process of its own."""

    process: subprocess.Popen[bytes]
    port: int
    log: Path
    base: str

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}{self.base}"

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=30)


@contextmanager
def running(
    root: Path, log: Path, *, base: str = "", before: Callable[[], None] | None = None, **env: str
) -> Iterator[Running]:
    """The application as a person starts it; ``before`` is called in the process before it is."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    options = {"port": str(port), "baseUrlPath": base.strip("/"), "headless": "true"}
    words = [word for key, value in options.items() for word in (f"--server.{key}", value)]
    with log.open("wb") as out:
        process = subprocess.Popen(
            [sys.executable, "-m", "streamlit", "run", "app.py", *words],
            cwd=PROJECT,
            env=os.environ | {"MITOEM_DATA": str(root)} | env,
            stdout=out,
            stderr=out,
            preexec_fn=before,  # noqa: PLW1509 - sets a limit, no more
        )
    found = Running(process, port, log, base)
    try:
        until(lambda: answers(found), 60, f"{found.url} did not answer: {process.poll()}")
        yield found
    finally:
        process.terminate()
        process.wait(timeout=20)


def answers(one: Running) -> bool:
    assert one.process.poll() is None, one.log.read_text()
    try:
        return httpx.get(f"{one.url}/healthz").status_code == 200
    except httpx.TransportError:
        return False


def until(true: Callable[[], bool], seconds: float, otherwise: str = "") -> None:
    """Return when it is true; fail when it is not in time."""
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, otherwise or f"not within {seconds} s"
        time.sleep(0.1)


@cache
def stored(root: Path, layer: str, level: int) -> np.ndarray[Any, Any]:
    """A level as zarr-python reads it, which shares no code with the routes."""
    path = f"image.zarr/{level}" if layer == "image" else f"image.zarr/labels/{layer}/{level}"
    return np.asarray(zarr.open_array(root / "wide" / path, mode="r")[:])
