"""Signing in by a real OpenID provider: what a stranger, a person and their programs see."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote

import httpx
import numpy as np
import pytest
import zarr
from playwright.sync_api import Browser, Page, expect

from browser.conftest import Server, wait_for
from mitoem import access
from mitoem.access import Rule

SECRETS = """
[auth]
redirect_uri = "{url}/oauth2callback"
cookie_secret = "a secret of this test alone, long enough to sign with"
client_id = "mitoem"
client_secret = "told to the provider"
server_metadata_url = "{provider}/.well-known/openid-configuration"
"""


@pytest.fixture(scope="module")
def provider(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """An OpenID provider that believes whatever name a person types."""
    log, port = tmp_path_factory.mktemp("provider") / "log.txt", Server.free_port()
    with log.open("w") as out:
        process = subprocess.Popen(
            [Path(sys.executable).parent / "oidc-provider-mock", "--port", str(port)],
            stdout=out, stderr=out,
        )  # fmt: skip
    url = f"http://127.0.0.1:{port}"
    wait_for(f"{url}/.well-known/openid-configuration", process, log)
    yield url
    process.terminate()
    process.wait(20)


@pytest.fixture(scope="module")
def server(
    browser_root: Path, provider: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    """A server with sign-in, an open volume and one for those who have signed in."""
    root, run = tmp_path_factory.mktemp("data"), tmp_path_factory.mktemp("run")
    for name in ("phantom-r", "ball"):
        shutil.copytree(browser_root / name, root / name)
    access.change(root, "phantom-r", Rule("signed-in"))
    server = Server(root, run / "server.txt")
    secrets = run / "secrets.toml"
    secrets.write_text(SECRETS.format(url=server.url, provider=provider))
    server.more = [f"--secrets.files={secrets}"]
    try:
        server.start()
        yield server
    finally:
        server.stop()


@pytest.fixture
def page(chromium: Browser, server: Server) -> Iterator[Page]:
    context = chromium.new_context(viewport={"width": 1280, "height": 720}, base_url=server.url)
    context.set_default_timeout(30_000)
    yield context.new_page()
    context.close()


def sign_in(page: Page, name: str) -> None:
    page.get_by_role("button", name="Sign in").click()
    page.locator("input[name=sub]").fill(name)
    page.get_by_role("button", name="Authorize").click()


def status(page: Page, path: str) -> int:
    return int(page.evaluate("async (path) => (await fetch(path)).status", path))


def test_who_signs_in_sees_more_and_comes_back_to_where_they_were(page: Page) -> None:
    page.goto("/explore?volume=phantom-r&z=5")
    page.get_by_text("no volume 'phantom-r' here; there are: ball").wait_for()
    assert status(page, "/api/v1/volumes/phantom-r") == 404
    sign_in(page, "anna")
    page.locator('.viewer[data-settled="true"]').wait_for()
    assert "volume=phantom-r" in page.url and "z=5" in page.url
    assert status(page, "/api/v1/volumes/phantom-r") == 200
    (cookie,) = [one for one in page.context.cookies() if one["name"] == "_streamlit_user"]
    assert cookie["httpOnly"] and cookie["sameSite"] == "Lax"
    page.get_by_role("button", name="anna").click()
    page.get_by_role("button", name="Sign out").click()
    page.get_by_role("button", name="End session").click()
    page.get_by_role("button", name="Sign in").wait_for()
    assert status(page, "/api/v1/volumes/phantom-r") == 404


def test_other_programs_read_by_a_token_in_the_path(page: Page, server: Server) -> None:
    page.goto("/")
    sign_in(page, "anna")
    card = page.locator(".st-key-card_phantom-r")
    card.get_by_text("Sources, checksums, labels, citation").click()
    code = card.locator("code", has_text="zarr.open_group").inner_text()
    (address,) = re.findall(r'"(http[^"]+)"', code)
    assert "/token/" in address
    mine = zarr.open_group(str(server.root / "phantom-r" / "image.zarr"), mode="r")
    assert np.array_equal(zarr.open_group(address, mode="r")["1"][:], mine["1"][:])
    assert httpx.get(re.sub("/token/[^/]+", "", address) + "zarr.json").status_code == 404
    link = page.evaluate(
        """async () => (await fetch("/api/v1/volumes/phantom-r/neuroglancer",
        {redirect: "manual"})).type"""
    )
    assert link == "opaqueredirect"


def test_a_stranger_looks_and_starts_nothing(page: Page) -> None:
    page.goto("/inference?volume=ball")
    expect(page.get_by_role("button", name="Run", exact=True)).to_be_disabled(timeout=30_000)
    sign_in(page, "anna")
    page.wait_for_url(re.compile(r"/inference\?.*volume=ball"))
    expect(page.get_by_role("button", name="Run", exact=True)).to_be_enabled()


@pytest.mark.long
def test_an_upload_is_its_persons_own_and_opens_by_its_link(
    page: Page, chromium: Browser, server: Server, tmp_path: Path
) -> None:
    file = tmp_path / "crop.npy"
    np.save(file, np.random.default_rng(0).integers(0, 255, (16, 96, 96), np.uint8))
    page.goto("/inference?volume=ball")
    sign_in(page, "anna")
    page.wait_for_url(re.compile(r"/inference\?.*volume=ball"))
    page.get_by_text("Upload", exact=True).click()
    page.locator("input[type=file]").set_input_files(file)
    for axis, value in zip(("Voxel z (nm)", "y", "x"), (30, 8, 8), strict=True):
        page.get_by_label(axis, exact=True).fill(str(value))
        page.keyboard.press("Tab")
    page.get_by_role("button", name="Add as a volume").click()
    page.wait_for_url(re.compile(r"volume=crop-[a-z2-7]{26}"), timeout=60_000)
    (name,) = re.findall(r"volume=(crop-[a-z2-7]{26})", unquote(page.url))
    assert name in page.evaluate("async () => (await fetch('/api/v1/volumes')).text()")
    other = chromium.new_context(base_url=server.url)
    stranger = other.new_page()
    stranger.goto(f"/explore?volume={name}")
    stranger.locator('.viewer[data-settled="true"]').wait_for(timeout=30_000)
    assert name not in stranger.evaluate("async () => (await fetch('/api/v1/volumes')).text()")
    sign_in(stranger, "bert")
    stranger.locator('.viewer[data-settled="true"]').wait_for(timeout=30_000)
    assert name not in stranger.evaluate("async () => (await fetch('/api/v1/volumes')).text()")
    access.change(server.root, name, Rule("unlisted", "", 1.0))
    stranger.reload()
    stranger.get_by_text(f"no volume '{name}' here").wait_for()
    other.close()


def test_a_stranger_sends_no_file(server: Server) -> None:
    for path in ("/_stcore/upload_file/0/0", "/_stcore/upload_file"):
        assert httpx.put(server.url + path, content=b"x" * 1000).status_code == 403
