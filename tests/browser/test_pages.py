"""The pages as a person meets them: links, downloads, a run, light and dark."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qs, urlparse

import pytest
from playwright.sync_api import Browser, Page, expect

from mitoem import jobs

PAGES = ("", "datasets", "explore", "instances", "compare", "inference", "evaluate", "help")

STREAMLITS_OWN = re.compile(r"/_stcore/(health|host-config)$")
"""On a cold deep link Streamlit first looks for itself below the page's own address: two 404s."""


@pytest.fixture(autouse=True, scope="module")
def no_worker_left(browser_root: Path) -> Iterator[None]:
    yield
    jobs.stop_worker(browser_root)


DARK = """
(wanted) => {
  const colour = getComputedStyle(document.querySelector('[data-testid="stApp"]')).backgroundColor;
  const [red] = colour.match(/[0-9]+/g).map(Number);
  return (red < 128) === wanted;
}
"""
"""Whether the page's background is dark, or light, as wanted."""


def rest(page: Page) -> None:
    """Wait until the page is drawn and nothing runs any more."""
    page.locator('[data-testid="stApp"][data-test-script-state="notRunning"]').wait_for()
    page.locator(".st-key-frame").wait_for()
    page.wait_for_load_state("networkidle")


def words(page: Page) -> dict[str, str]:
    return {k: v[0] for k, v in parse_qs(urlparse(page.url).query).items()}


@pytest.mark.parametrize("name", PAGES)
def test_every_page_opens_cold_without_an_error_in_light_and_dark(
    chromium: Browser, base_url: str, name: str
) -> None:
    context = chromium.new_context(
        viewport={"width": 1280, "height": 720}, base_url=base_url, color_scheme="light"
    )
    page = context.new_page()
    said: list[str] = []
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on(
        "console",
        lambda one: (
            said.append(f"{one.text} {one.location.get('url', '')}")
            if one.type == "error" and not STREAMLITS_OWN.search(one.location.get("url", ""))
            else None
        ),
    )
    outside: list[str] = []
    page.on(
        "request",
        lambda one: (
            outside.append(one.url)
            if not one.url.startswith((base_url, "data:", "blob:", base_url.replace("http", "ws")))
            else None
        ),
    )
    page.goto(f"/{name}?volume=phantom-h")
    rest(page)
    for scheme, dark in (("light", False), ("dark", True)):
        page.emulate_media(color_scheme="dark" if dark else "light")
        page.wait_for_function(DARK, arg=dark)
        rest(page)
        for panel in ("stException", "stAlertContentError"):
            assert page.get_by_test_id(panel).count() == 0, scheme
    assert page.get_by_text("Page not found").count() == 0
    expect(page.locator(".st-key-frame").get_by_text("synthetic phantom")).to_be_visible()
    width = page.evaluate("document.documentElement.scrollWidth - innerWidth")
    context.close()
    assert width <= 0, f"{name or 'home'} is {width} px wider than the window"
    assert not said
    assert not outside, "a page asked an address outside this computer"


def test_a_cold_deep_link_opens_the_volume_the_filter_and_the_selection(page: Page) -> None:
    page.goto("/instances?volume=phantom-r&sel=2,3&f=instance_id <= 4&cut=0")
    rest(page)
    expect(page.get_by_role("button", name="2 selected")).to_be_visible()
    expect(page.get_by_role("textbox", name="Filter")).to_have_value("instance_id <= 4")
    expect(page.get_by_role("button", name="CSV · 4 shown")).to_be_visible()
    assert words(page) | {"v": "1"} == {
        "v": "1", "volume": "phantom-r", "sel": "2,3", "f": "instance_id <= 4", "cut": "0"
    }  # fmt: skip


def test_the_selection_survives_page_changes_and_a_reload(page: Page) -> None:
    page.goto("/explore?volume=phantom-r&sel=2,3&z=7")
    rest(page)
    for name in ("Instances", "Help", "Compare", "Explore"):
        page.get_by_role("link", name=name).click()
        page.wait_for_url(re.compile(f"/{name.lower()}\\?.*sel=2"))
        rest(page)
        expect(page.get_by_role("button", name="2 selected")).to_be_visible()
    page.reload()
    rest(page)
    assert (words(page)["sel"], words(page)["z"]) == ("2,3", "7")
    page.get_by_role("button", name="2 selected").click()
    expect(page.get_by_role("button", name="none selected")).to_be_visible()
    page.wait_for_url(lambda url: "sel=" not in url)


def test_a_click_before_the_page_has_come_to_rest_is_not_lost(page: Page) -> None:
    page.goto("/inference?volume=phantom-r")
    page.get_by_role("button", name="Run", exact=True).click()
    page.locator(".stack[data-ready]").wait_for(timeout=90_000)
    assert words(page)["run"]


def test_inference_on_a_crop_shows_its_overlay_and_a_reload_finds_it_again(page: Page) -> None:
    page.goto("/inference?volume=phantom-r")
    rest(page)
    expect(page.get_by_text("32 × 256 × 256")).to_be_visible()
    page.get_by_role("button", name="Run", exact=True).click()
    stack = page.locator(".stack[data-ready]")
    stack.wait_for(timeout=90_000)
    expect(stack.locator("canvas")).to_have_count(2)
    colour = stack.locator("canvas").last.evaluate(COLOURED)
    assert colour > 0, "no truth is drawn on any section"
    expect(page.get_by_text("F1 at IoU 0.5")).to_be_visible()
    page.reload()
    stack.wait_for()
    before = stack.get_attribute("data-z")
    stack.locator("canvas").first.hover()
    page.mouse.wheel(0, 100)
    expect(stack).not_to_have_attribute("data-z", before or "")


COLOURED = """
async (canvas) => {
  const slider = canvas.closest(".stack").querySelector(".z");
  let found = 0;
  for (let z = 0; z <= Number(slider.max); z += 1) {
    slider.value = z;
    slider.oninput();
    const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
    for (let i = 0; i < data.length; i += 4) {
      const [r, g, b] = data.slice(i, i + 3);
      if (Math.max(r, g, b) - Math.min(r, g, b) > 24) found += 1;
    }
  }
  return found;
}
"""
"""How many pixels of a canvas, over all sections, are not grey."""


def test_a_pick_in_explore_is_selected_on_every_page(page: Page, browser_root: Path) -> None:
    jobs.wait(
        browser_root,
        jobs.submit(browser_root, "measure", {"volume": "ball", "labels": "truth"}),
        seconds=60,
    )
    page.goto("/explore?volume=ball")
    page.locator('.viewer[data-settled="true"]').wait_for()
    page.locator('.slice[data-axis="z"]').dblclick()
    page.wait_for_url(re.compile("sel=5(&|$)"))
    expect(page.get_by_role("button", name="1 selected")).to_be_visible()
    expect(page.locator(".card header b")).to_have_text("#5")
    page.get_by_role("link", name="Instances").click()
    page.wait_for_url(re.compile("/instances.*sel=5"))
    rest(page)
    expect(page.get_by_role("button", name="CSV · 1 shown")).to_be_visible()
    expect(page.get_by_text("are not among these rows")).to_have_count(0)
