"""The numbers of a comparison: a sentence for one measure, a table of all, CSV and snippet."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from mitoem import effects, figures, tables
from mitoem.effects import Draw
from mitoem.ui import comparison, snippets
from mitoem.ui.comparison import Pair

NO_VALUES = (
    "Nothing to compare: on one side no complete instance has a value. Switch “complete only” off "
    "to include cut ones."
)


PATIENCE = 0.3
"""Seconds after which a person is told what is being computed."""


def numbers(
    pair: Pair, columns: Sequence[str], *, draw: Draw, place: DeltaGenerator | None = None
) -> pd.DataFrame:
    """One row per measure, as ``effects.differences`` gives it; kept by the names and versions.

    Measure by measure, so that a click meanwhile is heard, and what is done by then is not lost.
    ``place`` tells how far it is.
    """
    versions, begun = comparison.versions(pair), time.monotonic()
    rows: list[dict[str, Any]] = []
    for number, column in enumerate(columns):
        if place and time.monotonic() - begun > PATIENCE:
            what = f"Drawing blocks of tissue: {figures.title(column)}"
            place.progress(number / len(columns), what)
        rows += _numbers((pair.a, pair.b), versions, column, draw, all_rows=not pair.complete_only)
    return pd.DataFrame(rows)


@st.cache_data(max_entries=512, show_spinner=False)
def _numbers(
    sets: tuple[str, str], versions: tuple[str, ...], column: str, draw: Draw, *, all_rows: bool
) -> list[dict[str, Any]]:
    """The row of one measure; none where one side has no value."""
    del versions
    a, b = (comparison.table(name) for name in sets)
    found = effects.differences(a, b, [column], draw=draw, complete_only=not all_rows)
    return [{str(name): value for name, value in row.items()} for row in found.to_dict("records")]


def claim(pair: Pair, measure: str, *, draw: Draw) -> str:
    """In words, how the two sets differ in a measure, or why nothing can be said."""
    if pair.lacking:
        return pair.lacking
    if measure not in pair.measured:
        return _unmeasured(pair, measure)
    return sentence(numbers(pair, [measure], draw=draw), measure)


def _unmeasured(pair: Pair, measure: str) -> str:
    """Which of the sets lack a measure, and how they come by it."""
    sets = dict(zip(pair.names, (pair.a, pair.b), strict=True))
    lacking = [name for name, table in pair.named.items() if table[measure].isna().all()]
    return (
        f"{_noun(measure)} is not measured in {' nor in '.join(lacking)}: press “Measure lengths” "
        f"on Instances, or run `python -m mitoem measure {sets[lacking[0]]} --skeletons`."
    )


def sentence(found: pd.DataFrame, measure: str) -> str:
    """In words, how A and B differ in a measure, with what the claim rests on."""
    if found.empty:
        return NO_VALUES
    rows, noun = found[found["measure"] == measure], _noun(measure)
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
        _whole(" ".join(filter(None, estimate(row, name)))) for name in ("cliffs_delta", "shift")
    )
    unit = f"{NO_BREAK}{figures.unit(measure)}" if figures.unit(measure) else ""
    return f"**{claim}**: Cliff's delta {effect}, shift {shift}{unit}.{_why_none(row)}"


def _noun(measure: str) -> str:
    """A measure in words, without its unit."""
    return figures.title(measure).partition(" (")[0]


def _why_none(row: pd.Series) -> str:
    """Why there is no interval, if there is none."""
    if np.isfinite(row["cliffs_delta_low"]):
        return ""
    few = min(row["n_a"], row["n_b"]) < effects.FEWEST_BLOCKS
    advice = "There are too few instances." if few else "Choose smaller blocks."
    return (
        f" No interval: A lies in {_blocks(row['blocks_a'])} of {row['edge_um']:g} µm, B in "
        f"{row['blocks_b']}; {effects.FEWEST_BLOCKS} are the least. {advice}"
    )


def _blocks(count: int) -> str:
    return "1 block" if count == 1 else f"{count} blocks"


def estimate(row: pd.Series, name: str) -> tuple[str, str]:
    """A signed number and its 95 % interval, in as many decimals as the interval is sure of.

    What is not 0 has more decimals, or at least a sign: on which side of 0 a bound lies decides
    what is claimed. Without an interval there are three figures, and the second text is empty.
    """
    value, low, high = (float(row[f"{name}{end}"]) for end in ("", "_low", "_high"))
    if not high > low:
        return _signed(value, ".3g"), ""
    told = [_signed(one, _form(one, _decimals(low, high))) for one in (value, low, high)]
    return told[0], f"[{told[1]}, {told[2]}]"


def _decimals(low: float, high: float) -> int:
    """Decimals at which the width of an interval has two figures."""
    return max(0, 1 - math.floor(math.log10(high - low)))


def _form(value: float, decimals: int) -> str:
    """These decimals, or one or two more where those show that a number is not 0.

    >>> _form(0.12, 2), _form(-0.0029, 2), _form(0.0, 2), _form(1e-9, 2)
    ('.2f', '.3f', '.2f', '.2f')
    """
    shown = (n for n in range(decimals, decimals + 3) if round(value, n) or not value)
    return f".{next(shown, decimals)}f"


def _signed(value: float, form: str) -> str:
    """A number with its sign, 0 with none.

    >>> _signed(-0.01234, ".3g"), _signed(-1e-9, ".2f"), _signed(-0.0, ".2f")
    ('−0.0123', '−0.00', '0.00')
    """
    return format(value or 0.0, f"+{form}" if value else form).replace("-", "−")


NO_BREAK = "\u00a0"
"""A space at which no line ends."""

RANGE = "–\u2060"
"""A dash after which no line ends."""

SHORT = {"mci": "Complexity (MCI)", "equivalent_diameter_um": "Eq. diameter (µm)"}

MEANING = (
    "Cliff's delta: the chance that an instance of A is larger than one of B, minus the chance "
    "that it is smaller: 0 when neither is more often so, ±1 when all are. Shift: Hodges–Lehmann, "
    "the median of all differences A − B, in the unit of the measure."
)

_CSS = """<style>
@media (max-width: 1000px) {
  .st-key-compare_panels > [data-testid="stLayoutWrapper"] > [data-testid="stHorizontalBlock"] {
    flex-wrap: wrap; }
  .st-key-compare_panels > [data-testid="stLayoutWrapper"] > [data-testid="stHorizontalBlock"]
    > [data-testid="stColumn"] { min-width: 100%; } }
.st-key-compare_table table { font-size: .8rem; font-variant-numeric: tabular-nums; }
.st-key-compare_table :is(th, td) { padding: .3rem .4rem; line-height: 1.3; }
.st-key-compare_table :is(th, td) * { font-size: inherit; line-height: inherit; }
.st-key-compare_table :is(th, td:first-child) * { white-space: nowrap; }
.st-key-compare_table :is(th, td):not(:first-child) { text-align: right !important; }
</style>"""


def table(pair: Pair, *, draw: Draw) -> None:
    """All measures, how the intervals were made, and ways to take the numbers away."""
    place = st.empty()
    found = numbers(pair, pair.measured, draw=draw, place=place)
    if found.empty:
        place.empty()
        return
    st.html(_CSS)
    with place.container(key="compare_table"):
        st.table(shown(found), border="horizontal", hide_index=True)
    st.caption(told(pair, found, draw), help=MEANING)
    with st.container(horizontal=True, gap="small", vertical_alignment="center"):
        st.download_button(
            "Numbers CSV",
            partial(tables.to_csv, csv(pair, found)),
            file_name=f"compare_{pair.a}_{pair.b}.csv".replace("/", "-"),
            mime="text/csv",
            icon=":material/download:",
            on_click="ignore",
            key="compare_numbers",
        )
        snippets.offer(code(pair, found, draw))
        comparison.settings(pair)


def shown(found: pd.DataFrame) -> pd.DataFrame:
    """The numbers as a person reads them: what each set is like, and how far apart they are.

    A line ends before what is in brackets, where it must.
    """
    columns: dict[str, object] = {
        "Measure": [SHORT.get(name) or figures.title(name) for name in found["measure"]]
    }
    for side in "ab":
        columns[f"n {side.upper()}"] = [f"{n:,}" for n in found[f"n_{side}"]]
    for side in "ab":
        columns[f"Median {side.upper()} (IQR)"] = [
            _quartiles(*(float(row[f"{what}_{side}"]) for what in ("median", "q1", "q3")))
            for _, row in found.iterrows()
        ]
    for name, title in (("cliffs_delta", "Cliff's delta [95 %]"), ("shift", "Shift A − B [95 %]")):
        told = [estimate(row, name) for _, row in found.iterrows()]
        columns[title] = [f"{value} {_whole(ends)}".strip() for value, ends in told]
    return pd.DataFrame(columns)


def _quartiles(median: float, low: float, high: float) -> str:
    """A median and its quartiles, in as many decimals as give the range between two figures.

    >>> [_quartiles(*three).replace(RANGE, "–") for three in ((0.0571, 0.0382, 0.0689), (3, 3, 3))]
    ['0.057 (0.038–0.069)', '3 (3–3)']
    """
    decimals = _decimals(low, high) if high > low else None
    forms = [".3g" if decimals is None else _form(v, decimals) for v in (median, low, high)]
    told = [format(v, f) for v, f in zip((median, low, high), forms, strict=True)]
    return f"{told[0]} ({told[1]}{RANGE}{told[2]})".replace("-", "−")


def _whole(text: str) -> str:
    """Text at whose spaces no line ends."""
    return text.replace(" ", NO_BREAK)


def told(pair: Pair, found: pd.DataFrame, draw: Draw) -> str:
    """How the intervals were made."""
    blocks = [int(found[f"blocks_{side}"].max()) for side in "ab"]
    together = (
        ", the same blocks in both, and count pairs within a block once for each time it is drawn"
        if pair.one_volume
        else ", in each set by itself"
    )
    return (
        f"Intervals of 95 %: percentiles of {draw.replicates:,} replicates that draw blocks of "
        f"tissue, cubes of {draw.edge:g} µm, with replacement{together}. A lies in "
        f"{_blocks(blocks[0])}, B in {blocks[1]}; seed {draw.seed}. They hold what varies within "
        "the tissue, and are not corrected for the number of measures."
    )


def csv(pair: Pair, found: pd.DataFrame) -> pd.DataFrame:
    """The numbers with the names and label versions of both sets, and the unit of each row."""
    out = found.assign(
        a=pair.a,
        b=pair.b,
        labels_version_a=comparison.labels_version(pair.a),
        labels_version_b=comparison.labels_version(pair.b),
        complete_only=pair.complete_only,
    )
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
