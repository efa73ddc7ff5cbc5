"""Two instance tables, measure by measure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
import pandas as pd

from mitoem.effects.blocks import Difference, Draw, Placed, difference
from mitoem.effects.sizes import summary

CENTROID = ("centroid_z_um", "centroid_y_um", "centroid_x_um")


def placed(frame: pd.DataFrame, column: str, *, complete_only: bool = True) -> Placed:
    """A measure of an instance table and where its instances lie; blank values are NaN.

    ``complete_only`` leaves out instances that a face of the labelled region cuts.
    """
    rows = frame[~frame["touches_border"].to_numpy(bool)] if complete_only else frame
    values = rows[column].to_numpy(np.float64, na_value=np.nan)
    return Placed(values, rows[list(CENTROID)].to_numpy(np.float64))


COLUMNS: Final = (
    "measure",
    *(f"{what}_{side}" for side in "ab" for what in ("n", "median", "q1", "q3")),
    *(f"{what}{end}" for what in ("cliffs_delta", "shift") for end in ("", "_low", "_high")),
    "blocks_a",
    "blocks_b",
)
"""What a row says, before the facts of the draw."""


def differences(
    a: pd.DataFrame,
    b: pd.DataFrame,
    columns: Sequence[str],
    *,
    draw: Draw,
    complete_only: bool = True,
) -> pd.DataFrame:
    """One row per measure that both tables hold: what A and B are like, and how far apart.

    Columns: ``measure``; ``n``, ``median``, ``q1`` and ``q3`` of each, ending in ``_a`` and
    ``_b``; ``cliffs_delta`` and ``shift`` (Hodges–Lehmann, A − B, in the unit of the measure),
    each with ``_low`` and ``_high`` of its 95 % interval; ``blocks_a`` and ``blocks_b``;
    ``edge_um``, ``seed``, ``replicates`` and ``paired`` of the draw. Raises RequestInvalid for a
    draw that cannot be.
    """
    rows = []
    for column in columns:
        pair = [placed(one, column, complete_only=complete_only) for one in (a, b)]
        if all(np.isfinite(one.values).any() for one in pair):
            sides = dict(zip("ab", pair, strict=True))
            rows.append({"measure": column, **_row(sides, difference(*pair, draw=draw))})
    frame = pd.DataFrame(rows, columns=list(COLUMNS))
    facts = {"edge_um": draw.edge, "seed": draw.seed}
    return frame.assign(**facts, replicates=draw.replicates, paired=draw.paired)


def _row(sides: dict[str, Placed], found: Difference) -> dict[str, float]:
    row: dict[str, float] = {}
    for side, one in sides.items():
        told = summary(one.values)
        row |= {f"n_{side}": told.n, f"median_{side}": told.median}
        row |= {f"q1_{side}": told.lower, f"q3_{side}": told.upper}
    for name, estimate in (("cliffs_delta", found.delta), ("shift", found.shift)):
        row |= {name: estimate.value, f"{name}_low": estimate.low, f"{name}_high": estimate.high}
    row["blocks_a"], row["blocks_b"] = found.delta.blocks
    return row
