"""Who is let in: how many requests are worked on, how many wait, how many bytes a client takes.

Beyond what it can do soon, a server that says so (503, Retry-After) stays quick for those whom it
serves; one that lets all wait is slow for everyone.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections import Counter, OrderedDict
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from ipaddress import IPv6Address, ip_address, ip_network
from typing import Final
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from mitoem import settings
from mitoem.errors import ServerBusy
from mitoem.server import access, answers, connections, record

Endpoint = Callable[[Request], Awaitable[Response]]


@dataclass(frozen=True, slots=True)
class Room:
    """How many requests of a kind are worked on at a time, and how many are there in all."""

    working: int
    inside: int


TILES, LIGHT, FILES, RAW = "tiles", "light", "files", "raw"
PICTURES, TABLES, FIGURES = "pictures", "tables and surfaces", "figures"

ROOMS: Final[Mapping[str, Room]] = {
    # Tiles are let to work by `access.READING`, those that are kept not at all. So many are what
    # 50 browsers ask for at the same moment, and done in some two seconds on two processors.
    TILES: Room(300, 300),
    LIGHT: Room(150, 150),
    FILES: Room(150, 150),
    RAW: Room(150, 150),
    # At most five in threads, so that one of the six is left for tiles. The largest figure takes
    # some seconds: six of them wait as long as a person does.
    PICTURES: Room(2, 80),
    TABLES: Room(2, 24),
    FIGURES: Room(1, 6),
}

_KINDS: Final = (
    ("/tiles/", TILES),
    ("/viewer/", FILES),
    ("/zarr/", RAW),
    ("/thumbnails/", PICTURES),
    ("/against/", PICTURES),
    ("/instances/", PICTURES),
    ("/instances.", TABLES),
    ("/figure.", FIGURES),
    ("/colours.", TABLES),
    ("/meshes/", TABLES),
)
"""Part of a route, and what it is counted as; other routes are light."""

CLIENTS: Final = 10_000
"""Clients whose bytes are counted; the one that was silent longest is forgotten first."""

PAUSE_S: Final = 0.5
"""How long a refused request waits for its refusal. Who asks again without a pause otherwise takes
the event loop from those who are served: 400 such clients left 55 tiles a second of 460."""

PAUSED: Final = 2000
"""Most refusals that wait so; beyond them they are told at once."""

PAGES: Final = 300
"""Pages that are open at once, a websocket each; ``MITOEM_PAGES`` sets another number."""


class Gate:
    """Lets requests of one kind in, by turns; no client takes more than half of the room, but who
    sits at the server itself.
    """

    def __init__(self, kind: str, room: Room) -> None:
        self.kind, self.room = kind, room
        self.inside: Counter[str] = Counter()
        self._turn = asyncio.Semaphore(room.working)

    @asynccontextmanager
    async def turn(self, client: str) -> AsyncIterator[None]:
        """Wait for one's turn; raises ServerBusy at once where the room is full."""
        there = self.inside.total()
        if there >= self.room.inside:
            raise ServerBusy(f"{there} requests for {self.kind} are under way, the most there may")
        if client != HERE and self.inside[client] >= max(1, self.room.inside // 2):
            mine = self.inside[client]
            raise ServerBusy(f"{mine} requests of yours for {self.kind} are under way: wait")
        self.inside[client] += 1
        try:
            async with self._turn:
                yield
        finally:
            self.inside[client] -= 1
            if not self.inside[client]:
                del self.inside[client]


class Allowance:
    """Bytes that each client may take: so many at once, and so many a second in the long run."""

    def __init__(self, at_once: float, per_second: float, *, most: int = CLIENTS) -> None:
        self.at_once, self.per_second, self.most = at_once, per_second, most
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._left)

    def wait(self, client: str) -> int:
        """Whole seconds until the client may ask again; 0 for now."""
        left = self.left(client)
        return 0 if left >= 0 else math.ceil(-left / self.per_second)

    def left(self, client: str) -> float:
        """Bytes that the client may still take; below 0 it has to wait."""
        left, at = self._left.get(client, (self.at_once, 0.0))
        return min(self.at_once, left + (time.monotonic() - at) * self.per_second)

    def take(self, client: str, size: int) -> None:
        """Count the bytes of an answer; nothing is counted without a limit."""
        if not self.at_once or not self.per_second:
            return
        self._left[client] = (self.left(client) - size, time.monotonic())
        self._left.move_to_end(client)
        while len(self._left) > self.most:
            self._left.popitem(last=False)


class Admission:
    """The gates and the allowance that the routes of one server share."""

    def __init__(self) -> None:
        self.gates = {kind: Gate(kind, room) for kind, room in ROOMS.items()}
        self._paused = 0
        self.allowance = Allowance(
            settings.number("MITOEM_CLIENT_BYTES", 2e9),
            settings.number("MITOEM_CLIENT_BYTES_PER_S", 50e6),
        )

    def guarded(self, route: str, endpoint: Endpoint) -> Endpoint:
        """The endpoint behind the gate of its kind; ``/healthz`` answers whatever else waits."""
        kind = next((kind for part, kind in _KINDS if part in route), LIGHT)

        async def answer(request: Request) -> Response:
            record.name(request.scope, route)
            if route == "/healthz":
                return await endpoint(request)
            try:
                return await self._let_in(request, kind, endpoint)
            except (ServerBusy, TooMuch):
                await self._pause()
                raise

        return answer

    async def _let_in(self, request: Request, kind: str, endpoint: Endpoint) -> Response:
        """The answer; raises ServerBusy and TooMuch for whom there is no room, or no bytes left."""
        if connections.leaving():
            raise ServerBusy("the server is being stopped, or started anew")
        if kind in (RAW, TABLES, FIGURES) and connections.clogged():
            raise ServerBusy("too much waits to be taken by slow clients")
        client = asker(request)
        seconds = 0 if client == HERE else self.allowance.wait(client)
        if seconds:
            raise TooMuch(seconds)
        async with self.gates[kind].turn(client):
            if kind in (PICTURES, TABLES, FIGURES) and await request.is_disconnected():
                return Response(status_code=record.GONE)
            response = await endpoint(request)
        if request.method != "HEAD" and client != HERE:
            self.allowance.take(client, int(response.headers.get("content-length", 0)))
        return response

    async def _pause(self) -> None:
        """Let who is refused wait a moment for the word."""
        if self._paused < PAUSED:
            self._paused += 1
            try:
                await asyncio.sleep(PAUSE_S)
            finally:
                self._paused -= 1


class TooMuch(HTTPException):
    """A client has taken the bytes that it may; it may ask again in so many seconds."""

    def __init__(self, seconds: int) -> None:
        text = "more bytes than a client may take, ask again later"
        super().__init__(429, text, {"Retry-After": str(seconds)})


HERE: Final = "this computer"
"""The client at the server's own screen, whose bytes nobody counts."""


def asker(request: Request) -> str:
    """What a client is counted by: the person signed in, else the address of the computer.

    An address of IPv6 stands for its network of 64 bits, which one household has to itself.
    A proxy's word for the address is heeded as uvicorn does: from this computer, or from the
    addresses in ``FORWARDED_ALLOW_IPS``.
    """
    user = access.user(request)
    if user is not None:
        return f"user {user}"
    return network(request.client.host if request.client else "")


def network(host: str) -> str:
    """What an address is counted as: ``HERE``, itself, or its network of 64 bits."""
    try:
        address = ip_address(host)
    except ValueError:
        return host
    if address.is_loopback:
        return HERE
    if isinstance(address, IPv6Address):
        return str(ip_network((address.packed, 64), strict=False))
    return host


class Pages:
    """Refuses the websocket of a page to a foreign site, and beyond the number that may be open.

    Streamlit compares a foreign ``Origin`` with this computer's address out there, which it asks
    of a server on the internet, while nobody else is answered. Those that ``origins`` names, and
    this computer, are passed on.
    """

    def __init__(self, app: ASGIApp, *, origins: Collection[str] = ()) -> None:
        self.app = app
        self.origins = {*origins, *(_host(one) for one in origins), *_HERE}
        self.most = int(settings.number("MITOEM_PAGES", PAGES))
        self.open = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or answer 403 or 503."""
        if scope["type"] != "websocket":
            await self.app(scope, receive, send)
            return
        if self._foreign(Headers(scope=scope)):
            await send({"type": "websocket.close", "code": 1008})
            return
        if self.open >= self.most or connections.leaving():
            await self._refuse(scope, receive, send)
            return
        self.open += 1
        try:
            await self.app(scope, receive, send)
        finally:
            self.open -= 1

    def _foreign(self, headers: Headers) -> bool:
        origin = headers.get("origin")
        if origin is None or origin.partition("://")[2] == headers.get("host"):
            return False
        return _host(origin) not in self.origins

    async def _refuse(self, scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        if "websocket.http.response" not in scope.get("extensions", {}):
            await send({"type": "websocket.close", "code": 1013})
            return
        told = f"{self.open} pages are open, the most there may"
        await answers.error(told, 503, answers.RETRY_AFTER)(scope, receive, send)


_HERE: Final = ("localhost", "127.0.0.1", "0.0.0.0")


def _host(origin: str) -> str:
    """The name of a computer in an origin, without scheme and port; empty where there is none."""
    try:
        return urlsplit(origin if "://" in origin else f"//{origin}").hostname or ""
    except ValueError:
        return ""
