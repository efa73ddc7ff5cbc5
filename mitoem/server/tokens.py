"""Expiring tokens in the path, for clients that send no cookies: Neuroglancer, Python.

``/token/{token}/zarr/…`` and ``/token/{token}/api/…`` answer as the person who made the token would
be answered, about one volume, for a day (``MITOEM_TOKEN_HOURS``). A token says which volume and
until when, signed; it outlives neither its time nor its person's right to see the volume.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Final, NamedTuple

from itsdangerous import BadSignature, URLSafeSerializer
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from mitoem import settings

PREFIX: Final = "/token"

HOURS: Final = 24.0

_SALT = "mitoem volume token"
_STEP = 3600
"""Tokens end on the hour, so that one made a moment later is the same text."""


class Token(NamedTuple):
    """What a token says: ``until`` in seconds since 1970."""

    volume: str
    user: str
    until: int


def hours() -> float:
    """How long tokens last."""
    return settings.number("MITOEM_TOKEN_HOURS", HOURS)


def issue(secret: str, volume: str, user: str) -> str:
    """A token by which a person's other programs read a volume."""
    until = int(time.time() + hours() * 3600)
    if hours() >= 1:
        until = -(-until // _STEP) * _STEP
    return str(URLSafeSerializer(secret, salt=_SALT).dumps([volume, user, until]))


def read(secret: str, text: str) -> Token | None:
    """What a token says; None for a forged one, and for one whose time is up."""
    try:
        token = Token(*URLSafeSerializer(secret, salt=_SALT).loads(text))
    except (BadSignature, TypeError, ValueError):
        return None
    return token if time.time() < token.until else None


class ByToken:
    """Answers ``/token/{token}/REST`` as the application of ``/REST`` does, for the token's person.

    ``apps`` are applications by the prefix below ``base`` that each answers.
    """

    def __init__(self, apps: Mapping[str, ASGIApp], *, base: str, secret: str) -> None:
        self.apps, self.base, self.secret = apps, base, secret

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, or 404 where the token is none or what it leads to is not data."""
        before = f"{self.base}{PREFIX}/"
        text, _, rest = scope["path"].removeprefix(before).partition("/")
        token = read(self.secret, text)
        app = self.apps.get("/" + rest.partition("/")[0])
        if token is None or app is None:
            told = "this link has expired, or never was one: copy it anew from the page"
            answer = JSONResponse({"error": told}, 404, {"Cache-Control": "no-store"})
            await answer(scope, receive, send)
            return
        path = f"{self.base}/{rest}"
        raw = path.encode() if scope.get("raw_path") is None else _raw(scope["raw_path"], before)
        inner = {**scope, "path": path, "raw_path": raw, "user": token.user, "token": (token, text)}
        await app(inner, receive, send)


def _raw(path: bytes, before: str) -> bytes:
    """The path as it came over the wire, less the token."""
    base = before.removesuffix(f"{PREFIX}/").encode()
    return base + b"/" + path.removeprefix(before.encode()).partition(b"/")[2]
