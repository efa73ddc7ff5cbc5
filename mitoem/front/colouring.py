"""The instances of a label set coloured by what was measured of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from mitoem.errors import RequestInvalid
from mitoem.geometry import Box
from mitoem.morphometry import COLUMNS, Column
from mitoem.render import Key, Rgb
from mitoem.render.scale import UNKNOWN, Legend, graded, named, rgb

ORDER: Final = {
    "split": ("train", "validation", "none"),
    "size_class": ("small", "medium", "large"),
    "touches_border": ("complete", "cut"),
    "possible_moas": ("no", "yes"),
}
"""Names in the order in which a legend lists them."""

_WORDS: Final = {"touches_border": ("complete", "cut")}

ERROR: Final = Column(
    "error", "", "what became of it in the newest evaluation of these labels", "", "str"
)
"""Error types, which are of an evaluation and no column of the table."""

KINDS: Final = ("correct", "loose", "split", "merge", "missed", "invented", "not scored")

COLOURABLE: Final = tuple(one for one in COLUMNS if one.colourable)
"""Columns that instances may be coloured by."""


@dataclass(frozen=True, slots=True, eq=False)
class Colouring:
    """A colour for each instance of a table: ``ids`` rise, ``colours`` (N, 3) uint8."""

    column: Column
    ids: npt.NDArray[np.int64]
    colours: Rgb
    legend: Legend

    def of(self, ids: npt.ArrayLike) -> Rgb:
        """The colours of some ids, (N, 3) uint8; grey for an id that the table lacks."""
        wanted = np.atleast_1d(np.asarray(ids)).astype(np.int64)
        out = np.full((wanted.size, 3), rgb(UNKNOWN), np.uint8)
        at = np.minimum(np.searchsorted(self.ids, wanted), max(len(self.ids) - 1, 0))
        if len(self.ids):
            known = self.ids[at] == wanted
            out[known] = self.colours[at[known]]
        return out

    @property
    def key(self) -> Key:
        """The legend as a figure draws it, with the unit."""
        unit = f", {self.column.unit}" if self.column.unit else ""
        title, legend = f"{self.column.name}{unit}", self.legend
        if legend.kind == "names":
            pairs = zip(legend.colours, legend.names, strict=True)
            return Key(title, tuple(((colour,), name) for colour, name in pairs))
        log = " (log)" if legend.log else ""
        ends = (f"≤ {legend.low:.3g}", f"≥ {legend.high:.3g}{log}")
        return Key(title, (((), ends[0]), (legend.colours, ends[1])))


def error_colouring(
    frame: pd.DataFrame, errors: Sequence[Mapping[str, Any]], *, of_truth: bool, box: Box
) -> Colouring:
    """Colour instances by their error type.

    ``errors``: those of a scoring, as ``Scores.to_json`` gives them; ``of_truth``: whether the
    table is of the truth, else of the prediction; ``box``: the part that was scored.
    """
    kinds: dict[int, str] = {}
    for one in reversed(errors):  # most voxels lost first: it has the last word
        for instance in (one["truth"],) if of_truth else one["predictions"]:
            kinds[int(instance)] = str(one["kind"])
    rows = frame.sort_values("instance_id")
    inside = np.ones(len(rows), bool)
    for k, axis in enumerate("zyx"):
        inside &= (rows[f"bbox_{axis}1"] > box.start[k]) & (rows[f"bbox_{axis}0"] < box.stop[k])
    ids = rows["instance_id"].to_numpy(np.int64)
    texts = [
        kinds.get(int(one), "correct") if scored else "not scored"
        for one, scored in zip(ids, inside, strict=True)
    ]
    colours, legend = named(texts, order=KINDS)
    return Colouring(ERROR, ids, colours, legend)


def colouring(frame: pd.DataFrame, by: str) -> Colouring:
    """Colour the rows of an instance table by a column.

    Raises RequestInvalid for a column that is none, or that was not measured.
    """
    column = next((one for one in COLOURABLE if one.name == by), None)
    if column is None:
        known = ", ".join(one.name for one in COLOURABLE)
        raise RequestInvalid(f"expected a column to colour by, one of {known}; found {by[:40]!r}")
    rows = frame.sort_values("instance_id")
    values = rows[by]
    if values.isna().all() and len(values):
        raise RequestInvalid(f"{by} was not measured: `measure NAME/LABELS --skeletons` does")
    if column.dtype in ("bool", "boolean", "str"):
        no, yes = _WORDS.get(by, ("no", "yes"))
        texts = [
            "not measured" if pd.isna(one) else {True: yes, False: no}.get(one, str(one))
            for one in values
        ]
        colours, legend = named(texts, order=ORDER.get(by, ()))
    else:
        colours, legend = graded(values.to_numpy(np.float64, na_value=np.nan))
    return Colouring(column, rows["instance_id"].to_numpy(np.int64), colours, legend)
