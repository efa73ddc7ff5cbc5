"""Where a box lies in its volume: two planes through its middle with the box drawn on them."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import streamlit as st
from PIL import Image, ImageDraw

from mitoem import render
from mitoem.geometry import Box, Index, VoxelSize
from mitoem.ui import cache
from mitoem.ui.address import Here
from mitoem.volume import coarse

PIXELS = 640
"""Longer edge of a plane's picture."""

_LINE = (255, 176, 0)
"""Colour of the box: seen on dark and on light grey."""


def planes(at: Here, box: Box, *, beside: bool) -> None:
    """The box on the XY and the XZ plane through its middle, ``beside`` each other or stacked."""
    places = st.columns(2) if beside else (st.container(), st.container())
    for place, axis, name in zip(places, "zy", ("XY", "XZ"), strict=True):
        picture = _plane(at.info.name, at.volume.version("image"), box.start, box.stop, axis)
        place.image(picture, width="stretch", caption=f"the crop on {name}, through its middle")


@st.cache_data(max_entries=32, show_spinner=False)
def _plane(name: str, version: str, start: Index, stop: Index, axis: str) -> npt.NDArray[np.uint8]:
    """One plane as RGB at true proportions, the box outlined."""
    del version
    volume, box = cache.volume(name), Box(start, stop)
    number = next(
        (n for n, one in enumerate(volume.info.levels) if max(one.shape[1:]) <= 2 * PIXELS),
        len(volume.info.levels) - 1,
    )
    level = volume.info.levels[number]
    along = "zyx".index(axis)
    middle = min((start[along] + stop[along]) // 2 // level.factors[along], level.shape[along] - 1)
    low, high = [0, 0, 0], list(level.shape)
    low[along], high[along] = middle, middle + 1
    plane = Box((low[0], low[1], low[2]), (high[0], high[1], high[2]))
    grey = volume.read(plane, level=number).squeeze(axis=along)
    paint = render.Paint(window=(volume.info.grey.p1, volume.info.grey.p99))
    scale = _scale(grey.shape, level.voxel_size, along)
    size = round(grey.shape[1] * scale[1]), round(grey.shape[0] * scale[0])
    picture = Image.fromarray(render.overlay(grey, paint=paint)).resize(size)
    inside = coarse(box, level.factors)
    rows, columns = [a for a in range(3) if a != along]
    corners = [
        (inside.start[columns] * scale[1], inside.start[rows] * scale[0]),
        (inside.stop[columns] * scale[1] - 1, inside.stop[rows] * scale[0] - 1),
    ]
    ImageDraw.Draw(picture).rectangle(corners, outline=_LINE, width=3)
    return np.asarray(picture)


def _scale(shape: tuple[int, ...], voxel: VoxelSize, along: int) -> tuple[float, float]:
    """Pixels per voxel down and across, so that nanometres are square."""
    down, across = [size for axis, size in enumerate(voxel) if axis != along]
    largest = max(shape[0] * down, shape[1] * across)
    return down * PIXELS / largest, across * PIXELS / largest
