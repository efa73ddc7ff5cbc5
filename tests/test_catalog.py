"""Data roots: what is listed, and which root wins."""

import shutil
from pathlib import Path

import pytest

import mitoem
from mitoem import catalog, errors, tables


def test_files_that_are_no_volumes_are_ignored(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("x")
    (tmp_path / "half").mkdir()
    (tmp_path / ".partial-x").mkdir()
    (tmp_path / ".partial-x" / "volume.json").write_text("{}")
    assert catalog.from_environment(tmp_path).names() == []


def test_a_root_that_is_not_there_holds_nothing(tmp_path: Path) -> None:
    assert catalog.from_environment(tmp_path / "none").names() == []


def test_several_roots_are_read_and_the_first_takes_what_is_written(
    small_root: Path, tmp_path: Path
) -> None:
    known = catalog.from_environment(f"{tmp_path}:{small_root}")
    assert known.writable == tmp_path
    assert known.names() == ["phantom-h", "phantom-r"]


def test_a_url_is_not_cut_at_its_colon() -> None:
    known = catalog.from_environment("data:https://example.org/em")
    assert known.roots[1] == "https://example.org/em/"
    known = catalog.from_environment("data:http://127.0.0.1:8733/em:s3://bucket/em")
    assert known.roots[1:] == ("http://127.0.0.1:8733/em/", "s3://bucket/em/")


def test_a_remote_root_cannot_be_written() -> None:
    with pytest.raises(errors.VolumeInvalid, match="must be a directory"):
        _ = catalog.from_environment("https://example.org/em").writable


def test_a_name_that_is_a_path_is_refused(small_root: Path) -> None:
    with pytest.raises(errors.NameInvalid):
        catalog.from_environment(small_root).open("../phantom-r")


def test_a_damaged_table_is_named_and_never_read(small_root: Path, tmp_path: Path) -> None:
    shutil.copytree(small_root / "phantom-r", tmp_path / "phantom-r")
    volume = mitoem.open_volume("phantom-r", data=tmp_path)
    path = tmp_path / "phantom-r/tables/truth.parquet"
    data = bytearray(path.read_bytes())
    data[50] ^= 1
    path.write_bytes(data)
    with pytest.raises(errors.VolumeInvalid, match="SHA-256"):
        mitoem.stored_table(volume, data=tmp_path)


def test_a_table_of_other_labels_is_measured_again(small_root: Path, tmp_path: Path) -> None:
    shutil.copytree(small_root / "phantom-r", tmp_path / "phantom-r")
    volume = mitoem.open_volume("phantom-r", data=tmp_path)
    frame = mitoem.stored_table(volume, data=tmp_path)
    tables.write(
        tmp_path / "phantom-r/tables", "truth", frame, provenance={"labels_version": "other"}
    )
    with pytest.raises(errors.TableMissing, match="other"):
        mitoem.stored_table(volume, data=tmp_path)
    assert mitoem.table(volume, data=tmp_path).equals(frame)
