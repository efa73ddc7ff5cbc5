"""What a plot draws, as a table of numbers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go


def drawn_numbers(plot: go.Figure) -> pd.DataFrame:
    """One row per point or bar: its trace, x and y; bars say where they end, points which id.

    Columns: ``trace``, then ``x`` and ``y`` under the titles of their axes; for bars ``x_to``
    after ``x``; ``instance_id`` where points stand for instances. Lines and labels that only
    explain are left out.
    """
    across, up = (_title(axis) for axis in (plot.layout.xaxis, plot.layout.yaxis))
    parts = [_rows(trace, across, up) for trace in plot.data if trace.meta != EXPLAINS]
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=["trace"])


EXPLAINS = "explains"
"""The ``meta`` of a trace that draws no data of its own."""


def _rows(trace: Any, across: str, up: str) -> pd.DataFrame:
    x, y = np.asarray(trace.x), np.asarray(trace.y)
    rows: dict[str, Any] = {"trace": np.full(len(x), trace.name or ""), across: x}
    if trace.type == "bar":
        rows[f"{across}, to"] = x + np.asarray(trace.width)
    rows[up] = y
    if trace.customdata is not None and np.ndim(trace.customdata) == 1:
        rows["instance_id"] = np.asarray(trace.customdata, np.int64)
    return pd.DataFrame(rows)


def _title(axis: Any) -> str:
    return str(axis.title.text or "value")
