"""Tables and meshes of instances."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import trimesh
from PIL import Image
from served import BALL, BALL_NM, LABELS, TILES, Site, stored

import mitoem
from mitoem import front
from mitoem.front.thumbnails import EDGE, GAP


def test_a_table_is_the_same_in_csv_parquet_and_json(site: Site) -> None:
    frame = mitoem.stored_table(mitoem.open_volume("wide", data=site.root), "truth")
    found = {form: site.ask(f"{LABELS}/instances.{form}") for form in ("csv", "parquet", "json")}
    assert "attachment" in found["csv"].headers["content-disposition"]
    csv = pd.read_csv(BytesIO(found["csv"].content))
    assert list(csv.columns) == list(frame.columns)
    np.testing.assert_array_equal(csv["volume_um3"], frame["volume_um3"])
    pd.testing.assert_frame_equal(pd.read_parquet(BytesIO(found["parquet"].content)), frame)
    rows = found["json"].json()
    assert [row["instance_id"] for row in rows] == list(frame["instance_id"])
    blank = {name for name in frame if frame[name].isna().all()}
    assert blank == {name for name in rows[0] if all(row[name] is None for row in rows)}


def test_a_filter_keeps_the_rows_that_it_names(site: Site) -> None:
    path, words = f"{LABELS}/instances.json", {"filter": f"instance_id == {BALL}"}
    (row,) = site.ask(path, params=words).json()
    assert row["instance_id"] == BALL
    assert row["centroid_z_um"] == pytest.approx(0.18)
    assert site.ask(path, params={"filter": "voxel_count < 0"}).json() == []


@pytest.mark.parametrize(("level", "within"), [("", 0.03), ("0", 0.03), ("1", 0.1), ("2", 0.35)])
def test_the_mesh_of_a_ball_is_that_ball_in_micrometres(
    site: Site, level: str, within: float
) -> None:
    answer = site.ask(f"{LABELS}/meshes/{BALL}.glb", params={"level": level})
    assert answer.headers["content-type"] == "model/gltf-binary"
    scene = trimesh.load_scene(BytesIO(answer.content), file_type="glb")
    (ball,) = scene.geometry.values()
    assert ball.metadata["id"] == BALL
    assert ball.metadata["level"] == int(level or 0)
    assert ball.is_watertight
    assert ball.volume == pytest.approx(4 / 3 * np.pi * (BALL_NM / 1000) ** 3, rel=within)
    np.testing.assert_allclose(ball.center_mass, [2.0, 3.2, 0.18], atol=0.015)


def test_the_overview_holds_every_instance_that_its_level_shows(site: Site) -> None:
    answer = site.ask(f"{LABELS}/meshes/overview.glb")
    scene = trimesh.load_scene(BytesIO(answer.content), file_type="glb")
    shown = {body.metadata["id"] for body in scene.geometry.values()}
    assert shown == set(np.unique(stored(site.root, "truth", 1)).tolist()) - {0}


def test_an_overview_of_too_large_a_level_takes_every_nth_voxel(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mitoem.server.meshes.OVERVIEW_VOXELS", 100_000)
    answer = site.ask(f"{LABELS}/meshes/overview.glb")
    scene = trimesh.load_scene(BytesIO(answer.content), file_type="glb")
    (ball,) = (body for body in scene.geometry.values() if body.metadata["id"] == BALL)
    np.testing.assert_allclose(ball.center_mass, [2.0, 3.2, 0.18], atol=0.04)


def test_an_instance_too_large_for_a_level_is_refused_with_a_level_that_fits(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mitoem.server.meshes.MOST_VOXELS", 100)
    monkeypatch.setattr("mitoem.server.meshes.FIT_VOXELS", 1000)
    answer = site.ask(f"{LABELS}/meshes/{BALL}.glb?level=0")
    assert answer.status_code == 400
    level = answer.json()["error"].rpartition(" ")[2]
    monkeypatch.undo()
    assert site.ask(f"{LABELS}/meshes/{BALL}.glb?level={level}").status_code == 200


def test_a_mesh_of_a_damaged_chunk_is_422_and_the_others_stay(damaged: Site) -> None:
    (damaged.root / "wide/image.zarr/labels/truth/0/c/0/0/0").unlink()
    assert damaged.ask(f"{LABELS}/meshes/{BALL}.glb?level=0").status_code == 422
    assert damaged.ask(f"{LABELS}/meshes/{BALL}.glb?level=1").status_code == 200


@pytest.mark.parametrize("file", ["truth.parquet", "truth.json"])
@pytest.mark.parametrize("content", [b"", b"PAR1 and then nothing", b"\x00" * 2000])
def test_a_spoilt_table_is_an_error_of_its_own(damaged: Site, file: str, content: bytes) -> None:
    (damaged.root / "wide/tables" / file).write_bytes(content)
    for path in (f"{LABELS}/instances.csv", f"{LABELS}/meshes/{BALL}.glb"):
        assert damaged.ask(path).status_code in (409, 422)
    assert damaged.ask(f"{TILES}/truth/z/0/2/0/0").status_code == 200


def test_a_thumbnail_shows_the_body_in_the_middle_of_three_planes(site: Site) -> None:
    answer = site.ask(f"{LABELS}/thumbnails/{BALL}.jpg")
    assert answer.headers["content-type"] == "image/jpeg"
    picture = np.asarray(Image.open(BytesIO(answer.content))).astype(int)
    assert picture.shape == (EDGE, 3 * EDGE + 2 * GAP, 3)
    colour = np.ptp(picture, axis=2) > 30
    field = front.field_nm(mitoem.front.instance_box(
        mitoem.open_volume("wide", data=site.root), "truth", BALL, data=site.root
    ), (30.0, 8.0, 8.0))  # fmt: skip
    for plane in range(3):
        left = plane * (EDGE + GAP)
        seen = colour[:, left : left + EDGE]
        rows, columns = np.nonzero(seen)
        assert (rows.mean(), columns.mean()) == pytest.approx((EDGE / 2, EDGE / 2), abs=8)
        width = seen.sum() * (field / EDGE) ** 2
        assert width == pytest.approx(np.pi * BALL_NM**2, rel=0.25)
    again = site.ask(
        f"{LABELS}/thumbnails/{BALL}.jpg", headers={"If-None-Match": answer.headers["etag"]}
    )
    assert again.status_code == 304


def bodies() -> np.ndarray:
    """3: two balls on a thin neck, in which the middle lies; 4: a half ring, beside it."""
    z, y, x = (i * v for i, v in zip(np.ogrid[:48, :240, :240], (30.0, 8.0, 8.0), strict=True))
    labels = np.zeros((48, 240, 240), np.uint16)
    for end, radius in ((350.0, 240.0), (950.0, 200.0)):
        labels[(z - end) ** 2 + (y - end) ** 2 + (x - end) ** 2 < radius**2] = 3
    along = (z + y + x) / 3
    neck = (z - along) ** 2 + (y - along) ** 2 + (x - along) ** 2 < 30**2
    labels[neck & (along > 350) & (along < 950)] = 3
    ring = (np.hypot(y - 1400, x - 700) - 350) ** 2 + (z - 1000) ** 2 < 120**2
    labels[ring & (x < 800)] = 4
    return labels


@pytest.mark.parametrize("instance_id", [3, 4])
def test_each_plane_of_a_thumbnail_cuts_the_body_where_it_is_widest(
    instance_id: int, tmp_path: Path
) -> None:
    labels = bodies()
    np.savez(tmp_path / "image.npz", image=np.full(labels.shape, 128, np.uint8))
    np.savez(tmp_path / "labels.npz", labels=labels)
    volume = mitoem.ingest(
        "two", tmp_path / "image.npz", labels=[tmp_path / "labels.npz"],
        voxel_size=(30.0, 8.0, 8.0), data=tmp_path / "root",
    )  # fmt: skip
    mask = labels == instance_id
    box = front.instance_box(volume, "truth", instance_id, data=tmp_path / "root")
    middle = tuple((a + b) // 2 for a, b in zip(box.start, box.stop, strict=True))
    thin = []
    picture = front.thumbnail(volume, "truth", instance_id, box=box).astype(int)
    pixel = (front.field_nm(box, (30.0, 8.0, 8.0)) / EDGE) ** 2
    for axis, face in enumerate((64.0, 240.0, 240.0)):
        left = axis * (EDGE + GAP)
        seen = (np.ptp(picture[:, left : left + EDGE], axis=2) > 30).sum() * pixel
        areas = mask.sum(tuple({0, 1, 2} - {axis})) * face
        assert seen == pytest.approx(areas.max(), rel=0.1)
        thin.append(areas[middle[axis]] / areas.max())
    assert min(thin) < 0.5, "planes through the middle would show less"


@pytest.mark.parametrize(("instance", "status"), [("77777", 404), ("x", 400), ("-1", 400)])
def test_a_thumbnail_of_nothing_is_refused_in_json(site: Site, instance: str, status: int) -> None:
    answer = site.ask(f"{LABELS}/thumbnails/{instance}.jpg")
    assert answer.status_code == status
    assert "error" in answer.json()


AGAINST = f"{LABELS}/against/truth/6/400/250.jpg"


def test_a_picture_of_an_error_has_nine_planes_and_is_kept(site: Site) -> None:
    words = {"truth": BALL, "predictions": BALL, "partner": BALL, "field": 600}
    answer = site.ask(AGAINST, params=words)
    assert answer.status_code == 200 and answer.headers["content-type"] == "image/jpeg"
    picture = np.asarray(Image.open(BytesIO(answer.content)))
    assert picture.shape[0] == picture.shape[1] > 400
    etag = answer.headers["etag"]
    assert site.ask(AGAINST, params=words, headers={"If-None-Match": etag}).status_code == 304
    assert site.ask(AGAINST, params=words | {"partner": 7}).headers["etag"] != etag


@pytest.mark.parametrize(
    ("path", "words", "status"),
    [
        (AGAINST, {"truth": "x"}, 400),
        (AGAINST, {"predictions": "1,,2"}, 400),
        (AGAINST, {"predictions": ",".join(["1"] * 301)}, 400),
        (AGAINST, {"field": "5"}, 400),
        (AGAINST, {"field": "9999999999"}, 400),
        (f"{LABELS}/against/truth/99/400/250.jpg", {}, 400),
        (f"{LABELS}/against/nope/6/400/250.jpg", {}, 404),
        (f"{LABELS}/against/image/6/400/250.jpg", {}, 400),
        (f"{LABELS}/against/truth/6/400/-1.jpg", {}, 400),
    ],
)
def test_a_picture_of_no_error_is_refused_in_json(
    site: Site, path: str, words: dict[str, str], status: int
) -> None:
    answer = site.ask(path, params=words)
    assert answer.status_code == status, answer.text
    assert "error" in answer.json()
