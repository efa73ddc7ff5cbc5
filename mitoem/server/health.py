"""Whether the server answers, and with what."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from mitoem.server import access, answers
from mitoem.version import VERSION


async def health(request: Request) -> Response:
    """Status, version of the program, the volumes that the asker may see, and unread data roots.

    503 where no data root can be read: the pages answer, and have nothing to show.
    """
    site = access.site(request)
    names, faults = await site.names(access.user(request)), await site.faults()
    told = {"status": "ok", "version": VERSION, "volumes": names, "faults": faults}
    if len(faults) < len(site.catalog.roots):
        return answers.json(told)
    return answers.json(told | {"status": "failing"}, status=503, headers=answers.RETRY_AFTER)
