"""Nothing calls elsewhere: every connection of the program is to this computer.

An audit hook in each process, put there by ``sitecustomize``, writes down what is connected to and
which names are looked up.
"""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest

HOOK = """
import os, sys
PLACES = {"socket.connect": 1, "socket.sendto": 1, "socket.getaddrinfo": 0}
def heard(event, args):
    if event in PLACES:
        with open(os.environ["HEARD"], "a") as out:
            out.write(f"{event} {args[PLACES[event]]!r}\\n")
sys.addaudithook(heard)
"""

LOCAL = ("'127.0.0.1'", "'localhost'", "'::1'", "b'127.0.0.1'", "b'localhost'")

PROJECT = Path(__file__).parents[1]


@pytest.fixture
def env(tmp_path: Path, small_root: Path) -> dict[str, str]:
    (tmp_path / "sitecustomize.py").write_text(HOOK)
    return os.environ | {
        "PYTHONPATH": os.pathsep.join((str(tmp_path), str(PROJECT))),
        "HEARD": str(tmp_path / "heard"),
        "MITOEM_DATA": str(small_root),
    }


def abroad(env: dict[str, str]) -> list[str]:
    """What was asked of another computer."""
    path = Path(env["HEARD"])
    lines = path.read_text().splitlines() if path.exists() else []
    told = [one for one in lines if not any(name in one for name in LOCAL)]
    return [one for one in told if not one.endswith((" None", "''")) and "/" not in one]


def test_the_hook_hears_a_connection(env: dict[str, str]) -> None:
    code = "import socket; socket.socket().connect_ex(('192.0.2.1', 9))"
    with contextlib.suppress(subprocess.TimeoutExpired):
        subprocess.run([sys.executable, "-c", code], env=env, check=True, timeout=5)
    assert any("192.0.2.1" in one for one in abroad(env))


@pytest.mark.parametrize(
    "words",
    [["predict", "phantom-h", "--box", "0:8,0:64,0:64"], ["check", "phantom-h"], ["list"]],
    ids=lambda words: words[0],
)
def test_no_command_calls_elsewhere(env: dict[str, str], words: list[str]) -> None:
    subprocess.run([sys.executable, "-m", "mitoem", *words], env=env, check=True,
                   capture_output=True, cwd=PROJECT)  # fmt: skip
    assert abroad(env) == []


def test_the_server_calls_nowhere(env: dict[str, str]) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    options = ["--server.port", str(port), "--server.headless", "true"]
    running = subprocess.Popen(
        [sys.executable, "-m", "streamlit", "run", "app.py", *options],
        env=env, cwd=PROJECT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        for path in ("healthz", "healthz", "", "explore"):
            for _ in range(300):
                try:
                    urllib.request.urlopen(f"http://127.0.0.1:{port}/{path}", timeout=5).read()
                    break
                except OSError:
                    time.sleep(0.1)
        assert running.poll() is None
    finally:
        running.terminate()
        running.wait(timeout=20)
    assert abroad(env) == []
