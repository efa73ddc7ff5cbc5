"""The map of the Compare page as a person works with it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

import mitoem
from browser.test_instances import draw_box, drawn
from browser.test_pages import rest, words

MAP = "/compare?volume=phantom-h&b=phantom-r/truth&cut=0&chart=Map"

PLACE = """(name) => {  // the point of a set that lies furthest from every other point
  const plot = document.querySelector(".mitoem-plot .js-plotly-plot");
  const { xaxis, yaxis, _size } = plot._fullLayout;
  const box = plot.getBoundingClientRect();
  const points = plot._fullData.filter((trace) => trace.customdata && trace.name !== "selected")
    .flatMap((trace) => Array.from(trace.customdata, (id, i) => (
      { id, of: trace.meta, x: box.left + _size.l + xaxis.d2p(trace.x[i]),
        y: box.top + _size.t + yaxis.d2p(trace.y[i]) })));
  const room = (one) => Math.min(...points.filter((other) => other !== one)
    .map((other) => Math.hypot(other.x - one.x, other.y - one.y)));
  return points.filter((one) => one.of === name).sort((a, b) => room(b) - room(a))[0];
}"""


def press(page: Page, name: str) -> int:
    at = page.evaluate(PLACE, name)
    page.mouse.move(at["x"], at["y"])
    page.wait_for_timeout(100)
    page.mouse.click(at["x"], at["y"])
    return int(at["id"])


@pytest.mark.parametrize("axes", ["", "&axes=PCA"])
def test_a_box_on_the_map_selects_and_the_rows_lead_to_explore(
    page: Page, browser_root: Path, axes: str
) -> None:
    page.goto(MAP + axes)
    drawn(page)
    expect(page.get_by_text("Cliff's delta").first).to_be_visible()
    expect(
        page.get_by_text(re.compile("^(Volume of A|No clear difference in volume)"))
    ).to_be_visible()
    draw_box(page, (0.02, 0.98), (0.02, 0.98))
    page.wait_for_url(re.compile("sel="))
    rest(page)
    ids = [int(one) for one in words(page)["sel"].split(",")]
    known = mitoem.table("phantom-h", data=browser_root)["instance_id"].tolist()
    assert len(ids) > 1 and set(ids) <= set(known)
    expect(page.get_by_text(f"{len(ids)} selected in phantom-h/truth")).to_be_visible()
    rings = "document.querySelector('.js-plotly-plot').data.find((one) => one.name === 'selected')"
    page.wait_for_function(f"{rings}?.customdata.length === {len(ids)}")
    page.get_by_role("button", name="Show in Explore").click()
    page.wait_for_url(re.compile("/explore.*sel="))
    assert [int(one) for one in words(page)["sel"].split(",")] == ids


def test_a_pressed_point_selects_and_one_of_the_other_set_offers_to_go_there(page: Page) -> None:
    page.goto(MAP)
    drawn(page)
    one = press(page, "A · phantom-h/truth")
    page.wait_for_url(re.compile("sel="))
    rest(page)
    assert words(page)["sel"] == str(one)
    expect(page.get_by_text("1 selected in phantom-h/truth")).to_be_visible()
    other = press(page, "B · phantom-r/truth")
    go = page.get_by_role("button", name=re.compile("Switch there and select #"))
    expect(go).to_be_visible()
    assert words(page)["sel"] == str(one), "the selection is of the current labels"
    go.click()
    page.wait_for_url(re.compile("volume=phantom-r"))
    rest(page)
    assert words(page)["sel"] == str(other)
    expect(page.get_by_text("1 selected in phantom-r/truth")).to_be_visible()


def test_two_points_pressed_fast_are_no_double_click(page: Page) -> None:
    page.goto(MAP)
    drawn(page)
    one, other = (
        page.evaluate(PLACE, f"{name}/truth") for name in ("A · phantom-h", "B · phantom-r")
    )
    page.mouse.move(one["x"], one["y"])
    page.wait_for_timeout(100)
    page.mouse.click(one["x"], one["y"])
    page.mouse.move(other["x"], other["y"])
    page.wait_for_timeout(80)  # what plotly waits between two hovers
    page.mouse.click(other["x"], other["y"])
    expect(page.get_by_role("button", name=re.compile("Switch there and select #"))).to_be_visible()
    rest(page)
    assert words(page)["sel"] == str(one["id"])
    page.locator(".mitoem-plot .nsewdrag").first.dblclick(position={"x": 40, "y": 20})
    page.wait_for_url(re.compile("^(?!.*sel=)"))
