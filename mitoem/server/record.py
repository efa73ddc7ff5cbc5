"""One line of JSON for a request, and the id that the line, the answer and a traceback share.

``MITOEM_LOG`` says which requests are written to standard error: ``errors`` (without it) those
that a bug broke, that were refused for lack of room, or that waited longer than ``SLOW_S``;
``all``; or ``off``. A line tells the route, never the address: no query, no name of a volume or
a file, no token, no person, no address of a computer.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import re
import secrets
import sys
import time
import traceback
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from mitoem.server import answers, connections

LEVELS: Final = ("off", "errors", "all")

SLOW_S: Final = 2.0
"""An answer that begins later is written down at the level ``errors`` too."""

REFUSED: Final = (429, 503)
"""Statuses of which one a second is written at the level ``errors``: a flood fills no disk."""

GONE: Final = 499
"""Status of a request that nobody waited for to the end."""

HEADER: Final = "X-Request-ID"

log = logging.getLogger("mitoem.requests")

_KEY = "mitoem.entry"
_GIVEN = re.compile(r"[A-Za-z0-9._-]{8,64}")
_METHODS = ("GET", "HEAD", "OPTIONS", "POST", "PUT", "DELETE", "PATCH", "TRACE", "CONNECT")
_OWN = ("api", "healthz", "viewer", "zarr")
_STREAMLIT = ("component", "media", "static", "oauth2callback", "auth")
_CORE = ("health", "host-config", "script-health-check", "stream", "upload_file")


@dataclass(slots=True)
class Entry:
    """What is told of one request."""

    id: str
    method: str
    route: str
    under: str = ""
    status: int = 0
    size: int = 0
    began: float = field(default_factory=time.monotonic)
    first: float = 0.0
    error: str = ""
    traceback: str = ""

    def line(self) -> dict[str, Any]:
        """The fields of the line, times in milliseconds."""
        now = time.monotonic()
        told: dict[str, Any] = {
            "time": datetime.now(UTC).isoformat(timespec="milliseconds"),
            "id": self.id,
            "method": self.method,
            "route": self.under + self.route,
            "status": self.status,
            "first_ms": round(1000 * ((self.first or now) - self.began), 1),
            "ms": round(1000 * (now - self.began), 1),
            "bytes": self.size,
        }
        if self.error:
            told |= {"error": self.error, "traceback": self.traceback}
        return told


class Record:
    """Gives each request an id and writes its line. ``base`` is the base path of the pages."""

    def __init__(self, app: ASGIApp, *, base: str = "") -> None:
        self.app = app
        self.base = base
        self.level = level()
        self._refused, self._told = 0, 0.0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer by the application; a bug in it becomes a 500 that carries the id."""
        if scope["type"] not in ("http", "websocket"):
            await self.app(scope, receive, send)
            return
        entry = self._entry(scope)
        scope = {**scope, _KEY: entry, answers.REQUEST_ID: entry.id}

        async def sent(message: Message) -> None:
            _note(entry, message)
            await send(message)

        try:
            await self.app(scope, receive, sent)
        except asyncio.CancelledError:
            if not connections.leaving() or entry.status or scope["type"] != "http":
                raise
            told = "the server is being stopped, or started anew"
            await answers.error(told, 503, answers.RETRY_AFTER)(scope, receive, sent)
        except Exception as error:
            entry.error = type(error).__name__
            entry.traceback = "".join(traceback.format_exception(error))
            if scope["type"] == "http" and not entry.status:
                request = Request(scope, receive)
                await (await answers.bug(request, error))(scope, receive, sent)
        finally:
            entry.status = entry.status or GONE
            self._write(entry)

    def _entry(self, scope: Scope) -> Entry:
        path = scope["path"].removeprefix(self.base)
        under = ""
        if path.startswith("/token/"):
            under, path = "/token/…", "/" + path.removeprefix("/token/").partition("/")[2]
        given = Headers(scope=scope).get(HEADER, "")
        return Entry(
            given if _GIVEN.fullmatch(given) else secrets.token_hex(8),
            known(scope.get("method", "WEBSOCKET"), (*_METHODS, "WEBSOCKET"), "OTHER"),
            shortened(path),
            under,
        )

    def _write(self, entry: Entry) -> None:
        line = entry.line()
        if self.level == "errors" and entry.status in REFUSED and not entry.error:
            self._refused += 1
            if time.monotonic() - self._told < 1.0:
                return
            line["refused"], self._refused, self._told = self._refused, 0, time.monotonic()
        if entry.error or entry.status == 500:
            wanted, grade = self.level != "off", logging.ERROR
        elif entry.status in REFUSED or line["first_ms"] > 1000 * SLOW_S:
            wanted, grade = self.level != "off", logging.WARNING
        else:
            wanted, grade = self.level == "all", logging.INFO
        if wanted:
            log.log(grade, "request", extra={"line": line})


def level() -> str:
    """What ``MITOEM_LOG`` says; raises ValueError for a word that it does not know."""
    asked = os.environ.get("MITOEM_LOG") or "errors"
    if asked not in LEVELS:
        raise ValueError(f"MITOEM_LOG: expected one of {', '.join(LEVELS)}, found {asked!r}")
    return asked


def begin() -> None:
    """Send the lines to standard error, once, however often it is called."""
    if not log.handlers:
        handler = logging.StreamHandler(sys.stderr)
        handler.setFormatter(_Lines())
        log.addHandler(handler)
        log.setLevel(logging.INFO)
        log.propagate = False


def name(scope: Scope, route: str) -> None:
    """Say which route a request found."""
    entry: Entry | None = scope.get(_KEY)
    if entry is not None:
        entry.route = route


def shortened(path: str) -> str:
    """A path less all that a person chose: what is told of requests that find no route."""
    first, _, rest = path.removeprefix("/").partition("/")
    if first == "_stcore":
        return f"/_stcore/{known(rest.partition('/')[0], _CORE, '…')}"
    if first in _OWN + _STREAMLIT:
        return f"/{first}/…" if rest else f"/{first}"
    return "/{page}"


def known(word: str, words: tuple[str, ...], other: str) -> str:
    """The word itself where it is one of the words, else the other."""
    return word if word in words else other


def _note(entry: Entry, message: Message) -> None:
    """Write down what a message tells of its answer, and put the id on the answer."""
    kind = message["type"]
    if kind in ("http.response.start", "websocket.http.response.start"):
        entry.status, entry.first = message["status"], time.monotonic()
        MutableHeaders(scope=message)[HEADER] = entry.id
    elif kind == "http.response.body" and entry.method != "HEAD":
        entry.size += len(message.get("body", b""))
    elif kind == "websocket.accept":
        entry.status, entry.first = 101, time.monotonic()
    elif kind == "websocket.close" and not entry.status:
        entry.status = 403
    elif kind == "websocket.send":
        entry.size += len(message.get("bytes") or b"")


class _Lines(logging.Formatter):
    """A record as one line of JSON in ASCII: no text in it can begin a line of its own."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = getattr(record, "line", {})
        return json.dumps({"level": record.levelname.lower(), "event": record.getMessage()} | line)
