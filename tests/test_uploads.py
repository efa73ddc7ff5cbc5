"""The pages that take in a person's own file, without a browser."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path

import files
import h5py
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from streamlit.testing.v1 import AppTest
from test_pages import fine, go, text, visit, words

import mitoem
from mitoem import jobs
from mitoem.geometry import Box
from mitoem.ui import crop, facts


@pytest.fixture
def empty_root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setenv("MITOEM_DATA", str(tmp_path))
    yield tmp_path
    jobs.stop_worker(tmp_path)


def npy(array: np.ndarray) -> bytes:
    out = io.BytesIO()
    np.save(out, array)
    return out.getvalue()


def field(app: AppTest, kind: str, start: str) -> object:
    return next(one for one in app.get(kind) if one.label.startswith(start))


def give(app: AppTest, file_name: str, array: np.ndarray) -> None:
    app.file_uploader[0].upload(file_name, npy(array)).run()


def send(app: AppTest, root: Path) -> jobs.RunState:
    field(app, "button", "Add as").click().run()
    state = jobs.wait(root, words(app)["upload"], seconds=60)
    app.run()
    return state


def test_where_there_is_no_volume_a_person_brings_one(empty_root: Path) -> None:
    app = visit("inference")
    assert not app.exception
    give(app, "my own.npy", files.image())
    assert field(app, "text_input", "Volume name").value == "my-own"
    for one, value in zip(app.number_input, (30.0, 8.0, 8.0), strict=True):
        one.set_value(value)
    assert send(app, empty_root).state == "done"
    fine(app)
    assert words(app) == {"v": "1", "volume": "my-own"}
    assert app.segmented_control(key="crop_from").value == "Numbers"
    assert app.text_input(key="crop_box_my-own").value == "0:20,0:60,0:70"
    assert "20 × 60 × 70" in text(app)
    assert [one for one in app.button if one.label == "Run"]


def test_a_try_that_failed_keeps_the_file_and_what_was_typed(own_root: Path) -> None:
    app = visit("inference")
    app.segmented_control(key="crop_from").set_value("Upload").run()
    give(app, "phantom-h.npy", files.image())
    name = field(app, "text_input", "Volume name")
    assert name.value == "phantom-h-2", "the first free name"
    name.set_value("phantom-h").run()
    assert field(app, "button", "Add as").disabled and "is taken" in text(app)
    field(app, "text_input", "Volume name").set_value("mine").run()
    assert send(app, own_root).fault == "VoxelSizeMissing"
    assert not app.exception and "VoxelSizeMissing" in text(app)
    assert not app.file_uploader, "the file is still there"
    assert field(app, "text_input", "Volume name").value == "mine"
    app.number_input[0].set_value(30.0).run()
    assert field(app, "button", "Add as").disabled
    run_id = words(app)["upload"]
    field(app, "button", "Choose another file").click().run()
    fine(app)
    assert "upload" not in words(app) and app.file_uploader
    left = own_root / "runs" / ".uploads" / jobs.status(own_root, run_id).request["file"]
    assert not left.exists()


def test_labels_uploaded_on_evaluate_become_its_prediction(own_root: Path) -> None:
    shape = mitoem.open_volume("phantom-h", data=own_root).info.shape
    app = visit("evaluate")
    give(app, "their labels.npy", np.zeros((shape[0] + 1, *shape[1:]), np.uint16))
    state = send(app, own_root)
    assert state.fault == "ShapeMismatch" and "ShapeMismatch" in text(app)
    assert str(shape) in state.error
    field(app, "button", "Choose another file").click().run()
    truth = mitoem.open_volume("phantom-h", data=own_root).read(layer="truth")
    give(app, "their labels.npy", truth)
    assert send(app, own_root).state == "done"
    fine(app)
    assert words(app)["prediction"] == "their-labels" and "upload" not in words(app)
    names = [one.name for one in mitoem.open_volume("phantom-h", data=own_root).info.labels]
    assert names == ["truth", "their-labels"]


def test_a_crop_that_is_too_large_offers_the_largest_that_fits(
    own_root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(crop, "MAX_VOXELS", 1_000_000)
    assert own_root.is_dir()
    app = visit("inference")
    app.segmented_control(key="crop_from").set_value("Numbers").run()
    app.text_input(key="crop_box_phantom-h").set_value("0:32,0:384,0:576").run()
    assert "BoxInvalid" in text(app)
    assert not [one for one in app.button if one.label == "Run"]
    app.button(key="crop_largest").click().run()
    fine(app)
    assert Box.parse(app.text_input(key="crop_box_phantom-h").value).size <= 1_000_000
    assert [one for one in app.button if one.label == "Run"]
    go(app, "help")
    go(app, "inference")
    assert app.segmented_control(key="crop_from").value == "Numbers"


@given(start=st.tuples(*[st.integers(0, 5000)] * 3), shape=st.tuples(*[st.integers(1, 30_000)] * 3))
def test_the_largest_crop_fits_and_lies_inside(
    start: tuple[int, int, int], shape: tuple[int, int, int]
) -> None:
    whole = Box(start, (start[0] + shape[0], start[1] + shape[1], start[2] + shape[2]))
    part = crop.largest(whole)
    assert part.size <= crop.MAX_VOXELS and whole.intersect(part) == part
    if whole.size <= crop.MAX_VOXELS:
        assert part == whole


MARKUP = "![x](//evil)<b>`**[y](//evil)"


def test_words_of_a_link_are_shown_as_they_are_and_never_read_as_markup(own_root: Path) -> None:
    """A link is what one person sends another: a picture in it would tell who opened it."""
    plain = facts.plain(MARKUP)
    app = visit("explore", {"plane": MARKUP, "f": f'split == "{MARKUP}"'})
    assert not app.exception and MARKUP not in text(app)
    assert f"plane={plain}" in text(app) and rf'split == "{plain}"' in text(app)
    app = visit("instances", {"f": f'split == "{MARKUP}"'})
    chips = [one.label for one in app.button if one.label.endswith(" ✕")]
    assert chips == [rf'split == "{plain}" ✕']
    app = visit("instances", {"f": f'{MARKUP} == "a"'})
    assert MARKUP not in text(app) and "showing all rows" in text(app)
    assert own_root.is_dir()


def test_the_names_in_a_file_are_shown_as_they_are(empty_root: Path, tmp_path: Path) -> None:
    name = MARKUP.replace("/", "") + "\n\u202e\x1b[31m"
    path = tmp_path / "i.h5"
    with h5py.File(path, "w") as file:
        file[name] = files.image()
    app = visit("inference")
    app.file_uploader[0].upload("<img src=x>\u202egpj.h5", path.read_bytes()).run()
    for one in app.number_input:
        one.set_value(8.0)
    state = send(app, empty_root)
    assert state.state == "done", state.error
    (source,) = mitoem.open_volume("img-src-x-gpj", data=empty_root).info.sources
    assert source.file == "img-src-x-gpj.h5" and source.format.isprintable()
    assert MARKUP.replace("/", "") in source.format
    told = text(app)
    assert r"\!\[x\](evil)" in told and "![x]" not in told and "\x1b" not in told
    go(app, "datasets")
    assert not app.exception and "![x]" not in text(app) and r"\!\[x\](evil)" in text(app)
