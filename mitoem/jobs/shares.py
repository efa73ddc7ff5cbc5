"""How much of this server one person may have, so that there is some for everyone.

``MITOEM_RUNS_PER_CLIENT`` runs that are not finished (8); ``MITOEM_VOXELS_PER_HOUR`` voxels that
are predicted, or separated anew, in any hour (2e9: some 120 crops of 64 × 512 × 512); and for who
has signed in ``MITOEM_VOLUMES_PER_CLIENT`` uploads (20). 0 is no limit. The machine's own command
line and Python have none.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from filelock import FileLock

from mitoem import access, settings
from mitoem.errors import LimitReached
from mitoem.geometry import Box
from mitoem.jobs.registry import home, read_json, waiting, worker
from mitoem.manifest import FILE

RUNS: Final = 8
VOXELS: Final = 2e9
VOLUMES: Final = 20

HOUR: Final = timedelta(hours=1)

COUNTED: Final = ("predict", "decode")
"""Kinds of run whose voxels are counted: they leave arrays as large as their box."""


@contextmanager
def turn(root: str | Path, client: str) -> Iterator[None]:
    """Hold while a share is looked at and taken: of two tabs at a time one may be too many.

    Few people wait for one another: a lock is shared by those whose names have one remainder.
    """
    if not client:
        yield
        return
    home(root).mkdir(parents=True, exist_ok=True)
    with FileLock(home(root) / f".shares-{zlib.crc32(client.encode()) % 256:02x}.lock"):
        yield


def check(root: str | Path, client: str, kind: str, request: Mapping[str, Any]) -> None:
    """Raise LimitReached where a person's share is used up; nobody (``""``) has no limit."""
    if not client:
        return
    unfinished = [*waiting(root), str(worker(root).get("run") or "")]
    asked = [_asked(root, one) for one in unfinished if one]
    theirs = [one.get("kind") for one in asked if one.get("client") == client]
    most = settings.number("MITOEM_RUNS_PER_CLIENT", RUNS)
    if most and len(theirs) >= most:
        raise LimitReached(
            f"expected at most {most:g} runs of one person at a time, found {len(theirs)}: "
            "wait for one of yours to end, or cancel it"
        )
    if kind in COUNTED:
        _check_voxels(root, client, request)
    if kind == "ingest":
        _check_volumes(root, client, theirs.count("ingest"))


def _check_voxels(root: str | Path, client: str, request: Mapping[str, Any]) -> None:
    most = settings.number("MITOEM_VOXELS_PER_HOUR", VOXELS)
    if not most:
        return
    spent, asked = sum(_spent(root, client)), _voxels(root, request)
    if spent + asked > most:
        raise LimitReached(
            f"expected at most {most:,.0f} voxels of one person in an hour, found {spent:,} "
            f"and {asked:,} more asked for: try again later"
        )


def _check_volumes(root: str | Path, client: str, coming: int) -> None:
    most = settings.number("MITOEM_VOLUMES_PER_CLIENT", VOLUMES)
    if not most:
        return
    rules = access.read(Path(root)).volumes
    own = [name for name, rule in rules.items() if rule.owner == client]
    there = sum((Path(root) / name / FILE).is_file() for name in own)
    if there + coming >= most:
        raise LimitReached(
            f"expected at most {most:g} volumes of one person, also those whose time is up, found "
            f"{there} and {coming} on the way: ask who runs this server to remove one"
        )


def _asked(root: str | Path, run_id: str) -> dict[str, Any]:
    return read_json(home(root) / run_id / "request.json")


def _spent(root: str | Path, client: str) -> Iterator[int]:
    """Voxels of each run that a person asked for in the last hour."""
    for run_id in sorted((path.name for path in home(root).glob("[0-9]*")), reverse=True):
        asked = _asked(root, run_id)
        if _old(asked):
            return
        if asked.get("client") == client and asked.get("kind") in COUNTED:
            yield _voxels(root, asked.get("request") or {})


def _old(asked: Mapping[str, Any]) -> bool:
    """Whether a run was asked for more than an hour ago; a damaged request says nothing of it."""
    try:
        return datetime.now(UTC) - datetime.fromisoformat(str(asked.get("created"))) > HOUR
    except (ValueError, TypeError):
        return False


def _voxels(root: str | Path, request: Mapping[str, Any]) -> int:
    """What is predicted, mirror images too, or separated anew; 0 where that run is gone."""
    if "of" in request:
        before = _asked(root, str(request["of"])).get("request") or {}
        return _voxels(root, {**before, "flips": False})
    times = 4 if request.get("flips") else 1
    return times * Box.parse(request["box"]).size if "box" in request else 0
