"""The HTTP routes beside the pages: tiles, voxels, tables, meshes, raw Zarr, viewer files, health.

Read-only. Every answer under these prefixes is data or JSON: an error is ``{"error": …}`` with
400 (a word that means nothing), 404 (nothing there), 405, 409 (labels not measured yet), 416,
422 (data on disk that is damaged), 429 (more than one client may take) or 503 (busy), and 500 only
for a bug.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from pathlib import Path

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp

from mitoem import catalog, settings
from mitoem.errors import MitoEMError
from mitoem.server import (
    answers,
    figures,
    health,
    instances,
    meshes,
    mistakes,
    openapi,
    static,
    tables,
    tiles,
    volumes,
    voxels,
    zarr,
)
from mitoem.server.access import Site
from mitoem.server.admission import Admission, Pages
from mitoem.server.lifespan import lifespan
from mitoem.server.prefix import Prefix
from mitoem.server.record import Record
from mitoem.server.safety import Safety
from mitoem.server.session import Session, Uploads, Who, nobody
from mitoem.server.tokens import PREFIX as TOKEN
from mitoem.server.tokens import ByToken

__all__ = ["lifespan", "middleware", "routes"]

_VOLUME = "/api/v1/volumes/{volume}"
_LABELS = _VOLUME + "/labels/{labels}"

_EXPOSED = (
    "Content-Range", "Content-Length", "Accept-Ranges", "ETag", "Retry-After", "X-Request-ID",
)  # fmt: skip


def routes(
    base: str = "",
    *,
    data: str | Path | None = None,
    who: Who = nobody,
    secret: str | None = None,
) -> list[BaseRoute]:
    """The routes for ``st.App``, under the base path ``base`` (``server.baseUrlPath``).

    ``data`` names the data roots, as in ``catalog.from_environment``; ``who`` tells the person by
    the cookies of a request; ``secret`` signs tokens, None for one of this process. Streamlit puts
    no base path before an application's own routes, and answers unknown paths with its page: so
    these take their prefixes whole. Raises SettingInvalid.
    """
    settings.check()
    base = normal(base)
    site = Site(catalog.from_environment(data), secret)
    table = {
        "/healthz": health.health,
        "/api/v1/openapi.json": openapi.describe,
        "/api/v1/volumes": volumes.volumes,
        _VOLUME: volumes.volume,
        _VOLUME + "/tiles/{layer}/{axis}/{level}/{index}/{row}/{column}": tiles.tile,
        _VOLUME + "/voxels/{z}/{y}/{x}": voxels.voxel,
        _VOLUME + "/figure.{format}": figures.figure,
        _VOLUME + "/neuroglancer": figures.neuroglancer,
        _LABELS + "/instances.{format}": tables.instances,
        _LABELS + "/instances/{instance_id}": instances.card,
        _LABELS + "/thumbnails/{instance_id}.jpg": instances.thumbnail,
        _LABELS + "/against/{prediction}/{z}/{y}/{x}.jpg": mistakes.picture,
        _LABELS + "/colours.json": instances.colours,
        _LABELS + "/meshes/overview.glb": meshes.overview,
        _LABELS + "/meshes/{instance_id}.{format}": meshes.instance,
        "/viewer/{file}": static.asset,
        "/viewer/{release}/{file}": static.asset,
    }
    guarded = Admission().guarded
    own = application([Route(base + path, guarded(path, one)) for path, one in table.items()], site)
    raw = guarded("/zarr/{volume}/{path}", zarr.file)
    files = Route(base + "/zarr/{volume}/{path:path}", raw, methods=["GET", "HEAD", "OPTIONS"])
    shared = CORSMiddleware(
        application([files], site),
        allow_origins=["*"],
        allow_methods=["GET", "HEAD", "OPTIONS"],
        allow_headers=["*"],
        allow_private_network=True,
        expose_headers=_EXPOSED,
    )
    prefixes: dict[str, ASGIApp] = {"/healthz": own, "/api": own, "/viewer": own, "/zarr": shared}
    by_token = ByToken({"/api": own, "/zarr": shared}, base=base, secret=site.secret)
    known = {path: Session(app, who) for path, app in prefixes.items()} | {TOKEN: by_token}
    return [Prefix(base + path, app) for path, app in known.items()]


def middleware(
    base: str = "",
    *,
    who: Who = nobody,
    closed: Callable[[], bool] = bool,
    origins: Collection[str] = (),
) -> list[Middleware]:
    """What must see a request before Streamlit's own middleware does.

    ``closed`` tells whether a stranger, whom ``who`` does not know, may send the pages no file;
    ``origins`` are the sites, beside this one, that may open the websocket of a page.
    """
    base = normal(base)
    return [
        Middleware(Safety),
        Middleware(Record, base=base),
        Middleware(Pages, origins=origins),
        Middleware(Uploads, base=base, who=who, closed=closed),
        Middleware(zarr.AsStored, base=base),
    ]


def application(own: Sequence[BaseRoute], site: Site) -> Starlette:
    """Routes with the answers to errors that belong to them."""
    app = Starlette(
        routes=own,
        exception_handlers={
            MitoEMError: answers.named_error,
            HTTPException: answers.http_error,
            Exception: answers.bug,
        },
    )
    app.router.redirect_slashes = False
    app.state.site = site
    return app


def normal(base: str) -> str:
    """A base path with one slash before it and none after; nothing for none."""
    inner = base.strip("/")
    return f"/{inner}" if inner else ""
