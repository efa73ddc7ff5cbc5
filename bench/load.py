"""Fifty people at once: ``python -m bench.load [--data ROOT] [--clients 50] [--seconds 600]``.

Starts ``streamlit run app.py`` over a copy of a volume and, in this process, its clients. Each
looks at a view of 12 image and 12 label tiles every 10 s, over six connections as a browser does,
and runs a page anew every 30 s over Streamlit's websocket. Meanwhile the worker has two large
predictions, one under way and one in the queue. Then 400 clients ask without a pause for 20 s,
more than the server can do, while ``/healthz`` is asked every half second; and after them ten
ordinary ones, to see how soon all is as before. Prints one JSON object; the latency of a tile is
from the request to the last byte, the clients share the processors with the server.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections import Counter
from collections.abc import Awaitable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import psutil
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from websockets.asyncio.client import ClientConnection, connect
from websockets.typing import Subprotocol

from bench.tiles import EDGE, ROOT
from mitoem import jobs

LAYERS = ("image", "truth")

STREAMLIT = Subprotocol("streamlit")
VIEW = 12
"""Tiles of each layer in a view."""

BOX = (64, 1024, 1024)
"""Of a prediction, at most."""

TILES_EVERY, PAGE_EVERY = 10.0, 30.0
CONNECTIONS = 6
GOOD_P95_MS = 250.0
FAIR = {200, 304, 429, 503}
"""What a server that has too much to do may answer."""


@contextmanager
def serving(root: Path) -> Iterator[tuple[int, int]]:
    """The application in a process of its own: its port and process id; its log in ``root``."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    words = ["--server.port", str(port), "--server.headless", "true"]
    with (root / "server.log").open("wb") as log:
        server = subprocess.Popen(
            [sys.executable, "-m", "streamlit", "run", "app.py", *words],
            cwd=ROOT, env=os.environ | {"MITOEM_DATA": str(root)}, stdout=log, stderr=log,
        )  # fmt: skip
    try:
        for _ in range(600):
            with suppress(OSError):
                urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=5).close()
                break
            time.sleep(0.1)
        yield port, server.pid
    finally:
        server.terminate()
        server.wait(timeout=20)


@dataclass
class Tally:
    """What the clients saw."""

    tiles: list[float] = field(default_factory=list)
    pages: list[float] = field(default_factory=list)
    statuses: Counter[str] = field(default_factory=Counter)
    errors: list[str] = field(default_factory=list)
    bytes: int = 0


@dataclass(frozen=True)
class Place:
    """The server, and the volume that is looked at."""

    port: int
    volume: str
    shape: tuple[int, int, int]

    def view(self, rng: random.Random) -> list[str]:
        """Twelve tiles through one point: three planes of the finest level, and sections beside."""
        at = [rng.randrange(n) for n in self.shape]
        planes = [("z", at[0] + by) for by in (0, 1, -1, 2, -2)] + [("y", at[1]), ("x", at[2])]
        found = []
        for axis, index in planes:
            fixed, rows, columns = {"z": (0, 1, 2), "y": (1, 0, 2), "x": (2, 0, 1)}[axis]
            for row in range(-(-self.shape[rows] // EDGE)):
                for column in range(-(-self.shape[columns] // EDGE)):
                    found.append(f"{axis}/0/{index % self.shape[fixed]}/{row}/{column}")
        return rng.sample(found, VIEW) if len(found) >= VIEW else found

    def path(self, layer: str, tile: str) -> str:
        return f"/api/v1/volumes/{self.volume}/tiles/{layer}/{tile}"


def summary(times: list[float]) -> dict[str, float]:
    """Milliseconds: median, tail and worst."""
    if not times:
        return {"n": 0}
    ordered = sorted(times)
    tail = {
        f"p{p}_ms": round(ordered[min(len(ordered) - 1, len(ordered) * p // 100)], 1)
        for p in (50, 95, 99)
    }
    return {"n": len(ordered), **tail, "max_ms": round(ordered[-1], 1)}


class Browser:
    """A few keep-alive connections of one client, with an address of its own as a proxy tells it.

    Bare sockets: a client library took more of the processors than the server that it asked.
    """

    def __init__(self, port: int, number: int, connections: int = CONNECTIONS) -> None:
        self.port, self.free = port, asyncio.Semaphore(connections)
        self.address = f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}"
        self.idle: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []

    async def get(self, path: str) -> Answer:
        """Ask, once more where a connection that was kept has been closed meanwhile."""
        while self.idle:
            with suppress(OSError, asyncio.IncompleteReadError):
                return await self._ask(*self.idle.pop(), path)
        return await self._ask(*await asyncio.open_connection("127.0.0.1", self.port), path)

    async def _ask(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, path: str
    ) -> Answer:
        words = f"GET {path} HTTP/1.1\r\nHost: it\r\nX-Forwarded-For: {self.address}\r\n\r\n"
        writer.write(words.encode())
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower().split("\r\n")
            headers = dict(line.split(": ", 1) for line in head[1:] if line)
            body = await reader.readexactly(int(headers["content-length"]))
        except BaseException:
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()
            raise
        if headers.get("connection") == "close":
            writer.close()
            await writer.wait_closed()
        else:
            self.idle.append((reader, writer))
        return Answer(int(head[0].split()[1]), headers, len(body))

    async def close(self) -> None:
        for _, writer in self.idle:
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()


class Answer(NamedTuple):
    status: int
    headers: dict[str, str]
    size: int


async def fetch(client: Browser, path: str, tally: Tally) -> int:
    """One tile, not unpacked; returns its status, 0 for none."""
    async with client.free:
        began = time.perf_counter()
        try:
            answer = await asyncio.wait_for(client.get(path), 60)
        except (OSError, asyncio.IncompleteReadError) as error:
            tally.statuses[type(error).__name__] += 1
            tally.errors.append(f"{type(error).__name__}: {path}")
            return 0
    tally.tiles.append((time.perf_counter() - began) * 1e3)
    tally.bytes += answer.size
    tally.statuses[str(answer.status)] += 1
    if answer.status in (429, 503) and not answer.headers.get("retry-after", "").isdigit():
        tally.errors.append(f"{answer.status} without Retry-After: {path}")
    return answer.status


async def looking(place: Place, number: int, end: float, tally: Tally) -> None:
    """A view every ten seconds."""
    rng, client = random.Random(number), Browser(place.port, number)

    async def one(path: str) -> None:
        status = await fetch(client, path, tally)
        if status not in (0, 200):
            tally.errors.append(f"{status}: {path}")

    await asyncio.sleep(rng.random() * min(TILES_EVERY, (end - time.monotonic()) / 2))
    while time.monotonic() < end:
        begun = time.monotonic()
        tiles = place.view(rng)
        await asyncio.gather(*(one(place.path(la, t)) for la in LAYERS for t in tiles))
        next_view = min(end, begun + TILES_EVERY)
        await asyncio.sleep(max(0.0, next_view - time.monotonic()))
    await client.close()


async def reading(place: Place, number: int, end: float, tally: Tally) -> None:
    """A page that is run anew every thirty seconds, on one websocket."""
    rng = random.Random(-number)
    await asyncio.sleep(rng.random() * min(PAGE_EVERY, (end - time.monotonic()) / 2))
    url = f"ws://127.0.0.1:{place.port}/_stcore/stream"
    try:
        async with connect(url, subprotocols=[STREAMLIT], max_size=None) as socket:
            while time.monotonic() < end:
                begun = time.monotonic()
                page = rng.choice(["explore", "instances"])
                words = f"volume={place.volume}&z={rng.randrange(place.shape[0])}"
                await asyncio.wait_for(rerun(socket, page, words), 60)
                tally.pages.append((time.monotonic() - begun) * 1e3)
                await until(socket, min(end, begun + PAGE_EVERY))
    except Exception as error:
        tally.errors.append(f"page: {type(error).__name__}: {error}")


async def rerun(socket: ClientConnection, page: str, words: str) -> None:
    """Ask for a page as the browser does, and read until its script has ended."""
    ask = BackMsg()
    ask.rerun_script.query_string = words
    ask.rerun_script.page_name = page
    await socket.send(ask.SerializeToString())
    while True:
        told = ForwardMsg.FromString(await socket.recv(decode=False))
        if told.WhichOneof("type") == "delta" and told.delta.new_element.HasField("exception"):
            raise RuntimeError(f"{page}: {told.delta.new_element.exception.message}")
        if told.WhichOneof("type") == "script_finished":
            if told.script_finished != ForwardMsg.FINISHED_SUCCESSFULLY:
                raise RuntimeError(f"{page}: ended with {told.script_finished}")
            return


async def until(socket: ClientConnection, end: float) -> None:
    """Read what the page sends by itself until then."""
    while (left := end - time.monotonic()) > 0:
        with suppress(TimeoutError):
            await asyncio.wait_for(socket.recv(), left)


async def predicting(root: Path, place: Place, end: float, done: list[str]) -> None:
    """One large prediction under way and one in the queue, all the time."""
    box = ",".join(f"0:{min(n, most)}" for n, most in zip(place.shape, BOX, strict=True))
    request = {"volume": place.volume, "box": box}
    runs: list[str] = []
    while time.monotonic() < end:
        states = {run: await asyncio.to_thread(jobs.status, root, run) for run in runs}
        done += [states[run].state for run in runs if states[run].finished]
        runs = [run for run in runs if not states[run].finished]
        while len(runs) < 2:
            runs.append(await asyncio.to_thread(jobs.submit, root, "predict", request))
        await asyncio.sleep(min(1.0, max(0.0, end - time.monotonic())))
    for run in runs:
        jobs.cancel(root, run)


async def weighing(pid: int, root: Path, end: float, seen: list[dict[str, float]]) -> None:
    """Resident megabytes of the server and of what the worker consists of."""
    server = psutil.Process(pid)
    while time.monotonic() < end:
        worker = jobs.registry.worker(root).get("who", [0])[0]
        mb = {"at": time.monotonic(), "server": server.memory_info().rss / 1e6, "worker": 0.0}
        with suppress(psutil.Error):
            family = [psutil.Process(worker)] if worker else []
            family += [child for one in family for child in one.children(recursive=True)]
            mb["worker"] = sum(one.memory_info().rss for one in family) / 1e6
        seen.append(mb)
        await asyncio.sleep(min(2.0, max(0.0, end - time.monotonic())))


async def normal(place: Place, pid: int, root: Path, asked: argparse.Namespace) -> dict[str, Any]:
    """What the clients see for so many seconds, and the server's memory meanwhile."""
    tally, begun = Tally(), time.monotonic()
    end = begun + asked.seconds
    runs: list[str] = []
    memory: list[dict[str, float]] = []
    people = [
        work(place, number, end, tally)
        for number in range(1, asked.clients + 1)
        for work in (looking, reading)
    ]
    await asyncio.gather(
        *people,
        predicting(root, place, end, runs),
        weighing(pid, root, end, memory),
    )
    warm = [one for one in memory if one["at"] - begun >= min(60.0, asked.seconds / 5)]
    seconds = time.monotonic() - begun
    return {
        "clients": asked.clients,
        "seconds": round(seconds, 1),
        "tiles": summary(tally.tiles),
        "tiles_per_s": round(len(tally.tiles) / seconds, 1),
        "mb_per_s": round(tally.bytes / seconds / 1e6, 2),
        "pages": summary(tally.pages),
        "statuses": dict(tally.statuses),
        "errors": len(tally.errors),
        "first_errors": tally.errors[:5],
        "predictions": dict(Counter(runs)),
        "memory_mb": {
            who: {
                "warm": round(warm[0][who], 1),
                "end": round(warm[-1][who], 1),
                "most": round(max(one[who] for one in memory), 1),
                "growth": round(warm[-1][who] - warm[0][who], 1),
            }
            for who in ("server", "worker")
        },
    }


async def hammering(place: Place, number: int, end: float, tally: Tally) -> None:
    """One who asks for tile after tile, whatever the answer says."""
    rng, client = random.Random(1000 + number), Browser(place.port, 1000 + number, 1)
    while time.monotonic() < end:
        await fetch(client, place.path(rng.choice(LAYERS), rng.choice(place.view(rng))), tally)
    await client.close()


async def well(place: Place, end: float, tally: Tally) -> None:
    """How long ``/healthz`` takes, twice a second."""
    client = Browser(place.port, 999, 1)
    while time.monotonic() < end:
        if await fetch(client, "/healthz", tally) != 200:
            tally.errors.append("healthz is not 200")
        await asyncio.sleep(0.5)
    await client.close()


async def recovery(place: Place, longest: float) -> float | None:
    """Seconds until ten ordinary clients have their tiles in good time; None if never."""
    begun, rng, recovered = time.monotonic(), random.Random(5), None
    clients = [Browser(place.port, number) for number in range(1, 11)]
    while time.monotonic() - begun < longest:
        tally, second = Tally(), time.monotonic()
        while time.monotonic() < second + 1:
            paths = [place.path(rng.choice(LAYERS), rng.choice(place.view(rng))) for _ in clients]
            await asyncio.gather(*(fetch(c, p, tally) for c, p in zip(clients, paths, strict=True)))
            await asyncio.sleep(0.2)
        if summary(tally.tiles)["p95_ms"] <= GOOD_P95_MS and set(tally.statuses) == {"200"}:
            recovered = round(time.monotonic() - begun, 1)
            break
    await asyncio.gather(*(client.close() for client in clients))
    return recovered


async def overload(place: Place, pid: int, asked: argparse.Namespace) -> dict[str, Any]:
    """More than the server can do, and how soon it is well again."""
    tally, health = Tally(), Tally()
    server, before = psutil.Process(pid), psutil.Process(pid).memory_info().rss
    end = time.monotonic() + asked.overload_seconds
    crowd: list[Awaitable[None]] = [
        hammering(place, number, end, tally) for number in range(asked.overload_clients)
    ]
    await asyncio.gather(*crowd, well(place, end, health))
    after = server.memory_info().rss
    seconds = await recovery(place, 30)
    return {
        "clients": asked.overload_clients,
        "seconds": asked.overload_seconds,
        "answers": summary(tally.tiles),
        "statuses": dict(tally.statuses),
        "unfair": sorted(set(tally.statuses) - {str(one) for one in FAIR}),
        "errors": len(tally.errors) + len(health.errors),
        "first_errors": (tally.errors + health.errors)[:5],
        "healthz": summary(health.tiles),
        "server_growth_mb": round((after - before) / 1e6, 1),
        "recovery_s": seconds,
    }


def drive(asked: argparse.Namespace) -> dict[str, Any]:
    """Both phases, over a copy of the volume."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        shutil.copytree(asked.data / asked.volume, root / asked.volume)
        info = json.loads((root / asked.volume / "volume.json").read_text(encoding="utf-8"))
        z, y, x = info["shape"]
        os.environ["MITOEM_WORKER_IDLE"] = "5"
        try:
            with serving(root) as (port, pid):
                place = Place(port, asked.volume, (z, y, x))
                result = {"volume": asked.volume, "cpus": os.cpu_count(),
                          "normal": asyncio.run(normal(place, pid, root, asked))}  # fmt: skip
                if asked.overload_clients:
                    result["overload"] = asyncio.run(overload(place, pid, asked))
        finally:
            jobs.stop_worker(root)
    return result


def arguments(words: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=ROOT / "data")
    parser.add_argument("--volume", default="phantom-h")
    parser.add_argument("--clients", type=int, default=50)
    parser.add_argument("--seconds", type=float, default=600)
    parser.add_argument("--overload-clients", type=int, default=400, help="0: no overload")
    parser.add_argument("--overload-seconds", type=float, default=20)
    parser.add_argument("--out", type=Path, help="write the JSON here too")
    return parser.parse_args(words)


def main() -> None:
    asked = arguments()
    if not (asked.data / asked.volume / "volume.json").is_file():
        raise SystemExit(f"no volume {asked.volume} in {asked.data}: run python -m mitoem demo")
    text = json.dumps(drive(asked), indent=1)
    print(text)
    if asked.out is not None:
        asked.out.parent.mkdir(parents=True, exist_ok=True)
        asked.out.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
