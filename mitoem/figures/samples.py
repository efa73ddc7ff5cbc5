"""Which rows a plot draws, what it leaves out, and the sentence that says so."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

Flags = npt.NDArray[np.bool_]
Values = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Sample:
    """The drawn rows of a table, which of them a face cuts, and counts of what is not drawn.

    ``blank`` rows have no value, ``unplaced`` ones none above 0 on a log axis.
    """

    rows: pd.DataFrame
    cut: Flags
    total: int
    hidden: int
    blank: int
    unplaced: int

    @property
    def caption(self) -> str:
        """Counts, such as ``1,204 of 4,812 shown; 310 cut hidden``."""
        cut = int(self.cut.sum())
        parts = [f"{len(self.rows):,} of {self.total:,} shown"]
        parts += [f"{cut:,} of them cut, hatched"] if cut else []
        parts += [f"{self.hidden:,} cut hidden"] if self.hidden else []
        parts += [f"{self.blank:,} not measured"] if self.blank else []
        parts += [f"{self.unplaced:,} not above 0"] if self.unplaced else []
        return "; ".join(parts)


def numbers(frame: pd.DataFrame, column: str) -> Values:
    """A column as float64, NaN where it is blank."""
    return frame[column].to_numpy(np.float64, na_value=np.nan)


def sample(
    frame: pd.DataFrame,
    *columns: str,
    logs: tuple[bool, ...],
    complete_only: bool,
    total: int | None = None,
) -> Sample:
    """The rows of ``frame`` that can be drawn by these columns.

    ``logs`` says of each column whether its axis is logarithmic; ``total`` is the number of rows
    before any filter, those of ``frame`` when None. A table without ``touches_border`` has no cut
    instances.
    """
    if "touches_border" in frame.columns:
        cut = frame["touches_border"].to_numpy(bool, na_value=False)
    else:
        cut = np.zeros(len(frame), bool)
    wanted = ~cut if complete_only else np.ones(len(frame), bool)
    present, placed = wanted.copy(), wanted.copy()
    for column, log in zip(columns, logs, strict=True):
        values = numbers(frame, column)
        present &= np.isfinite(values)
        placed &= np.isfinite(values) & ((values > 0) | (not log))
    return Sample(
        rows=frame[placed],
        cut=cut[placed],
        total=len(frame) if total is None else total,
        hidden=int((~wanted).sum()),
        blank=int((wanted & ~present).sum()),
        unplaced=int((present & ~placed).sum()),
    )


def marked_values(
    drawn: Sample, marked: Sequence[int], *columns: str, of: str = ""
) -> tuple[list[int], ...]:
    """Ids of ``marked`` that are drawn, and their values of each column.

    ``of``: the volume that the ids are of, where the table holds several.
    """
    rows = drawn.rows[drawn.rows["instance_id"].isin(list(marked))]
    if of and "volume" in rows.columns:
        rows = rows[rows["volume"] == of]
    return rows["instance_id"].tolist(), *(numbers(rows, column).tolist() for column in columns)


def left_out(whole: Sample, drawn: Sample) -> pd.DataFrame:
    """The rows of ``whole`` that are not drawn."""
    names = [name for name in ("volume", "instance_id") if name in whole.rows.columns]
    kept = pd.MultiIndex.from_frame(drawn.rows[names])
    return whole.rows[~pd.MultiIndex.from_frame(whole.rows[names]).isin(kept)]


def numbering(table: pd.DataFrame, by: str | None) -> dict[str, int]:
    """The place of each group of a table, which its colour and symbol follow.

    Of the table before a filter: so a group keeps its look whatever a filter leaves of the others.
    """
    return {name: place for place, name in enumerate(groups(table, by))}


def groups(rows: pd.DataFrame, by: str | None) -> dict[str, Flags]:
    """Rows of each group by its name; sizes from small to large, the rest in their own order."""
    if by is None:
        return {"": np.ones(len(rows), bool)}
    names = rows[by].astype(str).to_numpy(str)
    order = {name: place for place, name in enumerate(("small", "medium", "large", "train"))}
    present = sorted(set(names.tolist()), key=lambda name: (order.get(name, 9), name))
    return {name: np.asarray(names == name, bool) for name in present}
