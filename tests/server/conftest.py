"""A data root with one volume, and the application that serves it."""

from __future__ import annotations

import shutil
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import uvicorn
from served import BALL, BALL_NM, SHAPE, Site, application

import mitoem
from mitoem.ingestion.assemble import Facts, NewLabels, create_volume
from mitoem.ingestion.placing import from_array


@pytest.fixture(scope="session")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data root with one volume that is larger than a tile in y and x, labelled in part."""
    root = tmp_path_factory.mktemp("data")
    rng = np.random.default_rng(3)
    image = rng.integers(0, 256, SHAPE, np.uint8)
    labels = np.zeros((10, 600, 530), np.uint32)
    for number in range(1, 20):
        z, y, x = (int(rng.integers(0, n)) for n in labels.shape)
        labels[z : z + 3, y : y + 60, x : x + 40] = number * 70_000
    z, y, x = (np.arange(n) * size for n, size in zip(labels.shape, (30, 8, 8), strict=True))
    from_centre = (z[:, None, None] - 150) ** 2 + (y[:, None] - 2400) ** 2 + (x - 2000) ** 2
    labels[from_centre < 250**2] = 0
    labels[from_centre < BALL_NM**2] = BALL
    create_volume(
        root,
        "wide",
        image=from_array(image),
        labels=NewLabels("truth", (from_array(labels, offset=(1, 100, 0)),), np.dtype(np.uint32)),
        facts=Facts("Wide", (30.0, 8.0, 8.0), "chosen for the test"),
    )
    mitoem.measure("wide", "truth", data=root)
    mitoem.add_labels("wide", "run-1", labels[:2], data=root)
    return root


@pytest.fixture(scope="session")
def site(root: Path) -> Site:
    return Site(root)


@pytest.fixture
def damaged(root: Path, tmp_path: Path) -> Site:
    """A copy of the data root that a test may spoil."""
    shutil.copytree(root, tmp_path / "data")
    return Site(tmp_path / "data")


@pytest.fixture(scope="session")
def address(root: Path) -> Iterator[str]:
    """The application behind a real socket, on asyncio's own loop as on Windows."""
    listening = socket.socket()
    listening.bind(("127.0.0.1", 0))
    config = uvicorn.Config(application(root), loop="asyncio", ws="none", log_level="warning")
    running = uvicorn.Server(config)
    thread = threading.Thread(target=running.run, kwargs={"sockets": [listening]})
    thread.start()
    while not running.started:
        time.sleep(0.01)
    yield f"http://127.0.0.1:{listening.getsockname()[1]}"
    running.should_exit = True
    thread.join()
    listening.close()
