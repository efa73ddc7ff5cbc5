"""Who asks: the person whose sign-in the request's cookies show."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from starlette.requests import cookie_parser
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

Who = Callable[[Mapping[str, str]], str | None]
"""Cookies of a request to a person, or to None for a stranger."""


def nobody(cookies: Mapping[str, str]) -> None:
    """Where nobody signs in, everyone is a stranger."""
    del cookies


class Session:
    """Tells the application behind it who asks, as ``scope["user"]``."""

    def __init__(self, app: ASGIApp, who: Who) -> None:
        self.app, self.who = app, who

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer by the application."""
        await self.app({**scope, "user": asker(scope, self.who)}, receive, send)


class Uploads:
    """Lets only those who have signed in send a file to the pages, where people can sign in."""

    def __init__(self, app: ASGIApp, *, base: str, who: Who, closed: Callable[[], bool]) -> None:
        self.app, self.who, self.closed = app, who, closed
        self.path = f"{base}/_stcore/upload_file"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer by the application, or 403 before a byte of the file is read."""
        sends = scope["type"] == "http" and scope["method"] not in ("GET", "HEAD", "OPTIONS")
        refused = sends and scope["path"].startswith(self.path) and self.closed()
        if refused and asker(scope, self.who) is None:
            answer = JSONResponse({"error": "sign in to send a file"}, 403)
            await answer(scope, receive, send)
            return
        await self.app(scope, receive, send)


def asker(scope: Scope, who: Who) -> str | None:
    """The person that the cookies of a request lead to."""
    cookies: dict[str, str] = {}
    for name, value in scope.get("headers", ()):
        if name == b"cookie":
            cookies |= cookie_parser(value.decode("latin-1"))
    return who(cookies) if cookies else None
