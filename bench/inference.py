"""Inference beside its peers: the same network and crops, seconds and voxels per second.

``python bench/inference.py [--out FILE]`` prints one JSON object. PyTorch and ONNX Runtime are
measured where they are installed; every contender uses the same number of threads.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import resource
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from mitoem.geometry import Box
from mitoem.inference import Model, load, predict, predict_blocks, stitch
from mitoem.inference.model import BUNDLED, thread_count
from mitoem.phantom import make
from mitoem.scores import evaluate

VOXEL = (30.0, 8.0, 8.0)
SHAPE = (32, 256, 256)
REPEATS = 5


def best(work: Callable[[], object]) -> float:
    """Least seconds of a few runs, the first (compiling, allocating) left out."""
    return race({"": work})[""]


def race(contenders: dict[str, Callable[[], object]]) -> dict[str, float]:
    """Least seconds of each, taking turns, so that a busy machine is unjust to none."""
    seconds = {name: float("inf") for name in contenders}
    for work in contenders.values():
        work()
    for _ in range(REPEATS):
        for name, work in contenders.items():
            started = time.perf_counter()
            work()
            seconds[name] = min(seconds[name], time.perf_counter() - started)
    return seconds


def network(grey: np.ndarray) -> dict[str, float]:
    """Seconds of the network alone on one crop, per contender."""
    bundled = load()
    contenders: dict[str, Callable[[], object]] = {}
    for precision in ("bf16", "f32") if bundled.precision == "bf16" else ("f32",):
        model = Model(BUNDLED, bundled.spec, bundled.sha256, precision=precision)
        contenders[f"ours_openvino_{precision}"] = partial(model.run, grey)
    if importlib.util.find_spec("torch"):
        contenders["torch_f32"] = torch_run(grey)
    if importlib.util.find_spec("onnxruntime"):
        contenders["onnxruntime_f32"] = onnxruntime_run(grey)
    return race(contenders)


def torch_run(grey: np.ndarray) -> Callable[[], object]:
    """The same layers in PyTorch fp32; the weights do not matter for the time."""
    import torch

    from mitoem.training.network import Probabilities, UNet

    torch.set_num_threads(thread_count())
    unet = Probabilities(UNet()).eval()
    given = torch.from_numpy(grey[None, None])
    return torch.inference_mode()(lambda: unet(given))


def onnxruntime_run(grey: np.ndarray) -> Callable[[], object]:
    """The bundled ONNX file in ONNX Runtime."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = thread_count()
    session = onnxruntime.InferenceSession(str(BUNDLED), options, ["CPUExecutionProvider"])
    return lambda: session.run(None, {"image": grey[None, None]})


def whole(shape: tuple[int, int, int]) -> dict[str, Any]:
    """Seconds of the whole path on a phantom crop: first call in the process, then warm."""
    image = make("h", shape=shape, seed=5).image
    started = time.perf_counter()
    first = predict(image, voxel_size=VOXEL)
    cold = time.perf_counter() - started
    warm = best(lambda: predict(image, voxel_size=VOXEL))
    return {
        "shape": shape,
        "first_seconds": round(cold, 3),
        "seconds": round(warm, 3),
        "voxels_per_second": round(image.size / warm),
        "stages": {k: round(v, 3) for k, v in first.seconds.items()},
        "instances": int(first.labels.max()),
    }


def seams(shape: tuple[int, int, int], parts: tuple[int, int, int]) -> dict[str, Any]:
    """One piece against as many tiles, and against as many stitched blocks, of a phantom."""
    made = make("h", shape=shape, seed=5)
    bundled = load()
    one = predict(made.image, voxel_size=VOXEL, model=_tiled(bundled, shape))
    trim, ramp = bundled.spec.trim, bundled.spec.ramp
    largest = tuple(
        -(-(n + (c - 1) * (2 * t + r)) // (c * d)) * d
        for n, c, t, r, d in zip(shape, parts, trim, ramp, bundled.spec.divisors, strict=True)
    )
    tiles = predict(made.image, voxel_size=VOXEL, model=_tiled(bundled, largest))
    core = tuple(n // c for n, c in zip(shape, parts, strict=True))
    with tempfile.TemporaryDirectory() as folder:
        blocks = predict_blocks(
            lambda box: made.image[box.slices], Box.whole(shape), identity="phantom",
            voxel_size=VOXEL, folder=Path(folder), core=core,
        )  # fmt: skip
        path, _ = stitch(blocks, Path(folder), voxel_size=VOXEL, parameters=bundled.spec.decode)
        stitched = np.load(path)
    return {
        "shape": shape,
        "parts": int(np.prod(parts)),
        "tiles": _apart(one.labels, tiles.labels),
        "blocks": _apart(one.labels, stitched),
    }


def _tiled(model: Model, largest: tuple[int, ...]) -> Model:
    spec = replace(model.spec, largest=largest)
    return Model(BUNDLED, spec, model.sha256)


def _apart(one: np.ndarray, other: np.ndarray) -> dict[str, Any]:
    """Share of voxels that are mitochondrion in one only, and instances matched at IoU 0.9."""
    scores = evaluate(one, other)
    return {
        "voxels_differ": round(float(np.mean((one > 0) != (other > 0))), 6),
        "instances": [scores.truth_instances, scores.predicted_instances],
        "matched": {str(a.threshold): a.true_positives for a in scores.accuracy},
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    crops = [whole(SHAPE), whole((64, 256, 256))]
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    grey = np.random.default_rng(0).uniform(-1, 1, SHAPE).astype(np.float32)
    alone = network(grey)
    ours = min(v for k, v in alone.items() if k.startswith("ours"))
    report = {
        "threads": thread_count(),
        "model_sha256": load().sha256,
        "predict": crops,
        "peak_bytes_of_predict": memory,
        "network_seconds": {k: round(v, 3) for k, v in alone.items()},
        "network_voxels_per_second": {k: round(grey.size / v) for k, v in alone.items()},
        "times_faster_than": {
            k: round(v / ours, 2) for k, v in alone.items() if not k.startswith("ours")
        },
        "whole_path_share_of_network_rate": round(ours / crops[0]["seconds"], 2),
        "seams": seams((96, 512, 512), (4, 4, 4)),
    }
    text = json.dumps(report, indent=1)
    if given.out:
        given.out.parent.mkdir(parents=True, exist_ok=True)
        given.out.write_text(text + "\n", encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
