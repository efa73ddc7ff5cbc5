"""The viewer as a person meets it: picture, pointer, keys, address, trouble."""

from __future__ import annotations

import io
import re
from itertools import product
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlparse

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Page, expect

import mitoem
from mitoem.render import instance_colour

EXPLORE = "/explore?volume=phantom-r"
AXES = ("z", "y", "x")
BALL = 5
BALL_NM = 360.0


def settled(page: Page) -> None:
    """Wait until every pane shows its section in full."""
    page.locator('.viewer[data-settled="true"]').wait_for()


def open_viewer(page: Page, address: str) -> None:
    page.goto(address)
    settled(page)


def report(page: Page) -> dict[str, Any]:
    told: dict[str, Any] = page.locator(".viewer").evaluate("(root) => root.viewer.state.report()")
    return told


def words(page: Page) -> dict[str, str]:
    return {k: v[0] for k, v in parse_qs(urlparse(page.url).query).items()}


def wait_for_word(page: Page, word: str, value: str) -> None:
    page.wait_for_function(
        "([word, value]) => new URLSearchParams(location.search).get(word) === value",
        arg=[word, value],
    )


def pane(page: Page, axis: str = "z") -> Any:
    return page.locator(f'.slice[data-axis="{axis}"]')


def picture(page: Page, axis: str = "z") -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(pane(page, axis).screenshot())).convert("RGB"), int)


def voxel_point(page: Page, axis: str, zyx: tuple[int, int, int]) -> tuple[float, float]:
    """Where in the pane a voxel is drawn."""
    x, y = page.locator(".viewer").evaluate(
        "(root, [axis, voxel]) => root.viewer.slice(axis).pointOf(voxel)", [axis, list(zyx)]
    )
    return x, y


def inside(volume: mitoem.Volume) -> tuple[int, tuple[int, int, int]]:
    """An instance, and a voxel of it whose neighbours within two voxels are its own too."""
    labels = volume.read(mitoem.Box.whole(volume.info.shape), layer="truth")
    flat = labels[5:-5, 12:-12, 12:-12]
    same = flat > 0
    for step in (-2, -1, 1, 2):
        for axis in range(3):
            near = np.roll(labels, step, axis=axis)[5:-5, 12:-12, 12:-12]
            same &= near == flat
    z, y, x = (int(a[len(a) // 2]) for a in np.nonzero(same))
    return int(flat[z, y, x]), (z + 5, y + 12, x + 12)


@pytest.fixture(scope="module")
def phantom(browser_root: Path) -> mitoem.Volume:
    return mitoem.open_volume("phantom-r", data=browser_root)


def test_scrubbing_changes_the_picture_and_then_the_address(page: Page) -> None:
    open_viewer(page, EXPLORE)
    before, start = picture(page), report(page)["z"]
    track = page.locator(".track")
    box = track.bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + box["width"] * 0.5, box["y"] + 10)
    page.mouse.down()
    seen = set()
    for part in (0.4, 0.3, 0.2, 0.1):
        page.mouse.move(box["x"] + box["width"] * part, box["y"] + 10)
        page.wait_for_timeout(120)
        seen.add(pane(page).get_attribute("data-shown"))
    assert len(seen) >= 3, "the picture follows while the handle is dragged"
    page.mouse.up()
    settled(page)
    z = report(page)["z"]
    assert z < start
    wait_for_word(page, "z", str(z))
    assert np.abs(picture(page) - before).mean() > 5


def test_a_double_click_selects_and_the_address_says_so(page: Page, phantom: mitoem.Volume) -> None:
    instance, (z, y, x) = inside(phantom)
    open_viewer(page, f"{EXPLORE}&z={z}&y={y}&x={x}&zoom=2&layout=z")
    at = voxel_point(page, "z", (z, y, x))
    pane(page).hover(position={"x": at[0], "y": at[1]})
    expect(pane(page).locator(".tip")).to_have_text(f"#{instance}")
    pane(page).dblclick(position={"x": at[0], "y": at[1]})
    wait_for_word(page, "sel", str(instance))
    assert report(page)["sel"] == [instance]
    page.keyboard.press("x")
    page.wait_for_function("() => !new URLSearchParams(location.search).has('sel')")


def test_the_mesh_of_the_selection_is_drawn(page: Page, phantom: mitoem.Volume) -> None:
    instance, _ = inside(phantom)
    open_viewer(page, f"{EXPLORE}&sel={instance}")
    page.wait_for_function(
        """(id) => {
          const host = [...document.querySelectorAll('*')].find((e) => e.shadowRoot?.querySelector('.viewer'));
          const plot = host?.shadowRoot.querySelector('.plot');
          return plot?.data?.some((trace) => trace.type === 'mesh3d' && trace.meta === id);
        }""",  # noqa: E501
        arg=instance,
    )
    expect(page.locator(".scene .note")).to_be_hidden()


COUNT_RUNS = """() => { window.runs = 0; new MutationObserver((list) => {
  for (const one of list)
    if (one.oldValue !== 'running') window.runs += 1;
}).observe(document.body, { attributes: true, attributeOldValue: true, subtree: true,
  attributeFilter: ['data-test-script-state'] }); }"""


def test_r_and_c_do_nothing_in_the_viewer_and_something_outside(page: Page) -> None:
    open_viewer(page, EXPLORE)
    page.locator(".viewer").focus()
    page.evaluate(COUNT_RUNS)
    before = report(page)
    for key in ("r", "c", "R", "C"):
        page.keyboard.press(key)
    page.keyboard.press("g")
    page.keyboard.type("rc")
    page.wait_for_timeout(700)
    assert page.evaluate("window.runs") == 0
    assert page.get_by_role("dialog").count() == 0
    assert page.locator(".panel.go input").input_value() == "rc"
    assert report(page) == before
    page.evaluate("document.activeElement.blur()")
    page.keyboard.press("r")
    page.wait_for_function("() => window.runs > 0")


KEYS: list[tuple[str, str, object]] = [
    (".", "z", 17),
    (",", "z", 16),
    (">", "z", 26),
    ("<", "z", 16),
    ("o", "mode", "outline"),
    ("i", "inv", True),
    ("v", "solo", True),
    ("]", "op", [65, 30]),
    ("[", "op", [60, 25]),
    ("x", "sel", []),
    ("1", "layout", "z"),
    ("1", "layout", "quad"),
    ("2", "layout", "y"),
    ("3", "layout", "x"),
    ("4", "layout", "3d"),
    ("4", "layout", "quad"),
    ("0", "zoom", None),
]


def test_a_key_does_what_the_sheet_says(page: Page) -> None:
    open_viewer(page, f"{EXPLORE}&sel=3")
    page.locator(".viewer").focus()
    for key, word, value in KEYS:
        page.keyboard.press(key)
        assert report(page)[word] == value, key
    page.keyboard.press("?")
    expect(page.locator(".panel.help")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator(".panel.help")).to_be_hidden()


def test_a_link_shows_what_it_says(page: Page) -> None:
    open_viewer(page, f"{EXPLORE}&z=9&y=200&x=300&zoom=1.5&layout=y&mode=outline&inv=1&op=80,10")
    told = report(page)
    assert [told[k] for k in ("z", "y", "x", "zoom")] == [9, 200, 300, 1.5]
    assert [told[k] for k in ("layout", "mode", "inv", "op")] == ["y", "outline", True, [80, 10]]
    page.wait_for_timeout(600)
    assert words(page)["zoom"] == "1.5"


def test_the_viewer_outlives_a_rerun_and_a_report_is_not_applied_again(page: Page) -> None:
    open_viewer(page, EXPLORE)
    page.locator(".viewer").evaluate(
        """(root) => { root.mark = 'same'; const v = root.viewer; v.applied = 0;
          const apply = v.apply.bind(v); v.apply = (w) => { v.applied += 1; apply(w); }; }"""
    )
    pane(page).hover(position={"x": 200, "y": 200})
    for _ in range(4):
        page.mouse.wheel(0, 100)
        page.wait_for_timeout(300)
    z = report(page)["z"]
    wait_for_word(page, "z", str(z))
    page.wait_for_timeout(800)
    told = page.locator(".viewer").evaluate("(root) => [root.mark, root.viewer.applied]")
    assert told == ["same", 0]
    assert report(page)["z"] == z


def test_a_call_that_was_overtaken_does_not_take_the_viewer_down(page: Page) -> None:
    """Streamlit takes down late what it called before the last change of the data."""
    open_viewer(page, EXPLORE)
    alive = page.locator(".viewer").evaluate(
        """async (root) => {
          const { attach } = await import(document.querySelector('link[href$="/main.js"]').href);
          const before = root.viewer;
          const view = { ...before.state.report(), labels: "truth" };
          const labels = before.state.info.labels.map((set) => `${set.name}:${set.version}`);
          const version = [before.state.info.version, ...labels].join(" ");
          const data = { base: "", version, nonce: 1, view };
          const parentElement = root.getRootNode();
          const down = await attach({ data, parentElement, setStateValue() {} });
          down();
          return root.viewer === before && before.asked >= 0;
        }"""
    )
    assert alive is True


LOOK = """(root, [axis, zoom, voxel]) => { const { state } = root.viewer;
  if (state.layout !== axis) state.show(axis);
  state.zoom = zoom; state.goTo(voxel); state.tell("zoom"); root.dataset.settled = "false"; }"""


def look(page: Page, axis: str, zoom: float, voxel: tuple[int, int, int]) -> tuple[float, float]:
    """One plane alone, at a zoom, around a voxel; returns where that is in the pane."""
    page.mouse.move(5, 5)
    page.locator(".viewer").evaluate(LOOK, [axis, zoom, list(voxel)])
    settled(page)
    return voxel_point(page, axis, voxel)


def test_the_readout_tells_the_exact_voxel_on_every_plane_at_three_zooms(
    page: Page, phantom: mitoem.Volume
) -> None:
    instance, (z, y, x) = inside(phantom)
    grey = phantom.read(mitoem.Box((z, y, x), (z + 1, y + 1, x + 1))).item()
    open_viewer(page, EXPLORE)
    read = page.locator(".readout")
    for axis, zoom in product(AXES, (0.5, 3.0, 12.0)):
        at = look(page, axis, zoom, (z, y, x))
        pane(page, axis).hover(position={"x": at[0], "y": at[1]})
        expect(read.locator(".voxel")).to_have_text(f"x {x}  y {y}  z {z}")
        expect(read.locator(".grey")).to_have_text(f"grey {grey}")
        expect(read.locator(".id")).to_have_text(f"#{instance}")
        um = f"{x * 0.008:.2f}  {y * 0.008:.2f}  {z * 0.03:.2f} µm"
        expect(read.locator(".um")).to_have_text(um)


def test_a_ball_is_round_and_true_to_scale_on_every_plane(page: Page) -> None:
    zoom = 3.0
    open_viewer(page, "/explore?volume=ball&op=100,100")
    ink = instance_colour([BALL])[0].astype(int)
    across = 2 * BALL_NM / 8 * zoom
    for axis in AXES:
        at = look(page, axis, zoom, (16, 80, 80))
        drawn = np.abs(picture(page, axis) - ink).max(axis=2) <= 4
        rows, columns = np.nonzero(drawn.any(axis=1))[0], np.nonzero(drawn.any(axis=0))[0]
        high = 1.0 if axis == "z" else 3.75
        assert abs(rows[-1] - rows[0] + 1 - across) <= 2 * high * zoom
        assert abs(columns[-1] - columns[0] + 1 - across) <= 2 * zoom
        assert abs((rows[0] + rows[-1]) / 2 - at[1]) <= high * zoom
        assert abs((columns[0] + columns[-1]) / 2 - at[0]) <= zoom


def test_grey_is_drawn_with_the_window_and_inverted(page: Page) -> None:
    """The image of ``ball`` is a ramp: grey 40 + x."""
    open_viewer(page, "/explore?volume=ball&z=2&y=20&x=80&zoom=2&layout=z&w=60,160")
    x, y = voxel_point(page, "z", (2, 120, 60))
    plain = picture(page)[int(y), int(x)]
    assert abs(plain - 255 * (100 - 60) / 100).max() <= 8
    page.locator(".viewer").focus()
    page.keyboard.press("i")
    page.wait_for_timeout(200)
    assert abs(picture(page)[int(y), int(x)] - (255 - plain)).max() <= 2


def test_going_to_a_place_or_an_instance(page: Page, phantom: mitoem.Volume) -> None:
    instance, _ = inside(phantom)
    open_viewer(page, EXPLORE)
    page.locator(".viewer").focus()
    page.keyboard.press("g")
    page.keyboard.type("100, 120, 7")
    page.keyboard.press("Enter")
    told = report(page)
    assert [told[k] for k in "xyz"] == [100, 120, 7]
    page.keyboard.press("g")
    page.locator(".panel.go input").fill(f"#{instance}")
    page.keyboard.press("Enter")
    wait_for_word(page, "sel", str(instance))
    page.keyboard.press("g")
    page.locator(".panel.go input").fill("9999,0,0")
    page.keyboard.press("Enter")
    expect(page.locator(".panel.go .said")).to_have_text(re.compile("x 9999 is outside 0 … 575"))


def test_back_and_forward_go_through_the_places_that_were_seen(page: Page) -> None:
    open_viewer(page, "/explore?volume=phantom-r&z=4&zoom=1")
    for z in (6, 8):
        page.locator(".viewer").evaluate("(root) => root.viewer.step(2)")
        page.wait_for_url(re.compile(f"z={z}"))
        page.wait_for_timeout(300)

    def at(z: int) -> None:
        expect(page.locator('.slice[data-axis="z"]')).to_have_attribute("data-shown", str(z))
        assert words(page)["z"] == str(z)

    page.go_back()
    at(6)
    page.go_back()
    at(4)
    page.go_forward()
    at(6)
