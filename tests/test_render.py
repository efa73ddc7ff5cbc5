from __future__ import annotations

import colorsys
import gzip
import io
import xml.etree.ElementTree as ET

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from mitoem.errors import ImageInvalid, RequestInvalid, ShapeMismatch
from mitoem.render import (
    BESIDE,
    Key,
    Paint,
    edges,
    encode_labels,
    encode_tile,
    figure,
    instance_colour,
    overlay,
    scale_bar,
    thumbnail,
    to_scale,
)

RAMP = np.arange(64, dtype=np.uint8).reshape(8, 8) * 4


def disc(rows: int, columns: int, radius: float, aspect: float = 1.0) -> np.ndarray:
    """A disc of ``radius`` columns on rows that are ``aspect`` times as thick."""
    y, x = np.ogrid[:rows, :columns]
    far = np.hypot((y - (rows - 1) / 2) * aspect, x - (columns - 1) / 2)
    return (far <= radius).astype(np.uint32)


def test_a_png_tile_and_a_raw_tile_are_lossless() -> None:
    assert np.array_equal(np.asarray(Image.open(io.BytesIO(encode_tile(RAMP, format="png")))), RAMP)
    assert encode_tile(RAMP[:, ::2], format="raw") == RAMP[:, ::2].tobytes()


def test_a_jpeg_tile_is_grey_and_near() -> None:
    picture = Image.open(io.BytesIO(encode_tile(RAMP)))
    assert (picture.format, picture.mode, picture.size) == ("JPEG", "L", (8, 8))
    assert np.abs(np.asarray(picture).astype(int) - RAMP).max() <= 8


def test_a_tile_of_another_kind_is_refused() -> None:
    with pytest.raises(ImageInvalid, match="2-D array of uint8, not 3-D uint8"):
        encode_tile(RAMP[None])
    with pytest.raises(ImageInvalid, match="not 2-D uint16"):
        encode_tile(RAMP.astype(np.uint16))


@settings(deadline=None, max_examples=25)
@given(st.lists(st.integers(0, 2**32 - 1), min_size=6, max_size=6))
def test_label_tiles_come_back_exactly_and_always_as_the_same_bytes(values: list[int]) -> None:
    plane = np.array(values, np.uint32).reshape(2, 3)
    data = encode_labels(plane)
    assert np.array_equal(np.frombuffer(gzip.decompress(data), "<u4").reshape(2, 3), plane)
    assert data == encode_labels(np.asfortranarray(plane.astype(np.int64)))


def plain_colour(one: int, seed: int = 0) -> list[int]:
    """The agreed arithmetic, step by step."""
    h = ((one ^ (seed * 0x9E3779B9 % 2**32)) * 2654435761) % 2**32
    hue, light = (h >> 16) / 65536, 0.55 + 0.15 * (h & 0xFF) / 255
    return [round(255 * c) for c in colorsys.hls_to_rgb(hue, light, 0.75)]


@settings(deadline=None, max_examples=100)
@given(st.integers(0, 2**32 - 1), st.integers(0, 1000))
def test_an_instance_has_the_agreed_colour(one: int, seed: int) -> None:
    expected = plain_colour(one, seed)
    assert np.abs(instance_colour([one], seed=seed)[0] - np.array(expected)).max() <= 1


def test_neighbouring_ids_have_colours_that_differ() -> None:
    colours = instance_colour(np.arange(1, 500)).astype(int)
    apart = np.abs(np.diff(colours, axis=0)).sum(axis=1)
    assert np.median(apart) > 100
    assert (apart < 30).mean() < 0.02


def test_opacity_zero_is_the_grey_and_opacity_one_the_colour() -> None:
    ids = disc(8, 8, 3) * 7
    bare = overlay(RAMP, ids, paint=Paint(other_opacity=0))
    assert np.array_equal(bare, np.repeat(RAMP[:, :, None], 3, axis=2))
    full = overlay(RAMP, ids, paint=Paint(selected=(7,), selected_opacity=1))
    assert (full[ids == 7] == instance_colour([7])[0]).all()
    assert np.array_equal(full[ids == 0], bare[ids == 0])


def test_solo_leaves_only_the_selected_instances() -> None:
    ids = np.array([[1, 1, 2, 2], [1, 1, 2, 2]], np.uint32)
    grey = np.full((2, 4), 100, np.uint8)
    drawn = overlay(grey, ids, paint=Paint(selected=(2,), solo=True))
    assert (drawn[:, :2] == 100).all()
    assert not (drawn[:, 2:] == 100).all()


def test_window_and_invert_stretch_and_turn_the_greys() -> None:
    grey = np.array([[10, 20, 120, 220, 250]], np.uint8)
    drawn = overlay(grey, paint=Paint(window=(20, 220)))[0, :, 0]
    assert drawn.tolist() == [0, 0, 128, 255, 255]
    turned = overlay(grey, paint=Paint(window=(20, 220), invert=True))[0, :, 0]
    assert turned.tolist() == [255, 255, 128, 0, 0]


def test_an_outline_lies_inside_its_instance_and_between_touching_ones() -> None:
    ids = np.array([[0, 0, 0, 0, 0, 0], [0, 3, 3, 3, 4, 0], [0, 3, 3, 3, 4, 0], [0, 3, 3, 3, 4, 0]])
    assert edges(ids.astype(np.uint32)).astype(int).tolist() == [
        [0, 0, 0, 0, 0, 0],
        [0, 1, 1, 1, 1, 0],
        [0, 1, 0, 1, 1, 0],
        [0, 1, 0, 1, 1, 0],
    ]


def test_planes_of_different_shapes_are_named() -> None:
    with pytest.raises(ShapeMismatch, match=r"\(8, 8\) and labels plane \(8, 7\)"):
        overlay(RAMP, np.zeros((8, 7), np.uint32))


@settings(deadline=None, max_examples=200)
@given(st.floats(0.01, 1e5), st.integers(8, 8000))
def test_a_scale_bar_is_round_and_fills_up_to_a_quarter(nm_per_pixel: float, width: int) -> None:
    bar = scale_bar(nm_per_pixel, width)
    assert f"{bar.nm:.0e}"[0] in "125"
    assert bar.pixels * nm_per_pixel == pytest.approx(bar.nm)
    assert width / 10 - 1e-6 <= bar.pixels <= width / 4 + 1e-6
    number, unit = bar.label.split()
    assert float(number) * {"nm": 1, "µm": 1000}[unit] == pytest.approx(bar.nm)


def test_a_ball_is_round_on_a_plane_of_thick_sections() -> None:
    ids = disc(33, 121, 50, aspect=3.75)
    drawn, near = to_scale((ids * 255).astype(np.uint8), ids, pixel_nm=(30.0, 8.0), nm_per_pixel=8)
    assert near is not None
    rows, columns = near.any(axis=1).sum(), near.any(axis=0).sum()
    assert drawn.shape == near.shape == (124, 121)
    assert abs(int(rows) - int(columns)) <= 4


def test_ids_are_never_mixed_by_scaling() -> None:
    ids = np.array([[1, 4_000_000_000], [9, 0]], np.uint32)
    _, near = to_scale(np.zeros((2, 2), np.uint8), ids, pixel_nm=(30.0, 8.0), nm_per_pixel=3)
    assert near is not None
    assert set(np.unique(near).tolist()) == {0, 1, 9, 4_000_000_000}
    assert near.shape == (20, 5)


def test_a_figure_has_a_bar_of_the_right_length_and_its_caption_in_the_file() -> None:
    plane = np.zeros((100, 400), np.uint8)
    drawn = figure(plane, pixel_nm=(8.0, 8.0), caption="plane z = 3, 8 nm per pixel, µm")
    assert drawn.bar is not None
    assert (drawn.bar.label, drawn.bar.pixels) == ("500 nm", 62.5)
    picture = Image.open(io.BytesIO(drawn.png()))
    assert picture.info["Description"] == "plane z = 3, 8 nm per pixel, µm"
    white = (np.asarray(picture.convert("L"))[:100] == 255).sum(axis=1)
    assert 62 <= white.max() <= 64
    assert picture.size[0] == 400
    assert picture.size[1] > 100


@settings(deadline=None, max_examples=60)
@given(
    st.tuples(st.integers(1, 40), st.integers(1, 40)),
    st.floats(1, 200),
    st.floats(5, 1e6, exclude_max=True),
)
def test_a_figure_of_any_size_can_be_drawn_and_a_bar_is_as_long_as_it_says(
    shape: tuple[int, int], voxel: float, nm: float
) -> None:
    drawn = figure(
        np.zeros(shape, np.uint8), pixel_nm=(voxel, 8), nm_per_pixel=nm, caption="a caption"
    )
    with Image.open(io.BytesIO(drawn.png())) as picture:
        assert picture.width == drawn.rgb.shape[1]
    bars = [one for one in ET.fromstring(drawn.svg()).iter() if one.get("paint-order")]
    assert drawn.bar is not None
    widths = [float(one.attrib["width"]) for one in bars if "width" in one.attrib]
    assert widths == ([pytest.approx(drawn.bar.nm / nm, rel=1e-4)] if bars else [])
    assert all(float(one.attrib["y"]) > 0 for one in bars)
    assert bool(bars) <= (drawn.bar.pixels >= 4)
    if drawn.rgb.shape[0] >= 60 and drawn.bar.pixels >= 4:
        assert bars


def test_a_figure_without_bar_and_caption_is_the_picture_alone() -> None:
    data = figure(RAMP, pixel_nm=(8.0, 8.0), bar=False).png()
    assert Image.open(io.BytesIO(data)).size == (8, 8)


def test_an_svg_figure_parses_and_escapes_its_caption() -> None:
    text = figure(
        RAMP.repeat(40, 0).repeat(40, 1), pixel_nm=(8.0, 8.0), caption="a < b & <c>"
    ).svg()
    root = ET.fromstring(text)
    drawn = [node.text for node in root.iter() if node.tag.endswith("text")]
    assert drawn == ["500 nm", "a < b & <c>"]


def test_equal_figures_are_equal_bytes() -> None:
    one, two = (figure(RAMP, disc(8, 8, 3), pixel_nm=(30.0, 8.0), caption="c") for _ in range(2))
    assert (one.png(), one.svg()) == (two.png(), two.svg())


def test_a_figure_that_is_too_large_or_has_no_pixel_size_is_refused() -> None:
    with pytest.raises(RequestInvalid, match="larger than 25,000,000 pixels"):
        figure(RAMP, pixel_nm=(8.0, 8.0), nm_per_pixel=1e-3)
    with pytest.raises(RequestInvalid, match="above 0, found -1"):
        figure(RAMP, pixel_nm=(8.0, 8.0), nm_per_pixel=-1)


@pytest.mark.parametrize(("shape", "expected"), [((10, 40), (128, 137)), ((4, 40), (48, 128))])
def test_a_thumbnail_keeps_the_proportions(
    shape: tuple[int, int], expected: tuple[int, int]
) -> None:
    small = thumbnail(np.zeros(shape, np.uint8), pixel_nm=(30.0, 8.0), size=128)
    assert max(small.shape[:2]) == 128
    assert small.shape[0] / small.shape[1] == pytest.approx(expected[0] / expected[1], rel=0.02)


def test_a_figure_shows_what_its_colours_mean() -> None:
    ramp = ("#000080", "#00ff00", "#ffff00")
    key = Key("volume, µm³", (((), "≤ 0.1"), (ramp, "≥ 2")))
    drawn = figure(np.zeros((80, 500), np.uint8), pixel_nm=(8.0, 8.0), caption="c", key=key)
    below = np.asarray(Image.open(io.BytesIO(drawn.png())).convert("RGB"))[80:]
    for ink in ((0, 0, 128), (0, 255, 0), (255, 255, 0)):
        columns = np.nonzero((below == ink).all(axis=2).any(axis=0))[0]
        assert columns.size == pytest.approx(1.6 * 10, abs=1)
    root = ET.fromstring(drawn.svg())
    fills = [node.get("fill") for node in root.iter() if node.tag.endswith("rect")]
    assert [one for one in fills if one in ramp] == list(ramp)
    words = [node.text for node in root.iter() if node.tag.endswith("text")]
    assert words == ["1 µm", "volume, µm³", "≤ 0.1", "≥ 2", "c"]


def test_a_key_of_many_names_goes_on_in_the_next_row() -> None:
    entries = tuple((("#123456",), f"name {n}") for n in range(20))
    plane = np.zeros((50, 400), np.uint8)
    long = figure(plane, pixel_nm=(8.0, 8.0), key=Key("split", entries)).svg()
    root = ET.fromstring(long)
    rects = [node for node in root.iter() if node.get("fill") == "#123456"]
    assert len(rects) == 20
    assert all(float(one.get("x", "")) + float(one.get("width", "")) <= 400 for one in rects)
    assert len({one.get("y") for one in rects}) > 2


def test_other_labels_are_outlined_in_one_colour_over_the_figure() -> None:
    plane, other = np.zeros((20, 20), np.uint8), np.zeros((20, 20), np.uint32)
    other[5:15, 5:15] = 7
    drawn = figure(plane, beside=other, pixel_nm=(8.0, 8.0), bar=False).rgb
    inked = (drawn == BESIDE).all(axis=2)
    assert inked.sum() == 4 * 9 and inked[5, 5] and not inked[6, 6]
    assert (drawn[~inked] == 0).all()
