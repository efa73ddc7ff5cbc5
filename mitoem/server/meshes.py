"""Surfaces of instances as binary glTF, made on request from a level that fits their size.

Kept gzipped: half the memory, and compressed once instead of at every request.
"""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from math import prod

import numpy as np
import numpy.typing as npt
from starlette.requests import Request
from starlette.responses import Response

from mitoem import meshes as surfaces
from mitoem.errors import InstanceNotFound, RequestInvalid
from mitoem.geometry import Box
from mitoem.manifest import check_name
from mitoem.server import access, answers
from mitoem.server.access import Site
from mitoem.server.caches import Making
from mitoem.server.parse import choice, integer, word
from mitoem.volume import Volume, coarse

FORMATS = {"glb": "model/gltf-binary", "ply": "model/ply", "stl": "model/stl", "obj": "model/obj"}
"""Media types by the ending of the address; all but glTF are for download."""

WRITERS = {"ply": surfaces.to_ply, "stl": surfaces.to_stl, "obj": surfaces.to_obj}

FIT_VOXELS = 150_000
"""An instance is drawn from the finest level whose box holds no more: at most about 20 ms."""

MOST_VOXELS = 32_000_000
"""Largest box that ``?level=`` may ask for: 128 MB of ids."""

OVERVIEW_VOXELS = 5_000_000
"""The overview is drawn from the finest level that holds no more voxels."""

SLAB = 32
"""Sections read at a time for an overview."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """An instance and its level-0 bounding box."""

    volume: Volume
    labels: str
    instance_id: int
    box: Box


async def instance(request: Request) -> Response:
    """One instance: vertices (x, y, z) in µm; ``?level=`` chooses the level of the pyramid."""
    site, volume = access.site(request), await access.volume(request)
    kind = choice(request.path_params["format"], FORMATS, what="mesh format")
    labels = check_name(request.path_params["labels"], what="labels")
    instance_id = integer(request.path_params["instance_id"], what="instance id")
    asked = word(request, "level")
    box = await site.boxes.box(volume, labels, instance_id)
    if asked:
        levels = [integer(asked, what="level")]
        volume.level_shape(levels[0])
        _refuse_larger(volume, instance_id, box, levels[0])
    else:
        levels = list(range(fitting(volume, box), -1, -1))
    return await _answer(
        request,
        site,
        (volume.url, labels, volume.version(labels), f"{instance_id}.{kind}", asked),
        lambda: _instance(site, Wanted(volume, labels, instance_id, box), levels, kind),
        media=FORMATS[kind],
    )


async def overview(request: Request) -> Response:
    """All instances of a label set, coarse: a mesh each, with its id in ``extras``."""
    site, volume = access.site(request), await access.volume(request)
    labels = check_name(request.path_params["labels"], what="labels")
    key = (volume.url, labels, volume.version(labels), "overview")
    return await _answer(
        request, site, key, lambda: site.mesh(volume, partial(_overview_glb, volume, labels))
    )


def fitting(volume: Volume, box: Box) -> int:
    """The finest level at which a level-0 box holds at most ``FIT_VOXELS``, else the coarsest."""
    return _finest([coarse(box, level.factors).size for level in volume.info.levels], FIT_VOXELS)


def _finest(sizes: list[int], limit: int) -> int:
    return next((level for level, size in enumerate(sizes) if size <= limit), len(sizes) - 1)


def _refuse_larger(volume: Volume, instance_id: int, box: Box, level: int) -> None:
    size = coarse(box, volume.info.levels[level].factors).size
    if size > MOST_VOXELS:
        raise RequestInvalid(
            f"instance {instance_id} spans {size:,} voxels at level {level}, expected at most "
            f"{MOST_VOXELS:,}: ask for level {fitting(volume, box)}"
        )


async def _answer(
    request: Request,
    site: Site,
    key: tuple[str, ...],
    make: Callable[[], Making],
    *,
    media: str = FORMATS["glb"],
) -> Response:
    """The mesh of a key, gzipped for whoever reads that."""
    fresh = answers.freshness(request, key[2], *key)
    same = answers.not_modified(request, fresh)
    if same is not None:
        return same
    body = await site.meshes.get(key, make)
    headers = {"Vary": "Accept-Encoding"}
    if "gzip" in request.headers.get("accept-encoding", ""):
        return answers.data(body, media, fresh, headers | {"Content-Encoding": "gzip"})
    return answers.data(await asyncio.to_thread(gzip.decompress, body), media, fresh, headers)


async def _instance(site: Site, wanted: Wanted, levels: list[int], kind: str) -> bytes:
    """From the first of the levels that shows the instance: a thin one may have vanished."""
    volume, labels, instance_id = wanted.volume, wanted.labels, wanted.instance_id
    for level in levels:
        inside = coarse(wanted.box, volume.info.levels[level].factors)
        mask = await volume.aread(inside, level=level, layer=labels) == instance_id
        if mask.any():
            return await site.mesh(volume, partial(_surface, mask, wanted, inside, level, kind))
    raise InstanceNotFound(
        f"instance {instance_id} of {labels!r} has no voxel at level {levels[-1]}"
    )


def _surface(mask: npt.NDArray[np.bool_], wanted: Wanted, box: Box, level: int, kind: str) -> bytes:
    info = wanted.volume.info.levels[level]
    offset = surfaces.level_offset(box.start, info.factors)
    body = surfaces.mesh(mask, voxel_size=info.voxel_size, offset=offset)
    extras = {"id": wanted.instance_id, "level": level, "voxel_size_nm": info.voxel_size}
    written = surfaces.to_glb(body, extras=extras) if kind == "glb" else WRITERS[kind](body)
    return gzip.compress(written, 1, mtime=0)


def _overview_glb(volume: Volume, labels: str) -> bytes:
    """Where even the coarsest level is too large, every n-th voxel of it along each axis."""
    level = _finest([prod(one.shape) for one in volume.info.levels], OVERVIEW_VOXELS)
    info = volume.info.levels[level]
    depth, height, width = info.shape
    step = 1
    while (depth // step) * (height // step) * (width // step) > OVERVIEW_VOXELS:
        step += 1
    slabs = [
        volume.read(
            Box((z, 0, 0), (min(z + SLAB * step, depth), height, width)), level=level, layer=labels
        )[::step, ::step, ::step]
        for z in range(0, depth, SLAB * step)
    ]
    z, y, x = surfaces.level_offset((0, 0, 0), info.factors)
    dz, dy, dx = info.voxel_size
    size = (dz * step, dy * step, dx * step)
    found = surfaces.overview(
        np.concatenate(slabs), voxel_size=size, offset=(z / step, y / step, x / step)
    )
    extras = {"labels": labels, "level": level, "voxel_size_nm": size}
    return gzip.compress(surfaces.overview_glb(found, extras=extras), 1, mtime=0)
