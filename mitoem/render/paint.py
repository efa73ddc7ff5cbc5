"""Grey and ids -> colour, at the true proportions of a plane."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from functools import partial
from typing import Final, TypeAlias

import numpy as np
import numpy.typing as npt
from PIL import Image

from mitoem.errors import RequestInvalid, ShapeMismatch

Plane: TypeAlias = npt.NDArray[np.uint8]
Rgb: TypeAlias = npt.NDArray[np.uint8]
Ids: TypeAlias = npt.NDArray[np.unsignedinteger]

MAX_PIXELS: Final = 25_000_000
"""Pixels of the largest picture that is drawn: about 1 GB of memory while it is."""

_SATURATION = 0.75


def instance_colour(ids: npt.ArrayLike, *, seed: int = 0) -> Rgb:
    """The colour of each id, (N, 3) uint8; another seed deals all colours anew.

    Fibonacci hashing (Knuth, The Art of Computer Programming 3, 6.4): consecutive ids lie a golden
    angle apart on the circle of hues; the low bits vary the lightness.

    >>> instance_colour([1, 2]).tolist()
    [[101, 139, 233], [168, 230, 80]]
    """
    flat = np.atleast_1d(np.asarray(ids)).astype(np.uint64)
    h = ((flat ^ np.uint64(seed * 0x9E3779B9 % 2**32)) * np.uint64(2654435761)) & np.uint64(
        2**32 - 1
    )
    hue = (h >> np.uint64(16)).astype(np.float64) / 65536
    light = 0.55 + 0.15 * (h & np.uint64(0xFF)).astype(np.float64) / 255
    chroma = _SATURATION * np.minimum(light, 1 - light)
    k = (np.array([0.0, 8.0, 4.0]) + 12 * hue[:, None]) % 12
    rgb = light[:, None] - chroma[:, None] * np.clip(np.minimum(k - 3, 9 - k), -1, 1)
    return np.asarray(np.rint(rgb * 255), np.uint8)


@dataclass(frozen=True, slots=True)
class Paint:
    """How grey and labels become colour; opacities from 0 to 1, ``window`` grey (low, high).

    ``solo`` leaves out all but the selected instances; ``outline`` draws edges instead of areas.
    ``inks`` gives the colours (N, 3) of ids where these are not the instances' own.
    """

    window: tuple[int, int] = (0, 255)
    invert: bool = False
    selected: Collection[int] = ()
    selected_opacity: float = 0.6
    other_opacity: float = 0.25
    outline: bool = False
    solo: bool = False
    seed: int = 0
    inks: Callable[[Ids], Rgb] | None = None


BESIDE: Final = (255, 150, 0)
"""Of the outlines of a second label set."""

PLAIN: Final = Paint()
"""All greys, every instance faint, none selected."""


def overlay(plane: Plane, ids: Ids | None = None, *, paint: Paint = PLAIN) -> Rgb:
    """Grey with its instances laid over it, (rows, columns, 3) uint8.

    Raises ShapeMismatch when plane and ids differ in shape.
    """
    low, high = paint.window
    ramp = np.clip((np.arange(256, dtype=np.float32) - low) * (255 / max(high - low, 1)), 0, 255)
    grey = (255 - ramp if paint.invert else ramp)[plane]
    rgb = np.repeat(grey[:, :, None], 3, axis=2)
    if ids is not None:
        if ids.shape != plane.shape:
            raise ShapeMismatch(f"image plane {plane.shape} and labels plane {ids.shape} differ")
        names, places = np.unique(ids, return_inverse=True)
        chosen = np.isin(names, list(paint.selected))
        others = 0.0 if paint.solo else paint.other_opacity
        alpha = np.where(chosen, paint.selected_opacity, others).astype(np.float32)
        alpha[names == 0] = 0
        inks = paint.inks or partial(instance_colour, seed=paint.seed)
        colour = inks(names).astype(np.float32)
        cover = alpha[places].reshape(ids.shape)
        if paint.outline:
            cover = np.where(edges(ids), cover, 0)
        rgb += cover[:, :, None] * (colour[places].reshape(rgb.shape) - rgb)
    return np.asarray(np.rint(rgb), np.uint8)


def edges(ids: Ids) -> npt.NDArray[np.bool_]:
    """The pixels of instances that touch another id on one of their four sides."""
    edge = np.zeros(ids.shape, bool)
    for a, b in ((np.s_[1:, :], np.s_[:-1, :]), (np.s_[:, 1:], np.s_[:, :-1])):
        differ = ids[a] != ids[b]
        edge[a] |= differ
        edge[b] |= differ
    return np.asarray(edge & (ids != 0), bool)


def to_scale(
    plane: Plane, ids: Ids | None, *, pixel_nm: tuple[float, float], nm_per_pixel: float
) -> tuple[Plane, Ids | None]:
    """The plane on square pixels of ``nm_per_pixel``: grey interpolated, ids the nearest.

    ``pixel_nm`` is the edge of a pixel along rows and columns. Raises RequestInvalid above
    ``MAX_PIXELS``, ShapeMismatch when plane and ids differ in shape.
    """
    if ids is not None and ids.shape != plane.shape:
        raise ShapeMismatch(f"image plane {plane.shape} and labels plane {ids.shape} differ")
    height, width = (
        max(1, round(n * nm / nm_per_pixel)) for n, nm in zip(plane.shape, pixel_nm, strict=True)
    )
    if height * width > MAX_PIXELS:
        raise RequestInvalid(
            f"a picture of {width} × {height} pixels is larger than {MAX_PIXELS:,} pixels; "
            f"ask for more than {nm_per_pixel:g} nm per pixel"
        )
    if (height, width) == plane.shape:
        return plane, ids
    picture = Image.fromarray(np.ascontiguousarray(plane))
    grey = np.asarray(picture.resize((width, height), Image.Resampling.BILINEAR))
    if ids is None:
        return grey, None
    rows, columns = (
        ((np.arange(m) + 0.5) * (n / m)).astype(np.intp)
        for m, n in zip((height, width), plane.shape, strict=True)
    )
    return grey, ids[rows[:, None], columns]
