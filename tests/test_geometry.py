"""Boxes, and the same point on every level."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mitoem.errors import BoxInvalid, BoxOutside
from mitoem.geometry import Box, from_level, to_level, to_nm, voxel_volume_um3

numbers = st.integers(0, 5000)
edges = st.integers(1, 5000)
triples = st.tuples(numbers, numbers, numbers)
boxes = st.builds(
    lambda a, n: Box(a, (a[0] + n[0], a[1] + n[1], a[2] + n[2])),
    triples,
    st.tuples(edges, edges, edges),
)


@given(boxes)
def test_the_text_of_a_box_parses_back_to_it(box: Box) -> None:
    assert Box.parse(str(box)) == box


@given(boxes, boxes)
def test_an_intersection_lies_in_both_and_does_not_depend_on_the_order(a: Box, b: Box) -> None:
    common = a.intersect(b)
    assert common == b.intersect(a)
    if common is not None:
        assert a.intersect(common) == common == b.intersect(common)


@given(boxes, st.tuples(st.integers(0, 9), st.integers(0, 9), st.integers(0, 9)))
def test_a_grown_box_stays_inside_and_holds_the_box(box: Box, margin: tuple[int, int, int]) -> None:
    grown = box.grow(margin, within=box.stop)
    assert grown.intersect(box) == box
    assert grown.inside(box.stop) is grown


@given(triples, st.tuples(*[st.integers(1, 40)] * 3), st.tuples(*[st.integers(7, 50)] * 3))
def test_blocks_cover_a_box_once_and_end_on_the_grid(
    start: tuple[int, int, int], edge: tuple[int, int, int], size: tuple[int, int, int]
) -> None:
    box = Box((0, 0, 0), edge).shift(start)
    parts = list(box.blocks(size))
    assert sum(part.size for part in parts) == box.size
    assert all(part.intersect(box) == part for part in parts)
    for n, part in enumerate(parts):
        assert not any(part.intersect(other) for other in parts[:n])
        for a, edge_, low in zip(part.start, size, box.start, strict=True):
            assert a % edge_ == 0 or a == low


@given(triples, st.sampled_from([(1, 1, 1), (1, 2, 2), (1, 4, 4), (2, 8, 8), (4, 16, 16)]))
def test_to_level_and_back_is_the_same_point(
    index: tuple[int, int, int], factors: tuple[int, int, int]
) -> None:
    there = to_level(index, factors)
    assert from_level(there, factors) == pytest.approx(index)


def test_the_first_voxel_of_a_coarse_level_is_centred_on_the_voxels_that_it_covers() -> None:
    assert from_level((0, 0, 0), (1, 2, 4)) == (0, 0.5, 1.5)


def test_physical_places_and_volumes_use_the_voxel_size() -> None:
    assert to_nm((1, 2, 3), (30, 8, 8)) == (30, 16, 24)
    assert voxel_volume_um3((30, 8, 8)) == pytest.approx(1.92e-6)


@pytest.mark.parametrize("text", ["", "0:1,0:1", "0:1,0:1,1:1", "5:2,0:1,0:1", "-1:2,0:1,0:1", "a"])
def test_text_that_is_no_box_is_refused(text: str) -> None:
    with pytest.raises(BoxInvalid):
        Box.parse(text)


def test_a_box_outside_is_refused_with_both_values() -> None:
    with pytest.raises(BoxOutside, match=r"0:2,0:2,0:9 .*\(2, 2, 8\)"):
        Box((0, 0, 0), (2, 2, 9)).inside((2, 2, 8))
