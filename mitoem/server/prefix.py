"""A route that takes everything under a prefix, whatever characters follow."""

from __future__ import annotations

from starlette.routing import BaseRoute, Match
from starlette.types import ASGIApp, Receive, Scope, Send


class Prefix(BaseRoute):
    """Gives a path, and all below it, to an application that knows its routes by full path.

    Starlette's own ``{rest:path}`` stops at a line break, so ``/api/%0A`` would fall through to
    the page of Streamlit, and its ``Mount`` leaves out the prefix itself.
    """

    def __init__(self, path: str, app: ASGIApp) -> None:
        self.path = path
        self.app = app

    def __repr__(self) -> str:
        return f"Prefix({self.path!r})"

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Full for HTTP requests of the prefix or below it."""
        path = scope.get("path", "").removeprefix(scope.get("root_path", ""))
        inside = path == self.path or path.startswith(f"{self.path}/")
        return (Match.FULL if scope["type"] == "http" and inside else Match.NONE), {}

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer by the application."""
        await self.app(scope, receive, send)
