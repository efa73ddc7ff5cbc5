"""Hostile uploads: one named line each, within their memory and time, and nothing left anywhere."""

from __future__ import annotations

import signal
import sys
import threading
import time
from pathlib import Path
from typing import Any

import files
import hostile
import misdeeds
import numpy as np
import psutil
import pytest

import mitoem
from mitoem import errors
from mitoem.jobs import apart, receiving, uploads
from mitoem.jobs.job import Job

MEMORY, SECONDS = 400_000_000, 20.0

HARMLESS = {
    "hdf5 enum": False,
    "name empty": True,
    "nifti extension 0": False,
    "nifti pixdim inf": True,
    "nifti pixdim nan": True,
    "nifti slope nan": True,
    "png idat beyond": False,
    "png text": False,
    "tiff lzma bomb": False,
    "tiff lzw bomb": False,
    "tiff ome deep": True,
    "tiff ome elsewhere": True,
    "tiff ome negative": True,
    "tiff ome size nan": True,
    "tiff pages": False,
    "tiff rows per strip 0": False,
    "tiff scanimage": True,
    "tiff shaped negative": True,
    "tiff sub-ifds": False,
    "tiff tiles 2^31": False,
    "tiff webp bomb": False,
}
"""Files that are taken in, what lies in them being what it says; whether all of ``IMAGE``."""

SHORT = {
    "gzip by header", "gzip wide", "hdf5 absurd all", "hdf5 bomb", "hdf5 opaque", "hdf5 true bomb",
    "nifti absurd", "nifti product wraps", "png true zeros", "tiff 60000² packed",
    "tiff tiles 16", "zarr absurd",
}  # fmt: skip
"""Files that want more memory than an upload may have."""

NAMED = {"SourceUnreadable", "SourceUnsupported", "VolumeInvalid"}


@pytest.fixture(autouse=True)
def limits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MITOEM_UPLOAD_MEMORY", str(MEMORY))
    monkeypatch.setenv("MITOEM_UPLOAD_SECONDS", str(SECONDS))


def job(root: Path, path: Path, **more: Any) -> Job:
    """An upload as the worker sees it."""
    with path.open("rb") as data:
        file = uploads.keep(root, path.name, data)
    run = root / "runs" / "000001-x"
    run.mkdir(exist_ok=True)
    ask = {"file": file, "name": "n", "voxel_size": [30.0, 8.0, 8.0], **more}
    return Job(root, run, ask, lambda done, what: None, lambda: False)


def left(root: Path) -> list[str]:
    """What lies in a data root besides runs, uploads and locks."""
    return sorted(one.name for one in root.iterdir() if one.name not in ("runs", ".locks"))


def everything(at: Path) -> set[Path]:
    return {one for one in at.rglob("*") if "root" not in one.relative_to(at).parts}


@pytest.mark.parametrize("name", hostile.ALL)
def test_a_hostile_file_is_one_named_line_and_leaves_nothing(name: str, tmp_path: Path) -> None:
    path = hostile.ALL[name](tmp_path)
    before, root = everything(tmp_path), tmp_path / "root"
    asked = job(root, path)
    try:
        receiving.run_ingest(asked)
    except errors.MitoEMError as error:
        fault, said = type(error).__name__, str(error)
        assert name not in HARMLESS, said
        assert fault == "MemoryShort" if name in SHORT else fault in NAMED, f"{fault}: {said}"
        assert said.isprintable() and len(said) < 1100 and path.name in said
        assert str(root) not in said and asked.request["file"].partition("/")[0] not in said
        assert left(root) == []
        assert uploads.kept(root, asked.request["file"]).is_file(), "kept for another try"
    else:
        assert name in HARMLESS
        voxels = mitoem.open_volume("n", data=root).read()
        assert not HARMLESS[name] or (voxels == hostile.IMAGE).all()
        assert not (voxels == hostile.SECRET).all(), "of another file"
    assert everything(tmp_path) == before, "nothing is written outside"


@pytest.fixture
def nothing(tmp_path: Path) -> Job:
    return Job(tmp_path, tmp_path, {}, lambda done, what: None, lambda: False)


@pytest.mark.parametrize(
    ("work", "kind", "said"),
    [(misdeeds.abort, errors.SourceUnreadable, "crashed"),
     (misdeeds.read_nowhere, errors.SourceUnreadable, "crashed"),
     (misdeeds.grow, errors.MemoryShort, r"most 400,000,000 bytes .* found [4-9]\d\d,\d{3},\d{3} "),
     (misdeeds.ask_for_too_much, errors.MemoryShort, r"x\.tif"),
     (misdeeds.mistaken, RuntimeError, "ZeroDivisionError: a mistake of ours")],
)  # fmt: skip
def test_whatever_befalls_the_child_is_an_error_here(
    work: apart.Work, kind: type[Exception], said: str, nothing: Job
) -> None:
    with pytest.raises(kind, match=said):
        apart.run(nothing, work, what="x.tif")
    assert issubclass(kind, errors.MitoEMError) or kind is RuntimeError


def test_a_child_that_takes_too_long_is_ended(
    nothing: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MITOEM_UPLOAD_SECONDS", "0.3")
    with pytest.raises(errors.TimeShort, match=r"at most 0\.3 s .* after 0\.[3-9] s"):
        apart.run(nothing, misdeeds.wait, what="x.tif")
    assert not _children()


def test_a_cancelled_child_is_ended_at_once(tmp_path: Path) -> None:
    told: list[tuple[float, str]] = []
    one = Job(tmp_path, tmp_path, {}, lambda *words: told.append(words), lambda: bool(told))
    begin = time.monotonic()
    with pytest.raises(errors.RunCancelled):
        apart.run(one, misdeeds.wait, what="x.tif")
    assert told == [(0.5, "waiting")] and time.monotonic() - begin < 10
    assert not _children()


@pytest.mark.skipif(sys.platform == "win32", reason="SIGKILL is of POSIX systems")
def test_a_child_that_the_system_kills_ran_out_of_memory(tmp_path: Path) -> None:
    def strike(*words: object) -> None:
        for one in _children():
            threading.Timer(0.1, one.send_signal, [signal.SIGKILL]).start()

    with pytest.raises(errors.MemoryShort, match="system killed"):
        apart.run(Job(tmp_path, tmp_path, {}, strike, lambda: False), misdeeds.wait, what="x.tif")


def _children() -> list[psutil.Process]:
    """Processes of uploads that this process has started: children of the server of forks."""
    mine = [one for one in psutil.Process().children(recursive=True) if one.is_running()]
    return [one for one in mine if one.parent() != psutil.Process() or sys.platform != "linux"]


def test_labels_of_a_run_that_fails_at_measuring_are_gone_and_others_stay(tmp_path: Path) -> None:
    root = tmp_path / "root"
    np.save(tmp_path / "i.npy", files.image())
    mitoem.ingest("here", tmp_path / "i.npy", voxel_size=(30, 8, 8), data=root)
    np.save(tmp_path / "l.npy", files.labels())
    ask = {"volume": "here", "name": "mine"}
    first = job(root, tmp_path / "l.npy", **ask)
    # A table that cannot be written: its folder is a file.
    (root / "here" / "tables").write_bytes(b"")
    with pytest.raises((errors.MitoEMError, RuntimeError)):
        receiving.run_labels(first)
    assert not mitoem.open_volume("here", data=root).info.labels
    assert [one.name for one in (root / "here/image.zarr/labels").iterdir()] == ["zarr.json"]
    (root / "here" / "tables").unlink()
    assert receiving.run_labels(first)["instances"] == 2
    with pytest.raises(errors.VolumeExists):
        receiving.run_labels(job(root, tmp_path / "l.npy", **ask))
    assert len(mitoem.table("here", "mine", data=root)) == 2, "those of before are as they were"
