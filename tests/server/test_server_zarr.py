"""The files of a volume, read as a Zarr client reads them."""

from __future__ import annotations

from pathlib import Path

import httpx
import numpy as np
import pytest
import tensorstore as ts
from hypothesis import given, settings
from hypothesis import strategies as st
from served import Site, stored

from mitoem.server import ranges


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


def test_tensorstore_reads_the_volume_over_http(root: Path, address: str) -> None:
    for layer, path in (("image", "1"), ("truth", "labels/truth/1")):
        url = f"{address}/zarr/wide/{path}/"
        array = ts.open({"driver": "zarr3", "kvstore": url}).result()
        np.testing.assert_array_equal(array.read().result(), stored(root, layer, 1))


def test_the_group_over_http_names_its_levels(address: str) -> None:
    group = httpx.get(f"{address}/zarr/wide/zarr.json").json()
    (multiscale,) = group["attributes"]["ome"]["multiscales"]
    assert [one["path"] for one in multiscale["datasets"]] == ["0", "1", "2"]
