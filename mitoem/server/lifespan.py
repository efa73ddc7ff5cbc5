"""What happens when the server starts, and when it ends."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from importlib import import_module
from typing import Any

from mitoem.server import connections, record
from mitoem.server.nodelay import without_delay

WAITING = 32
"""Threads for what waits for disks and stores: some may wait for a store that does not answer."""


@asynccontextmanager
async def lifespan(app: Any) -> AsyncIterator[None]:
    """Small answers without delay, and the first mesh without the second that imports take.

    At the end uvicorn has waited for what was under way; work of the worker goes on without us.
    """
    del app
    record.begin()
    without_delay()
    asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(WAITING))
    watching = connections.begin()
    warming = asyncio.create_task(asyncio.to_thread(_warm))
    yield
    connections.leave()
    if watching is not None:
        watching.cancel()
    await warming


def _warm() -> None:
    for name in ("skimage.measure", "scipy.ndimage", "fastremap"):
        import_module(name)
