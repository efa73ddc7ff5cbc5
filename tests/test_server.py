"""The HTTP routes, asked as a browser, a script and an attacker would."""

from __future__ import annotations

import asyncio
import gzip
import json
import shutil
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import numpy as np
import pandas as pd
import pytest
import tensorstore as ts
import trimesh
import uvicorn
import zarr
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware

import mitoem
from mitoem import server
from mitoem.errors import ChunkCorrupt, ServerBusy
from mitoem.ingestion.assemble import Facts, NewLabels, create_volume
from mitoem.ingestion.placing import from_array
from mitoem.server import ranges
from mitoem.server.caches import Cache
from mitoem.server.nodelay import without_delay

SHAPE = (12, 1100, 530)
LEVELS = range(3)
BALL, BALL_NM = 4_000_000_000, 110
"""A ball of that id and radius, centred on (z, y, x) = (180, 3200, 2000) nm."""

TILES = "/api/v1/volumes/wide/tiles"
LABELS = "/api/v1/volumes/wide/labels/truth"


@dataclass(frozen=True)
class Site:
    """The application over one data root, asked without sockets."""

    root: Path
    base: str = ""

    def ask(self, path: str, method: str = "GET", **more: Any) -> httpx.Response:
        async def asked() -> httpx.Response:
            transport = httpx.ASGITransport(application(self.root, self.base))
            async with httpx.AsyncClient(transport=transport) as client:
                return await client.request(method, f"http://it{path}", **more)

        return asyncio.run(asked())


def application(root: Path, base: str = "") -> Starlette:
    """The routes as Streamlit serves them: its gzip inside, our middleware outside."""
    compress = Middleware(GZipMiddleware, minimum_size=100)
    return Starlette(
        routes=server.routes(base, data=root),
        middleware=[*server.middleware(base), compress],
        lifespan=server.lifespan,
    )


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data root with one volume that is larger than a tile in y and x, labelled in part."""
    root = tmp_path_factory.mktemp("data")
    rng = np.random.default_rng(3)
    image = rng.integers(0, 256, SHAPE, np.uint8)
    labels = np.zeros((10, 600, 530), np.uint32)
    for number in range(1, 20):
        z, y, x = (int(rng.integers(0, n)) for n in labels.shape)
        labels[z : z + 3, y : y + 60, x : x + 40] = number * 70_000
    z, y, x = (np.arange(n) * size for n, size in zip(labels.shape, (30, 8, 8), strict=True))
    from_centre = (z[:, None, None] - 150) ** 2 + (y[:, None] - 2400) ** 2 + (x - 2000) ** 2
    labels[from_centre < 250**2] = 0
    labels[from_centre < BALL_NM**2] = BALL
    create_volume(
        root,
        "wide",
        image=from_array(image),
        labels=NewLabels("truth", (from_array(labels, offset=(1, 100, 0)),), np.dtype(np.uint32)),
        facts=Facts("Wide", (30.0, 8.0, 8.0), "chosen for the test"),
    )
    mitoem.measure("wide", "truth", data=root)
    mitoem.add_labels("wide", "run-1", labels[:2], data=root)
    return root


@pytest.fixture(scope="module")
def site(root: Path) -> Site:
    return Site(root)


@pytest.fixture
def damaged(root: Path, tmp_path: Path) -> Site:
    """A copy of the data root that a test may spoil."""
    shutil.copytree(root, tmp_path / "data")
    return Site(tmp_path / "data")


def stored(root: Path, layer: str, level: int) -> np.ndarray[Any, Any]:
    """A level as zarr-python reads it, which shares no code with the routes."""
    path = f"image.zarr/{level}" if layer == "image" else f"image.zarr/labels/{layer}/{level}"
    return np.asarray(zarr.open_array(root / "wide" / path, mode="r")[:])


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("axis", "zyx")
@pytest.mark.parametrize("layer", ["image", "truth"])
def test_tiles_put_together_are_the_stored_plane(
    site: Site, layer: str, axis: str, level: int
) -> None:
    array = stored(site.root, layer, level)
    dtype = "u1" if layer == "image" else "<u4"
    for index in (0, array.shape["zyx".index(axis)] // 2, array.shape["zyx".index(axis)] - 1):
        plane = array.take(index, "zyx".index(axis))
        found = np.zeros_like(plane)
        for row in range(-(-plane.shape[0] // 512)):
            for column in range(-(-plane.shape[1] // 512)):
                there = np.s_[512 * row : 512 * (row + 1), 512 * column : 512 * (column + 1)]
                path = f"{TILES}/{layer}/{axis}/{level}/{index}/{row}/{column}?format=raw"
                answer = site.ask(path)
                assert answer.status_code == 200, answer.text
                found[there] = np.frombuffer(answer.content, dtype).reshape(plane[there].shape)
        np.testing.assert_array_equal(found, plane)


def test_a_png_tile_is_lossless_and_a_jpeg_tile_is_close(site: Site) -> None:
    plane = stored(site.root, "image", 2)[3]
    for form, worst in (("png", 0), ("jpeg", 80)):
        answer = site.ask(f"{TILES}/image/z/2/3/0/0?format={form}")
        assert answer.headers["content-type"] == f"image/{form}"
        found = np.asarray(Image.open(BytesIO(answer.content))).astype(int)
        assert np.abs(found - plane).max() <= worst


def test_a_label_tile_is_gzipped_once(site: Site) -> None:
    answer = site.ask(f"{TILES}/truth/z/0/2/0/0", headers={"Accept-Encoding": "identity"})
    assert answer.headers["content-encoding"] == "gzip"
    assert len(answer.content) == 512 * 512 * 4
    assert answer.headers["content-type"] == "application/octet-stream"


BAD = [
    ("/api/v1/volumes/none", 404),
    ("/api/v1/volumes/.hidden", 400),
    ("/api/v1/volumes/a%20b", 400),
    ("/api/v1/volumes/" + "a" * 65, 400),
    (f"{TILES}/none/z/0/0/0/0", 404),
    (f"{TILES}/-bad/z/0/0/0/0", 400),
    (f"{TILES}/image/w/0/0/0/0", 400),
    (f"{TILES}/image/Z/0/0/0/0", 400),
    (f"{TILES}/image/z/9/0/0/0", 404),
    (f"{TILES}/image/z/-1/0/0/0", 400),
    (f"{TILES}/image/z/+1/0/0/0", 400),
    (f"{TILES}/image/z/0/12/0/0", 404),
    (f"{TILES}/image/z/0/0/3/0", 404),
    (f"{TILES}/image/z/0/0/0/2", 404),
    (f"{TILES}/image/z/0/00/0/0", 400),
    (f"{TILES}/image/z/0/1_0/0/0", 400),
    (f"{TILES}/image/z/0/%D9%A1/0/0", 400),
    (f"{TILES}/image/z/0/1%0A/0/0", 400),
    (f"{TILES}/image/z/0/ 1/0/0", 400),
    (f"{TILES}/image/z/0/1.0/0/0", 400),
    (f"{TILES}/image/z/0/1e1/0/0", 400),
    (f"{TILES}/image/z/0/9999999999/0/0", 404),
    (f"{TILES}/image/z/0/99999999999/0/0", 400),
    (f"{TILES}/image/z/0/" + "9" * 5000 + "/0/0", 400),
    (f"{TILES}/image/z/0/0/0/0?format=gif", 400),
    (f"{TILES}/image/z/0/0/0/0?format=" + "a" * 3000, 400),
    (f"{TILES}/image/z/0/0/0", 404),
    (f"{TILES}/image/z/0/0/0/0/", 404),
    ("/api/v1/volumes/wide/voxels/0/0/530", 404),
    ("/api/v1/volumes/wide/voxels/0/0/-1", 400),
    ("/api/v1/volumes/wide/voxels/0/0", 404),
    (f"{LABELS}/instances.csv?filter=(", 400),
    (f"{LABELS}/instances.csv?filter=nothing > 1", 400),
    (f"{LABELS}/instances.csv?filter=" + "(" * 1999, 400),
    (f"{LABELS}/meshes/0.glb", 404),
    (f"{LABELS}/meshes/1.glb", 404),
    (f"{LABELS}/meshes/one.glb", 400),
    (f"{LABELS}/meshes/+1.glb", 400),
    (f"{LABELS}/meshes/{BALL}.ply", 404),
    (f"{LABELS}/meshes/{BALL}.glb?level=9", 404),
    (f"{LABELS}/meshes/{BALL}.glb?level=-1", 400),
    ("/api/v1/volumes/wide/labels/none/meshes/overview.glb", 404),
    ("/api/v1/volumes/wide/labels/run-1/instances.csv", 409),
    ("/api/v1/volumes/wide/labels/run-1/meshes/70000.glb", 409),
    ("/api/v1/volumes/wide/labels/none/instances.csv", 404),
    (f"{LABELS}/instances.xlsx", 400),
    ("/api", 404),
    ("/api/", 404),
    ("/api/%0A", 404),
    ("/api/v1/volumes/", 404),
    ("/api/v2/volumes", 404),
    ("/healthz/more", 404),
    ("/viewer", 404),
    ("/viewer/", 404),
    ("/viewer/__init__.py", 404),
    ("/viewer/none.js", 404),
    ("/viewer/..%2Fmain.py", 404),
    ("/zarr", 404),
    ("/zarr/wide", 404),
    ("/zarr/wide/", 404),
    ("/zarr/none/zarr.json", 404),
    ("/zarr/wide/.zattrs", 404),
    ("/zarr/wide/volume.json", 404),
    ("/zarr/wide/0", 404),
    ("/zarr/wide/0/c/7/0/0", 404),
    ("/zarr/wide/3/zarr.json", 404),
    ("/zarr/wide/0/c/..%2F..%2F..%2Fvolume.json", 404),
    ("/zarr/wide/..%2Fvolume.json", 404),
    ("/zarr/wide/%2Fetc%2Fpasswd", 404),
    ("/zarr/wide/labels/none/zarr.json", 404),
]


@pytest.mark.parametrize(("path", "status"), BAD)
def test_a_bad_address_has_its_status_and_an_error_in_json(
    site: Site, path: str, status: int
) -> None:
    answer = site.ask(path)
    assert (answer.status_code, list(answer.json())) == (status, ["error"])
    assert "\n" not in answer.json()["error"]
    assert str(site.root) not in answer.text


@pytest.mark.parametrize("path", ["/healthz", "/api/v1/volumes", f"{TILES}/image/z/0/0/0/0"])
@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS"])
def test_other_methods_are_refused_in_json(site: Site, path: str, method: str) -> None:
    answer = site.ask(path, method)
    assert answer.status_code == 405
    assert "error" in answer.json()
    assert "GET" in answer.headers["allow"]


@pytest.mark.parametrize(
    "path", ["/healthz", f"{TILES}/image/z/0/0/0/0", "/zarr/wide/0/c/0/0/0", "/zarr/wide/zarr.json"]
)
def test_head_has_the_headers_of_get(site: Site, path: str) -> None:
    get, head = site.ask(path), site.ask(path, "HEAD")
    kept = ("etag", "cache-control", "content-type", "content-length", "accept-ranges")
    assert head.status_code == 200
    assert [head.headers.get(one) for one in kept] == [get.headers.get(one) for one in kept]


def test_a_strange_host_is_answered_all_the_same(site: Site) -> None:
    assert site.ask("/api/none", headers={"Host": "[::bad"}).status_code == 404


def test_the_metadata_names_levels_labels_and_versions(site: Site) -> None:
    told = site.ask("/api/v1/volumes/wide").json()
    assert told["shape"] == list(SHAPE)
    assert [level["shape"] for level in told["levels"]] == [
        list(stored(site.root, "image", level).shape) for level in LEVELS
    ]
    labels = told["labels"][0]
    assert labels["coverage"] == [[[1, 100, 0], [11, 700, 530]]]
    assert len(labels["per_section"]) == SHAPE[0]
    assert sum(told["grey"]["histogram"]) == np.prod(SHAPE)
    listed = site.ask("/api/v1/volumes").json()["volumes"]
    assert [one["name"] for one in listed] == site.ask("/healthz").json()["volumes"] == ["wide"]


@settings(deadline=None, max_examples=30)
@given(st.tuples(*(st.integers(0, n - 1) for n in SHAPE)))
def test_a_voxel_is_what_is_stored(site: Site, at: tuple[int, int, int]) -> None:
    z, y, x = at
    told = site.ask(f"/api/v1/volumes/wide/voxels/{z}/{y}/{x}").json()
    assert told["grey"] == stored(site.root, "image", 0)[at]
    for labels in ("truth", "run-1"):
        assert told["labels"][labels] == stored(site.root, labels, 0)[at]
    assert told["labelled"]["truth"] == (1 <= z < 11 and 100 <= y < 700)
    assert told["nm"] == [z * 30, y * 8, x * 8]


def test_a_tile_is_immutable_under_its_version_alone(site: Site) -> None:
    told = site.ask("/api/v1/volumes/wide").json()
    for layer, version in (("image", told["version"]), ("truth", told["labels"][0]["version"])):
        path = f"{TILES}/{layer}/z/0/0/0/0"
        right = site.ask(f"{path}?v={version}")
        assert right.headers["cache-control"] == "public, max-age=31536000, immutable"
        for wrong in (path, f"{path}?v=", f"{path}?v={version}0"):
            answer = site.ask(wrong)
            assert answer.headers["cache-control"] == "no-cache"
            assert answer.headers["etag"] == right.headers["etag"]


@pytest.mark.parametrize("path", [f"{TILES}/image/z/0/0/0/0", "/zarr/wide/0/c/0/0/0"])
def test_what_the_client_holds_is_not_sent_again(site: Site, path: str) -> None:
    tag = site.ask(path).headers["etag"]
    for held in (tag, f'"other", W/{tag}', "*"):
        answer = site.ask(path, headers={"If-None-Match": held})
        assert (answer.status_code, answer.content) == (304, b"")
        assert answer.headers["etag"] == tag
    assert site.ask(path, headers={"If-None-Match": '"other"'}).status_code == 200


def test_different_tiles_have_different_tags(site: Site) -> None:
    paths = ["image/z/0/0/0/0", "image/z/0/0/0/0?format=png", "image/y/0/0/0/0", "truth/z/0/0/0/0"]
    tags = {site.ask(f"{TILES}/{path}").headers["etag"] for path in paths}
    assert len(tags) == len(paths)


def image_statuses(site: Site, index: int = 0) -> list[int]:
    answers = [
        site.ask(f"{TILES}/image/z/0/{index}/{row}/{column}?format=raw")
        for row in range(3)
        for column in range(2)
    ]
    assert all(answer.status_code == 200 or "error" in answer.json() for answer in answers)
    return sorted(answer.status_code for answer in answers)


def test_a_flipped_byte_spoils_its_own_tile_alone(damaged: Site) -> None:
    shard = damaged.root / "wide/image.zarr/0/c/0/0/0"
    content = bytearray(shard.read_bytes())
    content[len(content) // 3] ^= 1
    shard.write_bytes(content)
    assert image_statuses(damaged) == [200] * 5 + [422]


def test_a_missing_shard_is_no_black_tile(damaged: Site) -> None:
    (damaged.root / "wide/image.zarr/0/c/0/1/0").unlink()
    assert image_statuses(damaged) == [200] * 4 + [422] * 2
    assert damaged.ask("/zarr/wide/0/c/0/1/0").status_code == 422
    assert damaged.ask(f"{TILES}/image/z/1/0/0/0").status_code == 200


def test_a_truncated_shard_is_an_error_that_names_no_directory(damaged: Site) -> None:
    shard = damaged.root / "wide/image.zarr/0/c/0/1/0"
    shard.write_bytes(shard.read_bytes()[:1000])
    assert image_statuses(damaged) == [200] * 4 + [422] * 2
    answer = damaged.ask("/zarr/wide/0/c/0/1/0")
    assert answer.status_code == 422
    assert str(damaged.root) not in answer.text


def test_a_missing_label_shard_is_not_background(damaged: Site) -> None:
    for shard in (damaged.root / "wide/image.zarr/labels/truth/0/c/0").glob("*/*"):
        shard.unlink()
    assert damaged.ask(f"{TILES}/truth/z/0/2/0/0").status_code == 422
    assert damaged.ask(f"{TILES}/truth/z/0/2/2/0").status_code == 200
    assert damaged.ask(f"{TILES}/image/z/0/2/0/0").status_code == 200


def test_a_volume_that_does_not_parse_is_named_and_the_list_goes_on(damaged: Site) -> None:
    shutil.copytree(damaged.root / "wide", damaged.root / "broken")
    (damaged.root / "broken/volume.json").write_text("{}")
    assert damaged.ask("/api/v1/volumes/broken").status_code == 422
    listed = damaged.ask("/api/v1/volumes").json()
    assert [one["name"] for one in listed["volumes"]] == ["wide"]
    assert [one["name"] for one in listed["damaged"]] == ["broken"]


def test_zarr_files_are_sent_as_they_are(site: Site) -> None:
    below = site.root / "wide/image.zarr"
    for path in sorted(one for one in below.rglob("*") if one.is_file()):
        answer = site.ask(
            f"/zarr/wide/{path.relative_to(below).as_posix()}", headers={"Accept-Encoding": "gzip"}
        )
        assert (answer.status_code, answer.content) == (200, path.read_bytes())
        assert "content-encoding" not in answer.headers


def test_a_file_larger_than_a_piece_arrives_whole(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mitoem.server.zarr.PIECE", 100_000)
    body = (site.root / "wide/image.zarr/0/c/0/0/0").read_bytes()
    assert site.ask("/zarr/wide/0/c/0/0/0").content == body
    part = site.ask("/zarr/wide/0/c/0/0/0", headers={"Range": "bytes=50-350000"})
    assert part.content == body[50:350_001]


@pytest.mark.parametrize(
    ("header", "status", "start", "stop"),
    [
        ("bytes=0-9", 206, 0, 10),
        ("bytes=-7", 206, -7, None),
        ("bytes=100-", 206, 100, None),
        ("bytes=5-99999999999", 206, 5, None),
        ("bytes=-99999999999", 206, 0, None),
        ("bytes=99999999999-", 416, 0, 0),
        ("bytes=-0", 416, 0, 0),
        ("bytes=9-3", 200, 0, None),
        ("bytes=0-1,4-5", 200, 0, None),
        ("bytes=-", 200, 0, None),
        ("lines=0-9", 200, 0, None),
        ("bytes=" + "9" * 5000 + "-", 200, 0, None),
    ],
)
def test_a_range_answers_those_bytes(
    site: Site, header: str, status: int, start: int, stop: int | None
) -> None:
    body = (site.root / "wide/image.zarr/0/c/0/0/0").read_bytes()
    answer = site.ask("/zarr/wide/0/c/0/0/0", headers={"Range": header})
    assert answer.status_code == status
    if status == 416:
        assert answer.headers["content-range"] == f"bytes */{len(body)}"
    else:
        assert answer.content == body[start:stop]
    if status == 206:
        first = start % len(body)
        last = first + len(answer.content) - 1
        assert answer.headers["content-range"] == f"bytes {first}-{last}/{len(body)}"


def test_a_range_of_a_file_that_changed_is_the_whole_file(site: Site) -> None:
    path, range_ = "/zarr/wide/0/c/0/0/0", {"Range": "bytes=0-9"}
    tag = site.ask(path).headers["etag"]
    assert site.ask(path, headers=range_ | {"If-Range": tag}).status_code == 206
    assert site.ask(path, headers=range_ | {"If-Range": '"old"'}).status_code == 200


@settings(deadline=None, max_examples=200)
@given(st.text(alphabet="bytes=-,0123456789 ", max_size=30), st.integers(0, 1 << 40))
def test_any_range_lies_in_the_file(header: str, size: int) -> None:
    found = ranges.requested(header, size)
    assert found is None or found == (0, 0) or 0 <= found[0] < found[1] <= size


def test_another_site_may_read_zarr_and_nothing_else(site: Site) -> None:
    origin = {"Origin": "https://neuroglancer-demo.appspot.com"}
    asks = {"Access-Control-Request-Method": "GET", "Access-Control-Request-Headers": "range"}
    preflight = site.ask("/zarr/wide/zarr.json", "OPTIONS", headers=origin | asks)
    assert preflight.status_code == 200
    assert preflight.headers["access-control-allow-origin"] == "*"
    assert preflight.headers["access-control-allow-headers"] == "range"
    assert site.ask("/zarr/wide/zarr.json", "OPTIONS").status_code == 204
    for path in ("/zarr/wide/zarr.json", "/zarr/wide/0/c/9/9/9"):
        answer = site.ask(path, headers=origin)
        assert answer.headers["access-control-allow-origin"] == "*"
        assert {"Content-Range", "ETag"} <= set(
            answer.headers["access-control-expose-headers"].split(", ")
        )
    answer = site.ask("/api/v1/volumes", headers=origin)
    assert "access-control-allow-origin" not in answer.headers


@pytest.mark.parametrize("base", ["lab/em", "/lab/em/"])
def test_a_base_path_goes_before_every_route(root: Path, base: str) -> None:
    site = Site(root, base)
    for path in ("/healthz", "/zarr/wide/zarr.json", "/viewer/plotly.min.js"):
        assert site.ask(f"/lab/em{path}").status_code == 200
        assert site.ask(path).status_code == 404
    plain = site.ask("/lab/em/zarr/wide/0/zarr.json", headers={"Accept-Encoding": "gzip"})
    assert "content-encoding" not in plain.headers


def test_viewer_files_are_sent_with_their_type_and_kept_until_they_change(site: Site) -> None:
    answer = site.ask("/viewer/plotly.min.js")
    assert answer.headers["content-type"].startswith("text/javascript")
    assert answer.headers["content-encoding"] == "gzip"
    plain = site.ask("/viewer/plotly.min.js", headers={"Accept-Encoding": "identity"})
    assert plain.content == answer.content
    again = site.ask("/viewer/plotly.min.js", headers={"If-None-Match": answer.headers["etag"]})
    assert again.status_code == 304


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


WORDS = """
api v1 volumes wide tiles image truth z 0 1 zarr c voxels labels meshes overview.glb 1.glb
instances.json viewer plotly.min.js zarr.json .. . %00 \\ healthz ~ volume.json
"""

HOSTILE = st.lists(
    st.one_of(
        st.sampled_from([*WORDS.split(), ""]),
        st.text(max_size=8),
        st.integers(-3, 1 << 70).map(str),
    ),
    max_size=10,
)


@settings(deadline=None, max_examples=200)
@given(HOSTILE, st.sampled_from(["/", "/api/v1/volumes/", "/zarr/wide/", f"{TILES}/", "/viewer/"]))
def test_no_path_breaks_the_server(site: Site, parts: list[str], start: str) -> None:
    encoded = "/".join(quote(part.encode("utf-8", "replace"), safe="") for part in parts)
    answer = site.ask(start + encoded)
    assert answer.status_code < 500
    assert "Traceback" not in answer.text


@settings(deadline=None, max_examples=60)
@given(st.dictionaries(st.sampled_from(["format", "v", "filter", "level"]), st.text(max_size=20)))
def test_no_query_breaks_the_server(site: Site, query: dict[str, str]) -> None:
    query = {key: text.encode("utf-8", "replace").decode() for key, text in query.items()}
    for path in (f"{TILES}/image/z/2/0/0/0", f"{LABELS}/instances.json"):
        assert site.ask(path, params=query).status_code < 500


@pytest.fixture(scope="module")
def address(root: Path) -> Iterator[str]:
    """The application behind a real socket, on asyncio's own loop as on Windows."""
    listening = socket.socket()
    listening.bind(("127.0.0.1", 0))
    config = uvicorn.Config(application(root), loop="asyncio", ws="none", log_level="warning")
    running = uvicorn.Server(config)
    thread = threading.Thread(target=running.run, kwargs={"sockets": [listening]})
    thread.start()
    while not running.started:
        time.sleep(0.01)
    yield f"http://127.0.0.1:{listening.getsockname()[1]}"
    running.should_exit = True
    thread.join()
    listening.close()


def test_tensorstore_reads_the_volume_over_http(root: Path, address: str) -> None:
    for layer, path in (("image", "1"), ("truth", "labels/truth/1")):
        url = f"{address}/zarr/wide/{path}/"
        array = ts.open({"driver": "zarr3", "kvstore": url}).result()
        np.testing.assert_array_equal(array.read().result(), stored(root, layer, 1))


def test_the_group_over_http_names_its_levels(address: str) -> None:
    group = httpx.get(f"{address}/zarr/wide/zarr.json").json()
    (multiscale,) = group["attributes"]["ome"]["multiscales"]
    assert [one["path"] for one in multiscale["datasets"]] == ["0", "1", "2"]


def test_small_answers_one_after_another_do_not_wait(address: str) -> None:
    """Nagle's algorithm with delayed acknowledgements costs 40 ms per answer."""
    times = []
    with httpx.Client(base_url=address) as client:
        for index in range(30):
            start = time.perf_counter()
            assert client.get(f"{TILES}/truth/z/2/{index % 6}/0/0").status_code == 200
            times.append(time.perf_counter() - start)
    assert sorted(times)[len(times) // 2] < 0.02


def test_a_listening_socket_hands_its_setting_to_connections() -> None:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        assert without_delay() >= 1
        with socket.create_connection(listening.getsockname()):
            connection, _ = listening.accept()
            with connection:
                assert connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 9), st.binary(max_size=40)), max_size=60))
def test_a_cache_never_holds_more_than_its_limit(puts: list[tuple[int, bytes]]) -> None:
    cache = Cache("MITOEM_NOT_SET", 100, most=1)
    for key, body in puts:
        cache.put(key, body)
        assert asyncio.run(cache.get(key, never)) == body
        assert cache.size <= cache.limit


async def never() -> bytes:
    raise AssertionError("made again, although it is kept")


def test_a_body_larger_than_the_cache_is_not_kept() -> None:
    cache = Cache("MITOEM_NOT_SET", 10, most=1)
    cache.put("small", b"12345")
    cache.put("large", b"x" * 11)
    assert cache.size == 5


def test_what_many_ask_for_at_once_is_made_once() -> None:
    made = []

    async def make() -> bytes:
        made.append(1)
        await asyncio.sleep(0.01)
        return b"body"

    async def ask() -> list[bytes]:
        cache = Cache("MITOEM_NOT_SET", 100, most=1)
        return await asyncio.gather(*(cache.get("key", make) for _ in range(9)))

    assert asyncio.run(ask()) == [b"body"] * 9
    assert len(made) == 1


def test_a_failed_making_is_told_to_all_and_tried_again() -> None:
    async def fail() -> bytes:
        raise ChunkCorrupt("no")

    async def make() -> bytes:
        return b"body"

    async def ask() -> None:
        cache = Cache("MITOEM_NOT_SET", 100, most=1)
        found = await asyncio.gather(
            *(cache.get("key", fail) for _ in range(3)), return_exceptions=True
        )
        assert [type(one) for one in found] == [ChunkCorrupt] * 3
        assert await cache.get("key", make) == b"body"

    asyncio.run(ask())


def test_more_at_once_than_the_server_takes_is_refused() -> None:
    async def make() -> bytes:
        await asyncio.sleep(0.01)
        return b"body"

    async def ask() -> None:
        cache = Cache("MITOEM_NOT_SET", 100, most=2)
        found = await asyncio.gather(
            *(cache.get(key, make) for key in range(3)), return_exceptions=True
        )
        assert found[:2] == [b"body", b"body"]
        assert isinstance(found[2], ServerBusy)

    asyncio.run(ask())


def test_gzip_of_the_label_tile_is_one_that_gzip_reads(address: str) -> None:
    with httpx.Client() as client, client.stream("GET", f"{address}{TILES}/truth/z/2/0/0/0") as raw:
        assert len(gzip.decompress(b"".join(raw.iter_raw()))) == 275 * 133 * 4


def test_errors_are_json_even_for_an_unknown_table_filter(site: Site) -> None:
    path = f"{LABELS}/instances.json"
    assert json.loads(site.ask(path, params={"filter": "("}).content)["error"]
