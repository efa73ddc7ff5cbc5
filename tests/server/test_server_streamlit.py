"""The routes inside Streamlit's own server, which has middleware and a page for every path."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from served import TILES, running

from mitoem.server import safety


@pytest.fixture(scope="module")
def started(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """``streamlit run app.py`` under a base path."""
    log = tmp_path_factory.mktemp("log") / "server.txt"
    with (
        running(root, log, base="/lab/em") as one,
        httpx.Client(base_url=one.url, timeout=30) as client,
    ):
        yield client


def test_data_routes_and_pages_share_a_port_and_a_base_path(started: httpx.Client) -> None:
    assert started.get("/healthz").json()["volumes"] == ["wide"]
    assert started.get(f"{TILES}/image/z/0/0/0/0").headers["content-type"] == "image/jpeg"
    assert started.get("/").headers["content-type"].startswith("text/html")


@pytest.mark.parametrize(
    "path",
    ["/", "/explore", "/healthz", "/api/none", f"{TILES}/image/z/0/0/0/0", "/zarr/wide/zarr.json"],
)
def test_every_answer_says_how_it_may_be_used(started: httpx.Client, path: str) -> None:
    headers = started.get(path, headers={"Origin": "https://elsewhere.example"}).headers
    for name, value in safety.HEADERS.items():
        assert headers[name] == value
    shared = headers.get("access-control-allow-origin")
    assert shared == ("*" if path.startswith("/zarr") else None), "CORS on the raw data alone"


@pytest.mark.parametrize("path", ["/api", "/api/none", "/api/%0A", "/zarr/x/y", "/viewer/none.js"])
def test_an_unknown_path_is_no_page_of_html(started: httpx.Client, path: str) -> None:
    answer = started.get(path)
    assert (answer.status_code, list(answer.json())) == (404, ["error"])


def test_streamlit_compresses_neither_shards_nor_label_tiles_again(
    started: httpx.Client, root: Path
) -> None:
    shard = started.get("/zarr/wide/0/c/0/0/0", headers={"Accept-Encoding": "gzip"})
    assert "content-encoding" not in shard.headers
    assert shard.content == (root / "wide/image.zarr/0/c/0/0/0").read_bytes()
    tile = started.get(f"{TILES}/truth/z/0/0/0/0")
    assert tile.headers["content-encoding"] == "gzip"
    assert len(tile.content) == 512 * 512 * 4


def test_sixty_small_tiles_one_after_another_take_no_delay(started: httpx.Client) -> None:
    times = []
    for index in range(60):
        start = time.perf_counter()
        assert started.get(f"{TILES}/truth/z/2/{index % 12}/0/0").status_code == 200
        times.append(time.perf_counter() - start)
    assert sorted(times)[30] < 0.02
