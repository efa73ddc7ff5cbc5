"""What every route answers with: JSON, errors as JSON, and answers that a browser may keep."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from mitoem import errors
from mitoem.version import VERSION

IMMUTABLE = "public, max-age=31536000, immutable"
REVALIDATE = "no-cache"

AS_LABELLED = {"X-Content-Type-Options": "nosniff"}
"""A browser takes an answer for what it says it is, and for nothing else."""

RETRY_AFTER = {"Retry-After": "1"}

REQUEST_ID = "mitoem.id"
"""Where a request's scope holds its id."""

_STATUS: dict[type[errors.MitoEMError], int] = {
    errors.NameInvalid: 400,
    errors.BoxInvalid: 400,
    errors.FilterInvalid: 400,
    errors.RequestInvalid: 400,
    errors.VolumeNotFound: 404,
    errors.LabelsNotFound: 404,
    errors.InstanceNotFound: 404,
    errors.BoxOutside: 404,
    errors.LevelInvalid: 404,
    errors.TableMissing: 409,
    errors.LimitReached: 429,
    errors.ServerBusy: 503,
    errors.StoreUnreachable: 503,
    errors.DiskFull: 503,
    errors.DiskReadOnly: 503,
}

DAMAGED = 422
"""Any other named error: the request was right and the data behind it cannot be used."""


@dataclass(frozen=True, slots=True)
class Freshness:
    """What tells a kept copy from a newer one, and whether it may be kept without asking."""

    etag: str
    cache_control: str

    @property
    def headers(self) -> dict[str, str]:
        """As HTTP headers."""
        return AS_LABELLED | {"ETag": self.etag, "Cache-Control": self.cache_control}


def freshness(request: Request, version: str, *address: object) -> Freshness:
    """Freshness of what ``version`` and ``address`` identify.

    Immutable only where the URL carries this very version as ``v``: any other URL may answer
    differently tomorrow. What not everyone may see is kept by its asker's browser alone.
    """
    text = "\0".join([VERSION, version, *(str(part) for part in address)])
    etag = f'"{hashlib.sha256(text.encode()).hexdigest()[:32]}"'
    if request.query_params.get("v") != version:
        return Freshness(etag, REVALIDATE)
    private = getattr(request.state, "private", False)
    return Freshness(etag, IMMUTABLE.replace("public", "private") if private else IMMUTABLE)


def not_modified(request: Request, fresh: Freshness) -> Response | None:
    """The 304 for a client that holds this very answer already, else None."""
    held = request.headers.get("if-none-match")
    if held is None:
        return None
    tags = [tag.strip().removeprefix("W/") for tag in held.split(",")]
    if fresh.etag not in tags and tags != ["*"]:
        return None
    return Response(status_code=304, headers=fresh.headers)


def data(
    body: bytes, media_type: str, fresh: Freshness, headers: Mapping[str, str] | None = None
) -> Response:
    """An answer of bytes that the client may keep as ``fresh`` says."""
    return Response(body, media_type=media_type, headers=fresh.headers | dict(headers or {}))


def json(
    content: Any,
    *,
    status: int = 200,
    cache_control: str = REVALIDATE,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """A JSON answer, asked for anew every time."""
    own = AS_LABELLED | {"Cache-Control": cache_control}
    return JSONResponse(content, status, headers=own | dict(headers or {}))


def error(message: str, status: int, headers: Mapping[str, str] | None = None) -> Response:
    """``{"error": message}``, kept by nobody."""
    return json({"error": message}, status=status, cache_control="no-store", headers=headers)


async def named_error(request: Request, exc: Exception) -> Response:
    """The answer to an error of this project."""
    status = next((_STATUS[kind] for kind in type(exc).__mro__ if kind in _STATUS), DAMAGED)
    later = RETRY_AFTER if status == HTTPStatus.SERVICE_UNAVAILABLE else None
    return error(request.app.state.site.public(str(exc)), status, later)


async def http_error(request: Request, exc: Exception) -> Response:
    """The answer to a path that is no route, or a method that the route lacks."""
    if not isinstance(exc, HTTPException):
        raise exc
    detail = f"{exc.detail}: {request.method} {request.scope['path'][:200]!r}"
    return error(detail, exc.status_code, exc.headers)


async def bug(request: Request, exc: Exception) -> Response:
    """The answer to anything else; the traceback goes to the log, under the same id."""
    del exc
    shown = request.scope.get(REQUEST_ID, "")
    told = {"error": "internal error, see the server's log", "id": shown}
    return json(told, status=500, cache_control="no-store")
