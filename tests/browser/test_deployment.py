"""The files of ``docs/deploy``: a real nginx before the application, and systemd's own check."""

from __future__ import annotations

import http.client
import os
import re
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser

PROJECT = Path(__file__).parents[2]
DEPLOY = PROJECT / "docs" / "deploy"
NGINX = shutil.which("nginx") or "/usr/sbin/nginx"

AROUND = """
daemon off;
pid {run}/nginx.pid;
error_log {run}/error.log;
events {{}}
http {{
    access_log off;
    client_body_temp_path {run}/body;
    proxy_temp_path {run}/proxy;
    fastcgi_temp_path {run}/fastcgi;
    uwsgi_temp_path {run}/uwsgi;
    scgi_temp_path {run}/scgi;
    include {run}/mitoem.conf;
}}
"""


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def answers(url: str, running: subprocess.Popen[bytes]) -> None:
    for _ in range(600):
        assert running.poll() is None, "it ended"
        try:
            urllib.request.urlopen(url, timeout=5).read()
            return
        except OSError:
            time.sleep(0.1)
    raise AssertionError(f"{url} did not answer")


@pytest.fixture(scope="module")
def public(browser_root: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The application as the service starts it, behind nginx as the page of deployment says."""
    if not Path(NGINX).exists():
        pytest.skip("nginx is not installed: apt-get install nginx")
    run, inner, outer = tmp_path_factory.mktemp("nginx"), free_port(), free_port()
    given = (DEPLOY / "nginx.conf").read_text()
    for ours, theirs in (
        ("listen 80", f"listen 127.0.0.1:{outer}"),
        ("8501", str(inner)),
        ("/var/log/nginx", str(run)),
        ("client_header_timeout 10s", "client_header_timeout 1s"),
    ):
        assert ours in given
        given = given.replace(ours, theirs)
    (run / "mitoem.conf").write_text(given)
    (run / "nginx.conf").write_text(AROUND.format(run=run))
    (line,) = (
        one for one in (DEPLOY / "mitoem.service").read_text().splitlines() if "ExecStart=" in one
    )
    words = line.partition("python ")[2].replace("8501", str(inner)).split()
    env = os.environ | {"MITOEM_DATA": str(browser_root)}
    served = subprocess.Popen(
        [sys.executable, *words], cwd=PROJECT, env=env,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    front = subprocess.Popen([NGINX, "-p", run, "-c", run / "nginx.conf"])
    try:
        answers(f"http://127.0.0.1:{inner}/mitoem/healthz", served)
        answers(f"http://127.0.0.1:{outer}/mitoem/healthz", front)
        yield f"http://127.0.0.1:{outer}/mitoem"
    finally:
        for one in (front, served):
            one.terminate()
            one.wait(timeout=30)


def test_pages_tiles_and_the_websocket_pass_through_nginx(chromium: Browser, public: str) -> None:
    context = chromium.new_context(viewport={"width": 1280, "height": 720})
    page = context.new_page()
    page.goto(f"{public}/explore?volume=phantom-h")
    page.locator('.viewer[data-settled="true"]').wait_for(timeout=60_000)
    page.get_by_role("link", name="Instances").click()
    page.locator(".mitoem-plot[data-drawn]").wait_for()
    assert page.url.startswith(f"{public}/instances")
    context.close()


def test_one_id_goes_through_both(public: str) -> None:
    with urllib.request.urlopen(f"{public}/healthz", timeout=10) as answer:
        assert re.fullmatch("[0-9a-f]{32}", answer.headers["X-Request-ID"]), "nginx made it"


def test_nginx_lets_go_of_a_head_that_never_ends(public: str) -> None:
    place = urlsplit(public)
    with socket.create_connection((place.hostname, place.port), timeout=10) as slow:
        begun = time.monotonic()
        slow.sendall(b"GET /mitoem/ HTTP/1.1\r\nHost: em.example.org\r\nX: ")
        with suppress(ConnectionResetError):
            assert slow.recv(1000) == b""
        assert time.monotonic() - begun < 5


def test_nginx_refuses_one_address_that_asks_for_all(public: str) -> None:
    """Last: for a moment this address may ask for nothing more."""
    place = urlsplit(public)

    def flood(_: int) -> list[tuple[int, str | None]]:
        line = http.client.HTTPConnection(str(place.hostname), place.port, timeout=30)
        found = []
        for _ in range(250):
            line.request("GET", f"{place.path}/viewer/none.js")
            answer = line.getresponse()
            answer.read()
            found.append((answer.status, answer.getheader("Retry-After")))
        line.close()
        return found

    with ThreadPoolExecutor(6) as pool:
        answers = [one for part in pool.map(flood, range(6)) for one in part]
    assert {status for status, _ in answers} == {404, 429}
    assert {later for status, later in answers if status == 429} == {"1"}
    time.sleep(1)
    with urllib.request.urlopen(f"{public}/healthz", timeout=10) as answer:
        assert answer.status == 200


def test_the_service_is_one_that_systemd_takes(tmp_path: Path) -> None:
    verify = shutil.which("systemd-analyze")
    if verify is None:
        pytest.skip("systemd-analyze is not installed")
    text = (DEPLOY / "mitoem.service").read_text()
    text = text.replace("/opt/mitoem/.venv/bin/python", sys.executable)
    text = text.replace("/opt/mitoem", str(PROJECT)).replace("=mitoem\n", "=root\n", 2)
    unit = tmp_path / "mitoem.service"
    unit.write_text(text)
    done = subprocess.run([verify, "verify", unit], capture_output=True, text=True, check=False)
    told = [line for line in done.stderr.splitlines() if "mitoem.service" in line]
    assert not told, told
