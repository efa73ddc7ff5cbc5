"""The Datasets page: published against measured numbers, cards, how to get the data."""

from __future__ import annotations

import re
import shlex
import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from streamlit.testing.v1 import AppTest
from test_pages import fine, text, visit

import mitoem
from mitoem import cli, front
from mitoem.errors import DiskFull
from mitoem.front import agreement
from mitoem.front.agreement import QUANTITIES, Comparison, compare, identify
from mitoem.geometry import MITOEM_SHAPE, MITOEM_VOXEL_SIZE, Box
from mitoem.ingestion import assemble, placing
from mitoem.manifest import Source, VolumeInfo
from mitoem.ui import cards, facts, getting

HALF = (agreement.LABELLED_HALF,)
SIZES = {"small": 3_000, "medium": 9_000, "large": 60_000}


@pytest.fixture
def own(tmp_path: Path, small_root: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A root with phantom-r alone, to change."""
    shutil.copytree(small_root / "phantom-r", tmp_path / "phantom-r")
    monkeypatch.setenv("MITOEM_DATA", str(tmp_path))
    return tmp_path


@pytest.fixture(scope="module")
def like_mitoem(small_root: Path) -> VolumeInfo:
    """What ``volume.json`` says of a volume of MitoEM's shape and voxel that has no name yet."""
    info = mitoem.open_volume("phantom-r", data=small_root).info
    return replace(
        info,
        name="cortex",
        synthetic=False,
        shape=MITOEM_SHAPE,
        voxel_size=MITOEM_VOXEL_SIZE,
        sources=(),
    )


def instances(count: int, size_class: str = "large", *, cut: int = 0) -> pd.DataFrame:
    """The columns of an instance table that are compared."""
    return pd.DataFrame(
        {
            "voxel_count": np.full(count, SIZES[size_class]),
            "size_class": np.full(count, size_class),
            "touches_border": np.arange(count) < cut,
        }
    )


def rows(
    frame: pd.DataFrame | None,
    letter: agreement.Letter | None,
    coverage: tuple[Box, ...] = HALF,
) -> dict[str, Comparison]:
    told = compare(
        frame, coverage, voxel_size=MITOEM_VOXEL_SIZE, published=facts.published(), letter=letter
    )
    return {row.quantity.name: row for row in told}


def file(name: str) -> Source:
    return Source("image", name, "zip", 1, "0" * 64)


@pytest.mark.parametrize(
    ("name", "letter"),
    [
        ("R", "R"), ("h", "H"), ("mito-r", "R"), ("Mito_H", "H"), ("EM30-R", "R"), ("em30-h", "H"),
        ("MitoEM-R", "R"), ("mitoem2021-h", "H"), ("rat", "R"), ("human", "H"),
        ("cortex", None), ("r2", None), ("other-r", None), ("human-2", None), ("Rattus", None),
    ],
)  # fmt: skip
def test_a_volume_is_mitoems_by_its_name_if_shape_and_voxel_fit(
    like_mitoem: VolumeInfo, name: str, letter: str | None
) -> None:
    named = replace(like_mitoem, name=name)
    assert identify(named).letter == letter
    assert identify(replace(named, synthetic=True)).letter is None
    assert identify(replace(named, shape=(500, 4096, 4096))).letter is None
    assert identify(replace(named, voxel_size=(30.0, 16.0, 16.0))).letter is None


def test_a_source_file_says_which_volume_it_is_and_a_contradiction_says_none(
    like_mitoem: VolumeInfo,
) -> None:
    human = replace(like_mitoem, sources=(file("EM30-H-im.zip"), file("notes.zip")))
    assert identify(human).letter == "H"
    assert identify(replace(human, name="H")).letter == "H"
    assert identify(replace(human, name="R")).letter is None
    assert "R and H at once" in identify(replace(human, name="R")).reason
    assert identify(replace(like_mitoem, sources=(file("mitoem-human2.zip"),))).letter is None
    assert identify(replace(like_mitoem, sources=(file("R.zip"),))).letter is None


def test_a_prediction_on_mitoem_is_not_held_against_what_is_published(
    like_mitoem: VolumeInfo,
) -> None:
    known = replace(like_mitoem, name="R")
    (truth,) = known.labels
    assert agreement.against(known, truth).letter == "R"
    found = agreement.against(known, replace(truth, kind="prediction"))
    assert found.letter is None and "prediction" in found.reason


def test_the_published_count_agrees_exactly_and_one_less_differs_by_one() -> None:
    exact = rows(instances(5446, cut=300), "R")
    assert exact["instances"].agreement == exact["density_per_um3"].agreement == "agrees"
    assert exact["labelled_um3"].agreement == "agrees"
    assert "300 of them cut" in exact["instances"].reason
    less = rows(instances(5445), "R")
    assert less["instances"].agreement == "differs"
    assert less["instances"].reason.startswith("−1 (−0.018 %)")
    assert less["density_per_um3"].agreement == "agrees"
    assert rows(instances(5446), "H")["instances"].agreement == "differs"


def test_the_smallest_instance_is_held_against_the_cards_lower_bound() -> None:
    frame = instances(10)
    frame.loc[0, "voxel_count"] = 2000
    assert rows(frame, "R")["smallest_voxels"].agreement == "agrees"
    frame.loc[0, ["voxel_count", "touches_border"]] = [1999, True]
    found = rows(frame, "R")["smallest_voxels"]
    assert (found.agreement, found.measured) == ("differs", 1999)
    assert "smallest complete one: 60,000" in found.reason and "at least 2,000" in found.tolerance


@given(
    count=st.integers(0, 50),
    letter=st.sampled_from([None, "R", "H"]),
    depth=st.integers(1, 600).filter(lambda z: z != 500),
)
def test_nothing_agrees_or_differs_in_another_volume_or_another_part(
    count: int, letter: agreement.Letter | None, depth: int
) -> None:
    part = (Box((0, 0, 0), (depth, 4096, 4096)),)
    for frame in (instances(count), None):
        elsewhere = {row.agreement for row in rows(frame, None).values()}
        assert elsewhere == {"not comparable", "nothing published"}
        found = rows(frame, letter, part)
        if letter:
            assert found.pop("labelled_um3").agreement == "differs"
        assert {row.agreement for row in found.values()} == elsewhere


def test_the_foreground_is_not_compared_as_nobody_says_of_which_volume_it_is() -> None:
    found = rows(instances(5446), "R")["foreground_percent"]
    assert found.agreement == "not comparable" and "not stated" in found.reason
    assert found.measured == pytest.approx(100 * 5446 * 60_000 / agreement.LABELLED_HALF.size)


def test_two_blocks_of_labels_that_fill_the_labelled_half_count_as_it() -> None:
    blocks = (Box((0, 0, 0), (400, 4096, 4096)), Box((400, 0, 0), (500, 4096, 4096)))
    assert rows(instances(5446), "R", blocks)["instances"].agreement == "agrees"


def test_what_is_measured_is_what_the_labels_hold(small_root: Path) -> None:
    volume = mitoem.open_volume("phantom-h", data=small_root)
    info, (truth,) = volume.info, volume.info.labels
    voxels = volume.read(Box.whole(info.shape), layer="truth")
    sizes = np.unique(voxels[voxels > 0], return_counts=True)[1]
    frame = front.table(volume, data=small_root)
    found = agreement.measured(frame, truth.coverage, voxel_size=info.voxel_size).values
    um3 = voxels.size * 1.92e-6
    assert found["instances"] == len(sizes) and found["smallest_voxels"] == sizes.min()
    assert found["foreground_percent"] == pytest.approx(100 * sizes.sum() / voxels.size)
    assert found["density_per_um3"] == pytest.approx(len(sizes) / um3)
    assert found["foreground_um3"] == pytest.approx(sizes.sum() * 1.92e-6)
    assert found["small_percent"] == pytest.approx(100 * (sizes <= 5000).mean())
    assert sum(found[f"{name}_percent"] for name in SIZES) == pytest.approx(100)


def test_labels_without_an_instance_have_a_density_of_zero_and_no_smallest() -> None:
    found = rows(instances(0), "R")
    assert found["density_per_um3"].measured == 0
    assert found["smallest_voxels"].measured is found["small_percent"].measured is None
    assert found["smallest_voxels"].agreement == "not comparable"


def test_every_published_number_has_its_row_and_its_source() -> None:
    names = {quantity.name for quantity in QUANTITIES}
    assert all(one.quantity in names and one.source for one in facts.published())
    by = {(one.quantity, one.of): one for one in facts.published()}
    half = agreement.LABELLED_HALF.size * 1.92e-6
    for letter in ("R", "H"):
        density = by["density_per_um3", letter]
        assert abs(by["instances", letter].value / half - density.value) <= density.step / 2


def shown(app: AppTest) -> Mapping[str, Mapping[str, str]]:
    """The table of published against measured, by quantity."""
    tables = [one.value for one in app.table if "Agreement" in one.value.columns]
    (table,) = tables
    return {str(name).strip("*"): row for name, row in table.to_dict("index").items()}


@pytest.mark.usefixtures("small_data")
def test_a_phantom_is_shown_beside_the_published_numbers_and_never_agrees() -> None:
    app = visit("datasets", {"volume": "phantom-h"})
    fine(app)
    table = shown(app)
    assert set(table) == {quantity.title for quantity in QUANTITIES}
    assert table["Instances"]["Published"] == "R 5,446 · H 10,552"
    assert table["Foreground"]["Published"] == "5.10 (R or H)"
    assert table["Size of the smallest"]["Published"] == "≥ 2,000 (R and H)"
    assert not any("agrees" in row["Agreement"] for row in table.values())
    assert not any("differs" in row["Agreement"] for row in table.values())
    assert table["Small instances"]["Agreement"] == "nothing published"
    assert "another volume: not comparable" in text(app)


def test_labels_that_were_never_measured_are_told_how_to_be(own: Path) -> None:
    shutil.rmtree(own / "phantom-r" / "tables")
    app = visit("datasets")
    fine(app)
    assert "phantom-r/truth has no table of instances yet" in text(app)
    assert any(one.value == "python -m mitoem measure phantom-r/truth" for one in app.code)
    assert shown(app)["Instances"]["Measured"] == "–"
    assert not (own / "phantom-r" / "tables").exists()


def test_a_volume_without_labels_has_its_card_and_the_published_numbers(tmp_path: Path) -> None:
    name = "a-" * 31 + "a1"
    image = np.random.default_rng(0).integers(0, 255, (8, 40, 90), dtype=np.uint8)
    np.savez(tmp_path / "grey.npz", image=image)
    root = tmp_path / "data"
    mitoem.ingest(name, tmp_path / "grey.npz", voxel_size=(40.0, 6.0, 6.0), data=root)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MITOEM_DATA", str(root))
        app = visit("datasets")
    fine(app)
    assert "no labels" in text(app) and "0.32 × 0.24 × 0.54" in text(app)
    assert any(f"labels add {name}/truth" in one.value for one in app.code)
    assert shown(app)["Instances"]["Measured"] == "–"


def test_without_a_volume_the_published_numbers_and_the_commands_are_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MITOEM_DATA", str(tmp_path))
    app = visit("datasets")
    fine(app)
    assert f"The data root {tmp_path} holds no complete volume" in text(app)
    assert shown(app)["Instances"]["Published"] == "R 5,446 · H 10,552"
    assert getting.COMMANDS in [one.value for one in app.code]


@pytest.mark.usefixtures("small_data")
def test_an_unknown_volume_is_named_and_the_cards_of_the_others_are_there() -> None:
    app = visit("datasets", {"volume": "atlantis"})
    assert not app.exception
    assert "VolumeNotFound" in text(app) and "atlantis" in text(app)
    assert "#### phantom-h" in text(app)
    assert shown(app)["Instances"]["Measured"] == "–"


def test_a_damaged_preview_leaves_the_rest_of_the_card(own: Path) -> None:
    for shard in (own / "phantom-r" / "image.zarr").rglob("c/*/*/*"):
        shard.write_bytes(b"nothing of use")
    cards.preview.clear()
    app = visit("datasets")
    fine(app)
    assert "ChunkCorrupt" in text(app) and "30 × 8 × 8" in text(app)
    assert any(one.value == "python -m mitoem check phantom-r" for one in app.code)


def test_a_card_names_a_few_of_many_label_sets_and_counts_the_others(
    like_mitoem: VolumeInfo,
) -> None:
    (truth,) = like_mitoem.labels
    many = tuple(replace(truth, name=f"run_{k}*", kind="prediction") for k in range(9))
    info = replace(like_mitoem, labels=(truth, *many), licence="CC-BY *4*")
    told = cards.summary(info)
    assert "and 7 more label sets" in told
    assert r"run\_1\*" in told and r"CC-BY \*4\*" in told


def test_the_checksums_of_a_card_are_lines_that_sha256sum_checks(
    tmp_path: Path, small_root: Path
) -> None:
    image = np.random.default_rng(0).integers(0, 255, (8, 40, 40), dtype=np.uint8)
    np.savez(tmp_path / "grey.npz", image=image)
    volume = mitoem.ingest(
        "own", tmp_path / "grey.npz", voxel_size=(30.0, 8.0, 8.0), data=tmp_path / "data"
    )
    (line,) = cards.checksums(volume.info).splitlines()
    assert re.fullmatch(r"[0-9a-f]{64}  grey\.npz", line)
    both = mitoem.open_volume("phantom-r", data=small_root).info
    assert len(cards.checksums(both).splitlines()) == len(both.sources) == 2


def test_every_command_to_get_the_data_is_one_that_the_program_takes() -> None:
    lines = [line for line in getting.COMMANDS.splitlines() if line.startswith("python")]
    for line in lines:
        cli.parser().parse_args(shlex.split(line)[3:])
    assert {line.split()[3] for line in lines} == {"ingest", "check"}
    named = [one["file"] for one in facts.card()["files"]]
    assert all(getting.COMMANDS.count(name) == 2 for name in named)
    assert "sha256sum" in getting.COMMANDS


def test_no_download_size_or_checksum_is_invented() -> None:
    table = getting.files()
    assert set(table["Download size"]) == set(table["SHA-256"]) == {"unknown"}


def test_the_disk_check_asks_for_what_ingest_asks_for(tmp_path: Path) -> None:
    image = placing.Placed(MITOEM_SHAPE, lambda depth, start=0: iter(()))
    labels = replace(image, shape=(500, *MITOEM_SHAPE[1:]))
    new = assemble.NewLabels("truth", (labels,), np.dtype(np.uint16))
    scale = 1 + shutil.disk_usage(tmp_path).total // getting.NEEDED
    z, y, x = MITOEM_SHAPE
    with pytest.raises(DiskFull) as found:
        assemble._check_space(
            tmp_path,
            replace(image, shape=(z * scale, y, x)),
            replace(new, parts=(replace(labels, shape=(500 * scale, y, x)),)),
        )
    asked = int(re.findall(r"about ([\d,]+) bytes", str(found.value))[0].replace(",", ""))
    assert asked == pytest.approx(scale * getting.NEEDED, rel=2e-3)


def test_every_local_root_has_a_verdict_and_a_remote_one_is_read_only(tmp_path: Path) -> None:
    roots = ((tmp_path / "not yet").as_uri(), tmp_path.as_uri(), "https://em.example.org/volumes/")
    free = shutil.disk_usage(tmp_path).free
    one, two, far = getting.rooms(roots, needed=free // 2)
    assert one.use == "written" and two.use != "written"
    assert one.free and far.free is None and far.use.startswith("read-only")
    assert getting.rooms(roots, needed=2 * free)[0].verdict == "not enough for a volume"
    assert getting.rooms(roots, needed=free * 2 // 3)[0].verdict == "enough for one volume"
    assert getting.rooms(roots, needed=free // 9)[0].verdict == "enough for both volumes"
    assert "must be a directory" in getting.rooms(roots[2:])[0].verdict


@pytest.mark.usefixtures("small_data")
def test_three_citations_can_be_copied_as_bibtex() -> None:
    app = visit("datasets")
    shown_code = [one.value for one in app.code]
    for bibtex in facts.citations().values():
        assert bibtex.strip() in [one.strip() for one in shown_code]
        assert bibtex.count("{") == bibtex.count("}")
    told = "".join(facts.citations().values())
    assert "10.1007/978-3-030-59722-1_7" in told and "10.1109/TMI.2023.3320497" in told
    assert mitoem.__version__ in told
