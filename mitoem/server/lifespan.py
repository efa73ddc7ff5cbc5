"""What happens when the server starts."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib import import_module
from typing import Any

from mitoem.server.nodelay import without_delay


@asynccontextmanager
async def lifespan(app: Any) -> AsyncIterator[None]:
    """Small answers without delay, and the first mesh without the second that imports take."""
    del app
    without_delay()
    warming = asyncio.create_task(asyncio.to_thread(_warm))
    yield
    await warming


def _warm() -> None:
    for name in ("skimage.measure", "scipy.ndimage", "fastremap"):
        import_module(name)
