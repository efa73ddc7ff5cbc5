"""Tiles, voxels and metadata are what is stored, and damage stays where it is."""

from __future__ import annotations

import asyncio
import gzip
import shutil
from collections.abc import MutableMapping
from io import BytesIO
from typing import Any

import httpx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from served import LEVELS, SHAPE, TILES, Site, application, stored


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


def test_gzip_of_the_label_tile_is_one_that_gzip_reads(address: str) -> None:
    with httpx.Client() as client, client.stream("GET", f"{address}{TILES}/truth/z/2/0/0/0") as raw:
        assert len(gzip.decompress(b"".join(raw.iter_raw()))) == 275 * 133 * 4


def test_a_tile_that_nobody_waits_for_is_not_read(damaged: Site) -> None:
    """It would be 422: its shard is gone."""
    (damaged.root / "wide/image.zarr/0/c/0/0/0").unlink()
    path = f"{TILES}/image/z/0/0/0/0"
    scope = {"type": "http", "method": "GET", "path": path, "query_string": b"", "headers": []}
    sent: list[MutableMapping[str, Any]] = []

    async def gone() -> dict[str, str]:
        return {"type": "http.disconnect"}

    async def send(message: MutableMapping[str, Any]) -> None:
        sent.append(message)

    asyncio.run(application(damaged.root)(scope, gone, send))
    assert sent[0]["status"] == 499
