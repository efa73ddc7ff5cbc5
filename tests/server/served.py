"""The application over a small data root, and what the tests know of it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import zarr
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware

from mitoem import server

SHAPE = (12, 1100, 530)
LEVELS = range(3)

BALL, BALL_NM = 4_000_000_000, 110
"""A ball of that id and radius, centred on (z, y, x) = (180, 3200, 2000) nm."""

TILES = "/api/v1/volumes/wide/tiles"
LABELS = "/api/v1/volumes/wide/labels/truth"


@dataclass(frozen=True)
class Site:
    """The application over one data root, asked without sockets."""

    root: Path
    base: str = ""

    def ask(self, path: str, method: str = "GET", **more: Any) -> httpx.Response:
        async def asked() -> httpx.Response:
            transport = httpx.ASGITransport(application(self.root, self.base))
            async with httpx.AsyncClient(transport=transport) as client:
                return await client.request(method, f"http://it{path}", **more)

        return asyncio.run(asked())


def application(root: Path, base: str = "") -> Starlette:
    """The routes as Streamlit serves them: its gzip inside, our middleware outside."""
    compress = Middleware(GZipMiddleware, minimum_size=100)
    return Starlette(
        routes=server.routes(base, data=root),
        middleware=[*server.middleware(base), compress],
        lifespan=server.lifespan,
    )


@cache
def stored(root: Path, layer: str, level: int) -> np.ndarray[Any, Any]:
    """A level as zarr-python reads it, which shares no code with the routes."""
    path = f"image.zarr/{level}" if layer == "image" else f"image.zarr/labels/{layer}/{level}"
    return np.asarray(zarr.open_array(root / "wide" / path, mode="r")[:])
