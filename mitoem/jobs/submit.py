"""Put a run in the queue."""

from __future__ import annotations

import secrets
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mitoem.errors import RequestInvalid
from mitoem.ingestion.disk import disk_error
from mitoem.jobs import shares
from mitoem.jobs.kinds import KINDS
from mitoem.jobs.launch import ensure_worker
from mitoem.jobs.registry import directory, home, now, read_json, write_json


def submit(
    root: str | Path,
    kind: str,
    request: Mapping[str, Any],
    *,
    start: bool = True,
    client: str = "",
) -> str:
    """Queue a run and wake the worker; returns the run's id.

    ``kind`` is one of ``KINDS`` and says which fields ``request`` has. With ``start=False`` the
    run waits until somebody calls ``ensure_worker``. ``client`` is who asks, for their share.

    Raises RequestInvalid for an unknown kind or a bad field, and LimitReached, before anything is
    written; DiskFull and DiskReadOnly.
    """
    if kind not in KINDS:
        raise RequestInvalid(f"no kind of run {kind!r}; known: {', '.join(sorted(KINDS))}")
    KINDS[kind].check(request)
    try:
        with shares.turn(root, client):
            shares.check(root, client, kind, request)
            run_id = _queue(home(root), kind, request, client)
    except OSError as error:
        raise disk_error(error) from error
    if start:
        ensure_worker(root)
    return run_id


def _queue(at: Path, kind: str, request: Mapping[str, Any], client: str) -> str:
    (at / ".queue").mkdir(parents=True, exist_ok=True)
    run_id = f"{_next_number(at):06d}-{secrets.token_hex(4)}"
    draft = at / f".new-{run_id}"
    draft.mkdir()
    try:
        asked = {"kind": kind, "created": now(), "request": dict(request)}
        asked |= {"client": client} if client else {}
        write_json(draft / "request.json", asked, sync=True)
        write_json(draft / "state.json", {"state": "queued"}, sync=True)
        draft.rename(at / run_id)
        (at / ".queue" / run_id).touch()
    except BaseException:
        shutil.rmtree(draft, ignore_errors=True)
        raise
    return run_id


def resubmit(root: str | Path, run_id: str, *, client: str = "") -> str:
    """Queue the same request again, as a new run; returns its id.

    Raises RunNotFound, LimitReached.
    """
    asked = read_json(directory(root, run_id) / "request.json")
    return submit(root, asked["kind"], asked["request"], client=client)


def _next_number(at: Path) -> int:
    """One more than the largest so far; two at the same moment are told apart by their tail."""
    numbers = [int(p.name[:6]) for p in at.iterdir() if p.name[:6].isdigit()]
    return max(numbers, default=0) + 1
