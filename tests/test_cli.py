"""The command line as people run it, in a process of its own where exit codes matter."""

from __future__ import annotations

import hashlib
import io
import json
import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import files
import numpy as np
import pandas as pd
import pytest

import mitoem
from mitoem.cli import main


def run(*words: str, data: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "mitoem", *words],
        env=os.environ | {"MITOEM_DATA": str(data)},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def root(small_root: Path, tmp_path: Path) -> Path:
    shutil.copytree(small_root, tmp_path / "root")
    return tmp_path / "root"


def test_a_named_error_is_one_line_and_exit_code_1(small_root: Path) -> None:
    done = run("info", "nope", "--json", data=small_root)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.count("\n") == 1 and "VolumeNotFound" in done.stderr


def test_wrong_usage_is_exit_code_2(small_root: Path) -> None:
    assert run("predict", "phantom-r", "--box", "1:2", data=small_root).returncode == 2
    assert run("nonsense", data=small_root).returncode == 2


def test_json_is_one_object_and_nothing_else(small_root: Path) -> None:
    done = run("list", "--json", data=small_root)
    assert done.returncode == 0
    answer = json.loads(done.stdout)
    assert [one["name"] for one in answer["volumes"]] == ["phantom-h", "phantom-r"]
    assert "text" not in answer, "the lines for people are not said again"


def test_ingest_measures_and_table_writes_what_python_gives(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    np.savez(tmp_path / "b.npz", image=files.image(), labels=files.labels())
    source, data = str(tmp_path / "b.npz"), ["--data", str(tmp_path / "root"), "--quiet"]
    words = ["ingest", "one", "--image", source, "--labels", source, "--voxel-size", "30,8,8"]
    assert main([*words, *data, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["measured"] == 2
    out = tmp_path / "t.csv"
    assert main(["table", "one/truth", "--filter", "touches_border", "--out", str(out), *data]) == 0
    written = out.read_bytes()
    assert pd.read_csv(io.BytesIO(written))["instance_id"].tolist() == [700]
    note = json.loads(out.with_suffix(".json").read_text())
    assert note["csv_sha256"] == hashlib.sha256(written).hexdigest()
    assert (note["rows"], note["rows_of_the_whole_table"]) == (1, 2)
    assert (
        written == mitoem.download("one", filter="touches_border", data=tmp_path / "root").content
    )


def test_a_bad_filter_names_the_column(small_root: Path, tmp_path: Path) -> None:
    done = run(
        "table", "phantom-r/truth", "--filter", "volume > 1", "--out", str(tmp_path / "t.csv"),
        data=small_root,
    )  # fmt: skip
    assert done.returncode == 1 and "volume" in done.stderr
    assert not (tmp_path / "t.csv").exists()


@pytest.mark.parametrize(
    "words",
    [
        ["table", "phantom-r/truth", "--out", "{}"],
        ["table", "phantom-r/truth", "--out", "{}/table.csv"],
        ["table", "phantom-r/truth", "--out", "{}/free.csv"],
        ["mesh", "phantom-r/truth", "--ids", "1", "--out", "{}"],
        ["figure", "phantom-r", "--view", "z=4", "--out", "{}/figure.png"],
        ["predict", "phantom-r", "--box", "0:16,0:128,0:128", "--out", "{}/labels.zarr"],
        ["predict", "phantom-r", "--box", "0:16,0:128,0:128", "--out", "{}/labels.h5"],
    ],
)
def test_a_folder_in_the_way_is_named_and_stays(
    words: list[str], small_root: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "results"
    for name in (
        "kept",
        "free.json",
        "table.csv",
        "1.glb",
        "figure.png",
        "labels.zarr",
        "labels.h5",
    ):
        (folder / name).mkdir(parents=True)
        (folder / name / "precious").touch()
    done = run(*(word.format(folder) for word in words), data=small_root)
    assert done.returncode == 1
    assert "expected" in done.stderr and "Traceback" not in done.stderr
    assert len(list(folder.rglob("precious"))) == 7
    assert len(list(folder.rglob("*"))) == 14


def test_a_table_in_two_forms_says_of_either_where_it_comes_from(
    small_root: Path, tmp_path: Path
) -> None:
    told = {}
    for name, note in (("t.csv", "t.json"), ("t.parquet", "t.parquet.json"), ("T2.CSV", "T2.json")):
        filtered = "--filter=-1 < volume_um3"
        columns = "instance_id, volume_um3"
        words = ["table", "phantom-r/truth", filtered, "--columns", columns, "--out"]
        assert main([*words, str(tmp_path / name), "--data", str(small_root), "--quiet"]) == 0
        told[name] = json.loads((tmp_path / note).read_text())
        kind = "parquet" if name == "t.parquet" else "csv"
        content = (tmp_path / name).read_bytes()
        assert told[name][f"{kind}_sha256"] == hashlib.sha256(content).hexdigest()
    again = shlex.split(told["t.csv"]["command"])[3:-1]
    assert main([*again, str(tmp_path / "u.csv"), "--data", str(small_root), "--quiet"]) == 0
    assert (tmp_path / "u.csv").read_bytes() == (tmp_path / "t.csv").read_bytes()


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--out", "t.json"], "expected .csv or .parquet"),
        (["--out", "t.xlsx"], "expected .csv or .parquet"),
        (["--columns", "split,split", "--out", "t.parquet"], "expected once, found 2 times"),
    ],
)
def test_a_table_that_cannot_be_written_is_named(
    words: list[str], told: str, small_root: Path, tmp_path: Path
) -> None:
    *first, out = words
    done = run("table", "phantom-r/truth", *first, str(tmp_path / out), data=small_root)
    assert done.returncode == 1 and told in done.stderr
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "words",
    [
        ["table", "phantom-r/truth", "--out", "{}/volume.csv"],
        ["table", "phantom-r/truth", "--out", "{}/tables/truth.parquet"],
        ["mesh", "phantom-r/truth", "--ids", "1", "--out", "{}/meshes/new"],
        ["figure", "phantom-r", "--view", "z=4", "--out", "{}/figure.png"],
        ["predict", "phantom-r", "--box", "0:16,0:128,0:128", "--out", "{}/image.zarr"],
        ["evaluate", "phantom-r/truth", "phantom-r/truth", "--errors", "{}/errors.csv"],
        ["export", "--submission", "{}/s.zip", "--human", "phantom-h/run", "--rat", "none/run"],
    ],
)
def test_no_command_writes_a_file_into_a_volume(
    words: list[str], root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    linked = tmp_path / "linked"
    linked.symlink_to(root / "phantom-r")
    before = sorted((root / "phantom-r").rglob("*"))
    volume = (root / "phantom-r/volume.json").read_bytes()
    for folder in (root / "phantom-r", linked):
        asked = [word.format(folder) for word in words]
        assert main([*asked, "--data", str(root), "--quiet"]) == 1
        assert "expected a place outside of volumes" in capsys.readouterr().err
    assert sorted((root / "phantom-r").rglob("*")) == before
    assert (root / "phantom-r/volume.json").read_bytes() == volume


@pytest.mark.parametrize(("name", "beside"), [("t.csv", "t.json"), ("t.parquet", "t.parquet.json")])
@pytest.mark.parametrize("content", ['{"precious": 1}', "[]", "no JSON"])
def test_a_table_replaces_no_file_of_somebody_else_beside_it(
    name: str, beside: str, content: str, small_root: Path, tmp_path: Path
) -> None:
    words = ["table", "phantom-r/truth", "--data", str(small_root), "--quiet", "--out"]
    (tmp_path / beside).write_text(content)
    assert main([*words, str(tmp_path / name)]) == 1
    assert [path.name for path in tmp_path.iterdir()] == [beside]
    assert (tmp_path / beside).read_text() == content
    (tmp_path / beside).unlink()
    assert main([*words, str(tmp_path / name)]) == main([*words, str(tmp_path / name)]) == 0


@pytest.mark.parametrize(
    ("words", "asked"),
    [
        (["table", "phantom-r/truth", "--out"], "a.csv/t.csv"),
        (["table", "phantom-r/truth", "--out"], "n" * 300 + ".csv"),
        (["mesh", "phantom-r/truth", "--ids", "1", "--out"], "a.csv"),
        (["mesh", "phantom-r/truth", "--ids", "1", "--out"], "a.csv/meshes"),
        (["evaluate", "no-file.h5", "phantom-r/truth", "--errors"], "a.csv/e.csv"),
    ],
)
def test_a_place_where_no_file_can_be_is_named_as_it_was_typed(
    words: list[str],
    asked: str,
    small_root: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "a.csv").touch()
    out = str(tmp_path / asked)
    assert main([*words, out, "--data", str(small_root), "--quiet"]) == 1
    kind, _, told = capsys.readouterr().err.removeprefix("mitoem: ").partition(": ")
    assert kind in ("RequestInvalid", "DiskReadOnly") and told.startswith(f"{out}: ")
    assert [path.name for path in tmp_path.iterdir()] == ["a.csv"]


def test_a_name_may_be_as_long_as_the_disk_takes(small_root: Path, tmp_path: Path) -> None:
    out = tmp_path / ("n" * 245 + ".csv")
    words = ["table", "phantom-r/truth", "--data", str(small_root), "--quiet", "--out", str(out)]
    assert main(words) == 0 and out.is_file()


def test_errors_are_written_into_a_folder_that_is_made(small_root: Path, tmp_path: Path) -> None:
    out = tmp_path / "new/errors.csv"
    words = ["evaluate", "phantom-r/truth", "phantom-r/truth", "--errors", str(out)]
    assert main([*words, "--data", str(small_root), "--quiet"]) == 0
    assert [path.name for path in out.parent.iterdir()] == ["errors.csv"]


EARLY = """
import os, signal, sys
class Interrupt:
    def find_spec(self, name, path=None, target=None):
        if name == "mitoem.cli":
            os.kill(os.getpid(), signal.SIGINT)
signal.signal(signal.SIGINT, signal.default_int_handler)
sys.meta_path.insert(0, Interrupt())
from mitoem.__main__ import start
start()
"""


def test_an_interrupt_while_libraries_load_is_one_line_too() -> None:
    words = [sys.executable, "-c", EARLY]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (130, "mitoem: stopped\n")


@pytest.mark.parametrize("ending", [".h5", ".tif", ".nii.gz", ".npz", ".zarr"])
def test_a_prediction_is_written_saved_and_scored(ending: str, root: Path, tmp_path: Path) -> None:
    out = str(tmp_path / f"p{ending}")
    words = ["predict", "phantom-r", "--box", "0:16,0:128,0:128", "--quiet", "--data", str(root)]
    assert main([*words, "--out", out, "--save", "run-1"]) == 0
    saved = mitoem.open_volume("phantom-r", data=root)
    inside = saved.read(layer="run-1")[:16, :128, :128]
    if ending == ".zarr":
        import zarr

        assert (np.asarray(zarr.open_group(out, mode="r")["0"]) == inside).all()
    else:
        from mitoem.front import read_labels

        assert (read_labels(out) == inside).all()
    scores = mitoem.evaluate("phantom-r/truth", "phantom-r/run-1", data=root).to_json()
    assert set(scores["ap"]) >= {"mAP", "AP50", "AP75"}


def test_thresholds_are_given_by_name_and_reach_the_labels(root: Path, tmp_path: Path) -> None:
    asked = ["predict", "phantom-h", "--box", "0:8,0:64,0:64", "--data", str(root), "--quiet"]
    with pytest.raises(SystemExit) as ended:
        main([*asked, "--decode", "mask=2"])
    assert ended.value.code == 2
    assert main([*asked, "--decode", "mask=0.3,seed=0.5", "--save", "low"]) == 0
    saved = mitoem.open_volume("phantom-h", data=root).info.label_set("low")
    assert "mask 0.3, seed 0.5" in saved.provenance


def test_evaluate_takes_files_and_names_two_shapes(tmp_path: Path, small_root: Path) -> None:
    files.FORMATS["hdf5"](tmp_path, "a", files.labels())
    files.FORMATS["tiff"](tmp_path, "b", files.labels())
    files.FORMATS["tiff"](tmp_path, "c", files.labels()[:10])
    a, b, c = (str(tmp_path / name) for name in ("a.h5", "b.tif", "c.tif"))
    done = run("evaluate", a, b, "--json", data=small_root)
    assert json.loads(done.stdout)["ap"]["AP75"] == pytest.approx(1)
    done = run("evaluate", a, c, data=small_root)
    assert done.returncode == 1
    assert "(20, 60, 70)" in done.stderr and "(10, 60, 70)" in done.stderr


def test_evaluate_groups_by_the_lengths_of_a_table(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files.FORMATS["hdf5"](tmp_path, "a", files.labels())
    instances = [one for one in np.unique(files.labels()).tolist() if one]
    lengths, words = tmp_path / "t.csv", ["evaluate", *[str(tmp_path / "a.h5")] * 2, "--json"]

    def ended(text: str) -> tuple[int, str, str]:
        lengths.write_text(text)
        code = main([*words, "--lengths", str(lengths), "--quiet"])
        return (code, *capsys.readouterr())

    rows = [f"{one},{'' if k else 4.5},{k}\n" for k, one in enumerate(instances)]
    code, out, _ = ended("instance_id,length_um,loops\n" + "".join(rows))
    found = json.loads(out)["accuracy_by_length"]
    hits = {name: one["0.75"]["true_positives"] for name, one in found.items()}
    assert (code, hits) == (0, {"short": 0, "medium": 0, "long": 1, "unmeasured": 1})
    for text, told in {
        "instance_id,volume\n1,2\n": "instance_id, volume",
        "": "No columns",
        "instance_id,length_um\n1,long\n": "long",
        "instance_id,length_um\n1,2\n1,3\n": "twice",
        "instance_id,length_um\n1.5,2\n": "whole",
    }.items():
        code, out, err = ended(text)
        assert (code, out, err.count("\n")) == (1, "", 1)
        assert "SourceUnreadable: t.csv" in err and "length_um" in err and told in err
    assert main([*words, "--lengths", str(tmp_path / "none.csv"), "--quiet"]) == 1
    assert "SourceNotFound" in capsys.readouterr().err


def test_meshes_and_figures_are_written(root: Path, tmp_path: Path) -> None:
    ids = mitoem.table("phantom-r", data=root)["instance_id"].tolist()[:2]
    chosen = ",".join(str(i) for i in ids)
    words = ["--data", str(root), "--quiet"]
    out = tmp_path / "meshes"
    formats = ["--format", "glb,ply,stl,obj"]
    assert (
        main(["mesh", "phantom-r/truth", "--ids", chosen, "--out", str(out), *formats, *words]) == 0
    )
    assert len(list(out.iterdir())) == 8
    for ending, head in ((".png", b"\x89PNG"), (".svg", b"<svg")):
        figure = tmp_path / f"f{ending}"
        view = f"z=5&sel={chosen}&mode=outline"
        assert main(["figure", "phantom-r", "--view", view, "--out", str(figure), *words]) == 0
        assert figure.read_bytes().startswith(head)


def test_an_unknown_instance_is_named_before_any_is_written(
    root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    known = int(mitoem.table("phantom-r", data=root)["instance_id"].iloc[0])
    out = tmp_path / "meshes"
    words = ["mesh", "phantom-r/truth", "--out", str(out), "--data", str(root), "--quiet"]
    assert main([*words, "--ids", f"{known},99999"]) == 1
    assert "99999" in capsys.readouterr().err and not out.exists()
    assert main([*words, "--ids", f"{known},{known}", "--format", "glb,glb"]) == 0
    assert capsys.readouterr().out == "wrote 1 files\n"
    assert [path.name for path in out.iterdir()] == [f"{known}.glb"]


def test_check_names_a_damaged_file(root: Path) -> None:
    shard = root / "phantom-r/image.zarr/0/c/0/0/0"
    data = bytearray(shard.read_bytes())
    data[200] ^= 1
    shard.write_bytes(data)
    assert run("check", "phantom-r", data=root).returncode == 0
    done = run("check", "phantom-r", "--deep", data=root)
    assert done.returncode == 1 and "image.zarr/0" in done.stderr


def test_removing_a_volume_takes_it_off_the_list(root: Path) -> None:
    assert main(["remove", "phantom-h", "--data", str(root)]) == 0
    assert mitoem.volumes(data=root) == ["phantom-r"]
