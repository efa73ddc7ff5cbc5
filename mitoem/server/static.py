"""The viewer's ES modules and style sheets, and plotly.js from the installed wheel."""

from __future__ import annotations

import asyncio
import gzip
import hashlib
from dataclasses import dataclass, replace
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from mitoem.server import answers

VIEWER = Path(__file__).parents[1] / "ui" / "viewer"

MEDIA = {".js": "text/javascript", ".css": "text/css"}

PLOTLY = "plotly.min.js"


@dataclass(frozen=True, slots=True)
class Asset:
    """A file's bytes, the same gzipped, and the hash that stands for them."""

    body: bytes
    gzipped: bytes
    version: str


async def asset(request: Request) -> Response:
    """A file of the viewer; immutable under the release of all of them, else asked for anew.

    The modules import each other by relative addresses, so a release in the path holds for all.
    """
    name = request.path_params["file"]
    path = await asyncio.to_thread(_path, name)
    if path is None:
        raise HTTPException(404)
    stat = path.stat()
    found = await asyncio.to_thread(_load, path, stat.st_mtime_ns, stat.st_size)
    fresh = answers.freshness(request, found.version)
    if request.path_params.get("release") == await asyncio.to_thread(release):
        fresh = replace(fresh, cache_control=answers.IMMUTABLE)
    media, headers = MEDIA[path.suffix], {"Vary": "Accept-Encoding"}
    same = answers.not_modified(request, fresh)
    if same is not None:
        return same
    if "gzip" in request.headers.get("accept-encoding", ""):
        return answers.data(found.gzipped, media, fresh, headers | {"Content-Encoding": "gzip"})
    return answers.data(found.body, media, fresh, headers)


def release() -> str:
    """What stands for the contents of all viewer files: 16 hex digits."""
    paths = sorted(path for path in VIEWER.iterdir() if path.suffix in MEDIA)
    parts = [_load(p, (s := p.stat()).st_mtime_ns, s.st_size).version for p in paths]
    plotly = _plotly()
    if plotly is not None:
        stat = plotly.stat()
        parts.append(f"{stat.st_size} {stat.st_mtime_ns}")
    return hashlib.sha256(" ".join(parts).encode()).hexdigest()[:16]


def _path(name: str) -> Path | None:
    """The file of that name, found by listing: no name can lead out of the folder."""
    if name == PLOTLY:
        return _plotly()
    for path in VIEWER.iterdir():
        if path.name == name and path.suffix in MEDIA and path.is_file():
            return path
    return None


def _plotly() -> Path | None:
    spec = find_spec("plotly")
    if spec is None or spec.origin is None:
        return None
    path = Path(spec.origin).parent / "package_data" / PLOTLY
    return path if path.is_file() else None


@lru_cache(maxsize=64)
def _load(path: Path, modified: int, size: int) -> Asset:
    """Read and gzip once per content: plotly.js is 4.8 MB, too much to compress per request."""
    del modified, size
    body = path.read_bytes()
    return Asset(body, gzip.compress(body, 6, mtime=0), hashlib.sha256(body).hexdigest()[:16])
