"""Predictions by blocks: the answer of one piece, whatever the blocks, resumed or on a cluster."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy import ndimage

import mitoem
from mitoem import errors, front, inference
from mitoem.cli import main
from mitoem.geometry import Box
from mitoem.inference import DecodeParameters, estimate, grey, load, predict_blocks, stitch
from mitoem.inference.decode import decode, grown
from mitoem.inference.stitch import same
from mitoem.inference.whole import FACE, cut, halo, write

VOXEL = (30.0, 8.0, 8.0)
EASY = DecodeParameters(mask=0.5, seed=0.5, contour=0.999, confidence=0.4, min_volume_um3=0.0005)


def _blobs(shape: tuple[int, int, int], seed: int) -> np.ndarray:
    noise = np.random.default_rng(seed).standard_normal(shape)
    smooth = ndimage.gaussian_filter(noise, (2, 5, 5))
    return np.clip(60 + smooth / smooth.std() * 70, 0, 255).astype(np.uint8)


@pytest.mark.parametrize("core", [(8, 32, 32), (7, 50, 41), (24, 96, 128)])
def test_blocks_of_one_map_are_stitched_to_what_decoding_it_whole_gives(
    core: tuple[int, int, int], tmp_path: Path
) -> None:
    mask = _blobs((24, 96, 128), seed=3)
    contour = np.zeros_like(mask)
    region = Box((5, 10, 20), (29, 106, 148))
    cuts = cut(region, core=core, halo=(4, 12, 12))
    for block in cuts:
        z, y, x = region.start
        seen = block.seen.shift((-z, -y, -x)).slices
        labels = grown(mask[seen], contour[seen], voxel_size=VOXEL, parameters=EASY)
        write(tmp_path, block, labels, mask[seen], region)
    path, count = stitch(cuts, tmp_path, voxel_size=VOXEL, parameters=EASY)
    found = np.load(path)
    want = decode(mask, contour, voxel_size=VOXEL, parameters=EASY)
    assert count == want.max() > 5
    pairs = np.unique(np.stack((found.ravel(), want.ravel())), axis=1)
    assert len(pairs[0]) == count + 1, "one to one"
    np.testing.assert_array_equal(found > 0, want > 0)


def test_blocks_cover_a_region_once_and_faces_meet() -> None:
    region = Box((3, 0, 7), (40, 70, 60))
    count = np.zeros((50, 80, 80), int)
    blocks = cut(region, core=(16, 32, 25), halo=(4, 9, 9))
    for block in blocks:
        count[block.core.slices] += 1
        assert block.seen.intersect(block.core) == block.core
    assert (count[region.slices] == 1).all() and count.sum() == region.size
    places = {block.place: block for block in blocks}
    one, other = places[0, 0, 0], places[0, 1, 0]
    assert one.face(1, 1, region) == other.face(1, 0, region)
    assert one.face(1, 0, region) is None
    assert one.face(1, 1, region).shape[1] == 2 * FACE[1]


def test_pieces_of_two_views_are_one_instance_where_they_share_most_of_both() -> None:
    def row(*ids: int) -> np.ndarray:
        return np.array(ids, np.uint32)[None, None]

    ours = row(1, 1, 1, 0, 2, 2, 2, 2)
    assert same(ours, row(7, 7, 0, 0, 0, 9, 9, 9)).tolist() == [[1, 7], [2, 9]]
    assert same(ours, row(5, 5, 5, 0, 5, 5, 5, 5)).tolist() == [[1, 5], [2, 5]], "legs of a U"
    assert same(ours, row(0, 0, 0, 0, 3, 4, 4, 4)).tolist() == [[2, 4]], "only the larger"
    assert same(ours, row(3, 0, 0, 3, 3, 0, 0, 0)).tolist() == []
    assert same(ours, np.zeros_like(ours)).shape == (0, 2)


def _predict(root: Path, folder: Path | None = None, **more: object) -> front.WholePrediction:
    return front.predict_blocks(
        "phantom-h", Box((0, 0, 0), (16, 160, 160)),
        core=(8, 96, 96), folder=folder, data=root, **more,
    )  # fmt: skip


def test_a_box_by_blocks_is_almost_the_box_in_one_piece(small_root: Path, tmp_path: Path) -> None:
    found = _predict(small_root, tmp_path / "blocks")
    want = mitoem.predict("phantom-h", found.box, data=small_root)
    assert found.blocks == 8
    assert np.mean((found.labels > 0) != (want.labels > 0)) < 0.01
    assert found.model_sha256 == want.model_sha256


def test_a_stopped_prediction_goes_on_and_its_blocks_are_not_made_again(
    small_root: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "blocks"
    seen: list[str] = []

    def watch(_: float, what: str) -> None:
        seen.append(what)

    def stop() -> bool:
        return "block 3 of 8" in seen

    with pytest.raises(errors.RunCancelled):
        _predict(small_root, folder, progress=watch, cancelled=stop)
    before = {path: path.stat().st_mtime_ns for path in folder.glob("block-*.npz")}
    assert len(before) == 3
    found = _predict(small_root, folder)
    assert all(path.stat().st_mtime_ns == at for path, at in before.items())
    other = _predict(small_root, tmp_path / "again")
    np.testing.assert_array_equal(found.labels, other.labels)
    found.discard()
    assert not folder.exists()


def test_blocks_of_another_prediction_are_refused(small_root: Path, tmp_path: Path) -> None:
    _predict(small_root, tmp_path)
    with pytest.raises(errors.RequestInvalid, match="flips False, asked for True"):
        _predict(small_root, tmp_path, flips=True)


def test_the_command_line_predicts_by_blocks(own_root: Path, tmp_path: Path, capsys) -> None:
    out = tmp_path / "found.h5"
    words = ["predict", "phantom-h", "--box", "0:16,0:160,0:160", "--blocks", "--save", "mine"]
    assert main([*words, "--out", str(out), "--data", str(own_root), "--json"]) == 0
    assert '"blocks": 1' in capsys.readouterr().out
    saved = mitoem.open_volume("phantom-h", data=own_root)
    kept = saved.read(Box((0, 0, 0), (16, 160, 160)), layer="mine")
    np.testing.assert_array_equal(kept, front.read_labels(out))
    assert not list((own_root / ".predictions").glob("*"))


def test_where_memory_is_short_the_command_line_goes_by_blocks(
    own_root: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    import psutil

    volume = mitoem.open_volume("phantom-h", data=own_root)
    box, core = Box((0, 0, 0), (16, 192, 192)), (8, 64, 64)
    parts = (box.shape, cut(box, core=core, halo=halo(load().spec, VOXEL))[0].seen.shape)
    whole, block = (estimate(n, voxel_size=volume.info.voxel_size).bytes for n in parts)
    free = psutil.virtual_memory()._replace(available=(whole + block) // 2)
    monkeypatch.setattr(psutil, "virtual_memory", lambda: free)
    monkeypatch.setattr(inference, "CORE", core)
    words = ["predict", "phantom-h", "--box", str(box), "--data", str(own_root), "--json"]
    assert main(words) == 0
    assert '"blocks": 18' in capsys.readouterr().out


def test_a_box_that_memory_cannot_hold_is_refused_before_it_is_read(
    small_root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import psutil

    free = psutil.virtual_memory()._replace(available=100_000_000)
    monkeypatch.setattr(psutil, "virtual_memory", lambda: free)
    with pytest.raises(errors.MemoryShort, match=r"needs about .* GB of memory, 0\.1 GB are free"):
        mitoem.predict("phantom-h", Box((0, 0, 0), (16, 64, 64)), data=small_root)


def test_the_blank_margin_of_a_volume_is_background(tmp_path: Path) -> None:
    image = np.zeros((16, 96, 192), np.uint8)
    image[:, :, :96] = np.random.default_rng(0).integers(0, 255, (16, 96, 96))
    blocks = predict_blocks(
        lambda box: image[box.slices], Box.whole(image.shape), identity="half",
        voxel_size=VOXEL, folder=tmp_path, core=(16, 96, 48),
    )  # fmt: skip
    assert len(blocks) == 4
    with np.load(tmp_path / blocks[-1].file) as data:
        assert not data["core"].any() and data["counts"].tolist() == [0]


def test_the_grey_values_of_a_whole_box_rule_its_blocks(small_root: Path, tmp_path: Path) -> None:
    found = _predict(small_root, tmp_path)
    image = mitoem.open_volume("phantom-h", data=small_root).read(found.box)
    want = grey.table(grey.counts(image), load().spec)
    np.testing.assert_array_equal(np.load(tmp_path / "grey.npy"), want)
