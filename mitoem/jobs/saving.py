"""The run that keeps a prediction: request ``of`` (a finished run) and ``name`` (of the labels).

The labels land beside the volume's image and are measured, so every page can show them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mitoem.errors import RequestInvalid
from mitoem.geometry import Box
from mitoem.jobs import made
from mitoem.jobs.job import Job, fields, name
from mitoem.jobs.registry import directory, read_json


def check(request: Mapping[str, Any]) -> None:
    """Raise RequestInvalid, or NameInvalid, for a request that cannot be run."""
    fields(request, needed={"of", "name"}, allowed=set())
    name(request, "of")
    if name(request, "name") in ("image", "truth"):
        raise RequestInvalid(f"labels name {request['name']!r} is taken: choose another")


def run(job: Job) -> dict[str, Any]:
    """Put the labels beside the image, then measure them."""
    from mitoem import front

    source = directory(job.root, job.request["of"])
    asked = predicted(job.root, source)
    known = made.result(source)
    data = asked.get("data") or job.root
    volume = front.add_labels(
        asked["volume"],
        job.request["name"],
        made.labels(source),
        offset=Box.parse(asked["box"]).start,
        provenance=(
            f"predicted by {known['model']} (sha256 {known['model_sha256'][:12]}) on box "
            f"{asked['box']}, {'mean over mirror images, ' if asked.get('flips') else ''}"
            f"decode {json.dumps(known['decode'])}"
        ),
        data=data,
        progress=lambda fraction, message: job.report(0.6 * fraction, message),
    )
    frame = front.measure(
        volume,
        job.request["name"],
        data=data,
        progress=lambda fraction, message: job.report(0.6 + 0.4 * fraction, message),
        cancelled=job.cancelled,
    )
    return {
        "volume": asked["volume"],
        "labels": job.request["name"],
        "version": volume.version(job.request["name"]),
        "instances": len(frame),
    }


def predicted(root: Path, source: Path) -> dict[str, Any]:
    """The request of the predict run behind a run, itself a predict or a decode run.

    Raises RunNotFound.
    """
    asked = read_json(source / "request.json")
    if asked["kind"] == "decode":
        return predicted(root, directory(root, asked["request"]["of"]))
    request: dict[str, Any] = asked["request"]
    return request
