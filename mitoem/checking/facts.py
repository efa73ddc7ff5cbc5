"""``volume.json`` against itself: coverage, sections, splits, grey values, levels."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations

from mitoem.checking.finding import Finding, differs
from mitoem.geometry import Box
from mitoem.manifest import FILE, LabelSet, VolumeInfo


def check(info: VolumeInfo) -> Iterator[Finding]:
    """What ``volume.json`` says that cannot be."""
    where = f"{info.name}/{FILE}"
    voxels = Box.whole(info.shape).size
    if sum(info.grey.histogram) != voxels:
        yield differs(where, "voxels in the histogram", voxels, sum(info.grey.histogram))
    for split in info.splits:
        if not 0 <= split.start < split.stop <= info.shape[0]:
            span = f"sections {split.start} to {split.stop}"
            yield differs(where, f"split {split.name!r}", f"0 to {info.shape[0]}", span)
    for one in info.labels:
        yield from _labels(info, one, f"{where} labels {one.name!r}")


def _labels(info: VolumeInfo, one: LabelSet, where: str) -> Iterator[Finding]:
    whole = Box.whole(info.shape)
    for box in one.coverage:
        if box.intersect(whole) != box:
            yield differs(where, "coverage", f"boxes inside {whole}", box)
    for a, b in combinations(one.coverage, 2):
        if a.intersect(b) is not None:
            yield differs(where, "coverage", "boxes apart", f"{a} and {b}")
    if len(one.vanished) != len(info.levels):
        yield differs(where, "levels in vanished", len(info.levels), len(one.vanished))
    if len(one.per_section) != info.shape[0]:
        yield differs(where, "sections in per_section", info.shape[0], len(one.per_section))
    for z, count in enumerate(one.per_section):
        if count and not any(box.start[0] <= z < box.stop[0] for box in one.coverage):
            yield differs(where, f"instances in section {z}, which nobody labelled", 0, count)
