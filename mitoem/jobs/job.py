"""What a kind of run is given, and the fields that requests share."""

from __future__ import annotations

import json
import sys
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from mitoem.errors import RequestInvalid
from mitoem.manifest import check_name


@dataclass(frozen=True, slots=True)
class Job:
    """One run, as its handler sees it: what was asked, where to write, whom to tell."""

    root: Path
    directory: Path
    request: Mapping[str, Any]
    report: Callable[[float, str], None]
    cancelled: Callable[[], bool]


def log_bug(run_id: str) -> None:
    """Write the error that is being handled to the worker's log: one JSON line, with the run."""
    told = {"time": datetime.now(UTC).isoformat(timespec="milliseconds"), "run": run_id}
    print(json.dumps(told | {"traceback": traceback.format_exc()}), file=sys.stderr, flush=True)


def fields(request: Mapping[str, Any], *, needed: set[str], allowed: set[str]) -> None:
    """Raise RequestInvalid for a field that is missing or that nobody reads."""
    missing, strange = needed - set(request), set(request) - needed - allowed
    if missing or strange:
        raise RequestInvalid(
            f"request: expected {', '.join(sorted(needed))} and perhaps "
            f"{', '.join(sorted(allowed)) or 'nothing else'}; found {', '.join(sorted(request))}"
        )


def name(request: Mapping[str, Any], field: str) -> str:
    """A field that names a volume or labels; raises RequestInvalid, or NameInvalid."""
    value = request.get(field)
    if not isinstance(value, str):
        raise RequestInvalid(f"{field}: expected a name, found {value!r}")
    return check_name(value, what=field)
