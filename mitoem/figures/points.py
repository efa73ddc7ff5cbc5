"""Instances as points of a plot."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from mitoem.figures.drawn import EXPLAINS
from mitoem.figures.samples import Flags, numbers
from mitoem.figures.style import unit


def points(
    rows: pd.DataFrame,
    cuts: Flags,
    x: str,
    y: str,
    *,
    name: str,
    look: Mapping[str, Any],
    kind: type[Any],
) -> list[Any]:
    """A trace of the complete instances, and a hollow one of those that a face cuts.

    ``customdata`` of a point is its id, ``meta`` of its trace the ``name``; ``look`` is the marker,
    ``kind`` the class of the traces. What is empty has no trace.
    """
    traces = []
    for cut in (False, True):
        part = rows[cuts == cut]
        if part.empty:
            continue
        words = ", ".join(word for word in (name, "cut by a face" if cut else "") if word)
        symbol = look["symbol"] + "-open" * cut
        hover = f"#%{{customdata}}<br>%{{x:.4~g}} {unit(x)}, %{{y:.4~g}} {unit(y)}"
        traces.append(
            kind(
                x=numbers(part, x),
                y=numbers(part, y),
                customdata=part["instance_id"].to_numpy(np.int64),
                name=words or "complete",
                meta=name,
                showlegend=not (cut and name),
                mode="markers",
                marker={**look, "symbol": symbol, "line": {"width": int(cut)}},
                hovertemplate=f"{hover}<extra>{words}</extra>",
            )
        )
    return traces


def key(name: str, *, look: Mapping[str, Any], kind: type[Any]) -> list[Any]:
    """An entry of the legend, as large and dark as a single point of very many is not."""
    look = {**look, "size": 8}
    return [kind(x=[None], y=[None], name=name, mode="markers", marker=look, meta=EXPLAINS)]
