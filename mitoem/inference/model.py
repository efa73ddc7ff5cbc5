"""A network and its spec, run by OpenVINO: bf16 where the processor computes in it, else fp32."""

from __future__ import annotations

import hashlib
import os
import sys
import threading
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mitoem import settings
from mitoem.errors import ModelInvalid
from mitoem.geometry import Index
from mitoem.inference.spec import ModelSpec, read_spec

BUNDLED = Path(__file__).resolve().parents[1] / "assets" / "model.onnx"
"""The model that comes with the package."""

RANK = 5


def thread_count() -> int:
    """Processors that this process may use; MITOEM_THREADS overrides."""
    wish = int(settings.number("MITOEM_THREADS", 0))
    if wish:
        return wish
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


MIRRORS: tuple[tuple[int, ...], ...] = ((), (1,), (2,), (1, 2))
"""Axes (z, y, x) along which an image is mirrored, for the mean over its mirror images."""


class Model:
    """A loaded network; ``run`` compiles once per tile shape, as fixed shapes run 4 × faster.

    Buffers are shared between runs: hold ``lock`` from ``run`` until its answer is used.
    """

    def __init__(self, path: Path, spec: ModelSpec, sha256: str, *, precision: str = "auto"):
        self.lock = threading.Lock()
        self.path = path
        self.spec = spec
        self.sha256 = sha256
        self._core = runtime().Core()
        self._network = _read(self._core, path)
        _check(self._network, path, spec)
        self.precision = best_precision(self._core) if precision == "auto" else precision
        self._shape: Index | None = None
        self._request: Any = None

    def run_mirrored(self, grey: NDArray[np.float32]) -> NDArray[np.float32]:
        """The mean of what ``run`` gives of an image and of its mirror images in the plane."""
        total = self.run(grey).copy()
        for axes in MIRRORS[1:]:
            found = self.run(np.ascontiguousarray(np.flip(grey, axes)))
            total = total + np.flip(found, tuple(axis + 1 for axis in axes))
        return np.asarray(total / len(MIRRORS), np.float32)

    def run(self, grey: NDArray[np.float32]) -> NDArray[np.float32]:
        """Probabilities (channels, z, y, x) of one normalised tile (z, y, x).

        The answer is overwritten by the next call.
        """
        z, y, x = grey.shape
        if self._shape != (z, y, x):
            self._request = None  # frees the buffers of the shape before
            self._request = self._compile((z, y, x))
            self._shape = (z, y, x)
        self._request.infer({0: grey[None, None]}, share_inputs=True)
        found: NDArray[np.float32] = self._request.get_output_tensor(0).data
        tile: NDArray[np.float32] = found[0]
        return tile

    def _compile(self, shape: Index) -> Any:
        fixed = self._network.clone()
        fixed.reshape([1, 1, *shape])
        hints = {
            "INFERENCE_PRECISION_HINT": self.precision,
            "INFERENCE_NUM_THREADS": thread_count(),
            "PERFORMANCE_HINT": "LATENCY",
        }
        try:
            compiled = self._core.compile_model(fixed, "CPU", hints)
        except RuntimeError as error:
            raise ModelInvalid(
                f"{self.path.name} does not compile for a tile {shape}: {_line(error)}"
            ) from error
        out = compiled.output(0).partial_shape
        want = (1, len(self.spec.channels), *shape)
        if tuple(out.to_shape() if out.is_static else ()) != want:
            raise ModelInvalid(f"{self.path.name}: expected output {want}, found {out}")
        return compiled.create_infer_request()


def runtime() -> Any:
    """OpenVINO, without the package that reports every import of it to its makers.

    OpenVINO has a stub for where that package is not there.
    """
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]
    import openvino

    return openvino


def best_precision(core: Any = None) -> str:
    """``bf16`` where the processor computes in it, else ``f32``: emulated it would be slower."""
    able = (core or runtime().Core()).get_property("CPU", "OPTIMIZATION_CAPABILITIES")
    return "bf16" if "BF16" in able else "f32"


def load(path: Path | str | None = None) -> Model:
    """The model of an ONNX file (None: the bundled one), kept for the life of the process.

    Raises ModelInvalid when the file is missing, is no ONNX, has other inputs or outputs than
    its JSON says, or when the JSON's ``sha256`` (if not empty) is of another file.
    """
    file = BUNDLED if path is None else Path(path)
    try:
        stamp = file.stat().st_mtime_ns
    except OSError as error:
        raise ModelInvalid(f"model file {file} cannot be read: {error.strerror}") from error
    return _load(file, stamp)


@lru_cache(maxsize=2)
def _load(path: Path, _stamp: int) -> Model:
    try:
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        raise ModelInvalid(f"model file {path} cannot be read: {error.strerror}") from error
    spec = read_spec(path.with_suffix(".json"))
    if spec.sha256 and spec.sha256 != digest:
        raise ModelInvalid(f"{path.name}: expected SHA-256 {spec.sha256}, found {digest}")
    return Model(path, spec, digest)


def _read(core: Any, path: Path) -> Any:
    try:
        return core.read_model(str(path))
    except RuntimeError as error:
        raise ModelInvalid(f"{path.name} is no ONNX model: {_line(error)}") from error


def _check(network: Any, path: Path, spec: ModelSpec) -> None:
    inputs, outputs = len(network.inputs), len(network.outputs)
    if (inputs, outputs) != (1, 1):
        raise ModelInvalid(
            f"{path.name}: expected 1 input and 1 output, found {inputs} and {outputs}"
        )
    for side, port, channels in (
        ("input", network.inputs[0], 1),
        ("output", network.outputs[0], len(spec.channels)),
    ):
        shape = port.partial_shape
        known = shape.rank.is_static and len(shape) == RANK
        if not known or (shape[1].is_static and shape[1].get_length() != channels):
            raise ModelInvalid(
                f"{path.name}: expected {side} (n, {channels}, z, y, x), found {shape}"
            )


def _line(error: Exception) -> str:
    """The last telling line of OpenVINO's report."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1][:200] if lines else type(error).__name__
