"""What happens when the server starts, and when it ends."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from functools import cache
from importlib import import_module
from typing import Any

from mitoem.server import connections, record
from mitoem.server.nodelay import without_delay

_PAGES = ("pandas", "plotly.graph_objects", "scipy.stats")
"""What the pages are drawn with."""

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
    """Import what is slow to import, and take all that is here out of every garbage collection.

    A full collection looked at 180,000 objects of libraries and held all threads for a tenth of
    a second: with 50 people that was 42 % of the time.
    """
    for name in ("skimage.measure", "scipy.ndimage", "fastremap", *_PAGES):
        import_module(name)
    _keep_out()


@cache
def _keep_out() -> None:
    """Once in a process: what is garbage at a later freeze would stay for ever."""
    gc.collect()
    gc.freeze()
