"""Disks of one's own that fill up, or take no writing: named errors, nothing half there."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import mitoem

UNSHARE = ["unshare", "--user", "--map-root-user", "--mount"]

pytestmark = pytest.mark.skipif(
    shutil.which("unshare") is None
    or subprocess.run([*UNSHARE, "true"], check=False, capture_output=True).returncode != 0,
    reason="this machine lets nobody mount a disk of their own",
)


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A volume with measured truth, a prediction, and a finished run."""
    at = tmp_path_factory.mktemp("disks")
    rng = np.random.default_rng(5)
    labels = np.zeros((32, 160, 200), np.uint16)
    labels[5:20, 30:90, 30:90], labels[10:25, 100:140, 120:180] = 1, 2
    image = rng.integers(60, 200, labels.shape, np.uint8)
    np.savez(at / "one.npz", image=image, labels=labels)
    made = at / "root"
    mitoem.ingest("one", at / "one.npz", labels=[at / "one.npz"], voxel_size=(30, 8, 8), data=made)
    mitoem.measure("one", data=made)
    mitoem.add_labels("one", "found", np.where(labels == 1, 1, 0), data=made)
    return made


def inside(script: str, program: str, *words: object, seconds: int = 120) -> str:
    """What a Python program prints after a shell script has mounted a disk for it and its children.

    The mounts are its own and go with it.
    """
    asked = [*UNSHARE, "--fork", "--pid", "--mount-proc", "sh", "-ec", f'{script}; exec "$@"', "sh"]
    done = subprocess.run(
        [*asked, sys.executable, "-c", program, *map(str, words)],
        check=False, capture_output=True, text=True, timeout=seconds,
        cwd=Path(__file__).parents[1], env=os.environ | {"MITOEM_WORKER_IDLE": "30"},
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout.splitlines()[-1] if done.stdout.strip() else done.stderr


FULL = """
import contextlib, hashlib, io, json, sys
from pathlib import Path
import numpy as np
import mitoem
from mitoem import jobs
from mitoem.cli import main
from mitoem.jobs import uploads

root = Path(sys.argv[1])
filler = root / "filler"


def fill(but=0):
    "Take what is free, but so many pages."
    with filler.open("ab", buffering=0) as file:
        with contextlib.suppress(OSError):
            while True:
                file.write(bytes(4096))
        file.truncate(file.tell() - 4096 * but)


def tree():
    found = {}
    for path in sorted(root.rglob("*")):
        name = path.relative_to(root).as_posix()
        hidden = name.startswith((".locks", "runs", "filler", ".predictions"))
        if path.is_file() and not hidden and "/.partial-" not in name:  # which resumes
            found[name] = hashlib.sha256(path.read_bytes()).hexdigest()
    return {name: one for name, one in found.items() if not name.endswith(".lock")}


def command(*words):
    "Exit code, and what is said on standard error."
    said = io.StringIO()
    with contextlib.redirect_stderr(said), contextlib.redirect_stdout(io.StringIO()):
        return main([*words, "--quiet", "--data", str(root)]), said.getvalue()


def run(kind, **request):
    state = jobs.wait(root, jobs.submit(root, kind, request), seconds=60)
    return state.state, state.fault or state.error, state.id


told = {}
kept = run("predict", volume="one", box="0:16,0:64,0:64")
assert kept[0] == "done", kept
before = tree()
fill()
commands = {
    "measure": ("measure", "one/found"),
    "predict": ("predict", "one", "--box", "0:16,0:64,0:64", "--save", "more"),
    "blocks": ("predict", "one", "--blocks", "--save", "whole"),
    "add": ("labels", "add", "one/added", "--from", sys.argv[2]),
    "rename": ("labels", "rename", "one/found", "renamed"),
}
for name, words in commands.items():
    told[name] = command(*words)
    assert tree() == before, (name, set(tree()) ^ set(before))
runs = {
    "run predict": ("predict", {"volume": "one", "box": "0:16,0:64,0:128"}),
    "run save": ("save", {"of": kept[2], "name": "saved"}),
}
for name, (kind, request) in runs.items():
    fill(but=8)  # for the request and its state alone
    told[name] = run(kind, **request)[:2]
    assert tree() == before, (name, set(tree()) ^ set(before))
for name, call in {
    "verdict": lambda: mitoem.judge("one", "truth", "found", "missed 2", "unsure", data=root),
    "upload": lambda: uploads.keep(root, "a.npy", io.BytesIO(bytes(1 << 16))),
}.items():
    fill()
    try:
        call()
        told[name] = "no error"
    except mitoem.errors.MitoEMError as error:
        told[name] = type(error).__name__
assert not list((root / "runs" / ".uploads").glob("*")), "half an upload"
assert tree() == before
filler.unlink()
after = {name: command(*words)[0] for name, words in commands.items()}
after |= {name: run(kind, **request)[0] for name, (kind, request) in runs.items()}
mitoem.judge("one", "truth", "renamed", "missed 2", "unsure", data=root)
after["check"] = command("check", "one", "--deep")
jobs.stop_worker(root)
print(json.dumps([told, after]))
"""


def test_a_full_disk_is_named_and_what_it_stopped_can_be_done_when_there_is_room(
    root: Path, tmp_path: Path
) -> None:
    mount = f'mount -t tmpfs -o size=24m tmpfs "{tmp_path}"; cp -r "{root}/." "{tmp_path}"'
    told, after = json.loads(inside(mount, FULL, tmp_path, root.parent / "one.npz"))
    for name in ("measure", "predict", "blocks", "add", "rename"):
        code, said = told.pop(name)
        assert code == 1 and said.startswith("mitoem: DiskFull: ") and said.count("\n") == 1, said
    assert {name: told.pop(name) for name in ("verdict", "upload")} == {
        "verdict": "DiskFull",
        "upload": "DiskFull",
    }
    assert set(map(tuple, told.values())) == {("failed", "DiskFull")}, told
    assert after.pop("check")[0] == 0
    assert {str(one) for one in after.values()} == {"0", "done"}, after


READ = """
import asyncio, contextlib, io, json, os, sys, warnings
from pathlib import Path
import httpx
from starlette.applications import Starlette
import mitoem
from mitoem import jobs, server
from mitoem.cli import main

shut, open_, source = sys.argv[1:4]
both = f"{open_}:{shut}"


def command(data, *words):
    said = io.StringIO()
    with contextlib.redirect_stderr(said), contextlib.redirect_stdout(io.StringIO()):
        return main([*words, "--quiet", "--data", data]), said.getvalue()


def ask(data, *paths):
    async def asked():
        transport = httpx.ASGITransport(Starlette(routes=server.routes(data=data)))
        async with httpx.AsyncClient(transport=transport) as client:
            return [(await client.get(f"http://it{path}")).status_code for path in paths]
    return asyncio.run(asked())


base = "/api/v1/volumes/one"
paths = ["/healthz", "/api/v1/volumes", base, f"{base}/tiles/truth/z/0/9/0/0",
         f"{base}/voxels/9/9/9",
         f"{base}/labels/truth/instances.csv", f"{base}/labels/truth/meshes/1.glb",
         f"{base}/labels/truth/thumbnails/1.jpg", "/zarr/one/zarr.json"]
told = {"routes": ask(shut, *paths) + ask(both, *paths), "pages": {}}
from streamlit.testing.v1 import AppTest
for data in (shut, both):
    os.environ["MITOEM_DATA"] = data
    for page in ("datasets", "explore", "instances", "compare", "inference", "evaluate"):
        app = AppTest.from_file("mitoem/ui/main.py", default_timeout=60).run()
        app.switch_page(f"../../pages/{page}.py").run()
        told["pages"][f"{page} of {data}"] = [one.message for one in app.exception]
told["reading"] = [command(shut, *words)[0] for words in (
    ("list",), ("info", "one"), ("check", "one", "--deep"),
    ("table", "one/truth", "--out", f"{open_}/t.csv"))]
writing = {
    "measure": ("measure", "one/found"),
    "ingest": ("ingest", "two", "--image", source, "--voxel-size", "30,8,8"),
    "predict": ("predict", "one", "--box", "0:8,0:64,0:64", "--save", "more"),
    "add": ("labels", "add", "one/added", "--from", source),
    "rename": ("labels", "rename", "one/found", "new"),
    "remove labels": ("remove", "one/found"),
    "remove": ("remove", "one"),
    "index": ("index",),
}
told["writing"] = {name: command(shut, *words) for name, words in writing.items()}
for name, call in {
    "judge": lambda: mitoem.judge("one", "truth", "found", "missed 2", "unsure", data=shut),
    "submit": lambda: jobs.submit(shut, "measure", {"volume": "one", "labels": "truth"}),
    "upload": lambda: jobs.uploads.keep(shut, "a.npy", io.BytesIO(b"abc")),
}.items():
    try:
        told["writing"][name] = [0, str(call())]
    except mitoem.errors.MitoEMError as error:
        told["writing"][name] = [1, f"mitoem: {type(error).__name__}: {error}"]
mitoem.judge("one", "truth", "found", "missed 2", "unsure", data=both)
told["beside"] = [command(both, "measure", "one/found")[0], *sorted(
    path.relative_to(open_).as_posix() for path in Path(open_).rglob("one/*/**/*.*"))]
told["add to both"] = command(both, "labels", "add", "one/added", "--from", source)
print(json.dumps(told))
"""


def test_a_read_only_root_reads_as_usual_and_every_writer_says_so(
    root: Path, tmp_path: Path
) -> None:
    shut, free = tmp_path / "shut", tmp_path / "free"
    shut.mkdir(), free.mkdir()
    mount = (
        f'mount -t tmpfs tmpfs "{shut}"; cp -r "{root}/." "{shut}"; mount -o remount,ro "{shut}"'
    )
    told = json.loads(inside(mount, READ, shut, free, root.parent / "one.npz"))
    assert set(told["routes"]) == {200}
    assert {page: one for page, one in told["pages"].items() if one} == {}
    assert told["reading"] == [0, 0, 0, 0]
    for name, (code, said) in (*told["writing"].items(), ("add to both", told["add to both"])):
        assert code == 1 and said.startswith("mitoem: DiskReadOnly: "), (name, said)
        assert said.count("\n") <= 1, (name, said)
    assert told["beside"] == [
        0, ".derived/one/tables/found.json", ".derived/one/tables/found.parquet",
        ".derived/one/triage/truth/found.json", ".derived/one/triage/truth/found.lock",
    ]  # fmt: skip
