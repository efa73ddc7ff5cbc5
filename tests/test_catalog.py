"""Data roots: what is listed, and which root wins."""

import json
import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

import mitoem
from mitoem import catalog, errors, tables
from mitoem.cli import main
from mitoem.ingestion import shelf


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
        tmp_path / "phantom-r/tables", "truth", frame, provenance={"measured_from": "other"}
    )
    with pytest.raises(errors.TableMissing, match="other"):
        mitoem.stored_table(volume, data=tmp_path)
    assert mitoem.table(volume, data=tmp_path).equals(frame)


def listed(root: Path) -> list[str]:
    names: list[str] = json.loads((root / "index.json").read_text())["volumes"]
    return names


def test_a_root_lists_its_volumes_whatever_is_made_or_removed(
    small_root: Path, tmp_path: Path
) -> None:
    assert listed(small_root) == ["phantom-h", "phantom-r"]
    for name in ("phantom-h", "phantom-r"):
        shutil.copytree(small_root / name, tmp_path / name)
    assert main(["index", "--data", str(tmp_path), "--quiet"]) == 0
    assert listed(tmp_path) == ["phantom-h", "phantom-r"]
    shelf.remove_volume(mitoem.open_volume("phantom-h", data=tmp_path))
    assert listed(tmp_path) == ["phantom-r"]
    assert catalog.from_environment(tmp_path).names() == ["phantom-r"]


def test_many_that_list_a_root_at_once_leave_it_listed_whole(tmp_path: Path) -> None:
    def make(number: int) -> None:
        (tmp_path / f"v{number}").mkdir()
        (tmp_path / f"v{number}" / "volume.json").write_text("{}")
        catalog.write_index(tmp_path)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(make, range(40)))
    assert listed(tmp_path) == sorted(f"v{number}" for number in range(40))


def test_a_root_that_cannot_be_listed_hides_no_volume_of_another(
    small_root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    locked = tmp_path / "locked"
    locked.mkdir()
    listing = Path.iterdir

    def refused(path: Path) -> Iterator[Path]:
        if path == locked:
            raise PermissionError(13, "Permission denied", str(path))
        return listing(path)

    # The tests may run as root, whom no file mode keeps out.
    monkeypatch.setattr(Path, "iterdir", refused)
    known = catalog.from_environment(f"{small_root}:{locked}")
    assert known.names() == ["phantom-h", "phantom-r"]
    (fault,) = known.faults()
    assert isinstance(fault, errors.VolumeInvalid)
    assert str(fault) == f"{locked}: Permission denied"


def test_the_table_measured_here_wins_over_the_one_beside_a_read_only_volume(
    small_root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.access", lambda path, mode: not str(path).startswith(str(small_root)))
    data = f"{tmp_path}:{small_root}"
    volume = mitoem.open_volume("phantom-r", data=data)
    beside = mitoem.stored_table(volume, data=data)
    assert len(beside) == volume.info.label_set("truth").instances
    mitoem.measure(volume, data=data)
    assert (tmp_path / ".derived/phantom-r/tables/truth.parquet").is_file()
    assert catalog.from_environment(data).table(volume, "truth").equals(beside)
