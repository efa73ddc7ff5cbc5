"""Tiles of 512 × 512 voxels along any axis, at any level."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy.typing as npt
from starlette.requests import Request
from starlette.responses import Response

from mitoem import render
from mitoem.errors import BoxOutside
from mitoem.geometry import Box, Index
from mitoem.manifest import check_name
from mitoem.server import access, answers
from mitoem.server.parse import choice, integer, word
from mitoem.volume import IMAGE, Volume

EDGE = 512
"""Edge of a tile in voxels of its level."""

AXES = {"z": (0, 1, 2), "y": (1, 0, 2), "x": (2, 0, 1)}
"""Which axes of (z, y, x) are the tile's own index, its rows and its columns."""


@dataclass(frozen=True, slots=True)
class Encoding:
    """How a plane becomes bytes, and the headers that say so."""

    encode: Callable[[npt.NDArray[Any]], bytes]
    media: str
    headers: tuple[tuple[str, str], ...] = ()


ENCODINGS = {
    "jpeg": Encoding(render.encode_tile, "image/jpeg"),
    "png": Encoding(partial(render.encode_tile, format="png"), "image/png"),
    "raw": Encoding(partial(render.encode_tile, format="raw"), "application/octet-stream"),
    "uint32": Encoding(
        render.encode_labels, "application/octet-stream", (("Content-Encoding", "gzip"),)
    ),
}

GONE = 499
"""Status of an answer that nobody waits for any more; only the log sees it."""

IMAGE_FORMATS = ("jpeg", "png", "raw")
"""What ``?format=`` chooses from; labels have one format."""


@dataclass(frozen=True, slots=True)
class Address:
    """A tile: which layer and level, across which axis, where, and how it is encoded."""

    layer: str
    axis: str
    level: int
    index: int
    row: int
    column: int
    format: str


async def tile(request: Request) -> Response:
    """Image as JPEG, PNG or raw bytes; labels as little-endian uint32, sent gzipped."""
    volume = await access.volume(request)
    address = parse(request)
    version = volume.version(address.layer)
    box = tile_box(volume.level_shape(address.level), address)
    fresh = answers.freshness(request, version, address)
    same = answers.not_modified(request, fresh)
    if same is not None:
        return same
    site, key = access.site(request), (volume.url, version, address)
    body = site.tiles.kept(key)
    if body is None:
        async with site.reading(volume):
            if await request.is_disconnected():
                # Scrolled out of sight while it waited: the next in the line is wanted more.
                return Response(status_code=GONE)
            body = await site.tiles.get(key, lambda: encoded(volume, address, box))
    encoding = ENCODINGS[address.format]
    return answers.data(body, encoding.media, fresh, dict(encoding.headers))


def parse(request: Request) -> Address:
    """The tile that path and query name; raises NameInvalid and RequestInvalid."""
    path = request.path_params
    layer = check_name(path["layer"], what="layer")
    asked = choice(word(request, "format", default="jpeg"), IMAGE_FORMATS, what="format")
    level, index, row, column = (
        integer(path[name], what=name) for name in ("level", "index", "row", "column")
    )
    axis = choice(path["axis"], AXES, what="axis")
    form = asked if layer == IMAGE else "uint32"
    return Address(layer, axis, level, index, row, column, form)


def tile_box(shape: Index, address: Address) -> Box:
    """The voxels of a tile of a level of this shape; raises BoxOutside, naming the last tile."""
    fixed, rows, columns = AXES[address.axis]
    start, stop = [0, 0, 0], [0, 0, 0]
    steps = ((fixed, address.index, 1), (rows, address.row, EDGE), (columns, address.column, EDGE))
    for axis, at, step in steps:
        start[axis] = at * step
        stop[axis] = min(start[axis] + step, shape[axis])
        if start[axis] >= shape[axis]:
            raise BoxOutside(
                f"tile {address.axis}/{address.level}/{address.index}/{address.row}/"
                f"{address.column}: along {'zyx'[axis]} the last is {(shape[axis] - 1) // step}, "
                f"found {at}"
            )
    return Box((start[0], start[1], start[2]), (stop[0], stop[1], stop[2]))


async def encoded(volume: Volume, address: Address, box: Box) -> bytes:
    """Read and encode a tile: the event loop waits for the one and a thread does the other."""
    voxels = await volume.aread(box, level=address.level, layer=address.layer)
    plane: npt.NDArray[Any] = voxels.squeeze(AXES[address.axis][0])
    return await asyncio.to_thread(ENCODINGS[address.format].encode, plane)
