"""The files of a volume against its manifest: missing, of another size, or not known to it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from hashlib import sha256
from itertools import product
from pathlib import Path
from typing import Any

from mitoem.checking.finding import Finding, differs
from mitoem.errors import MitoEMError
from mitoem.geometry import Box, Index
from mitoem.ingestion.layout import aligned
from mitoem.ingestion.placing import around
from mitoem.ingestion.shelf import PARTIAL
from mitoem.manifest import FILE, SEAL
from mitoem.volume import IMAGE, Volume, array_path, coarse


def region(volume: Volume, layer: str, level: int) -> Box | None:
    """The box of a level in which every chunk of a layer is stored, or None where none is."""
    info = volume.info
    if layer == IMAGE:
        return Box.whole(info.levels[level].shape)
    whole = Box.whole(info.shape)
    covered = [box.intersect(whole) for box in info.label_set(layer).coverage]
    boxes = [box for box in covered if box is not None]
    if not boxes:
        return None
    return coarse(aligned(around(boxes), info.levels), info.levels[level].factors)


def grid(volume: Volume, layer: str, level: int) -> tuple[Index, Index]:
    """Edges of the shards and of the chunks of an array; raises ChunkCorrupt."""
    layout: Any = volume.store(layer, level).chunk_layout
    return tuple(layout.write_chunk.shape), tuple(layout.read_chunk.shape)


def check(volume: Volume, path: Path, layers: Sequence[str]) -> Iterator[Finding]:
    """Every file that is there, and every one that should be."""
    known = {FILE, "image.zarr/zarr.json", "image.zarr/labels/zarr.json"}
    for one in volume.info.labels:
        known |= {f"tables/{one.name}.parquet", f"tables/{one.name}.json"}
        known.add(f"{array_path(one.name, 0).removesuffix('0/')}zarr.json")
        for other in volume.info.labels:
            known |= {f"triage/{one.name}/{other.name}.{end}" for end in ("json", "lock")}
    for layer, level in product(layers, range(len(volume.info.levels))):
        array = array_path(layer, level)
        known.add(f"{array}zarr.json")
        listed = volume.info.shards.get(f"{layer}/{level}", {})
        known |= {array + name for name in listed}
        for name in sorted(_needed(volume, layer, level) - listed.keys()):
            yield Finding("error", f"{volume.name}/{array}{name}", f"{FILE} does not list it")
        for name, expected in sorted(listed.items()):
            file = path / array / name
            found = file.stat().st_size if file.is_file() else None
            if found != expected:
                yield differs(f"{volume.name}/{array}{name}", "bytes", expected, found)
    yield from _small(volume, path)
    yield from _unknown(volume, path, known)


def _small(volume: Volume, path: Path) -> Iterator[Finding]:
    """The small files whose bytes ``volume.json`` names, and whether it names its own."""
    for name, expected in sorted(volume.info.metadata.items()):
        file = path / name
        found = sha256(file.read_bytes()).hexdigest() if file.is_file() else None
        if found != expected:
            yield differs(f"{volume.name}/{name}", "SHA-256", expected, found)
    if SEAL not in json.loads((path / FILE).read_bytes()):
        yield Finding("notice", f"{volume.name}/{FILE}", f"no {SEAL} in it: damage may go unseen")


def _needed(volume: Volume, layer: str, level: int) -> set[str]:
    """Names of the shards that hold the region of a level; none where its array does not open."""
    box = region(volume, layer, level)
    try:
        shard, _ = grid(volume, layer, level)
    except MitoEMError:
        return set()  # the check of the metadata names it
    if box is None:
        return set()
    spans = [range(a // n, -(-b // n)) for a, b, n in zip(box.start, box.stop, shard, strict=True)]
    return {f"c/{z}/{y}/{x}" for z, y, x in product(*spans)}


def _unknown(volume: Volume, path: Path, known: set[str]) -> Iterator[Finding]:
    """Files that are no part of the volume; an unfinished write is named once."""
    partial: set[Path] = set()
    for file in sorted(path.rglob("*")):
        hidden = next((up for up in file.parents if up.name.startswith(PARTIAL)), None)
        if hidden is not None and hidden.is_relative_to(path):
            partial.add(hidden)
        elif file.is_file():
            name = file.relative_to(path).as_posix()
            where = f"{volume.name}/{name}"
            if name in known:
                continue
            if "/c/" in name and not name.endswith(".__lock"):
                yield Finding("error", where, f"a shard that {FILE} does not list")
            else:
                yield Finding("notice", where, "no part of the volume")
    for directory in sorted(partial):
        where = f"{volume.name}/{directory.relative_to(path).as_posix()}"
        yield Finding("notice", where, "left by a write that was stopped; the same write resumes")
