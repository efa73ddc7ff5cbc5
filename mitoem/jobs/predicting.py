"""The runs that predict: the network on a box of a volume, and decoding anew without it.

request   volume, box; perhaps data (the roots), truth (labels to score against), model,
          decode, flips (true: the mean over mirror images)
decode    of (a finished predict run), decode
result    labels.npy uint32, mask.npy and contour.npy uint8, table.parquet, scores.json
meanwhile mask.npy fills up as tiles finish
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from mitoem.errors import RequestInvalid, RunCancelled
from mitoem.geometry import Box
from mitoem.jobs import made
from mitoem.jobs.job import Job, fields, name
from mitoem.jobs.registry import directory, read_json

if TYPE_CHECKING:
    from mitoem.inference import DecodeParameters, Prediction
    from mitoem.volume import Volume


COMMON_TILE = (32, 256, 256)
"""The tile of the crop that the page proposes."""


def check(request: Mapping[str, Any]) -> None:
    """Raise RequestInvalid, NameInvalid or BoxInvalid for a request that cannot be run."""
    fields(request, needed={"volume", "box"}, allowed={"data", "truth", "model", "decode", "flips"})
    name(request, "volume")
    if request.get("truth") is not None:
        name(request, "truth")
    Box.parse(str(request["box"]))
    if not isinstance(request.get("flips", False), bool):
        raise RequestInvalid(f"flips: expected true or false, found {request['flips']!r}")
    _parameters(request)


def check_decode(request: Mapping[str, Any]) -> None:
    """Raise RequestInvalid for a request that cannot be run."""
    fields(request, needed={"of", "decode"}, allowed=set())
    name(request, "of")
    _parameters(request)


def run(job: Job) -> dict[str, Any]:
    """Predict, separate, measure, score; raises MemoryShort before it reads."""
    from mitoem import inference
    from mitoem.ingestion.disk import mapped

    volume, box = _open(job.root, job.request)
    voxel_size, model = volume.info.voxel_size, job.request.get("model")
    inference.check_memory(inference.estimate(box.shape, voxel_size=voxel_size, model=model))
    image = volume.read(box)
    shown = mapped(job.directory / "mask.npy", dtype=np.uint8, shape=box.shape)

    def partial(part: Box, mask: npt.NDArray[np.uint8]) -> None:
        shown[part.slices] = mask

    found = inference.predict(
        image,
        voxel_size=voxel_size,
        model=model,
        decode=_parameters(job.request),
        flips=job.request.get("flips", False),
        progress=lambda fraction, message: job.report(0.9 * fraction, message),
        cancelled=job.cancelled,
        partial=partial,
    )
    shown[...] = found.mask
    np.save(job.directory / "contour.npy", found.contour)
    return _finish(job, volume, box, found, truth=job.request.get("truth"), image=image)


def run_decode(job: Job) -> dict[str, Any]:
    """Separate, measure and score again from the probabilities of a finished run."""
    from mitoem import inference

    source = directory(job.root, job.request["of"])
    asked = read_json(source / "request.json")["request"]
    known = made.result(source)
    parameters = _parameters(job.request)
    if parameters is None:
        raise RequestInvalid("decode: expected parameters, found none")
    volume, box = _open(job.root, asked)
    job.report(0.1, "separate instances")
    before = inference.Prediction(
        labels=np.zeros(0, np.uint32),
        mask=np.load(source / "mask.npy", mmap_mode="r"),
        contour=np.load(source / "contour.npy", mmap_mode="r"),
        voxel_size=volume.info.voxel_size,
        model=known["model"],
        model_sha256=known["model_sha256"],
        precision=known["precision"],
        parameters=parameters,
        seconds=known["seconds"],
    )
    found = inference.redecode(before, parameters)
    return _finish(job, volume, box, found, truth=asked.get("truth"), image=volume.read(box))


def _open(root: Path, request: Mapping[str, Any]) -> tuple[Volume, Box]:
    from mitoem import front

    volume = front.open_volume(request["volume"], data=request.get("data") or root)
    return volume, Box.parse(request["box"]).inside(volume.info.shape)


def _parameters(request: Mapping[str, Any]) -> DecodeParameters | None:
    """Decode parameters of a request; raises RequestInvalid for a bad one."""
    from mitoem.inference.decode import DecodeParameters

    given = request.get("decode")
    if given is None:
        return None
    try:
        return DecodeParameters(**given)
    except TypeError as error:
        raise RequestInvalid(f"decode: {error}") from error


def _finish(
    job: Job,
    volume: Volume,
    box: Box,
    found: Prediction,
    *,
    truth: str | None,
    image: npt.NDArray[Any],
) -> dict[str, Any]:
    """Write labels, table and scores; what the run says of its result."""
    from mitoem import morphometry

    if job.cancelled():
        raise RunCancelled("stopped after the network")
    np.save(job.directory / "labels.npy", found.labels)
    job.report(0.92, "measure")
    begin = time.perf_counter()
    frame = morphometry.measure(
        found.labels, image, voxel_size=volume.info.voxel_size, origin=box.start,
        splits=volume.info.splits, cancelled=job.cancelled,
    )  # fmt: skip
    frame.to_parquet(job.directory / "table.parquet", index=False)
    measured = time.perf_counter() - begin
    job.report(0.95, "score")
    begin = time.perf_counter()
    scored = _score(job, volume, box, found.labels, truth) if truth else None
    seconds = found.seconds | {"measure": measured, "score": time.perf_counter() - begin}
    return {
        "instances": len(frame),
        "foreground": float(np.count_nonzero(found.labels) / found.labels.size),
        "scored_box": scored,
        "model": found.model,
        "model_sha256": found.model_sha256,
        "precision": found.precision,
        "decode": asdict(found.parameters),
        "seconds": seconds,
    }


def _score(
    job: Job, volume: Volume, box: Box, labels: npt.NDArray[np.uint32], truth: str
) -> str | None:
    """Score where the truth covers the box; the part that was scored, or None where none is."""
    from mitoem import scores

    parts = [box.intersect(one) for one in volume.info.label_set(truth).coverage]
    covered = max((one for one in parts if one), key=lambda one: one.size, default=None)
    if covered is None:
        return None
    z, y, x = box.start
    local = covered.shift((-z, -y, -x))
    found = scores.evaluate(volume.read(covered, layer=truth), labels[local.slices], complete=True)
    made.keep_scores(job.directory, found.to_json())
    return str(covered)


def warm() -> None:
    """Import, load and compile what a first run would wait for."""
    from mitoem import front, inference, morphometry, scores

    del front, morphometry, scores
    model = inference.load()
    model.run(np.zeros(COMMON_TILE, np.float32))
