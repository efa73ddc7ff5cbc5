from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mitoem.figures import (
    ap_curve,
    bin_edges,
    by_group,
    drawn_numbers,
    ecdf,
    histogram,
    measure_map,
    scatter,
    shares,
    title,
)
from mitoem.figures.style import INKS, Theme, log_axis
from mitoem.morphometry.columns import COLUMNS
from mitoem.scores.precision import AveragePrecision

VOXEL_UM3 = 30 * 8 * 8 * 1e-9


def table(rows: int = 400, seed: int = 0) -> pd.DataFrame:
    random = np.random.default_rng(seed)
    voxels = np.exp(random.normal(9, 1.2, rows)).astype(np.int64) + 1
    classes = np.select([voxels <= 5000, voxels <= 15000], ["small", "medium"], "large")
    return pd.DataFrame(
        {
            "instance_id": np.arange(1, rows + 1),
            "voxel_count": voxels,
            "volume_um3": voxels * VOXEL_UM3,
            "mci": random.uniform(0.7, 20, rows),
            "length_um": np.full(rows, np.nan),
            "branch_points": pd.array([0] * rows, "Int64"),
            "touches_border": random.random(rows) < 0.2,
            "split": np.where(random.random(rows) < 0.8, "train", "validation"),
            "size_class": classes,
        }
    )


TABLE = table()
CUT = int(TABLE["touches_border"].sum())


def caption(plot: go.Figure) -> str:
    return str(plot.layout.annotations[0].text)


@settings(deadline=None, max_examples=60)
@given(st.lists(st.floats(1e-6, 1e6), min_size=1, max_size=50), st.integers(1, 60), st.booleans())
def test_bins_hold_every_value_and_are_equal_on_the_axis(
    values: list[float], bins: int, log: bool
) -> None:
    edges = bin_edges(np.array(values), bins=bins, log=log)
    counts, _ = np.histogram(values, edges)
    assert counts.sum() == len(values)
    steps = np.diff(np.log10(edges) if log else edges)
    assert edges.size == bins + 1
    assert np.allclose(steps, steps[0], rtol=1e-6)


def test_cut_instances_are_hidden_and_counted_by_default() -> None:
    plot = histogram(TABLE, "volume_um3")
    assert sum(sum(trace.y) for trace in plot.data) == len(TABLE) - CUT
    first = caption(plot).split("<br>")[0]
    assert first == f"{len(TABLE) - CUT:,} of {len(TABLE)} shown; {CUT} cut hidden"
    assert plot.layout.xaxis.type == "log"


def test_cut_instances_are_hatched_when_shown() -> None:
    plot = histogram(TABLE, "volume_um3", complete_only=False)
    complete, cut = plot.data
    assert (sum(complete.y), sum(cut.y)) == (len(TABLE) - CUT, CUT)
    assert (complete.marker.pattern.shape, cut.marker.pattern.shape) == (None, "/")
    assert f"{CUT} of them cut, hatched" in caption(plot)


def test_bars_span_their_bins() -> None:
    bars = histogram(TABLE, "volume_um3", bins=20).data[0]
    assert bars.offset == 0
    assert np.allclose(np.add(bars.x, bars.width), bars.customdata[:, 1])
    assert np.allclose(bars.x, bars.customdata[:, 0])


@pytest.mark.parametrize(
    ("column", "scale"), [("voxel_count", 1.0), ("volume_um3", VOXEL_UM3), ("mci", None)]
)
@pytest.mark.parametrize("log_x", [True, False])
@pytest.mark.parametrize("draw", [
    histogram,
    lambda rows, column, **more: ecdf({"": rows}, column, **more),
    lambda rows, column, **more: ecdf({"": rows[:5]}, column, behind=rows, **more),
    lambda rows, column, **more: shares({"a": rows[::2], "b": rows[1::2]}, column, **more),
    lambda rows, column, **more: scatter(rows, column, "sphericity", **more),
])  # fmt: skip
def test_the_size_lines_stand_where_sizes_are_drawn(
    draw: Callable[..., go.Figure], column: str, scale: float | None, log_x: bool
) -> None:
    plot = draw(TABLE.assign(sphericity=0.5), column, log_x=log_x)
    places = [shape.x0 for shape in plot.layout.shapes]
    expected = [] if scale is None else [voxels * scale for voxels in (2000, 5000, 15000)]
    assert places == pytest.approx(expected)
    assert [shape.x1 for shape in plot.layout.shapes] == places
    labels = [one.text for one in plot.layout.annotations[1:]]
    assert labels == ([] if scale is None else ["2,000", "5,000", "15,000"])
    assert ("2,000 voxels: the dataset card's minimum" in caption(plot)) == bool(expected)
    assert ("5,000 and 15,000 voxels: size classes" in caption(plot)) == bool(expected)


def test_a_scatter_has_size_lines_across_its_other_axis_too() -> None:
    plot = scatter(TABLE, "mci", "volume_um3")
    assert [shape.y0 for shape in plot.layout.shapes] == pytest.approx(
        [voxels * VOXEL_UM3 for voxels in (2000, 5000, 15000)]
    )
    heights = [one.y for one in plot.layout.annotations[1:]]
    assert heights == pytest.approx([np.log10(n * VOXEL_UM3) for n in (2000, 5000, 15000)])
    pair = measure_map({"a": TABLE[::2], "b": TABLE[1::2]}, "mci", "volume_um3")
    assert [shape.y1 for shape in pair.layout.shapes] == [shape.y1 for shape in plot.layout.shapes]
    assert "2,000 voxels: the dataset card's minimum" in caption(pair)
    both = scatter(TABLE, "voxel_count", "volume_um3")
    assert len(both.layout.shapes) == 6
    assert caption(both).count("5,000 and 15,000 voxels") == 1


def test_volumes_of_other_voxels_share_no_line_but_of_voxels() -> None:
    coarse = TABLE.assign(volume_um3=TABLE["volume_um3"] * 8)
    near = TABLE.assign(volume_um3=TABLE["volume_um3"] * 1.002)
    assert ecdf({"fine": TABLE, "near": near}, "volume_um3").layout.shapes == ()
    tables = {"fine": TABLE, "coarse": coarse}
    assert ecdf(tables, "volume_um3").layout.shapes == ()
    assert len(ecdf(tables, "voxel_count").layout.shapes) == 3


def test_groups_are_stacked_on_a_linear_axis_and_overlaid_on_a_log_one() -> None:
    linear = histogram(TABLE, "volume_um3", group="size_class")
    assert [trace.name for trace in linear.data] == ["small", "medium", "large"]
    small, medium, large = linear.data
    assert np.array_equal(medium.base, small.y)
    assert np.array_equal(large.base, np.add(small.y, medium.y))
    log = histogram(TABLE, "volume_um3", group="size_class", log_y=True)
    assert log.layout.yaxis.type == "log"
    assert {trace.base for trace in log.data} == {None}


@pytest.mark.parametrize("draw", [
    lambda kept, **more: histogram(kept, "volume_um3", **more),
    lambda kept, **more: ecdf({"": kept}, "volume_um3", **more),
    lambda kept, **more: scatter(kept, "volume_um3", "mci", **more),
])  # fmt: skip
def test_what_a_filter_leaves_out_stays_pale_behind_on_the_same_axes(
    draw: Callable[..., go.Figure],
) -> None:
    kept = TABLE[TABLE["mci"] < 5]
    whole, some = draw(TABLE), draw(kept, behind=TABLE)
    assert some.layout.xaxis.range == whole.layout.xaxis.range
    ghost, *drawn = some.data
    colour = ghost.line.color if ghost.type == "scatter" and ghost.mode == "lines" else None
    assert (colour or ghost.marker.color) == INKS["light"].ghost
    assert f"of {len(TABLE)} shown" in caption(some)
    numbers = drawn_numbers(some)
    assert set(numbers["trace"]) == {trace.name or "" for trace in drawn}


def test_instances_that_are_pointed_at_are_marked_where_they_are_drawn() -> None:
    complete = TABLE[~TABLE["touches_border"]]
    ids = [
        *complete["instance_id"].iloc[:2],
        int(TABLE["instance_id"][TABLE["touches_border"]].iloc[0]),
    ]
    values = complete["volume_um3"].iloc[:2].tolist()
    for plot in (
        histogram(TABLE, "volume_um3", marked=ids),
        ecdf({"": TABLE}, "volume_um3", marked=ids),
        scatter(TABLE, "volume_um3", "mci", marked=ids),
    ):
        last = plot.data[-1]
        assert (list(last.customdata), list(last.x)) == (ids[:2], values)


def test_where_a_table_holds_several_volumes_ids_are_of_the_one_that_is_named() -> None:
    both = pd.concat(
        [TABLE.assign(volume="R"), TABLE.assign(volume="H", volume_um3=TABLE["volume_um3"] / 2)]
    )
    one = int(TABLE["instance_id"][~TABLE["touches_border"]].iloc[0])
    whole = float(TABLE.set_index("instance_id").loc[one, "volume_um3"])
    tables = by_group(both, "volume")
    for of, value in (("R", whole), ("H", whole / 2)):
        for plot in (
            histogram(both, "volume_um3", marked=[one], of=of),
            scatter(both, "volume_um3", "mci", marked=[one], of=of),
            ecdf(tables, "volume_um3", group="volume", marked=[one], of=of),
        ):
            assert (plot.data[-1].name, list(plot.data[-1].x)) == ("selected", [value])
    kept = both[both["volume"] == "H"]
    for plot in (
        histogram(kept, "volume_um3", behind=both, marked=[one], of="R"),
        scatter(kept, "volume_um3", "mci", behind=both, marked=[one], of="R"),
    ):
        assert "selected" not in [trace.name for trace in plot.data]
    groups = by_group(TABLE, "size_class")
    every = TABLE["instance_id"].tolist()
    pointed = [t for t in ecdf(groups, "volume_um3", marked=every).data if t.name == "selected"]
    assert len(pointed) == len(groups)


def test_the_legend_of_groups_says_what_cut_ones_look_like() -> None:
    bars = histogram(TABLE, "volume_um3", group="split", complete_only=False)
    points = scatter(TABLE, "volume_um3", "mci", group="split", complete_only=False)
    for plot in (bars, points):
        shown = [trace.name for trace in plot.data if trace.showlegend is not False]
        assert shown == ["train", "validation", "cut by a face"]
        assert "cut by a face" not in set(drawn_numbers(plot)["trace"])
    many = pd.concat([TABLE.assign(instance_id=TABLE["instance_id"] + k * 400) for k in range(10)])
    key, *_ = (
        t
        for t in scatter(many, "volume_um3", "mci", group="split").data
        if t.showlegend is not False
    )
    assert (key.type, key.marker.size, key.marker.opacity) == ("scattergl", 8, None)


def test_bars_of_no_instance_are_no_lines_and_few_on_a_log_axis_can_be_read() -> None:
    plot = histogram(TABLE[:9], "volume_um3", group="size_class", log_y=True)
    for bars in plot.data:
        assert [width > 0 for width in bars.marker.line.width] == [count > 0 for count in bars.y]
    ticks, (low, high) = plot.layout.yaxis.tickvals, plot.layout.yaxis.range
    assert sum(low <= np.log10(tick) <= high for tick in ticks) >= 2


def test_numbers_of_a_plot_are_what_it_draws() -> None:
    points = drawn_numbers(scatter(TABLE, "volume_um3", "mci", complete_only=False))
    assert sorted(points["instance_id"]) == TABLE["instance_id"].tolist()
    rows = TABLE.set_index("instance_id").loc[points["instance_id"]]
    assert points["Volume (µm³)"].tolist() == rows["volume_um3"].tolist()
    bars = drawn_numbers(histogram(TABLE, "volume_um3", bins=20))
    assert bars["Instances"].sum() == len(TABLE) - CUT
    assert (bars["Volume (µm³), to"] > bars["Volume (µm³)"]).all()
    assert drawn_numbers(histogram(TABLE.iloc[:0], "volume_um3")).empty


@settings(deadline=None)
@given(st.floats(1e-9, 1e9), st.floats(1.001, 1e6))
def test_a_logarithmic_axis_always_has_ticks_to_read(low: float, ratio: float) -> None:
    axis = log_axis(low, low * ratio)
    ends = [10**one for one in axis["range"]]
    inside = [tick for tick in axis["tickvals"] if ends[0] <= tick <= ends[1]]
    assert 2 <= len(inside) <= 20


def test_what_cannot_be_drawn_is_counted() -> None:
    blank = histogram(TABLE, "length_um")
    assert f"{len(TABLE) - CUT} not measured" in caption(blank)
    assert blank.layout.annotations[1].text == "Nothing to draw"
    zeros = histogram(TABLE, "branch_points")
    assert f"{len(TABLE) - CUT} not above 0" in caption(zeros)
    assert sum(histogram(TABLE, "branch_points", log_x=False).data[0].y) == len(TABLE) - CUT


def test_an_empty_table_gives_an_empty_plot() -> None:
    for plot in (
        histogram(TABLE.iloc[:0], "volume_um3"),
        scatter(TABLE.iloc[:0], "volume_um3", "mci"),
        ecdf({"R": TABLE.iloc[:0]}, "volume_um3"),
    ):
        assert len(plot.data) == 0
        assert "0 of 0 shown" in caption(plot)


def test_a_point_of_a_scatter_knows_its_instance() -> None:
    plot = scatter(TABLE, "volume_um3", "mci", complete_only=False)
    ids = np.concatenate([trace.customdata for trace in plot.data])
    assert sorted(ids.tolist()) == TABLE["instance_id"].tolist()
    cut = plot.data[1]
    assert cut.marker.symbol == "circle-open"
    assert f"{CUT} of them cut, hollow" in caption(plot)


def test_many_points_are_drawn_by_webgl() -> None:
    many = scatter(table(5000), "volume_um3", "mci", complete_only=False)
    assert {trace.type for trace in many.data} == {"scattergl"}
    assert {trace.type for trace in scatter(TABLE, "volume_um3", "mci").data} == {"scatter"}


def test_a_cumulative_curve_rises_from_nothing_to_all() -> None:
    plot = ecdf({"R": TABLE, "H": table(100, seed=1)}, "volume_um3")
    assert [trace.name for trace in plot.data] == ["R", "H"]
    for trace in plot.data:
        assert (trace.y[0], trace.y[-1]) == (0, 1)
        assert (np.diff(trace.x) >= 0).all()
        assert (np.diff(trace.y) > 0).all()
    assert plot.data[0].line.dash != plot.data[1].line.dash
    assert caption(plot).count("shown") == 2


def test_a_curve_of_very_many_is_drawn_in_steps_that_are_exact_and_near() -> None:
    many = table(25_000)
    values = np.sort(many["volume_um3"].to_numpy())
    drawn = ecdf({"": many}, "volume_um3", complete_only=False).data[0]
    assert len(drawn.x) <= 2_001
    assert (drawn.x[0], drawn.x[-1]) == (values[0], values[-1])
    shares = np.arange(1, values.size + 1) / values.size
    np.testing.assert_array_equal(drawn.x[1:], values[np.searchsorted(shares, drawn.y[1:] - 1e-9)])
    told = drawn.y[np.searchsorted(drawn.x, values, side="right") - 1]
    assert np.abs(told - shares).max() <= 1 / 2_000


def test_groups_keep_their_look_and_their_totals_whatever_a_filter_leaves_of_them() -> None:
    kept = TABLE[TABLE["size_class"] == "large"]
    sizes = TABLE["size_class"].value_counts()
    options: dict[str, Any] = {"behind": TABLE, "group": "size_class"}
    parts = by_group(kept, "size_class", TABLE)
    assert list(parts) == ["small", "medium", "large"] and parts["small"].empty
    curves = ecdf(parts, "volume_um3", complete_only=False, **options)
    for name in parts:
        shown = len(kept) if name == "large" else 0
        assert f"{name}: {shown} of {sizes[name]} shown" in caption(curves)
    plots = [
        curves,
        scatter(kept, "volume_um3", "mci", complete_only=False, **options),
        histogram(kept, "volume_um3", complete_only=False, **options),
    ]
    assert "before the filter" in {one.name for one in curves.data}
    full = ecdf(by_group(TABLE, "size_class"), "volume_um3", complete_only=False)
    look = next(trace.line.color for trace in full.data if trace.name == "large")
    for plot in plots:
        found = [one for one in plot.data if str(one.name).startswith("large")]
        colours = {one.line.color if one.type == "scatter" and one.mode == "lines"
                   else one.marker.color for one in found}  # fmt: skip
        assert colours <= {look, "rgba(0,0,0,0)"} and look in colours


def test_a_table_is_cut_by_group_in_the_order_of_plots() -> None:
    parts = by_group(TABLE, "size_class")
    assert list(parts) == ["small", "medium", "large"]
    assert sum(len(part) for part in parts.values()) == len(TABLE)


def test_the_ap_curve_has_one_point_per_threshold_and_none_without_truth() -> None:
    thresholds = tuple(0.5 + 0.05 * k for k in range(10))
    some, none = tuple(np.linspace(0.8, 0.1, 10).tolist()), (-1.0,) * 10
    plot = ap_curve(
        {
            "model-a": AveragePrecision(thresholds, some, some, none, none),
            "model-b": AveragePrecision(thresholds, none, none, none, none),
        }
    )
    assert plot.data[0].y == pytest.approx(some)
    assert set(plot.data[1].y) == {None}
    assert "model-a 0.450, model-b no truth" in caption(plot)


def test_axes_name_every_column_with_its_unit() -> None:
    assert title("surface_to_volume_per_um") == "Surface to volume (1/µm)"
    assert title("nearest_neighbour_um") == "Nearest neighbour (µm)"
    assert title("centroid_z_um") == "Centroid z (µm)"
    for column in COLUMNS:
        assert "_" not in title(column.name)
        assert not column.unit or title(column.name).endswith(f"({column.unit})")


def luminance(colour: str) -> float:
    """Relative luminance of ``#rrggbb``. Source: WCAG 2.2."""
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
    return float(np.dot((0.2126, 0.7152, 0.0722), linear))


@pytest.mark.parametrize(("theme", "page"), [("light", "#ffffff"), ("dark", "#0f1518")])
def test_text_is_readable_on_the_page_of_its_theme(theme: Theme, page: str) -> None:
    ink = INKS[theme]
    for colour, wanted in ((ink.text, 4.5), (ink.quiet, 4.5), (ink.accent, 3.0)):
        light, dark = sorted((luminance(colour), luminance(page)), reverse=True)
        assert (light + 0.05) / (dark + 0.05) >= wanted
    plot = histogram(TABLE, "volume_um3", theme=theme)
    assert plot.layout.template.layout.paper_bgcolor == "rgba(0,0,0,0)"
