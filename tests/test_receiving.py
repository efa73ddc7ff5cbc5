"""Files that people upload: taken in by the worker, named in every error, never left behind."""

from __future__ import annotations

import io
import json
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import files
import h5py
import hostile
import numpy as np
import psutil
import pytest
import tifffile

import mitoem
from mitoem import jobs
from mitoem.errors import DiskFull, NameInvalid, RequestInvalid, SourceNotFound
from mitoem.jobs import receiving, uploads
from mitoem.manifest import SEAL

VOXEL = [30.0, 8.0, 8.0]
IMAGE = files.image()


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """One root, with its worker, and a volume of 20 × 60 × 70 voxels in it."""
    path = tmp_path_factory.mktemp("root")
    source = tmp_path_factory.mktemp("source")
    np.save(source / "i.npy", IMAGE)
    mitoem.ingest("here", source / "i.npy", voxel_size=(30, 8, 8), data=path)
    yield path
    jobs.stop_worker(path)


def upload(root: Path, path: Path) -> str:
    with path.open("rb") as data:
        return uploads.keep(root, path.name, data)


def ended(root: Path, kind: str, request: dict[str, Any]) -> jobs.RunState:
    return jobs.wait(root, jobs.submit(root, kind, request), seconds=60)


def lies(root: Path, file: str) -> bool:
    return (root / "runs" / uploads.UPLOADS / file).exists()


@pytest.mark.parametrize("form", ["nii.gz", "tiff", "hdf5", "npz", "npy", "zip of slices"])
def test_an_uploaded_image_becomes_a_volume_that_names_its_file(
    form: str, root: Path, tmp_path: Path
) -> None:
    path = files.FORMATS[form](tmp_path, "i", IMAGE)
    file, name = upload(root, path), f"v-{form.replace(' ', '-')}"
    state = ended(root, "ingest", {"file": file, "name": name, "voxel_size": VOXEL})
    assert (state.state, state.error) == ("done", "")
    assert state.result["volume"] == name and state.result["line"].startswith(path.name)
    volume = mitoem.open_volume(name, data=root)
    assert (volume.read() == IMAGE).all() and volume.info.voxel_size == tuple(VOXEL)
    (source,) = volume.info.sources
    assert source.file == path.name and source.sha256 in volume.info.description
    assert f"Uploaded file {path.name}" in volume.info.description
    assert not lies(root, file)
    told = (root / name / "volume.json").read_text() + json.dumps(dict(state.result))
    assert uploads.UPLOADS not in told and file.partition("/")[0] not in told


def test_a_voxel_size_in_the_file_is_read_and_a_missing_one_is_asked_for(
    root: Path, tmp_path: Path
) -> None:
    tifffile.imwrite(
        tmp_path / "known.tif", IMAGE, imagej=True, resolution=(1 / 8, 1 / 8),
        metadata={"axes": "ZYX", "spacing": 30.0, "unit": "nm"},
    )  # fmt: skip
    known = upload(root, tmp_path / "known.tif")
    assert ended(root, "ingest", {"file": known, "name": "known"}).state == "done"
    assert mitoem.open_volume("known", data=root).info.voxel_size == tuple(VOXEL)
    tifffile.imwrite(tmp_path / "silent.tif", IMAGE)
    file = upload(root, tmp_path / "silent.tif")
    failed = ended(root, "ingest", {"file": file, "name": "silent"})
    assert (failed.state, failed.fault) == ("failed", "VoxelSizeMissing")
    assert failed.error.startswith("silent.tif: ") and lies(root, file)
    assert receiving.found(root, failed.id)["voxel_size"] is None
    again = ended(root, "ingest", {"file": file, "name": "silent", "voxel_size": VOXEL})
    assert again.state == "done" and not lies(root, file)


def test_sixteen_bits_are_refused_until_rescaling_is_asked_for(root: Path, tmp_path: Path) -> None:
    deep = IMAGE.astype(np.uint16) * 200
    file = upload(root, files.FORMATS["tiff"](tmp_path, "deep", deep))
    ask = {"file": file, "name": "deep", "voxel_size": VOXEL}
    failed = ended(root, "ingest", ask)
    assert (failed.state, failed.fault) == ("failed", "SourceUnsupported")
    assert "uint16" in failed.error
    assert receiving.found(root, failed.id)["dtype"] == "uint16"
    assert ended(root, "ingest", ask | {"rescale": True}).state == "done"
    assert mitoem.open_volume("deep", data=root).read().max() == 255


def _text(path: Path) -> None:
    path.write_text("z,y,x\n1,2,3\n")


def _nothing(path: Path) -> None:
    path.write_bytes(b"")


def _half(path: Path) -> None:
    tifffile.imwrite(path, IMAGE)
    path.write_bytes(path.read_bytes()[: IMAGE.nbytes // 2])


def _colour(path: Path) -> None:
    tifffile.imwrite(path, np.stack([IMAGE] * 3, -1), photometric="rgb")


def _wide(path: Path) -> None:
    """A header that promises sections which no memory holds."""
    with h5py.File(path, "w") as file:
        file.create_dataset("main", shape=(4, 4_000_000, 4_000_000), dtype="u1", chunks=(1, 64, 64))


def _deep(path: Path) -> None:
    """A header that promises more voxels than any disk holds."""
    with h5py.File(path, "w") as file:
        file.create_dataset("main", shape=(1 << 40, 64, 64), dtype="u1", chunks=(1, 64, 64))


@pytest.mark.parametrize(
    ("write", "fault"),
    [
        (_text, "SourceUnsupported"),
        (_nothing, "SourceUnreadable"),
        (_half, "SourceUnreadable"),
        (_colour, "SourceUnsupported"),
        (_wide, "MemoryShort"),
        (_deep, "SourceUnsupported"),
    ],
)
def test_a_file_that_cannot_be_taken_in_is_one_named_line(
    write: Any, fault: str, root: Path, tmp_path: Path
) -> None:
    write(tmp_path / "bad.tif")
    file = upload(root, tmp_path / "bad.tif")
    state = ended(root, "ingest", {"file": file, "name": "bad", "voxel_size": VOXEL})
    assert (state.state, state.fault) == ("failed", fault), state.error
    assert "\n" not in state.error and file.partition("/")[0] not in state.error
    assert "bad" not in mitoem.volumes(data=root)
    assert lies(root, file), "kept for another try"


def test_an_array_is_named_by_its_key_and_a_wrong_key_lists_those_there_are(
    root: Path, tmp_path: Path
) -> None:
    np.savez(tmp_path / "two.npz", first=255 - IMAGE, second=IMAGE)
    file = upload(root, tmp_path / "two.npz")
    ask = {"file": file, "name": "two", "voxel_size": VOXEL}
    failed = ended(root, "ingest", ask | {"key": "third"})
    assert failed.fault == "SourceUnreadable" and "first, second" in failed.error
    done = ended(root, "ingest", ask | {"key": "second"})
    assert done.result["line"].startswith("two.npz [second]: ")
    assert (mitoem.open_volume("two", data=root).read() == IMAGE).all()


def test_a_taken_name_is_refused_and_what_was_there_stays(root: Path, tmp_path: Path) -> None:
    file = upload(root, files.FORMATS["npy"](tmp_path, "o", 255 - IMAGE))
    ask = {"file": file, "voxel_size": VOXEL}
    assert ended(root, "ingest", ask | {"name": "here"}).fault == "VolumeExists"
    assert (mitoem.open_volume("here", data=root).read() == IMAGE).all()
    assert ended(root, "ingest", ask | {"name": "there"}).state == "done"


def test_a_name_of_another_root_is_not_hidden(root: Path, tmp_path: Path) -> None:
    file = upload(tmp_path, files.FORMATS["npy"](tmp_path, "o", IMAGE))
    both = f"{tmp_path}{os.pathsep}{root}"
    try:
        state = ended(
            tmp_path, "ingest",
            {"file": file, "name": "here", "voxel_size": VOXEL, "data": both},
        )  # fmt: skip
        assert state.fault == "VolumeExists" and "another data root" in state.error
    finally:
        jobs.stop_worker(tmp_path)


@pytest.mark.parametrize(
    "file",
    [
        "../../etc/passwd",
        "/etc/passwd",
        f"{'a' * 32}/../../x",
        f"{'a' * 32}/..",
        f"{'a' * 32}/x/y",
        f"{'a' * 32}",
        "x.tif",
        7,
    ],
)
def test_a_file_outside_the_uploads_is_refused_before_anything_is_queued(
    file: object, root: Path
) -> None:
    before = len(jobs.runs(root))
    for kind, more in (("ingest", {}), ("labels", {"volume": "here"})):
        with pytest.raises(RequestInvalid, match="file"):
            jobs.submit(root, kind, {"file": file, "name": "n", **more})
    assert len(jobs.runs(root)) == before


def test_a_link_out_of_the_uploads_is_refused(root: Path, tmp_path: Path) -> None:
    np.save(tmp_path / "secret.npy", IMAGE)
    at = root / "runs" / uploads.UPLOADS / ("b" * 32)
    at.mkdir(parents=True)
    (at / "i.npy").symlink_to(tmp_path / "secret.npy")
    with pytest.raises(RequestInvalid):
        uploads.kept(root, f"{'b' * 32}/i.npy")
    with pytest.raises(SourceNotFound, match="upload it again"):
        uploads.kept(root, f"{'c' * 32}/i.npy")


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("ingest", {"voxel_size": [30, 8]}),
        ("ingest", {"voxel_size": [30, 0, 8]}),
        ("ingest", {"voxel_size": [30, float("nan"), 8]}),
        ("ingest", {"voxel_size": "30,8,8"}),
        ("ingest", {"rescale": "yes"}),
        ("ingest", {"key": 3}),
        ("ingest", {"overwrite": True}),
        ("labels", {"volume": "here", "offset": [0, 0, -1]}),
        ("labels", {"volume": "here", "offset": [0, 0.5, 0]}),
        ("labels", {"volume": "here", "name": "truth"}),
        ("labels", {}),
    ],
)
def test_a_bad_word_of_a_request_is_refused(kind: str, words: dict[str, Any], root: Path) -> None:
    with pytest.raises(RequestInvalid):
        jobs.submit(root, kind, {"file": f"{'a' * 32}/i.tif", "name": "n", **words})


def test_a_bad_name_is_refused(root: Path) -> None:
    ask = {"file": f"{'a' * 32}/i.tif"}
    for name in ("../x", "runs", "", ".hidden"):
        with pytest.raises(NameInvalid):
            jobs.submit(root, "ingest", ask | {"name": name})
    with pytest.raises(NameInvalid):
        jobs.submit(root, "labels", ask | {"volume": "here", "name": "image"})


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("../../etc/passwd", "passwd"),
        ("C:\\data\\crop.tif", "crop.tif"),
        ("ein Würfel.nii.gz", "ein-W-rfel.nii.gz"),
        (".hidden.h5", "hidden.h5"),
        ("///", "upload"),
        ("x" * 300 + ".nii.gz", "x" * 93 + ".nii.gz"),
    ],
)
def test_a_file_name_keeps_its_end_and_loses_what_no_disk_takes(
    given: str, kept: str, tmp_path: Path
) -> None:
    assert uploads.safe_name(given) == kept
    file = uploads.keep(tmp_path, given, io.BytesIO(b"bytes"))
    assert uploads.kept(tmp_path, file).read_bytes() == b"bytes"
    uploads.discard(tmp_path, file)
    assert not list((tmp_path / "runs" / uploads.UPLOADS).iterdir())


def test_an_upload_is_there_whole_or_not_at_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Torn(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            raise ConnectionError("the browser left")

    with pytest.raises(ConnectionError):
        uploads.keep(tmp_path, "i.tif", Torn(b"12"))
    monkeypatch.setattr(uploads, "SPARE", 1 << 60)
    with pytest.raises(DiskFull, match="bytes are needed"):
        uploads.keep(tmp_path, "i.tif", io.BytesIO(b"12"))
    assert not list((tmp_path / "runs" / uploads.UPLOADS).iterdir())


def test_old_uploads_are_tidied_but_for_those_that_a_waiting_run_needs(tmp_path: Path) -> None:
    old, waited, new = (
        uploads.keep(tmp_path, f"{n}.npy", io.BytesIO(b"bytes")) for n in ("a", "b", "c")
    )
    past = time.time() - uploads.KEPT_SECONDS - 60
    for file in (old, waited):
        os.utime(uploads.kept(tmp_path, file).parent, (past, past))
    jobs.submit(tmp_path, "ingest", {"file": waited, "name": "n"}, start=False)
    uploads.tidy(tmp_path)
    assert [lies(tmp_path, one) for one in (old, waited, new)] == [False, True, True]


def test_a_stopped_upload_leaves_neither_file_nor_half_a_volume(tmp_path: Path) -> None:
    big = np.random.default_rng(1).integers(0, 255, (384, 512, 512), dtype=np.uint8)
    np.save(tmp_path / "big.npy", big)
    root = tmp_path / "root"
    file = upload(root, tmp_path / "big.npy")
    try:
        run_id = jobs.submit(root, "ingest", {"file": file, "name": "big", "voxel_size": VOXEL})
        end = time.monotonic() + 60
        while jobs.status(root, run_id).progress == 0:
            assert time.monotonic() < end
            time.sleep(0.01)
        jobs.cancel(root, run_id)
        state = jobs.wait(root, run_id, seconds=60)
    finally:
        jobs.stop_worker(root)
    assert state.state == "cancelled" and not lies(root, file)
    assert not [one for one in root.iterdir() if "big" in one.name]


def test_uploaded_labels_become_a_measured_prediction(root: Path, tmp_path: Path) -> None:
    path = files.FORMATS["hdf5"](tmp_path, "mine", files.labels())
    file = upload(root, path)
    state = ended(root, "labels", {"file": file, "volume": "here", "name": "mine"})
    assert (state.state, state.error) == ("done", "")
    assert dict(state.result) == {"volume": "here", "labels": "mine", "instances": 2}
    volume = mitoem.open_volume("here", data=root)
    labels = volume.info.label_set("mine")
    digest = mitoem.ingestion.digest.sha256_of(path)
    assert (labels.kind, labels.provenance) == (
        "prediction", f"uploaded file mine.h5 (sha256 {digest})",
    )  # fmt: skip
    assert (volume.read(layer="mine") == files.labels()).all()
    assert len(mitoem.table("here", "mine", data=root)) == 2
    assert not lies(root, file)


def test_labels_outside_the_image_name_both_shapes_and_an_offset_places_a_part(
    root: Path, tmp_path: Path
) -> None:
    part = files.labels()[4:16, 10:50]
    file = upload(root, files.FORMATS["npz"](tmp_path, "l", part))
    ask = {"file": file, "volume": "here", "name": "part"}
    failed = ended(root, "labels", ask | {"offset": [10, 0, 0]})
    assert failed.fault == "ShapeMismatch"
    assert "(12, 40, 70)" in failed.error and "(20, 60, 70)" in failed.error
    done = ended(root, "labels", ask | {"offset": [4, 10, 0]})
    assert done.state == "done"
    volume = mitoem.open_volume("here", data=root)
    (box,) = volume.info.label_set("part").coverage
    assert str(box) == "4:16,10:50,0:70"
    assert (volume.read(box, layer="part") == part).all()


@pytest.mark.parametrize(
    ("array", "fault"),
    [
        (files.labels().astype(np.float32), "LabelsInvalid"),
        (files.labels().astype(np.int16) - 1, "LabelsInvalid"),
        (files.labels()[0], "SourceUnsupported"),
    ],
)
def test_labels_that_are_none_are_refused(
    array: Any, fault: str, root: Path, tmp_path: Path
) -> None:
    file = upload(root, files.FORMATS["npy"](tmp_path, "l", array))
    state = ended(root, "labels", {"file": file, "volume": "here", "name": "none"})
    assert (state.state, state.fault) == ("failed", fault), state.error
    names = [one.name for one in mitoem.open_volume("here", data=root).info.labels]
    assert "none" not in names


def test_a_prediction_that_memory_cannot_hold_fails_before_it_reads(
    root: Path, tmp_path: Path
) -> None:
    facts = json.loads((root / "here" / "volume.json").read_text())
    (tmp_path / "huge").mkdir()
    facts |= {"name": "huge", "shape": [200_000, 200_000, 200_000], "labels": []}
    del facts[SEAL]
    (tmp_path / "huge" / "volume.json").write_text(json.dumps(facts))
    try:
        ask = {"volume": "huge", "box": "0:100000,0:100000,0:100000"}
        state = ended(tmp_path, "predict", ask)
    finally:
        jobs.stop_worker(tmp_path)
    assert (state.state, state.fault) == ("failed", "MemoryShort"), state.error
    assert not (tmp_path / "runs" / state.id / "mask.npy").exists()


@pytest.mark.parametrize("kind", ["ingest", "labels"])
def test_a_few_bytes_that_unpack_to_far_too_many_voxels_are_refused(
    kind: str, root: Path, tmp_path: Path
) -> None:
    with h5py.File(tmp_path / "bomb.h5", "w") as file:
        file.create_dataset("main", (5000, 1000, 1000), np.uint8, chunks=(50, 500, 500))
    file = upload(root, tmp_path / "bomb.h5")
    where = {"name": "bomb", "voxel_size": VOXEL} if kind == "ingest" else {
        "name": "bomb", "volume": "here",
    }  # fmt: skip
    state = ended(root, kind, {"file": file, **where})
    assert (state.state, state.fault) == ("failed", "SourceUnsupported")
    assert "4,000,000,000 voxels" in state.error and "5,000,000,000" in state.error
    assert "bomb" not in mitoem.volumes(data=root)


def test_a_bomb_ends_its_own_process_and_the_worker_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MITOEM_UPLOAD_MEMORY", "300000000")
    root = tmp_path / "root"
    files_ = [upload(root, hostile.ALL["hdf5 bomb"](tmp_path)),
              upload(root, files.FORMATS["npy"](tmp_path, "i", IMAGE))]  # fmt: skip
    ids = [
        jobs.submit(root, "ingest", {"file": one, "name": f"v{n}", "voxel_size": VOXEL})
        for n, one in enumerate(files_)
    ]
    try:
        bomb, fine = (jobs.wait(root, one, seconds=60) for one in ids)
        assert fine.state == "done" and bomb.started < fine.started
        assert (bomb.state, bomb.fault) == ("failed", "MemoryShort"), bomb.error
        assert "i.h5: expected at most 300,000,000 bytes" in bomb.error
        assert lies(root, files_[0]) and mitoem.volumes(data=root) == ["v1"]
        assert not [one for one in root.iterdir() if "v0" in one.name]
    finally:
        jobs.stop_worker(root)


@pytest.mark.skipif(sys.platform == "win32", reason="SIGKILL is of POSIX systems")
def test_a_killed_worker_takes_the_reader_of_an_upload_with_it(tmp_path: Path) -> None:
    big = np.random.default_rng(1).integers(0, 255, (256, 400, 400), dtype=np.uint8)
    np.save(tmp_path / "big.npy", big)
    root = tmp_path / "root"
    run_id = jobs.submit(
        root, "ingest",
        {"file": upload(root, tmp_path / "big.npy"), "name": "big", "voxel_size": VOXEL},
    )  # fmt: skip
    try:
        end = time.monotonic() + 60
        while jobs.status(root, run_id).progress == 0:
            assert time.monotonic() < end
            time.sleep(0.01)
        killed = psutil.Process(int(jobs.registry.worker(root)["who"][0]))
        below = killed.children(recursive=True)
        assert len(below) >= 2, "the server of forks, and the child"
        killed.kill()
        _, alive = psutil.wait_procs(below, timeout=10)
        assert not alive
        jobs.ensure_worker(root)
        while jobs.status(root, run_id).state != "interrupted" or (root / ".partial-big").exists():
            assert time.monotonic() < end
            time.sleep(0.01)
        again = jobs.wait(root, jobs.resubmit(root, run_id), seconds=60)
        assert again.state == "done", again.error
    finally:
        jobs.stop_worker(root)
