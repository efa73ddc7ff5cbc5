"""The Compare page without a browser: what it says of two sets, and what it gives away."""

from __future__ import annotations

import re
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import pytest
from streamlit.testing.v1 import AppTest
from test_pages import fine, text, visit, words
from test_snippets import run_each

import mitoem
from mitoem import effects, figures
from mitoem.tables import provenance, write
from mitoem.ui import comparison, effect_table, mapping, pair_plots
from mitoem.ui.comparison import Pair

EVERY = {"volume": "phantom-h", "cut": "0"}
SETS = ("phantom-h/truth", "phantom-r/truth")


@pytest.fixture
def tables(small_data: Path) -> tuple[pd.DataFrame, pd.DataFrame]:
    a, b = (mitoem.table(name, data=small_data) for name in ("phantom-h", "phantom-r"))
    return a, b


@pytest.fixture
def named(tables: tuple[pd.DataFrame, pd.DataFrame]) -> dict[str, pd.DataFrame]:
    return dict(zip(SETS, tables, strict=True))


def told(app: AppTest) -> str:
    """The sentence on the chosen measure."""
    (one,) = (one.value for one in app.markdown if "Cliff's delta" in one.value)
    return str(one).replace("\u00a0", " ")


DELTA = "Cliff's delta [95 %]"


def seen(app: AppTest) -> pd.DataFrame:
    """The table of all measures, with usual spaces."""
    (one,) = (one.value for one in app.table if DELTA in one.value)
    return one.replace("\u00a0", " ", regex=True)


@pytest.mark.usefixtures("small_data")
def test_the_sentence_and_the_table_say_what_the_library_finds(
    tables: tuple[pd.DataFrame, pd.DataFrame],
) -> None:
    app = visit("compare", {**EVERY, "edge": "0.5", "boot": "5"})
    fine(app)
    draw = effects.Draw(0.5, seed=5)
    found = effects.differences(*tables, ["volume_um3"], draw=draw, complete_only=False).iloc[0]
    shown = seen(app)
    assert list(shown)[1:5] == ["n A", "n B", "Median A (IQR)", "Median B (IQR)"]
    assert shown["n A"].iloc[0] == str(len(tables[0]))
    assert shown["Median A (IQR)"].iloc[0].startswith(f"{found['median_a']:.2g} (")
    for name, title in (("cliffs_delta", DELTA), ("shift", "Shift A − B [95 %]")):
        said = " ".join(effect_table.estimate(found, name))
        assert "[" in said and said == shown[title].iloc[0] and said in told(app)
    assert "µm³" in told(app)
    caption = next(one.value for one in app.caption if "replicates" in one.value)
    assert "1,000 replicates" in caption and "cubes of 0.5 µm" in caption and "seed 5" in caption
    assert f"A lies in {found['blocks_a']:.0f} blocks" in caption


@pytest.mark.usefixtures("small_data")
def test_edge_and_seed_are_words_of_the_address_and_bad_ones_are_the_usual() -> None:
    app = visit("compare", {**EVERY, "edge": "wide", "boot": "-3"})
    fine(app)
    usual = app.selectbox(key="word_edge").value
    app.number_input(key="word_boot").set_value(11).run()
    assert words(app)["boot"] == "11"
    app.selectbox(key="word_edge").select("0.5").run()
    assert words(app)["edge"] == "0.5" and usual != "0.5"
    fine(app)
    assert "cubes of 0.5 µm" in text(app) and "seed 11" in text(app)


def row(delta: tuple[float, float, float], shift: tuple[float, float, float]) -> pd.DataFrame:
    names = ("", "_low", "_high")
    values = {f"cliffs_delta{end}": one for end, one in zip(names, delta, strict=True)}
    values |= {f"shift{end}": one for end, one in zip(names, shift, strict=True)}
    facts = {"n_a": 40, "n_b": 50, "blocks_a": 4, "blocks_b": 9, "edge_um": 2.0}
    return pd.DataFrame([{"measure": "volume_um3", **values, **facts}])


@pytest.mark.parametrize(
    ("found", "sentence"),
    [
        (
            row((0.31, 0.12, 0.48), (0.0123, 0.004, 0.021)),
            "**Volume of A is larger**: Cliff's delta +0.31 [+0.12, +0.48], "
            "shift +0.012 [+0.004, +0.021] µm³.",
        ),
        (
            row((-0.1, -0.3, 0.2), (-12.0, -55.0, 31.0)),
            "**No clear difference in volume**: Cliff's delta −0.10 [−0.30, +0.20], "
            "shift −12 [−55, +31] µm³.",
        ),
        (
            row((-0.5, np.nan, np.nan), (-0.0123, np.nan, np.nan)),
            "**Volume of A tends to be smaller**: Cliff's delta −0.5, shift −0.0123 µm³. "
            "No interval: A lies in 4 blocks of 2 µm, B in 9; 6 are the least. "
            "Choose smaller blocks.",
        ),
        (row((0, 0, 0), (0, 0, 0)), "**No difference in volume**: Cliff's delta 0, shift 0 µm³."),
        (
            row((0.4, -0.0029, 0.68), (0.2, 0.0, 0.5)),
            "**No clear difference in volume**: Cliff's delta +0.40 [−0.003, +0.68], "
            "shift +0.20 [0.00, +0.50] µm³.",
        ),
        (
            row((0.4, 1e-9, 0.68), (-1e-9, -0.3, 0.5)),
            "**Volume of A is larger**: Cliff's delta +0.40 [+0.00, +0.68], "
            "shift −0.00 [−0.30, +0.50] µm³.",
        ),
    ],
)
def test_the_sentence_claims_no_more_than_the_interval_holds(
    found: pd.DataFrame, sentence: str
) -> None:
    assert effect_table.sentence(found, "volume_um3").replace("\u00a0", " ") == sentence


def test_a_set_in_fewer_than_six_blocks_has_no_interval_and_the_page_says_why(
    tables: tuple[pd.DataFrame, pd.DataFrame],
) -> None:
    found = effects.differences(
        *tables, ["volume_um3"], draw=effects.Draw(70.0), complete_only=False
    )
    told = effect_table.sentence(found, "volume_um3")
    assert "A lies in 1 block of 70 µm, B in 1; 6 are the least." in told


QUERIES = [
    {"chart": "ECDF"},
    {"chart": "ECDF", "sel": "2,3", "measure": "sphericity"},
    {"chart": "Histogram", "logx": "0"},
    {"chart": "Map", "sel": "2,3", "against": "elongation"},
    {"chart": "Map", "axes": "PCA", "sel": "2"},
]


@pytest.mark.usefixtures("small_data")
@pytest.mark.parametrize("query", QUERIES)
def test_every_snippet_of_the_compare_page_runs(query: dict[str, str], tmp_path: Path) -> None:
    app = visit("compare", {**EVERY, **query})
    fine(app)
    plot, table = run_each(app, tmp_path)
    assert (plot.suffix, table.name) == (".html", "compare.csv")
    found = pd.read_csv(table)
    shown = effect_table.shown(found).replace("\u00a0", " ", regex=True)
    assert shown.to_dict("records") == seen(app).to_dict("records")


def test_the_csv_names_sets_versions_draw_and_units(
    tables: tuple[pd.DataFrame, pd.DataFrame], small_data: Path
) -> None:
    pair = Pair(*SETS, tables, complete_only=False)
    draw = effects.Draw(0.7, seed=3)
    found = effects.differences(*tables, pair.measured, draw=draw, complete_only=False)
    saved = effect_table.csv(pair, found)
    volume = mitoem.open_volume("phantom-r", data=small_data)
    assert set(saved["labels_version_b"]) == {volume.info.label_set("truth").version}
    assert saved.set_index("measure").loc["volume_um3", "unit"] == "µm³"
    for name, value in (("a", SETS[0]), ("b", SETS[1]), ("edge_um", 0.7), ("seed", 3)):
        assert set(saved[name]) == {value}
    assert {"cliffs_delta_low", "shift_high", "replicates", "blocks_a"} <= set(saved.columns)


def test_truth_and_a_prediction_are_one_tissue_whose_blocks_are_drawn_together(
    own_root: Path,
) -> None:
    volume = mitoem.open_volume("phantom-h", data=own_root)
    guess = volume.read(layer="truth").copy()
    guess[:, :, :40] = 0
    mitoem.add_labels(volume, "guess", guess, kind="prediction", data=own_root)
    mitoem.measure("phantom-h", "guess", data=own_root)
    app = visit("compare", EVERY)
    fine(app)
    assert [app.selectbox(key=f"word_{side}").value for side in "ab"] == [
        "phantom-h/truth",
        "phantom-h/guess",
    ]
    assert any("label the same tissue" in one.value for one in app.info)
    assert not any("one specimen each" in one.value for one in app.info)
    assert "the same blocks in both" in text(app)
    assert "paired=True" in next(one.value for one in app.code if "effects.Draw" in one.value)


def test_a_table_that_was_measured_again_has_new_numbers_at_once(own_root: Path) -> None:
    volume = mitoem.open_volume("phantom-h", data=own_root)
    mitoem.add_labels(volume, "guess", volume.read(layer="truth"), kind="prediction", data=own_root)
    mitoem.measure("phantom-h", "guess", data=own_root)
    app = visit("compare", EVERY)
    fine(app)
    assert seen(app)[DELTA].iloc[0] == "0"
    beside = own_root / "phantom-h" / "tables"
    note = provenance(beside, "guess") or {}
    frame = mitoem.table("phantom-h", "guess", data=own_root)
    frame["volume_um3"] += 100
    write(beside, "guess", frame, provenance=note)
    app.run()
    fine(app)
    assert seen(app)[DELTA].iloc[0] == "−1"
    assert "Volume of A is smaller" in told(app)


def test_a_table_has_one_minus_sign_and_no_bound_that_reads_as_nothing(
    tables: tuple[pd.DataFrame, pd.DataFrame],
) -> None:
    names = [name for name in comparison.distribution.MEASURES if tables[0][name].notna().any()]
    draw = effects.Draw(0.5, replicates=200)
    found = effects.differences(*tables, names, draw=draw, complete_only=False)
    found.loc[0, ["cliffs_delta_low", "shift_high"]] = -0.0029, 1e-5
    cells = effect_table.shown(found).to_numpy(str).ravel().tolist()
    assert any("−" in one for one in cells) and not any("-" in one for one in cells)
    ends = [f"{what}_{end}" for what in ("cliffs_delta", "shift") for end in ("low", "high")]
    zeros = [
        bound for one in cells for bound in re.findall(r"(?<=[\[\u00a0])[+−]?0\.?0*(?=[,\]])", one)
    ]
    assert len(zeros) == int((found[ends] == 0).sum().sum())


@pytest.mark.parametrize("cut", ["1", "0"])
def test_a_set_without_instances_is_named_and_not_called_unmeasured(
    own_root: Path, cut: str
) -> None:
    volume = mitoem.open_volume("phantom-h", data=own_root)
    nothing = np.zeros_like(volume.read(layer="truth"))
    mitoem.add_labels(volume, "nothing", nothing, kind="prediction", data=own_root)
    mitoem.measure("phantom-h", "nothing", data=own_root)
    app = visit("compare", {**EVERY, "cut": cut})
    assert not app.exception
    assert "Nothing to compare: B · phantom-h/nothing has no instance." in text(app)
    assert "is not measured" not in text(app)


def test_a_set_of_cut_instances_alone_says_how_to_include_them(
    tables: tuple[pd.DataFrame, pd.DataFrame],
) -> None:
    cut = tables[1].assign(touches_border=True)
    pair = Pair(*SETS, (tables[0], cut), complete_only=True)
    assert pair.lacking == (
        "Nothing to compare: B · phantom-r/truth has no complete instance. Switch “complete only” "
        f"off to include its {len(cut)} cut ones."
    )
    assert not Pair(*SETS, (tables[0], cut), complete_only=False).lacking
    assert not Pair(*SETS, (tables[0], tables[0]), complete_only=False).lacking


def test_fewer_instances_than_blocks_are_needed_is_said_as_such() -> None:
    frame = row((-0.5, np.nan, np.nan), (-1.0, np.nan, np.nan)).assign(n_a=3, blocks_a=3)
    assert effect_table.sentence(frame, "volume_um3").endswith("There are too few instances.")


def test_shares_add_up_to_one_on_common_bins(named: dict[str, pd.DataFrame]) -> None:
    plot = figures.shares(named, "volume_um3", complete_only=False, marked=[2], of=SETS[0])
    bars = [trace for trace in plot.data if trace.type == "bar"]
    assert [bar.meta for bar in bars] == list(SETS)
    assert all(sum(bar.y) == pytest.approx(1) for bar in bars)
    assert (bars[0].x == bars[1].x).all()
    counted = [int(np.asarray(bar.customdata)[:, 2].sum()) for bar in bars]
    assert counted == [len(frame) for frame in named.values()]
    empty = figures.shares({"": named[SETS[0]][:0]}, "volume_um3")
    assert not empty.data


def points(plot: go.Figure, name: str) -> int:
    return sum(len(trace.x) for trace in plot.data if trace.meta == name)


def test_a_map_draws_every_instance_of_both_sets_and_rings_those_of_one(
    named: dict[str, pd.DataFrame],
) -> None:
    found = effects.components(
        *named.values(), columns=("volume_um3", "surface_area_um2", "flatness"), complete_only=False
    )
    look = {"complete_only": False, "marked": [2, 3], "of": SETS[1]}
    for plot in (
        figures.measure_map(named, "volume_um3", "sphericity", **look),
        figures.component_map(named, found, **look),
    ):
        assert [points(plot, name) for name in SETS] == [len(one) for one in named.values()]
        (ring,) = (trace for trace in plot.data if trace.name == "selected")
        assert list(ring.customdata) == [2, 3]
        saved = figures.drawn_numbers(plot)
        assert len(saved) == sum(map(len, named.values())) and "instance_id" in saved
    assert f"{found.shares[0]:.0%} of the variance" in plot.layout.xaxis.title.text


def test_of_many_points_no_set_lies_over_the_other(named: dict[str, pd.DataFrame]) -> None:
    many = {
        name: one.sample(2000, replace=True, random_state=0).assign(instance_id=range(2000))
        for name, one in named.items()
    }
    plot = figures.measure_map(many, "volume_um3", "sphericity", complete_only=False)
    assert [points(plot, name) for name in SETS] == [2000, 2000]
    order = [trace.meta for trace in plot.data if trace.meta in SETS]
    assert order[0] == SETS[0] and order[-1] == SETS[1]
    assert sum(one != other for one, other in pairwise(order)) >= 10, "they take turns"
    ids, x, _ = mapping.points(plot, SETS[1])
    found = many[SETS[1]].set_index("instance_id").loc[ids]
    assert sorted(ids) == list(range(2000)) and found["volume_um3"].tolist() == x.tolist()


@pytest.mark.usefixtures("small_data")
def test_the_map_shows_rows_of_the_selection_loadings_and_what_was_left_out() -> None:
    app = visit("compare", {**EVERY, "chart": "Map", "axes": "PCA", "sel": "2,3"})
    fine(app)
    (rows,) = (one.value for one in app.dataframe if "id" in one.value)
    assert rows["id"].tolist() == [2, 3]
    (loadings,) = (one.value for one in app.dataframe if "Component 1" in one.value)
    assert np.linalg.norm(loadings["Component 1"]) == pytest.approx(1)
    assert "Left out: grey levels" in text(app)
    assert "Equivalent diameter (µm): the same as volume (µm³)" in text(app)
    assert not set(pair_plots.NOT_OF_SHAPE) & set(loadings["Measure"])


def test_a_box_reaches_the_points_of_the_current_set_alone(named: dict[str, pd.DataFrame]) -> None:
    plot = figures.measure_map(
        named, "volume_um3", "sphericity", complete_only=False, marked=[2], of=SETS[0]
    )
    ids, x, y = mapping.points(plot, SETS[0])
    assert sorted(ids.tolist()) == named[SETS[0]]["instance_id"].tolist()
    table = named[SETS[0]].set_index("instance_id").loc[ids]
    assert table["volume_um3"].tolist() == x.tolist()
    assert table["sphericity"].tolist() == y.tolist()
    assert mapping.points(plot, "")[0].size == 0


@pytest.mark.usefixtures("small_data")
def test_a_point_of_the_other_set_is_reached_by_a_button_and_a_and_b_stay() -> None:
    app = visit("compare", {**EVERY, "chart": "Map", "sel": "2"})
    app.session_state[mapping.OTHERS] = ("phantom-r/truth", 3)
    app.run()
    fine(app)
    assert "#3 is of phantom-r/truth." in text(app)
    app.button(key="compare_switch").click().run()
    fine(app)
    now = words(app)
    assert (now["volume"], now["sel"]) == ("phantom-r", "3")
    assert [app.selectbox(key=f"word_{side}").value for side in "ab"] == list(SETS)
    assert not [one for one in app.button if one.key == "compare_switch"]


@pytest.mark.usefixtures("small_data")
def test_a_measure_that_no_set_holds_says_so_and_draws_nothing() -> None:
    app = visit("compare", {**EVERY, "measure": "length_um"})
    assert not app.exception
    assert "Length is not measured in A · " in text(app)
    assert comparison.ONE_SPECIMEN in [one.value for one in app.info]


def eighty() -> None:
    import numpy as np
    import streamlit as st

    from mitoem.ui import address, mapping

    address.begin("compare")
    ids = np.arange(80, 0, -1)
    mapping.select_inside((ids, ids / 1.0, ids / 1.0), {"x": [0, 200], "y": [70.5, 0]})
    st.text(address.word("sel", ""))


def test_a_box_of_more_than_fifty_selects_the_first_fifty_and_says_how_many_it_held() -> None:
    app = AppTest.from_function(eighty).run()
    assert not app.exception
    assert app.text[0].value == ",".join(str(one) for one in range(1, 51))
    assert "70 instances lie in the box: the first 50" in app.toast[0].value
