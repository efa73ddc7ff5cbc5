"""Image → instances: normalise, resample, run the network tile by tile, blend, decode."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import psutil
from numpy.typing import NDArray

from mitoem.errors import ImageInvalid, MemoryShort, RunCancelled
from mitoem.geometry import Box, Index, VoxelSize
from mitoem.inference import grey
from mitoem.inference.blend import Blend, Plan, Tile, plan
from mitoem.inference.decode import DecodeParameters
from mitoem.inference.decode import decode as separate
from mitoem.inference.model import MIRRORS, Model, load, thread_count
from mitoem.inference.resample import grid_for, nearest, resample
from mitoem.inference.spec import ModelSpec

Progress = Callable[[float, str], None]
Cancelled = Callable[[], bool]
Partial = Callable[[Box, NDArray[np.uint8]], None]

NETWORK_RATE = {"bf16": 3.5e6, "f32": 2.0e6}
"""Voxels per second and thread of the bundled network, as ``bench/inference.py`` gives them."""

DECODE_RATE = 15.0e6
"""Voxels per second of everything that runs on the image's grid; measured likewise."""

FIXED_SECONDS = 0.5
"""Loading and compiling."""

FIXED_BYTES = 250_000_000
"""OpenVINO with the bundled network, without tiles."""

TILE_BYTES = 100
"""Working memory of the network per voxel of a tile: bf16 features of several layers."""


@dataclass(frozen=True, slots=True)
class Prediction:
    """Instances of one image and what they were decoded from, on the image's own grid (z, y, x).

    ``labels`` uint32, 0 = background; ``mask`` and ``contour`` uint8, probability × 255;
    ``voxel_size`` nm; ``seconds`` per stage.
    """

    labels: NDArray[np.uint32]
    mask: NDArray[np.uint8]
    contour: NDArray[np.uint8]
    voxel_size: VoxelSize
    model: str
    model_sha256: str
    precision: str
    parameters: DecodeParameters
    seconds: dict[str, float]


@dataclass(frozen=True, slots=True)
class Estimate:
    """What a prediction will take: seconds, and bytes of memory at its peak."""

    seconds: float
    bytes: int


def predict(
    image: NDArray[np.uint8] | NDArray[np.uint16],
    *,
    voxel_size: VoxelSize,
    model: Model | Path | str | None = None,
    decode: DecodeParameters | None = None,
    flips: bool = False,
    progress: Progress | None = None,
    cancelled: Cancelled | None = None,
    partial: Partial | None = None,
) -> Prediction:
    """Predict the mitochondria of an image (z, y, x), uint8 or uint16, of any voxel size in nm.

    ``model``: None for the bundled one, or an ONNX file with its JSON beside it.
    ``decode``: None for the model's own parameters. ``flips``: the mean over the image and its
    three mirror images in the plane, in four times the time. ``progress(fraction, what)`` and
    ``partial(box, mask × 255)`` are called as tiles finish, the box in voxels of the image.
    Raises ImageInvalid, ModelInvalid, RunCancelled.
    """
    check_image(image)
    check_voxel_size(voxel_size)
    watch = Watch(progress, cancelled)
    used = model if isinstance(model, Model) else load(model)
    z, y, x = image.shape
    check_memory(estimate((z, y, x), voxel_size=voxel_size, model=used, flips=flips))
    chosen = decode or used.spec.decode
    watch.mark("load", 0.0, "prepare the image")
    table = grey.table(grey.counts(image), used.spec)
    mask, contour = probabilities(
        used, image, table, voxel_size=voxel_size, watch=watch, flips=flips, partial=partial
    )
    labels = separate(mask, contour, voxel_size=voxel_size, parameters=chosen)
    watch.mark("decode", 1.0, "done")
    return Prediction(
        labels, mask, contour, voxel_size, used.spec.name, used.sha256, used.precision, chosen,
        watch.seconds,
    )  # fmt: skip


def probabilities(
    model: Model,
    image: NDArray[np.uint8] | NDArray[np.uint16],
    table: NDArray[np.float32],
    *,
    voxel_size: VoxelSize,
    watch: Watch,
    flips: bool = False,
    partial: Partial | None = None,
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Mask and contour × 255 on the image's grid; ``table`` normalises its grey values."""
    z, y, x = image.shape
    prepared = resample(table[image], _grid((z, y, x), voxel_size, model.spec))
    watch.mark("prepare", 0.02, "run the network")
    blend = _run(model, prepared, image.shape, watch, flips=flips, partial=partial)
    watch.mark("network", 0.8, "resample")
    mask, contour = (
        _channel(blend, model.spec.channels.index(name), prepared.shape, image.shape)
        for name in ("mask", "contour")
    )
    watch.mark("resample", 0.85, "separate instances")
    return mask, contour


def redecode(prediction: Prediction, parameters: DecodeParameters) -> Prediction:
    """The same probabilities decoded with other parameters; the network does not run."""
    started = time.perf_counter()
    labels = separate(
        prediction.mask,
        prediction.contour,
        voxel_size=prediction.voxel_size,
        parameters=parameters,
    )
    seconds = {**prediction.seconds, "decode": time.perf_counter() - started}
    return replace(prediction, labels=labels, parameters=parameters, seconds=seconds)


def estimate(
    shape: Index,
    *,
    voxel_size: VoxelSize,
    model: Model | Path | str | None = None,
    flips: bool = False,
) -> Estimate:
    """Time and memory that ``predict`` will take on an image of this shape, from measured rates."""
    check_voxel_size(voxel_size)
    used = model if isinstance(model, Model) else load(model)
    tiles = _plan(_grid(shape, voxel_size, used.spec), used.spec)
    tile_voxels = int(np.prod(tiles.shape))
    voxels, padded = int(np.prod(shape)), int(np.prod(tiles.padded))
    rate = NETWORK_RATE[used.precision] * thread_count()
    runs = len(tiles) * (len(MIRRORS) if flips else 1)
    seconds = FIXED_SECONDS + runs * tile_voxels / rate + voxels / DECODE_RATE
    scale = 1 if used.precision == "bf16" else 2
    network = FIXED_BYTES + TILE_BYTES * scale * tile_voxels + 8 * padded
    return Estimate(seconds, network + max(4 * padded, 24 * voxels))


def check_image(image: NDArray[np.uint8] | NDArray[np.uint16]) -> None:
    """Raise ImageInvalid unless the image is 3-D, not empty, uint8 or uint16, and not constant."""
    if image.ndim != 3:
        raise ImageInvalid(f"image: expected 3 axes (z, y, x), found shape {image.shape}")
    if image.size == 0:
        raise ImageInvalid(f"image: expected at least one voxel, found shape {image.shape}")
    if image.dtype not in (np.uint8, np.uint16):
        raise ImageInvalid(f"image: expected uint8 or uint16, found {image.dtype}")
    low, high = int(image.min()), int(image.max())
    if low == high:
        raise ImageInvalid(f"image: expected different grey values, found {low} everywhere")


def check_memory(needed: Estimate) -> None:
    """Raise MemoryShort where a prediction would need more memory than is free."""
    free = psutil.virtual_memory().available
    if needed.bytes > free:
        raise MemoryShort(
            f"prediction needs about {needed.bytes / 1e9:.1f} GB of memory, {free / 1e9:.1f} GB "
            "are free: choose a smaller box, or predict by (smaller) blocks"
        )


def check_voxel_size(voxel_size: VoxelSize) -> None:
    """Raise ImageInvalid unless the voxel size is three positive lengths in nm."""
    if len(voxel_size) != 3 or not all(0 < v < np.inf for v in voxel_size):
        raise ImageInvalid(f"voxel size: expected 3 lengths above 0 nm, found {voxel_size}")


class Watch:
    """Seconds per stage, progress, and the question whether to stop."""

    def __init__(self, progress: Progress | None, cancelled: Cancelled | None):
        self.seconds: dict[str, float] = {}
        self._progress, self._cancelled = progress, cancelled
        self._last = time.perf_counter()

    def mark(self, stage: str, fraction: float, what: str) -> None:
        """A stage has ended: keep its seconds, tell what comes next."""
        now = time.perf_counter()
        self.seconds[stage] = now - self._last
        self._last = now
        self.tell(fraction, what)

    def tell(self, fraction: float, what: str) -> None:
        """Report; raises RunCancelled when it was asked to stop."""
        if self._cancelled is not None and self._cancelled():
            raise RunCancelled(f"prediction stopped at {fraction:.0%}")
        if self._progress is not None:
            self._progress(fraction, what)


def _grid(shape: Index, voxel_size: VoxelSize, spec: ModelSpec) -> Index:
    keep = (spec.sections_nm, spec.pixels_nm, spec.pixels_nm)
    return grid_for(shape, voxel_size, target=spec.voxel_size, keep=keep)


def _plan(grid: Index, spec: ModelSpec) -> Plan:
    return plan(
        grid,
        divisors=spec.divisors,
        smallest=spec.smallest,
        largest=spec.largest,
        trim=spec.trim,
        ramp=spec.ramp,
    )


def _run(
    model: Model,
    prepared: NDArray[np.float32],
    image_shape: tuple[int, ...],
    watch: Watch,
    *,
    flips: bool,
    partial: Partial | None,
) -> Blend:
    z, y, x = prepared.shape
    tiles = _plan((z, y, x), model.spec)
    more = [(0, b - a) for a, b in zip(prepared.shape, tiles.padded, strict=True)]
    padded = np.pad(prepared, more, mode="symmetric") if any(m for _, m in more) else prepared
    blend = Blend(len(model.spec.channels), tiles)
    for done, tile in enumerate(tiles, 1):
        with model.lock:
            part = np.ascontiguousarray(padded[tile.box.slices])
            found = model.run_mirrored(part) if flips else model.run(part)
            blend.add(tile, found)
            mask = found[model.spec.channels.index("mask")]
            piece = None if partial is None else _piece(tile, mask, prepared, image_shape)
        if partial is not None and piece is not None:
            partial(*piece)
        watch.tell(0.02 + 0.78 * done / len(tiles), f"tile {done} of {len(tiles)}")
    return blend


def _piece(
    tile: Tile,
    mask: NDArray[np.float32],
    prepared: NDArray[np.float32],
    image_shape: tuple[int, ...],
) -> tuple[Box, NDArray[np.uint8]]:
    """A tile's core as a box of the image, and its mask there by the nearest voxel."""
    z, y, x = prepared.shape
    core = tile.core((z, y, x))
    z0, y0, x0 = tile.box.start
    local = core.shift((-z0, -y0, -x0))
    bounds = [
        (a * n // g, max(a * n // g + 1, b * n // g))
        for a, b, n, g in zip(core.start, core.stop, image_shape, prepared.shape, strict=True)
    ]
    (z0, z1), (y0, y1), (x0, x1) = bounds
    box = Box((z0, y0, x0), (z1, y1, x1))
    values = (mask[local.slices] * 255 + 0.5).astype(np.uint8)
    return box, nearest(values, box.shape)


def _channel(
    blend: Blend, channel: int, grid: tuple[int, ...], shape: tuple[int, ...]
) -> NDArray[np.uint8]:
    """One channel on the image's grid."""
    z, y, x = grid
    found = blend.bytes_of(channel, (z, y, x))
    nz, ny, nx = shape
    return resample(found, (nz, ny, nx))
