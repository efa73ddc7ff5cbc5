"""How much of the disk finished runs may take.

``MITOEM_RUNS_BYTES``: beyond it the oldest go, a prediction together with all that was separated
or saved from it. 0, or nothing, for no limit: on one's own machine a result stays until its owner
removes it. What is younger than an hour stays in any case: people's shares are counted by it.
"""

from __future__ import annotations

import os
import time
from collections import defaultdict
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from mitoem.errors import MitoEMError
from mitoem.jobs.registry import RunState, home, remove, runs
from mitoem.jobs.shares import HOUR


def make(root: str | Path) -> list[str]:
    """Delete the oldest finished runs until all take no more than they may; returns their ids.

    Raises OSError where runs come and go meanwhile.
    """
    most = float(os.environ.get("MITOEM_RUNS_BYTES") or 0)
    if not most:
        return []
    every = {one.id: one for one in runs(root)}
    families: defaultdict[str, list[RunState]] = defaultdict(list)
    for one in every.values():  # the newest first
        families[_first(one, every)].append(one)
    sizes = {first: sum(_size(root, one) for one in family) for first, family in families.items()}
    total, gone = sum(sizes.values()), list[str]()
    for first, family in sorted(families.items(), key=lambda each: each[1][0].id):
        if total <= most:
            break
        if all(one.finished and _old(root, one) for one in family):
            with suppress(MitoEMError, OSError):  # somebody else removes it, or has it open
                for one in family:
                    remove(root, one.id)
                    gone.append(one.id)
                total -= sizes[first]
    return gone


def _first(one: RunState, every: Mapping[str, RunState]) -> str:
    """The run that began what this one goes on with."""
    while str(one.request.get("of", "")) in every:
        one = every[str(one.request["of"])]
    return one.id


def _old(root: str | Path, one: RunState) -> bool:
    """Whether a run is an hour away from now, either way: the clock may have been set."""
    return abs(time.time() - (home(root) / one.id).stat().st_mtime) > HOUR.total_seconds()


def _size(root: str | Path, one: RunState) -> int:
    return sum(path.stat().st_size for path in (home(root) / one.id).rglob("*") if path.is_file())
