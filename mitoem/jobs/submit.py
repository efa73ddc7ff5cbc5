"""Put a run in the queue."""

from __future__ import annotations

import secrets
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mitoem.errors import RequestInvalid
from mitoem.jobs.kinds import KINDS
from mitoem.jobs.launch import ensure_worker
from mitoem.jobs.registry import directory, home, now, read_json, write_json


def submit(root: str | Path, kind: str, request: Mapping[str, Any], *, start: bool = True) -> str:
    """Queue a run and wake the worker; returns the run's id.

    ``kind`` is one of ``KINDS`` and says which fields ``request`` has. With ``start=False`` the
    run waits until somebody calls ``ensure_worker``.

    Raises RequestInvalid for an unknown kind or a bad field, before anything is written.
    """
    if kind not in KINDS:
        raise RequestInvalid(f"no kind of run {kind!r}; known: {', '.join(sorted(KINDS))}")
    KINDS[kind].check(request)
    at = home(root)
    (at / ".queue").mkdir(parents=True, exist_ok=True)
    run_id = f"{_next_number(at):06d}-{secrets.token_hex(4)}"
    draft = at / f".new-{run_id}"
    draft.mkdir()
    try:
        asked = {"kind": kind, "created": now(), "request": dict(request)}
        write_json(draft / "request.json", asked, sync=True)
        write_json(draft / "state.json", {"state": "queued"}, sync=True)
        draft.rename(at / run_id)
    except BaseException:
        shutil.rmtree(draft, ignore_errors=True)
        raise
    (at / ".queue" / run_id).touch()
    if start:
        ensure_worker(root)
    return run_id


def resubmit(root: str | Path, run_id: str) -> str:
    """Queue the same request again, as a new run; returns its id. Raises RunNotFound."""
    asked = read_json(directory(root, run_id) / "request.json")
    return submit(root, asked["kind"], asked["request"])


def _next_number(at: Path) -> int:
    """One more than the largest so far; two at the same moment are told apart by their tail."""
    numbers = [int(p.name[:6]) for p in at.iterdir() if p.name[:6].isdigit()]
    return max(numbers, default=0) + 1
