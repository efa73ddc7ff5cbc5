"""Predictions of volumes that do not fit into memory: by blocks, resumable, on a cluster."""

from __future__ import annotations

import hashlib
import shutil
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from mitoem import catalog
from mitoem.errors import DiskFull
from mitoem.front.shelves import Data, resolved
from mitoem.geometry import Box, Index
from mitoem.volume import Volume

if TYPE_CHECKING:
    from mitoem.inference import DecodeParameters
    from mitoem.inference.predict import Cancelled, Progress

BYTES_PER_VOXEL = 6
"""Of the labels and, compressed, of the blocks they are put together from."""


@dataclass(frozen=True, slots=True)
class WholePrediction:
    """Instances of a box in a file on disk; ``labels`` (z, y, x) uint32 is read where looked at."""

    labels: npt.NDArray[np.uint32]
    instances: int
    folder: Path
    box: Box
    blocks: int
    model: str
    model_sha256: str
    precision: str
    parameters: DecodeParameters
    seconds: dict[str, float]

    def discard(self) -> None:
        """Remove the blocks and the labels; to be called once they are stored elsewhere."""
        mapped: Any = self.labels
        mapped._mmap.close()  # an open file cannot be removed on Windows
        shutil.rmtree(self.folder)


def predict_blocks(
    volume: str | Volume,
    box: Box | None = None,
    *,
    model: str | Path | None = None,
    decode: DecodeParameters | None = None,
    flips: bool = False,
    core: Index | None = None,
    folder: Path | None = None,
    data: Data = None,
    scheduler: str | None = None,
    progress: Progress | None = None,
    cancelled: Cancelled | None = None,
) -> WholePrediction:
    """Predict a box, or the whole volume, by blocks in bounded memory, and stitch the instances.

    Blocks lie in ``folder`` (None: one of the data root that the same call finds again): a
    prediction that was stopped goes on where it was. Raises DiskFull before it starts,
    RequestInvalid for a folder of another prediction, ImageInvalid, ModelInvalid, RunCancelled.
    """
    from mitoem import inference

    target = resolved(volume, data=data)
    region = (box or Box.whole(target.info.shape)).inside(target.info.shape)
    used = inference.load(model)
    chosen = decode or used.spec.decode
    identity = f"{target.info.name} {target.info.version}"
    if folder is None:
        key = f"{identity} {region} {used.sha256} {chosen} {flips} {core}"
        root = catalog.from_environment(data).writable
        folder = root / ".predictions" / hashlib.sha256(key.encode()).hexdigest()[:16]
    _check_space(folder, region)
    started = time.perf_counter()
    blocks = inference.predict_blocks(
        target.read, region,
        identity=identity, voxel_size=target.info.voxel_size, folder=folder,
        model=None if model is None else Path(model), decode=chosen, flips=flips,
        core=core or inference.CORE, scheduler=scheduler, progress=progress, cancelled=cancelled,
    )  # fmt: skip
    predicted = time.perf_counter() - started
    path, count = inference.stitch(
        blocks, folder, voxel_size=target.info.voxel_size, parameters=chosen
    )
    seconds = {"blocks": predicted, "stitch": time.perf_counter() - started - predicted}
    if progress is not None:
        progress(1.0, "done")
    return WholePrediction(
        np.load(path, mmap_mode="r"), count, folder, region, len(blocks), used.spec.name,
        used.sha256, used.precision, chosen, seconds,
    )  # fmt: skip


def _check_space(folder: Path, region: Box) -> None:
    there = next(path for path in (folder, *folder.parents) if path.exists())
    held = sum(file.stat().st_size for file in folder.glob("*")) if folder.exists() else 0
    needed = region.size * BYTES_PER_VOXEL - held
    free = shutil.disk_usage(there).free
    if needed > free:
        raise DiskFull(f"{folder}: predicting {region} needs {needed:,} bytes, {free:,} are free")
