"""Remote stores that hang, stall, trickle, reset, fail and send round in circles."""

from __future__ import annotations

import os
import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import BinaryIO

import httpx
import pytest

import mitoem
from mitoem import catalog, errors, stores

ROOT = Path(__file__).parents[1]

MODES = ("silent", "stalls", "trickles", "drips", "fails", "circles", "resets")

ALL = os.environ.get("MITOEM_FAULTS") == "all"
"""Every mode, or two: above the rate at which a request ends by itself, and quick to answer."""


class Store:
    """A web server that gives the files of a root, or misbehaves as ``mode`` says."""

    def __init__(self, root: Path) -> None:
        self.root, self.mode, self.failing, self.asked = root, "well", 0, 0
        self.listening = socket.create_server(("127.0.0.1", 0), backlog=200)
        self.url = f"http://127.0.0.1:{self.listening.getsockname()[1]}/em"
        self.over = threading.Event()
        threading.Thread(target=self._accept, daemon=True).start()

    def end(self) -> None:
        self.over.set()
        self.listening.close()

    def _accept(self) -> None:
        while not self.over.is_set():
            try:
                one, _ = self.listening.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(one,), daemon=True).start()

    def _serve(self, one: socket.socket) -> None:
        with one, one.makefile("rb") as lines:
            try:
                while (first := lines.readline()) and self._answer(one, lines, first):
                    pass
            except OSError:
                return

    def _answer(self, one: socket.socket, lines: BinaryIO, first: bytes) -> bool:
        """One request; whether there may be another on this connection."""
        asked: dict[str, str] = {}
        while line := lines.readline().strip():
            name, _, value = line.decode().partition(": ")
            asked[name.lower()] = value
        self.asked += 1
        mode, path = self.mode, first.split()[1].decode()
        if mode == "recovers":
            self.failing -= 1
            mode = "fails" if self.failing >= 0 else "well"
        file = self.root / path.removeprefix("/em/")
        if mode == "silent":
            self.over.wait(60)
        elif mode == "resets":
            one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        elif mode == "fails":
            one.sendall(b"HTTP/1.1 500 Internal\r\nContent-Length: 0\r\n\r\n")
            return True
        elif mode == "circles":
            head = f"HTTP/1.1 302 Found\r\nLocation: {path}\r\nContent-Length: 0\r\n\r\n"
            one.sendall(head.encode())
            return True
        elif not file.is_file():
            one.sendall(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")
            return True
        else:
            return self._give(one, file.read_bytes(), asked.get("range"), mode)
        return False

    def _give(self, one: socket.socket, data: bytes, part: str | None, mode: str) -> bool:
        status, more = "200 OK", ""
        if part and part.startswith("bytes="):
            a, _, b = part.removeprefix("bytes=").partition("-")
            size = len(data)
            start, stop = (int(a), int(b) + 1 if b else size) if a else (size - int(b), size)
            status, more = "206 Partial", f"Content-Range: bytes {start}-{stop - 1}/{size}\r\n"
            data = data[start:stop]
        one.sendall(f"HTTP/1.1 {status}\r\n{more}Content-Length: {len(data)}\r\n\r\n".encode())
        if mode == "stalls":
            self.over.wait(60)
            return False
        if mode in ("trickles", "drips"):  # below, and above, the bytes a second that end a request
            size, pause = (1, 1.0) if mode == "trickles" else (40, 0.2)
            for at in range(0, len(data), size):
                one.sendall(data[at : at + size])
                if self.over.wait(pause):
                    return False
            return True
        one.sendall(data)
        return True


@pytest.fixture
def store(small_root: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    monkeypatch.setattr(stores, "_silent", {})
    monkeypatch.setattr(stores, "_held", {})
    monkeypatch.setattr(stores, "HOLD_S", 0.0)
    made = Store(small_root)
    if not (small_root / catalog.INDEX).exists():
        catalog.write_index(small_root)
    yield made
    made.end()


@pytest.mark.parametrize("mode", MODES if ALL else ("drips", "circles"))
def test_a_store_that_misbehaves_is_given_up_in_time_and_used_when_it_is_well(
    mode: str, store: Store, small_root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stores, "PAUSE_S", 0.3)
    monkeypatch.setattr(stores, "ANSWER_S", 1.5)
    monkeypatch.setattr(stores, "VOXELS_S", 10_000_000)
    volume = mitoem.open_volume("phantom-r", data=store.url)
    expected = mitoem.open_volume("phantom-r", data=small_root).read(level=1)
    store.mode = mode
    began = time.monotonic()
    with pytest.raises(errors.StoreUnreachable, match="cannot reach http://127"):
        volume.read(level=1)
    assert time.monotonic() - began < 6
    began = time.monotonic()
    with pytest.raises(errors.StoreUnreachable):
        mitoem.open_volume("phantom-h", data=store.url)
    assert time.monotonic() - began < 3
    store.mode = "well"
    for _ in range(200):
        try:
            found = volume.read(level=1)
            break
        except errors.StoreUnreachable:
            time.sleep(0.05)
    assert (found == expected).all()


def test_a_request_that_fails_twice_is_made_a_third_time(store: Store) -> None:
    store.mode, store.failing = "recovers", 2
    began = time.monotonic()
    assert mitoem.open_volume("phantom-r", data=store.url).name == "phantom-r"
    assert (store.asked, time.monotonic() - began > 0.2) == (3, True)


SERVER = """
import sys, uvicorn
from starlette.applications import Starlette
from mitoem import server, stores
stores.PAUSE_S, stores.ANSWER_S, stores.VOXELS_S = 1.0, 2.0, 1_000_000
app = Starlette(routes=server.routes(data=sys.argv[1]), lifespan=server.lifespan)
uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[2]), log_level="warning")
"""


@pytest.fixture
def address(store: Store, small_root: Path, tmp_path: Path) -> Iterator[str]:
    """A server over a local root with phantom-r and the store, which gives phantom-h too."""
    (tmp_path / "near").mkdir()
    (tmp_path / "near" / "phantom-r").symlink_to(small_root / "phantom-r")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    running = subprocess.Popen(
        [sys.executable, "-c", SERVER, f"{tmp_path / 'near'}:{store.url}", str(port)],
        cwd=ROOT, env=os.environ,
    )  # fmt: skip
    try:
        url = f"http://127.0.0.1:{port}"
        for _ in range(200):
            try:
                httpx.get(f"{url}/healthz")
                break
            except httpx.TransportError:
                assert running.poll() is None
                time.sleep(0.05)
        yield url
    finally:
        running.kill()
        running.wait()


def test_while_a_store_hangs_its_routes_say_so_and_others_stay_fast(
    store: Store, address: str
) -> None:
    base = f"{address}/api/v1/volumes"
    far = [f"{base}/phantom-h/tiles/image/z/0/{z}/0/0" for z in range(24)]
    far += [f"{base}/phantom-h/labels/truth/instances.csv", f"{base}/phantom-h"] * 6
    far += [f"{base}/phantom-h/labels/truth/meshes/overview.glb"] * 3
    far += [f"{address}/zarr/phantom-h/0/c/0/0/0"] * 3
    assert httpx.get(f"{base}/phantom-h").status_code == 200
    store.mode = "silent"
    time.sleep(1.1)  # the server holds what it knows of a volume for a second
    with ThreadPoolExecutor(len(far)) as askers:
        began = time.monotonic()
        asked = [askers.submit(httpx.get, one, timeout=60) for one in far]
        near = []
        while not all(one.done() for one in asked):
            begin = time.monotonic()
            z = len(near) % 32
            got = httpx.get(f"{base}/phantom-r/tiles/truth/z/0/{z}/0/0", timeout=60)
            assert got.status_code == 200
            near.append(time.monotonic() - begin)
            time.sleep(0.05)
        took = time.monotonic() - began
    assert took < 12, "bounded"
    assert max(near) < 2 and sorted(near)[len(near) // 2] < 0.3, near
    for path, one in zip(far, asked, strict=True):
        answer = one.result()
        if path.endswith("/phantom-h") and answer.status_code == 200:
            continue  # what is said of a volume is held for some seconds
        assert answer.status_code == 503, answer.text
        assert "Retry-After" in answer.headers and "cannot reach" in answer.json()["error"]
    began = time.monotonic()
    assert httpx.get(far[0]).status_code == 503
    assert time.monotonic() - began < 0.5, "known by now"
    store.mode = "well"
    end = time.monotonic() + 25
    while httpx.get(far[0]).status_code != 200:
        assert time.monotonic() < end, "it never came back"
        time.sleep(0.1)
