"""The real application in a real server, and a real Chromium that looks at it."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

import mitoem
from mitoem.manifest import SEAL

ROOT = Path(__file__).parents[2]
CHROMIUM = (
    os.environ.get("MITOEM_CHROMIUM")
    or shutil.which("chromium-headless-shell")  # the same browser without its windows: faster
    or shutil.which("chromium")
)
FLAGS = [
    "--no-sandbox",
    "--use-gl=angle",
    "--use-angle=swiftshader",
    "--enable-unsafe-swiftshader",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]
expect.set_options(timeout=20_000)  # a busy machine draws a page in seconds

QUIET = {"STREAMLIT_SERVER_HEADLESS": "true", "STREAMLIT_SERVER_FILE_WATCHER_TYPE": "none"}
BALL_NM = 360.0
"""Radius of the labelled ball in volume ``ball``."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what is in this folder, and skip it where there is no browser to drive."""
    missing = pytest.mark.skip(reason="no Chromium here: apt-get install chromium")
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker("browser")
            if CHROMIUM is None:
                item.add_marker(missing)


@pytest.fixture(scope="session")
def browser_root(small_root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The two small phantoms, and a ball: labelled but for two sections, in two splits."""
    root = tmp_path_factory.mktemp("browser")
    for name in ("phantom-r", "phantom-h"):
        shutil.copytree(small_root / name, root / name)
    voxel = (30.0, 8.0, 8.0)
    shape = (32, 160, 160)
    centre = (16, 80, 80)
    z, y, x = np.ogrid[tuple(slice(n) for n in shape)]
    far = sum(((i - c) * v) ** 2 for i, c, v in zip((z, y, x), centre, voxel, strict=True))
    labels = (far <= BALL_NM**2).astype(np.uint16) * 5
    grey = np.broadcast_to(np.arange(160, dtype=np.uint8) + 40, shape)
    source = tmp_path_factory.mktemp("source")
    np.savez(source / "image.npz", image=grey)
    np.savez(source / "labels.npz", labels=labels)
    mitoem.ingest(
        "ball", source / "image.npz", labels=[source / "labels.npz"], voxel_size=voxel, data=root
    )
    file = root / "ball" / "volume.json"
    info = json.loads(file.read_text())
    (truth,) = info["labels"]
    truth["coverage"] = [[[0, 0, 0], [30, 160, 160]]]
    info["splits"] = [
        {"name": "train", "start": 0, "stop": 16},
        {"name": "validation", "start": 16, "stop": 30},
    ]
    del info[SEAL]
    file.write_text(json.dumps(info))
    return root


class Server:
    """The application over a data root, started as a person starts it; it may be shot."""

    def __init__(self, root: Path, log: Path, *, others: str = "") -> None:
        self.root, self.log, self.others = root, log, others
        self.port, self.more = self.free_port(), list[str]()
        self.url = f"http://127.0.0.1:{self.port}"

    @staticmethod
    def free_port() -> int:
        """A port that nobody listens on."""
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            return int(free.getsockname()[1])

    def start(self) -> None:
        """Return when it answers."""
        with self.log.open("a") as out:
            self.process = subprocess.Popen(
                [
                    sys.executable,
                    "-m",
                    "streamlit",
                    "run",
                    "app.py",
                    f"--server.port={self.port}",
                    *self.more,
                ],
                cwd=ROOT,
                env=os.environ | QUIET | {"MITOEM_DATA": f"{self.root}{self.others}"},
                stdout=out,
                stderr=subprocess.STDOUT,
            )
        wait_for(f"{self.url}/healthz", self.process, self.log)

    def shoot(self) -> None:
        """As when the machine loses power."""
        self.process.kill()
        self.process.wait(20)

    def stop(self) -> None:
        """As a person stops it."""
        self.process.terminate()
        self.process.wait(20)


@pytest.fixture(scope="session")
def base_url(browser_root: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Where the application answers that most tests share."""
    server = Server(browser_root, tmp_path_factory.mktemp("log") / "server.txt")
    try:
        server.start()
        yield server.url
    finally:
        server.stop()


@pytest.fixture
def own_server(browser_root: Path, tmp_path: Path) -> Iterator[Server]:
    """A server of one test's own, over a copy of ``phantom-r`` that the test may spoil."""
    shutil.copytree(browser_root / "phantom-r", tmp_path / "data" / "phantom-r")
    server = Server(tmp_path / "data", tmp_path / "server.txt")
    try:
        server.start()
        yield server
    finally:
        server.stop()


def wait_for(url: str, server: subprocess.Popen[bytes], log: Path) -> None:
    """Return when a server answers; fail with its log where it ends."""
    for _ in range(240):
        try:
            with urllib.request.urlopen(url, timeout=2):
                return
        except OSError:
            assert server.poll() is None, log.read_text()
            time.sleep(0.25)
    raise AssertionError(f"{url} does not answer: {log.read_text()}")


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    """One browser for the session; pages are isolated from each other by their contexts."""
    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def page(chromium: Browser, base_url: str) -> Iterator[Page]:
    """A fresh page of 1280 × 720; a script error on it fails the test."""
    context = chromium.new_context(viewport={"width": 1280, "height": 720}, base_url=base_url)
    context.set_default_timeout(30_000)
    fresh = context.new_page()
    errors: list[str] = []
    fresh.on("pageerror", lambda error: errors.append(str(error)))
    yield fresh
    context.close()
    assert not errors, errors
