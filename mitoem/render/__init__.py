"""Planes of voxels -> encoded tiles, coloured overlays, thumbnails and figures with a scale bar.

A plane is a 2-D array (rows, columns) of uint8 grey or uint32 ids. The colour of an instance is
an integer hash of its id, the same in slices, meshes, plots and tables; the viewer's shader holds
the same arithmetic.
"""

from __future__ import annotations

import gzip
import io
from typing import Literal, TypeAlias

import numpy as np
from PIL import Image

from mitoem.errors import ImageInvalid
from mitoem.render.figure import Figure, Key, ScaleBar, figure, scale_bar
from mitoem.render.paint import (
    BESIDE,
    PLAIN,
    Ids,
    Paint,
    Plane,
    Rgb,
    edges,
    instance_colour,
    overlay,
    to_scale,
)

__all__ = [
    "BESIDE",
    "Figure",
    "Ids",
    "Key",
    "Paint",
    "Plane",
    "Rgb",
    "ScaleBar",
    "TileFormat",
    "edges",
    "encode_labels",
    "encode_picture",
    "encode_tile",
    "figure",
    "instance_colour",
    "overlay",
    "scale_bar",
    "thumbnail",
    "to_scale",
]

TileFormat: TypeAlias = Literal["jpeg", "png", "raw"]


def encode_tile(plane: Plane, *, format: TileFormat = "jpeg", quality: int = 85) -> bytes:  # noqa: A002
    """A grey plane as JPEG, lossless PNG, or its bare bytes in row-major order.

    Raises ImageInvalid for anything but a 2-D array of uint8.
    """
    if plane.dtype != np.uint8 or plane.ndim != 2:
        raise ImageInvalid(f"a tile is a 2-D array of uint8, not {plane.ndim}-D {plane.dtype}")
    if format == "raw":
        return plane.tobytes()
    out = io.BytesIO()
    picture = Image.fromarray(np.ascontiguousarray(plane))
    if format == "png":
        picture.save(out, "PNG", compress_level=1)
    else:
        picture.save(out, "JPEG", quality=quality)
    return out.getvalue()


def encode_picture(picture: Rgb, *, quality: int = 88) -> bytes:
    """A colour picture as JPEG."""
    out = io.BytesIO()
    Image.fromarray(picture).save(out, "JPEG", quality=quality)
    return out.getvalue()


def encode_labels(plane: Ids) -> bytes:
    """Ids as little-endian uint32, row-major, gzipped; the same bytes for the same ids."""
    return gzip.compress(np.ascontiguousarray(plane, "<u4").tobytes(), 1, mtime=0)


def thumbnail(
    plane: Plane,
    ids: Ids | None = None,
    *,
    pixel_nm: tuple[float, float],
    size: int = 128,
    paint: Paint = PLAIN,
) -> Rgb:
    """The whole plane at true proportions with ``size`` pixels along its longer side."""
    longer = max(n * nm for n, nm in zip(plane.shape, pixel_nm, strict=True))
    grey, small = to_scale(plane, ids, pixel_nm=pixel_nm, nm_per_pixel=longer / size)
    return overlay(grey, small, paint=paint)
