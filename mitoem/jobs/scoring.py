"""The run that scores one label set against another: request ``volume``, ``truth``,
``prediction``, their ``versions``, and ``data`` (the roots). It leaves ``scores.json``.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from mitoem.errors import RunCancelled
from mitoem.geometry import Box
from mitoem.jobs.job import Job, fields, name

SLAB_VOXELS = 2**25
"""Voxels of each side that are held at once."""


def check(request: Mapping[str, Any]) -> None:
    """Raise RequestInvalid, or NameInvalid, for a request that cannot be run."""
    fields(request, needed={"volume", "truth", "prediction"}, allowed={"data", "versions"})
    for field in ("volume", "truth", "prediction"):
        name(request, field)


def run(job: Job) -> dict[str, Any]:
    """Count the overlap slab by slab where both cover the volume, then score it."""
    from mitoem import front, scores

    ask = job.request
    volume = front.open_volume(ask["volume"], data=ask.get("data") or job.root)
    box = front.common_coverage(volume, ask["truth"], ask["prediction"])
    depth, height, width = box.shape
    step = max(1, SLAB_VOXELS // (height * width))
    table = scores.EMPTY
    for z in range(0, depth, step):
        if job.cancelled():
            raise RunCancelled(f"stopped at section {z} of {depth}")
        job.report(0.95 * z / depth, f"section {z} of {depth}")
        slab = Box((z, 0, 0), (min(z + step, depth), height, width)).shift(box.start)
        truth, prediction = (volume.read(slab, layer=ask[side]) for side in ("truth", "prediction"))
        table = table + scores.contingency(truth, prediction, offset=slab.start)
    job.report(0.95, "score")
    found = scores.evaluate_table(table).to_json()
    (job.directory / "scores.json").write_text(json.dumps(found), encoding="utf-8")
    return {"box": str(box)}
