"""Bad addresses, other methods and hostile paths."""

from __future__ import annotations

import asyncio
from pathlib import Path
from urllib.parse import quote

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from served import BALL, LABELS, TILES, Site
from starlette.routing import Route

from mitoem import server
from mitoem.catalog import Catalog
from mitoem.server import access, health, static

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
    (f"{LABELS}/meshes/{BALL}.zip", 400),
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


def test_viewer_files_are_immutable_under_their_release_alone(site: Site) -> None:
    for release, kept in ((static.release(), True), ("0" * 16, False)):
        answer = site.ask(f"/viewer/{release}/main.js")
        assert answer.status_code == 200
        assert ("immutable" in answer.headers["cache-control"]) is kept
    assert site.ask(f"/viewer/{static.release()}/__init__.py").status_code == 404


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


def test_health_says_so_when_a_data_root_cannot_be_read(address: str) -> None:
    unreadable = access.Site(Catalog((f"{address}/zarr/-refused/",)))
    app = server.application([Route("/healthz", health.health)], unreadable)

    async def asked() -> httpx.Response:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app)) as client:
            return await client.get("http://it/healthz")

    answer = asyncio.run(asked())
    assert answer.status_code == 503
    assert answer.json()["status"] == "failing"
