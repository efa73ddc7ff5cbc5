"""Lines on an axis of size: the least instance of the data set, the bounds of its size classes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from mitoem.figures.samples import Values, numbers
from mitoem.figures.style import Ink
from mitoem.morphometry.columns import MEDIUM_VOXELS, SMALL_VOXELS

Side: TypeAlias = Literal["x", "y"]

TRUNCATION_VOXELS: Final = 2_000
"""Least voxels of a MitoEM instance, as its data set card states; nobody has verified it."""

TOUCHING: Final = 0.08
"""Labels nearer each other than this share of the axis are set one above another."""


@dataclass(frozen=True, slots=True)
class Limit:
    """A number of voxels that lies ``at`` this value of the axis."""

    voxels: int
    at: float

    @property
    def text(self) -> str:
        """As its label and the caption say it."""
        return f"{self.voxels:,}"


def limits(column: str, values: Values, frames: Iterable[pd.DataFrame]) -> list[Limit]:
    """The lines that lie among these values of ``column``, the least first.

    None for measures that are no size. The volume of a voxel is taken from ``frames``, the tables
    that are drawn; where they hold several there are lines on ``voxel_count`` alone.
    """
    voxel = 1.0 if column == "voxel_count" or not values.size else _voxel_um3(frames)
    if voxel is None or not values.size:
        return []
    found = []
    for voxels in (TRUNCATION_VOXELS, SMALL_VOXELS, MEDIUM_VOXELS):
        at = _place(column, voxels * voxel)
        if at is not None and values.min() * (1 - 1e-9) <= at <= values.max():
            found.append(Limit(voxels, at))
    return found


def _place(column: str, size: float) -> float | None:
    """Where a size lies on the axis of ``column``; None for other measures."""
    if column == "equivalent_diameter_um":
        return float((6 * size / np.pi) ** (1 / 3))
    return size if column in ("voxel_count", "volume_um3") else None


def _voxel_um3(frames: Iterable[pd.DataFrame]) -> float | None:
    """Volume of a voxel, as the tables have it; None where they have none or several."""
    found = None
    for rows in frames:
        if rows.empty:
            continue
        if not {"volume_um3", "voxel_count"} <= set(rows.columns):
            return None
        counts = numbers(rows, "voxel_count")
        each = numbers(rows, "volume_um3") / counts
        found = float(each[np.argmax(counts)]) if found is None else found
        if not np.allclose(each, found, rtol=1e-6, atol=0):
            return None
    return found


def note(lines: Sequence[Limit]) -> str:
    """A line of the caption that says what the drawn lines are; empty for none."""
    classes = " and ".join(
        dict.fromkeys(one.text for one in lines if one.voxels != TRUNCATION_VOXELS)
    )
    least = f"{TRUNCATION_VOXELS:,} voxels: the dataset card's minimum (unverified)"
    told = [least] if any(one.voxels == TRUNCATION_VOXELS for one in lines) else []
    told += [f"{classes} voxels: size classes"] if classes else []
    return "; ".join(told)


def draw_limits(
    plot: go.Figure,
    lines: Sequence[Limit],
    values: Values,
    *,
    log: bool,
    ink: Ink,
    axis: Side = "x",
) -> None:
    """Lines across an axis of these values, labelled above the plot or at its right end."""
    if not lines:
        return
    place = np.log10 if log else np.asarray
    span = float(place(values.max()) - place(values.min())) or 1.0
    before, step = -np.inf, 0
    for one in lines:
        at = float(place(one.at))
        step = step + 1 if (at - before) / span < TOUCHING else 0
        before = at
        dash = "dash" if one.voxels == TRUNCATION_VOXELS else "dot"
        line = {"color": ink.text, "width": 1, "dash": dash}
        words = {"text": one.text, "showarrow": False, "font": {"size": 11, "color": ink.quiet}}
        if axis == "x":
            plot.add_shape(type="line", x0=one.at, x1=one.at, y0=0, y1=1, yref="paper", line=line)
            plot.add_annotation(
                x=at, y=1, yref="paper", yanchor="bottom", yshift=12 * step, **words
            )
        else:
            plot.add_shape(type="line", y0=one.at, y1=one.at, x0=0, x1=1, xref="paper", line=line)
            plot.add_annotation(
                y=at, x=1, xref="paper", xanchor="right", yanchor="bottom", xshift=-44 * step,
                **words,
            )  # fmt: skip
