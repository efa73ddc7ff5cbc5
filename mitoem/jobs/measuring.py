"""The run that measures a label set: request ``volume``, ``labels``, and ``data`` (the roots)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mitoem.jobs.job import Job, fields, name


def check(request: Mapping[str, Any]) -> None:
    """Raise RequestInvalid, or NameInvalid, for a request that cannot be run."""
    fields(request, needed={"volume", "labels"}, allowed={"data"})
    name(request, "volume"), name(request, "labels")


def run(job: Job) -> dict[str, Any]:
    """Measure; the table lands beside the volume."""
    from mitoem import front

    frame = front.measure(
        job.request["volume"],
        job.request["labels"],
        data=job.request.get("data") or job.root,
        progress=job.report,
        cancelled=job.cancelled,
    )
    return {"instances": len(frame)}
