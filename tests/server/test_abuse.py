"""A real server under attack, over real sockets: it answers others meanwhile, and stays whole."""

from __future__ import annotations

import http.client
import json
import socket
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from pathlib import Path

import httpx
import psutil
import pytest
from served import BALL, TILES, Running, running, until

from mitoem.server import openapi

if sys.platform == "win32":
    pytest.skip("counts open files as Linux does", allow_module_level=True)

Slow = tuple[float, list[socket.socket]]
TILE = f"{TILES}/image/z/0/0/0/0"
SHARD = "/zarr/wide/0/c/0/0/0"
PERSON = "Ada%20Lovelace"
GIVEN = {
    "volume": "wide", "labels": "truth", "prediction": "run-1", "layer": "truth", "axis": "y",
    "level": "1", "index": "5", "row": "0", "column": "0", "z": "3", "y": "300", "x": "250",
    "instance_id": str(BALL), "file": "viewer.js", "release": "0" * 16,
}  # fmt: skip
FORMATS = {"figure.{format}": "png", "instances.{format}": "csv", "{instance_id}.{format}": "glb"}


@pytest.fixture(scope="module")
def victim(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """The application with few open files allowed, until it asks for more; all requests logged."""
    import resource

    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    log = tmp_path_factory.mktemp("log") / "server.txt"

    def few() -> None:
        resource.setrlimit(resource.RLIMIT_NOFILE, (256, hard))

    with running(root, log, before=few, MITOEM_LOG="all") as one:
        yield one
        assert "Traceback" not in log.read_text()


@pytest.fixture(scope="module")
def slow(victim: Running) -> Iterator[Slow]:
    """Clients that began a request when all began and do not end it, or say nothing at all."""
    with ExitStack() as stack:
        found = [stack.enter_context(victim.connect()) for _ in range(100)]
        for one in found[:50]:
            one.sendall(GET + b"X: ")
        yield time.monotonic(), found


def sent(victim: Running, raw: bytes, *, seconds: float = 10) -> bytes:
    """What the server says to bytes, up to 5 MB, until it ends the connection or says no more."""
    said = b""
    with suppress(ConnectionError, TimeoutError), victim.connect() as one:
        one.settimeout(seconds)
        one.sendall(raw)
        while len(said) < 5_000_000 and (part := one.recv(1 << 20)):
            said += part
            if b"\r\n\r\n" in said:
                one.settimeout(0.3)
    return said


def status(said: bytes) -> int:
    return int(said.split()[1]) if said.startswith(b"HTTP/1.1 ") else 0


def tile_times(victim: Running, count: int) -> list[float]:
    times = []
    with httpx.Client(base_url=victim.url, timeout=30) as client:
        for index in range(count):
            begun = time.perf_counter()
            assert client.get(f"{TILES}/truth/z/1/{index % 12}/0/0").status_code == 200
            times.append(time.perf_counter() - begun)
    return sorted(times)


def addresses() -> list[str]:
    """One good address for every route."""
    found = []
    for route in openapi.ROUTES:
        path = route
        for ending, kind in FORMATS.items():
            path = path.replace(ending, ending.replace("{format}", kind))
        found.append(path.format(**GIVEN) + ("?by=volume_um3" if "colours" in path else ""))
    return [*found, SHARD, "/zarr/wide/zarr.json"]


def test_head_is_get_without_a_body_on_every_route(victim: Running, slow: Slow) -> None:
    for path in addresses():
        heads = []
        for method in ("GET", "HEAD"):
            line = http.client.HTTPConnection("127.0.0.1", victim.port, timeout=30)
            line.request(method, path)
            answer = line.getresponse()
            body = answer.read()
            assert answer.status in (200, 302), (path, body[:200])
            kept = ("content-length", "content-type", "etag", "cache-control")
            heads.append((answer.status, [answer.getheader(one) for one in kept]))
            if method == "HEAD":
                assert body == b""
            elif not body:
                assert answer.status == 302
            line.close()
        assert heads[0] == heads[1], path


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "TRACE", "PROPFIND"])
def test_every_route_refuses_to_be_written_to(victim: Running, method: str) -> None:
    with httpx.Client(base_url=victim.url) as client:
        for path in addresses():
            answer = client.request(method, path, content=b"x" * 10)
            assert (answer.status_code, list(answer.json())) == (405, ["error"]), path
            assert "GET" in answer.headers["allow"]


RANGES = [
    "bytes=0-0" + ",0-0" * 10_000, "bytes=0-9,5-15,0-", "bytes=0-,0-,0-,0-", "bytes=-0",
    "bytes=--5", "bytes=5-2", "bytes=0-" + "9" * 30, "bytes=" + "9" * 14 + "-", "bytes=²-³",
    "items=0-1", "bytes= 0 - 1", "BYTES=0-1", "bytes=", "bytes", "=", "bytes=0-1\tx",
]  # fmt: skip


@pytest.mark.parametrize("path", [TILE, SHARD])
@pytest.mark.parametrize("wanted", RANGES, ids=lambda one: one[:20])
def test_no_range_takes_more_than_the_file(victim: Running, path: str, wanted: str) -> None:
    with httpx.Client(base_url=victim.url) as client:
        whole = client.get(path).content
        answer = client.get(path, headers=[(b"Range", wanted.encode("utf-8"))])
    assert answer.status_code in (200, 206, 416)
    assert answer.status_code == 416 or answer.content in (whole, whole[: len(answer.content)])


LONG = b"a" * 65_536
HOST = b" HTTP/1.1\r\nHost: it\r\nConnection: close\r\n"
GET = b"GET " + TILE.encode() + HOST
LENGTH, CHUNKS = b"Content-Length: ", b"Transfer-Encoding: chunked"
QUERY = b"GET " + TILE.encode() + b"?"
RAW = {
    "length and chunks": (GET + LENGTH + b"6\r\n" + CHUNKS + b"\r\n\r\n0\r\n\r\nG", 400),
    "chunks and length": (GET + CHUNKS + b"\r\n" + LENGTH + b"3\r\n\r\n0\r\n\r\n", 400),
    "two lengths": (GET + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\nab", 400),
    "a length below 0": (GET + b"Content-Length: -1\r\n\r\n", 400),
    "chunks with a space": (GET + b"Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n", 400),
    "chunked, then not": (GET + b"Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n", 400),
    "a chunk of no size": (GET + b"Transfer-Encoding: chunked\r\n\r\nZZ\r\n\r\n", 400),
    "line feeds alone": (GET.replace(b"\r", b"") + b"\n", 400),
    "a folded line": (GET + b"X: a\r\n b\r\n\r\n", 400),
    "a null in a header": (GET + b"X: a\x00b\r\n\r\n", 400),
    "a null in the path": (b"GET /api/\x00" + HOST + b"\r\n", 400),
    "a path that is not ASCII": (b"GET /api/\xc3\xa4" + HOST + b"\r\n", 400),
    "no such method": (b"FOO /healthz" + HOST + b"\r\n", 400),
    "a proxy's method": (b"CONNECT it:80" + HOST + b"\r\n", 400),
    "another protocol": (b"\x16\x03\x01\x02\x00\x01\r\n\r\n", 400),
    "HTTP/2": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400),
    "HTTP/3": (b"GET /healthz HTTP/3.0\r\n\r\n", 400),
    "no path": (b"GET  HTTP/1.1\r\n\r\n", 400),
    "a header too long": (GET + b"X: " + LONG + b"\r\n\r\n", 431),
    "a path too long": (b"GET /api/" + LONG + HOST + b"\r\n", 431),
    "headers too many": (GET + b"".join(b"X%d: a\r\n" % n for n in range(9000)) + b"\r\n", 431),
    "a long path": (b"GET /api/" + LONG[:60_000] + HOST + b"\r\n", 404),
    "ten thousand words": (QUERY + b"a=1&" * 10_000 + HOST + b"\r\n", 200),
    "ten thousand formats": (QUERY + b"format&" * 9_000 + HOST + b"\r\n", 400),
    "a body": (GET + b"Content-Length: 5\r\n\r\nhello", 200),
    "a body that is promised": (GET + b"Content-Length: 99999999\r\n\r\nhello", 200),
    "a body to wait for": (GET + b"Expect: 100-continue\r\nContent-Length: 5\r\n\r\n", 200),
    "a huge chunk": (GET + b"Transfer-Encoding: chunked\r\n\r\nFFFFFFFFFFFFFFF\r\nx", 200),
    "another protocol from now on": (GET + b"Connection: Upgrade\r\nUpgrade: h2c\r\n\r\n", 200),
    "cookies": (GET + b"Cookie: _streamlit_user=\xff; " + b"a=b; " * 5000 + b"\r\n\r\n", 200),
    "proxies": (GET + b"X-Forwarded-For: " + b"1.2.3.4, " * 5000 + b"\r\n\r\n", 200),
    "a proxy that lies": (GET + b"X-Forwarded-For: <b>\r\nX-Forwarded-Proto: js\r\n\r\n", 200),
    "a null, escaped": (b"GET /zarr/wide/%00" + HOST + b"\r\n", 400),
    "dots, escaped": (b"GET /zarr/wide/%2e%2e/%2e%2e/etc/passwd" + HOST + b"\r\n", 400),
    "dots, escaped twice": (b"GET /zarr/wide/%252e%252e%252fvolume.json" + HOST + b"\r\n", 404),
    "a slash, overlong": (b"GET /zarr/wide/..%c0%afvolume.json" + HOST + b"\r\n", 404),
    "other digits": (b"GET /api/v1/volumes/wide/voxels/%D9%A1/0/0" + HOST + b"\r\n", 400),
    "another site": (b"GET http://evil.example/zarr/none" + HOST + b"\r\n", 404),
}  # fmt: skip


@pytest.mark.parametrize("name", RAW)
def test_odd_requests_have_a_plain_answer(victim: Running, name: str) -> None:
    raw, expected = RAW[name]
    said = sent(victim, raw)
    assert status(said) == expected, said[:300]
    assert len(said) < 2_000_000


def test_a_site_elsewhere_cannot_open_a_page_nor_make_the_server_call_out(victim: Running) -> None:
    begun = time.monotonic()
    for origin in (b"https://evil.example", b"null", b"http://it.evil.example:80", b"http://[::"):
        said = sent(
            victim,
            b"GET /_stcore/stream" + HOST + b"Connection: Upgrade\r\nUpgrade: websocket\r\n"
            b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
            b"Origin: " + origin + b"\r\n\r\n",
        )
        assert status(said) == 403
    assert time.monotonic() - begun < 3
    assert "external IP" not in victim.log.read_text()


def test_a_head_without_end_is_refused_before_it_fills_memory(victim: Running) -> None:
    taken = 0
    with victim.connect() as one, suppress(ConnectionError):
        one.sendall(GET + b"X: ")
        for _ in range(100):
            one.sendall(b"a" * 1_000_000)
            taken += 1
            time.sleep(0.01)
    assert taken < 20


def test_two_thousand_idle_connections_keep_nobody_waiting(victim: Running) -> None:
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(8192, hard), hard))
    server = psutil.Process(victim.process.pid)
    until(lambda: server.num_fds() < 60, 10)
    files, memory = server.num_fds(), server.memory_info().rss
    with ExitStack() as stack:
        stack.callback(resource.setrlimit, resource.RLIMIT_NOFILE, (soft, hard))
        for _ in range(2000):
            stack.enter_context(victim.connect())
        times = tile_times(victim, 60)
        assert server.num_fds() > files + 1500
        assert times[57] < 1.0
        assert server.memory_info().rss - memory < 150_000_000
    until(lambda: server.num_fds() <= files + 8, 8)


def test_clients_that_read_nothing_fill_no_memory(victim: Running) -> None:
    server = psutil.Process(victim.process.pid)
    memory = server.memory_info().rss
    with ExitStack() as stack:
        for number in range(300):
            one = stack.enter_context(socket.socket())
            one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            one.settimeout(30)
            one.connect(("127.0.0.1", victim.port))
            raw = f"{TILES}/image/z/0/{number % 12}/0/0?format=raw" if number % 2 else SHARD
            one.sendall(b"GET " + raw.encode() + HOST + b"\r\n")
        assert tile_times(victim, 20)[18] < 1.0
        assert server.memory_info().rss - memory < 400_000_000


def test_too_much_at_once_is_refused_at_once_and_over_soon(victim: Running) -> None:
    def figure(number: int) -> tuple[int, str, float]:
        begun = time.monotonic()
        words = {"z": number % 12, "labels": "truth", "nm": 6 + number / 100}
        answer = httpx.get(f"{victim.url}/api/v1/volumes/wide/figure.png", params=words,
                           timeout=60, headers={"X-Forwarded-For": f"10.0.0.{number}"})  # fmt: skip
        return answer.status_code, answer.headers.get("retry-after", ""), time.monotonic() - begun

    with ThreadPoolExecutor(30) as pool:
        crowd = [pool.submit(figure, number) for number in range(30)]
        time.sleep(0.5)
        begun = time.monotonic()
        assert httpx.get(f"{victim.url}/healthz", timeout=30).status_code == 200
        assert time.monotonic() - begun < 5
        answers = [one.result() for one in crowd]
    assert {one[0] for one in answers} == {200, 503}
    assert all(later == "1" for code, later, _ in answers if code == 503)
    assert tile_times(victim, 20)[18] < 1.0


def test_slow_clients_were_let_go_while_all_the_others_were_served(slow: Slow) -> None:
    began, clients = slow
    for one in clients[:50]:
        one.settimeout(0.1 if time.monotonic() > began + 14 else 14)
        with suppress(ConnectionError):
            one.sendall(b"x")
    for one in clients:
        one.settimeout(max(0.1, began + 14 - time.monotonic()))
        with suppress(ConnectionError):
            assert one.recv(100) == b""


def test_the_log_tells_routes_and_nobody(victim: Running) -> None:
    """Runs last: it reads what the attacks of this module left in the log."""
    secret = f"/token/{PERSON}/zarr/wide/zarr.json"
    forged = {"X-Request-ID": "abc\r\n{}".encode("unicode_escape").decode(), "Cookie": "u=Ada"}
    headers = {"X-Request-ID": "known-0123456789", "Referer": "https://ada.example/Ada"}
    with httpx.Client(base_url=victim.url) as client:
        answer = client.get(f"{TILE}?q={PERSON}", headers=headers)
        assert answer.headers["x-request-id"] == "known-0123456789"
        assert len(client.get(secret, headers=forged).headers["x-request-id"]) == 16
        client.get(f"/{PERSON}/page")
        client.get(f"/zarr/{PERSON}/x")
    time.sleep(0.2)
    text = victim.log.read_text()
    for private in ("Ada", "Lovelace", "127.0.0.1:", "10.0.0.", "passwd", "?", "evil"):
        assert private not in text.partition("You can now view")[2].partition("\n{")[2], private
    lines = [json.loads(line) for line in text.splitlines() if line.startswith("{")]
    assert len(lines) > 500
    (mine,) = (one for one in lines if one["id"] == "known-0123456789")
    assert mine["route"].endswith("/tiles/{layer}/{axis}/{level}/{index}/{row}/{column}")
    assert (mine["method"], mine["status"]) == ("GET", 200)
    assert mine["bytes"] > 1000
    assert {"/token/…/zarr/…", "/{page}", "/zarr/{volume}/{path}", "/healthz"} <= {
        one["route"] for one in lines
    }
    assert not [one for one in lines if "error" in one]
