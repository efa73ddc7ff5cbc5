"""What ``check`` finds: each kind of damage is named, with where it is."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import mitoem
from mitoem import checking, tables
from mitoem.cli import main
from mitoem.manifest import SEAL
from mitoem.volume import open_array, open_at, to_url

Damage = Callable[[Path], None]
"""Spoils a volume's directory."""

LABELS = "image.zarr/labels/truth"


def edited(path: str, edit: Callable[[Any], None]) -> Damage:
    """A JSON file of the volume, changed in place."""

    def damage(volume: Path) -> None:
        data = json.loads((volume / path).read_text())
        data.pop(SEAL, None)  # as a person does who takes the file in hand
        edit(data)
        (volume / path).write_text(json.dumps(data))

    return damage


def bytes_of(path: str, change: Callable[[bytes], bytes]) -> Damage:
    """A file of the volume with other bytes."""
    return lambda volume: (volume / path).write_bytes(change((volume / path).read_bytes())) and None


def flipped(data: bytes) -> bytes:
    return data[:100] + bytes([data[100] ^ 0xFF]) + data[101:]


def added(path: str) -> Damage:
    """A file that is no part of a volume."""

    def damage(volume: Path) -> None:
        (volume / path).parent.mkdir(parents=True, exist_ok=True)
        (volume / path).write_text("x")

    return damage


def removed(path: str) -> Damage:
    return lambda volume: (volume / path).unlink()


def table(change: Callable[[pd.DataFrame], pd.DataFrame], **note: Any) -> Damage:
    """The table of the truth with other rows, written as if it had been measured so."""

    def damage(volume: Path) -> None:
        directory = volume / "tables"
        known = tables.provenance(directory, "truth")
        frame = pd.read_parquet(directory / "truth.parquet")
        tables.write(directory, "truth", change(frame), provenance=(known or {}) | note)

    return damage


def voxels(array: str, value: int, at: tuple[int, int, int] = (0, 0, 0)) -> Damage:
    """One voxel of an array written anew, by the same codecs, and the manifest made to agree."""

    def damage(volume: Path) -> None:
        layer, level = array.split("/")
        below = volume / ("image.zarr" if layer == "image" else LABELS) / level
        open_array(to_url(below))[at].write(value).result()
        shard = "c/0/0/0"
        size = (below / shard).stat().st_size
        edited("volume.json", lambda data: data["shards"][array].update({shard: size}))(volume)

    return damage


def uncovered(volume: Path) -> None:
    """A labelled voxel in the last row and column, and a coverage that ends before them."""
    voxels("truth/0", 999, (0, 383, 575))(volume)
    in_labels(coverage=[[[0, 0, 0], [32, 383, 575]]])(volume)


def column(name: str, row: int, value: int) -> Callable[[pd.DataFrame], pd.DataFrame]:
    return lambda frame: frame.assign(**{name: [value, *frame[name][1:]][: len(frame)]})


def in_labels(**facts: Any) -> Damage:
    return edited("volume.json", lambda data: data["labels"][0].update(facts))


def in_multiscale(edit: Callable[[Any], None], group: str = "image.zarr") -> Damage:
    return edited(
        f"{group}/zarr.json", lambda data: edit(data["attributes"]["ome"]["multiscales"][0])
    )


def set_scale(multiscale: Any) -> None:
    multiscale["datasets"][1]["coordinateTransformations"][0]["scale"][0] = 31


def set_translation(multiscale: Any) -> None:
    multiscale["datasets"][1]["coordinateTransformations"][1]["translation"] = [0, 0, 0]


def section(data: Any) -> None:
    data["labels"][0]["per_section"][5] += 1


def grey(data: Any) -> None:
    data["grey"]["histogram"][7] += 1
    data["grey"]["histogram"][8] -= 1


SHALLOW = {
    "a shard is missing": (
        removed("image.zarr/1/c/0/0/0"),
        "image.zarr/1/c/0/0/0: bytes: expected .* found None",
    ),
    "a shard is cut": (
        bytes_of(f"{LABELS}/0/c/0/0/0", lambda data: data[:-1]),
        f"{LABELS}/0/c/0/0/0: bytes: expected",
    ),
    "a shard that nobody wrote": (
        added("image.zarr/0/c/0/0/9"),
        "image.zarr/0/c/0/0/9: a shard that volume.json does not list",
    ),
    "the manifest lacks a shard": (
        edited("volume.json", lambda data: data["shards"]["truth/1"].clear()),
        f"{LABELS}/1/c/0/0/0: volume.json does not list it",
    ),
    "a voxel size differs": (
        in_multiscale(set_scale),
        r"image.zarr/zarr.json: voxel size of level 1 in nm: expected \(30.0.*found \(31.0",
    ),
    "a level lies elsewhere": (
        in_multiscale(set_translation, LABELS),
        rf"{LABELS}/zarr.json: translation of level 1 in nm: expected \(0.0, 4.0",
    ),
    "a level is not listed": (
        in_multiscale(lambda multiscale: multiscale["datasets"].pop()),
        r"image.zarr/zarr.json: levels: expected \('0', '1'\), found \('0',\)",
    ),
    "a unit is missing": (
        in_multiscale(lambda multiscale: multiscale["axes"][0].pop("unit")),
        "image.zarr/zarr.json: .*unit None",
    ),
    "a group does not parse": (
        bytes_of("image.zarr/zarr.json", lambda data: data[:50]),
        "image.zarr/zarr.json: JSONDecodeError",
    ),
    "the list of labels lacks one": (
        edited(
            "image.zarr/labels/zarr.json", lambda data: data["attributes"]["ome"].update(labels=[])
        ),
        r"image.zarr/labels/zarr.json: labels: expected \['truth'\], found \[\]",
    ),
    "the attributes of the list of labels are no object": (
        edited("image.zarr/labels/zarr.json", lambda data: data.update(attributes=5)),
        r"image.zarr/labels/zarr.json: VolumeInvalid .* expected attributes .* found 5",
    ),
    "an array has another shape": (
        edited("image.zarr/1/zarr.json", lambda data: data.update(shape=[32, 192, 290])),
        r"image.zarr/1/zarr.json: shape: expected \(32, 192, 288\)",
    ),
    "an array does not open": (
        removed(f"{LABELS}/1/zarr.json"),
        f"{LABELS}/1/zarr.json: .*does not exist",
    ),
    "labels have another type": (
        in_labels(dtype="uint32"),
        f"{LABELS}/0/zarr.json: type: expected uint32, found uint16",
    ),
    "coverage leaves the volume": (
        in_labels(coverage=[[[0, 0, 0], [33, 384, 576]]]),
        "volume.json labels 'truth': coverage: expected boxes inside .*found 0:33",
    ),
    "coverage overlaps": (
        in_labels(coverage=[[[0, 0, 0], [20, 384, 576]], [[19, 0, 0], [32, 384, 576]]]),
        "coverage: expected boxes apart",
    ),
    "a section is counted that nobody labelled": (
        in_labels(coverage=[[[0, 0, 0], [31, 384, 576]]]),
        "instances in section 31, which nobody labelled: expected 0",
    ),
    "sections are missing": (in_labels(per_section=[1]), "per_section: expected 32, found 1"),
    "levels are missing": (in_labels(vanished=[0]), "vanished: expected 2, found 1"),
    "a split leaves the volume": (
        edited(
            "volume.json",
            lambda data: data.update(splits=[{"name": "train", "start": 0, "stop": 99}]),
        ),
        "volume.json: split 'train': expected 0 to 32, found sections 0 to 99",
    ),
    "the histogram lacks voxels": (
        edited("volume.json", lambda data: data["grey"]["histogram"].__setitem__(0, 10**9)),
        "volume.json: voxels in the histogram: expected 7077888",
    ),
    "the table lacks a row": (table(lambda frame: frame[1:]), "truth.parquet: rows: expected"),
    "the table has an id twice": (
        table(lambda frame: pd.concat([frame[1:], frame[1:2]])),
        "truth.parquet: ids: expected each once",
    ),
    "the table lacks a column": (
        table(lambda frame: frame.drop(columns="voxel_count")),
        "truth.parquet: columns: .*none called voxel_count",
    ),
    "the table has a box outside": (
        table(column("bbox_z1", 0, 33)),
        r"truth.parquet: boxes: expected inside \(32, 384, 576\)",
    ),
    "the table is damaged": (bytes_of("tables/truth.parquet", flipped), "SHA-256"),
}

NOTICED = {
    "a file that is no part": (added("notes/a b.txt"), "notes/a b.txt: no part of the volume"),
    "a lock that a killed write left": (
        added("image.zarr/0/c/0/0/0.__lock"),
        "0.__lock: no part of the volume",
    ),
    "labels that were not finished": (
        added("image.zarr/labels/.partial-run/0/zarr.json"),
        "labels/.partial-run: left by a write that was stopped",
    ),
    "no table": (removed("tables/truth.json"), "not measured yet"),
    "a table of other labels": (table(lambda frame: frame, measured_from="old"), "found old"),
}

DEEP = {
    "a byte of an image": (
        bytes_of("image.zarr/0/c/0/0/0", flipped),
        "image.zarr/0/c/0/0/0: 1 chunks do not read, the first at 0:32,0:128,0:128: ",
    ),
    "a byte of labels": (
        bytes_of(f"{LABELS}/1/c/0/0/0", flipped),
        f"{LABELS}/1/c/0/0/0: 1 chunks do not read",
    ),
    "a level that does not follow": (
        voxels("image/1", 77),
        "image.zarr/0/: 1 voxels of level 1 do not follow",
    ),
    "an id that was never counted": (voxels("truth/0", 999), "instances: expected"),
    "a grey that was never counted": (voxels("image/0", 251), "volume.json: voxels of grey"),
    "another histogram": (edited("volume.json", grey), "volume.json: voxels of grey 7: expected"),
    "labels outside the coverage": (
        uncovered,
        "labelled voxels outside the coverage: expected 0, found",
    ),
    "another number in a section": (edited("volume.json", section), "instances in section 5: exp"),
    "another number that vanished": (in_labels(vanished=[0, 3]), r"vanished: expected \(0, 0\)"),
    "another id in the table": (
        table(column("instance_id", 0, 999)),
        r"truth.parquet: ids: .*without \[\d+\] and with \[999\]",
    ),
    "another size in the table": (
        table(column("voxel_count", 0, 3)),
        r"truth.parquet: voxels of instance \d+ \(and of 0 more\): expected \d+, found 3",
    ),
}


@pytest.fixture
def copy(small_root: Path, tmp_path: Path) -> Path:
    shutil.copytree(small_root / "phantom-r", tmp_path / "phantom-r")
    return tmp_path / "phantom-r"


def found(copy: Path, *, deep: bool) -> list[checking.Finding]:
    return checking.check(open_at(copy), deep=deep, data=copy.parent)


def lines(findings: list[checking.Finding], severity: str) -> str:
    return "\n".join(f"{f.where}: {f.message}" for f in findings if f.severity == severity)


@pytest.mark.parametrize("what", SHALLOW)
def test_damage_is_named_without_reading_voxels(what: str, copy: Path) -> None:
    damage, expected = SHALLOW[what]
    damage(copy)
    assert re.search(expected, lines(found(copy, deep=False), "error"))


@pytest.mark.parametrize("what", NOTICED)
def test_what_harms_nothing_is_noticed(what: str, copy: Path) -> None:
    damage, expected = NOTICED[what]
    damage(copy)
    findings = found(copy, deep=False)
    assert re.search(expected, lines(findings, "notice"))
    assert len(findings) == 1


@pytest.mark.parametrize("what", DEEP)
def test_damage_of_voxels_is_named_by_a_deep_check(what: str, copy: Path) -> None:
    damage, expected = DEEP[what]
    damage(copy)
    assert lines(found(copy, deep=False), "error") == ""
    assert re.search(expected, lines(found(copy, deep=True), "error"))


@pytest.mark.parametrize("what", SHALLOW)
def test_a_deep_check_ends_whatever_is_damaged(what: str, copy: Path) -> None:
    damage, expected = SHALLOW[what]
    damage(copy)
    assert re.search(expected, lines(found(copy, deep=True), "error"))


@pytest.mark.skipif(
    importlib.util.find_spec("ome_zarr_models") is None, reason="ome-zarr-models is not installed"
)
def test_the_specification_s_own_models_are_asked(copy: Path) -> None:
    in_multiscale(lambda multiscale: multiscale["axes"].reverse())(copy)
    edited(f"{LABELS}/zarr.json", lambda data: data["attributes"]["ome"].update(version="9"))(copy)
    said = lines(found(copy, deep=False), "error")
    assert re.search(f"{LABELS}/zarr.json: not OME-Zarr 0.5 by ome_zarr_models", said)


def test_partly_labelled_volumes_are_sound(copy: Path) -> None:
    rng = np.random.default_rng(5)
    part = rng.integers(0, 9, (7, 33, 45), np.uint32)
    mitoem.add_labels("phantom-r", "run-1", part, offset=(5, 301, 500), data=copy.parent)
    mitoem.measure("phantom-r", "run-1", data=copy.parent)
    assert found(copy, deep=True) == []


def test_blocks_smaller_than_the_volume_find_the_same(
    copy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checking.voxels, "BLOCK", (32, 128, 256))
    assert found(copy, deep=True) == []
    voxels("image/1", 77)(copy)
    assert "1 voxels of level 1 do not follow" in lines(found(copy, deep=True), "error")


def test_progress_reaches_the_whole(copy: Path) -> None:
    seen: list[float] = []
    checking.check(
        open_at(copy), deep=True, data=copy.parent, progress=lambda done, _: seen.append(done)
    )
    assert seen == sorted(seen) and seen[-1] == pytest.approx(1)


def test_the_command_prints_each_finding(copy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["check", "phantom-r", "--data", str(copy.parent)]
    added("notes.txt")(copy)
    assert main(arguments) == 0
    out = capsys.readouterr().out
    assert "notice: phantom-r/notes.txt: no part of the volume" in out
    assert "phantom-r: sound" in out
    removed("image.zarr/1/c/0/0/0")(copy)
    assert main(arguments) == 1
    err = capsys.readouterr().err
    assert "error: phantom-r/image.zarr/1/c/0/0/0: bytes" in err and "notes.txt" in err
    assert "VolumeInvalid: 'phantom-r': expected a sound volume, found 1 faults" in err


def test_checking_changes_nothing(copy: Path) -> None:
    def state() -> dict[str, str]:
        return {
            str(path): hashlib.sha256(path.read_bytes()).hexdigest()
            for path in copy.parent.rglob("*")
            if path.is_file()
        }

    before = state()
    found(copy, deep=True)
    assert state() == before
