"""The run that scores one label set against another: request ``volume``, ``truth``,
``prediction``, their ``versions``, and ``data`` (the roots). It leaves ``scores.json``.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mitoem.errors import BoxInvalid, RunFailed
from mitoem.geometry import Box
from mitoem.jobs import made
from mitoem.jobs.job import Job, fields, name
from mitoem.jobs.registry import directory, runs
from mitoem.volume import Volume

LOOK = 200
"""Runs among which an earlier scoring is looked for."""


@dataclass(frozen=True, slots=True)
class Scoring:
    """A finished scoring: whether the labels asked for were its truth, what box, what it found."""

    of_truth: bool
    box: Box
    scores: Mapping[str, Any]


def check(request: Mapping[str, Any]) -> None:
    """Raise RequestInvalid, or NameInvalid, for a request that cannot be run."""
    fields(request, needed={"volume", "truth", "prediction"}, allowed={"data", "versions"})
    for field in ("volume", "truth", "prediction"):
        name(request, field)


def newest(root: str | Path, volume: Volume, labels: str, other: str | None) -> Scoring | None:
    """The newest finished scoring of a label set in its present version, as truth or prediction.

    Against the label set ``other``; None: against any.
    """
    for one in runs(root, last=LOOK):
        ask = one.request
        sides = [str(ask.get(side)) for side in ("truth", "prediction")]
        if one.kind != "evaluate" or one.state != "done" or ask.get("volume") != volume.name:
            continue
        known = {name.name for name in volume.info.labels}
        if labels not in sides or not known.issuperset(sides):
            continue
        if other is not None and sorted(sides) != sorted((labels, other)):
            continue
        if list(ask.get("versions", [])) != [volume.version(name) for name in sides]:
            continue
        with suppress(RunFailed, BoxInvalid, KeyError):  # a damaged one is none
            found = made.scores(directory(root, one.id))
            if found is not None:
                return Scoring(labels == sides[0], Box.parse(one.result["box"]), found)
    return None


def run(job: Job) -> dict[str, Any]:
    """Count the overlap slab by slab where both cover the volume, then score it."""
    from mitoem import front, scores

    ask = job.request
    data = ask.get("data") or job.root
    volume = front.open_volume(ask["volume"], data=data)
    box = front.common_coverage(volume, ask["truth"], ask["prediction"])
    table = front.overlap(
        front.of_volume(volume, ask["truth"], box),
        front.of_volume(volume, ask["prediction"], box),
        progress=lambda done, text: job.report(0.95 * done, text),
        cancelled=job.cancelled,
    )
    job.report(0.95, "score")
    lengths = front.lengths_um(volume, ask["truth"], data=data)
    found = scores.evaluate_table(table, lengths=lengths).to_json()
    made.keep_scores(job.directory, found)
    return {"box": str(box)}
