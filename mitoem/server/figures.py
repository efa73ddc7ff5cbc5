"""A view as a figure to download, and as a link into Neuroglancer."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from mitoem import front, view
from mitoem import neuroglancer as peer
from mitoem.errors import RequestInvalid
from mitoem.server import access, answers, tokens
from mitoem.server.access import Site
from mitoem.server.instances import coloured
from mitoem.server.measured import stored
from mitoem.server.parse import choice, word
from mitoem.view import View
from mitoem.volume import Volume

MEDIA: Mapping[str, str] = {"png": "image/png", "svg": "image/svg+xml"}

FINEST_NM = 0.1
"""Smallest pixel that a figure may have: below it no microscope sees anything."""


async def figure(request: Request) -> Response:
    """The slice of the words of a page's address; ``?nm=`` is nm per pixel. Made on request."""
    volume, seen = await _seen(request)
    kind = choice(request.path_params["format"], MEDIA, what="figure format")
    nm = _pixel(word(request, "nm"))
    site = access.site(request)
    body = await asyncio.to_thread(_drawn, site, volume, seen, nm, kind)
    name = f"{volume.name}_{seen.plane}{seen.position['zyx'.index(seen.plane)]}.{kind}"
    fresh = answers.freshness(request, volume.version("image"), str(request.url.query))
    disposition = {"Content-Disposition": f'attachment; filename="{name}"'}
    return answers.data(body, MEDIA[kind], fresh, disposition)


async def neuroglancer(request: Request) -> Response:
    """Off to Neuroglancer, with the view of the words; it reads this server's raw Zarr."""
    volume, seen = await _seen(request)
    scheme = request.headers.get("x-forwarded-proto", request.url.scheme).split(",")[0].strip()
    if scheme not in ("http", "https"):
        raise RequestInvalid(f"expected http or https, found {scheme[:40]!r}")
    base = request.url.path.partition("/api/v1/")[0]
    base += _token(request, volume)
    here = f"{scheme}://{request.headers.get('host', request.url.netloc)}{base}"
    link = peer.link(volume.info, seen, base_url=here)
    return RedirectResponse(link, 302, {"Cache-Control": "no-store"})


def _token(request: Request, volume: Volume) -> str:
    """What lets Neuroglancer read a volume that not everyone may see; the token in use, if any."""
    by, user = access.token(request), access.user(request)
    if by is None and (user is None or access.site(request).catalog.may_see(volume.name, None)):
        return ""
    text = by[1] if by else tokens.issue(access.site(request).secret, volume.name, user or "")
    return f"{tokens.PREFIX}/{text}"


async def _seen(request: Request) -> tuple[Volume, View]:
    volume = await access.volume(request)
    words = {name: word(request, name) for name in view.WORDS if name in request.query_params}
    return volume, view.resolve(view.from_query(words), volume.info)[0]


def _pixel(text: str) -> float | None:
    try:
        nm = float(text) if text else None
    except ValueError:
        nm = 0.0
    if nm is not None and not FINEST_NM <= nm < 1e6:
        raise RequestInvalid(f"nm must be from {FINEST_NM:g} to 1e6 nm per pixel, found {text!r}")
    return nm


def _drawn(site: Site, volume: Volume, seen: View, nm: float | None, kind: str) -> bytes:
    colours, kept = None, None
    if seen.labels is not None and (seen.colour != view.BY_ID or seen.filter):
        frame = stored(site.catalog, volume, seen.labels)
        kept = front.ids_kept(frame, seen)
        if seen.colour != view.BY_ID:
            colours = coloured(
                site.catalog,
                volume,
                seen.labels,
                frame=frame,
                by=seen.colour,
                against=seen.beside,
            )
    drawn = front.snapshot(volume, seen, nm_per_pixel=nm, colours=colours, kept=kept)
    return drawn.png() if kind == "png" else drawn.svg().encode()
