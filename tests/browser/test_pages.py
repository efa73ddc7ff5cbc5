"""The pages as a person meets them: links, downloads, a run, light and dark."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qs, urlparse

import pandas as pd
import pytest
from playwright.sync_api import Browser, Page, expect

from mitoem import jobs, tables

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


def test_the_histogram_page_downloads_the_csv_and_it_parses(page: Page, browser_root: Path) -> None:
    page.goto("/instances?volume=phantom-h")
    rest(page)
    with page.expect_download() as waiting:
        page.get_by_role("button", name=re.compile("CSV · all")).click()
    assert "synthetic" in waiting.value.suggested_filename
    found = pd.read_csv(io.BytesIO(Path(waiting.value.path()).read_bytes()))
    stored = pd.read_parquet(browser_root / "phantom-h" / "tables" / "truth.parquet")
    assert Path(waiting.value.path()).read_bytes() == tables.to_csv(stored)
    assert found["instance_id"].tolist() == stored["instance_id"].tolist()
    assert found["volume_um3"].equals(stored["volume_um3"])


def test_a_row_selects_its_instance_and_explore_shows_it(page: Page) -> None:
    page.goto("/instances?volume=phantom-r&cut=0")
    rest(page)
    grid = page.locator('[data-testid="stDataFrame"]').bounding_box()
    assert grid
    page.mouse.click(grid["x"] + 20, grid["y"] + 35 + 17)
    page.wait_for_url(re.compile("sel=1(&|$)"))
    page.get_by_role("button", name="Show in Explore").click()
    page.wait_for_url(re.compile("/explore.*sel=1"))
    page.locator('.viewer[data-settled="true"]').wait_for()
    assert page.locator(".viewer").evaluate("(root) => root.viewer.state.selected") == [1]


def test_a_box_drawn_on_the_histogram_becomes_the_filter(page: Page) -> None:
    page.goto("/instances?volume=phantom-h&cut=0")
    rest(page)
    area = page.locator(".js-plotly-plot .nsewdrag").first.bounding_box()
    assert area
    page.mouse.move(area["x"] + area["width"] * 0.3, area["y"] + area["height"] * 0.5)
    page.mouse.down()
    page.mouse.move(area["x"] + area["width"] * 0.6, area["y"] + area["height"] * 0.6, steps=5)
    page.mouse.up()
    page.wait_for_url(re.compile("f=.*volume_um3"))
    rest(page)
    low, column, high = re.split(" <= ", words(page)["f"])
    assert column == "volume_um3" and 0 < float(low) < float(high) < 10
    expect(page.get_by_role("textbox", name="Filter")).to_have_value(words(page)["f"])


def test_a_bad_filter_is_told_under_the_box_and_the_rows_stay(page: Page) -> None:
    page.goto("/instances?volume=phantom-r&cut=0&f=instance_id <= 4")
    rest(page)
    box = page.get_by_role("textbox", name="Filter")
    box.fill("volum_um3 > 1")
    box.press("Enter")
    expect(page.get_by_text("volume_um3", exact=False).first).to_be_visible()
    expect(page.get_by_text("there is no column 'volum_um3'")).to_be_visible()
    expect(page.get_by_role("button", name="CSV · 4 shown")).to_be_visible()


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
