"""Published against measured, for the volume and the labels in use."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
import streamlit as st

from mitoem.errors import TableMissing, VolumeInvalid, VolumeNotFound
from mitoem.front import agreement
from mitoem.front.agreement import Comparison, Identity, Letter, Published
from mitoem.geometry import MITOEM_VOXEL_SIZE
from mitoem.manifest import LabelSet
from mitoem.ui import address, cache, facts, panels
from mitoem.ui.address import Here

_BADGE = {"agrees": "green", "differs": "red", "not comparable": "gray"}

_CSS = """
<style>
.st-key-agreement table { table-layout: fixed; }
.st-key-agreement :is(th, td):nth-child(1) { width: 13%; }
.st-key-agreement :is(th, td):nth-child(2) { width: 15%; }
.st-key-agreement :is(th, td):nth-child(3) { width: 8%; }
.st-key-agreement :is(th, td):nth-child(4) { width: 9%; }
.st-key-agreement :is(th, td):nth-child(5) { width: 11%; }
.st-key-agreement td:is(:nth-child(2), :nth-child(3)) { font-variant-numeric: tabular-nums; }
</style>
"""


def section() -> None:
    """The numbers of the volume in the line above, or the published ones alone."""
    st.html(_CSS)
    try:
        at = address.here()
    except VolumeNotFound as error:
        if cache.volume_names():
            panels.error(error)
        st.markdown("Nothing is measured yet. What is published of R and H:")
        _table(_published_alone(), None)
        return
    labels = at.labels
    if labels is None:
        panels.empty(
            f"{at.info.name} has no labels",
            "Nothing to measure: instances are counted from labels. Published of R and H:",
            code=f"python -m mitoem labels add {at.info.name}/truth --from FILE --truth",
        )
        _table(_published_alone(), None)
        return
    _of_labels(at, labels)


def _published_alone() -> tuple[Comparison, ...]:
    """Rows with nothing measured."""
    return agreement.compare(
        None, (), voxel_size=MITOEM_VOXEL_SIZE, published=facts.published(), letter=None
    )


def _of_labels(at: Here, labels: LabelSet) -> None:
    """What is measured on these labels, beside what is published, once they have a table."""
    found = agreement.against(at.info, labels)
    try:
        frame = cache.table(at.volume, labels.name)
    except (TableMissing, VolumeInvalid) as error:
        frame, told = None, facts.plain(str(error))
        panels.empty(
            f"{at.info.name}/{labels.name} has no table of instances yet",
            f"{told[:1].upper()}{told[1:]}. **Measure now** on Instances does it, or:",
            code=f"python -m mitoem measure {at.info.name}/{labels.name}",
        )
    rows = agreement.compare(
        frame,
        labels.coverage,
        voxel_size=at.info.voxel_size,
        published=facts.published(),
        letter=found.letter,
    )
    st.markdown(_headline(f"{at.info.name} / {labels.name}", found, rows))
    _table(rows, found.letter)


def _headline(name: str, found: Identity, rows: Sequence[Comparison]) -> str:
    """Which labels these are, and how they stand to what is published."""
    reason = facts.plain(found.reason)
    if found.letter is None:
        return (
            f"**{facts.plain(name)}** :gray-badge[another volume: not comparable] · {reason}. What "
            "is published of R and H stands beside it for reference."
        )
    marks = [row.agreement for row in rows]
    told = "  ".join(
        f":{colour}-badge[{mark} {marks.count(mark)}]"
        for mark, colour in _BADGE.items()
        if mark in marks
    )
    return f"**{facts.plain(name)}** is MitoEM {found.letter}: {reason}. {told}"


def _table(rows: Sequence[Comparison], letter: Letter | None) -> None:
    with st.container(key="agreement"):
        st.table(frame(rows, letter))
    st.caption(
        f"{agreement.RULE} Numbers agree within half of the last digit that is published. The "
        "volume and the labels are those of the line above."
    )


def frame(rows: Sequence[Comparison], letter: Letter | None) -> pd.DataFrame:
    """The comparison to read, a row per quantity; ``letter`` leaves out the other volume."""
    return pd.DataFrame(
        {
            "Quantity": [f"**{row.quantity.title}**" for row in rows],
            "Published": [_published(row.published, letter) for row in rows],
            "Measured": [_measured(row) for row in rows],
            "Unit": [row.quantity.unit for row in rows],
            "Agreement": [_mark(row) for row in rows],
            "What is counted, and the tolerance": [_how(row) for row in rows],
            "Source of the published number": [_source(row) for row in rows],
        }
    ).set_index("Quantity")


def _published(told: Sequence[Published], letter: Letter | None) -> str:
    """The published numbers: of this volume, or of each."""
    mine = [one for one in told if letter is None or one.of in (letter, "both", "either")]
    return " · ".join(_number(one, name_it=letter is None) for one in mine) or "–"


def _number(one: Published, *, name_it: bool) -> str:
    decimals = max(0, len(f"{one.step:g}".partition(".")[2]))
    sign = "≥ " if one.least else "≈ " if one.step > 1 else ""
    text = f"{sign}{one.value:,.{decimals}f}"
    if one.of == "either":
        return f"{text} (R or H)"
    if not name_it:
        return text
    return f"{text} (R and H)" if one.of == "both" else f"{one.of} {text}"


def _measured(row: Comparison) -> str:
    return "–" if row.measured is None else f"{row.measured:,.{row.quantity.decimals}f}"


def _mark(row: Comparison) -> str:
    colour = _BADGE.get(row.agreement)
    return f":{colour}-badge[{row.agreement}]" if colour else row.agreement


def _how(row: Comparison) -> str:
    parts = (row.quantity.counted, row.reason, row.tolerance)
    return facts.plain(" · ".join(part for part in parts if part))


def _source(row: Comparison) -> str:
    return facts.plain("; ".join(dict.fromkeys(one.source for one in row.published))) or "–"
