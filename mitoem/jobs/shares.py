"""How much of the worker one person may have, so that there is some for everyone.

``MITOEM_RUNS_PER_CLIENT`` runs that are not finished (8), ``MITOEM_VOXELS_PER_HOUR`` voxels through
the network in any hour (2e9: some 120 crops of 64 × 512 × 512); 0 for no limit. The machine's own
command line and Python have none.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from filelock import FileLock

from mitoem.errors import LimitReached
from mitoem.geometry import Box
from mitoem.jobs.registry import home, read_json, waiting, worker

RUNS: Final = 8
VOXELS: Final = 2e9

HOUR: Final = timedelta(hours=1)


@contextmanager
def turn(root: str | Path, client: str) -> Iterator[None]:
    """Hold while a share is looked at and taken: of two tabs at a time one may be too many."""
    if not client:
        yield
        return
    home(root).mkdir(parents=True, exist_ok=True)
    with FileLock(home(root) / ".shares.lock"):
        yield


def check(root: str | Path, client: str, kind: str, request: Mapping[str, Any]) -> None:
    """Raise LimitReached where a person's share is used up; nobody (``""``) has no limit."""
    if not client:
        return
    most = int(_limit("MITOEM_RUNS_PER_CLIENT", RUNS))
    unfinished = [*waiting(root), str(worker(root).get("run") or "")]
    open_runs = sum(_asked(root, one).get("client") == client for one in unfinished if one)
    if most and open_runs >= most:
        raise LimitReached(
            f"expected at most {most} runs of one person at a time, found {open_runs}: "
            "wait for one of yours to end, or cancel it"
        )
    voxels = _limit("MITOEM_VOXELS_PER_HOUR", VOXELS)
    if kind == "predict" and voxels:
        spent, asked = sum(_spent(root, client)), _voxels(request)
        if spent + asked > voxels:
            raise LimitReached(
                f"expected at most {voxels:,.0f} voxels of one person in an hour, found {spent:,} "
                f"and {asked:,} more asked for: try again later"
            )


def _limit(name: str, usual: float) -> float:
    return float(os.environ.get(name) or usual)


def _asked(root: str | Path, run_id: str) -> dict[str, Any]:
    return read_json(home(root) / run_id / "request.json")


def _spent(root: str | Path, client: str) -> Iterator[int]:
    """Voxels of each prediction that a person asked for in the last hour."""
    for run_id in sorted((path.name for path in home(root).glob("[0-9]*")), reverse=True):
        asked = _asked(root, run_id)
        if asked and datetime.now(UTC) - datetime.fromisoformat(asked["created"]) > HOUR:
            return
        if asked.get("client") == client and asked["kind"] == "predict":
            yield _voxels(asked["request"])


def _voxels(request: Mapping[str, Any]) -> int:
    """What goes through the network: mirror images too."""
    return Box.parse(request["box"]).size * (4 if request.get("flips") else 1)
