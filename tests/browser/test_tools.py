"""What a person does with an instance and a view: card, colours, ruler, figure, overview, links."""

from __future__ import annotations

import io
import json
import re
from pathlib import Path
from urllib.parse import unquote

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Page, expect

import mitoem
from browser.test_viewer import (
    EXPLORE,
    inside,
    look,
    open_viewer,
    pane,
    picture,
    report,
    settled,
    voxel_point,
    wait_for_word,
)
from mitoem import front

HUE = "/explore?volume=phantom-r&op=100,100"


@pytest.fixture(scope="module")
def phantom(browser_root: Path) -> mitoem.Volume:
    return mitoem.open_volume("phantom-r", data=browser_root)


def test_the_card_shows_the_row_of_the_table(page: Page, browser_root: Path) -> None:
    frame = mitoem.table("phantom-h", data=browser_root)
    row = frame[~frame["touches_border"]].iloc[0]
    open_viewer(page, f"/explore?volume=phantom-h&sel={row['instance_id']}")
    card = page.locator(".card")
    expect(card.locator("header b")).to_have_text(f"#{row['instance_id']}")
    volume = card.locator(".measure").first
    shown = float(volume.locator(".value").inner_text().split()[0])
    assert shown == pytest.approx(row["volume_um3"], rel=0.005)
    share = (frame.loc[~frame["touches_border"], "volume_um3"] < row["volume_um3"]).mean()
    expect(volume.locator(".percent")).to_have_text(f"{round(100 * share)} %")
    expect(card.locator(".tag").first).to_have_text("complete")
    card.get_by_role("button", name="Close the card").click()
    expect(card).to_be_hidden()
    page.locator(".viewer").focus()
    page.keyboard.press("k")
    expect(card).to_be_visible()


def test_a_neighbour_on_the_card_is_gone_to(page: Page) -> None:
    open_viewer(page, f"{EXPLORE}&sel=3")
    near = page.locator(".chip").first
    name = near.inner_text().split()[0].removeprefix("#")
    near.click()
    wait_for_word(page, "sel", name)
    expect(page.locator(".card header b")).to_have_text(f"#{name}")


def test_what_the_card_offers_to_download_is_there(page: Page) -> None:
    open_viewer(page, f"{EXPLORE}&sel=3")
    for text, start in (("GLB", b"glTF"), ("PLY", b"ply\n"), ("CSV row", b"instance_id")):
        assert downloaded(page, text).startswith(start)
    stl = downloaded(page, "STL")
    triangles = int.from_bytes(stl[80:84], "little")
    assert triangles > 100
    assert len(stl) == 84 + 50 * triangles


def downloaded(page: Page, text: str) -> bytes:
    """What a button of the card saves, under a name that says what it is of."""
    with page.expect_download() as caught:
        page.locator(".deeds").get_by_text(text, exact=True).click()
    assert caught.value.suggested_filename.startswith("phantom-r_truth_")
    return Path(caught.value.path()).read_bytes()


def test_colours_by_a_measurement_are_the_same_on_screen_and_in_python(
    page: Page, phantom: mitoem.Volume, browser_root: Path
) -> None:
    instance, (z, y, x) = inside(phantom)
    open_viewer(page, f"{HUE}&z={z}&y={y}&x={x}&zoom=3&layout=z&colour=mci")
    expect(page.locator(".colours b")).to_have_text("Mitochondrial complexity index")
    found = front.colouring(mitoem.table("phantom-r", data=browser_root), "mci")
    (ink,) = found.of([instance]).astype(int)
    at = voxel_point(page, "z", (z, y, x))
    page.mouse.move(5, 5)
    assert np.abs(picture(page)[int(at[1]) + 3, int(at[0]) + 3] - ink).max() <= 4
    page.locator(".viewer").focus()
    page.keyboard.press("l")
    expect(page.locator(".colours")).to_be_hidden()
    page.wait_for_function("() => !new URLSearchParams(location.search).has('colour')")
    wait_for_word(page, "seed", "1")
    page.reload()
    settled(page)
    assert report(page)["seed"] == 1


def test_colours_are_chosen_in_their_panel_and_stay_in_the_address(page: Page) -> None:
    open_viewer(page, EXPLORE)
    page.locator('[data-action="colour"]').click()
    page.get_by_label("Colour instances by").select_option("size_class")
    expect(page.locator(".colours .entry").first).to_be_visible()
    wait_for_word(page, "colour", "size_class")
    page.reload()
    expect(page.locator(".colours b")).to_have_text("Size class")


def test_what_was_not_measured_gives_no_colours_and_says_so(page: Page) -> None:
    open_viewer(page, f"{EXPLORE}&colour=length_um")
    expect(page.locator(".readout .said")).to_have_text(re.compile("length_um was not measured"))
    assert report(page)["colour"] == "id"


def test_the_ruler_tells_nanometres_on_every_plane(page: Page) -> None:
    open_viewer(page, EXPLORE)
    page.locator(".viewer").focus()
    page.keyboard.press("m")
    for axis, other, nm in (
        ("z", (16, 260, 340), 8 * np.hypot(20, 40)),
        ("y", (20, 240, 300), 30 * 4),
    ):
        start = (16, 240, 300)
        a = look(page, axis, 3.0, start)
        b = voxel_point(page, axis, other)
        pane(page, axis).click(position={"x": a[0], "y": a[1]})
        pane(page, axis).click(position={"x": b[0], "y": b[1]})
        told = pane(page, axis).locator(".length").inner_text()
        assert float(told.split()[0]) == pytest.approx(nm, rel=0.02), told
        assert told.endswith("nm")
    page.keyboard.press("Escape")
    expect(pane(page, "y").locator(".ruler")).to_be_hidden()
    assert report(page)["sel"] == []


def test_a_saved_figure_is_the_one_of_python(page: Page, browser_root: Path) -> None:
    open_viewer(page, f"{EXPLORE}&z=9&sel=3&mode=outline")
    page.locator(".viewer").focus()
    page.keyboard.press("q")
    page.get_by_label("nm per pixel").fill("16")
    command = page.locator(".panel.figure code").inner_text()
    assert command.startswith("python -m mitoem figure phantom-r --view 'v=1&")
    with page.expect_download() as caught:
        page.locator(".panel.figure").get_by_role("button", name="Save").click()
    assert caught.value.suggested_filename == "phantom-r_z9.png"
    words = re.search("--view '([^']*)'", command)
    assert words is not None
    drawn, notices = mitoem.figure("phantom-r", words[1], nm_per_pixel=16, data=browser_root)
    assert not notices
    saved = Image.open(io.BytesIO(Path(caught.value.path()).read_bytes()))
    np.testing.assert_array_equal(
        np.asarray(saved), np.asarray(Image.open(io.BytesIO(drawn.png())))
    )


def test_all_instances_are_drawn_and_one_is_known_by_its_vertices(page: Page) -> None:
    open_viewer(page, f"{EXPLORE}&layout=3d")
    page.get_by_label("All instances, coarsely").click()
    page.wait_for_function(
        """() => document.querySelectorAll('*') && [...document.querySelectorAll('*')]
          .some((e) => e.shadowRoot?.querySelector('.plot')?.data?.some((t) => t.meta === 'all'))"""
    )
    ids = page.locator(".viewer").evaluate(
        """(root) => { const { overview } = root.viewer.scene; const last = overview.ends.at(-1);
          return [overview.idAt(0), overview.ends[0].id, overview.idAt(last.vertices - 1), last.id,
            overview.mesh.facecolor.length === overview.mesh.i.length]; }"""
    )
    assert ids[0] == ids[1] and ids[2] == ids[3] and ids[4] is True


@pytest.mark.parametrize("everything", [False, True])
def test_a_mesh_is_picked_in_3d_and_the_page_goes_on(
    everything: bool, page: Page, browser_root: Path
) -> None:
    mitoem.table("ball", data=browser_root)  # surfaces are found by it
    open_viewer(page, "/explore?volume=ball&layout=3d" + ("" if everything else "&sel=5"))
    if everything:
        page.get_by_label("All instances, coarsely").click()
    page.wait_for_function(
        """() => [...document.querySelectorAll('*')].some((e) =>
          e.shadowRoot?.querySelector('.plot')?.data?.some((t) => t.type === 'mesh3d'))"""
    )
    page.wait_for_timeout(1500)
    box = page.locator(".scene .plot").bounding_box()
    assert box is not None
    middle = (box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    for dx, dy in ((0, 0), (0, 30), (0, -30), (30, 0), (-30, 0), (0, 60), (0, -60)):
        page.mouse.move(middle[0] + dx, middle[1] + dy)
        page.wait_for_timeout(250)
        page.mouse.down()
        page.wait_for_timeout(250)
        page.mouse.up()
        page.wait_for_timeout(250)
        if report(page)["sel"] == [5] and everything:
            break
    assert report(page)["sel"] == [5]


def test_the_buttons_of_the_strip_step_sections_whatever_plane_is_active(page: Page) -> None:
    open_viewer(page, f"{EXPLORE}&layout=y&z=7&y=100")
    page.locator('.strip [data-action="next-section"]').click()
    assert [report(page)[k] for k in "zy"] == [8, 100]


def test_the_view_opens_in_neuroglancer(page: Page) -> None:
    page.context.route(
        re.compile("neuroglancer-demo"), lambda route: route.fulfill(body="<title>ng</title>")
    )
    open_viewer(page, f"{EXPLORE}&z=9&sel=3")
    with (
        page.context.expect_page(),
        page.context.expect_event(
            "response", lambda one: one.status == 302 and "/neuroglancer" in one.url
        ) as caught,
    ):
        page.locator('[data-action="neuroglancer"]').click()
    link = caught.value.headers["location"]
    assert link.startswith("https://neuroglancer-demo")
    state = json.loads(unquote(link.partition("#!")[2]))
    assert state["position"][2] == 9
    assert state["layers"][1]["segments"] == ["3"]


def test_the_strip_says_what_a_section_is(page: Page, phantom: mitoem.Volume) -> None:
    open_viewer(page, EXPLORE)
    box = page.locator(".track").bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + box["width"] * 0.5, box["y"] + 12)
    z = phantom.info.shape[0] // 2
    count = phantom.info.label_set("truth").per_section[z]
    expect(page.locator(".ghost")).to_have_text(f"z {z} · labelled · {count} instances")


def test_the_strip_tells_splits_and_goes_where_it_is_pressed(page: Page) -> None:
    open_viewer(page, "/explore?volume=ball")
    box = page.locator(".track").bounding_box()
    assert box is not None
    for z, what in ((3, "train"), (20, "validation"), (31, "unlabelled")):
        at = box["x"] + box["width"] * (z + 0.5) / 32
        page.mouse.move(at, box["y"] + 12)
        expect(page.locator(".ghost")).to_have_text(re.compile(f"^z {z} · {what}"))
        page.mouse.down()
        page.mouse.up()
        assert report(page)["z"] == z
    settled(page)
    expect(pane(page).locator(".note")).to_have_text(re.compile("No labels"))


def test_instances_are_reached_picked_and_exported_by_keys_alone(page: Page) -> None:
    open_viewer(page, EXPLORE)
    page.locator(".viewer").focus()
    page.keyboard.press("n")
    expect(page.locator(".card header b")).to_have_text(re.compile(r"#\d+"))
    first = report(page)["sel"]
    page.keyboard.press("n")
    page.wait_for_function(
        "(first) => !location.search.includes(`sel=${first}`) && location.search.includes('sel=')",
        arg=first[0],
    )
    export = page.locator(".deeds").get_by_text("CSV row", exact=True)
    export.focus()
    with page.expect_download() as caught:
        page.keyboard.press("Enter")
    assert caught.value.suggested_filename.endswith(".csv")
