"""What the pages offer to copy as Python runs, and makes again what the page shows."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from streamlit.testing.v1 import AppTest
from test_pages import fine, visit

import mitoem
from mitoem import jobs
from mitoem.ui import runs

INSTANCES = [
    {"plot": plot, "f": text, "group": group, "cut": cut, "sel": "2"}
    for plot in ("Histogram", "ECDF", "Scatter")
    for text, group, cut in (
        ("", "none", "1"),
        ('volume_um3 > 0.001 and split == "none"', "size_class", "0"),
        ("volume_um3 > 0.001", "volume", "1"),
    )
]


def run(code: str, folder: Path) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])}
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        cwd=folder, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip


def run_each(app: AppTest, folder: Path) -> list[Path]:
    """Run every snippet of a page in a folder of its own; the one file that each of them makes."""
    made = []
    for number, one in enumerate(found for found in app.code if found.language == "python"):
        own = folder / str(number)
        own.mkdir()
        done = run(one.value, own)
        assert done.returncode == 0, f"{one.value}\n{done.stderr}"
        (path,) = own.iterdir()
        made.append(path)
    return made


@pytest.mark.usefixtures("small_data")
@pytest.mark.parametrize("query", INSTANCES)
def test_every_snippet_of_the_instances_page_runs(query: dict[str, str], tmp_path: Path) -> None:
    app = visit("instances", {"volume": "phantom-h", **query})
    fine(app)
    made = run_each(app, tmp_path)
    assert [path.suffix for path in made] == [".html", ".csv"], "the plot's and the table's"


def test_the_snippet_of_the_rows_gives_the_rows(small_data: Path, tmp_path: Path) -> None:
    app = visit("instances", {"volume": "phantom-h", "f": "volume_um3 > 0.001", "cut": "1"})
    (text,) = (one.value for one in app.code if "to_csv" in one.value)
    run(text, tmp_path)
    found = pd.read_csv(tmp_path / "instances.csv")
    shown = app.dataframe[0].value
    assert found["instance_id"].tolist() == shown["instance_id"].tolist()
    whole = mitoem.table("phantom-h", data=small_data)
    assert found.columns.tolist() == whole.columns.tolist()


def test_every_snippet_of_the_evaluate_page_runs(own_root: Path, tmp_path: Path) -> None:
    volume = mitoem.open_volume("phantom-h", data=own_root)
    guess = np.where(volume.read(layer="truth") % 3 > 0, volume.read(layer="truth"), 0)
    mitoem.add_labels(volume, "guess", guess, kind="prediction", data=own_root)
    app = visit("evaluate", {"volume": "phantom-h"})
    next(one for one in app.button if one.label == "Evaluate").click().run()
    assert jobs.wait(own_root, jobs.runs(own_root)[0].id, seconds=60).state == "done"
    app.run()
    fine(app)
    snippets = [one.value for one in app.code if one.language == "python"]
    app.segmented_control(key="word_part").set_value("Scores").run()
    fine(app)
    snippets += [one.value for one in app.code if one.language == "python"]
    assert len(snippets) == 3, "the errors', the curve's and the metrics'"
    for text in snippets:
        done = run(text, tmp_path)
        assert done.returncode == 0, f"{text}\n{done.stderr}"
    assert (tmp_path / "average_precision.html").is_file()
    errors = pd.read_csv(tmp_path / "errors.csv")
    assert set(errors["kind"]) == {"missed"} and (errors["truth_id"] % 3 == 0).all()


def test_the_snippet_of_a_prediction_gives_that_prediction(own_root: Path, tmp_path: Path) -> None:
    asked = {"volume": "phantom-h", "box": "0:16,0:128,0:128"}
    one = jobs.submit(own_root, "predict", asked)
    assert jobs.wait(own_root, one, seconds=120).state == "done"
    app = visit("inference", {"volume": "phantom-h", "run": one})
    fine(app)
    (text,) = (found.value for found in app.code if "mitoem.predict" in found.value)
    done = run(f"{text}\nimport numpy as np\nnp.save('labels.npy', found.labels)", tmp_path)
    assert done.returncode == 0, done.stderr
    assert np.array_equal(np.load(tmp_path / "labels.npy"), runs.labels(one))
