"""Volumes of any size: predicted block by block, each with a halo, and kept in files on the way.

A block's instances are those of its core, grown in the core and its halo. With them lie the
slabs around its faces as this block sees them: its neighbour keeps the same slab, and
``stitch`` joins the instances that both see. A block that is written is never predicted again.
"""

from __future__ import annotations

import itertools
import json
import math
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mitoem import blocks
from mitoem.errors import RequestInvalid
from mitoem.geometry import Box, Index, VoxelSize
from mitoem.inference import grey
from mitoem.inference.decode import DecodeParameters, grown, totals
from mitoem.inference.model import Model, load
from mitoem.inference.predict import (
    Cancelled,
    Progress,
    Watch,
    check_memory,
    estimate,
    probabilities,
)
from mitoem.inference.spec import ModelSpec
from mitoem.ingestion.disk import write_json

Read = Callable[[Box], NDArray[Any]]
"""Grey values of a box of the volume; must pickle when blocks run on a cluster."""

CORE: Index = (64, 512, 512)
"""Voxels of a block: large enough for its halo to cost half as much again, about 1.5 GB at work."""

FACE: Index = (2, 8, 8)
"""Half thickness of the slabs around a face that both neighbours keep, voxels."""

SLAB = 16
"""Sections read at once for the grey values."""


@dataclass(frozen=True, slots=True)
class Block:
    """One piece: its number per axis, its core, and what it sees with the halo (volume voxels)."""

    place: Index
    core: Box
    seen: Box

    @property
    def file(self) -> str:
        """Name of its file."""
        return "block-" + "-".join(f"{n:04d}" for n in self.place) + ".npz"

    def face(self, axis: int, side: int, region: Box) -> Box | None:
        """The slab around its lower (0) or upper (1) face; None at the end of the region."""
        at = (self.core.start, self.core.stop)[side][axis]
        if at in (region.start[axis], region.stop[axis]):
            return None
        start, stop = list(self.core.start), list(self.core.stop)
        start[axis] = max(region.start[axis], at - FACE[axis])
        stop[axis] = min(region.stop[axis], at + FACE[axis])
        return Box((start[0], start[1], start[2]), (stop[0], stop[1], stop[2]))


def cut(region: Box, *, core: Index, halo: Index) -> list[Block]:
    """The blocks of a region, in order of their places in the grid through voxel 0."""
    made = []
    for inner in region.blocks(core):
        z, y, x = (a // c for a, c in zip(inner.start, core, strict=True))
        seen = inner.grow(halo, within=region.stop).intersect(region)
        made.append(Block((z, y, x), inner, seen or inner))
    return made


def halo(spec: ModelSpec, voxel_size: VoxelSize) -> Index:
    """Voxels beyond a core: what tiles trim and cross over on, and the slabs of the faces."""
    edges = [
        int(np.ceil((t + r / 2) * ours / theirs)) + f
        for t, r, ours, theirs, f in zip(
            spec.trim, spec.ramp, spec.voxel_size, voxel_size, FACE, strict=True
        )
    ]
    return edges[0], edges[1], edges[2]


@dataclass(frozen=True, slots=True)
class Predictor:
    """What every block needs; travels to the workers of a cluster."""

    read: Read
    region: Box
    voxel_size: VoxelSize
    model: Path | None
    decode: DecodeParameters
    flips: bool
    table: NDArray[np.float32]
    folder: Path

    def __call__(self, block: Block) -> str:
        """Predict one block and write its file; returns its name."""
        model = load(self.model)
        image = self.read(block.seen)
        if image.min() == image.max():  # the blank margin of a volume
            blank = np.zeros(image.shape, np.uint8)
            write(self.folder, block, blank.astype(np.uint32), blank, self.region)
            return block.file
        mask, contour = probabilities(
            model, image, self.table,
            voxel_size=self.voxel_size, watch=Watch(None, None), flips=self.flips,
        )  # fmt: skip
        labels = grown(mask, contour, voxel_size=self.voxel_size, parameters=self.decode)
        write(self.folder, block, labels, mask, self.region)
        return block.file


def write(
    folder: Path,
    block: Block,
    labels: NDArray[np.uint32],
    mask: NDArray[np.uint8],
    region: Box,
) -> None:
    """Keep a block's core, its faces, and per id the voxels and the summed mask in the core."""
    z, y, x = block.seen.start
    back = (-z, -y, -x)
    core = block.core.shift(back).slices
    counts, sums = totals(labels[core], mask[core], size=int(labels.max(initial=0)) + 1)
    arrays: dict[str, NDArray[Any]] = {"core": labels[core], "counts": counts, "sums": sums}
    for axis, side in itertools.product(range(3), range(2)):
        face = block.face(axis, side, region)
        if face is not None:
            arrays[f"face{axis}{side}"] = labels[face.shift(back).slices]
    partial = folder / (block.file + ".part")
    with partial.open("wb") as file:
        np.savez_compressed(file, allow_pickle=False, **arrays)
    partial.replace(folder / block.file)


def predict_blocks(
    read: Read,
    region: Box,
    *,
    identity: str,
    voxel_size: VoxelSize,
    folder: Path,
    model: Path | None = None,
    decode: DecodeParameters | None = None,
    flips: bool = False,
    core: Index = CORE,
    scheduler: str | None = None,
    progress: Progress | None = None,
    cancelled: Cancelled | None = None,
) -> list[Block]:
    """Predict every block of a region that ``folder`` does not hold yet; returns all blocks.

    ``identity`` names the image and its version. Raises RequestInvalid for a folder that holds
    blocks of another prediction, MemoryShort for a block, RunCancelled; what is done stays.
    """
    used = load(model)
    chosen = decode or used.spec.decode
    watch = Watch(progress, cancelled)
    todo = cut(region, core=core, halo=halo(used.spec, voxel_size))
    largest = max((block.seen.shape for block in todo), key=math.prod)
    check_memory(estimate(largest, voxel_size=voxel_size, model=used))
    _claim(folder, {
        "image": identity, "region": str(region), "voxel_size_nm": list(voxel_size),
        "model_sha256": used.sha256, "decode": asdict(chosen), "flips": flips, "core": list(core),
    })  # fmt: skip
    table = _table(read, region, used, folder, watch)
    work = Predictor(read, region, voxel_size, model, chosen, flips, table, folder)
    left = [block for block in todo if not (folder / block.file).exists()]
    done = len(todo) - len(left)
    for _ in blocks.each(work, left, scheduler=scheduler, cancelled=cancelled):
        done += 1
        watch.tell(0.02 + 0.96 * done / len(todo), f"block {done} of {len(todo)}")
    return todo


def _claim(folder: Path, plan: dict[str, Any]) -> None:
    """Write down whose blocks these are, or check it."""
    path = folder / "plan.json"
    if not path.exists():
        write_json(path, plan)
        return
    known = json.loads(path.read_text(encoding="utf-8"))
    for key, value in plan.items():
        if known.get(key) != value:
            raise RequestInvalid(
                f"{folder} holds blocks of another prediction: {key} {known.get(key)}, "
                f"asked for {value}"
            )


def _table(
    read: Read, region: Box, model: Model, folder: Path, watch: Watch
) -> NDArray[np.float32]:
    """The normalisation of the whole region, kept with the blocks."""
    path = folder / "grey.npy"
    if not path.exists():
        found: Any = 0
        for slab in _slabs(region):
            found = found + grey.counts(read(slab))
            watch.tell(0.02 * (slab.stop[0] - region.start[0]) / region.shape[0], "grey values")
        partial = folder / "grey.npy.part"
        with partial.open("wb") as file:
            np.save(file, grey.table(found, model.spec))
        partial.replace(path)
    table: NDArray[np.float32] = np.load(path)
    return table


def _slabs(region: Box) -> Iterator[Box]:
    _, y0, x0 = region.start
    z1, y1, x1 = region.stop
    for z in range(region.start[0], z1, SLAB):
        yield Box((z, y0, x0), (min(z + SLAB, z1), y1, x1))
