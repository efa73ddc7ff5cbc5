"""A small stack of sections, scrubbed in the browser: grey with label layers beside each other."""

from __future__ import annotations

import io
from base64 import b64encode
from collections.abc import Sequence
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


def sheets(
    image: npt.NDArray[np.uint8],
    layers: Sequence[tuple[str, npt.NDArray[np.integer[Any]]]],
    *,
    start: int,
    voxel_size: VoxelSize,
    key: str,
) -> dict[str, Any]:
    """What the browser needs of a stack (z, y, x) and its label layers of the same shape.

    ``start`` is the first section's index in its volume.
    """
    depth, height, width = image.shape
    step = -(-depth // MAX_SECTIONS)
    thin = -(-max(height, width) // MAX_EDGE)
    cut = np.s_[::step, ::thin, ::thin]
    grey = image[cut]
    count, rows, columns = grey.shape
    across = max(1, min(count, 4096 // columns))
    low, high = (int(v) for v in np.percentile(grey, (0.5, 99.5)))
    ramp = np.clip((np.arange(256) - low) * (255 / max(high - low, 1)), 0, 255).astype(np.uint8)
    return {
        "key": key,
        "count": count,
        "width": columns,
        "height": rows,
        "columns": across,
        "start": start,
        "step": step,
        "nm": voxel_size[0],
        "grey": _url(Image.fromarray(_sheet(ramp[grey], across)), "JPEG", quality=82),
        "layers": [
            {"title": title, "sheet": _url(_painted(_sheet(ids[cut], across)), "PNG")}
            for title, ids in layers
        ],
    }


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
    """Ids in their colours, background clear."""
    names, places = np.unique(ids, return_inverse=True)
    colours = np.zeros((len(names), 4), np.uint8)
    colours[:, :3] = render.instance_colour(names)
    colours[:, 3] = np.where(names == 0, 0, 255)
    return Image.fromarray(colours[places.reshape(ids.shape)])


def _url(picture: Image.Image, form: str, **options: Any) -> str:
    out = io.BytesIO()
    if form == "PNG":
        options["compress_level"] = 1
    picture.save(out, form, **options)
    return f"data:image/{form.lower()};base64,{b64encode(out.getvalue()).decode()}"
