"""Which volume a request may read: the one place where names become volumes."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import cast

from starlette.requests import Request

from mitoem import catalog
from mitoem.catalog import Catalog
from mitoem.errors import VolumeNotFound
from mitoem.manifest import check_name
from mitoem.server.caches import Cache
from mitoem.server.measured import Boxes
from mitoem.volume import Volume

HOLD_S = 1.0
"""How long an opened volume is used before ``volume.json`` is looked at again, seconds."""


READING = 4
"""Tiles read and encoded at a time; the others wait their turn, and may be given up meanwhile.

Measured on 2 cores: a tile asked for after 60 that were given up takes 45 ms, not 150, and eight
clients get no fewer tiles a second than without a bound.
"""


class Site:
    """What the routes share: the data roots, opened volumes and the caches of finished answers."""

    def __init__(self, roots: Catalog) -> None:
        self.catalog = roots
        self.tiles = Cache("MITOEM_TILE_CACHE_BYTES", 64_000_000, most=1000)
        self.reading = asyncio.Semaphore(READING)
        self.meshes = Cache("MITOEM_MESH_CACHE_BYTES", 64_000_000, most=100)
        self.boxes = Boxes(roots)
        # Two, so that an overview of everything and a person's one instance go side by side.
        self._mesher = ThreadPoolExecutor(2, thread_name_prefix="mesh")
        self._opened: dict[str, tuple[float, Volume]] = {}

    async def open(self, name: str, user: str | None) -> Volume:
        """The volume of that name, if the user may see it; NameInvalid or VolumeNotFound if not.

        A hidden volume and one that does not exist are told apart by nothing.
        """
        check_name(name)
        if not catalog.may_see(name, user):
            raise VolumeNotFound(f"no volume {name!r}")
        until, volume = self._opened.get(name, (0.0, None))
        if volume is None or time.monotonic() > until:
            self._opened.pop(name, None)
            volume = await asyncio.to_thread(self._open, name)
            self._opened[name] = (time.monotonic() + HOLD_S, volume)
        return volume

    async def names(self, user: str | None) -> list[str]:
        """Names of the volumes that the user may see."""
        names = await asyncio.to_thread(self.catalog.names)
        return [name for name in names if catalog.may_see(name, user)]

    async def faults(self) -> list[str]:
        """What keeps data roots from being listed, a line each."""
        found = await asyncio.to_thread(self.catalog.faults)
        return [self.public(str(error)) for error in found]

    async def mesh(self, work: Callable[[], bytes]) -> bytes:
        """Do the work of a mesh in a thread of few, whatever else waits for threads."""
        return await asyncio.get_running_loop().run_in_executor(self._mesher, work)

    def public(self, message: str) -> str:
        """A message without the directories of this machine, for people elsewhere."""
        for root in self.catalog.roots:
            message = message.replace(root, "").replace(root.removeprefix("file://"), "")
        return message

    def _open(self, name: str) -> Volume:
        try:
            return self.catalog.open(name)
        except VolumeNotFound as error:
            # The catalogue's message lists every volume: not for people who may not see them.
            raise VolumeNotFound(f"no volume {name!r}") from error


def site(request: Request) -> Site:
    """What the routes share."""
    return cast(Site, request.app.state.site)


def user(request: Request) -> str | None:
    """Who asks, as the sign-in middleware says; None without one, or for a stranger."""
    return cast("str | None", request.scope.get("user"))


async def volume(request: Request) -> Volume:
    """The volume that the path names, if this user may see it."""
    return await site(request).open(request.path_params["volume"], user(request))
