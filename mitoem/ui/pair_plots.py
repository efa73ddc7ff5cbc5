"""The plots of the Compare page: cumulative shares, a histogram, a map that selects."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import streamlit as st
from plotly.graph_objects import Figure

from mitoem import effects, figures
from mitoem.effects import Components
from mitoem.errors import RequestInvalid
from mitoem.ui import cache, comparison, distribution, effect_table, mapping, plots, words
from mitoem.ui.address import Here
from mitoem.ui.comparison import Pair

CHARTS = ("ECDF", "Histogram", "Map")
AXES = ("Two measures", "PCA")
HEIGHT = 389
LABELS = 17
"""Pixels of the labels of size lines, above the plot and below the legend."""

NOT_OF_SHAPE = tuple(name for name in distribution.MEASURES if name.startswith("intensity"))
"""Grey levels are of the image, and differ between volumes for reasons other than shape."""


@dataclass(frozen=True, slots=True, eq=False)
class Chart:
    """A function of ``figures``, the measures or components that it draws, and how they look."""

    call: str
    measures: tuple[str, ...] = ()
    found: Components | None = None
    look: dict[str, Any] = field(default_factory=dict)

    @property
    def is_map(self) -> bool:
        """Whether its points are instances."""
        return self.call.endswith("_map")


def panel(at: Here, pair: Pair, measure: str) -> None:
    """One plot of both sets, and below it the selected instances."""
    chosen = _chosen(pair, measure)
    if chosen is None:
        return
    of = pair.called(f"{at.info.name}/{at.view.labels}")
    chosen.look.update(complete_only=pair.complete_only, theme=words.theme())
    if at.view.sel and of:
        chosen.look.update(marked=at.view.sel, of=of)
    figure = draw(pair, chosen)
    labels = LABELS * bool(figure.layout.shapes)
    figure.update_layout(
        height=HEIGHT + 2 * labels, margin_t=36 + labels, legend_y=1.02 + 0.004 * labels
    )
    if not chosen.is_map:
        figure.update_layout(dragmode=False)
    plots.draw(
        figure,
        key=f"compare_{chosen.call}",
        stem=f"compare_{pair.a}_{pair.b}_{chosen.call}".replace("/", "-"),
        code=code(pair, chosen),
        synthetic=cache.synthetic([one.partition("/")[0] for one in (pair.a, pair.b)]),
        **(mapping.acts(pair, figure, of) if chosen.is_map else {}),
    )
    if chosen.is_map:
        mapping.elsewhere(pair)
    mapping.selected(at, pair, chosen.measures or (measure,))
    if chosen.found:
        mapping.loadings(chosen.found)


def _chosen(pair: Pair, measure: str) -> Chart | None:
    """Which plot, as the words of the address say; None where there is no map."""
    with st.container(horizontal=True, gap="small", vertical_alignment="center"):
        kind = words.segments("chart", "Chart", CHARTS, CHARTS[0])
        axes = words.segments("axes", "Axes", AXES, AXES[0]) if kind == "Map" else ""
        if kind != "Map":
            look = {"log_x": words.switch("logx", "log x", default=True)}
            return Chart("ecdf" if kind == "ECDF" else "shares", (measure,), look=look)
    if axes == AXES[1]:
        found = _components(pair)
        return Chart("component_map", found=found) if found else None
    with st.container(horizontal=True, gap="medium", vertical_alignment="center"):
        look = {"log_x": words.switch("logx", "log x", default=True)}
        look["log_y"] = words.switch("logy", "log y", default=True)
        usual = "sphericity" if measure != "sphericity" else "volume_um3"
        against = words.choice(
            "against", "Against", pair.measured, usual, names=figures.title, bare=True
        )
    return Chart("measure_map", (measure, against), look=look)


def draw(pair: Pair, chart: Chart) -> Figure:
    """The figure of both sets."""
    given = (chart.found,) if chart.found else chart.measures
    figure: Figure = getattr(figures, chart.call)(pair.named, *given, **chart.look)
    return figure


def code(pair: Pair, chart: Chart) -> str:
    """Python that draws the same plot."""
    lines = ["import mitoem", f"from mitoem import {'effects, ' if chart.found else ''}figures", ""]
    lines += effect_table.read(pair)
    lines.append(f"tables = {{{pair.names[0]!r}: a, {pair.names[1]!r}: b}}")
    if chart.found:
        only = f"complete_only={pair.complete_only}"
        lines += [
            f"columns = {_candidates(pair)}",
            f"found = effects.components(a, b, columns=columns, {only})",
        ]
    given = "found" if chart.found else ", ".join(map(repr, chart.measures))
    told = ", ".join(f"{name}={value!r}" for name, value in chart.look.items())
    lines += [
        f"figure = figures.{chart.call}(tables, {given}, {told})",
        f'figure.write_html("{chart.call}.html")',
    ]
    return "\n".join(lines)


def _candidates(pair: Pair) -> list[str]:
    return [name for name in pair.measured if name not in NOT_OF_SHAPE]


def _components(pair: Pair) -> Components | None:
    """The principal components of both sets; says why there are none."""
    columns = tuple(_candidates(pair))
    try:
        return _kept(
            (pair.a, pair.b), comparison.versions(pair), columns, all_rows=not pair.complete_only
        )
    except RequestInvalid as too_little:
        st.caption(f"No map: {too_little}.")
        return None


@st.cache_data(max_entries=16, show_spinner=False)
def _kept(
    sets: tuple[str, str], versions: tuple[str, ...], columns: tuple[str, ...], *, all_rows: bool
) -> Components:
    del versions
    a, b = (comparison.table(name) for name in sets)
    return effects.components(a, b, columns=columns, complete_only=not all_rows)
