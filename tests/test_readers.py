"""Readers hand on the voxels from any section on; every fault is one named line."""

from __future__ import annotations

import copy
import io
import json
import os
import struct
import zipfile
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import files
import h5py
import numpy as np
import pytest
import tifffile
import zarr
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

import mitoem
from mitoem import errors
from mitoem.geometry import Box
from mitoem.ingestion import numbering, recognise
from mitoem.ingestion.digest import sha256_of, stamp

SHAPE = (9, 20, 24)
IMAGE = files.image(SHAPE)
LABELS = np.random.default_rng(4).integers(0, 900, SHAPE, dtype=np.uint16)

SIZE = (30, 8, 8)


def voxels(path: Path, *, depth: int = 4, start: int = 0, **asked: str) -> np.ndarray:
    return np.concatenate(list(recognise(path, **asked).slabs(depth, start)))


@pytest.mark.parametrize("name", files.FORMATS)
@pytest.mark.parametrize(("depth", "start"), [(1, 8), (4, 3), (100, 0)])
def test_every_format_can_be_read_from_any_section_on(
    name: str, depth: int, start: int, tmp_path: Path
) -> None:
    path = files.FORMATS[name](tmp_path, "i", IMAGE)
    assert (voxels(path, depth=depth, start=start) == IMAGE[start:]).all()
    path = files.FORMATS[name](tmp_path, "l", LABELS)
    assert (voxels(path, depth=depth, start=start, role="labels") == LABELS[start:]).all()


def _largest(path: Path) -> Path:
    found = [path, *path.rglob("*")]
    return max((one for one in found if one.is_file()), key=lambda one: one.stat().st_size)


@pytest.mark.parametrize("name", files.FORMATS)
@pytest.mark.parametrize("keep", [0.0, 0.1, 0.5, 0.97])
def test_a_truncated_file_of_any_format_is_a_named_error(
    name: str, keep: float, tmp_path: Path
) -> None:
    path = files.FORMATS[name](tmp_path, "i", IMAGE)
    file = _largest(path)
    file.write_bytes(file.read_bytes()[: int(file.stat().st_size * keep)])
    with pytest.raises((errors.SourceUnreadable, errors.SourceUnsupported)) as caught:
        voxels(path)
    assert path.name in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize("name", [one for one in files.FORMATS if "rgb" not in one])
def test_an_image_of_16_bits_is_refused_in_any_format(name: str, tmp_path: Path) -> None:
    path = files.FORMATS[name](tmp_path, "i", IMAGE.astype(np.uint16) * 7)
    with pytest.raises(errors.SourceUnsupported, match="uint16"):
        mitoem.ingest("one", path, voxel_size=SIZE, data=tmp_path / "root")


@pytest.mark.parametrize(
    ("name", "dtype"),
    [(name, dtype) for name in files.FORMATS for dtype in ("int16", "float32")
     if "rgb" not in name and (name, dtype) != ("tiff of one page", "int16")],  # ImageJ has none
)  # fmt: skip
def test_signed_ids_below_0_and_floats_are_refused_in_any_format(
    name: str, dtype: str, tmp_path: Path
) -> None:
    image = files.FORMATS["npy"](tmp_path, "i", IMAGE)
    labels = files.FORMATS[name](tmp_path, "l", -LABELS.astype(dtype))
    with pytest.raises(errors.LabelsInvalid, match=r"float32|ids from 0"):
        mitoem.ingest("one", image, labels=[labels], voxel_size=SIZE, data=tmp_path / "root")
    assert mitoem.volumes(data=tmp_path / "root") == []


@pytest.fixture(scope="module")
def originals(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A small image in every format."""
    root = tmp_path_factory.mktemp("originals")
    small = files.image((5, 12, 14))
    places = {name: root / str(n) for n, name in enumerate(files.FORMATS)}
    for place in places.values():
        place.mkdir()
    return {name: write(places[name], "i", small) for name, write in files.FORMATS.items()}


@settings(deadline=None, max_examples=250, derandomize=True)
@given(name=st.sampled_from(sorted(files.FORMATS)), data=st.data())
def test_damage_anywhere_gives_voxels_or_a_named_error(
    originals: dict[str, Path], name: str, data: st.DataObject
) -> None:
    found = [originals[name], *sorted(originals[name].rglob("*"))]
    file = data.draw(st.sampled_from([one for one in found if one.is_file()]))
    whole = file.read_bytes()
    at = data.draw(st.integers(0, len(whole) - 1))
    instead = data.draw(st.binary(max_size=4))
    file.write_bytes(whole[:at] + instead + whole[at + data.draw(st.integers(0, 8)) :])
    try:
        source = recognise(originals[name], role=data.draw(st.sampled_from(["image", "labels"])))
        if np.prod(source.shape) < 1 << 24:
            for _ in source.slabs(3):
                pass
    except errors.MitoEMError as error:
        assert "\n" not in str(error)
    finally:
        file.write_bytes(whole)


Members = dict[str, bytes]
PNGS, TIFS = files.slices(IMAGE), files.slices(IMAGE, name="im{:04d}.tif", encode=files.tif)


def _without(members: Members, *numbers: int) -> Members:
    return {name: data for i, (name, data) in enumerate(members.items()) if i not in numbers}


def _with_bits(bits: str) -> bytes:
    data = io.BytesIO()
    Image.fromarray(IMAGE[0]).convert(bits).save(data, "PNG")
    return data.getvalue()


def _huge_png() -> bytes:
    """A header of 2^30 pixels before a few bytes, with a true checksum."""
    header = b"IHDR" + struct.pack(">IIBBBBB", 1 << 15, 1 << 15, 8, 0, 0, 0, 0)
    start = PNGS["im/im0000.png"][:8] + struct.pack(">I", 13) + header
    crc = __import__("zlib").crc32(header)
    return start + struct.pack(">I", crc) + PNGS["im/im0000.png"][33:]


def _pages(section: np.ndarray) -> bytes:
    data = io.BytesIO()
    tifffile.imwrite(data, np.stack([section] * 2))
    return data.getvalue()


colour = np.stack([IMAGE[0], IMAGE[0], IMAGE[1]], -1)
see_through = np.dstack([files.rgb(IMAGE[0]), IMAGE[0]])
narrow = files.png(IMAGE[0][:, :20])

SLICES: dict[str, tuple[Members, type[Exception], str]] = {
    "missing": (_without(PNGS, 3, 4), errors.SourceUnreadable, "im/im0003.png, im/im0004.png"),
    "duplicate": (PNGS | {"b/im2.png": PNGS["im/im0002.png"]}, errors.SourceUnreadable, "slice 2"),
    "text called a slice": (
        PNGS | {"im/im0020.png": b"hello"}, errors.SourceUnreadable, "im0020.png"
    ),
    "no number": (PNGS | {"im/last.png": narrow}, errors.SourceUnsupported, "last.png"),
    "unequal": (PNGS | {"im/im0004.png": narrow}, errors.SourceUnreadable, "20 × 24 uint8, found"),
    "unequal tif": (
        TIFS | {"im0004.tif": files.tif(IMAGE[0, :9])}, errors.SourceUnreadable, "9 × 24"
    ),
    "other dtype": (
        TIFS | {"im0004.tif": files.tif(LABELS[0])}, errors.SourceUnreadable, "uint16"
    ),
    "empty": (PNGS | {"im/im0004.png": b""}, errors.SourceUnreadable, "0 bytes"),
    "truncated png": (
        PNGS | {"im/im0004.png": PNGS["im/im0004.png"][:-60]}, errors.SourceUnreadable, "im0004"
    ),
    "truncated tif": (
        TIFS | {"im0004.tif": TIFS["im0004.tif"][:-60]}, errors.SourceUnreadable, "im0004"
    ),
    "colour": (PNGS | {n: files.png(colour) for n in PNGS}, errors.SourceUnsupported, "colours"),
    "see-through": (
        PNGS | {n: files.png(see_through) for n in PNGS}, errors.SourceUnsupported, "transparency"
    ),
    "palette": (PNGS | {"im/im0000.png": _with_bits("P")}, errors.SourceUnsupported, "palette"),
    "1 bit": (PNGS | {"im/im0000.png": _with_bits("1")}, errors.SourceUnsupported, "1 bits"),
    "lying header": ({"im/im0.png": _huge_png()}, errors.SourceUnreadable, "at most"),
    "a file too large": (
        PNGS | {"im/im0004.png": PNGS["im/im0004.png"] + bytes(1 << 21)},
        errors.SourceUnreadable, "at most",
    ),
    "several pages": (
        {n: _pages(IMAGE[0]) for n in TIFS}, errors.SourceUnsupported, "one page per slice"
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", SLICES)
@pytest.mark.parametrize("kind", ["zip", "folder"])
def test_bad_slices_are_a_named_error_and_leave_nothing(
    name: str, kind: str, tmp_path: Path
) -> None:
    members, error, said = SLICES[name]
    path = tmp_path / "Bilder ü 100%"
    (files.zip_of if kind == "zip" else files.folder_of)(path, members)
    with pytest.raises(error) as caught:
        mitoem.ingest("one", path, voxel_size=SIZE, data=tmp_path / "root")
    assert path.name in str(caught.value) and said in str(caught.value)
    assert mitoem.volumes(data=tmp_path / "root") == []
    assert not [one for one in (tmp_path / "root").glob("*") if one.name != ".locks"]


def _link(archive: zipfile.ZipFile) -> None:
    link = zipfile.ZipInfo("im/im0009.png")
    link.external_attr = 0o120777 << 16
    archive.writestr(link, "/etc/passwd")


def _patched(path: Path, change: Callable[[bytearray, int], None]) -> None:
    """Change every entry of the central directory, at its offset."""
    data = bytearray(path.read_bytes())
    at = data.find(b"PK\x01\x02")
    while at >= 0:
        change(data, at)
        at = data.find(b"PK\x01\x02", at + 4)
    path.write_bytes(data)


def _set_size(size: int) -> Callable[[bytearray, int], None]:
    return lambda data, at: struct.pack_into("<I", data, at + 24, size)


def _encrypt(data: bytearray, at: int) -> None:
    data[at + 8] |= 1


@pytest.mark.parametrize(
    ("name", "said"),
    [("../im0009.png", "leaves"), ("/im0009.png", "leaves"), ("a\\..\\..\\im0009.png", "leaves"),
     ("C:\\im0009.png", "leaves")],
)  # fmt: skip
def test_a_zip_with_names_outside_it_is_refused(name: str, said: str, tmp_path: Path) -> None:
    path = files.zip_of(tmp_path / "z.zip", PNGS | {name: PNGS["im/im0000.png"]})
    with pytest.raises(errors.SourceUnreadable, match=said):
        recognise(path)


def test_a_zip_with_a_link_is_refused(tmp_path: Path) -> None:
    path = files.zip_of(tmp_path / "z.zip", PNGS)
    with zipfile.ZipFile(path, "a") as archive:
        _link(archive)
    with pytest.raises(errors.SourceUnreadable, match="link"):
        recognise(path)


def test_an_encrypted_zip_is_refused(tmp_path: Path) -> None:
    for inside in (PNGS, {"a.npy": b"\x93NUMPY"}):
        path = files.zip_of(tmp_path / "z.zip", inside)
        _patched(path, _encrypt)
        with pytest.raises(errors.SourceUnsupported, match="encrypted"):
            recognise(path)


@pytest.mark.parametrize("size", [0xFFFFFF00, 1 << 22])
def test_a_zip_that_declares_more_than_its_volume_is_refused(size: int, tmp_path: Path) -> None:
    path = files.zip_of(tmp_path / "z.zip", PNGS)
    _patched(path, _set_size(size))
    with pytest.raises(errors.SourceUnreadable, match="at most"):
        recognise(path)


def test_a_zip_whose_members_are_longer_than_declared_is_noticed(tmp_path: Path) -> None:
    path = files.zip_of(tmp_path / "z.zip", PNGS)
    _patched(path, _set_size(200))
    with pytest.raises(errors.SourceUnreadable, match="CRC"):
        voxels(path)


def test_a_bomb_is_refused_before_it_is_opened(tmp_path: Path) -> None:
    bomb = files.nifti(tmp_path / "i.nii", IMAGE).read_bytes() + bytes(1 << 23)
    path = files.zip_of(tmp_path / "z.zip", {"i.nii": bomb})
    with pytest.raises(errors.SourceUnreadable, match="at most"):
        recognise(path)


@pytest.mark.parametrize("name", ["nii", "npy", "npz", "nii.gz", "zip of nii.gz"])
def test_voxels_behind_the_last_section_are_noticed(name: str, tmp_path: Path) -> None:
    plain = files.nifti(tmp_path / "p.nii", IMAGE).read_bytes() + b"x"
    if name == "nii":
        path = files.folder_of(tmp_path, {"i.nii": plain}) / "i.nii"
    elif name.endswith("nii.gz"):
        data = __import__("gzip").compress(plain)
        path = tmp_path / "i.nii.gz"
        path.write_bytes(data)
        path = path if name == "nii.gz" else files.zip_of(tmp_path / "z.zip", {"i.nii.gz": data})
    else:
        data = io.BytesIO()
        np.save(data, IMAGE)
        path = tmp_path / "i.npy"
        path.write_bytes(data.getvalue() + b"x")
        if name == "npz":
            path = files.zip_of(tmp_path / "i.npz", {"image.npy": path.read_bytes()})
    with pytest.raises(errors.SourceUnreadable, match="more behind"):
        voxels(path)


def test_a_flipped_byte_in_a_gzip_or_zip_fails_its_checksum(tmp_path: Path) -> None:
    for name in ("nii.gz", "npz", "zip of slices"):
        path = files.FORMATS[name](tmp_path, "i", IMAGE)
        data = bytearray(path.read_bytes())
        data[len(data) // 2] ^= 1
        path.write_bytes(data)
        with pytest.raises(errors.SourceUnreadable):
            voxels(path)


def test_labels_may_have_gaps_which_their_coverage_shows(tmp_path: Path) -> None:
    image = files.zip_of(tmp_path / "i.zip", PNGS)
    inside = files.train_and_validation(LABELS, split=4)
    kept = {name: data for i, (name, data) in enumerate(inside.items()) if i not in (2, 6)}
    labels = files.zip_of(tmp_path / "l.zip", kept)
    volume = mitoem.ingest("one", image, labels=[labels], voxel_size=SIZE, data=tmp_path / "root")
    expected = LABELS.copy()
    expected[[2, 6]] = 0
    assert (volume.read(layer="truth") == expected).all()
    boxes = [(box.start[0], box.stop[0]) for box in volume.info.label_set("truth").coverage]
    assert boxes == [(0, 2), (3, 6), (7, 9)]


@pytest.mark.parametrize("order", [1, -1])
def test_numbered_labels_lie_at_their_numbers_in_any_order_of_the_files(
    order: int, tmp_path: Path
) -> None:
    image = files.folder_of(tmp_path / "i", PNGS)
    inside = list(files.train_and_validation(LABELS, split=4).items())
    parts = [files.zip_of(tmp_path / "a.zip", dict(inside[:4])),
             files.folder_of(tmp_path / "b", dict(inside[5:]))]  # fmt: skip
    volume = mitoem.ingest(
        "one", image, labels=parts[::order], voxel_size=SIZE, data=tmp_path / "root"
    )
    read = volume.read(layer="truth")
    assert (read[:4] == LABELS[:4]).all() and (read[5:] == LABELS[5:]).all()
    assert not read[4].any()


def test_the_first_number_of_the_image_is_its_first_section(tmp_path: Path) -> None:
    image = files.folder_of(tmp_path / "i", _without(PNGS, 0, 1, 2))
    labels = files.slices(LABELS, name="seg{:04d}.tif", encode=files.tif)
    inside = files.folder_of(tmp_path / "l", _without(labels, 0, 1, 2, 3, 8))
    volume = mitoem.ingest("one", image, labels=[inside], voxel_size=SIZE, data=tmp_path / "root")
    assert (volume.read() == IMAGE[3:]).all()
    assert (volume.read(layer="truth")[1:5] == LABELS[4:8]).all()
    before = files.folder_of(tmp_path / "m", _without(labels, 0, 1))
    with pytest.raises(errors.ShapeMismatch, match="from number 3"):
        mitoem.ingest("two", image, labels=[before], voxel_size=SIZE, data=tmp_path / "root")


def test_label_slices_beyond_the_image_are_refused(tmp_path: Path) -> None:
    image = files.folder_of(tmp_path / "i", _without(PNGS, 7, 8))
    inside = files.slices(LABELS, name="seg{:04d}.tif", encode=files.tif)
    labels = files.folder_of(tmp_path / "l", inside)
    with pytest.raises(errors.ShapeMismatch, match="number 8 leave the image's 0 to 6"):
        mitoem.ingest("one", image, labels=[labels], voxel_size=SIZE, data=tmp_path / "root")


def test_an_offset_places_numbered_labels_whatever_their_numbers(tmp_path: Path) -> None:
    image = files.folder_of(tmp_path / "i", PNGS)
    inside = files.slices(LABELS[:3], name="seg{}.tif", encode=files.tif)
    moved = {name.replace("seg", "seg40"): data for name, data in inside.items()}
    labels = files.folder_of(tmp_path / "l", moved)
    volume = mitoem.ingest(
        "one", image, labels=[labels], labels_offset=(5, 0, 0), voxel_size=SIZE,
        data=tmp_path / "root",
    )  # fmt: skip
    assert (volume.read(layer="truth")[5:8] == LABELS[:3]).all()


def test_labels_add_places_slices_at_their_numbers(tmp_path: Path) -> None:
    root = tmp_path / "root"
    mitoem.ingest("one", files.folder_of(tmp_path / "i", PNGS), voxel_size=SIZE, data=root)
    inside = files.slices(LABELS, name="seg{:04d}.tif", encode=files.tif)
    labels = files.folder_of(tmp_path / "l", _without(inside, 0, 1, 2, 3))
    volume = mitoem.add_labels("one", "late", labels, data=root)
    assert volume.info.label_set("late").coverage == (Box((4, 0, 0), SHAPE),)


def test_a_crop_moves_the_parts_of_numbered_labels_with_the_image(tmp_path: Path) -> None:
    image = files.folder_of(tmp_path / "i", PNGS)
    inside = files.slices(LABELS, name="seg{:04d}.tif", encode=files.tif)
    labels = files.folder_of(tmp_path / "l", _without(inside, 3))
    box = Box((2, 4, 5), (7, 20, 24))
    volume = mitoem.ingest(
        "one", image, labels=[labels], voxel_size=SIZE, crop=box, data=tmp_path / "root"
    )
    expected = LABELS[box.slices].copy()
    expected[1] = 0
    assert (volume.read(layer="truth") == expected).all()
    with pytest.raises(errors.BoxOutside, match="crop"):
        mitoem.ingest(
            "two", image, labels=[files.folder_of(tmp_path / "m", _without(inside, *range(7)))],
            voxel_size=SIZE, crop=box, data=tmp_path / "root",
        )  # fmt: skip


def test_labels_narrower_than_others_are_widened(tmp_path: Path) -> None:
    few = np.minimum(LABELS, 200)
    inside = {
        name: files.png(section.astype(np.uint8) if z % 2 == 0 else section)
        for z, (name, section) in enumerate(zip(PNGS, few, strict=True))
    }
    path = files.folder_of(tmp_path / "l", inside)
    assert (voxels(path, role="labels") == few).all()


def test_rgb_ids_go_up_to_2_to_the_24(tmp_path: Path) -> None:
    wide = LABELS.astype(np.uint32) * 18641
    encoded = files.slices(wide, encode=lambda one: files.png(files.rgb(one)))
    path = files.zip_of(tmp_path / "l.zip", encoded)
    assert wide.max() > 2**23
    assert (voxels(path, role="labels") == wide).all()


def test_reading_from_a_section_on_does_not_open_the_slices_before(tmp_path: Path) -> None:
    path = files.folder_of(tmp_path / "i", PNGS)
    source = recognise(path)
    for number in (2, 3):
        (path / f"im/im{number:04d}.png").unlink()
    assert (np.concatenate(list(source.slabs(2, 4))) == IMAGE[4:]).all()


def test_what_desktops_leave_in_folders_is_no_slice(tmp_path: Path) -> None:
    left = {"im/.DS_Store": b"x", "im/Thumbs.db": b"x", "im/._im0000.png": b"x"}
    path = files.folder_of(tmp_path / "i", PNGS)
    digest = sha256_of(path)
    files.folder_of(path, left)
    assert (voxels(path) == IMAGE).all()
    assert sha256_of(path) == digest


def test_a_folder_is_told_by_its_names_and_content_and_not_by_its_own_name(tmp_path: Path) -> None:
    one, two = (files.folder_of(tmp_path / name, PNGS) for name in "ab")
    assert sha256_of(one) == sha256_of(two)
    before = stamp(one)
    os.utime(one / "im/im0003.png", (1, 1))
    assert stamp(one) != before
    (two / "im/im0003.png").rename(two / "im/im0099.png")
    assert sha256_of(one) != sha256_of(two)


def test_a_zip_of_several_volumes_asks_which(tmp_path: Path) -> None:
    inside = {
        f"{name}.nii.gz": files.nifti(tmp_path / "x.nii.gz", array).read_bytes()
        for name, array in {"train": IMAGE, "test": 255 - IMAGE}.items()
    }
    path = files.zip_of(tmp_path / "z.zip", inside)
    with pytest.raises(errors.SourceUnsupported, match=r"--key .* found 2 \(test\.nii\.gz"):
        recognise(path)
    assert (voxels(path, key="train.nii.gz") == IMAGE).all()
    assert (voxels(path, key="test.nii.gz") == 255 - IMAGE).all()


def test_a_folder_of_one_file_is_that_file(tmp_path: Path) -> None:
    (tmp_path / "one").mkdir()
    files.FORMATS["hdf5"](tmp_path / "one", "i", IMAGE)
    assert (voxels(tmp_path / "one") == IMAGE).all()


@given(numbers=st.sets(st.integers(0, 3000), min_size=1, max_size=60))
def test_runs_hold_every_number_once_and_stand_apart(numbers: set[int]) -> None:
    runs = numbering.runs(sorted(numbers))
    assert [n for run in runs for n in run] == sorted(numbers)
    assert all(a.stop < b.start for a, b in pairwise(runs))


def test_the_number_of_a_slice_is_the_one_that_differs_else_the_last() -> None:
    assert list(numbering.numbered(["r1_z3_v2.png", "r1_z4_v2.png"], where="x")) == [3, 4]
    assert list(numbering.numbered(["EM30-R/seg0400.tif"], where="x")) == [400]
    assert list(numbering.numbered(["a/1_7.png", "b/2_8.png"], where="x")) == [7, 8]


def test_missing_slices_are_named_as_their_neighbours_are() -> None:
    slices = numbering.numbered(["im/im0008.png", "im/im0012.png"], where="x")
    assert numbering.missing(slices, most=2) == (3, ["im/im0009.png", "im/im0010.png"])


@pytest.mark.parametrize(
    ("axes", "unit", "scale", "size"),
    [("zyx", "nanometer", (24, 5.5, 5.5), (24, 5.5, 5.5)),
     ("zyx", "micrometer", (0.03, 0.008, 0.008), (30, 8, 8)),
     ("xyz", "nanometer", (5.5, 6.5, 24), (24, 6.5, 5.5)),
     ("zyx", None, (24, 5.5, 5.5), None),
     ("zyx", "parsec", (24, 5.5, 5.5), None)],
)  # fmt: skip
def test_ome_zarr_says_its_voxel_size_in_nm_or_not_at_all(
    axes: str, unit: str, scale: tuple[float, ...], size: object, tmp_path: Path
) -> None:
    array = IMAGE.transpose(["zyx".index(axis) for axis in axes])
    for version in ("0.4", "0.5"):
        path = tmp_path / version
        files.ome_zarr(path, array, axes=axes, unit=unit, scale=scale, version=version)
        source = recognise(path)
        assert source.voxel_size == (None if size is None else pytest.approx(size))
        assert (voxels(path) == IMAGE).all()


def test_labels_of_an_ome_zarr_are_those_beside_its_image(tmp_path: Path) -> None:
    path = files.ome_zarr(tmp_path / "i", IMAGE)
    files.ome_zarr(path / "labels/mito", LABELS)
    group = zarr.open_group(path / "labels", mode="a")
    group.attrs["ome"] = {"version": "0.5", "labels": ["mito"]}
    assert (voxels(path, role="labels") == LABELS).all()
    assert (voxels(path, role="labels", key="mito") == LABELS).all()
    assert (voxels(path) == IMAGE).all()
    files.ome_zarr(path / "labels/other", LABELS)
    group.attrs["ome"] = {"version": "0.5", "labels": ["mito", "other"]}
    with pytest.raises(errors.SourceUnsupported, match="mito, other"):
        recognise(path, role="labels")


WRONG = [5, None, [], {}, "x", "\ud800", 10**400]
"""What stands in metadata where something else should."""


def _mutants(node: Any) -> Iterator[Any]:
    """The same JSON with one of its parts, each in turn, replaced by each of what is wrong."""
    yield from WRONG
    for key in node if isinstance(node, dict) else range(len(node) if type(node) is list else 0):
        for mutant in _mutants(node[key]):
            changed = copy.copy(node)
            changed[key] = mutant
            yield changed


@pytest.mark.parametrize("version", ["0.4", "0.5"])
@pytest.mark.parametrize(
    ("group", "role"), [("", "image"), ("labels", "labels"), ("labels/mito", "labels")]
)
def test_metadata_of_a_wrong_kind_gives_voxels_or_a_named_error(
    group: str, role: str, version: str, tmp_path: Path
) -> None:
    path = files.ome_zarr(tmp_path / "i", IMAGE, version=version)
    files.ome_zarr(path / "labels/mito", LABELS, version=version)
    listed = zarr.open_group(path / "labels", mode="a", zarr_format=2 if version == "0.4" else 3)
    names = {"labels": ["mito"]}
    listed.attrs.update(names if version == "0.4" else {"ome": {"version": "0.5"} | names})
    file = path / group / (".zattrs" if version == "0.4" else "zarr.json")
    refused = 0
    for mutant in _mutants(json.loads(file.read_text())):
        file.write_text(json.dumps(mutant))
        try:
            voxels(path, role=role)
        except errors.MitoEMError as error:
            refused += 1
            assert "\n" not in str(error)
    assert refused > len(WRONG)


@pytest.mark.parametrize("attributes", [5, None, [], "text"])
def test_attributes_that_are_no_object_are_named(attributes: Any, tmp_path: Path) -> None:
    group = {"zarr_format": 3, "node_type": "group", "attributes": attributes}
    (tmp_path / "zarr.json").write_text(json.dumps(group))
    with pytest.raises(errors.VolumeInvalid, match=r"zarr\.json\]: expected attributes"):
        recognise(tmp_path)


@pytest.mark.parametrize("ome", [5, {"labels": 5}, {"labels": None}, []])
def test_a_list_of_label_images_that_is_none_is_named(ome: Any, tmp_path: Path) -> None:
    for path, attributes in ((tmp_path, {}), (tmp_path / "labels", {"ome": ome})):
        path.mkdir(exist_ok=True)
        group = {"zarr_format": 3, "node_type": "group", "attributes": attributes}
        (path / "zarr.json").write_text(json.dumps(group))
    with pytest.raises(errors.VolumeInvalid, match=r"\[labels\]: expected a list"):
        recognise(tmp_path, role="labels")


def test_a_volume_of_this_project_is_read_back_as_ome_zarr(tmp_path: Path) -> None:
    np.savez(tmp_path / "b.npz", image=IMAGE, labels=LABELS)
    both = tmp_path / "b.npz"
    volume = mitoem.ingest("one", both, labels=[both], voxel_size=(30, 8, 8), data=tmp_path)
    assert volume.path is not None
    zarrs = volume.path / "image.zarr"
    again = mitoem.ingest("two", zarrs, labels=[zarrs], data=tmp_path)
    assert (again.read() == IMAGE).all() and (again.read(layer="truth") == LABELS).all()
    assert again.info.voxel_size == (30, 8, 8)


def test_a_group_of_mitoverse_is_chosen_by_key(tmp_path: Path) -> None:
    (tmp_path / "all").mkdir()
    zarr.open_group(tmp_path / "all", mode="w", zarr_format=2)
    for name, array in (("i", IMAGE), ("l", LABELS)):
        files.FORMATS["mitoverse"](tmp_path / "all", name, array)
    assert (voxels(tmp_path / "all", role="labels", key="mitoverse") == LABELS).all()
    with pytest.raises(errors.SourceUnsupported, match="mitoverse"):
        recognise(tmp_path / "all")
    for key in ("nothing", "../all/mitoverse", "/etc"):
        with pytest.raises(errors.SourceUnreadable, match=key):
            recognise(tmp_path / "all", key=key)


def _time_points(at: Path) -> Path:
    twice = np.stack([IMAGE, IMAGE])
    return files.ome_zarr(at / "i", twice, axes="tzyx", scale=(1, 30, 8, 8))


def _no_third_axis(at: Path) -> Path:
    return files.ome_zarr(at / "i", IMAGE, axes="cyx", scale=(1, 8, 8))


def _broken_json(at: Path) -> Path:
    path = files.ome_zarr(at / "i", IMAGE)
    (path / "zarr.json").write_text("{")
    return path


def _level_outside(at: Path) -> Path:
    path = files.ome_zarr(at / "i", IMAGE)
    text = (path / "zarr.json").read_text()
    (path / "zarr.json").write_text(text.replace('"path": "0"', '"path": "../j"'))
    return path


def _unknown_codec(at: Path) -> Path:
    path = files.FORMATS["zarr v2"](at, "i", IMAGE)
    metadata = json.loads((path / ".zarray").read_text())
    (path / ".zarray").write_text(json.dumps(metadata | {"compressor": {"id": "mystery"}}))
    return path


def _wrong_key(at: Path) -> Path:
    with h5py.File(at / "i.h5", "w") as file:
        file["flat"] = IMAGE[0]
    return at / "i.h5"


@pytest.mark.parametrize(
    ("make", "kind", "said"),
    [(_time_points, errors.SourceUnsupported, "t, z, y, x"),
     (_no_third_axis, errors.SourceUnsupported, "c, y, x"),
     (_broken_json, errors.SourceUnreadable, "zarr.json"),
     (_level_outside, errors.SourceUnreadable, "inside"),
     (_unknown_codec, errors.SourceUnreadable, "mystery"),
     (_wrong_key, errors.SourceUnreadable, "flat")],
)  # fmt: skip
def test_arrays_that_are_no_volume_are_a_named_error(
    make: Callable[[Path], Path], kind: type[Exception], said: str, tmp_path: Path
) -> None:
    with pytest.raises(kind, match=said) as caught:
        recognise(make(tmp_path))
    assert "\n" not in str(caught.value)


def test_ome_tiff_says_its_voxel_size_with_its_units(tmp_path: Path) -> None:
    facts = {
        "axes": "ZYX", "PhysicalSizeX": 8.0, "PhysicalSizeXUnit": "nm",
        "PhysicalSizeY": 80.0, "PhysicalSizeYUnit": "Å", "PhysicalSizeZ": 0.03,
    }  # fmt: skip
    tifffile.imwrite(tmp_path / "i.ome.tif", IMAGE, metadata=facts)
    source = recognise(tmp_path / "i.ome.tif")
    assert source.voxel_size == (30, 8, 8) and source.voxel_size_source == "OME-XML"
    tifffile.imwrite(tmp_path / "j.ome.tif", IMAGE, metadata={"axes": "ZYX", "PhysicalSizeX": 8.0})
    assert recognise(tmp_path / "j.ome.tif").voxel_size is None


def test_sections_written_one_by_one_into_a_tiff_are_one_stack(tmp_path: Path) -> None:
    with tifffile.TiffWriter(tmp_path / "i.tif") as file:
        for section in IMAGE:
            file.write(section, contiguous=False)
    source = recognise(tmp_path / "i.tif")
    np.testing.assert_array_equal(np.concatenate(list(source.slabs(7))), IMAGE)


def test_a_tiff_of_images_of_several_sizes_is_refused(tmp_path: Path) -> None:
    with tifffile.TiffWriter(tmp_path / "i.tif") as file:
        file.write(IMAGE[0])
        file.write(IMAGE[1, :9])
    with pytest.raises(errors.SourceUnsupported, match="2 images of shapes"):
        recognise(tmp_path / "i.tif")


def _in_fortran_order(at: Path) -> Path:
    np.save(at / "i.npy", np.asfortranarray(IMAGE))
    return at / "i.npy"


def _in_fortran_order_zipped(at: Path) -> Path:
    np.savez_compressed(at / "i.npz", image=np.asfortranarray(IMAGE))
    return at / "i.npz"


def _with_an_axis_of_one(at: Path) -> Path:
    np.save(at / "i.npy", IMAGE[None])
    return at / "i.npy"


def _hdf5_with_an_axis_of_one(at: Path) -> Path:
    with h5py.File(at / "i.h5", "w") as file:
        file["raw"] = IMAGE[None, None]
    return at / "i.h5"


def _beside_a_text(at: Path) -> Path:
    return files.folder_of(at / "i", PNGS | {"read me.txt": b"hello", "im/empty": b""})


@pytest.mark.parametrize(
    "make",
    [
        _in_fortran_order,
        _in_fortran_order_zipped,
        _with_an_axis_of_one,
        _hdf5_with_an_axis_of_one,
        _beside_a_text,
    ],
)
def test_what_people_have_is_read_as_it_is_meant(
    make: Callable[[Path], Path], tmp_path: Path
) -> None:
    source = recognise(make(tmp_path))
    assert source.shape == IMAGE.shape
    for start in (0, 3):
        found = np.concatenate(list(source.slabs(4, start)))
        np.testing.assert_array_equal(found, IMAGE[start:])


def test_files_beside_slices_are_left_out_and_said(tmp_path: Path) -> None:
    assert "2 left out" not in recognise(files.folder_of(tmp_path / "a", PNGS)).describe()
    said = recognise(_beside_a_text(tmp_path)).describe()
    assert "im/empty and 1 more left out" in said


def test_an_image_in_which_white_is_0_is_refused(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "i.tif", IMAGE, photometric="miniswhite")
    with pytest.raises(errors.SourceUnsupported, match="white as 0"):
        recognise(tmp_path / "i.tif")


def test_a_file_or_folder_without_permission_is_named(tmp_path: Path) -> None:
    if os.geteuid() == 0:
        pytest.skip("root may read everything")
    file, folder = files.FORMATS["npy"](tmp_path, "i", IMAGE), tmp_path / "f"
    folder.mkdir()
    for path in (file, folder):
        path.chmod(0)
        with pytest.raises(errors.SourceUnreadable, match="ermission"):
            recognise(path)
        path.chmod(0o700)
