"""Every voxel of every level: checksums, levels against each other, and all that is counted."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import fastremap
import numpy as np
import numpy.typing as npt

from mitoem import pyramid
from mitoem.checking.files import grid, region
from mitoem.checking.finding import Finding, differs
from mitoem.checking.measured import Counts
from mitoem.errors import MitoEMError
from mitoem.geometry import Box, Index
from mitoem.manifest import FILE
from mitoem.stores import first_line
from mitoem.volume import IMAGE, Volume, array_path

BLOCK: Index = (64, 1024, 1024)
"""Voxels of a level that are held at a time, in whole chunks and whole blocks of every level."""


@dataclass(slots=True)
class _Tally:
    """What is counted of a layer: grey values, or ids and voxels per section and ids per level."""

    histogram: npt.NDArray[np.int64] = field(default_factory=lambda: np.zeros(256, np.int64))
    sections: dict[int, list[npt.NDArray[Any]]] = field(default_factory=lambda: defaultdict(list))
    voxels: dict[int, int] = field(default_factory=lambda: defaultdict(int))
    levels: dict[int, set[int]] = field(default_factory=lambda: defaultdict(set))
    outside: int = 0
    damaged: bool = False


@dataclass(frozen=True, slots=True)
class _Part:
    """A box of a level of a layer."""

    volume: Volume
    layer: str
    level: int
    box: Box

    def read(self) -> npt.NDArray[Any]:
        """What is stored there, labelled or not."""
        store = self.volume.store(self.layer, self.level)
        stored: npt.NDArray[Any] = store[self.box.slices].read().result()
        return stored


def total(volume: Volume, layer: str) -> int:
    """Voxels that a check of a layer reads."""
    boxes = (region(volume, layer, level) for level in range(len(volume.info.levels)))
    return sum(box.size for box in boxes if box is not None)


def check(
    volume: Volume, layer: str, report: Callable[[int], None]
) -> tuple[list[Finding], Counts | None]:
    """What is wrong with the voxels of a layer, and the voxels of each instance at level 0.

    None where something did not read, so that nothing could be counted whole.
    """
    findings: list[Finding] = []
    tally = _Tally()
    for level in range(len(volume.info.levels)):
        findings += _level(volume, layer, level, tally, report)
    if tally.damaged:
        return findings, None
    if layer == IMAGE:
        return findings + list(_grey(volume, tally)), None
    return findings + list(_labels(volume, layer, tally)), dict(tally.voxels)


def _level(
    volume: Volume, layer: str, level: int, tally: _Tally, report: Callable[[int], None]
) -> Iterator[Finding]:
    where = f"{volume.name}/{array_path(layer, level)}"
    differing = 0
    bad: dict[str, list[tuple[Box, str]]] = defaultdict(list)
    stored = region(volume, layer, level)
    for box in stored.blocks(BLOCK) if stored else ():
        part = _Part(volume, layer, level, box)
        try:
            block = part.read()
        except (MitoEMError, ValueError, OSError):
            tally.damaged = True
            for shard, chunk, reason in _unreadable(part):
                bad[shard].append((chunk, reason))
        else:
            _count(part, block, tally)
            differing += _against_coarser(part, block)
        report(box.size)
    for shard, chunks in sorted(bad.items()):
        first, reason = chunks[0]
        message = f"{len(chunks)} chunks do not read, the first at {first}: {reason}"
        yield Finding("error", where + shard, message)
    if differing:
        message = f"{differing} voxels of level {level + 1} do not follow from this one"
        yield Finding("error", where, message)


def _unreadable(part: _Part) -> Iterator[tuple[str, Box, str]]:
    """The chunks of a part that do not read: shard, chunk, reason."""
    volume, layer, level = part.volume, part.layer, part.level
    try:
        edges, chunks = grid(volume, layer, level)
    except MitoEMError as error:
        yield "zarr.json", part.box, str(error)
        return
    for chunk in part.box.blocks(chunks):
        try:
            _Part(volume, layer, level, chunk).read()
        except (ValueError, OSError) as error:
            shard = "c/" + "/".join(str(a // n) for a, n in zip(chunk.start, edges, strict=True))
            reason = first_line(error).replace(volume.url.removeprefix("file://"), "")
            yield shard, chunk, reason


def _against_coarser(part: _Part, block: npt.NDArray[Any]) -> int:
    """Voxels of the next level that are not what this block shrinks to."""
    levels, level = part.volume.info.levels, part.level
    if level + 1 == len(levels):
        return 0
    step = pyramid.step(levels[level].factors, levels[level + 1].factors)
    z0, y0, x0 = (a // f for a, f in zip(part.box.start, step, strict=True))
    z1, y1, x1 = (-(-b // f) for b, f in zip(part.box.stop, step, strict=True))
    box = Box((z0, y0, x0), (z1, y1, x1))
    try:
        found = _Part(part.volume, part.layer, level + 1, box).read()
    except (MitoEMError, ValueError, OSError):
        return 0  # named when that level is read
    shrink = pyramid.shrink_image if part.layer == IMAGE else pyramid.shrink_labels
    return int(np.count_nonzero(shrink(block, step) != found))


def _count(part: _Part, block: npt.NDArray[Any], tally: _Tally) -> None:
    """Add a block to what is counted of its layer."""
    if part.layer == IMAGE:
        if part.level == 0:
            tally.histogram += np.bincount(block.ravel(), minlength=256)
        return
    tally.levels[part.level].update(int(i) for i in fastremap.unique(block) if i)
    if part.level:
        return
    box = part.box
    labelled = 0
    for z, section in enumerate(block, start=box.start[0]):
        ids, counts = fastremap.unique(section, return_counts=True)
        tally.sections[z].append(ids[ids > 0])
        for i, n in zip(ids.tolist(), counts.tolist(), strict=True):
            if i:
                tally.voxels[i] += n
                labelled += n
    for covered in part.volume.info.label_set(part.layer).coverage:
        common = covered.intersect(box)
        if common is not None:
            z, y, x = box.start
            labelled -= int(np.count_nonzero(block[common.shift((-z, -y, -x)).slices]))
    tally.outside += labelled


def _grey(volume: Volume, tally: _Tally) -> Iterator[Finding]:
    """Grey values against the histogram and the mean of ``volume.json``."""
    where, grey = f"{volume.name}/{FILE}", volume.info.grey
    if tuple(tally.histogram.tolist()) != grey.histogram:
        value = int(np.flatnonzero(tally.histogram != np.asarray(grey.histogram))[0])
        what = f"voxels of grey {value}"
        yield differs(where, what, int(tally.histogram[value]), grey.histogram[value])
    mean = float(np.dot(tally.histogram, np.arange(256)) / tally.histogram.sum())
    if abs(mean - grey.mean) > 1e-6:
        yield differs(where, "mean grey", round(mean, 6), grey.mean)


def _labels(volume: Volume, layer: str, tally: _Tally) -> Iterator[Finding]:
    """Ids and sections against what ``volume.json`` says of a label set."""
    where, one = f"{volume.name}/{FILE} labels {layer!r}", volume.info.label_set(layer)
    if len(tally.voxels) != one.instances:
        yield differs(where, "instances", len(tally.voxels), one.instances)
    if tally.outside:
        yield differs(where, "labelled voxels outside the coverage", 0, tally.outside)
    sections = {z: len(np.unique(np.concatenate(ids))) for z, ids in tally.sections.items()}
    for z, found in enumerate(one.per_section):
        if found != sections.get(z, 0):
            yield differs(where, f"instances in section {z}", sections.get(z, 0), found)
    whole = tally.levels[0]
    vanished = tuple(len(whole) - len(tally.levels[n]) for n in range(len(volume.info.levels)))
    if vanished != one.vanished:
        yield differs(where, "vanished", vanished, one.vanished)
