"""Make a volume from sources, or labels beside one: placed, checked, written, then made visible.

What is written lies under a hidden name until it is complete. A plan beside it says from what it
is made: the next call with the same plan goes on where this one was stopped, any other call starts
anew. Nobody ever sees half of a volume.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np

from mitoem import catalog, manifest, ome, pyramid
from mitoem.errors import DiskFull, LabelsInvalid, MitoEMError, RunCancelled, VolumeExists
from mitoem.geometry import Box, VoxelSize
from mitoem.ingestion.disk import disk_error, write_json, write_whole
from mitoem.ingestion.layer import Layer, write_layer
from mitoem.ingestion.layout import CHUNK, aligned, shards
from mitoem.ingestion.placing import Placed, Watch, around, coverage
from mitoem.ingestion.shelf import LABELS, PARTIAL, change, held, local, publish, swap
from mitoem.manifest import LabelSet, VolumeInfo
from mitoem.volume import Volume, open_at

PLAN = ".plan.json"
"""In a directory that is being written: what it is made from."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of a volume besides its voxels."""

    title: str
    voxel_size: VoxelSize
    voxel_size_source: str
    synthetic: bool = False
    splits: tuple[manifest.Split, ...] = ()
    sources: tuple[manifest.Source, ...] = ()
    licence: str = "not stated"
    citation: str = ""
    description: str = ""
    made_from: str = ""
    first_slice: int = 0


@dataclass(frozen=True, slots=True)
class NewLabels:
    """A label set to be written: its name, its parts, and the dtype that holds all ids."""

    name: str
    parts: tuple[Placed, ...]
    dtype: np.dtype[Any]
    kind: Literal["truth", "prediction"] = "truth"
    provenance: str = ""


def create_volume(
    root: Path,
    name: str,
    *,
    image: Placed,
    labels: NewLabels | None = None,
    facts: Facts,
    overwrite: bool = False,
    watch: Watch = Watch(),  # noqa: B008 -- frozen
    verify: Callable[[], None] = lambda: None,
) -> Volume:
    """Write a volume (image uint8, and its labels) and make it visible when it is whole.

    Raises VolumeExists for a taken name or one being written by somebody else, ShapeMismatch for
    labels that do not lie inside the image, DiskFull, and whatever the sources raise, or
    ``verify``, which is called before anything becomes visible. After a stop or a full disk the
    next call resumes; after any other error nothing new remains, and what was there is as it was.
    """
    manifest.check_name(name)
    target, partial = root / name, root / f"{PARTIAL}{name}"
    root.mkdir(parents=True, exist_ok=True)
    with held(root, name):
        if target.exists() and not (target / manifest.FILE).is_file():
            raise VolumeExists(f"{target} exists already and is no volume")
        if target.exists() and not overwrite:
            raise VolumeExists(f"volume {name!r} exists already in {root}; --overwrite replaces it")
        _check_space(root, image, labels)
        plan = _plan([image], "uint8", facts.voxel_size)
        with _making(partial, plan):
            _write_volume(partial, name, image=image, labels=labels, facts=facts, watch=watch)
            verify()
        swap(partial, target)
        catalog.write_index(root)
    return open_at(target)


def add_labels(
    volume: Volume,
    labels: NewLabels,
    *,
    overwrite: bool = False,
    watch: Watch = Watch(),  # noqa: B008 -- frozen
    verify: Callable[[], None] = lambda: None,
) -> Volume:
    """Write a label set beside a volume's image; it is listed when it is whole.

    Labels that are there already, voxel by voxel and with the same provenance, stay as they are:
    a call that was stopped after it had written them can be made again. Raises VolumeExists for a
    name that other labels have, ShapeMismatch for parts outside the image.
    """
    name = manifest.check_name(labels.name, what="labels")
    path = local(volume)
    with held(path.parent, path.name):
        volume = open_at(path)
        taken = any(one.name == name for one in volume.info.labels)
        if taken and not overwrite:
            if _holds(volume, labels, watch):
                return volume
            raise VolumeExists(f"volume {volume.name!r} has labels {name!r} already")
        partial = path / LABELS / f"{PARTIAL}{name}"
        one = _write_labels(partial, labels, info=volume.info, watch=watch, verify=verify)
        others = tuple(known for known in volume.info.labels if known.name != name)
        moves = [(f"{LABELS}/{partial.name}", f"{LABELS}/{name}")]
        change(path, replace(volume.info, labels=(*others, one)), moves=moves)
    return open_at(path)


def _holds(volume: Volume, labels: NewLabels, watch: Watch) -> bool:
    """Whether a volume has these very labels under their name."""
    one, covered = volume.info.label_set(labels.name), coverage(labels.parts, volume.info.shape)
    if (one.kind, one.provenance, one.coverage) != (labels.kind, labels.provenance, covered):
        return False
    for part in labels.parts:
        start = part.offset
        for slab in part.slabs(CHUNK[0], 0):
            box = Box.whole(slab.shape).shift(start)
            if (volume.read(box, layer=one.name) != slab).any():
                return False
            start = (box.stop[0], *start[1:])
            watch.report(0.0, "look at the labels that are there")
    return True


def _write_volume(
    path: Path,
    name: str,
    *,
    image: Placed,
    labels: NewLabels | None,
    facts: Facts,
    watch: Watch,
) -> None:
    shape = image.shape
    factors = pyramid.level_factors(shape, facts.voxel_size)
    levels = manifest.level_infos(shape, facts.voxel_size, factors)
    zarr = path / "image.zarr"
    write_json(zarr / "zarr.json", ome.group(ome.image_attributes(levels, is_labels=False)))
    layer = Layer(zarr, levels, (image,), np.dtype(np.uint8), Box.whole(shape), "image")
    stats = write_layer(layer, watch=watch)
    info = VolumeInfo(
        name=name,
        title=facts.title,
        synthetic=facts.synthetic,
        shape=shape,
        voxel_size=facts.voxel_size,
        voxel_size_source=facts.voxel_size_source,
        levels=levels,
        grey=stats.grey,
        version=_version(
            zarr, len(levels), facts.sources, read=len(levels) - 1, of=[facts.voxel_size]
        ),
        splits=facts.splits,
        sources=facts.sources,
        licence=facts.licence,
        citation=facts.citation,
        description=facts.description,
        made_from=facts.made_from,
        first_slice=facts.first_slice,
    )
    if labels is None:
        shutil.rmtree(zarr / "labels", ignore_errors=True)  # of a stopped call with other labels
    else:
        written = _write_labels(zarr / "labels" / labels.name, labels, info=info, watch=watch)
        info = replace(info, labels=(written,))
    publish(path, info)


def _write_labels(
    path: Path,
    labels: NewLabels,
    *,
    info: VolumeInfo,
    watch: Watch,
    verify: Callable[[], None] = lambda: None,
) -> LabelSet:
    covered = coverage(labels.parts, info.shape)
    attributes = ome.image_attributes(info.levels, is_labels=True)
    plan = _plan(labels.parts, labels.dtype.name, info.voxel_size)
    with _making(path, plan):
        write_json(path / "zarr.json", ome.group(attributes))
        region = aligned(around(covered), info.levels)
        layer = Layer(path, info.levels, labels.parts, labels.dtype, region, labels.name)
        stats = write_layer(layer, watch=watch)
        if labels.kind == "truth" and not len(stats.ids[0]):
            boxes = " and ".join(str(box) for box in covered)
            raise LabelsInvalid(f"{labels.name}: expected instances, found none in {boxes}")
        verify()
    return LabelSet(
        name=labels.name,
        kind=labels.kind,
        dtype="uint16" if labels.dtype == np.uint16 else "uint32",
        coverage=covered,
        instances=len(stats.ids[0]),
        vanished=stats.vanished,
        version=_version(
            path,
            len(info.levels),
            info.sources,
            read=0,
            of=[info.voxel_size, [[box.start, box.stop] for box in covered]],
        ),
        provenance=labels.provenance,
        per_section=tuple(int(n) for n in stats.per_section),
    )


@contextmanager
def _making(path: Path, plan: str | None) -> Iterator[None]:
    """A directory in the making: kept for the next call after a stop, else removed on error.

    What an earlier call left is used only when it was made by the same plan; None is no plan.
    """
    note = path / PLAN
    kept = note.read_text(encoding="utf-8") if note.is_file() else None
    if path.exists() and (plan is None or kept != plan):
        shutil.rmtree(path)
    path.mkdir(parents=True, exist_ok=True)
    if plan is not None:
        write_whole(note, plan.encode())
    try:
        yield
    except (RunCancelled, DiskFull, KeyboardInterrupt):
        if plan is None:
            shutil.rmtree(path, ignore_errors=True)
        raise
    except BaseException as error:
        shutil.rmtree(path, ignore_errors=True)
        if isinstance(error, OSError) and not isinstance(error, MitoEMError):
            raise disk_error(error) from error
        raise
    note.unlink(missing_ok=True)


def _plan(parts: Sequence[Placed], dtype: str, voxel_size: VoxelSize) -> str | None:
    """What decides the bytes of a layer; None when a part cannot be recognised again."""
    if not all(part.identity for part in parts):
        return None
    facts = [(part.identity, part.shape, part.offset) for part in parts]
    return json.dumps([manifest.FORMAT_VERSION, dtype, voxel_size, facts])


def _version(
    path: Path, levels: int, sources: Sequence[manifest.Source], *, read: int, of: Sequence[Any]
) -> str:
    """A short name for this content: changes when the sources, the stored bytes or ``of`` change.

    The bytes of the level ``read`` count, and the sizes of all files: of labels the finest level,
    as one voxel may be moved and every size stay; of an image the coarsest, as its voxels change
    with the sources or with the part of them that was taken.
    """
    files = shards(path, levels)
    found = hashlib.sha256()
    for name in files[str(read)]:
        with (path / str(read) / name).open("rb") as file:
            found.update(hashlib.file_digest(file, "sha256").digest())
    facts = [files, [source.sha256 for source in sources], found.hexdigest(), of]
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:12]


def _check_space(root: Path, image: Placed, labels: NewLabels | None) -> None:
    """Raises DiskFull, with the bytes needed and free, before anything is written."""
    labelled = sum(part.box.size for part in labels.parts) if labels else 0
    needed = int(image.box.size * 1.45 + labelled * 0.15) + (1 << 24)
    free = shutil.disk_usage(root).free
    if free < needed:
        raise DiskFull(f"{root}: about {needed:,} bytes are needed, {free:,} are free")
