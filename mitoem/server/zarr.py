"""The files of a volume's ``image.zarr`` as they are, for Neuroglancer and any Zarr reader."""

from __future__ import annotations

import asyncio
import hashlib
import re
from collections.abc import AsyncIterator
from typing import Any

import tensorstore as ts
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from mitoem import stores
from mitoem.errors import ChunkCorrupt
from mitoem.server import access, answers, ranges, tokens
from mitoem.server.answers import Freshness
from mitoem.volume import IMAGE, Volume, open_at

PIECE = 1 << 19
"""Bytes of a file that are read at once while it is sent; of a client that takes none, three lie in
memory. Half as many would take a third more of the processor."""

_GROUP = re.compile(r"(?:labels(?:/(?P<labels>[^/]+))?/)?zarr\.json")
_ARRAY = re.compile(
    r"(?:labels/(?P<labels>[^/]+)/)?(?P<level>[0-9]{1,2})/(?P<file>zarr\.json|c/.+)"
)


async def file(request: Request) -> Response:
    """A metadata file or shard, whole or a range of it.

    404 for what the volume does not consist of, so that a reader takes an absent chunk for
    unlabelled; 422 for what should be there and is not.
    """
    if request.method == "OPTIONS":
        return Response(status_code=204, headers={"Allow": "GET, HEAD, OPTIONS"})
    volume = await access.volume(request)
    path: str = request.path_params["path"]
    size = shard_size(volume, path)
    if size is not None:
        fresh = answers.freshness(request, volume.digest, path)
        return await _send(request, volume, path, size, fresh)
    if not _is_metadata(volume, path):
        raise HTTPException(404)
    found = await _read(volume, path, None)
    version = hashlib.sha256(found).hexdigest()
    if version != volume.info.metadata.get(f"image.zarr/{path}", version):
        await asyncio.to_thread(_check_again, volume.url, path, version)
    return await _send(request, volume, path, len(found), answers.freshness(request, version))


def _check_again(url: str, path: str, found: str) -> None:
    """Raise ChunkCorrupt where a file is not the one that ``volume.json`` names now."""
    expected = open_at(url).info.metadata.get(f"image.zarr/{path}", found)
    if expected != found:
        raise ChunkCorrupt(f"{path}: expected SHA-256 {expected}, found {found}")


def shard_size(volume: Volume, path: str) -> int | None:
    """Bytes of a shard as the volume's manifest says, or None for what is no shard of it."""
    match = _ARRAY.fullmatch(path)
    if match is None:
        return None
    array = f"{match['labels'] or IMAGE}/{match['level']}"
    return volume.info.shards.get(array, {}).get(match["file"])


def _is_metadata(volume: Volume, path: str) -> bool:
    match = _GROUP.fullmatch(path)
    if match is None:
        match = _ARRAY.fullmatch(path)
        if match is None or match["file"] != "zarr.json":
            return False
        if int(match["level"]) >= len(volume.info.levels):
            return False
    return match["labels"] is None or match["labels"] in {one.name for one in volume.info.labels}


async def _send(
    request: Request, volume: Volume, path: str, size: int, fresh: Freshness
) -> Response:
    same = answers.not_modified(request, fresh)
    if same is not None:
        return same
    headers = fresh.headers | {"Accept-Ranges": "bytes"}
    asked = request.headers.get("range")
    if request.headers.get("if-range", fresh.etag) != fresh.etag:
        asked = None
    part = ranges.requested(asked, size)
    if part == (0, 0):
        return answers.error(
            f"range {str(asked)[:60]!r} of a file of {size} bytes",
            416,
            {"Content-Range": f"bytes */{size}"},
        )
    start, stop = part or (0, size)
    if part is not None:
        headers["Content-Range"] = f"bytes {start}-{stop - 1}/{size}"
    headers["Content-Length"] = str(stop - start)
    status = 200 if part is None else 206
    media = "application/json" if path.endswith(".json") else "application/octet-stream"
    if request.method == "HEAD":
        return Response(status_code=status, headers=headers, media_type=media)
    first = await _read(volume, path, slice(start, min(stop, start + PIECE)))
    if len(first) == stop - start:
        return Response(first, status, headers, media)
    return StreamingResponse(_pieces(volume, path, first, start, stop), status, headers, media)


async def _pieces(
    volume: Volume, path: str, first: bytes, start: int, stop: int
) -> AsyncIterator[bytes]:
    yield first
    for at in range(start + len(first), stop, PIECE):
        yield await _read(volume, path, slice(at, min(stop, at + PIECE)))


async def _read(volume: Volume, path: str, part: slice | None) -> bytes:
    """Bytes of a file that must be there; raises ChunkCorrupt where it is not, or is shorter."""
    stores.admit(volume.url)
    try:
        where = stores.spec(f"{volume.url}image.zarr/")
        asked = _asked(where, volume.url, path, part)
        limit = stores.patience(PIECE) if volume.path is None else None
        result = await asyncio.wait_for(asked, limit)
    except (ValueError, OSError) as error:
        corrupt = ChunkCorrupt(f"{path}: {stores.first_line(error)}")
        raise stores.unreachable(volume.url, error) or corrupt from error
    stores.answered(volume.url)
    if result.state != "value":
        raise ChunkCorrupt(f"{path}: the volume should hold this file and it is missing")
    return bytes(result.value)


async def _asked(where: Any, url: str, path: str, part: slice | None) -> Any:
    store = await ts.KvStore.open(where, context=stores.context(url))
    return await store.read(path, byte_range=part)


class AsStored:
    """Hides from what compresses answers that a client of ``/zarr`` accepts compression.

    Streamlit's gzip would compress chunks that are compressed already, on the event loop, and
    a length or a range of the file would no longer be one of the answer.
    """

    def __init__(self, app: ASGIApp, *, base: str) -> None:
        self.app = app
        self.raw = re.compile(re.escape(base) + rf"({tokens.PREFIX}/[^/]*)?/zarr/")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, less its Accept-Encoding if it is one for the prefix."""
        if scope["type"] == "http" and self.raw.match(scope["path"]):
            kept = [one for one in scope["headers"] if one[0] != b"accept-encoding"]
            scope = {**scope, "headers": kept}
        await self.app(scope, receive, send)
