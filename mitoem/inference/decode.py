"""Probabilities of mask and contour → instances, by growing seeds inside the foreground.

Seeds are the connected parts of what is surely mitochondrion and surely not contour. They grow
face by face through the foreground, as many steps in the plane per section step as the voxel is
thick, so that a boundary between two touching instances lies midway in nanometres. Foreground
that no seed reaches becomes instances of its own. Every instance is connected through faces.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import cc3d
import numpy as np
from numpy.typing import NDArray

from mitoem.errors import RequestInvalid, ShapeMismatch
from mitoem.geometry import VoxelSize, voxel_volume_um3

FACES: Final = 6


@dataclass(frozen=True, slots=True)
class DecodeParameters:
    """Thresholds 0…1 on the probabilities, and the smallest instance and seed in µm³.

    ``mask``: foreground; ``seed``: sure foreground; ``contour``: seeds lie below it;
    ``confidence``: least mean probability of mask in an instance, which parts true ones from
    invented ones better than size does.
    """

    mask: float = 0.4
    seed: float = 0.6
    contour: float = 0.75
    confidence: float = 0.8
    min_seed_um3: float = 0.0002
    min_volume_um3: float = 0.001

    def __post_init__(self) -> None:
        for name in ("mask", "seed", "contour"):
            value = getattr(self, name)
            if not 0 < value < 1:
                raise RequestInvalid(f"decode {name}: expected between 0 and 1, found {value}")
        if not 0 <= self.confidence < 1:
            raise RequestInvalid(
                f"decode confidence: expected from 0 to below 1, found {self.confidence}"
            )
        for name in ("min_seed_um3", "min_volume_um3"):
            value = getattr(self, name)
            if not 0 <= value < np.inf:
                raise RequestInvalid(f"decode {name}: expected 0 or more µm³, found {value}")
        if self.seed < self.mask:
            raise RequestInvalid(
                f"decode seed: expected at least mask {self.mask}, found {self.seed}"
            )


def decode(
    mask: NDArray[np.uint8],
    contour: NDArray[np.uint8],
    *,
    voxel_size: VoxelSize,
    parameters: DecodeParameters,
) -> NDArray[np.uint32]:
    """Instances 1…n (z, y, x) from probabilities × 255; 0 is background.

    Raises ShapeMismatch when the two differ in shape.
    """
    labels = grown(mask, contour, voxel_size=voxel_size, parameters=parameters)
    keep = kept(*totals(labels, mask), voxel_size=voxel_size, parameters=parameters)
    found: NDArray[np.uint32] = numbered(keep)[labels]
    return found


def grown(
    mask: NDArray[np.uint8],
    contour: NDArray[np.uint8],
    *,
    voxel_size: VoxelSize,
    parameters: DecodeParameters,
) -> NDArray[np.uint32]:
    """All instances 1…n, the small and the doubtful too: parts of an image are judged later."""
    if mask.shape != contour.shape:
        raise ShapeMismatch(f"mask has shape {mask.shape}, contour {contour.shape}")
    voxel = voxel_volume_um3(voxel_size)
    body = mask >= _byte(parameters.mask)
    sure = (mask >= _byte(parameters.seed)) & (contour < _byte(parameters.contour))
    labels = _components(sure, least=parameters.min_seed_um3 / voxel)
    in_plane = (voxel_size[1] + voxel_size[2]) / 2
    labels = _grow(labels, body, ratio=max(1, round(voxel_size[0] / in_plane)))
    rest = _components(body & (labels == 0), least=1)
    return np.where(rest > 0, rest + labels.max(), labels)


def _byte(probability: float) -> int:
    return max(1, round(probability * 255))


def _components(body: NDArray[np.bool_], *, least: float) -> NDArray[np.uint32]:
    found: NDArray[np.uint32] = cc3d.connected_components(
        body, connectivity=FACES, return_N=False, out_dtype=np.uint32
    ).astype(np.uint32, copy=False)
    return _without_small(found, least=least)


def _without_small(labels: NDArray[np.uint32], *, least: float) -> NDArray[np.uint32]:
    """Drop ids of fewer than ``least`` voxels and number the others 1…n in rising order."""
    keep = np.bincount(labels.ravel()) >= max(1.0, least)
    keep[0] = False
    found: NDArray[np.uint32] = numbered(keep)[labels]
    return found


def totals(
    labels: NDArray[np.uint32], mask: NDArray[np.uint8], *, size: int = 1
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Voxels and summed mask per id, at least ``size`` of them; the background has none."""
    inside = np.flatnonzero(labels)
    ids = labels.ravel()[inside]
    sums = np.bincount(ids, mask.ravel()[inside], minlength=size).astype(np.float64)
    return np.bincount(ids, minlength=size).astype(np.int64), sums


def kept(
    counts: NDArray[np.int64],
    sums: NDArray[np.float64],
    *,
    voxel_size: VoxelSize,
    parameters: DecodeParameters,
) -> NDArray[np.bool_]:
    """Which ids are large enough and certain enough, from their ``totals``."""
    least = max(1.0, parameters.min_volume_um3 / voxel_volume_um3(voxel_size))
    keep: NDArray[np.bool_] = (counts >= least) & (sums >= parameters.confidence * 255 * counts)
    return keep


def numbered(keep: NDArray[np.bool_]) -> NDArray[np.uint32]:
    """Old id → new id: those kept are numbered 1…n in rising order, the others become 0."""
    return np.where(keep, np.cumsum(keep), 0).astype(np.uint32)


def _grow(seeds: NDArray[np.uint32], body: NDArray[np.bool_], *, ratio: int) -> NDArray[np.uint32]:
    """Grow seeds through the faces of ``body`` until nothing more can be reached."""
    padded = np.pad(seeds, 1)
    flat = padded.ravel()
    _, ny, nx = padded.shape
    plane, section = (1, -1, nx, -nx), (ny * nx, -ny * nx)
    inner = np.zeros(padded.shape, bool)
    inner[1:-1, 1:-1, 1:-1] = body & (seeds == 0)
    open_ = np.flatnonzero(inner)
    stuck = 0
    turn = 0
    while len(open_) and stuck <= ratio:
        turn += 1
        found = np.zeros(len(open_), np.uint32)
        for offset in plane if turn % ratio else plane + section:
            free = found == 0
            found[free] = flat[open_[free] + offset]
        reached = found > 0
        flat[open_[reached]] = found[reached]
        stuck = 0 if reached.any() else stuck + 1
        open_ = open_[~reached]
    return padded[1:-1, 1:-1, 1:-1]
