"""How the server ends: what is under way is finished, nobody holds it, runs go on or wait."""

from __future__ import annotations

import asyncio
import http.client
import os
import select
import shutil
import signal
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import httpx
import psutil
import pytest
from served import TILES, Running, running, until
from websockets.asyncio.client import connect

from bench.load import STREAMLIT, rerun
from mitoem import jobs

if sys.platform == "win32":
    pytest.skip("signals as Linux has them", allow_module_level=True)

SMALL, LARGE = "0:8,0:128,0:128", "0:12,0:1024,0:512"


@pytest.fixture
def own(root: Path, tmp_path: Path) -> Iterator[Path]:
    shutil.copytree(root / "wide", tmp_path / "data" / "wide")
    yield tmp_path / "data"
    jobs.stop_worker(tmp_path / "data")


def open_inference(one: Running) -> None:
    """As a person does; the page starts the worker."""

    async def opened() -> None:
        url = f"ws://127.0.0.1:{one.port}/_stcore/stream"
        async with connect(url, subprotocols=[STREAMLIT], max_size=None) as page:
            await asyncio.wait_for(rerun(page, "inference", "volume=wide"), 60)

    asyncio.run(opened())


def state(root: Path, run: str) -> str:
    return jobs.status(root, run).state


def test_it_ends_soon_whoever_holds_on_and_the_worker_goes_on(own: Path, tmp_path: Path) -> None:
    run = jobs.submit(own, "predict", {"volume": "wide", "box": SMALL}, start=False)
    (own / "copy").mkdir()
    os.mkfifo(own / "copy" / "volume.json")  # whose reader waits for ever
    with running(own, tmp_path / "log.txt") as one, ExitStack() as stack:
        open_inference(one)
        for raw in (
            b"GET /healthz HTTP/1.1\r\nX: ",
            b"GET /viewer/plotly.min.js HTTP/1.1\r\nHost: it\r\n\r\n",
            b"GET /api/v1/volumes/copy HTTP/1.1\r\nHost: it\r\n\r\n",
            b"GET /_stcore/stream HTTP/1.1\r\nHost: it\r\nConnection: Upgrade\r\nUpgrade: websocket"
            b"\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
        ):
            holding = stack.enter_context(socket.socket())
            holding.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            holding.connect(("127.0.0.1", one.port))
            holding.sendall(raw)
        figure = http.client.HTTPConnection("127.0.0.1", one.port, timeout=30)
        figure.request("GET", "/api/v1/volumes/wide/figure.png?nm=5")
        httpx.get(f"{one.url}/healthz", timeout=30)  # asked later, so the figure is under way
        assert not select.select([figure.sock], [], [], 0)[0]
        one.process.send_signal(signal.SIGINT)  # Ctrl+C, after which threads are waited for
        begun = time.monotonic()
        assert figure.getresponse().status == 200
        until(lambda: one.process.poll() is not None, 10)
        assert time.monotonic() - begun < 10
        with pytest.raises(httpx.TransportError):
            httpx.get(f"{one.url}{TILES}/image/z/0/0/0/0")
        log = one.log.read_text()
        assert "Traceback" not in log
        assert "ended with threads at work" in log
    assert jobs.wait(own, run, seconds=60).state == "done"


def test_a_service_that_is_stopped_parks_its_runs_and_the_next_one_does_them(
    own: Path, tmp_path: Path
) -> None:
    """systemd sends SIGTERM to the server, the worker and what that one started."""
    first = jobs.submit(own, "predict", {"volume": "wide", "box": LARGE}, start=False)
    second = jobs.submit(own, "predict", {"volume": "wide", "box": SMALL}, start=False)
    with running(own, tmp_path / "log.txt") as one:
        open_inference(one)
        until(lambda: state(own, first) == "running", 60)
        group = psutil.Process(one.process.pid).children(recursive=True)
        for process in (psutil.Process(one.process.pid), *group):
            process.terminate()
        psutil.wait_procs(group, timeout=15)
        one.process.wait(15)
        assert not [each for each in group if each.is_running()]
    assert (state(own, first), state(own, second)) == ("interrupted", "queued")
    again = jobs.resubmit(own, first)  # which starts a worker, as the next server does
    assert jobs.wait(own, second, seconds=60).state == "done"
    jobs.cancel(own, again)
    assert jobs.wait(own, again, seconds=30).state == "cancelled"
