"""Whether the server answers, and with what."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from mitoem.errors import MitoEMError
from mitoem.server import access, answers
from mitoem.version import VERSION


async def health(request: Request) -> Response:
    """Status, version of the program, and the volumes that the asker may see.

    503 where the data roots cannot be read: the pages answer, and have nothing to show.
    """
    site = access.site(request)
    try:
        names = await site.names(access.user(request))
    except (MitoEMError, OSError) as error:
        told = {"status": "failing", "version": VERSION, "error": site.public(str(error))}
        return answers.json(told, status=503, headers=answers.RETRY_AFTER)
    return answers.json({"status": "ok", "version": VERSION, "volumes": names})
