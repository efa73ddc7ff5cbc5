"""Mistakes that people make around ingest: another key, another crop, a taken name, odd headers."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import files
import h5py
import nibabel as nib
import numpy as np
import pytest
from test_ingestion import KILLED, _tree

import mitoem
from mitoem import checking, cli, errors
from mitoem.geometry import Box
from mitoem.ingestion import recognise, shelf

IMAGE, LABELS = files.image(), files.labels()
VOXEL = (30.0, 8.0, 8.0)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "root"


@pytest.fixture
def source(tmp_path: Path) -> Path:
    np.savez(tmp_path / "a.npz", image=IMAGE, labels=LABELS, other=255 - IMAGE)
    return tmp_path / "a.npz"


def test_what_a_killed_ingest_left_is_not_used_for_another_array_of_the_file(
    tmp_path: Path, root: Path
) -> None:
    shape = (300, 520, 40)
    path = tmp_path / "b.npz"
    np.savez(path, image=files.image(shape), labels=files.labels(shape), c=255 - files.image(shape))
    killed = [sys.executable, "-c", KILLED, str(root), str(path), "2"]
    assert subprocess.run(killed, check=False, cwd=Path(__file__).parents[1]).returncode == -9
    volume = mitoem.ingest("one", path, key="c", voxel_size=VOXEL, data=root)
    assert (volume.read() == 255 - files.image(shape)).all()
    assert not volume.info.labels
    assert not (root / "one/image.zarr/labels").exists()


@pytest.mark.parametrize(
    "words",
    [
        {"crop": Box((0, 0, 0), (10, 60, 70))},
        {"key": "other"},
        {"labels_key": "image"},
        {"labels_offset": (0, 0, 0)},
        {"rescale": True},
    ],
)
def test_the_same_files_with_other_words_are_another_volume(
    words: dict[str, object], source: Path, root: Path
) -> None:
    ask = {"labels": [source], "labels_key": "labels", "voxel_size": VOXEL, "data": root}
    mitoem.ingest("one", source, **ask)
    mitoem.ingest("one", source, **ask)
    before = _tree(root / "one")
    with pytest.raises(errors.VolumeExists, match="another key, crop, offset or rescaling"):
        mitoem.ingest("one", source, **(ask | words))
    assert _tree(root / "one") == before


def test_a_source_that_changes_leaves_the_volume_that_was_to_be_replaced(
    tmp_path: Path, root: Path
) -> None:
    np.save(tmp_path / "i.npy", IMAGE)
    mitoem.ingest("one", tmp_path / "i.npy", voxel_size=VOXEL, data=root)
    before = _tree(root / "one")
    np.save(tmp_path / "i.npy", 255 - IMAGE)

    def touch(done: float, stage: str) -> None:
        os.utime(tmp_path / "i.npy", (1, 1))

    with pytest.raises(errors.SourceUnreadable, match="changed while it was read"):
        mitoem.ingest(
            "one", tmp_path / "i.npy", voxel_size=VOXEL, overwrite=True, progress=touch, data=root
        )
    assert _tree(root / "one") == before
    np.save(tmp_path / "l.npy", LABELS)

    def touch_labels(done: float, stage: str) -> None:
        os.utime(tmp_path / "l.npy", (1, 1))

    with pytest.raises(errors.SourceUnreadable, match="changed while it was read"):
        mitoem.add_labels("one", "run", tmp_path / "l.npy", progress=touch_labels, data=root)
    assert not mitoem.open_volume("one", data=root).info.labels


def test_labels_added_later_lie_at_their_numbers_from_the_first_of_the_image(
    tmp_path: Path, root: Path
) -> None:
    named = {f"im{z + 1}.png": files.png(section) for z, section in enumerate(IMAGE)}
    ids = {f"seg{z + 1}.tif": files.tif(section) for z, section in enumerate(LABELS[:9])}
    image = files.folder_of(tmp_path / "i", named)
    labels = files.folder_of(tmp_path / "l", ids)
    one = mitoem.ingest("one", image, labels=[labels], voxel_size=VOXEL, data=root)
    later = mitoem.add_labels("one", "run", labels, data=root)
    assert (later.read(layer="run") == one.read(layer="truth")).all()
    crop = Box((4, 0, 0), (20, 60, 70))
    mitoem.ingest("part", image, crop=crop, voxel_size=VOXEL, data=root)
    single = files.folder_of(tmp_path / "s", {"mito/seg0008.tif": files.tif(LABELS[7])})
    added = mitoem.add_labels("part", "run", single, data=root)
    assert added.info.label_set("run").coverage[0].start[0] == 8 - 1 - 4
    assert (added.read(layer="run")[3] == LABELS[7]).all()


@pytest.mark.parametrize("name", ["image", "zarr.json"])
def test_labels_may_not_be_called_what_something_else_is(
    name: str, source: Path, root: Path
) -> None:
    volume = mitoem.ingest("one", source, voxel_size=VOXEL, data=root)
    with pytest.raises(errors.NameInvalid, match="means something else"):
        mitoem.add_labels("one", name, source, data=root)
    mitoem.add_labels("one", "run", source, data=root)
    with pytest.raises(errors.NameInvalid, match="means something else"):
        shelf.rename_labels(mitoem.open_volume("one", data=root), "run", name)
    assert (volume.read() == IMAGE).all()


def test_nothing_but_a_volume_is_replaced(source: Path, root: Path) -> None:
    (root / "notes").mkdir(parents=True)
    (root / "notes" / "mine.txt").write_text("kept")
    with pytest.raises(errors.VolumeExists, match="is no volume"):
        mitoem.ingest("notes", source, voxel_size=VOXEL, overwrite=True, data=root)
    for name in ("runs", "index.json"):
        with pytest.raises(errors.NameInvalid):
            mitoem.ingest(name, source, voxel_size=VOXEL, overwrite=True, data=root)
    assert (root / "notes" / "mine.txt").read_text() == "kept"


def test_a_volume_whose_last_labels_went_is_sound(source: Path, root: Path) -> None:
    mitoem.ingest("one", source, voxel_size=VOXEL, data=root)
    mitoem.add_labels("one", "run", source, data=root)
    shelf.remove_labels(mitoem.open_volume("one", data=root), "run")
    found = checking.check(mitoem.open_volume("one", data=root), deep=True, data=root)
    assert not [one for one in found if one.severity == "error"]


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_rescaling_a_value_that_is_no_number_is_refused(
    bad: float, tmp_path: Path, root: Path
) -> None:
    image = IMAGE.astype(np.float32)
    image[3, 5, 5], image[2, 0, 0] = bad, -1000
    np.save(tmp_path / "i.npy", image)
    with pytest.raises(errors.SourceUnsupported, match="finite"):
        mitoem.ingest("one", tmp_path / "i.npy", rescale=True, voxel_size=VOXEL, data=root)


def test_what_is_no_grey_value_is_not_rescaled(tmp_path: Path, root: Path) -> None:
    with h5py.File(tmp_path / "i.h5", "w") as file:
        file["main"] = np.full((3, 4, 5), b"grey")
    np.save(tmp_path / "c.npy", IMAGE.astype(np.complex64))
    for name in ("i.h5", "c.npy"):
        with pytest.raises(errors.SourceUnsupported, match="grey values"):
            mitoem.ingest("one", tmp_path / name, rescale=True, voxel_size=VOXEL, data=root)


SPACINGS = [
    ((8e-6, 8e-6, 3e-5), "mm", (30.0, 8.0, 8.0)),
    ((8.0, 8.0, 30.0), "mm", (30.0, 8.0, 8.0)),
    ((0.008, 0.008, 0.03), None, (30.0, 8.0, 8.0)),
    ((0.008, 0.008, 0.008), "mm", (8.0, 8.0, 8.0)),
    ((0.008, 0.008, 0.03), "micron", (30.0, 8.0, 8.0)),
    ((float("nan"), 8.0, 30.0), "mm", None),
    ((float("inf"), 8.0, 30.0), "mm", None),
    ((0.0, 8.0, 30.0), "mm", None),
    ((1e7, 1e7, 1e7), "mm", None),
]


@pytest.mark.parametrize(("spacing", "unit", "expected"), SPACINGS)
def test_a_spacing_is_read_in_the_unit_that_makes_it_a_micrographs(
    spacing: tuple[float, float, float],
    unit: str | None,
    expected: tuple[float, float, float] | None,
    tmp_path: Path,
    root: Path,
) -> None:
    picture = nib.Nifti1Image(IMAGE.transpose(2, 1, 0), np.diag([8.0, 8.0, 30.0, 1.0]))
    if unit:
        picture.header.set_xyzt_units(unit)
    nib.save(picture, tmp_path / "i.nii")
    data = bytearray((tmp_path / "i.nii").read_bytes())
    data[80:92] = np.array(spacing, "<f4").tobytes()
    (tmp_path / "i.nii").write_bytes(data)
    found = recognise(tmp_path / "i.nii").voxel_size
    assert found is None if expected is None else found == pytest.approx(expected)
    if expected is None:
        with pytest.raises(errors.VoxelSizeMissing, match="--voxel-size"):
            mitoem.ingest("one", tmp_path / "i.nii", data=root)


@pytest.mark.parametrize(
    ("size", "said"),
    [((0.03, 0.008, 0.008), r"found 0\.03 × 0\.008 × 0\.008 nm; is it in µm"),
     ((30.0, 0.008, 0.008), "in µm"),
     ((1e-300, 1e-300, 1e-300), "in µm"),
     ((1e300, 1.0, 1.0), r"expected edges of 0\.5 to 10000 nm .* found 1e\+300"),
     ((float("nan"), 8.0, 8.0), "found nan")],
)  # fmt: skip
def test_a_voxel_size_of_no_micrograph_is_refused_before_anything_is_written(
    size: tuple[float, float, float], said: str, source: Path, root: Path, tmp_path: Path
) -> None:
    with pytest.raises(errors.VoxelSizeMissing, match=said):
        mitoem.ingest("one", source, voxel_size=size, data=root)
    if min(size) > 1e-4:
        scaled = files.ome_zarr(tmp_path / "z", IMAGE, scale=size, unit="nanometer")
        with pytest.raises(errors.VoxelSizeMissing, match=f"z, OME-Zarr metadata: .*{said}"):
            mitoem.ingest("one", scaled, data=root)
    assert not root.exists()
    mitoem.ingest("one", source, voxel_size=(10_000.0, 500.0, 0.5), data=root)


def test_a_key_for_a_file_of_one_array_is_refused(tmp_path: Path, root: Path) -> None:
    np.save(tmp_path / "i.npy", IMAGE)
    (tmp_path / "i.tif").write_bytes(_stack(tmp_path, IMAGE))
    for path in (
        tmp_path / "i.npy",
        tmp_path / "i.tif",
        files.nifti(tmp_path / "i.nii", IMAGE),
        files.folder_of(tmp_path / "slices", files.slices(IMAGE)),
    ):
        with pytest.raises(errors.RequestInvalid, match=f"{path.name}: .*'raw'"):
            recognise(path, key="raw")


def test_the_key_of_the_image_is_no_fault_of_labels_that_have_none(
    tmp_path: Path, source: Path, root: Path
) -> None:
    np.save(tmp_path / "l.npy", LABELS)
    ask = {"labels": [tmp_path / "l.npy"], "voxel_size": VOXEL, "data": root}
    one = mitoem.ingest("one", source, key="image", **ask)
    assert (one.read(layer="truth") == LABELS).all()
    with pytest.raises(errors.RequestInvalid, match=r"l\.npy: expected no key"):
        mitoem.ingest("two", source, key="image", labels_key="labels", **ask)


def test_an_affine_is_read_where_the_spacing_is_a_default(tmp_path: Path) -> None:
    picture = nib.Nifti1Image(IMAGE.transpose(2, 1, 0), np.diag([10.0, 10.0, 40.0, 1.0]))
    picture.header["pixdim"][1:4] = 1
    picture.header["qform_code"], picture.header["sform_code"] = 0, 2
    nib.save(picture, tmp_path / "i.nii")
    data = bytearray((tmp_path / "i.nii").read_bytes())
    data[80:92] = np.ones(3, "<f4").tobytes()
    (tmp_path / "i.nii").write_bytes(data)
    assert recognise(tmp_path / "i.nii").voxel_size == (40.0, 10.0, 10.0)


def test_a_zip_that_holds_a_file_twice_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "i.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in files.slices(IMAGE).items():
            archive.writestr(name, data)
        with pytest.warns(UserWarning, match="Duplicate"):
            archive.writestr("im/im0003.png", files.png(IMAGE[9]))
    with pytest.raises(errors.SourceUnreadable, match=r"im/im0003\.png twice"):
        recognise(path)


def test_a_key_names_a_stack_in_a_zip_and_a_readme_does_not_count(tmp_path: Path) -> None:
    stacks = {"im.tif": _stack(tmp_path, IMAGE), "lab.tif": _stack(tmp_path, LABELS)}
    both = files.zip_of(tmp_path / "both.zip", stacks)
    assert recognise(both, key="im").dtype == np.uint8
    assert recognise(both, key="lab", role="labels").dtype == np.uint16
    volume = files.nifti(tmp_path / "v.nii.gz", IMAGE).read_bytes()
    beside = files.zip_of(tmp_path / "v.zip", {"v.nii.gz": volume, "README.txt": b"hello"})
    assert recognise(beside).shape == IMAGE.shape


def _stack(at: Path, array: np.ndarray) -> bytes:
    return files.FORMATS["tiff"](at, "stack", array).read_bytes()


def test_a_key_may_begin_with_a_slash(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "i.h5", "w") as file:
        file["volumes/raw"] = IMAGE
    assert recognise(tmp_path / "i.h5", key="/volumes/raw").shape == IMAGE.shape


def test_a_header_that_promises_more_than_the_file_has_is_refused(tmp_path: Path) -> None:
    np.save(tmp_path / "i.npy", IMAGE)
    data = (tmp_path / "i.npy").read_bytes().replace(b"(20, 60, 70)", b"(20, 60, 99)")
    (tmp_path / "i.npy").write_bytes(data)
    with pytest.raises(errors.SourceUnreadable, match=r"expected \d+ bytes"):
        recognise(tmp_path / "i.npy")


def test_no_voxels_are_a_named_error(tmp_path: Path) -> None:
    np.save(tmp_path / "i.npy", IMAGE[:0])
    with pytest.raises(errors.SourceUnreadable, match=r"i\.npy: expected voxels"):
        recognise(tmp_path / "i.npy")


def test_an_error_stands_on_a_line_of_its_own(
    tmp_path: Path, root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = files.nifti(tmp_path / "i.nii.gz", IMAGE)
    path.write_bytes(path.read_bytes()[:-5000])
    words = ["ingest", "one", "--image", str(path), "--data", str(root)]
    assert cli.main(words) == 1
    last = capsys.readouterr().err.strip().splitlines()[-1]
    assert last.startswith("mitoem: SourceUnreadable: i.nii.gz: expected")
