"""Reading boxes: bounds, coverage, damage, and one point on every level."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import mitoem
from mitoem import checking, errors, manifest, ome
from mitoem.geometry import Box, to_level
from mitoem.ingestion import assemble, placing, shelf
from mitoem.volume import Volume, open_at


@pytest.fixture(scope="module")
def volume(small_root: Path) -> Volume:
    return mitoem.open_volume("phantom-r", data=small_root)


@settings(deadline=None, max_examples=30)
@given(data=st.data())
def test_a_box_reads_what_the_whole_holds_there(volume: Volume, data: st.DataObject) -> None:
    level = data.draw(st.integers(0, len(volume.info.levels) - 1))
    layer = data.draw(st.sampled_from(["image", "truth"]))
    shape = volume.level_shape(level)
    start = [data.draw(st.integers(0, n - 1)) for n in shape]
    stop = [data.draw(st.integers(a + 1, n)) for a, n in zip(start, shape, strict=True)]
    box = Box((start[0], start[1], start[2]), (stop[0], stop[1], stop[2]))
    whole = volume.read(level=level, layer=layer)
    assert (volume.read(box, level=level, layer=layer) == whole[box.slices]).all()


def test_a_box_or_level_outside_is_refused_with_both_values(volume: Volume) -> None:
    with pytest.raises(errors.BoxOutside, match=r"0:33.*\(32, 384, 576\)"):
        volume.read(Box((0, 0, 0), (33, 1, 1)))
    with pytest.raises(errors.LevelInvalid, match=r"level 9 .* 0 to 1"):
        volume.read(level=9)
    with pytest.raises(errors.LabelsNotFound, match="'other'; it has: truth"):
        volume.read(layer="other")


def test_an_unknown_volume_is_named_with_those_that_exist(small_root: Path) -> None:
    with pytest.raises(errors.VolumeNotFound, match="phantom-h, phantom-r"):
        mitoem.open_volume("nope", data=small_root)


def test_a_ball_lies_at_the_same_nanometres_on_every_level(tmp_path: Path) -> None:
    voxel, shape = (30.0, 8.0, 8.0), (32, 1024, 600)
    places = np.indices(shape).reshape(3, -1).T.reshape(*shape, 3) * voxel
    centre = np.array([15.0, 500.0, 300.0]) * voxel
    ball = (np.linalg.norm(places - centre, axis=-1) < 400).astype(np.uint8)
    made = assemble.create_volume(
        tmp_path,
        "ball",
        image=placing.from_array(ball * 200),
        labels=assemble.NewLabels(
            "truth", (placing.from_array(ball.astype(np.uint16)),), np.dtype(np.uint16)
        ),
        facts=assemble.Facts("ball", voxel, "test"),
    )
    assert len(made.info.levels) > 2
    for n, level in enumerate(made.info.levels):
        inside = np.argwhere(made.read(level=n, layer="truth"))
        expected = to_level((15, 500, 300), level.factors)
        assert inside.mean(axis=0) == pytest.approx(expected, abs=0.6)
        nm = inside.mean(axis=0) * level.voxel_size + [
            (f - 1) / 2 * v for f, v in zip(level.factors, voxel, strict=True)
        ]
        assert nm == pytest.approx(centre, abs=10)


def _copy(small_root: Path, tmp_path: Path) -> Volume:
    shutil.copytree(small_root / "phantom-r", tmp_path / "phantom-r")
    return open_at(tmp_path / "phantom-r")


def _flip(path: Path, at: int) -> None:
    data = bytearray(path.read_bytes())
    data[at] ^= 0xFF
    path.write_bytes(data)


@pytest.mark.parametrize("layer", ["image", "truth"])
def test_a_flipped_byte_is_an_error_of_its_chunk_alone(
    layer: str, small_root: Path, tmp_path: Path
) -> None:
    copy = _copy(small_root, tmp_path)
    below = "image.zarr/0" if layer == "image" else "image.zarr/labels/truth/0"
    _flip(tmp_path / "phantom-r" / below / "c/0/0/0", 100)
    with pytest.raises(errors.ChunkCorrupt):
        copy.read(Box((0, 0, 0), (32, 128, 128)), layer=layer)
    copy.read(Box((0, 128, 128), (32, 256, 256)), layer=layer)
    assert any(f.severity == "error" for f in checking.check(copy, deep=True, data=tmp_path))


@pytest.mark.parametrize("layer", ["image", "truth"])
def test_a_missing_shard_is_an_error_and_never_background(
    layer: str, small_root: Path, tmp_path: Path
) -> None:
    copy = _copy(small_root, tmp_path)
    below = "image.zarr/1" if layer == "image" else "image.zarr/labels/truth/1"
    (tmp_path / "phantom-r" / below / "c/0/0/0").unlink()
    with pytest.raises(errors.ChunkCorrupt):
        copy.read(level=1, layer=layer)
    found = checking.check(copy, data=tmp_path)
    assert [f for f in found if f.severity == "error" and "found None" in f.message]


def test_a_sound_volume_passes_its_deep_check(volume: Volume, small_root: Path) -> None:
    assert checking.check(volume, deep=True, data=small_root) == []


def test_labels_are_added_renamed_and_removed(small_root: Path, tmp_path: Path) -> None:
    copy = _copy(small_root, tmp_path)
    part = np.zeros((8, 40, 50), np.uint32)
    part[2:5, 3:30, 4:40] = 9
    added = mitoem.add_labels(copy, "run-1", part, offset=(3, 20, 30), data=tmp_path)
    read = added.read(layer="run-1")
    assert (read[3:11, 20:60, 30:80] == part).all() and read.sum() == part.sum()
    assert len(mitoem.table("phantom-r", "run-1", data=tmp_path)) == 1
    with pytest.raises(errors.VolumeExists, match="run-1"):
        mitoem.add_labels(copy, "run-1", part, data=tmp_path)
    with pytest.raises(errors.ShapeMismatch, match=r"\(8, 40, 50\).*\(32, 384, 576\)"):
        mitoem.add_labels(copy, "run-2", part, offset=(30, 0, 0), data=tmp_path)
    renamed = shelf.rename_labels(added, "run-1", "best")
    assert len(mitoem.stored_table(renamed, "best", data=tmp_path)) == 1
    assert (renamed.read(layer="best") == read).all()
    left = shelf.remove_labels(renamed, "best")
    assert [one.name for one in left.info.labels] == ["truth"]
    assert checking.check(left, deep=True, data=tmp_path) == []


def test_volume_json_parses_back_to_itself(volume: Volume) -> None:
    assert manifest.from_json(manifest.to_json(volume.info)) == volume.info


@pytest.mark.parametrize(
    "damage", [{"format": "x"}, {"shape": [1, 2]}, {"labels": [{}]}, {"grey": 1}]
)
def test_a_damaged_volume_json_is_a_named_error(volume: Volume, damage: dict[str, object]) -> None:
    with pytest.raises(errors.VolumeInvalid, match="here"):
        manifest.from_json(manifest.to_json(volume.info) | damage, where="here")


def test_ome_metadata_parses_back_with_the_same_nanometres(volume: Volume) -> None:
    written = ome.image_attributes(volume.info.levels, is_labels=False)
    parsed = ome.parse_multiscale(written, where="test")
    assert [d.voxel_size for d in parsed.datasets] == [x.voxel_size for x in volume.info.levels]
    assert parsed.datasets[1].translation == (0, 4, 4)


def test_ome_metadata_without_a_unit_is_refused(volume: Volume) -> None:
    written = ome.image_attributes(volume.info.levels, is_labels=False)
    for axis in written["ome"]["multiscales"][0]["axes"]:
        del axis["unit"]
    with pytest.raises(errors.VolumeInvalid, match="unit None"):
        ome.parse_multiscale(written, where="test")
