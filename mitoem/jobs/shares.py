"""How much of the worker one person may have, so that there is some for everyone.

``MITOEM_RUNS_PER_CLIENT`` runs that are not finished (8), ``MITOEM_VOXELS_PER_HOUR`` voxels through
the network in any hour (2e9: some 120 crops of 64 × 512 × 512); 0 for no limit. The machine's own
command line and Python have none.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from mitoem.errors import LimitReached
from mitoem.geometry import Box
from mitoem.jobs.registry import RunState, runs

RUNS: Final = 8
VOXELS: Final = 2e9

_LOOK = 400
"""Newest runs that are looked at."""


def check(root: str | Path, client: str, kind: str, request: Mapping[str, Any]) -> None:
    """Raise LimitReached where a person's share is used up; nobody (``""``) has no limit."""
    if not client:
        return
    mine = [one for one in runs(root, last=_LOOK) if one.client == client]
    most = int(_limit("MITOEM_RUNS_PER_CLIENT", RUNS))
    open_runs = sum(not one.finished for one in mine)
    if most and open_runs >= most:
        raise LimitReached(
            f"expected at most {most} runs of one person at a time, found {open_runs}: "
            "wait for one of yours to end, or cancel it"
        )
    voxels = _limit("MITOEM_VOXELS_PER_HOUR", VOXELS)
    if kind == "predict" and voxels:
        spent = sum(map(_voxels, filter(_this_hour, mine)))
        asked = Box.parse(request["box"]).size
        if spent + asked > voxels:
            raise LimitReached(
                f"expected at most {voxels:,.0f} voxels of one person in an hour, found {spent:,} "
                f"and {asked:,} more asked for: try again later"
            )


def _limit(name: str, usual: float) -> float:
    return float(os.environ.get(name) or usual)


def _voxels(run: RunState) -> int:
    return Box.parse(run.request["box"]).size if run.kind == "predict" else 0


def _this_hour(run: RunState) -> bool:
    ago = datetime.now(UTC) - datetime.fromisoformat(run.created)
    return ago < timedelta(hours=1)
