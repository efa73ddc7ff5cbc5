"""Finished answers, kept within a number of bytes, each made once however many ask for it."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Coroutine, Hashable
from typing import Any, TypeAlias

from mitoem import settings
from mitoem.errors import ServerBusy

Making: TypeAlias = Coroutine[Any, Any, bytes]
"""An answer under way."""


class Cache:
    """Bytes by key, the least recently used dropped first. Used from the event loop alone.

    ``variable`` is the environment variable that sets the limit in bytes; 0 keeps nothing.
    ``most`` answers are made at the same time, then the server says that it is busy.
    """

    def __init__(self, variable: str, default: int, *, most: int) -> None:
        self.limit = int(settings.number(variable, default))
        self.most = most
        self.size = 0
        self._kept: OrderedDict[Hashable, bytes] = OrderedDict()
        self._made: dict[Hashable, asyncio.Task[bytes]] = {}

    async def get(self, key: Hashable, make: Callable[[], Making]) -> bytes:
        """What is kept under the key, or what ``make`` makes; raises ServerBusy, and as it does.

        Whoever asks for a key that is being made waits for that one making.
        """
        kept = self.kept(key)
        if kept is not None:
            return kept
        task = self._made.get(key)
        if task is None:
            if len(self._made) >= self.most:
                raise ServerBusy(f"{len(self._made)} answers are being made, at most {self.most}")
            task = self._made[key] = asyncio.create_task(make())
            task.add_done_callback(lambda done: self._finish(key, done))
        # A client that goes away must not take the answer from those who wait with it.
        return await asyncio.shield(task)

    def kept(self, key: Hashable) -> bytes | None:
        """What is kept under the key, or None."""
        if key in self._kept:
            self._kept.move_to_end(key)
        return self._kept.get(key)

    def put(self, key: Hashable, body: bytes) -> None:
        """Keep a body, dropping the least recently used until all fit; one too big is not kept."""
        self.size -= len(self._kept.pop(key, b""))
        if len(body) > self.limit:
            return
        self._kept[key] = body
        self.size += len(body)
        while self.size > self.limit:
            _, dropped = self._kept.popitem(last=False)
            self.size -= len(dropped)

    def _finish(self, key: Hashable, task: asyncio.Task[bytes]) -> None:
        del self._made[key]
        if not task.cancelled() and task.exception() is None:
            self.put(key, task.result())
