"""Verify a volume: metadata, files, tables, and with ``deep`` every voxel of every level."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from mitoem import catalog
from mitoem.checking import facts, files, judged, measured, metadata, voxels
from mitoem.checking.finding import Finding
from mitoem.errors import VolumeInvalid
from mitoem.volume import IMAGE, Volume

__all__ = ["Finding", "check", "failed"]

Progress = Callable[[float, str], None]


def check(
    volume: Volume,
    *,
    deep: bool = False,
    data: str | Path | None = None,
    progress: Progress | None = None,
) -> list[Finding]:
    """Everything found wrong with a local volume; ``deep`` reads every voxel of every level.

    Without it: ``volume.json`` against itself, OME metadata, arrays, the names and sizes of all
    files, tables, verdicts. With it also checksums of voxels, every level against the finer one,
    and all counts.
    Raises VolumeInvalid for a remote volume.
    """
    if volume.path is None:
        raise VolumeInvalid(f"only local volumes are checked, found {volume.url}")
    layers = [IMAGE, *(one.name for one in volume.info.labels)]
    findings = [*facts.check(volume.info), *files.check(volume, volume.path, layers)]
    for layer in layers:
        findings += metadata.check(volume, volume.path, layer)
    findings += metadata.check_listing(volume, volume.path)
    findings += judged.check_index(volume, volume.path)
    counted: dict[str, measured.Counts] = {}
    if deep:
        report = _shares(volume, layers, progress)
        for layer in layers:
            found, counts = voxels.check(volume, layer, report)
            findings += found
            if counts is not None:
                counted[layer] = counts
    known = catalog.from_environment(data)
    for one in volume.info.labels:
        findings += measured.check(volume, known, one, counted.get(one.name))
    findings += judged.check(volume, data)
    return findings


def failed(name: str, count: int, first: str) -> VolumeInvalid:
    """The error that ends a check that found faults."""
    return VolumeInvalid(f"{name!r}: expected a sound volume, found {count} faults; first: {first}")


def _shares(volume: Volume, layers: list[str], progress: Progress | None) -> Callable[[int], None]:
    """Adds up voxels as they are checked, and tells the share of all that are to be."""
    total, done = sum(voxels.total(volume, layer) for layer in layers), 0

    def report(more: int) -> None:
        nonlocal done
        done += more
        if progress is not None:
            progress(done / max(total, 1), "check")

    return report
