"""A small stack of sections, scrubbed in the browser: grey with label layers beside each other."""

from __future__ import annotations

import io
from base64 import b64encode
from functools import cache
from importlib.resources import files
from typing import Any

import numpy as np
import numpy.typing as npt
import streamlit as st
from PIL import Image

from mitoem import render
from mitoem.geometry import VoxelSize

MAX_EDGE = 512
"""Pixels of a section's longer edge in the browser; larger crops are thinned out."""

MAX_SECTIONS = 96

PALETTE = 256
"""Colours of a PNG that has a palette."""

DENSE = 1 << 22
"""Ids below this are numbered by a table of all of them: twenty times as fast as by sorting."""

_CSS = """
.stack { display: flex; flex-direction: column; gap: .4rem; color: var(--st-text-color);
  font-family: var(--st-font); font-size: .85rem; }
.panes { display: flex; gap: .6rem; }
figure { margin: 0; flex: 1 1 0; min-width: 0; max-width: 640px; }
figcaption { margin-bottom: .2rem; font-weight: 600; }
canvas { width: 100%; display: block; background: #000; border-radius: .25rem; }
.bar { display: flex; align-items: center; gap: .6rem; }
.bar input { accent-color: var(--st-primary-color); }
.bar .z { flex: 1 1 auto; min-width: 6rem; }
.bar .opacity { flex: 0 0 7rem; }
.bar output { min-width: 8rem; font-variant-numeric: tabular-nums; }
"""


def sheets(image: npt.NDArray[np.uint8], *, start: int, voxel_size: VoxelSize) -> dict[str, Any]:
    """What the browser needs of a stack (z, y, x), but its key and its ``layers``.

    ``start`` is the first section's index in its volume.
    """
    step, thin = _steps(image.shape)
    grey = image[::step, ::thin, ::thin]
    count, rows, columns = grey.shape
    low, high = (int(v) for v in np.percentile(grey, (0.5, 99.5)))
    ramp = np.clip((np.arange(256) - low) * (255 / max(high - low, 1)), 0, 255).astype(np.uint8)
    across = _across(count, columns)
    return {
        "count": count,
        "width": columns,
        "height": rows,
        "columns": across,
        "start": start,
        "step": step,
        "nm": voxel_size[0],
        "grey": _url(Image.fromarray(_sheet(ramp[grey], across)), "JPEG", quality=82),
    }


def layer(title: str, ids: npt.NDArray[np.integer[Any]]) -> dict[str, str]:
    """A label layer (z, y, x) of a stack of that shape."""
    step, thin = _steps(ids.shape)
    shown = ids[::step, ::thin, ::thin]
    return {
        "title": title,
        "sheet": _url(_painted(_sheet(shown, _across(shown.shape[0], shown.shape[2]))), "PNG"),
    }


def _steps(shape: tuple[int, ...]) -> tuple[int, int]:
    """Every how many sections, and pixels, are shown."""
    return -(-shape[0] // MAX_SECTIONS), -(-max(shape[1:]) // MAX_EDGE)


def _across(count: int, columns: int) -> int:
    """Sections beside each other on a sheet."""
    return max(1, min(count, 4096 // columns))


def show(data: dict[str, Any], *, key: str) -> None:
    """Draw a stack that ``sheets`` prepared."""
    component = st.components.v2.component(
        "mitoem_stack", html='<div class="stack"></div>', css=_CSS, js=_script()
    )
    component(data=data, key=key)


@cache
def _script() -> str:
    return (files("mitoem") / "assets" / "stack.js").read_text(encoding="utf-8")


def _sheet(planes: npt.NDArray[Any], across: int) -> npt.NDArray[Any]:
    """Sections (n, y, x) laid out in rows of ``across``."""
    count, rows, columns = planes.shape
    down = -(-count // across)
    out = np.zeros((down * across, rows, columns), planes.dtype)
    out[:count] = planes
    grid = out.reshape(down, across, rows, columns).transpose(0, 2, 1, 3)
    return grid.reshape(down * rows, across * columns)


def _painted(ids: npt.NDArray[Any]) -> Image.Image:
    """Ids in their colours, background clear; by a palette where that holds all of them."""
    names, places = _numbered(ids)
    colours = np.zeros((len(names), 4), np.uint8)
    colours[:, :3] = render.instance_colour(names)
    colours[:, 3] = np.where(names == 0, 0, 255)
    if len(names) > PALETTE:
        return Image.fromarray(colours[places])
    picture = Image.fromarray(places.astype(np.uint8), "P")
    picture.putpalette(colours.tobytes(), "RGBA")
    return picture


def _numbered(ids: npt.NDArray[Any]) -> tuple[npt.NDArray[Any], npt.NDArray[np.intp]]:
    """The distinct ids, rising, and the place of each voxel's among them."""
    top = int(ids.max(initial=0))
    if top >= DENSE:
        names, flat = np.unique(ids, return_inverse=True)
        return names, flat.reshape(ids.shape)
    there = np.zeros(top + 1, bool)
    there[ids] = True
    return np.flatnonzero(there), (np.cumsum(there) - 1)[ids]


def _url(picture: Image.Image, form: str, **options: Any) -> str:
    out = io.BytesIO()
    if form == "PNG":
        options["compress_level"] = 1
    picture.save(out, form, **options)
    return f"data:image/{form.lower()};base64,{b64encode(out.getvalue()).decode()}"
