"""How fast the real server answers tiles: ``python bench/tiles.py [--data ROOT] [--volume NAME]``.

Starts ``streamlit run app.py`` on a free port with no decoded chunk and no tile kept, and measures
over HTTP: single tiles at random places beside the same read and encoding without a server, small
label tiles one after another, eight clients at once, and the server's memory over 500 z steps with
its caches at their default sizes. Prints one JSON object.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import random
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import psutil

ROOT = Path(__file__).parents[1]
EDGE = 512
COLD = {
    "MITOEM_CACHE_BYTES": "0",
    "MITOEM_TILE_CACHE_BYTES": "0",
    "MITOEM_MESH_CACHE_BYTES": "0",
}


@contextmanager
def serving(data: Path, environment: dict[str, str]) -> Iterator[tuple[int, int]]:
    """The application in a process of its own: its port and process id."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    words = ["--server.port", str(port), "--server.address", "127.0.0.1"]
    quiet = ["--server.headless", "true", "--browser.gatherUsageStats", "false"]
    server = subprocess.Popen(
        [sys.executable, "-m", "streamlit", "run", "app.py", *words, *quiet],
        cwd=ROOT,
        env=os.environ | environment | {"MITOEM_DATA": str(data.resolve())},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        wait(server, port)
        yield port, server.pid
    finally:
        server.terminate()
        server.wait(timeout=20)


def wait(server: subprocess.Popen[str], port: int) -> None:
    for _ in range(300):
        if server.poll() is not None:
            assert server.stderr is not None
            raise SystemExit(f"the server ended: {server.stderr.read()[-2000:]}")
        try:
            Client(port).get("/healthz")
            return
        except OSError:
            time.sleep(0.1)
    raise SystemExit("the server did not answer within 30 s")


class Client:
    """One keep-alive connection."""

    def __init__(self, port: int) -> None:
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)

    def get(self, path: str) -> bytes:
        self.connection.request("GET", path)
        answer = self.connection.getresponse()
        body = answer.read()
        if answer.status != 200:
            raise SystemExit(f"{path}: {answer.status} {body[:200]!r}")
        return body


def milliseconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return (time.perf_counter() - start) * 1e3


def summary(times: list[float]) -> dict[str, float]:
    ordered = sorted(times)
    return {
        "median_ms": round(statistics.median(ordered), 2),
        "p95_ms": round(ordered[int(len(ordered) * 0.95)], 2),
        "n": len(ordered),
    }


def places(shape: list[int], axis: str, n: int, *, seed: int) -> list[tuple[int, int, int]]:
    """Random tiles of a level: index, row, column."""
    random_ = random.Random(seed)
    fixed, rows, columns = {"z": (0, 1, 2), "y": (1, 0, 2), "x": (2, 0, 1)}[axis]
    tiles = [-(-shape[rows] // EDGE), -(-shape[columns] // EDGE)]
    return [
        (
            random_.randrange(shape[fixed]),
            random_.randrange(tiles[0]),
            random_.randrange(tiles[1]),
        )
        for _ in range(n)
    ]


def cold(client: Client, data: Path, volume: str, shape: list[int], axis: str) -> dict[str, object]:
    """Single tiles over HTTP, each beside the same tile read and encoded in this process."""
    from mitoem import catalog, render
    from mitoem.server.tiles import AXES, Address, tile_box

    opened = catalog.from_environment(data).open(volume)
    base = f"/api/v1/volumes/{volume}/tiles/image/{axis}/0"
    over_http, raw = [], []
    for index, row, column in places(shape, axis, 100, seed=7):
        path = f"{base}/{index}/{row}/{column}"
        over_http.append(milliseconds(lambda path=path: client.get(path)))
        box = tile_box(opened.info.shape, Address("image", axis, 0, index, row, column, "jpeg"))

        def read_and_encode(box=box) -> bytes:
            return render.encode_tile(opened.read(box).squeeze(AXES[axis][0]))

        raw.append(milliseconds(read_and_encode))
    ratio = statistics.median(over_http) / statistics.median(raw)
    return {"http": summary(over_http), "raw": summary(raw), "ratio": round(ratio, 2)}


def small_labels(client: Client, volume: str, labels: str, shape: list[int]) -> dict[str, object]:
    """Sixty label tiles of the coarsest level, one after another on one connection."""
    base = f"/api/v1/volumes/{volume}/tiles/{labels}/z"
    level, depth = len(shape), shape[-1]
    paths = [f"{base}/{level - 1}/{index % depth}/0/0" for index in range(60)]
    sizes = [len(client.get(path)) for path in paths]
    times = [milliseconds(lambda path=path: client.get(path)) for path in paths]
    return summary(times) | {"median_bytes": statistics.median(sizes)}


def together(port: int, volume: str, shape: list[int], *, clients: int = 8) -> dict[str, object]:
    """Tiles per second that several clients get at once; the clients share the processor."""
    base = f"/api/v1/volumes/{volume}/tiles/image/z/0"

    def one(seed: int) -> list[float]:
        client = Client(port)
        chosen = places(shape, "z", 60, seed=seed)
        return [
            milliseconds(lambda at=at: client.get(f"{base}/{at[0]}/{at[1]}/{at[2]}"))
            for at in chosen
        ]

    start = time.perf_counter()
    with ThreadPoolExecutor(clients) as pool:
        times = [ms for part in pool.map(one, range(clients)) for ms in part]
    rate = len(times) / (time.perf_counter() - start)
    return summary(times) | {"clients": clients, "tiles_per_s": round(rate, 1)}


def meshes(port: int, volume: str, labels: str, shape: list[int]) -> dict[str, object]:
    """The first mesh, every one, the overview, and single tiles while meshes are being made."""
    client, other = Client(port), Client(port)
    base = f"/api/v1/volumes/{volume}"
    rows = json.loads(client.get(f"{base}/labels/{labels}/instances.json"))
    paths = [f"{base}/labels/{labels}/meshes/{row['instance_id']}.glb" for row in rows][:200]
    first = milliseconds(lambda: client.get(paths[0]))
    alone = [milliseconds(lambda path=path: client.get(path)) for path in paths[1:]]
    overview = milliseconds(lambda: client.get(f"{base}/labels/{labels}/meshes/overview.glb"))
    tiles = iter(places(shape, "z", 10_000, seed=11))
    beside = []
    with ThreadPoolExecutor(1) as pool:
        work = pool.submit(lambda: [other.get(path) for path in paths * 3])
        while not work.done():
            index, row, column = next(tiles)
            path = f"{base}/tiles/image/z/0/{index}/{row}/{column}"
            beside.append(milliseconds(lambda path=path: client.get(path)))
        work.result()
    return {
        "first_ms": round(first, 1),
        "each": summary(alone),
        "all_ms": round(first + sum(alone), 1),
        "overview_ms": round(overview, 1),
        "tiles_meanwhile": summary(beside),
    }


def memory(data: Path, volume: str, labels: str, shape: list[int]) -> dict[str, float]:
    """Resident megabytes of the server before and after 500 z steps of image and labels."""
    with serving(data, {}) as (port, pid):
        client, process = Client(port), psutil.Process(pid)
        base = f"/api/v1/volumes/{volume}/tiles"
        client.get(f"{base}/image/z/0/0/0/0")
        before = process.memory_info().rss
        for step in range(500):
            for layer in ("image", labels):
                client.get(f"{base}/{layer}/z/0/{step % shape[0]}/0/0?step={step}")
        after = process.memory_info().rss
    return {"before_mb": before / 1e6, "after_mb": after / 1e6}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=ROOT / "data")
    parser.add_argument("--volume", default="phantom-r")
    parser.add_argument("--labels", default="truth")
    parser.add_argument("--out", type=Path, help="write the JSON here too")
    asked = parser.parse_args()
    if not (asked.data / asked.volume / "volume.json").is_file():
        raise SystemExit(f"no volume {asked.volume} in {asked.data}: run python -m mitoem demo")
    os.environ |= COLD
    results: dict[str, object] = {"volume": asked.volume, "cpus": os.cpu_count()}
    with serving(asked.data, COLD) as (port, _):
        client = Client(port)
        info = json.loads(client.get(f"/api/v1/volumes/{asked.volume}"))
        levels = [level["shape"] for level in info["levels"]]
        for axis in "zyx":
            results[f"tile_{axis}"] = cold(client, asked.data, asked.volume, levels[0], axis)
        depths = [shape[0] for shape in levels]
        results["small_labels"] = small_labels(client, asked.volume, asked.labels, depths)
        results["together"] = together(port, asked.volume, levels[0])
        results["meshes"] = meshes(port, asked.volume, asked.labels, levels[0])
    for name in COLD:
        del os.environ[name]
    results["memory"] = memory(asked.data, asked.volume, asked.labels, levels[0])
    text = json.dumps(results, indent=1)
    print(text)
    if asked.out is not None:
        asked.out.parent.mkdir(parents=True, exist_ok=True)
        asked.out.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
