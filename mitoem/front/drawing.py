"""Views as figures, with the same colours and proportions as on screen, and as links."""

from __future__ import annotations

from urllib.parse import parse_qsl

import numpy as np
import numpy.typing as npt
import pandas as pd

from mitoem import catalog, filters, neuroglancer, render
from mitoem import view as views
from mitoem.errors import RequestInvalid
from mitoem.front.colouring import Colouring, colouring
from mitoem.front.shelves import Data, resolved
from mitoem.geometry import Box
from mitoem.version import VERSION
from mitoem.volume import Volume

FIGURE_WINDOW = (900, 1200)
"""Rows and columns of screen pixels that a figure of a zoomed view shows."""


def figure(
    volume: str | Volume,
    query: str = "",
    *,
    nm_per_pixel: float | None = None,
    data: Data = None,
) -> tuple[render.Figure, list[str]]:
    """The slice of a view (the query of a page's address) as a figure, and notices on the query.

    The whole plane, or, when the query has a zoom, what a window of 1200 × 900 shows of it.
    """
    target = resolved(volume, data=data)
    request = views.from_query(dict(parse_qsl(query.lstrip("?"))))
    seen, notices = views.resolve(request, target.info)
    if seen.colour == views.BY_ERROR:
        raise RequestInvalid("error types are of an evaluation: save this figure from its page")
    colours, kept = None, None
    if seen.labels is not None and (seen.colour != views.BY_ID or seen.filter):
        frame = catalog.from_environment(data).table(target, seen.labels)
        colours = colouring(frame, seen.colour) if seen.colour != views.BY_ID else None
        kept = ids_kept(frame, seen)
    drawn = snapshot(target, seen, nm_per_pixel=nm_per_pixel, colours=colours, kept=kept)
    return drawn, [str(n.message) for n in notices]


def neuroglancer_link(
    volume: str | Volume, query: str = "", *, base_url: str, data: Data = None
) -> str:
    """The address that opens a view (the query of a page's address) in Neuroglancer.

    ``base_url`` is where this server answers people, such as ``https://em.example.org/explorer``.
    """
    target = resolved(volume, data=data)
    request = views.from_query(dict(parse_qsl(query.lstrip("?"))))
    seen, _ = views.resolve(request, target.info)
    return neuroglancer.link(target.info, seen, base_url=base_url)


def ids_kept(frame: pd.DataFrame, seen: views.View) -> npt.NDArray[np.int64] | None:
    """The ids that the view shows of a table: those its filter keeps, and the selected ones.

    None where there is no filter. Raises FilterInvalid.
    """
    if not seen.filter:
        return None
    kept = frame["instance_id"][filters.parse(seen.filter).apply(frame)].to_numpy(np.int64)
    return np.union1d(kept, np.array(seen.sel, np.int64))


def snapshot(
    volume: Volume,
    seen: views.View,
    *,
    nm_per_pixel: float | None = None,
    colours: Colouring | None = None,
    kept: npt.NDArray[np.int64] | None = None,
) -> render.Figure:
    """A view as a figure with its bar and a caption that says where it comes from.

    ``colours``: of instances coloured by a measurement; None for their own. ``kept``: ids of the
    instances that are drawn, None for all.
    """
    axis = "zyx".index(seen.plane)
    box = _plane_box(volume, seen, axis)
    plane = np.take(volume.read(box), 0, axis=axis)
    ids = None
    if seen.labels is not None:
        ids = np.take(volume.read(box, layer=seen.labels), 0, axis=axis)
        ids = ids if kept is None else np.where(np.isin(ids, kept), ids, 0)
    beside = None
    if seen.beside is not None:
        beside = np.take(volume.read(box, layer=seen.beside), 0, axis=axis)
    rows, columns = (v for n, v in enumerate(volume.info.voxel_size) if n != axis)
    paint = render.Paint(
        window=seen.window,
        invert=seen.invert,
        selected=seen.sel,
        selected_opacity=seen.op[0] / 100,
        other_opacity=seen.op[1] / 100,
        outline=seen.mode == "outline",
        solo=seen.solo,
        seed=seen.seed,
        inks=colours.of if colours else None,
    )
    unsaid = volume.info.synthetic and "synthetic" not in volume.info.title
    synthetic = "synthetic phantom, " if unsaid else ""
    caption = (
        f"{volume.info.title}: {synthetic}{seen.plane} = {seen.position[axis]}, voxels {box}, "
        f"labels {seen.labels or 'none'}{f' by {seen.colour}' if colours else ''}"
        f"{f' where {seen.filter}' if kept is not None else ''}"
        f"{f', {seen.beside} outlined' if seen.beside else ''}; "
        f"mitoem {VERSION}, volume {volume.info.version}"
    )
    return render.figure(
        plane,
        ids,
        beside=beside,
        pixel_nm=(rows, columns),
        nm_per_pixel=nm_per_pixel,
        paint=paint,
        caption=caption,
        key=colours.key if colours else None,
    )


def _plane_box(volume: Volume, seen: views.View, axis: int) -> Box:
    """The level-0 box, one voxel thick, of what a view shows of its plane."""
    shape, position = volume.info.shape, seen.position
    start, stop = [0, 0, 0], list(shape)
    if seen.zoom is not None:
        edge = volume.info.voxel_size[2]
        inplane = [n for n in range(3) if n != axis]
        for n, pixels in zip(inplane, FIGURE_WINDOW, strict=True):
            half = round(pixels / 2 / seen.zoom * edge / volume.info.voxel_size[n])
            start[n] = max(0, position[n] - half)
            stop[n] = min(shape[n], max(position[n] + half, start[n] + 1))
    start[axis], stop[axis] = position[axis], position[axis] + 1
    return Box((start[0], start[1], start[2]), (stop[0], stop[1], stop[2]))
