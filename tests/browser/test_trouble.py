"""What a person sees when something is broken: a file, the server, the graphics."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Page, expect
from test_hung_stores import Store

from browser.conftest import Server
from browser.test_viewer import (
    BALL,
    open_viewer,
    pane,
    picture,
    settled,
    voxel_point,
    wait_for_word,
)
from mitoem import catalog
from mitoem.render import instance_colour


def test_a_damaged_chunk_is_hatched_alone_and_comes_back_when_mended(
    page: Page, own_server: Server
) -> None:
    shard = own_server.root / "phantom-r/image.zarr/0/c/0/0/0"
    whole = shard.read_bytes()
    spoiled = bytearray(whole)
    spoiled[len(whole) // 3] ^= 1
    shard.write_bytes(spoiled)
    tiles = f"{own_server.url}/api/v1/volumes/phantom-r/tiles/image/z/0"
    z = next(z for z in range(32) if _broken(page, f"{tiles}/{z}"))
    open_viewer(page, f"{own_server.url}/explore?volume=phantom-r&zoom=1.4&layout=z&z={z}")
    button = pane(page).locator(".broken")
    expect(button).to_have_text(re.compile("1 tile unreadable"))
    shard.write_bytes(whole)
    button.click()
    expect(button).to_be_hidden()
    settled(page)


def _broken(page: Page, section: str) -> bool:
    places = [(row, column) for row in range(2) for column in range(2)]
    return any(page.request.get(f"{section}/{r}/{c}").status == 422 for r, c in places)


def test_a_server_that_was_shot_is_named_and_met_again(page: Page, own_server: Server) -> None:
    open_viewer(page, f"{own_server.url}/explore?volume=phantom-r&z=2")
    own_server.shoot()
    told = page.get_by_role("dialog")
    expect(told).to_contain_text("not responding", timeout=20_000)
    page.locator(".viewer").evaluate("(root) => root.viewer.step(25)")
    notice = page.locator(".notice")
    expect(notice).to_have_text(re.compile("does not answer"))
    own_server.start()
    expect(told).to_be_hidden(timeout=30_000)
    expect(notice).to_be_hidden(timeout=20_000)
    settled(page)
    page.locator(".viewer").focus()
    page.keyboard.press("n")
    expect(page.locator(".card header b")).to_have_text(re.compile(r"#\d+"))
    page.wait_for_function("() => new URLSearchParams(location.search).has('sel')")
    wait_for_word(page, "volume", "phantom-r")


@pytest.mark.long
def test_a_store_that_hangs_is_named_with_a_way_out_and_the_page_comes_back_by_itself(
    page: Page, browser_root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MITOEM_STORE_PAUSE", "2")
    monkeypatch.setenv("MITOEM_STORE_PATIENCE", "2")
    (tmp_path / "far").symlink_to(browser_root)
    catalog.write_index(browser_root)
    far = Store(tmp_path / "far")
    near = tmp_path / "near"
    near.mkdir()
    shutil.copytree(browser_root / "ball", near / "ball")
    server = Server(near, tmp_path / "server.txt", others=f":{far.url}")
    far.mode = "silent"
    try:
        server.start()
        page.goto(f"{server.url}/explore?volume=phantom-r&z=9")
        told = page.get_by_text("StoreUnreachable")
        expect(told).to_be_visible(timeout=20_000)
        expect(page.get_by_text(re.compile("cannot reach http://127.*phantom-r"))).to_be_visible()
        expect(page.get_by_role("button", name="Try again")).to_be_visible()
        page.goto(f"{server.url}/explore?volume=ball&z=2")
        settled(page)
        page.goto(f"{server.url}/explore?volume=phantom-r&z=9")
        expect(told).to_be_visible(timeout=3_000)
        far.mode = "well"
        expect(told).to_be_hidden(timeout=30_000)
        settled(page)
    finally:
        server.stop()
        far.end()


def test_without_webgl_the_slices_are_still_shown(page: Page) -> None:
    page.add_init_script(
        """const own = HTMLCanvasElement.prototype.getContext;
        HTMLCanvasElement.prototype.getContext = function (kind, ...rest) {
          return kind.startsWith('webgl') ? null : own.call(this, kind, ...rest); };"""
    )
    open_viewer(page, "/explore?volume=ball&z=16&y=80&x=80&zoom=3&layout=z&op=100,100")
    expect(page.locator(".notice")).to_have_text(re.compile("no WebGL 2"))
    shown = picture(page)
    x, y = voxel_point(page, "z", (16, 80, 80))
    ink = instance_colour([BALL])[0].astype(int)
    assert np.abs(shown[int(y) + 4, int(x) + 4] - ink).max() <= 4
    assert np.ptp(shown[int(y) - 160, :, 0]) > 60
