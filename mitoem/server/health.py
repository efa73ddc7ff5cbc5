"""Whether the server answers, and with what."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from mitoem.server import access, answers
from mitoem.version import VERSION


async def health(request: Request) -> Response:
    """Status, version of the program, and the volumes that the asker may see."""
    names = await access.site(request).names(access.user(request))
    return answers.json({"status": "ok", "version": VERSION, "volumes": names})
