"""Meshes have the shape and the place of the bodies that they show."""

from __future__ import annotations

import io
import json
import struct
from typing import Any

import numpy as np
import pytest
import trimesh
from numpy.typing import NDArray
from shapes import VOXEL, ball, capsule, ellipsoid

from mitoem.errors import InstanceNotFound
from mitoem.geometry import from_level
from mitoem.meshes import (
    Mesh,
    level_offset,
    mesh,
    overview,
    overview_glb,
    to_glb,
    to_obj,
    to_ply,
    to_stl,
)


def solid(body: Mesh) -> trimesh.Trimesh:
    return trimesh.Trimesh(body.vertices, body.faces, process=False)


def document(glb: bytes) -> dict[str, Any]:
    length = struct.unpack_from("<I", glb, 12)[0]
    found: dict[str, Any] = json.loads(glb[20 : 20 + length])
    return found


@pytest.fixture(scope="module")
def cube() -> Mesh:
    return mesh(np.ones((4, 15, 15)), voxel_size=VOXEL, offset=(10, 100, 200))


def test_a_ball_has_the_volume_and_the_surface_of_a_ball() -> None:
    body = ball(20_000, np.random.default_rng(1))
    surface = mesh(body.mask, voxel_size=VOXEL)
    assert surface.volume_um3 * 1e9 == pytest.approx(body.volume, rel=0.01)
    assert surface.area_um2 * 1e6 == pytest.approx(body.area, rel=0.01)


@pytest.mark.parametrize("make", [ellipsoid, capsule])
def test_bodies_of_any_orientation_are_watertight_and_wound_outwards(make: Any) -> None:
    for seed in range(4):
        body = make(6_000, np.random.default_rng(seed))
        surface = mesh(body.mask, voxel_size=VOXEL)
        shell = solid(surface)
        assert surface.closed
        assert shell.is_watertight
        assert shell.is_winding_consistent
        assert shell.volume * 1e9 == pytest.approx(body.volume, rel=0.03)
        assert shell.area * 1e6 == pytest.approx(body.area, rel=0.03)


def test_a_thin_tube_stays_whole() -> None:
    mask = np.zeros((5, 60, 9), np.bool_)
    mask[2, :, 4:6] = True
    assert solid(mesh(mask, voxel_size=VOXEL)).body_count == 1


def test_vertices_lie_around_the_voxels_in_micrometres(cube: Mesh) -> None:
    middle = (cube.vertices.min(axis=0) + cube.vertices.max(axis=0)) / 2
    expected = [(200 + 7) * 0.008, (100 + 7) * 0.008, (10 + 1.5) * 0.03]
    assert middle == pytest.approx(expected, abs=1e-4)
    assert np.ptp(cube.vertices, axis=0) == pytest.approx([0.12, 0.12, 0.12], abs=0.01)


def test_a_cut_body_is_closed_at_the_end_of_the_array() -> None:
    surface = mesh(np.ones((6, 30, 30)), voxel_size=VOXEL)
    assert solid(surface).is_watertight
    assert surface.vertices[:, 2].min() == pytest.approx(-0.015, abs=0.012)


def test_a_point_is_in_the_same_place_on_a_coarse_level() -> None:
    factors = (1, 4, 4)
    fine = np.zeros((12, 80, 80), np.bool_)
    fine[3:9, 20:60, 24:64] = True
    at_fine = mesh(fine, voxel_size=VOXEL).vertices
    at_coarse = mesh(
        fine[:, ::4, ::4], voxel_size=(30, 32, 32), offset=level_offset((0, 0, 0), factors)
    ).vertices
    centres = [(v.min(axis=0) + v.max(axis=0)) / 2 for v in (at_fine, at_coarse)]
    assert centres[0] == pytest.approx(centres[1], abs=1e-3)
    assert [o * f for o, f in zip(level_offset((5, 6, 7), factors), factors, strict=True)] == list(
        from_level((5, 6, 7), factors)
    )


def test_without_smoothing_every_voxel_is_seen() -> None:
    mask = np.zeros((3, 3, 3), np.bool_)
    mask[1, 1, 1] = True
    surface = mesh(mask, voxel_size=(10, 10, 10), smooth_nm=0)
    assert surface.vertices.min() == pytest.approx(0.005)


def test_an_empty_mask_is_named() -> None:
    with pytest.raises(InstanceNotFound, match=r"2, 3, 4"):
        mesh(np.zeros((2, 3, 4)), voxel_size=VOXEL)


def test_glb_loads_with_its_bounds_and_extras(cube: Mesh) -> None:
    data = to_glb(cube, extras={"id": 118, "level": 2, "voxel_size_nm": [30, 8, 8]})
    scene = trimesh.load(io.BytesIO(data), file_type="glb")
    assert np.allclose(scene.bounds, [cube.vertices.min(axis=0), cube.vertices.max(axis=0)])
    assert struct.unpack_from("<4sII", data) == (b"glTF", 2, len(data))
    found = document(data)
    assert found["meshes"][0]["extras"] == {"id": 118, "level": 2, "voxel_size_nm": [30, 8, 8]}
    assert found["nodes"][0]["extras"]["id"] == 118


def test_an_overview_holds_every_instance_under_its_id() -> None:
    labels = np.zeros((8, 40, 40), np.uint32)
    labels[2:5, 4:14, 4:14] = 2**32 - 1
    labels[3:7, 20:36, 20:36] = 5
    meshes = overview(labels, voxel_size=(60, 64, 64))
    data = overview_glb(meshes, extras={"level": 3})
    scene = trimesh.load(io.BytesIO(data), file_type="glb")
    assert list(meshes) == [5, 2**32 - 1]
    assert set(scene.geometry) == {"#5", f"#{2**32 - 1}"}
    for name, shell in meshes.items():
        assert np.allclose(
            scene.geometry[f"#{name}"].bounds,
            [shell.vertices.min(axis=0), shell.vertices.max(axis=0)],
        )
    assert [n["extras"]["id"] for n in document(data)["nodes"]] == [5, 2**32 - 1]
    assert list(overview(labels, voxel_size=(60, 64, 64), ids=[5])) == [5]


def test_an_overview_of_nothing_is_a_valid_file() -> None:
    data = overview_glb(overview(np.zeros((2, 2, 2), np.uint32), voxel_size=VOXEL), extras={})
    assert document(data)["asset"]["version"] == "2.0"
    assert len(data) == struct.unpack_from("<I", data, 8)[0]


def test_a_large_mesh_has_wide_indices() -> None:
    corners = np.random.default_rng(0).random((70_000, 3)).astype(np.float32)
    large = Mesh(corners, np.array([[0, 1, 69_999]], np.uint32), closed=False)
    scene = trimesh.load(io.BytesIO(to_glb(large, extras={})), file_type="glb", process=False)
    (shell,) = scene.geometry.values()
    assert shell.triangles[0] == pytest.approx(corners[[0, 1, 69_999]])


@pytest.mark.parametrize(("write", "kind"), [(to_ply, "ply"), (to_stl, "stl"), (to_obj, "obj")])
def test_other_formats_hold_the_same_body(cube: Mesh, write: Any, kind: str) -> None:
    shell = trimesh.load(io.BytesIO(write(cube)), file_type=kind)
    assert shell.is_watertight
    assert shell.volume == pytest.approx(cube.volume_um3, rel=1e-3)
    bounds: NDArray[np.float64] = shell.bounds
    assert np.allclose(bounds, [cube.vertices.min(axis=0), cube.vertices.max(axis=0)], atol=1e-5)
