"""Verify a volume: metadata, files, checksums, levels against each other, table and coverage."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import fastremap
import numpy as np

from mitoem import catalog, ome, pyramid, tables
from mitoem.errors import ChunkCorrupt, TableMissing, VolumeInvalid
from mitoem.geometry import Box
from mitoem.ingestion.writer import shards
from mitoem.volume import IMAGE, Volume, array_path

Progress = Callable[[float, str], None]

SLAB = 64
"""Sections of level 0 read at a time; a multiple of every level's shrink factor along z."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is not as it should be, and where."""

    severity: Literal["error", "notice"]
    where: str
    message: str


def check(
    volume: Volume,
    *,
    deep: bool = False,
    data: str | Path | None = None,
    progress: Progress | None = None,
) -> list[Finding]:
    """Everything found wrong with a local volume; ``deep`` reads every voxel of every level."""
    if volume.path is None:
        raise VolumeInvalid(f"only local volumes are checked, found {volume.url}")
    layers = [IMAGE, *(one.name for one in volume.info.labels)]
    findings = [f for layer in layers for f in _metadata(volume, volume.path, layer)]
    findings += _files(volume, volume.path)
    findings += _tables(volume, data)
    if deep:
        for done, layer in enumerate(layers):
            findings += _voxels(volume, layer)
            if progress is not None:
                progress((done + 1) / len(layers), "check")
    return findings


def failed(name: str, count: int, first: str) -> VolumeInvalid:
    """The error that ends a check that found faults."""
    return VolumeInvalid(f"{name!r}: expected a sound volume, found {count} faults; first: {first}")


def _metadata(volume: Volume, path: Path, layer: str) -> Iterator[Finding]:
    """OME-Zarr metadata against ``volume.json``."""
    group = array_path(layer, 0).removesuffix("0/")
    where = f"{volume.name}/{group}zarr.json"
    try:
        attributes = json.loads((path / group / "zarr.json").read_text())["attributes"]
        parsed = ome.parse_multiscale(attributes, where=where)
    except (OSError, ValueError, KeyError) as error:
        yield Finding("error", where, str(error))
        return
    expected = [level.voxel_size for level in volume.info.levels]
    found = [dataset.voxel_size for dataset in parsed.datasets]
    if expected != found:
        yield Finding("error", where, f"voxel sizes: expected {expected}, found {found}")
    for n, level in enumerate(volume.info.levels):
        array = f"{volume.name}/{array_path(layer, n)}"
        try:
            shape = tuple(volume.store(layer, n).shape)
        except ChunkCorrupt as error:
            yield Finding("error", array, str(error))
            continue
        if shape != level.shape:
            yield Finding("error", array, f"shape: expected {level.shape}, found {shape}")


def _files(volume: Volume, path: Path) -> Iterator[Finding]:
    """Shard files against the manifest: missing, of another size, or unknown."""
    for array, expected in volume.info.shards.items():
        layer, _, level = array.rpartition("/")
        below = path / array_path(layer, int(level))
        found = shards(below.parent, len(volume.info.levels)).get(level, {})
        for name in sorted(expected.keys() | found.keys()):
            a, b = expected.get(name), found.get(name)
            if a != b:
                where = f"{volume.name}/{array_path(layer, int(level))}{name}"
                yield Finding("error", where, f"bytes: expected {a}, found {b}")


def _tables(volume: Volume, data: str | Path | None) -> Iterator[Finding]:
    directory = catalog.from_environment(data).tables(volume)
    for one in volume.info.labels:
        where = f"{volume.name}/tables/{one.name}.parquet"
        try:
            rows = len(tables.read(directory, one.name, version=one.version))
        except TableMissing as error:
            yield Finding("notice", where, str(error))
            continue
        if rows != one.instances:
            yield Finding("error", where, f"rows: expected {one.instances}, found {rows}")


def _voxels(volume: Volume, layer: str) -> Iterator[Finding]:
    """Checksums, every level against the finer one, and the number of instances."""
    shrink = pyramid.shrink_image if layer == IMAGE else pyramid.shrink_labels
    levels = volume.info.levels
    ids: set[int] = set()
    for n, level in enumerate(levels):
        where = f"{volume.name}/{array_path(layer, n)}"
        differing = 0
        for box in _slabs(level.shape, SLAB // level.factors[0]):
            try:
                fine = volume.read(box, level=n, layer=layer)
                if layer != IMAGE and n == 0:
                    ids.update(int(i) for i in fastremap.unique(fine) if i)
                if n + 1 < len(levels):
                    step = pyramid.step(level.factors, levels[n + 1].factors)
                    z0, z1 = box.start[0] // step[0], -(-box.stop[0] // step[0])
                    plane = levels[n + 1].shape[1:]
                    coarse = volume.read(Box((z0, 0, 0), (z1, *plane)), level=n + 1, layer=layer)
                    differing += int(np.count_nonzero(shrink(fine, step) != coarse))
            except ChunkCorrupt as error:
                yield Finding("error", where, str(error))
        if differing:
            yield Finding(
                "error", where, f"{differing} voxels of level {n + 1} do not follow from this one"
            )
    if layer != IMAGE and len(ids) != volume.info.label_set(layer).instances:
        expected = volume.info.label_set(layer).instances
        where = f"{volume.name}/{array_path(layer, 0)}"
        yield Finding("error", where, f"instances: expected {expected}, found {len(ids)}")


def _slabs(shape: tuple[int, int, int], depth: int) -> Iterator[Box]:
    for z in range(0, shape[0], depth):
        yield Box((z, 0, 0), (min(z + depth, shape[0]), shape[1], shape[2]))
