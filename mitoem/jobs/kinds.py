"""The kinds of run there are: how a request is checked, and what does it.

``check`` runs where the request is made and is cheap; ``run`` runs in the worker.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from mitoem.errors import RequestInvalid, RunCancelled
from mitoem.jobs import forgetting, measuring, predicting, receiving, saving, scoring
from mitoem.jobs.job import Job


@dataclass(frozen=True, slots=True)
class Kind:
    """``check`` raises RequestInvalid; ``run`` returns what the run says of its result.

    ``forget`` takes away what a run has left whose worker was killed.
    """

    check: Callable[[Mapping[str, Any]], None]
    run: Callable[[Job], dict[str, Any]]
    forget: Callable[[Path, Mapping[str, Any]], None] = lambda root, request: None


def _check_probe(request: Mapping[str, Any]) -> None:
    seconds = request.get("seconds")
    if not isinstance(seconds, int | float) or not 0 <= seconds <= 3600:
        raise RequestInvalid(f"probe: seconds must be 0 to 3600, found {seconds!r}")


def _probe(job: Job) -> dict[str, Any]:
    """Nothing, for some seconds: shows that the worker takes, reports, cancels and fails runs."""
    seconds, begin = float(job.request["seconds"]), time.monotonic()
    if job.request.get("fail"):
        raise ValueError(str(job.request["fail"]))
    while (spent := time.monotonic() - begin) < seconds:
        if job.cancelled():
            raise RunCancelled("stopped")
        job.report(spent / seconds, f"{spent:.1f} of {seconds:.1f} s")
        time.sleep(0.01)
    return {"seconds": spent}


KINDS: Final[Mapping[str, Kind]] = {
    "probe": Kind(_check_probe, _probe),
    "measure": Kind(measuring.check, measuring.run),
    "predict": Kind(predicting.check, predicting.run),
    "decode": Kind(predicting.check_decode, predicting.run_decode),
    "save": Kind(saving.check, saving.run),
    "evaluate": Kind(scoring.check, scoring.run),
    "ingest": Kind(receiving.check_ingest, receiving.run_ingest, forgetting.volume),
    "labels": Kind(receiving.check_labels, receiving.run_labels, forgetting.labels),
}
