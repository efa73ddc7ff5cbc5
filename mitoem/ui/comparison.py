"""Two label sets beside each other: their distributions and how far they lie apart."""

from __future__ import annotations

import numpy as np
import pandas as pd
import streamlit as st

from mitoem import effects, figures
from mitoem.errors import TableMissing, VolumeInvalid
from mitoem.ui import cache, panels, style, words
from mitoem.ui.distribution import MEASURES
from mitoem.ui.instances import offer_to_measure

ONE_SPECIMEN = (
    "Two volumes are one specimen each: a difference between them is a difference between these "
    "two blocks of tissue, not between species, ages or conditions."
)


OTHER_PARTS = (
    "A and B label different parts of this volume: some of the difference is where they look."
)


def sets() -> list[str]:
    """Every measured or measurable label set of this server, as ``volume/labels``."""
    return [
        f"{name}/{labels.name}"
        for name in cache.volume_names()
        for labels in cache.volume(name).info.labels
    ]


def other(found: list[str], first: str) -> str:
    """What to compare with at first: labels of the same name elsewhere, else any other set."""
    volume, _, labels = first.partition("/")
    rest = [one for one in found if one != first]
    alike = [one for one in rest if one.endswith(f"/{labels}") and not one.startswith(f"{volume}/")]
    return (alike or rest)[0]


def load(names: tuple[str, str]) -> dict[str, pd.DataFrame] | None:
    """The tables of two label sets; offers to measure those that have none."""
    found = {}
    for name in names:
        volume, _, labels = name.partition("/")
        try:
            found[name] = cache.table(cache.volume(volume), labels)
        except (TableMissing, VolumeInvalid) as missing:
            offer_to_measure(volume, labels, missing)
    return found if len(found) == len(names) else None


def plot(tables: dict[str, pd.DataFrame], column: str, *, complete_only: bool) -> None:
    """Cumulative distributions, and histograms of each below."""
    log_x = words.switch("logx", "log x", default=True)
    figure = figures.ecdf(
        tables, column, complete_only=complete_only, log_x=log_x, theme=words.theme()
    )
    figure.update_layout(font_family=style.FONT, margin_t=36)
    st.plotly_chart(figure, key="compare_ecdf", theme=None)


def numbers(tables: dict[str, pd.DataFrame], *, complete_only: bool) -> pd.DataFrame:
    """One row per measure: n, median and quartiles of both sets, A and B, and Cliff's delta."""
    a, b = tables.values()
    rows = []
    for name in MEASURES:
        x, y = (_values(frame, name, complete_only=complete_only) for frame in (a, b))
        if not (np.isfinite(x).any() and np.isfinite(y).any()):
            continue
        row: dict[str, object] = {
            "Measure": figures.title(name),
            "Cliff's delta": effects.cliffs_delta(x, y),
        }
        for side, values in (("A", x), ("B", y)):
            found = effects.summary(values)
            row |= {
                f"n {side}": found.n,
                f"median {side}": found.median,
                f"IQR {side}": f"{found.lower:.4g} – {found.upper:.4g}",
            }
        rows.append(row)
    return pd.DataFrame(rows)


def _values(frame: pd.DataFrame, name: str, *, complete_only: bool) -> effects.Values:
    rows = frame[~frame["touches_border"]] if complete_only else frame
    return rows[name].to_numpy(np.float64, na_value=np.nan)


def table(frame: pd.DataFrame, *, names: tuple[str, str]) -> None:
    """The numbers, and their CSV, which names the sets."""
    if frame.empty:
        st.caption(
            "Nothing to compare: one side has no complete instance. Switch “complete only” off to "
            "include cut ones."
        )
        return
    st.dataframe(
        frame,
        hide_index=True,
        height="content",
        column_config={
            name: st.column_config.NumberColumn(format="%.4g")
            for name in frame.columns
            if name.startswith("median") or name.startswith("Cliff")
        },
    )
    st.caption(
        f"A is {names[0]}, B is {names[1]}. Cliff's delta is the chance that an instance of A is "
        "larger than one of B, minus the chance that it is smaller: 0 when neither is the case "
        "more often, ±1 when all are."
    )
    st.download_button(
        "Numbers CSV",
        lambda: frame.assign(A=names[0], B=names[1]).to_csv(index=False).encode(),
        file_name="compare.csv",
        mime="text/csv",
        on_click="ignore",
    )


def caveat(a: str, b: str) -> str:
    """What the difference of two sets does not tell, or nothing."""
    (one, first), (other, second) = (tuple(name.split("/", 1)) for name in (a, b))
    if one != other:
        return ONE_SPECIMEN
    info = cache.volume(one).info
    same = info.label_set(first).coverage == info.label_set(second).coverage
    return "" if same else OTHER_PARTS


def too_few(found: list[str]) -> None:
    """What to do where there are no two label sets."""
    panels.empty(
        f"Compare needs two label sets, found {len(found)}",
        "Add a second volume, or save a prediction on Inference and compare it with the truth.",
        code=panels.DEMO,
    )
