"""Instances as a person works with them: boxes, rows, pictures and 3-D follow each other."""

from __future__ import annotations

import io
import os
import re
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from playwright.sync_api import Browser, Page, expect

import mitoem
from browser.conftest import ROOT
from browser.test_pages import rest, words
from mitoem import tables
from mitoem.figures import scatter


@pytest.fixture
def whole(browser_root: Path) -> pd.DataFrame:
    return mitoem.table("phantom-h", data=browser_root)


def draw_box(page: Page, across: tuple[float, float], up: tuple[float, float] = (0.1, 0.9)) -> None:
    """Drag over a part of the plot: shares of its width from the left, of its height from above."""
    area = page.locator(".mitoem-plot .nsewdrag").first.bounding_box()
    assert area
    x0, x1 = (area["x"] + area["width"] * share for share in across)
    y0, y1 = (area["y"] + area["height"] * share for share in up)
    page.mouse.move(x0, y0)
    page.mouse.down()
    page.mouse.move(x1, y1, steps=5)
    page.mouse.up()


def drawn(page: Page) -> None:
    page.locator(".mitoem-plot[data-drawn]").wait_for()
    rest(page)


def kept(page: Page, whole: pd.DataFrame) -> pd.DataFrame:
    return whole[mitoem.filters.parse(words(page)["f"]).apply(whole)]


def select_row(page: Page, number: int) -> None:
    grid = page.get_by_test_id("stDataFrame").first.bounding_box()
    assert grid
    page.mouse.click(grid["x"] + 16, grid["y"] + 52 + 35 * number)


def button(page: Page, name: str | re.Pattern[str]) -> Callable[[], None]:
    return page.get_by_role("button", name=name).click


@pytest.mark.parametrize("plot", ["Histogram", "ECDF"])
def test_a_box_drawn_on_a_plot_of_sizes_becomes_the_filter(
    page: Page, whole: pd.DataFrame, plot: str
) -> None:
    page.goto(f"/instances?volume=phantom-h&cut=0&plot={plot}")
    drawn(page)
    draw_box(page, (0.3, 0.6))
    page.wait_for_url(re.compile("f=.*volume_um3"))
    rest(page)
    low, column, high = words(page)["f"].split(" <= ")
    assert column == "volume_um3"
    span = np.log(whole["volume_um3"]).agg(["min", "max"])
    share = (np.log([float(low), float(high)]) - span["min"]) / (span["max"] - span["min"])
    assert share == pytest.approx([0.3, 0.6], abs=0.05), "the box's place on the axis"
    rows = kept(page, whole)
    expect(page.get_by_role("textbox", name="Filter")).to_have_value(words(page)["f"])
    expect(page.get_by_role("button", name=f"CSV · {len(rows)} shown")).to_be_visible()
    draw_box(page, (0.1, 0.9))
    page.wait_for_url(lambda url: low not in url)
    assert words(page)["f"].count("volume_um3") == 1, "another box takes the place of the first"
    page.locator(".mitoem-plot .nsewdrag").first.dblclick()
    page.wait_for_url(lambda url: "f=" not in url)


def test_a_box_on_a_scatter_filters_both_measures_and_a_point_is_selected(
    page: Page, whole: pd.DataFrame
) -> None:
    page.goto("/instances?volume=phantom-h&cut=0&plot=Scatter")
    drawn(page)
    draw_box(page, (0.2, 0.8), (0.2, 0.8))
    page.wait_for_url(re.compile("f=.*volume_um3.*sphericity"))
    rest(page)
    rows = kept(page, whole)
    assert 0 < len(rows) < len(whole)
    at = page.evaluate(
        """() => {  // where the first point lies
          const plot = document.querySelector(".mitoem-plot .js-plotly-plot");
          const trace = plot.data.findIndex((one) => one.customdata);
          const { xaxis, yaxis, _size } = plot._fullLayout;
          const box = plot.getBoundingClientRect();
          const [x, y] = [plot._fullData[trace].x[0], plot._fullData[trace].y[0]];
          return { x: box.left + _size.l + xaxis.d2p(x), y: box.top + _size.t + yaxis.d2p(y) };
        }"""
    )
    page.mouse.move(at["x"], at["y"])
    page.wait_for_timeout(100)
    page.mouse.click(at["x"], at["y"])
    page.wait_for_url(re.compile("sel="))
    assert int(words(page)["sel"]) in rows["instance_id"].tolist()
    expect(page.get_by_role("button", name="1 selected")).to_be_visible()


def test_a_head_orders_by_its_column_and_pressed_again_the_other_way_round(
    page: Page, whole: pd.DataFrame
) -> None:
    page.goto("/instances?volume=phantom-h&cut=0")
    drawn(page)
    grid = page.get_by_test_id("stDataFrame").first.bounding_box()
    assert grid is not None
    for expected in ({"sort": "volume_um3"}, {"sort": "volume_um3", "up": "1"}):
        page.mouse.click(grid["x"] + 110, grid["y"] + 15)
        page.wait_for_url(re.compile("up=1" if "up" in expected else "sort=volume_um3"))
        rest(page)
        assert expected.items() <= words(page).items()
    select_row(page, 0)
    smallest = int(whole.sort_values("volume_um3")["instance_id"].iloc[0])
    page.wait_for_url(re.compile(f"sel={smallest}(&|$)"))
    assert words(page)["up"] == "1"


def test_a_row_selects_its_instance_and_explore_shows_what_the_filter_keeps(
    page: Page, browser_root: Path
) -> None:
    whole = mitoem.table("phantom-r", data=browser_root)
    text = f"volume_um3 >= {float(whole['volume_um3'].median())!r}"
    page.goto(f"/instances?volume=phantom-r&cut=0&f={text}")
    drawn(page)
    first = int(kept(page, whole)["instance_id"].iloc[0])
    select_row(page, 0)
    page.wait_for_url(re.compile(f"sel={first}(&|$)"))
    button(page, "Show in Explore")()
    page.wait_for_url(re.compile(f"/explore.*sel={first}"))
    page.locator('.viewer[data-settled="true"]').wait_for()
    viewer = page.locator(".viewer")
    assert viewer.evaluate("(root) => root.viewer.state.selected") == [first]
    page.wait_for_function("document.querySelector('.st-key-frame') !== null")
    expected = sorted(kept(page, whole)["instance_id"].tolist())
    viewer.evaluate("(root) => root.viewer.refilter()")
    for _ in range(100):
        found = viewer.evaluate("(root) => [...(root.viewer.state.kept ?? [])]")
        if found:
            break
        page.wait_for_timeout(50)
    assert sorted(found) == expected
    left_out = next(one for one in whole["instance_id"] if one not in expected)
    assert viewer.evaluate("(root, id) => root.viewer.state.shows(id)", left_out) is False
    expect(page.get_by_text(f"{len(expected)} of {len(whole)} instances")).to_be_visible()
    button(page, "Clear the filter")()
    page.wait_for_url(lambda url: "f=" not in url)
    rest(page)
    for _ in range(100):
        if viewer.evaluate("(root) => root.viewer.state.kept") is None:
            break
        page.wait_for_timeout(50)
    assert viewer.evaluate("(root, id) => root.viewer.state.shows(id)", left_out) is True


def test_a_slice_shows_no_colour_where_the_filter_leaves_an_instance_out(
    page: Page, browser_root: Path
) -> None:
    """The ball is the only instance: with a filter that drops it, the picture is the raw one."""
    mitoem.table("ball", data=browser_root)  # measured, or there is nothing to filter by
    shots = {}
    for name, word in (("all", ""), ("none", "&f=volume_um3 < 0"), ("raw", "&op=0,0")):
        page.goto(f"/explore?volume=ball&layout=z{word}")
        page.locator('.viewer[data-settled="true"]').wait_for()
        viewer = page.locator(".viewer")
        if name == "none":
            for _ in range(100):
                if viewer.evaluate("(root) => root.viewer.state.kept?.size") == 0:
                    break
                page.wait_for_timeout(50)
        page.wait_for_timeout(400)
        shots[name] = viewer.evaluate(
            """(root) => {
              const { canvas } = root.viewer;
              const copy = document.createElement("canvas");
              [copy.width, copy.height] = [canvas.width, canvas.height];
              const pen = copy.getContext("2d");
              pen.drawImage(canvas, 0, 0);
              const seen = pen.getImageData(0, 0, copy.width, copy.height).data;
              let coloured = 0;
              for (let i = 0; i < seen.length; i += 4) {
                if (Math.abs(seen[i] - seen[i + 1]) > 12) coloured += 1;
              }
              return coloured;
            }"""
        )
    lines = shots["raw"]
    assert shots["all"] > lines + 2000
    assert abs(shots["none"] - lines) < 300, "the cross lines alone have colour"


def test_pictures_are_walked_through_and_opened(page: Page, whole: pd.DataFrame) -> None:
    page.goto("/instances?volume=phantom-h&cut=0&show=Gallery&sort=volume_um3")
    rest(page)
    order = whole.sort_values("volume_um3", ascending=False, kind="stable")["instance_id"].tolist()
    cards = page.locator(".gallery .card")
    expect(cards.first.locator("b")).to_have_text(f"#{order[0]}")
    assert cards.evaluate_all("(all) => all.map((one) => Number(one.dataset.id))") == order[:24]
    page.wait_for_function(
        "[...document.querySelectorAll('.gallery .card img')].slice(0, 2)"
        ".every((one) => one.naturalWidth > 100)"
    )
    cards.nth(1).click()
    page.wait_for_url(re.compile(f"sel={order[1]}(&|$)"))
    expect(cards.nth(1)).to_have_attribute("aria-pressed", "true")
    cards.nth(1).press("ArrowRight")
    page.wait_for_url(re.compile(f"sel={order[2]}(&|$)"))
    button(page, "Next")()
    page.wait_for_url(re.compile(f"sel={order[3]}(&|$)"))
    button(page, "Previous")()
    page.wait_for_url(re.compile(f"sel={order[2]}(&|$)"))
    rest(page)
    cards.nth(0).dblclick()
    page.wait_for_url(re.compile(f"/explore.*sel={order[0]}(&|$)"))


def test_3d_shows_the_rows_and_a_row_is_found_by_its_id(page: Page, whole: pd.DataFrame) -> None:
    ids = whole["instance_id"].tolist()
    page.goto(f"/instances?volume=phantom-h&cut=0&show=3-D&f=instance_id in ({ids[0]}, {ids[3]})")
    rest(page)
    scene = page.locator(".viewer.bare")
    scene.wait_for()
    for _ in range(200):
        shown = scene.evaluate(
            "(root) => root.viewer?.scene.overview.ends.map((one) => one.id) ?? []"
        )
        if len(shown) == 2:
            break
        page.wait_for_timeout(100)
    assert sorted(shown) == [ids[0], ids[3]]
    box = page.get_by_role("textbox", name="Find")
    box.fill(f"#{ids[3]}, 999999")
    box.press("Enter")
    page.wait_for_url(re.compile(f"sel={ids[3]}(&|$)"))
    expect(page.get_by_text("No instance 999999")).to_be_visible()


SEEN = """(root) => {
  const { scene } = root.viewer, gl = scene.plot._fullLayout?.scene?._scene;
  const { eye, center, up } = gl?.getCamera() ?? {};
  return { ids: scene.plot.data?.map((one) => one.meta) ?? [], camera: eye && [eye, center, up]
    .flatMap((one) => [one.x, one.y, one.z]) };
}"""
"""What the 3-D view draws, and where from."""

VEIL = "(root) => root.viewer.scene.plot.data.find((one) => one.meta === 'all').opacity"
"""How opaque all instances are."""

NEAREST = """(root) => {
  const { plot, overview } = root.viewer.scene, { mesh, ends } = overview;
  const { glplot, dataScale } = plot._fullLayout.scene._scene, box = glplot.canvas.getBoundingClientRect();
  const by = (m, v) => [0, 1, 2, 3].map((r) => m[r] * v[0] + m[4 + r] * v[1] + m[8 + r] * v[2] + m[12 + r] * v[3]);
  let best = { depth: Infinity };
  for (let n = 0; n < mesh.x.length; n += 1) {
    const point = [mesh.x[n], mesh.y[n], mesh.z[n]].map((one, axis) => one * dataScale[axis]).concat(1);
    const { model, view, projection } = glplot.cameraParams;
    const [x, y, z, w] = by(projection, by(view, by(model, point)));
    if (z / w < best.depth) best = { depth: z / w, n, x: box.left + (0.5 + x / w / 2) * box.width,
      y: box.top + (0.5 - y / w / 2) * box.height };
  }
  return { ...best, id: ends.find((end) => best.n < end.vertices).id };
}"""  # noqa: E501
"""The point of a mesh that nothing can hide, on the page, and the instance that it is of."""


def test_a_click_in_3d_selects_what_lies_there_and_the_camera_stays(page: Page) -> None:
    page.goto("/instances?volume=phantom-h&cut=0&show=3-D")
    rest(page)
    view = page.locator(".viewer.bare")
    view.wait_for()

    def seen(mesh: object) -> list[float]:
        """Where the camera is once a mesh is drawn."""
        for _ in range(400):
            told = view.evaluate(SEEN)
            if mesh in told["ids"]:
                return list(told["camera"])
            page.wait_for_timeout(50)
        raise AssertionError(f"{mesh} is not drawn")

    def veil() -> float:
        return float(view.evaluate(VEIL))

    before = seen("all")
    assert veil() == 1
    page.wait_for_timeout(500)
    place = view.evaluate(NEAREST)
    page.mouse.click(place["x"], place["y"])
    page.wait_for_url(re.compile(f"sel={place['id']}(&|$)"))
    assert seen(place["id"]) == pytest.approx(before, abs=1e-6)
    assert veil() < 0.5  # what is selected stands out
    page.mouse.wheel(0, 300)
    page.wait_for_timeout(500)
    moved = seen("all")
    assert moved != pytest.approx(before, abs=0.05)
    button(page, "Next")()
    page.wait_for_url(lambda url: f"sel={place['id']}" not in url)
    assert seen(int(words(page)["sel"])) == pytest.approx(moved, abs=1e-6)


def test_parts_of_the_filter_are_chips_that_can_be_taken_away(page: Page) -> None:
    page.goto("/instances?volume=phantom-r&cut=0&f=instance_id <= 4 and volume_um3 > 0")
    rest(page)
    button(page, re.compile("Volume.* > 0"))()
    page.wait_for_url(lambda url: "volume_um3" not in url)
    assert words(page)["f"] == "instance_id <= 4"
    button(page, "Add")()
    page.get_by_label("From").fill("0.02")
    page.get_by_role("button", name="Add", exact=True).last.click()
    page.wait_for_url(re.compile("volume_um3"))
    assert words(page)["f"] == "instance_id <= 4 and volume_um3 >= 0.02"


def test_a_bad_filter_is_told_under_the_box_and_the_rows_stay(page: Page) -> None:
    page.goto("/instances?volume=phantom-r&cut=0&f=instance_id <= 4")
    rest(page)
    box = page.get_by_role("textbox", name="Filter")
    for text, told in (
        ("volum_um3 > 1", "there is no column 'volum_um3'"),
        ("instance_id <= ", "filter, character"),
        ("__import__('os').system('ls')", "filter, character"),
    ):
        box.fill(text)
        box.press("Enter")
        expect(page.get_by_text(told).first).to_be_visible()
        expect(page.get_by_role("button", name="CSV · 4 shown")).to_be_visible()
        assert words(page)["f"] == "instance_id <= 4"


def test_what_was_wrong_with_a_filter_is_forgotten_with_its_text(page: Page) -> None:
    page.goto("/instances?volume=phantom-r&cut=0&f=instance_id <= 4")
    rest(page)
    box = page.get_by_role("textbox", name="Filter")
    box.fill("volume_um3 >> 2")
    box.press("Enter")
    told = page.get_by_text("filter, character")
    expect(told.first).to_be_visible()
    for name in ("Compare", "Instances"):
        page.get_by_role("link", name=name, exact=True).click()
        rest(page)
    expect(box).to_have_value("instance_id <= 4")
    expect(told).to_have_count(0)


def test_a_double_click_takes_the_range_away_and_leaves_the_selection(page: Page) -> None:
    page.goto("/instances?volume=phantom-r&cut=0&plot=Scatter&sel=3,5&f=volume_um3 > 0.01")
    drawn(page)
    x, y = page.evaluate(
        """() => { const plot = document.querySelector(".figure");
          const { xaxis, yaxis } = plot._fullLayout;
          const { x, y } = plot._fullData.find((one) => one.customdata);
          const area = plot.querySelector(".nsewdrag").getBoundingClientRect();
          return [area.left + xaxis.d2p(x[0]), area.top + yaxis.d2p(y[0])]; }"""
    )
    page.mouse.move(x, y)
    page.wait_for_timeout(300)
    page.mouse.dblclick(x, y)
    page.wait_for_url(lambda url: "f=" not in url)
    page.wait_for_timeout(1000)
    assert words(page)["sel"] == "3,5"


def test_tables_are_downloaded_with_what_says_where_they_come_from(
    page: Page, browser_root: Path, whole: pd.DataFrame
) -> None:
    page.goto("/instances?volume=phantom-h&f=instance_id < 9&cut=0&sel=2,3")
    rest(page)
    some = whole[whole["instance_id"] < 9]

    def saved(name: str | re.Pattern[str]) -> tuple[str, bytes]:
        with page.expect_download() as waiting:
            page.get_by_role("button", name=name).last.click()
        return waiting.value.suggested_filename, Path(waiting.value.path()).read_bytes()

    name, content = saved(re.compile("CSV · .* shown"))
    assert "synthetic" in name and content == tables.to_csv(some)
    page.get_by_role("button", name="Download", exact=True).click()
    page.get_by_text("with a JSON that says where it comes from").wait_for()
    for kind, writer in (("CSV", tables.to_csv), ("Parquet", tables.to_parquet)):
        for text, rows in ((f"{kind} · {len(some)} shown", some), (f"{kind} · all", whole)):
            _, content = saved(re.compile(re.escape(text)))
            with zipfile.ZipFile(io.BytesIO(content)) as file:
                table, note = (
                    file.read(one)
                    for one in sorted(file.namelist(), key=lambda n: n.endswith("json"))
                )
            assert table == writer(rows)
            assert b'"synthetic": true' in note and b"/instances?" in note
    _, content = saved("GLB of 2 selected")
    with zipfile.ZipFile(io.BytesIO(content)) as file:
        assert file.namelist() == ["2.glb", "3.glb"]
        assert file.read("2.glb")[:4] == b"glTF"


TWICE = """async (url) => {
  const { attach } = await import(url);
  const parentElement = document.querySelector(".mitoem-plot").parentElement.cloneNode(true);
  document.body.append(parentElement);
  delete parentElement.querySelector(".mitoem-plot").dataset.drawn;
  parentElement.querySelector(".figure").replaceChildren();
  const figure = (title) => ({ data: [], layout: { title: { text: title }, height: 200 } });
  const draw = (title) => attach({ parentElement, setTriggerValue() {},
    data: { stem: "s", said: title, figure: JSON.stringify(figure(title)) } });
  await draw("first");
  await Promise.all([draw("second"), draw("second")]);
  const titles = [parentElement.querySelector(".figure").layout.title.text];
  await Promise.all([draw("third"), draw("fourth")]);
  titles.push(parentElement.querySelector(".figure").layout.title.text);
  parentElement.remove();
  return titles;
}"""
"""Draws a plot anew while its last figure waits for its turn: the same figure, then another."""


def test_a_plot_that_is_drawn_again_while_it_waits_shows_the_last_figure(page: Page) -> None:
    page.goto("/instances?volume=phantom-h")
    drawn(page)
    loaded = "performance.getEntriesByType('resource').map((one) => one.name)"
    (url,) = {one for one in page.evaluate(loaded) if re.search(r"/plot\.js", one)}
    assert page.evaluate(TWICE, url) == ["second", "fourth"]


ALONE = """async ([url, figure]) => {
  const { attach } = await import(url);
  const parentElement = document.querySelector(".mitoem-plot").parentElement.cloneNode(true);
  document.body.replaceChildren(parentElement);
  parentElement.querySelector(".figure").replaceChildren();
  window.told = [];
  await attach({ parentElement, data: { stem: "s", said: "s", figure },
    setTriggerValue: (name, value) => window.told.push([name, value]) });
}"""
"""Draws a figure by itself, and keeps what it tells."""


def test_very_many_points_take_a_box_a_press_and_a_double_click_too(page: Page) -> None:
    many = pd.DataFrame(
        {
            "instance_id": range(1, 4001),
            "volume_um3": np.tile(np.geomspace(0.01, 1, 80), 50),
            "sphericity": np.repeat(np.linspace(0.2, 0.9, 50), 80),
        }
    )
    figure = scatter(many, "volume_um3", "sphericity", log_y=False)
    assert {trace.type for trace in figure.data} == {"scattergl"}
    page.goto("/instances?volume=phantom-h")
    drawn(page)
    (url,) = page.evaluate(
        "performance.getEntriesByType('resource').map((one) => one.name)"
        ".filter((one) => one.includes('/plot.js')).slice(0, 1)"
    )
    page.evaluate(ALONE, [url, figure.to_json()])
    area = page.locator(".mitoem-plot .nsewdrag").bounding_box()
    assert area is not None
    place = many.iloc[-40]  # in the topmost row
    x, y = page.evaluate(
        """([x, y]) => { const { xaxis, yaxis } = document.querySelector(".figure")._fullLayout;
          return [xaxis.d2p(x), yaxis.d2p(y)]; }""",
        [place["volume_um3"], place["sphericity"]],
    )
    page.mouse.move(area["x"] + x, area["y"] + y)
    page.wait_for_timeout(300)
    page.mouse.click(area["x"] + x, area["y"] + y)
    page.wait_for_function("window.told.length === 1")
    page.mouse.move(area["x"] + 20, area["y"] + 20)
    page.mouse.down()
    page.mouse.move(area["x"] + x, area["y"] + 90, steps=5)
    page.mouse.up()
    page.wait_for_function("window.told.length === 2")
    page.wait_for_timeout(600)
    page.mouse.dblclick(area["x"] + 5, area["y"] + 5)
    page.wait_for_function("window.told.some(([name]) => name === 'reset')")
    (pick, pressed), (box, ends), *_ = page.evaluate("window.told")
    assert (pick, pressed["id"]) == ("pick", place["instance_id"])
    assert (box, max(ends["x"])) == ("box", pytest.approx(place["volume_um3"], rel=0.01))


def test_a_plot_is_saved_as_svg_png_and_numbers(page: Page, whole: pd.DataFrame) -> None:
    page.goto("/instances?volume=phantom-h&cut=0")
    drawn(page)
    found = {}
    for name in ("SVG", "PNG", "Numbers"):
        with page.expect_download() as waiting:
            page.get_by_role("button", name=name).click()
        found[name] = Path(waiting.value.path()).read_bytes()
        assert waiting.value.suggested_filename.startswith(
            "phantom-h_truth_histogram_volume_um3_synthetic."
        )
    assert found["SVG"].startswith(b"<svg") and "Volume (µm³)".encode() in found["SVG"]
    assert Image.open(io.BytesIO(found["PNG"])).width > 1000
    numbers = pd.read_csv(io.BytesIO(found["Numbers"]))
    assert numbers["Instances"].sum() == len(whole)
    assert set(numbers["contains"]) == {"synthetic phantom: phantom-h"}
    assert b"synthetic phantom: phantom-h" in found["SVG"]


def test_the_snippet_of_a_card_runs(
    chromium: Browser, base_url: str, browser_root: Path, tmp_path: Path
) -> None:
    context = chromium.new_context(
        viewport={"width": 1280, "height": 720},
        base_url=base_url,
        permissions=["clipboard-read", "clipboard-write"],
    )
    page = context.new_page()
    page.goto("/explore?volume=phantom-r&sel=2")
    page.locator('.viewer[data-settled="true"]').wait_for()
    page.locator(".viewer").get_by_role("button", name="Copy as Python").click()
    expect(page.locator(".viewer").get_by_text("Python copied")).to_be_visible()
    text = page.evaluate("navigator.clipboard.readText()")
    context.close()
    environment = {"MITOEM_DATA": str(browser_root), "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-c", text],
        cwd=tmp_path, env=os.environ | environment, capture_output=True, text=True, check=True,
    )  # fmt: skip
    row = mitoem.table("phantom-r", filter="instance_id == 2", data=browser_root)
    assert str(int(row["voxel_count"].iloc[0])) in done.stdout
