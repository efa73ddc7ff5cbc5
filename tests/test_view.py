from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mitoem.geometry import Box, Index
from mitoem.manifest import GreyStats, LabelSet, VolumeInfo, level_infos
from mitoem.view import WORDS, View, ViewRequest, Wish, from_query, resolve, to_query


def label_set(name: str, *coverage: Box) -> LabelSet:
    return LabelSet(name, "prediction", "uint32", coverage, 3, (0,), "1")


def volume(
    shape: Index = (64, 512, 1024),
    labels: tuple[LabelSet, ...] = (),
    grey: tuple[int, int] = (20, 220),
) -> VolumeInfo:
    return VolumeInfo(
        name="R",
        title="Rat",
        synthetic=False,
        shape=shape,
        voxel_size=(30.0, 8.0, 8.0),
        voxel_size_source="the paper",
        levels=level_infos(shape, (30.0, 8.0, 8.0), ((1, 1, 1),)),
        grey=GreyStats(grey[0], 120, grey[1], 120.0, (0,) * 256),
        version="1",
        labels=labels,
    )


TRUTH = label_set("truth", Box((0, 0, 0), (4, 4, 4)), Box((10, 100, 200), (30, 300, 600)))
LABELLED = volume(labels=(label_set("model-a"), TRUTH))

wishes: st.SearchStrategy[Wish] = st.one_of(
    st.none(),
    st.text(max_size=12),
    st.integers(),
    st.floats(),
    st.sampled_from(["1", "0", "quad", "x", "-3", "3,4", "60,25", "1e400", "9" * 5000, "R", "é٣"]),
    st.lists(st.integers(), max_size=60).map(tuple),
)
requests = st.builds(ViewRequest, **dict.fromkeys(WORDS.values(), wishes))
volumes = st.builds(
    volume,
    shape=st.tuples(*[st.integers(1, 4096)] * 3),
    labels=st.sampled_from([(), (TRUTH,), LABELLED.labels, (label_set("model-a"),)]),
    grey=st.tuples(st.integers(0, 255), st.integers(0, 255)),
)


def is_readable(view: View, info: VolumeInfo) -> bool:
    inside = all(0 <= i < n for i, n in zip(view.position, info.shape, strict=True))
    low, high = view.window
    names = {one.name for one in info.labels} or {None}
    return (
        inside
        and 0 <= low < high <= 255
        and all(0 <= per_cent <= 100 for per_cent in view.op)
        and view.labels in names
        and (view.beside is None or view.beside in names - {view.labels})
        and len(view.sel) <= 50
        and all(0 < one < 2**32 for one in view.sel)
        and (view.zoom is None or 0 < view.zoom <= 64)
    )


@settings(deadline=None, max_examples=150)
@given(requests, volumes)
def test_every_request_gives_a_view_that_can_be_drawn(
    request: ViewRequest, info: VolumeInfo
) -> None:
    view, notices = resolve(request, info)
    assert is_readable(view, info)
    assert len({notice.word for notice in notices}) == len(notices)
    assert all("\n" not in notice.message and len(notice.message) < 250 for notice in notices)


@settings(deadline=None, max_examples=150)
@given(requests, volumes)
def test_the_address_of_a_view_gives_the_view_back_without_a_notice(
    request: ViewRequest, info: VolumeInfo
) -> None:
    view, _ = resolve(request, info)
    assert resolve(from_query(to_query(view, info)), info) == (view, ())


def test_asking_for_nothing_shows_the_middle_of_the_largest_labelled_box() -> None:
    view, notices = resolve(ViewRequest(), LABELLED)
    assert notices == ()
    assert view == View(
        volume="R",
        labels="truth",
        beside=None,
        plane="z",
        layout="quad",
        x=400,
        y=200,
        z=20,
        zoom=None,
        sel=(),
        op=(60, 25),
        mode="fill",
        window=(20, 220),
        invert=False,
        solo=False,
        colour="id",
        seed=0,
        filter="",
    )


def test_without_labels_the_middle_of_the_volume_is_shown() -> None:
    view, _ = resolve(ViewRequest(), volume())
    assert (view.position, view.labels) == ((32, 256, 512), None)


def test_another_label_set_may_be_outlined() -> None:
    view, notices = resolve(ViewRequest(beside="model-a"), LABELLED)
    assert (view.labels, view.beside, notices) == ("truth", "model-a", ())
    assert to_query(view, LABELLED) == {"v": "1", "volume": "R", "beside": "model-a"}


def test_defaults_are_left_out_of_the_address() -> None:
    view, _ = resolve(ViewRequest(), LABELLED)
    assert to_query(view, LABELLED) == {"v": "1", "volume": "R"}


def test_the_example_address_is_understood() -> None:
    query = {
        "v": "1",
        "volume": "R",
        "plane": "z",
        "x": "204",
        "y": "198",
        "z": "41",
        "zoom": "0.5",
        "sel": "118,204",
        "labels": "truth",
        "op": "60,30",
        "mode": "outline",
        "w": "20,230",
        "f": "volume_um3 > 0.05 and not touches_border",
        "measure": "a word of another page",
    }
    view, notices = resolve(from_query(query), LABELLED)
    assert notices == ()
    assert (view.position, view.zoom, view.sel) == ((41, 198, 204), 0.5, (118, 204))
    assert (view.op, view.mode, view.window) == ((60, 30), "outline", (20, 230))
    again = to_query(view, LABELLED)
    assert again == {word: query[word] for word in again}


@pytest.mark.parametrize(
    ("word", "bad", "expected"),
    [
        ("v", "2", "1, the version"),
        ("volume", "Q", "the name of a volume here; showing R"),
        ("plane", "w", "one of z, y, x; showing z"),
        ("layout", "octo", "one of quad, z, y, x, 3d; showing quad"),
        ("z", "-3", "a voxel from 0 to 63; showing 0"),
        ("y", "9999", "a voxel from 0 to 511; showing 511"),
        ("x", "4.5", "a voxel from 0 to 1023; showing 400"),
        ("zoom", "nan", "pixels per voxel from 0.004 to 64; showing the default"),
        ("zoom", "1000", "pixels per voxel from 0.004 to 64; showing 64"),
        ("sel", "4,0,7", "instance ids from 1 to 4294967295; showing 2 of them"),
        ("labels", "best", "one of model-a, truth; showing truth"),
        ("beside", "best", "one of model-a; showing nothing outlined"),
        ("beside", "truth", "one of model-a; showing nothing outlined"),
        ("op", "60,101", "two numbers from 0 to 100; showing 60,25"),
        ("mode", "dots", "one of fill, outline; showing fill"),
        ("w", "200,100", "two rising numbers from 0 to 255; showing 20,220"),
        ("inv", "maybe", "0 or 1; showing False"),
        ("solo", "2", "0 or 1; showing False"),
        ("f", "x" * 2001, "at most 2000 characters, not 2001); showing all rows"),
        ("f", "a >", "character 4: 'the end' cannot stand here"),
    ],
)
def test_one_notice_names_the_word_and_the_bad_value(word: str, bad: str, expected: str) -> None:
    _, notices = resolve(from_query({word: bad}), LABELLED)
    (notice,) = notices
    found = bad.split(",")[1] if word == "sel" else bad[:39]
    assert notice.word == word
    assert notice.message.startswith(f"{word}={found}")
    assert expected in notice.message


def test_another_volume_or_label_set_leaves_the_selection_out() -> None:
    for query in ({"volume": "Q"}, {"labels": "gone"}):
        view, notices = resolve(from_query(query | {"sel": "4"}), LABELLED)
        assert view.sel == ()
        assert len(notices) == 1
        assert "without the selection" in notices[0].message


def test_a_selection_of_more_than_fifty_keeps_the_first_fifty() -> None:
    view, notices = resolve(ViewRequest(sel=tuple(range(1, 70))), LABELLED)
    assert view.sel == tuple(range(1, 51))
    assert "at most 50 ids, not 69" in notices[0].message


def test_a_single_layout_shows_its_own_plane() -> None:
    view, notices = resolve(from_query({"layout": "y"}), LABELLED)
    assert (view.plane, notices) == ("y", ())
    view, notices = resolve(from_query({"layout": "y", "plane": "x"}), LABELLED)
    assert view.plane == "y"
    assert "layout=y shows that plane alone" in notices[0].message


def test_a_constant_image_has_a_window_that_is_one_grey_wide() -> None:
    view, _ = resolve(ViewRequest(), volume(grey=(255, 255)))
    assert view.window == (254, 255)


def test_values_and_their_text_are_the_same_wish() -> None:
    typed = ViewRequest(z=3, zoom=0.25, sel=(4, 5), op=(1, 2), invert=True)
    text = ViewRequest(z="3", zoom="0.25", sel="4,5", op="1,2", invert="1")
    assert resolve(typed, LABELLED) == resolve(text, LABELLED)


def test_a_changed_view_has_its_change_in_the_address() -> None:
    view, _ = resolve(ViewRequest(), LABELLED)
    moved = replace(view, z=21, sel=(7,), solo=True)
    assert to_query(moved, LABELLED) == {
        "v": "1",
        "volume": "R",
        "z": "21",
        "sel": "7",
        "solo": "1",
    }
