"""OME-Zarr metadata and arrays against ``volume.json``, by our own reader and by a peer's."""

from __future__ import annotations

import json
from collections.abc import Iterator
from importlib.util import find_spec
from math import isclose
from pathlib import Path
from typing import Any

from mitoem import ome
from mitoem.checking.finding import Finding, differs
from mitoem.errors import ChunkCorrupt
from mitoem.manifest import LevelInfo
from mitoem.volume import IMAGE, Volume, array_path

PEER = "ome_zarr_models"
"""The package that holds the specification as data models; it is asked where it is installed."""


def check(volume: Volume, path: Path, layer: str) -> Iterator[Finding]:
    """The group of a layer and its arrays."""
    group = array_path(layer, 0).removesuffix("0/")
    where = f"{volume.name}/{group}zarr.json"
    try:
        parsed = ome.parse_multiscale(_attributes(path / group, where), where=where)
    except (OSError, ValueError, KeyError, TypeError) as error:
        yield Finding("error", where, f"{type(error).__name__} {error}")
    else:
        yield from _levels(volume, parsed, where)
    for n, level in enumerate(volume.info.levels):
        yield from _array(volume, layer, n, level)
    if find_spec(PEER) is not None:
        yield from _peer(path / group, where, is_labels=layer != IMAGE)


def check_listing(volume: Volume, path: Path) -> Iterator[Finding]:
    """The list of label images against the label sets of ``volume.json``."""
    expected = sorted(one.name for one in volume.info.labels)
    group = path / "image.zarr" / "labels"
    where = f"{volume.name}/image.zarr/labels/zarr.json"
    if not expected and not (group / "zarr.json").is_file():
        return
    try:
        found = ome.parse_labels(_attributes(group, where), where=where)
    except (OSError, ValueError, KeyError, TypeError) as error:
        yield Finding("error", where, f"{type(error).__name__} {error}")
        return
    if sorted(found) != expected:
        yield differs(where, "labels", expected, sorted(found))


def _attributes(group: Path, where: str) -> dict[str, Any]:
    return ome.attributes_of(json.loads((group / "zarr.json").read_text("utf-8")), where=where)


def _levels(volume: Volume, parsed: ome.Multiscale, where: str) -> Iterator[Finding]:
    """Paths, voxel sizes and places of the levels."""
    levels = volume.info.levels
    paths = tuple(dataset.path for dataset in parsed.datasets)
    expected = tuple(str(n) for n in range(len(levels)))
    if paths != expected:
        yield differs(where, "levels", expected, paths)
        return
    base = levels[0].voxel_size
    for n, (level, dataset) in enumerate(zip(levels, parsed.datasets, strict=True)):
        if not _close(dataset.voxel_size, level.voxel_size):
            yield differs(
                where, f"voxel size of level {n} in nm", level.voxel_size, dataset.voxel_size
            )
        z, y, x = ((f - 1) / 2 * v for f, v in zip(level.factors, base, strict=True))
        if not _close(dataset.translation, (z, y, x)):
            yield differs(where, f"translation of level {n} in nm", (z, y, x), dataset.translation)


def _array(volume: Volume, layer: str, n: int, level: LevelInfo) -> Iterator[Finding]:
    """Shape, type and codecs of one level."""
    where = f"{volume.name}/{array_path(layer, n)}zarr.json"
    try:
        store = volume.store(layer, n)
    except ChunkCorrupt as error:
        yield Finding("error", where, str(error))
        return
    if tuple(store.shape) != level.shape:
        yield differs(where, "shape", level.shape, tuple(store.shape))
    dtype = "uint8" if layer == IMAGE else volume.info.label_set(layer).dtype
    if store.dtype.name != dtype:
        yield differs(where, "type", dtype, store.dtype.name)
    codec: Any = store.codec
    if "crc32c" not in json.dumps(codec.to_json()):
        yield Finding("notice", where, "chunks without a checksum: damage may go unseen")


def _peer(group: Path, where: str, *, is_labels: bool) -> Iterator[Finding]:
    """What the specification's own models say of a group."""
    import zarr
    from ome_zarr_models import v05

    model = v05.ImageLabel if is_labels else v05.Image
    try:
        model.from_zarr(zarr.open_group(group, mode="r"))
    except (ValueError, TypeError, KeyError, OSError, RuntimeError) as error:
        reason = " ".join(str(error).split())
        yield Finding("error", where, f"not OME-Zarr 0.5 by {PEER}: {reason[:300]}")


def _close(a: tuple[float, ...], b: tuple[float, ...]) -> bool:
    return all(isclose(x, y, rel_tol=1e-9, abs_tol=1e-9) for x, y in zip(a, b, strict=True))
