"""Files of every format become the same volume; a bad file harms nothing."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import files
import h5py
import nibabel as nib
import numpy as np
import pytest
import tifffile
import zarr
from filelock import FileLock
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import mitoem
from mitoem import errors
from mitoem.geometry import Box
from mitoem.ingestion import assemble, placing, recognise
from mitoem.pyramid import level_factors, shrink_image, shrink_labels, step

IMAGE, LABELS = files.image(), files.labels()


@pytest.mark.parametrize("name", files.FORMATS)
def test_every_format_gives_the_same_volume(name: str, tmp_path: Path) -> None:
    write = files.FORMATS[name]
    image, labels = write(tmp_path, "i", IMAGE), write(tmp_path, "l", LABELS)
    volume = mitoem.ingest(
        "one", image, labels=[labels], voxel_size=(40, 6, 6), data=tmp_path / "root"
    )
    assert (volume.read() == IMAGE).all()
    assert (volume.read(layer="truth") == LABELS).all()
    assert volume.info.voxel_size == (40, 6, 6)
    assert volume.info.label_set("truth").instances == 2
    assert volume.info.label_set("truth").dtype == "uint16"


def test_a_header_that_says_1_is_taken_as_mitoem_with_a_notice(tmp_path: Path) -> None:
    said: list[str] = []
    path = files.nifti(tmp_path / "i.nii.gz", IMAGE)
    volume = mitoem.ingest("one", path, data=tmp_path / "root", say=said.append)
    assert volume.info.voxel_size == (30, 8, 8)
    assert any("notice" in line and "30 × 8 × 8" in line for line in said)


def test_a_header_in_millimetres_is_read_as_it_is(tmp_path: Path) -> None:
    path = files.nifti(tmp_path / "i.nii.gz", IMAGE, (6e-6, 6e-6, 4e-5))
    assert recognise(path).voxel_size == (40, 6, 6)


def test_a_big_endian_nifti_reads_the_same_voxels(tmp_path: Path) -> None:
    wide = LABELS.astype(">u2")
    header = nib.Nifti1Header(endianness=">")
    header.set_data_dtype(">u2")
    picture = nib.Nifti1Image(wide.transpose(2, 1, 0), np.eye(4), header)
    nib.save(picture, tmp_path / "l.nii")
    assert (np.concatenate(list(recognise(tmp_path / "l.nii").slabs(7))) == LABELS).all()


def test_labels_beyond_uint16_are_stored_as_uint32(tmp_path: Path) -> None:
    wide = LABELS.astype(np.uint32)
    wide[wide == 700] = 2**32 - 1
    np.save(tmp_path / "l.npy", wide)
    np.save(tmp_path / "i.npy", IMAGE)
    volume = mitoem.ingest(
        "one", tmp_path / "i.npy", labels=[tmp_path / "l.npy"], voxel_size=(30, 8, 8),
        data=tmp_path / "root",
    )  # fmt: skip
    assert volume.info.label_set("truth").dtype == "uint32"
    assert (volume.read(layer="truth") == wide).all()


def test_rescaling_maps_the_range_of_the_data_to_0_to_255(tmp_path: Path) -> None:
    np.save(tmp_path / "i.npy", IMAGE.astype(np.uint16) * 100 + 50)
    with pytest.raises(errors.SourceUnsupported, match="uint16"):
        mitoem.ingest("one", tmp_path / "i.npy", voxel_size=(30, 8, 8), data=tmp_path / "root")
    volume = mitoem.ingest(
        "one", tmp_path / "i.npy", voxel_size=(30, 8, 8), rescale=True, data=tmp_path / "root"
    )
    assert (volume.read() == IMAGE).all()


def test_a_crop_takes_the_box_of_image_and_labels(tmp_path: Path) -> None:
    np.savez(tmp_path / "both.npz", image=IMAGE, labels=LABELS)
    box = Box((3, 8, 9), (17, 50, 61))
    volume = mitoem.ingest(
        "one", tmp_path / "both.npz", labels=[tmp_path / "both.npz"], voxel_size=(30, 8, 8),
        crop=box, data=tmp_path / "root",
    )  # fmt: skip
    assert (volume.read() == IMAGE[box.slices]).all()
    assert (volume.read(layer="truth") == LABELS[box.slices]).all()


def test_labels_of_a_part_lie_at_their_offset_and_cover_only_that(tmp_path: Path) -> None:
    np.save(tmp_path / "i.npy", IMAGE)
    np.save(tmp_path / "l.npy", LABELS[4:14, 5:45, 7:60])
    volume = mitoem.ingest(
        "one", tmp_path / "i.npy", labels=[tmp_path / "l.npy"], labels_offset=(4, 5, 7),
        voxel_size=(30, 8, 8), data=tmp_path / "root",
    )  # fmt: skip
    expected = np.zeros_like(LABELS)
    expected[4:14, 5:45, 7:60] = LABELS[4:14, 5:45, 7:60]
    assert (volume.read(layer="truth") == expected).all()
    assert volume.info.label_set("truth").coverage == (Box((4, 5, 7), (14, 45, 60)),)


def test_image_and_labels_of_one_file_have_a_key_each(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "both.h5", "w") as file:
        file["volumes/raw"], file["volumes/labels"] = IMAGE, LABELS
    both = tmp_path / "both.h5"
    volume = mitoem.ingest(
        "one", both, labels=[both], key="volumes/raw", labels_key="volumes/labels",
        voxel_size=(30, 8, 8), data=tmp_path,
    )  # fmt: skip
    assert (volume.read() == IMAGE).all()
    assert (volume.read(layer="truth") == LABELS).all()


def test_two_label_files_follow_each_other_along_z(tmp_path: Path) -> None:
    np.save(tmp_path / "i.npy", IMAGE)
    np.save(tmp_path / "a.npy", LABELS[:13])
    np.save(tmp_path / "b.npy", LABELS[13:])
    volume = mitoem.ingest(
        "one", tmp_path / "i.npy", labels=[tmp_path / "a.npy", tmp_path / "b.npy"],
        voxel_size=(30, 8, 8), data=tmp_path / "root",
    )  # fmt: skip
    assert (volume.read(layer="truth") == LABELS).all()


def test_the_same_sources_again_change_nothing_and_others_are_refused(tmp_path: Path) -> None:
    np.save(tmp_path / "i.npy", IMAGE)
    np.save(tmp_path / "j.npy", IMAGE[:10])
    root = tmp_path / "root"
    mitoem.ingest("one", tmp_path / "i.npy", voxel_size=(30, 8, 8), data=root)
    before = (root / "one/volume.json").stat().st_mtime_ns
    mitoem.ingest("one", tmp_path / "i.npy", voxel_size=(30, 8, 8), data=root)
    assert (root / "one/volume.json").stat().st_mtime_ns == before
    with pytest.raises(errors.VolumeExists, match=r"i\.npy"):
        mitoem.ingest("one", tmp_path / "j.npy", voxel_size=(30, 8, 8), data=root)
    with pytest.raises(errors.VolumeExists, match="voxel size"):
        mitoem.ingest("one", tmp_path / "i.npy", voxel_size=(40, 8, 8), data=root)
    other = mitoem.ingest(
        "one", tmp_path / "j.npy", voxel_size=(30, 8, 8), overwrite=True, data=root
    )
    assert other.read().shape == (10, 60, 70)


def _truncated_gzip(at: Path) -> Path:
    path = files.nifti(at / "i.nii.gz", IMAGE)
    path.write_bytes(path.read_bytes()[:-5000])
    return path


def _truncated_nifti(at: Path) -> Path:
    path = files.nifti(at / "i.nii", IMAGE)
    path.write_bytes(path.read_bytes()[:-5000])
    return path


def _truncated_tiff(at: Path) -> Path:
    path = files.FORMATS["compressed tiff"](at, "i", IMAGE)
    path.write_bytes(path.read_bytes()[:20000])
    return path


def _truncated_zip(at: Path) -> Path:
    path = files.FORMATS["zip of nii.gz"](at, "i", IMAGE)
    path.write_bytes(path.read_bytes()[:9000])
    return path


def _truncated_hdf5(at: Path) -> Path:
    path = files.FORMATS["hdf5"](at, "i", IMAGE)
    path.write_bytes(path.read_bytes()[:9000])
    return path


def _truncated_npz(at: Path) -> Path:
    path = files.FORMATS["npz"](at, "i", IMAGE)
    data = bytearray(path.read_bytes())
    data[20000:20100] = bytes(100)
    path.write_bytes(data)
    return path


def _pickled(at: Path) -> Path:
    np.save(at / "i.npy", np.array([{}], dtype=object), allow_pickle=True)
    return at / "i.npy"


def _colour(at: Path) -> Path:
    tifffile.imwrite(at / "i.tif", np.zeros((5, 9, 9, 3), np.uint8), photometric="rgb")
    return at / "i.tif"


def _write(at: Path, data: bytes) -> Path:
    (at / "i.bin").write_bytes(data)
    return at / "i.bin"


FAULTS = {
    "absent": (lambda at: at / "none.nii.gz", errors.SourceNotFound),
    "empty": (lambda at: _write(at, b""), errors.SourceUnreadable),
    "a directory": (lambda at: at, errors.SourceUnreadable),
    "text": (lambda at: _write(at, b"hello world, this is no image"), errors.SourceUnsupported),
    "truncated gzip": (_truncated_gzip, errors.SourceUnreadable),
    "truncated nifti": (_truncated_nifti, errors.SourceUnreadable),
    "truncated tiff": (_truncated_tiff, errors.SourceUnreadable),
    "truncated zip": (_truncated_zip, errors.SourceUnreadable),
    "truncated hdf5": (_truncated_hdf5, errors.SourceUnreadable),
    "damaged npz": (_truncated_npz, errors.SourceUnreadable),
    "pickled": (_pickled, errors.SourceUnsupported),
    "colour": (_colour, errors.SourceUnsupported),
    "gzip of text": (
        lambda at: _write(at, __import__("gzip").compress(b"text " * 200)),
        errors.SourceUnsupported,
    ),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_bad_image_is_a_named_error_and_leaves_nothing(name: str, tmp_path: Path) -> None:
    make, kind = FAULTS[name]
    root = tmp_path / "root"
    with pytest.raises(kind) as caught:
        mitoem.ingest("one", make(tmp_path), voxel_size=(30, 8, 8), data=root)
    assert len(str(caught.value)) > 20 and "\n" not in str(caught.value)
    assert mitoem.volumes(data=root) == []
    assert not [path for path in root.glob("*") if path.name != ".locks"]


@pytest.mark.parametrize(
    ("labels", "kind", "said"),
    [
        (LABELS.astype(np.float32), errors.LabelsInvalid, "float32"),
        (-LABELS.astype(np.int32), errors.LabelsInvalid, "found -3"),
        (LABELS.astype(np.int64) + 2**33, errors.LabelsInvalid, "4294967295"),
        (np.zeros_like(LABELS), errors.LabelsInvalid, "found none"),
        (LABELS[:, :50], errors.ShapeMismatch, "(20, 50, 70)"),
        (LABELS[:19], errors.ShapeMismatch, "(19, 60, 70)"),
    ],
)
def test_bad_labels_are_a_named_error_and_leave_nothing(
    labels: np.ndarray, kind: type[Exception], said: str, tmp_path: Path
) -> None:
    np.save(tmp_path / "i.npy", IMAGE)
    np.save(tmp_path / "l.npy", labels)
    root = tmp_path / "root"
    with pytest.raises(kind) as caught:
        mitoem.ingest(
            "one", tmp_path / "i.npy", labels=[tmp_path / "l.npy"], voxel_size=(30, 8, 8),
            data=root,
        )  # fmt: skip
    assert said in str(caught.value)
    assert mitoem.volumes(data=root) == []


def test_a_file_without_a_voxel_size_is_asked_for_it(tmp_path: Path) -> None:
    np.save(tmp_path / "i.npy", IMAGE)
    with pytest.raises(errors.VoxelSizeMissing, match="--voxel-size"):
        mitoem.ingest("one", tmp_path / "i.npy", data=tmp_path / "root")


def test_a_full_disk_is_named_before_anything_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    np.save(tmp_path / "i.npy", IMAGE)
    usage = __import__("shutil").disk_usage(tmp_path)
    monkeypatch.setattr(assemble.shutil, "disk_usage", lambda _: usage._replace(free=1000))
    with pytest.raises(errors.DiskFull, match="1,000 are free"):
        mitoem.ingest("one", tmp_path / "i.npy", voxel_size=(30, 8, 8), data=tmp_path / "root")
    assert mitoem.volumes(data=tmp_path / "root") == []


def test_two_processes_do_not_write_one_volume(tmp_path: Path) -> None:
    np.save(tmp_path / "i.npy", IMAGE)
    root = tmp_path / "root"
    (root / ".locks").mkdir(parents=True)
    with FileLock(root / ".locks" / "one.lock"), pytest.raises(errors.VolumeExists, match="being"):
        mitoem.ingest("one", tmp_path / "i.npy", voxel_size=(30, 8, 8), data=root)


def test_names_outside_the_alphabet_are_refused(tmp_path: Path) -> None:
    for name in ("", "a/b", "..", "-x", "ü", "a" * 65, "a b"):
        with pytest.raises(errors.NameInvalid):
            mitoem.ingest(name, tmp_path / "i.npy", data=tmp_path)


def test_a_volume_written_twice_is_the_same_to_the_byte(tmp_path: Path) -> None:
    np.savez(tmp_path / "b.npz", image=IMAGE, labels=LABELS)
    trees = []
    for root in (tmp_path / "a", tmp_path / "b"):
        mitoem.ingest(
            "one", tmp_path / "b.npz", labels=[tmp_path / "b.npz"], voxel_size=(30, 8, 8), data=root
        )
        found = sorted(p for p in (root / "one").rglob("*") if p.is_file())
        trees.append({str(p.relative_to(root)): p.read_bytes() for p in found})
    assert trees[0] == trees[1]


def test_what_is_written_opens_in_zarr_python_with_the_same_voxels(tmp_path: Path) -> None:
    np.savez(tmp_path / "b.npz", image=IMAGE, labels=LABELS)
    mitoem.ingest(
        "one", tmp_path / "b.npz", labels=[tmp_path / "b.npz"], voxel_size=(30, 8, 8),
        data=tmp_path,
    )  # fmt: skip
    group = zarr.open_group(tmp_path / "one/image.zarr", mode="r")
    assert (np.asarray(group["0"]) == IMAGE).all()
    assert (np.asarray(group["labels/truth/0"]) == LABELS).all()
    ome = json.loads((tmp_path / "one/image.zarr/zarr.json").read_text())["attributes"]["ome"]
    assert ome["version"] == "0.5"


@settings(deadline=None, max_examples=12, suppress_health_check=[HealthCheck.too_slow])
@given(
    shape=st.tuples(st.integers(1, 80), st.integers(1, 700), st.integers(1, 700)),
    depth=st.integers(1, 50),
    data=st.data(),
)
def test_every_level_follows_from_the_finer_one_however_the_sections_arrive(
    tmp_path_factory: pytest.TempPathFactory,
    shape: tuple[int, int, int],
    depth: int,
    data: st.DataObject,
) -> None:
    root = tmp_path_factory.mktemp("levels")
    rng = np.random.default_rng(5)
    image = rng.integers(0, 256, shape, dtype=np.uint8)
    start = tuple(data.draw(st.integers(0, n - 1)) for n in shape)
    part = rng.integers(1, 4, [n - a for n, a in zip(shape, start, strict=True)]).astype(np.uint16)
    volume = assemble.create_volume(
        root,
        "v",
        image=placing.Placed(
            shape,
            lambda _, start=0: (image[z : z + depth] for z in range(start, shape[0], depth)),
        ),
        labels=assemble.NewLabels(
            "truth", (placing.from_array(part, offset=start),), np.dtype(np.uint16)
        ),
        facts=assemble.Facts("v", (30, 8, 8), "test"),
    )
    expected = np.zeros(shape, np.uint16)
    expected[start[0] :, start[1] :, start[2] :] = part
    fine, ids = image, expected
    factors = level_factors(shape, (30, 8, 8))
    for level in range(len(factors)):
        if level:
            by = step(factors[level - 1], factors[level])
            fine, ids = shrink_image(fine, by), shrink_labels(ids, by)
        assert (volume.read(level=level) == fine).all()
        assert (volume.read(level=level, layer="truth") == ids).all()


def test_a_source_that_holds_too_few_sections_is_named(tmp_path: Path) -> None:
    short = placing.Placed((9, 20, 20), lambda depth, start=0: iter([IMAGE[:8, :20, :20]]))
    with pytest.raises(errors.SourceUnreadable, match="z = 9"):
        assemble.create_volume(
            tmp_path, "v", image=short, facts=assemble.Facts("v", (30, 8, 8), "test")
        )


KILLED = """
import os, sys
from pathlib import Path
import numpy as np
from mitoem.ingestion import layer
import mitoem
root, source, at = sys.argv[1], sys.argv[2], int(sys.argv[3])
count = 0
store = layer.LayerWriter._store
def dying(self, *words):
    global count
    store(self, *words)
    self._wait(0)
    count += 1
    if count == at:
        os.kill(os.getpid(), 9)
layer.LayerWriter._store = dying
mitoem.ingest("one", source, labels=[source], voxel_size=(30, 8, 8), data=root)
"""


def _tree(root: Path) -> dict[str, bytes]:
    found = sorted(path for path in root.rglob("*") if path.is_file())
    return {str(path.relative_to(root)): path.read_bytes() for path in found}


@pytest.mark.parametrize("at", [1, 2, 3, 5, 8])
def test_a_killed_ingest_resumes_to_the_same_bytes(at: int, tmp_path: Path) -> None:
    shape = (300, 520, 40)
    np.savez(tmp_path / "b.npz", image=files.image(shape), labels=files.labels(shape))
    source, root = tmp_path / "b.npz", tmp_path / "root"
    killed = [sys.executable, "-c", KILLED, str(root), str(source), str(at)]
    assert subprocess.run(killed, check=False, cwd=Path(__file__).parents[1]).returncode == -9
    assert mitoem.volumes(data=root) == []
    written = {path: path.stat().st_mtime_ns for path in (root / ".partial-one").rglob("c/*/*/*")}
    assert written
    mitoem.ingest("one", source, labels=[source], voxel_size=(30, 8, 8), data=root)
    after = {path.relative_to(root / "one"): path for path in (root / "one").rglob("c/*/*/*")}
    for path, time in written.items():
        assert after[path.relative_to(root / ".partial-one")].stat().st_mtime_ns == time
    whole = tmp_path / "whole"
    mitoem.ingest("one", source, labels=[source], voxel_size=(30, 8, 8), data=whole)
    assert _tree(root / "one") == _tree(whole / "one")


def test_what_a_killed_ingest_left_is_not_used_for_another_source(tmp_path: Path) -> None:
    shape = (300, 520, 40)
    np.savez(tmp_path / "b.npz", image=files.image(shape), labels=files.labels(shape))
    source, root = tmp_path / "b.npz", tmp_path / "root"
    killed = [sys.executable, "-c", KILLED, str(root), str(source), "2"]
    assert subprocess.run(killed, check=False, cwd=Path(__file__).parents[1]).returncode == -9
    other = 255 - files.image(shape)
    np.savez(source, image=other, labels=files.labels(shape))
    volume = mitoem.ingest("one", source, labels=[source], voxel_size=(30, 8, 8), data=root)
    assert (volume.read() == other).all()


def test_a_source_that_changes_while_it_is_read_is_noticed(tmp_path: Path) -> None:
    source, root = tmp_path / "i.npy", tmp_path / "root"
    np.save(source, files.image((300, 200, 200)))

    def changing(done: float, stage: str) -> None:
        with source.open("r+b") as file:
            file.seek(5000)
            file.write(b"x")

    with pytest.raises(errors.SourceUnreadable, match=r"i\.npy: changed while it was read"):
        mitoem.ingest("one", source, voxel_size=(30, 8, 8), data=root, progress=changing)
    assert mitoem.volumes(data=root) == []
    assert not list(root.glob(".partial-*"))


FILLED = """
import sys
from pathlib import Path
import mitoem
from mitoem.errors import DiskFull
root, source = Path(sys.argv[1]), sys.argv[2]
filler = root / "filler"
def fill(done, stage):
    if done > 0.6 and not filler.exists():
        with filler.open("wb", buffering=0) as file:
            try:
                while True:
                    file.write(bytes(1 << 16))
            except OSError:
                pass
try:
    mitoem.ingest("one", source, voxel_size=(30, 8, 8), data=root, progress=fill)
except DiskFull as error:
    assert "the disk is full" in str(error), error
else:
    raise AssertionError("the disk did not fill")
assert mitoem.volumes(data=root) == []
kept = {path: path.stat().st_mtime_ns for path in (root / ".partial-one").rglob("c/*/*/*")}
assert kept
filler.unlink()
mitoem.ingest("one", source, voxel_size=(30, 8, 8), data=root)
for path, time in kept.items():
    there = root / "one" / path.relative_to(root / ".partial-one")
    assert there.stat().st_mtime_ns == time
import shutil
shutil.copytree(root / "one", sys.argv[3])
"""


def test_a_disk_that_fills_half_way_leaves_what_resumes_to_the_same_bytes(tmp_path: Path) -> None:
    own_disk = ["unshare", "--user", "--map-root-user", "--mount"]
    if subprocess.run([*own_disk, "true"], check=False, capture_output=True).returncode:
        pytest.skip("this machine lets nobody mount a disk of their own to fill")
    source, small = tmp_path / "i.npy", tmp_path / "small"
    small.mkdir()
    np.save(source, files.image((300, 300, 300)))
    mounted = 'mount -t tmpfs -o size=80m tmpfs "$1" && exec "$2" -c "$3" "$1" "$4" "$5"'
    words = [str(small), sys.executable, FILLED, str(source), str(tmp_path / "copy")]
    subprocess.run(
        [*own_disk, "sh", "-c", mounted, "sh", *words], check=True, cwd=Path(__file__).parents[1]
    )
    whole = tmp_path / "whole"
    mitoem.ingest("one", source, voxel_size=(30, 8, 8), data=whole)
    assert _tree(tmp_path / "copy") == _tree(whole / "one")


def test_a_path_with_spaces_and_umlauts_works(tmp_path: Path) -> None:
    root = tmp_path / "Ein Ordner mit ü und 100%"
    root.mkdir()
    np.save(root / "bild ä.npy", IMAGE)
    volume = mitoem.ingest("one", root / "bild ä.npy", voxel_size=(30, 8, 8), data=root)
    assert (volume.read() == IMAGE).all()
    assert volume.path == root / "one"


def test_labels_of_which_one_voxel_moved_are_another_version(tmp_path: Path) -> None:
    labels = np.zeros((8, 64, 64), np.uint16)
    labels[2:5, 10:20, 10:20] = 3
    np.save(tmp_path / "i.npy", np.zeros(labels.shape, np.uint8))
    root = tmp_path / "root"
    mitoem.ingest("one", tmp_path / "i.npy", voxel_size=(30, 8, 8), data=root)
    versions = []
    for shift in (0, 1, 0):
        moved = np.roll(labels, shift, axis=2)
        volume = mitoem.add_labels("one", "guess", moved, overwrite=True, data=root)
        sizes = volume.info.shards["guess/0"]
        versions.append((volume.version("guess"), tuple(sizes.values())))
    assert versions[0] == versions[2]
    assert versions[0][1] == versions[1][1], "the sizes of the files do not tell them apart"
    assert versions[0][0] != versions[1][0]
