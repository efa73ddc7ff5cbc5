"""The run that measures a label set: request ``volume``, ``labels``, perhaps ``data`` (the roots)
and ``skeletons`` (true: lengths too; false: without; left out: as the table before had them).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mitoem.errors import RequestInvalid
from mitoem.jobs.job import Job, fields, name


def check(request: Mapping[str, Any]) -> None:
    """Raise RequestInvalid, or NameInvalid, for a request that cannot be run."""
    fields(request, needed={"volume", "labels"}, allowed={"data", "skeletons"})
    name(request, "volume"), name(request, "labels")
    if not isinstance(request.get("skeletons", False), bool):
        raise RequestInvalid(f"skeletons: expected true or false, found {request['skeletons']!r}")


def run(job: Job) -> dict[str, Any]:
    """Measure; the table lands beside the volume."""
    from mitoem import front

    frame = front.measure(
        job.request["volume"],
        job.request["labels"],
        skeletons=job.request.get("skeletons"),
        data=job.request.get("data") or job.root,
        progress=job.report,
        cancelled=job.cancelled,
    )
    return {"instances": len(frame)}
