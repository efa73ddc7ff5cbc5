"""A view of a volume as a link that opens it in Neuroglancer, on the same voxels.

Source: Neuroglancer's documentation, "Viewer state" and "zarr". A browser reads from plain
``http`` on a page served by ``https`` only when the server is this very machine; elsewhere serve
the pages by ``https``, or name a viewer of your own in ``MITOEM_NEUROGLANCER``.
"""

from __future__ import annotations

import json
import os
from typing import Any, Final
from urllib.parse import quote

from mitoem.manifest import VolumeInfo
from mitoem.render import instance_colour
from mitoem.view import View

VIEWER: Final = "https://neuroglancer-demo.appspot.com"
"""Where Neuroglancer runs unless ``MITOEM_NEUROGLANCER`` says otherwise."""

LAYOUTS: Final = {"quad": "4panel", "z": "xy", "y": "xz", "x": "yz", "3d": "3d"}
"""Our layouts and Neuroglancer's."""

FIT_PIXELS: Final = 600
"""Screen pixels that a view without a zoom spreads the volume over: about one of four panes."""


def state(info: VolumeInfo, view: View, *, base_url: str) -> dict[str, Any]:
    """Neuroglancer's state of a view; ``base_url`` is where this server's routes answer.

    Dimensions in m, position (x, y, z) in level-0 voxels: a whole number is a voxel's centre, as
    Neuroglancer takes OME-Zarr.
    """
    smallest = min(info.voxel_size)
    extent = max(n * edge for n, edge in zip(info.shape, info.voxel_size, strict=True))
    scale = extent / smallest / FIT_PIXELS
    if view.zoom is not None:
        scale = info.voxel_size[2] / smallest / view.zoom
    nm = dict(zip("zyx", info.voxel_size, strict=True))
    return {
        "title": info.title,
        "dimensions": {axis: [nm[axis] / 1e9, "m"] for axis in "xyz"},
        "position": [view.x, view.y, view.z],
        "crossSectionScale": scale,
        "projectionScale": extent / smallest * 1.5,
        "layers": _layers(info, view, base_url.rstrip("/")),
        "layout": LAYOUTS[view.layout],
    }


def link(info: VolumeInfo, view: View, *, base_url: str) -> str:
    """The address that opens a view in Neuroglancer."""
    viewer = os.environ.get("MITOEM_NEUROGLANCER") or VIEWER
    text = json.dumps(state(info, view, base_url=base_url), separators=(",", ":"))
    return f"{viewer.rstrip('/')}/#!{quote(text, safe='')}"


def _layers(info: VolumeInfo, view: View, base: str) -> list[dict[str, Any]]:
    """The image, and the labels of the view over it."""
    files = f"{base}/zarr/{info.name}/"
    low, high = view.window
    image: dict[str, Any] = {
        "type": "image",
        "name": "image",
        "source": f"{files}|zarr3:",
        "shaderControls": {
            "normalized": {"range": [high, low] if view.invert else [low, high], "window": [0, 255]}
        },
    }
    if view.labels is None:
        return [image]
    selected, others = (percent / 100 for percent in view.op)
    labels = {
        "type": "segmentation",
        "name": view.labels,
        "source": f"{files}labels/{view.labels}/|zarr3:",
        "segments": [str(one) for one in view.sel],
        # Without a selection Neuroglancer shows all instances as selected ones.
        "selectedAlpha": selected if view.sel else others,
        "notSelectedAlpha": 0 if view.solo else others,
        "segmentColors": {
            str(one): "#{:02x}{:02x}{:02x}".format(*colour)
            for one, colour in zip(
                view.sel, instance_colour(view.sel, seed=view.seed).tolist(), strict=True
            )
        },
    }
    return [image, labels]
