"""Finished answers, kept within a number of bytes."""

from __future__ import annotations

import os
from collections import OrderedDict
from collections.abc import Hashable


class Cache:
    """Bytes by key, the least recently used dropped first. Used from the event loop alone.

    ``variable`` is the environment variable that sets the limit in bytes; 0 keeps nothing.
    """

    def __init__(self, variable: str, default: int) -> None:
        self.limit = int(os.environ.get(variable, default))
        self.size = 0
        self._kept: OrderedDict[Hashable, bytes] = OrderedDict()

    def __len__(self) -> int:
        return len(self._kept)

    def get(self, key: Hashable) -> bytes | None:
        """What was kept under the key, or None."""
        if key not in self._kept:
            return None
        self._kept.move_to_end(key)
        return self._kept[key]

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
