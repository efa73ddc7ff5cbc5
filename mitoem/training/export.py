"""A run's averaged weights → the ONNX file that OpenVINO reads, and a check that both agree."""

from __future__ import annotations

import hashlib
import warnings
from pathlib import Path

import numpy as np
import torch

from mitoem.inference.model import runtime
from mitoem.training.network import Probabilities, UNet

OPSET = 17


def export(network: UNet, path: Path) -> str:
    """Write the network as fp32 ONNX with free batch and edges; returns its SHA-256."""
    model = Probabilities(network).eval()
    sample = torch.zeros(1, 1, 4, 64, 64)
    free = {0: "batch", 2: "z", 3: "y", 4: "x"}
    with warnings.catch_warnings():
        # The tracing exporter is deprecated; the newer one needs a package more.
        warnings.simplefilter("ignore", DeprecationWarning)
        torch.onnx.export(
            model,
            (sample,),
            str(path),
            opset_version=OPSET,
            input_names=["image"],
            output_names=["probabilities"],
            dynamic_axes={"image": free, "probabilities": free},
            dynamo=False,
        )
    return hashlib.sha256(path.read_bytes()).hexdigest()


def difference(network: UNet, path: Path) -> float:
    """Largest difference of probability between torch and OpenVINO in fp32 on one random patch."""
    grey = np.random.default_rng(0).uniform(-1, 1, (2, 1, 6, 64, 96)).astype(np.float32)
    with torch.inference_mode():
        want = Probabilities(network).eval()(torch.from_numpy(grey)).numpy()
    compiled = (
        runtime()
        .Core()
        .compile_model(
            str(path), "CPU", {"INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": 2}
        )
    )
    found = compiled(grey)[0]
    return float(np.abs(want - found).max())
