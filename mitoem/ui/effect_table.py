"""The numbers of a comparison: a sentence for one measure, a table of all, CSV and snippet."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import streamlit as st

from mitoem import effects, figures, tables
from mitoem.effects import Draw
from mitoem.ui import comparison, snippets
from mitoem.ui.comparison import Pair

NO_VALUES = (
    "Nothing to compare: one side has no complete instance. Switch “complete only” off to include "
    "cut ones."
)


def numbers(pair: Pair, draw: Draw) -> pd.DataFrame:
    """One row per measure, as ``effects.differences`` gives it; kept by the names and versions."""
    sets = pair.a, pair.b
    with st.spinner("Drawing blocks of tissue…"):
        return _numbers(
            sets,
            comparison.versions(pair),
            tuple(pair.measured),
            draw,
            all_rows=not pair.complete_only,
        )


@st.cache_data(max_entries=32, show_spinner=False)
def _numbers(
    sets: tuple[str, str],
    versions: tuple[str, ...],
    measured: tuple[str, ...],
    draw: Draw,
    *,
    all_rows: bool,
) -> pd.DataFrame:
    del versions
    a, b = (comparison.table(name) for name in sets)
    return effects.differences(a, b, measured, draw=draw, complete_only=not all_rows)


def sentence(found: pd.DataFrame, measure: str) -> str:
    """In words, how A and B differ in a measure, with what the claim rests on."""
    if found.empty:
        return NO_VALUES
    rows, noun = found[found["measure"] == measure], figures.title(measure).partition(" (")[0]
    if rows.empty:
        return f"{noun} is not measured in both sets."
    row = rows.iloc[0]
    delta, low = row["cliffs_delta"], row["cliffs_delta_low"]
    size = "larger" if delta > 0 else "smaller"
    if delta == 0:
        claim = f"No difference in {noun.lower()}"
    elif not np.isfinite(low):
        claim = f"{noun} of A tends to be {size}"
    elif low <= 0 <= row["cliffs_delta_high"]:
        claim = f"No clear difference in {noun.lower()}"
    else:
        claim = f"{noun} of A is {size}"
    effect, shift = (
        " ".join(filter(None, estimate(row, name))).replace(" ", NO_BREAK)
        for name in ("cliffs_delta", "shift")
    )
    unit = f"{NO_BREAK}{figures.unit(measure)}" if figures.unit(measure) else ""
    return f"**{claim}**: Cliff's delta {effect}, shift {shift}{unit}.{_why_none(row)}"


def _why_none(row: pd.Series) -> str:
    """Why there is no interval, if there is none."""
    if np.isfinite(row["cliffs_delta_low"]):
        return ""
    return (
        f" No interval: A lies in {row['blocks_a']} blocks of {row['edge_um']:g} µm, B in "
        f"{row['blocks_b']}; {effects.FEWEST_BLOCKS} are the least. Choose smaller blocks."
    )


def estimate(row: pd.Series, name: str) -> tuple[str, str]:
    """A signed number and its 95 % interval, in as many decimals as the interval is sure of.

    Without an interval there are three figures, and the second text is empty.
    """
    value, low, high = (float(row[f"{name}{end}"]) for end in ("", "_low", "_high"))
    if not high > low:
        return _signed(value, ".3g"), ""
    decimals = _decimals(low, high)
    told = [_signed(one, f".{decimals}f") for one in (value, low, high)]
    return told[0], f"[{told[1]}, {told[2]}]"


def _decimals(low: float, high: float) -> int:
    """Decimals at which the width of an interval has two figures."""
    return max(0, 1 - math.floor(math.log10(high - low))) if high > low else 2


def _signed(value: float, form: str) -> str:
    """A number with its sign, 0 with none.

    >>> _signed(-0.01234, ".3g"), _signed(0.004, ".2f")
    ('−0.0123', '0.00')
    """
    text = f"{value:+{form}}".replace("-", "−")
    return text if text.strip("+−0.") else text[1:]


NO_BREAK = "\u00a0"
"""A space at which no line ends."""

SHORT = {"mci": "Complexity (MCI)"}


DELTA = (
    "The chance that an instance of A is larger than one of B, minus the chance that it is "
    "smaller: 0 when neither is more often so, ±1 when all are."
)

SHIFT = "Hodges–Lehmann: the median of all differences A − B, in the unit of the measure."


def table(pair: Pair, found: pd.DataFrame, *, draw: Draw) -> None:
    """All measures, how the intervals were made, and ways to take the numbers away."""
    if found.empty:
        return
    ends = zip(found["cliffs_delta_low"], found["cliffs_delta_high"], strict=True)
    decimals = max(_decimals(low, high) for low, high in ends)
    effect = st.column_config.NumberColumn(format=f"%+.{decimals}f", help=DELTA)
    median = st.column_config.NumberColumn(format="%.3g")
    st.dataframe(
        shown(found),
        hide_index=True,
        height="content",
        column_config={
            "Measure": st.column_config.Column(pinned=True),
            "Cliff's delta": effect,
            "δ 95 %": st.column_config.Column(help="95 % interval of Cliff's delta"),
            "Shift A − B": st.column_config.Column(help=SHIFT),
            "Shift 95 %": st.column_config.Column(help="95 % interval of the shift"),
            "Median A": median,
            "Median B": median,
        },
    )
    st.caption(told(pair, found, draw))
    with st.container(horizontal=True, gap="small", vertical_alignment="center"):
        st.download_button(
            "Numbers CSV",
            lambda: tables.to_csv(csv(pair, found)),
            file_name=f"compare_{pair.a}_{pair.b}.csv".replace("/", "-"),
            mime="text/csv",
            icon=":material/download:",
            on_click="ignore",
            key="compare_numbers",
        )
        snippets.offer(code(pair, found, draw))
        comparison.settings(pair)


def shown(found: pd.DataFrame) -> pd.DataFrame:
    """The numbers as a person reads them: what differs first, what each set is like after it."""
    effect, shift = (
        [estimate(row, name) for _, row in found.iterrows()] for name in ("cliffs_delta", "shift")
    )
    columns: dict[str, object] = {
        "Measure": [SHORT.get(name) or figures.title(name) for name in found["measure"]],
        "Cliff's delta": found["cliffs_delta"],
        "δ 95 %": [ends or "–" for _, ends in effect],
        "Shift A − B": [value for value, _ in shift],
        "Shift 95 %": [ends or "–" for _, ends in shift],
        "Median A": found["median_a"],
        "Median B": found["median_b"],
    }
    for side in "ab":
        ends = zip(found[f"q1_{side}"], found[f"q3_{side}"], strict=True)
        columns[f"IQR {side.upper()}"] = [f"{low:.3g} – {high:.3g}" for low, high in ends]
    return pd.DataFrame(columns | {"n A": found["n_a"], "n B": found["n_b"]})


def told(pair: Pair, found: pd.DataFrame, draw: Draw) -> str:
    """How the intervals were made."""
    blocks = [int(found[f"blocks_{side}"].max()) for side in "ab"]
    together = ", the same blocks in both" if pair.one_volume else ", in each set by itself"
    return (
        f"Intervals of 95 %: percentiles of {draw.replicates:,} replicates that draw blocks of "
        f"tissue, cubes of {draw.edge:g} µm, with replacement{together}. A lies in {blocks[0]} "
        f"blocks, B in {blocks[1]}; seed {draw.seed}. They hold what varies within the tissue, "
        "and are not corrected for the number of measures."
    )


def csv(pair: Pair, found: pd.DataFrame) -> pd.DataFrame:
    """The numbers with the names and label versions of both sets, and the unit of each row."""
    _, version_a, _, version_b = comparison.versions(pair)
    out = found.assign(
        a=pair.a, b=pair.b, labels_version_a=version_a, labels_version_b=version_b,
        complete_only=pair.complete_only,
    )  # fmt: skip
    out.insert(1, "unit", [figures.unit(name) for name in found["measure"]])
    return out


def code(pair: Pair, found: pd.DataFrame, draw: Draw) -> str:
    """Python that makes the same table."""
    lines = ["import mitoem", "from mitoem import effects", ""]
    lines += read(pair)
    lines += [
        f"measures = {found['measure'].tolist()}",
        f"draw = effects.Draw({draw.edge!r}, seed={draw.seed}, replicates={draw.replicates}, "
        f"paired={draw.paired})",
        "found = effects.differences(a, b, measures, draw=draw, "
        f"complete_only={pair.complete_only})",
        'found.to_csv("compare.csv", index=False)',
    ]
    return "\n".join(lines)


def read(pair: Pair) -> list[str]:
    """The lines that read both tables."""
    return [
        snippets.table(*name.split("/", 1), name=side)
        for side, name in (("a", pair.a), ("b", pair.b))
    ]
