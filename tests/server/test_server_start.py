"""Caches, small answers and the start of the server."""

from __future__ import annotations

import asyncio
import os
import re
import socket
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from served import TILES

from mitoem import server
from mitoem.errors import ChunkCorrupt, ServerBusy, SettingInvalid
from mitoem.server.caches import Cache
from mitoem.server.nodelay import without_delay

ROOT = Path(__file__).parents[2]


def test_small_answers_one_after_another_do_not_wait(address: str) -> None:
    """Nagle's algorithm with delayed acknowledgements costs 40 ms per answer."""
    times = []
    with httpx.Client(base_url=address) as client:
        for index in range(30):
            start = time.perf_counter()
            assert client.get(f"{TILES}/truth/z/2/{index % 6}/0/0").status_code == 200
            times.append(time.perf_counter() - start)
    assert sorted(times)[len(times) // 2] < 0.02


def test_a_listening_socket_hands_its_setting_to_connections() -> None:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        assert without_delay() >= 1
        with socket.create_connection(listening.getsockname()):
            connection, _ = listening.accept()
            with connection:
                assert connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


def test_the_libraries_are_kept_out_of_garbage_collections() -> None:
    """What a collection looks at while everyone waits is what came later."""
    code = """
import asyncio, gc
from streamlit import config
from mitoem import server
async def main():
    async with server.lifespan(None):
        pass
    first = gc.get_freeze_count()
    async with server.lifespan(None):
        pass
    print(first, gc.get_freeze_count() - first, config.get_option("runner.postScriptGC"))
asyncio.run(main())
"""
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    frozen, later, after_each_page = done.stdout.split()
    assert int(frozen) > 50_000
    assert int(later) <= 0
    assert after_each_page == "False"


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 9), st.binary(max_size=40)), max_size=60))
def test_a_cache_never_holds_more_than_its_limit(puts: list[tuple[int, bytes]]) -> None:
    cache = Cache("MITOEM_NOT_SET", 100, most=1)
    for key, body in puts:
        cache.put(key, body)
        assert asyncio.run(cache.get(key, never)) == body
        assert cache.size <= cache.limit


async def never() -> bytes:
    raise AssertionError("made again, although it is kept")


def test_a_body_larger_than_the_cache_is_not_kept() -> None:
    cache = Cache("MITOEM_NOT_SET", 10, most=1)
    cache.put("small", b"12345")
    cache.put("large", b"x" * 11)
    assert cache.size == 5


def test_what_many_ask_for_at_once_is_made_once() -> None:
    made = []

    async def make() -> bytes:
        made.append(1)
        await asyncio.sleep(0.01)
        return b"body"

    async def ask() -> list[bytes]:
        cache = Cache("MITOEM_NOT_SET", 100, most=1)
        return await asyncio.gather(*(cache.get("key", make) for _ in range(9)))

    assert asyncio.run(ask()) == [b"body"] * 9
    assert len(made) == 1


def test_a_failed_making_is_told_to_all_and_tried_again() -> None:
    async def fail() -> bytes:
        raise ChunkCorrupt("no")

    async def make() -> bytes:
        return b"body"

    async def ask() -> None:
        cache = Cache("MITOEM_NOT_SET", 100, most=1)
        found = await asyncio.gather(
            *(cache.get("key", fail) for _ in range(3)), return_exceptions=True
        )
        assert [type(one) for one in found] == [ChunkCorrupt] * 3
        assert await cache.get("key", make) == b"body"

    asyncio.run(ask())


def test_more_at_once_than_the_server_takes_is_refused() -> None:
    async def make() -> bytes:
        await asyncio.sleep(0.01)
        return b"body"

    async def ask() -> None:
        cache = Cache("MITOEM_NOT_SET", 100, most=2)
        found = await asyncio.gather(
            *(cache.get(key, make) for key in range(3)), return_exceptions=True
        )
        assert found[:2] == [b"body", b"body"]
        assert isinstance(found[2], ServerBusy)

    asyncio.run(ask())


@pytest.mark.parametrize("value", ["many", "-1", "nan", "inf"])
def test_a_setting_that_is_no_number_is_one_line(
    value: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MITOEM_VOXELS_PER_HOUR", value)
    told = f"MITOEM_VOXELS_PER_HOUR: expected a number from 0, found {value!r}"
    with pytest.raises(SettingInvalid, match=re.escape(told)):
        server.routes(data=tmp_path)


@pytest.mark.parametrize(
    ("secrets", "told"),
    [
        ('[auth]\ncookie_secret = "not closed\n', "expected TOML"),
        (f'[auth]\ncookie_secret = "{"a" * 64}"\n', "found 64 and 1"),
        ('[auth]\ncookie_secret = "64 random characters"\n', "found 20 and 14"),
    ],
)
def test_a_server_that_was_to_be_closed_does_not_start_open(
    secrets: str, told: str, tmp_path: Path
) -> None:
    file = tmp_path / "secrets.toml"
    file.write_text(secrets)
    words = ["streamlit", "run", "app.py", "--server.port=0", f"--secrets.files={file}"]
    done = subprocess.run(
        [sys.executable, "-m", *words],
        cwd=ROOT,
        env=os.environ | {"MITOEM_DATA": str(tmp_path), "STREAMLIT_SERVER_HEADLESS": "true"},
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode != 0
    assert told in done.stderr.splitlines()[-1]
