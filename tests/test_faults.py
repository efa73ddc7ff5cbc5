"""Any file of a volume spoiled in any way: what needs it says so, the rest works, check names it.

``MITOEM_FAULTS=all`` spoils every file in every way; the usual is one way for each file.
"""

from __future__ import annotations

import asyncio
import contextlib
import io
import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import httpx
import numpy as np
import pytest
from starlette.applications import Starlette
from streamlit.testing.v1 import AppTest

import mitoem
from mitoem import jobs, server
from mitoem.cli import main

MAIN = Path(__file__).parents[1] / "mitoem" / "ui" / "main.py"

ALL = os.environ.get("MITOEM_FAULTS") == "all"

SHAPE = (34, 40, 600)
"""(z, y, x) at 30 × 8 × 8 nm: two levels, a tile and a bit wide."""

AT = (17, 20, 50)
"""A voxel inside instance 1 of the truth and of the prediction."""

FREE = ("index.json", "runs/", "triage/")
"""What a volume can lack: without its table of contents, its runs and its verdicts it is whole."""


def _flip(file: Path) -> None:
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 1
    file.write_bytes(data)


def _cut(file: Path) -> None:
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])


def _folder(file: Path) -> None:
    file.unlink()
    file.mkdir()


FAULTS: Mapping[str, Callable[[Path], None]] = {
    "flipped": _flip,
    "cut": _cut,
    "emptied": lambda file: file.write_bytes(b"") and None,
    "deleted": lambda file: file.unlink(),
    "a folder": _folder,
}


@dataclass(frozen=True)
class Whole:
    """A root with volumes ``one`` and ``other``, and the answers of every route for ``one``."""

    root: Path
    answers: Mapping[str, httpx.Response]

    @property
    def files(self) -> list[str]:
        """Every file that belongs to ``one``, in the root."""
        found = [path for path in self.root.rglob("*") if path.is_file()]
        names = sorted(path.relative_to(self.root).as_posix() for path in found)
        own = ("one/", "index.json", "runs/0")
        return [name for name in names if name.startswith(own) and not name.endswith(".lock")]


def addresses() -> Iterator[str]:
    """Every kind of route for volume ``one``."""
    base = "/api/v1/volumes/one"
    yield base
    for layer in ("image", "truth", "found"):
        for level, index in ((0, AT), (1, (17, 10, 25))):
            for n, axis in enumerate("zyx"):
                yield f"{base}/tiles/{layer}/{axis}/{level}/{index[n]}/0/0"
        yield f"{base}/tiles/{layer}/z/0/17/0/1"
    yield f"{base}/tiles/image/z/0/17/0/0?format=raw"
    yield f"{base}/voxels/{AT[0]}/{AT[1]}/{AT[2]}"
    yield f"{base}/figure.png?labels=truth&z=17"
    yield f"{base}/figure.svg?plane=y&labels=truth&colour=volume_um3"
    yield f"{base}/neuroglancer"
    for name in ("truth", "found"):
        labels = f"{base}/labels/{name}"
        yield from (f"{labels}/instances.{kind}" for kind in ("csv", "json", "parquet"))
        yield f"{labels}/instances/1"
        yield f"{labels}/thumbnails/1.jpg"
        yield f"{labels}/colours.json?by=volume_um3"
        yield f"{labels}/colours.json?by=error"
        yield f"{labels}/meshes/1.glb"
        yield f"{labels}/meshes/1.stl?level=0"
        yield f"{labels}/meshes/overview.glb"
    z, y, x = AT
    yield f"{base}/labels/truth/against/found/{z}/{y}/{x}.jpg?truth=1&predictions=1"
    for group in ("", "labels/truth/", "labels/found/"):
        yield f"/zarr/one/{group}zarr.json"
        for level in range(2):
            yield from (f"/zarr/one/{group}{level}/{one}" for one in ("zarr.json", "c/0/0/0"))
    yield "/zarr/one/labels/zarr.json"


OTHER = ("/api/v1/volumes/other", "/api/v1/volumes/other/tiles/truth/z/0/17/0/0")


def ask(root: Path, *paths: str) -> dict[str, httpx.Response]:
    """The answers of a fresh server to addresses, in order."""

    async def asked() -> dict[str, httpx.Response]:
        transport = httpx.ASGITransport(
            Starlette(routes=server.routes(data=root)), raise_app_exceptions=False
        )
        async with httpx.AsyncClient(transport=transport) as client:
            return {path: await client.get(f"http://it{path}") for path in paths}

    return asyncio.run(asked())


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Whole:
    """Image, truth and a prediction, both measured, the one scored against the other, a verdict."""
    at = tmp_path_factory.mktemp("whole")
    root = at / "root"
    rng = np.random.default_rng(8)
    labels = np.zeros(SHAPE, np.uint16)
    for one in range(9):
        z, x = int(rng.integers(0, 20)), 60 * one
        labels[z : z + 12, 10:30, x + 5 : x + 50] = one + 2
    labels[12:22, 8:33, 30:70] = 1
    np.savez(at / "one.npz", image=rng.integers(60, 200, SHAPE, np.uint8), labels=labels)
    for name in ("one", "other"):
        mitoem.ingest(
            name, at / "one.npz", labels=[at / "one.npz"], voxel_size=(30, 8, 8), data=root
        )
    guess = np.where(labels > 7, 0, labels)
    volume = mitoem.add_labels("one", "found", guess, data=root)
    for name in ("truth", "found"):
        mitoem.measure("one", name, data=root)
    mitoem.measure("other", data=root)
    asked = {"volume": "one", "truth": "truth", "prediction": "found"}
    asked["versions"] = [volume.version(name) for name in ("truth", "found")]
    done = jobs.wait(root, jobs.submit(root, "evaluate", asked), seconds=60)
    assert done.state == "done", done
    jobs.stop_worker(root)
    mitoem.judge("one", "truth", "found", "missed 8", "unsure", data=root)
    answers = ask(root, *addresses())
    assert {path: one.status_code for path, one in answers.items() if one.status_code > 302} == {}
    return Whole(root, answers)


def spoil(whole: Whole, file: str, fault: str, tmp_path: Path) -> Path:
    """A copy of the root with one file spoiled."""
    root = tmp_path / f"{abs(hash((file, fault)))}"
    shutil.copytree(whole.root, root)
    FAULTS[fault](root / file)
    return root


def chosen(whole: Whole) -> list[tuple[str, str]]:
    """Files and faults: all, or the faults in turn."""
    if ALL:
        return [(file, fault) for file in whole.files for fault in FAULTS]
    names = list(FAULTS)
    return [(file, names[n % len(names)]) for n, file in enumerate(whole.files)]


def told(root: Path) -> tuple[int, str]:
    """What ``check --deep`` says of volume ``one``, and its exit code."""
    out = io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(out):
        code = main(["check", "one", "--deep", "--quiet", "--data", str(root)])
    return code, out.getvalue()


def test_check_names_the_file(whole: Whole, tmp_path: Path) -> None:
    assert told(whole.root) == (0, "one: sound\n")
    unnamed = []
    for file, fault in chosen(whole):
        if file.startswith("runs/") or (
            fault == "deleted" and (file.startswith(FREE) or "/triage/" in file)
        ):
            continue
        root = spoil(whole, file, fault, tmp_path)
        code, text = told(root)
        absent = file.startswith("one/tables/") and fault in ("deleted", "a folder")
        absent |= file == "index.json"
        if file.removeprefix("one/") not in text or (code == 0 and not absent):
            unnamed.append((file, fault, code, text[-300:]))
        shutil.rmtree(root)
    assert not unnamed, "\n".join(map(str, unnamed))


def test_every_answer_is_right_or_says_what_is_wrong(whole: Whole, tmp_path: Path) -> None:
    wrong = []
    other = ask(whole.root, *OTHER)
    for file, fault in chosen(whole)[:: 1 if ALL else 2]:
        root = spoil(whole, file, fault, tmp_path)
        answers = ask(root, *addresses())
        wrong += [(file, fault, path, why) for path, why in faulty(whole, file, answers)]
        for path, answer in ask(root, *OTHER).items():
            if answer.content != other[path].content:
                wrong.append((file, fault, path, "another volume is not what it was"))
        shutil.rmtree(root)
    assert not wrong, "\n".join(map(str, wrong))


def faulty(
    whole: Whole, file: str, answers: Mapping[str, httpx.Response]
) -> Iterator[tuple[str, str]]:
    """Addresses whose answer is neither what it was nor a named error, and why."""
    raw = "/zarr/" + file.replace("/image.zarr/", "/")
    for path, answer in answers.items():
        before = whole.answers[path]
        if answer.status_code == before.status_code:
            same = answer.content == before.content and answer.headers.get(
                "location"
            ) == before.headers.get("location")
            if not same and path != raw:  # a reader of the raw chunk finds its checksum wrong
                yield path, f"other bytes: {answer.content[:60]!r}"
            continue
        if answer.status_code not in (400, 404, 409, 422, 503):
            yield path, f"{answer.status_code}: {answer.text[:200]}"
        elif list(answer.json()) != ["error"] or "Traceback" in answer.text:
            yield path, f"not a named error: {answer.text[:200]}"


PAGES = {
    ("explore", "image.zarr/0/c/0/0/0"): "",
    ("explore", "tables/truth.json"): "",
    ("explore", "volume.json"): "volume.json",
    ("instances", "tables/truth.parquet"): "truth.parquet",
    ("instances", "tables/truth.json"): "truth.json",
    ("instances", "image.zarr/labels/truth/0/c/0/0/0"): "",
    ("evaluate", "triage/truth/found.json"): "triage/truth/found.json",
    ("evaluate", "scores.json"): "",
    ("datasets", "image.zarr/zarr.json"): "",
}
"""A page, a file that it or its viewer reads, and what the page itself has to say of a bad one."""

SEEN = [(*place, fault) for place in PAGES for fault in FAULTS]


@pytest.mark.parametrize("seen", SEEN if ALL else SEEN[::7])
def test_no_page_breaks(
    seen: tuple[str, str, str], whole: Whole, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page, part, fault = seen
    file = next(one for one in whole.files if one.endswith(part))
    root = spoil(whole, file, fault, tmp_path)
    monkeypatch.setenv("MITOEM_DATA", str(root))
    app = AppTest.from_file(str(MAIN), default_timeout=60)
    app.query_params["volume"] = "one"
    app.run()
    app.query_params.clear()
    app.switch_page(f"../../pages/{page}.py").run()
    assert not app.exception, [one.message for one in app.exception]
    shown = " ".join(str(one.value) for one in [*app.markdown, *app.text, *app.caption])
    if fault not in ("deleted", "a folder"):  # then it is a thing that never was
        assert PAGES[page, part] in shown.lower(), shown[:500]
    jobs.stop_worker(root)
