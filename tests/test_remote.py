"""Data roots by URL: a real nginx serves them, and hosts that are shut, silent or refusing."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import httpx
import numpy as np
import pytest
from starlette.applications import Starlette

import mitoem
from mitoem import Box, catalog, checking, errors, server, stores
from mitoem.ingestion import shelf
from mitoem.manifest import sealed

NGINX = shutil.which("nginx") or "/usr/sbin/nginx"

CONFIGURATION = """
daemon off;
master_process off;
pid {run}/nginx.pid;
error_log stderr error;
events {{}}
http {{
    access_log {run}/access.log;
    client_body_temp_path {run}/body;
    proxy_temp_path {run}/proxy;
    fastcgi_temp_path {run}/fastcgi;
    uwsgi_temp_path {run}/uwsgi;
    scgi_temp_path {run}/scgi;
    server {{
        listen 127.0.0.1:{port};
        location / {{ root {root}; }}
        location /private/ {{ return 403; }}
        location /broken/ {{ return 500; }}
    }}
}}
"""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def nginx(root: Path, run: Path, port: int) -> Iterator[str]:
    """An nginx that serves a directory, for the time of a block; the URL that it serves it at."""
    if not Path(NGINX).is_file():
        pytest.skip("nginx is not installed: apt-get install nginx")
    run.mkdir(exist_ok=True)
    (run / "nginx.conf").write_text(CONFIGURATION.format(run=run, root=root, port=port))
    started = subprocess.Popen([NGINX, "-p", run, "-c", run / "nginx.conf"])
    try:
        for _ in range(100):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            assert started.poll() is None, "nginx ended"
            time.sleep(0.05)
        yield f"http://127.0.0.1:{port}"
    finally:
        started.terminate()
        started.wait(10)


@pytest.fixture(scope="module")
def served(small_root: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The small root behind nginx, with a prediction of a part of phantom-r."""
    root = tmp_path_factory.mktemp("served") / "em"
    shutil.copytree(small_root, root)
    part = np.zeros((8, 100, 200), np.uint32)
    part[2:6, 10:80, 20:150] = 7
    mitoem.add_labels("phantom-r", "run-1", part, offset=(3, 20, 300), data=root)
    with nginx(root.parent, root.parent / "nginx", free_port()) as url:
        yield f"{url}/em"


@pytest.fixture
def own(small_root: Path, tmp_path: Path) -> Iterator[tuple[Path, str]]:
    """A copy of phantom-r that a test may spoil, in a root of its own, behind nginx."""
    root = tmp_path / "served" / "em"
    shutil.copytree(small_root / "phantom-r", root / "phantom-r")
    catalog.write_index(root)
    with nginx(root.parent, tmp_path / "nginx", free_port()) as url:
        yield root, f"{url}/em"


@pytest.fixture(autouse=True)
def fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    """What one test learnt of a port is nothing to the next."""
    monkeypatch.setattr(stores, "_silent", {})
    monkeypatch.setattr(stores, "_held", {})


def test_a_remote_volume_reads_as_the_local_one(served: str, small_root: Path) -> None:
    assert mitoem.volumes(data=served) == ["phantom-h", "phantom-r"]
    near = mitoem.open_volume("phantom-r", data=small_root)
    far = mitoem.open_volume("phantom-r", data=served)
    for level in range(len(near.info.levels)):
        for layer in ("image", "truth"):
            expected = near.read(level=level, layer=layer)
            assert (far.read(level=level, layer=layer) == expected).all()
            box = Box((3, 50, 60), (9, 131, 200))
            assert (far.read(box, level=level, layer=layer) == expected[box.slices]).all()


def test_remote_labels_are_zero_outside_their_coverage(served: str) -> None:
    far = mitoem.open_volume("phantom-r", data=served)
    assert far.coverage("run-1", 0) == (Box((3, 20, 300), (11, 120, 500)),)
    found = far.read(layer="run-1")
    assert (found[5:9, 30:100, 320:450] == 7).all()
    assert np.count_nonzero(found) == 4 * 70 * 130


def test_the_table_beside_a_remote_volume_is_read_from_there(
    served: str, small_root: Path, tmp_path: Path
) -> None:
    expected = mitoem.table("phantom-r", data=small_root)
    assert mitoem.table("phantom-r", data=served).equals(expected)
    data = f"{tmp_path}:{served}"
    assert mitoem.table("phantom-r", data=data).equals(expected)
    assert list(tmp_path.iterdir()) == []


def test_remote_labels_without_a_table_are_measured_into_the_first_root(
    served: str, tmp_path: Path
) -> None:
    data = f"{tmp_path}:{served}"
    volume = mitoem.open_volume("phantom-r", data=data)
    with pytest.raises(errors.TableMissing):
        mitoem.stored_table(volume, "run-1", data=data)
    frame = mitoem.table(volume, "run-1", data=data)
    assert list(frame["instance_id"]) == [7]
    assert (tmp_path / ".derived/phantom-r/tables/run-1.parquet").is_file()
    assert mitoem.stored_table(volume, "run-1", data=data).equals(frame)


def test_an_outdated_or_damaged_remote_table_is_not_used(own: tuple[Path, str]) -> None:
    root, url = own
    table = root / "phantom-r/tables/truth.parquet"
    table.write_bytes(table.read_bytes()[:-9])
    volume = mitoem.open_volume("phantom-r", data=url)
    with pytest.raises(errors.VolumeInvalid, match="SHA-256"):
        mitoem.stored_table(volume, data=url)
    note = json.loads(table.with_suffix(".json").read_text())
    table.with_suffix(".json").write_text(json.dumps(sealed(note | {"measured_from": "other"})))
    stores._held.clear()
    with pytest.raises(errors.TableMissing, match="other"):
        mitoem.stored_table(volume, data=url)


def ask(data: str, *paths: str) -> list[httpx.Response]:
    """Answers of the routes over these data roots."""

    async def asked() -> list[httpx.Response]:
        app = Starlette(routes=server.routes(data=data))
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app)) as client:
            return [await client.get(f"http://it{path}") for path in paths]

    return asyncio.run(asked())


def test_the_routes_answer_for_a_remote_volume_as_for_a_local_one(
    served: str, small_root: Path, tmp_path: Path
) -> None:
    instance = int(mitoem.table("phantom-r", data=small_root)["instance_id"].iloc[0])
    base = "/api/v1/volumes/phantom-r"
    paths = (
        f"{base}/tiles/image/z/0/5/0/0?format=raw",
        f"{base}/tiles/truth/y/1/20/0/0",
        f"{base}/voxels/3/40/50",
        f"{base}/labels/truth/instances.csv",
        f"{base}/labels/truth/meshes/{instance}.glb",
        f"{base}/labels/truth/meshes/overview.glb",
        "/zarr/phantom-r/zarr.json",
        "/zarr/phantom-r/labels/truth/1/c/0/0/0",
    )
    near, far = ask(str(small_root), *paths), ask(f"{tmp_path}:{served}", *paths)
    for path, one, other in zip(paths, near, far, strict=True):
        assert other.status_code == 200, (path, other.text)
        if "/voxels/" not in path:
            assert one.content == other.content, path
    assert near[2].json()["grey"] == far[2].json()["grey"]


def test_inference_runs_on_a_remote_volume(served: str, small_root: Path) -> None:
    box = Box((0, 0, 0), (8, 64, 64))
    far = mitoem.predict("phantom-r", box, data=served)
    near = mitoem.predict("phantom-r", box, data=small_root)
    assert (far.mask == near.mask).all()


def test_a_remote_volume_cannot_be_changed_or_checked(served: str) -> None:
    volume = mitoem.open_volume("phantom-r", data=served)
    with pytest.raises(errors.VolumeInvalid, match="expected a local volume"):
        mitoem.add_labels(volume, "mine", np.ones((2, 2, 2), np.uint32), data=served)
    with pytest.raises(errors.VolumeInvalid, match="only local volumes"):
        checking.check(volume, data=served)


@pytest.mark.parametrize("damage", ["flipped", "short", "missing"])
def test_a_damaged_remote_shard_is_an_error_and_never_background(
    damage: str, own: tuple[Path, str]
) -> None:
    root, url = own
    shard = root / "phantom-r/image.zarr/0/c/0/0/0"
    data = bytearray(shard.read_bytes())
    data[100] ^= 0xFF
    if damage == "missing":
        shard.unlink()
    else:
        shard.write_bytes(data if damage == "flipped" else data[: len(data) // 2])
    with pytest.raises(errors.ChunkCorrupt, match=r"phantom-r.*image level 0"):
        mitoem.open_volume("phantom-r", data=url).read(Box((0, 0, 0), (32, 128, 128)))


def test_a_shut_port_hides_no_volume_of_another_root(small_root: Path) -> None:
    shut = f"http://127.0.0.1:{free_port()}/em"
    known = catalog.from_environment(f"{small_root}:{shut}")
    begin = time.monotonic()
    assert known.names() == ["phantom-h", "phantom-r"]
    (fault,) = known.faults()
    assert str(fault) == f"cannot reach {shut}/index.json: Could not connect to server"
    assert known.open("phantom-r").info.shape
    with pytest.raises(errors.StoreUnreachable, match=f"{shut}/nope/volume.json"):
        known.open("nope")
    assert time.monotonic() - begin < 10
    health, listed, one = ask(
        f"{small_root}:{shut}", "/healthz", "/api/v1/volumes", "/api/v1/volumes/nope"
    )
    assert health.json()["status"] == "ok"
    assert len(health.json()["volumes"]) == len(listed.json()["volumes"]) == 2
    assert listed.json()["faults"] == ["cannot reach index.json: Could not connect to server"]
    assert one.status_code == 503 and "Retry-After" in one.headers


def test_a_root_that_never_answers_is_given_up_in_time(small_root: Path) -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen(50)
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/em"
        begin = time.monotonic()
        done = subprocess.run(
            [sys.executable, "-m", "mitoem", "list", "--json", "--data", f"{small_root}:{url}"],
            env=os.environ | {"TENSORSTORE_CURL_LOW_SPEED_TIME_SECONDS": "1"},
            capture_output=True,
            text=True,
            check=True,
        )
    answer = json.loads(done.stdout)
    assert [one["name"] for one in answer["volumes"]] == ["phantom-h", "phantom-r"]
    assert answer["faults"] == [f"cannot reach {url}/index.json: Timeout was reached"]
    assert time.monotonic() - begin < 30


def test_a_host_that_comes_back_is_used_again_after_a_pause(
    small_root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stores, "PAUSE_S", 0.5)
    port = free_port()
    url = f"http://127.0.0.1:{port}/{small_root.name}"
    with nginx(small_root.parent, tmp_path / "nginx", port):
        volume = mitoem.open_volume("phantom-r", data=url)
        expected = volume.read(level=1)
    with pytest.raises(errors.StoreUnreachable, match="phantom-r"):
        volume.read(level=0)
    begin = time.monotonic()
    with pytest.raises(errors.StoreUnreachable, match="phantom-r"):
        volume.read(level=0)
    assert time.monotonic() - begin < 0.1
    with nginx(small_root.parent, tmp_path / "nginx", port):
        time.sleep(0.6)
        assert answered(lambda: volume.read(level=0)).shape == volume.info.shape
        assert (volume.read(level=1) == expected).all()


def test_while_a_silent_host_is_asked_again_everybody_is_told_at_once() -> None:
    url = f"http://127.0.0.1:{free_port()}/em/index.json"
    silence = stores._Silence("no answer", 0.0, url)
    stores._silent[url.removesuffix("/em/index.json")] = silence
    for _ in range(3):
        with pytest.raises(errors.StoreUnreachable, match=f"{url}: "):
            stores.admit(url)
    stores.answered(url)
    stores.admit(url)


def answered(ask: Callable[[], np.ndarray]) -> np.ndarray:
    """An answer as soon as the host is found to be there again."""
    for _ in range(100):
        with suppress(errors.StoreUnreachable):
            return ask()
        time.sleep(0.05)
    raise AssertionError("it never came back")


def test_no_host_waits_for_the_requests_of_another() -> None:
    one, same, other = (
        stores.context(f"http://{host}/em/")["http_request_concurrency"]
        for host in ("a.example", "a.example", "b.example")
    )
    assert one is same and one is not other
    pools = [stores.context(url)["cache_pool"] for url in ("http://a.example/", "file:///em/")]
    assert pools[0] is pools[1]


@pytest.mark.parametrize(
    ("place", "said"), [("private", r"Forbidden \(403\)"), ("broken", r"Server Error \(500\)")]
)
def test_a_server_that_refuses_is_named_with_its_reason(place: str, said: str, served: str) -> None:
    url = served.replace("/em", f"/{place}")
    with pytest.raises(errors.StoreUnreachable, match=f"{url}/x/volume.json: .*{said}"):
        mitoem.open_volume("x", data=url)


def test_a_remote_root_without_its_list_is_named_and_opens_by_name(own: tuple[Path, str]) -> None:
    root, url = own
    (root / catalog.INDEX).unlink()
    known = catalog.from_environment(url)
    assert known.names() == []
    assert "mitoem index" in str(known.faults()[0]) and url in str(known.faults()[0])
    assert known.open("phantom-r").name == "phantom-r"
    (root / catalog.INDEX).write_text('{"volumes": ["../x"]}')
    stores._held.clear()
    assert "NameInvalid" in str(known.faults()[0])


def test_a_remote_volume_that_changes_is_opened_anew(
    own: tuple[Path, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    root, url = own
    monkeypatch.setattr(stores, "HOLD_S", 0.0)
    assert [one.name for one in mitoem.open_volume("phantom-r", data=url).info.labels] == ["truth"]
    shelf.remove_labels(mitoem.open_volume("phantom-r", data=root), "truth")
    assert mitoem.open_volume("phantom-r", data=url).info.labels == ()


def test_an_address_of_another_kind_is_refused_by_name() -> None:
    with pytest.raises(errors.VolumeInvalid, match="ftp"):
        mitoem.open_volume("x", data="ftp://127.0.0.1/em")


def test_another_s3_server_is_asked_where_the_environment_names_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("AWS_ENDPOINT_URL_S3", raising=False)
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    assert stores.spec("s3://bucket/em/") == "s3://bucket/em/"
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{free_port()}")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "a")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "b")
    with pytest.raises(errors.StoreUnreachable, match=r"s3://bucket/em/x/volume\.json"):
        mitoem.open_volume("x", data="s3://bucket/em")
