"""Skeletons have the length, the branches and the loops of the bodies that they stand for."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray
from shapes import VOXEL, ball, capsule

from mitoem.morphometry import COLUMNS, SWELLING, THIN_NM, measure, skeleton

Point = tuple[float, float, float]


@pytest.fixture(scope="module")
def space() -> NDArray[np.float64]:
    axes = [np.arange(-n, n) * v for n, v in zip((20, 64, 64), VOXEL, strict=True)]
    return np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1)


def rod(space: NDArray[np.float64], a: Point, b: Point, radius: float) -> NDArray[np.bool_]:
    way = np.subtract(b, a)
    along = np.clip((space - a) @ way / (way @ way), 0, 1)
    inside: NDArray[np.bool_] = ((space - a - along[..., None] * way) ** 2).sum(-1) <= radius**2
    return inside


@pytest.mark.parametrize("voxels", [5_000, 20_000])
def test_capsules_have_their_length_and_their_radius(voxels: int) -> None:
    rng = np.random.default_rng(voxels)
    for _ in range(10):
        body = capsule(voxels, rng)
        found = skeleton(body.mask, voxel_size=VOXEL)
        assert found.length == pytest.approx(body.length, rel=0.05)
        assert found.radius_mean == pytest.approx(body.area / (2 * np.pi * body.length), rel=0.1)
        assert (found.branch_points, found.end_points, found.loops) == (0, 2, 0)
        assert not found.possible_moas


def test_a_ring_is_one_loop_without_ends(space: NDArray[np.float64]) -> None:
    across = np.linalg.norm(space[..., 1:], axis=-1) - 300
    found = skeleton(across**2 + space[..., 0] ** 2 < 90**2, voxel_size=VOXEL)
    assert (found.branch_points, found.end_points, found.loops) == (0, 0, 1)
    assert found.length == pytest.approx(2 * np.pi * 300, rel=0.05)


def test_a_fork_has_one_branch_point_and_three_ends(space: NDArray[np.float64]) -> None:
    tips: list[Point] = [(0, -400, 0), (200, 300, 200), (-200, 300, -200)]
    mask = np.logical_or.reduce([rod(space, (0, 0, 0), tip, 70) for tip in tips])
    found = skeleton(mask, voxel_size=VOXEL)
    assert (found.branch_points, found.end_points, found.loops) == (1, 3, 0)
    assert found.length == pytest.approx(400 + 2 * 412 + 3 * 70, rel=0.05)


def test_beads_on_a_thin_string_are_possible_moas_and_a_thick_waist_is_not(
    space: NDArray[np.float64],
) -> None:
    beads = rod(space, (0, -300, 0), (0, -260, 0), 150) | rod(space, (0, 300, 0), (0, 260, 0), 150)
    string = beads | rod(space, (0, -300, 0), (0, 300, 0), 40)
    waist = beads | rod(space, (0, -300, 0), (0, 300, 0), 110)
    assert skeleton(string, voxel_size=VOXEL).possible_moas
    assert not skeleton(waist, voxel_size=VOXEL).possible_moas


def test_a_thin_tube_that_ends_freely_joins_no_two_swellings(space: NDArray[np.float64]) -> None:
    bead = rod(space, (0, -300, 0), (0, -260, 0), 150)
    found = skeleton(bead | rod(space, (0, -300, 0), (0, 400, 0), 40), voxel_size=VOXEL)
    assert found.radius_min <= THIN_NM
    assert found.end_points == 2
    assert not found.possible_moas


def test_the_column_states_the_rule_with_its_numbers() -> None:
    said = next(one.definition for one in COLUMNS if one.name == "possible_moas")
    assert f"up to {THIN_NM:g} nm" in said
    assert f"at least {SWELLING:g} times" in said
    assert "ends freely" in said


def test_a_ball_is_as_long_as_it_is_wide() -> None:
    body = ball(10_000, np.random.default_rng(0))
    found = skeleton(body.mask, voxel_size=VOXEL)
    assert found.length == pytest.approx(np.cbrt(6 * body.volume / np.pi), rel=0.08)
    assert found.branch_points == found.loops == 0


@pytest.mark.parametrize("sections", [1, 2, 4])
def test_a_body_of_few_sections_has_the_line_of_its_outline(sections: int) -> None:
    y, x = np.mgrid[-82:83, -82:83] * 8.0
    away = np.hypot(y, x)
    opened = (np.abs(away - 400) < 90) & ~((x > 0) & (np.abs(y) < 150))
    arms = (np.abs(y) < 60) | ((np.abs(x) < 60) & (y > 0))
    bodies = {
        "disc": (away < 304, 608, (0, 0)),
        "ellipse": ((y / 128) ** 2 + (x / 288) ** 2 < 1, 576, (0, 0)),
        "ring": (np.abs(away - 400) < 90, 2 * np.pi * 400, (0, 1)),
        "open ring": (opened, 400 * (2 * np.pi - 2 * np.arcsin(150 / 400)), (0, 0)),
        "fork": (arms & (away < 600), 1800, (1, 0)),
    }
    for name, (outline, length, knots) in bodies.items():
        found = skeleton(np.repeat(outline[None], sections, axis=0), voxel_size=VOXEL)
        assert found.length == pytest.approx(length, rel=0.05), name
        assert (found.branch_points, found.loops) == knots, name
        assert found.radius_mean <= 15 * sections + 20, name


@pytest.mark.parametrize("shape", [(1, 1, 1), (1, 60, 1), (2, 2, 60), (1, 40, 40)])
def test_bodies_of_a_voxel_thickness_have_a_skeleton(shape: tuple[int, int, int]) -> None:
    found = skeleton(np.ones(shape, np.bool_), voxel_size=VOXEL)
    assert found.length > 0
    assert found.radius_min > 0


def test_the_table_has_skeletons_when_asked_and_they_do_not_depend_on_blocks() -> None:
    rng = np.random.default_rng(4)
    labels = np.zeros((40, 130, 130), np.uint16)
    for number, corner in enumerate(((0, 0, 0), (2, 60, 60)), start=4):
        body = capsule(3_000, rng, ratio=4).mask
        z, y, x = (slice(c, c + n) for c, n in zip(corner, body.shape, strict=True))
        labels[z, y, x][body[: labels[z, y, x].shape[0]]] = number
    whole = measure(labels, voxel_size=VOXEL, skeletons=True)
    parts = measure(labels, voxel_size=VOXEL, skeletons=True, block=(16, 50, 64), workers=2)
    pd.testing.assert_frame_equal(whole, parts, check_exact=True)
    assert whole["end_points"].tolist() == [2, 2]
    assert whole["possible_moas"].tolist() == [False, False]
