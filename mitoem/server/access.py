"""Which volume a request may read: the one place where names become volumes."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import cast

from starlette.requests import Request

from mitoem import catalog
from mitoem.catalog import Catalog
from mitoem.errors import AccessInvalid, VolumeNotFound
from mitoem.manifest import check_name
from mitoem.server.caches import Cache
from mitoem.server.measured import Boxes
from mitoem.server.tokens import Token
from mitoem.volume import Volume

HOLD_S = 1.0
"""How long an opened volume is used before ``volume.json`` is looked at again, seconds."""


READING = 4
"""Tiles read and encoded at a time; the others wait their turn, and may be given up meanwhile.

Measured on 2 cores: a tile asked for after 60 that were given up takes 45 ms, not 150, and eight
clients get no fewer tiles a second than without a bound.
"""


READING_AFAR = 32
"""The same for volumes of remote stores, which are waited for and take no processor meanwhile."""


class Site:
    """What the routes share: the data roots, opened volumes and the caches of finished answers."""

    def __init__(self, roots: Catalog, secret: str | None = None) -> None:
        self.catalog = roots
        self.secret = secret or secrets.token_hex()
        self.tiles = Cache("MITOEM_TILE_CACHE_BYTES", 64_000_000, most=1000)
        self._reading = asyncio.Semaphore(READING)
        self._reading_afar = asyncio.Semaphore(READING_AFAR)
        self.meshes = Cache("MITOEM_MESH_CACHE_BYTES", 64_000_000, most=100)
        self.boxes = Boxes(roots)
        # Two, so that an overview of everything and a person's one instance go side by side.
        self._mesher = ThreadPoolExecutor(2, thread_name_prefix="mesh")
        self._mesher_afar = ThreadPoolExecutor(2, thread_name_prefix="mesh-afar")
        self._opened: dict[str, tuple[float, Volume]] = {}

    async def open(self, name: str, user: str | None) -> Volume:
        """The volume of that name, if the user may see it; NameInvalid or VolumeNotFound if not.

        A hidden volume and one that does not exist are told apart by nothing.
        """
        until, volume = self._opened.get(check_name(name), (0.0, None))
        seen = catalog.may_see(name, user, roots=self.catalog)
        if not seen or volume is None or time.monotonic() > until:
            volume = await asyncio.to_thread(self.catalog.open_for, name, user)
            self._opened[name] = (time.monotonic() + HOLD_S, volume)
        return volume

    async def names(self, user: str | None) -> list[str]:
        """Names of the volumes that the user is told of."""
        return await asyncio.to_thread(self.catalog.listed, user)

    def private(self, name: str) -> bool:
        """Whether an answer about a volume is for its asker alone, not for caches on the way."""
        try:
            return not self.catalog.rules().of(name).lists(None)
        except AccessInvalid:
            return True

    async def faults(self) -> list[str]:
        """What keeps data roots from being listed, a line each."""
        found = await asyncio.to_thread(self.catalog.faults)
        return [self.public(str(error)) for error in found]

    def reading(self, volume: Volume) -> asyncio.Semaphore:
        """The turn to read a tile; those that wait for a remote store keep nobody else's."""
        return self._reading if volume.path is not None else self._reading_afar

    async def mesh(self, volume: Volume, work: Callable[[], bytes]) -> bytes:
        """Do the work of a mesh in a thread of few, whatever else waits for threads."""
        few = self._mesher if volume.path is not None else self._mesher_afar
        return await asyncio.get_running_loop().run_in_executor(few, work)

    def public(self, message: str) -> str:
        """A message without the directories of this machine, for people elsewhere."""
        return self.catalog.public(message)


def site(request: Request) -> Site:
    """What the routes share."""
    return cast(Site, request.app.state.site)


def user(request: Request) -> str | None:
    """Who asks, as the sign-in middleware or a token says; None for a stranger."""
    return cast("str | None", request.scope.get("user"))


async def names(request: Request) -> list[str]:
    """The volumes that the asker is told of; by a token, its volume alone."""
    found = await site(request).names(user(request))
    one = token(request)
    return found if one is None else [name for name in found if name == one[0].volume]


def token(request: Request) -> tuple[Token, str] | None:
    """The token by which the request came, and its text."""
    return cast("tuple[Token, str] | None", request.scope.get("token"))


async def volume(request: Request) -> Volume:
    """The volume that the path names, if this user may see it."""
    name, one = request.path_params["volume"], token(request)
    if one is not None and name != one[0].volume:
        raise VolumeNotFound(f"no volume {check_name(name)!r}")
    found = await site(request).open(name, user(request))
    request.state.private = site(request).private(name)
    return found
