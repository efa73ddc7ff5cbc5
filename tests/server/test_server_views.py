"""Cards, colours, figures and links of a view, as the viewer asks for them."""

from __future__ import annotations

import json
from io import BytesIO
from pathlib import Path
from urllib.parse import unquote
from xml.etree import ElementTree

import numpy as np
import pytest
import trimesh
from PIL import Image
from served import BALL, BALL_NM, LABELS, Site

import mitoem
from mitoem import front, jobs
from mitoem.render import instance_colour
from mitoem.render.scale import rgb

VOLUME = LABELS.partition("/labels/")[0]


def test_a_card_says_where_an_instance_lies_among_the_complete_ones(site: Site) -> None:
    card = site.ask(f"{LABELS}/instances/{BALL}").json()
    frame = mitoem.stored_table(mitoem.open_volume("wide", data=site.root), "truth")
    row = frame[frame["instance_id"] == BALL].iloc[0]
    whole = frame[~frame["touches_border"]]
    measures = {one["name"]: one for one in card["measures"]}
    assert measures["volume_um3"]["value"] == row["volume_um3"]
    assert measures["volume_um3"]["unit"] == "µm³"
    share = np.count_nonzero(whole["volume_um3"] < row["volume_um3"]) / len(whole)
    assert measures["volume_um3"]["larger_than"] == pytest.approx(share)
    assert card["complete"] == len(whole)
    assert card["centre"] == [6, 400, 250]
    assert BALL not in [one["instance_id"] for one in card["near"]]
    distances = [one["centre_um"] for one in card["near"]]
    assert distances == sorted(distances) and len(distances) == 6


def test_a_cut_instance_has_no_rank(site: Site) -> None:
    frame = mitoem.stored_table(mitoem.open_volume("wide", data=site.root), "truth")
    cut = int(frame.loc[frame["touches_border"], "instance_id"].iloc[0])
    card = site.ask(f"{LABELS}/instances/{cut}").json()
    assert card["cut"]
    assert all(one["larger_than"] is None for one in card["measures"])


def test_no_card_for_an_instance_that_is_none(site: Site) -> None:
    answer = site.ask(f"{LABELS}/instances/5")
    assert answer.status_code == 404 and "5" in answer.json()["error"]


def test_colours_rise_with_the_measure(site: Site) -> None:
    found = site.ask(f"{LABELS}/colours.json?by=volume_um3").json()
    frame = mitoem.stored_table(mitoem.open_volume("wide", data=site.root), "truth")
    assert found["ids"] == sorted(frame["instance_id"])
    by_id = dict(zip(found["ids"], found["colours"], strict=True))
    order = frame.sort_values("volume_um3")["instance_id"]
    smallest, largest = by_id[int(order.iloc[0])], by_id[int(order.iloc[-1])]
    ends = [rgb(found["legend"]["colours"][k]) for k in (0, -1)]
    assert [_bytes(smallest), _bytes(largest)] == ends
    assert found["unit"] == "µm³" and found["legend"]["kind"] == "scale"


def test_names_have_a_colour_each(site: Site) -> None:
    found = site.ask(f"{LABELS}/colours.json?by=touches_border").json()
    assert found["legend"]["names"] == ["complete", "cut"]
    frame = mitoem.stored_table(mitoem.open_volume("wide", data=site.root), "truth")
    kinds = dict(zip(found["ids"], found["colours"], strict=True))
    cut = {kinds[one] for one in frame.loc[frame["touches_border"], "instance_id"]}
    assert [_bytes(colour) for colour in cut] == [rgb(found["legend"]["colours"][1])]


@pytest.mark.parametrize("by", ["", "bbox_z0", "nonsense", "length_um"])
def test_what_cannot_give_colours_is_refused_by_name(by: str, site: Site) -> None:
    answer = site.ask(f"{LABELS}/colours.json", params={"by": by})
    assert answer.status_code == 400
    assert by in answer.json()["error"]


def test_colours_by_error_are_those_of_the_newest_evaluation(root: Path, site: Site) -> None:
    volume = mitoem.open_volume("wide", data=root)
    asked = f"{LABELS}/colours.json?by=error"
    before = site.ask(asked)
    assert before.status_code == 400 and "not evaluated" in before.json()["error"]
    request = {
        "volume": "wide",
        "truth": "truth",
        "prediction": "run-1",
        "versions": [volume.version("truth"), volume.version("run-1")],
        "data": str(root),
    }
    try:
        run = jobs.submit(root, "evaluate", request)
        assert jobs.wait(root, run, seconds=60).state == "done"
    finally:
        jobs.stop_worker(root)
    found = site.ask(asked).json()
    assert "legend" in found, found
    names, colours = found["legend"]["names"], found["legend"]["colours"]
    shown = dict(zip(found["ids"], found["colours"], strict=True))
    errors = mitoem.evaluate("wide/truth", "wide/run-1", data=root).to_json()["errors"]
    kinds = {one["truth"]: one["kind"] for one in errors if one["truth"]}
    assert kinds, "the prediction has errors to show"
    for instance, kind in kinds.items():
        assert _bytes(shown[instance]) == rgb(colours[names.index(kind)])
    assert "not scored" in names, "instances outside the prediction were not scored"
    assert site.ask(f"{asked}&against=run-1").json() == found
    none = site.ask(f"{asked}&against=truth")
    assert none.status_code == 400 and "against 'truth'" in none.json()["error"]


def test_rows_of_chosen_columns_alone(site: Site) -> None:
    rows = site.ask(f"{LABELS}/instances.json?columns=instance_id,mci").json()
    assert list(rows[0]) == ["instance_id", "mci"]
    answer = site.ask(f"{LABELS}/instances.json?columns=instance_id,none")
    assert answer.status_code == 400 and "'none'" in answer.json()["error"]


@pytest.mark.parametrize("kind", ["ply", "stl", "obj"])
def test_a_mesh_in_any_format_is_the_same_body(kind: str, site: Site) -> None:
    answer = site.ask(f"{LABELS}/meshes/{BALL}.{kind}")
    body = trimesh.load_mesh(BytesIO(answer.content), file_type=kind)
    assert body.volume == pytest.approx(4 / 3 * np.pi * (BALL_NM / 1000) ** 3, rel=0.03)


def test_a_figure_has_the_pixels_and_the_bar_that_were_asked_for(site: Site) -> None:
    answer = site.ask(f"{VOLUME}/figure.png?z=6&nm=16&sel={BALL}")
    assert answer.headers["content-type"] == "image/png"
    assert 'filename="wide_z6.png"' in answer.headers["content-disposition"]
    picture = Image.open(BytesIO(answer.content))
    volume = mitoem.open_volume("wide", data=site.root)
    assert picture.width == volume.info.shape[2] / 2
    assert picture.text["Pixel size"] == "16 nm"
    assert "wide" in picture.text["Description"].lower()


def test_a_figure_as_svg_is_xml_with_its_caption(site: Site) -> None:
    root = ElementTree.fromstring(site.ask(f"{VOLUME}/figure.svg?z=6").text)
    assert root.tag.endswith("svg")
    assert "z = 6" in root[0].text


@pytest.mark.parametrize("nm", ["0", "-3", "x", "nan", "1e9"])
def test_a_pixel_that_is_none_is_refused(nm: str, site: Site) -> None:
    answer = site.ask(f"{VOLUME}/figure.png", params={"nm": nm})
    assert answer.status_code == 400 and nm in answer.json()["error"]


def test_a_figure_coloured_by_a_measure_shows_that_measures_colour(site: Site) -> None:
    words = f"z=6&op=100,100&colour=volume_um3&sel={BALL}"
    drawn = Image.open(BytesIO(site.ask(f"{VOLUME}/figure.png?{words}").content))
    frame = mitoem.stored_table(mitoem.open_volume("wide", data=site.root), "truth")
    (expected,) = front.colouring(frame, "volume_um3").of([BALL]).tolist()
    assert drawn.getpixel((250, 400)) == tuple(expected)
    by_python, _ = mitoem.figure("wide", words, data=site.root)
    assert by_python.rgb[400, 250].tolist() == expected


def test_a_figure_deals_the_colours_by_the_seed_of_the_address(site: Site) -> None:
    words = f"z=6&op=100,100&seed=4&sel={BALL}"
    drawn = Image.open(BytesIO(site.ask(f"{VOLUME}/figure.png?{words}").content))
    expected = instance_colour([BALL], seed=4)[0].tolist()
    assert drawn.getpixel((250, 400)) == tuple(expected)
    assert expected != instance_colour([BALL])[0].tolist()


def test_the_way_to_neuroglancer_names_this_server(site: Site) -> None:
    answer = site.ask(f"{VOLUME}/neuroglancer?z=6&sel={BALL}")
    assert answer.status_code == 302
    state = json.loads(unquote(answer.headers["location"].partition("#!")[2]))
    assert state["position"][2] == 6
    host = str(answer.request.url).partition("/api/")[0]
    assert state["layers"][0]["source"].startswith(f"{host}/zarr/wide/")


def _bytes(colour: int) -> tuple[int, int, int]:
    return colour >> 16, colour >> 8 & 255, colour & 255
