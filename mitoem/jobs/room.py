"""How much of the disk finished runs may take.

``MITOEM_RUNS_BYTES``: beyond it the oldest go, a prediction together with all that was separated
or saved from it, of whoever has most. 0, or nothing, is no limit: on one's own machine a result
stays until its owner removes it. What is younger than an hour stays in any case, as people's
shares are counted by it, and an upload that failed for a day: its file waits for another try.
"""

from __future__ import annotations

import time
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from mitoem import settings
from mitoem.errors import MitoEMError
from mitoem.jobs.registry import RunState, home, remove, runs, status, waiting
from mitoem.jobs.shares import HOUR
from mitoem.jobs.uploads import KEPT_SECONDS

SMALL = 1_000_000
"""Bytes below which a prediction, or another run, is left where it is: it makes no room."""


class Room:
    """The finished runs of one root and their sizes, each looked at once."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._sizes: dict[str, int] = {}

    def make(self) -> list[str]:
        """Delete runs until all take no more than they may; returns their ids.

        Raises SettingInvalid, and OSError where runs come and go meanwhile.
        """
        most = settings.number("MITOEM_RUNS_BYTES", 0)
        if not most or self._measure() <= most:
            return []
        every = {one.id: one for one in runs(self.root)}  # the newest first
        families: defaultdict[str, list[RunState]] = defaultdict(list)
        for one in every.values():
            families[_first(one, every)].append(one)
        taken = Counter[str]()
        for one in every.values():
            taken[one.client] += self._size(one.id)
        may_go = [one for one in families.values() if self._may_go(one)]
        may_go.sort(key=lambda family: family[0].id)
        gone: list[str] = []
        while may_go and taken.total() > most:
            most_of_all = max({one[-1].client for one in may_go}, key=taken.__getitem__)
            family = next(one for one in may_go if one[-1].client == most_of_all)
            may_go.remove(family)
            with suppress(MitoEMError, OSError):  # somebody else removes it, or has it open
                if not self._wanted(family):
                    gone += self._remove(family, taken)
        return gone

    def _measure(self) -> int:
        """Bytes of all finished runs."""
        there = {path.name for path in home(self.root).glob("[0-9]*")}
        known = {name: size for name, size in self._sizes.items() if name in there}
        for name in there - set(known):
            path = home(self.root) / name
            if (path / "request.json").is_file() and status(self.root, name).finished:
                known[name] = _bytes(path)
        self._sizes = known
        return sum(known.values())

    def _size(self, run_id: str) -> int:
        return self._sizes.get(run_id, 0)

    def _may_go(self, family: Sequence[RunState]) -> bool:
        large = sum(self._size(one.id) for one in family) >= SMALL
        return large and all(one.finished and self._old(one) for one in family)

    def _old(self, one: RunState) -> bool:
        kept = one.kind in ("ingest", "labels") and one.state in ("failed", "interrupted")
        age = time.time() - (home(self.root) / one.id).stat().st_mtime
        return age > (KEPT_SECONDS if kept else HOUR.total_seconds())

    def _wanted(self, family: Sequence[RunState]) -> bool:
        """Whether somebody has just asked for something of these runs."""
        ids = {one.id for one in family}
        asked = [status(self.root, one).request.get("of") for one in waiting(self.root)]
        return not ids.isdisjoint(asked)

    def _remove(self, family: Sequence[RunState], taken: Counter[str]) -> list[str]:
        """Delete the runs, those that came of others first."""
        for one in family:
            remove(self.root, one.id)
            taken[one.client] -= self._sizes.pop(one.id, 0)
        return [one.id for one in family]


def _first(one: RunState, every: Mapping[str, RunState]) -> str:
    """The run that began what this one goes on with."""
    while str(one.request.get("of", "")) in every:
        one = every[str(one.request["of"])]
    return one.id


def _bytes(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
