"""Choosing the box of a volume that the model runs on."""

from __future__ import annotations

import math

import streamlit as st

from mitoem import inference
from mitoem.errors import BoxInvalid
from mitoem.geometry import Box, Index, VoxelSize
from mitoem.manifest import VolumeInfo
from mitoem.ui import address, cache, panels, uploads
from mitoem.ui.address import Here
from mitoem.ui.facts import plain

MAX_VOXELS = 64 * 1024 * 1024
"""Largest crop of the page: about 1.6 GB while it runs. The command line has no such limit."""

DEFAULT: Index = (32, 256, 256)

_WAYS = ("View", "Instance", "Numbers", "Upload")


def choose(at: Here | None) -> Box | None:
    """The box that the person chose, or None while there is none: an upload is not yet a volume.

    Without a volume there is nothing but to upload one. Raises BoxInvalid or BoxOutside for a box
    that cannot be.
    """
    if at is None:
        _upload()
        return None
    if at.info.name == st.session_state.pop("crop_arrived", ""):
        _use(at.info.name, largest(Box.whole(at.info.shape)))
    if "crop_from" not in st.session_state:
        st.session_state["crop_from"] = "Upload" if uploads.waits() else _WAYS[0]
    way = st.segmented_control(
        "Crop from", _WAYS, required=True, key="crop_from", persist_state="session"
    )
    if way == "Upload":
        _upload()
        return None
    if way == "Instance":
        return _of_instance(at)
    if way == "Numbers":
        return _of_numbers(at.info)
    return _of_view(at)


def _upload() -> None:
    """Take in a file; once it is a volume, go there, with its largest crop that fits."""
    name = uploads.arrived()
    if name is None:
        uploads.image()
        return
    address.enter(name)
    address.change(upload=None)
    st.session_state["crop_arrived"] = name
    address.rerun()


def facts(box: Box, info: VolumeInfo) -> str:
    """Size, extent, split, and what a run will take on this machine."""
    size = " × ".join(str(n) for n in box.shape)
    extent = " × ".join(
        f"{n * v / 1000:.2f}" for n, v in zip(box.shape, info.voxel_size, strict=True)
    )
    cost = estimate(box.shape, info.voxel_size, flips=bool(st.session_state.get("flips")))
    return (
        f"`{box}` · {split(box, info)}  \n**{size}** voxels (z, y, x)  \n**{extent}** µm  \n"
        f"about **{max(1, round(cost[0]))} s** when idle · **{cost[1] / 1e9:.1f} GB** of memory"
    )


def fits(box: Box, info: VolumeInfo) -> bool:
    """Whether a crop is within the page's limit; else say so, and offer the largest that is."""
    if box.size <= MAX_VOXELS:
        return True
    panels.error(
        BoxInvalid(f"crop of {box.size:,} voxels, expected at most {MAX_VOXELS:,} on this page")
    )
    smaller = largest(box)
    st.button(
        "Use the largest that fits",
        key="crop_largest",
        icon=":material/crop:",
        width="stretch",
        on_click=_use,
        args=(info.name, smaller),
    )
    st.caption(f"`{smaller}`, or run all of it from the command line: `predict {info.name}`.")
    return False


def largest(box: Box) -> Box:
    """The largest part around the middle of a box within the page's limit.

    Sections go first, down to as many as the network looks at; then the plane shrinks.
    """
    nz, ny, nx = box.shape
    depth = min(nz, max(min(nz, DEFAULT[0]), MAX_VOXELS // (ny * nx)))
    scale = min(1.0, math.sqrt(MAX_VOXELS / (depth * ny * nx)))
    shape = (depth, max(1, int(ny * scale)), max(1, int(nx * scale)))
    z, y, x = (a + (n - m) // 2 for a, n, m in zip(box.start, box.shape, shape, strict=True))
    return Box((z, y, x), (z + shape[0], y + shape[1], x + shape[2]))


def _use(volume: str, box: Box) -> None:
    """Choose this box by its numbers; for callbacks, and before the widgets are drawn."""
    st.session_state["crop_from"] = "Numbers"
    st.session_state[f"crop_box_{volume}"] = str(box)


def split(box: Box, info: VolumeInfo) -> str:
    """The splits that the box's sections belong to."""
    inside = [s.name for s in info.splits if s.start < box.stop[0] and s.stop > box.start[0]]
    return " and ".join(inside) if inside else "in no split"


@st.cache_data(max_entries=64, show_spinner=False)
def estimate(shape: Index, voxel_size: VoxelSize, *, flips: bool) -> tuple[float, int]:
    """Seconds and bytes that a crop takes."""
    found = inference.estimate(shape, voxel_size=voxel_size, flips=flips)
    return found.seconds, found.bytes


def _of_view(at: Here) -> Box:
    columns = st.columns(3)
    size = [
        column.number_input(
            f"{axis} voxels",
            min_value=min(4 if axis == "z" else 32, at.info.shape[n]),
            max_value=int(at.info.shape[n]),
            value=min(DEFAULT[n], at.info.shape[n]),
            step=8 if axis == "z" else 64,
            key=f"crop_{axis}_{at.info.name}",
            persist_state="session",
        )
        for n, (axis, column) in enumerate(zip("zyx", columns, strict=True))
    ]
    st.caption(f"around the crosshair of Explore: z {at.view.z}, y {at.view.y}, x {at.view.x}")
    starts = [
        min(max(0, centre - n // 2), whole - n)
        for centre, n, whole in zip(at.view.position, size, at.info.shape, strict=True)
    ]
    return Box(
        (starts[0], starts[1], starts[2]),
        (starts[0] + size[0], starts[1] + size[1], starts[2] + size[2]),
    )


def _of_instance(at: Here) -> Box:
    left, right = st.columns(2)
    wished = left.number_input(
        "Instance id", min_value=1, value=at.view.sel[0] if at.view.sel else 1, step=1
    )
    margin = right.number_input("Margin (nm)", min_value=0, value=250, step=50)
    if not at.view.labels:
        raise BoxInvalid(f"volume {at.info.name!r} has no labels: choose another way")
    table = cache.table(at.volume, at.view.labels)
    row = table[table["instance_id"] == wished]
    if row.empty:
        raise BoxInvalid(f"no instance {wished} in labels {at.view.labels!r}")
    low, high = ([int(row[f"bbox_{axis}{end}"].iloc[0]) for axis in "zyx"] for end in (0, 1))
    grow = [round(margin / v) for v in at.info.voxel_size]
    box = Box((low[0], low[1], low[2]), (high[0], high[1], high[2]))
    return box.grow((grow[0], grow[1], grow[2]), within=at.info.shape)


def _of_numbers(info: VolumeInfo) -> Box:
    middle = [max(0, (n - d) // 2) for n, d in zip(info.shape, DEFAULT, strict=True)]
    first = ",".join(
        f"{a}:{min(a + d, n)}" for a, d, n in zip(middle, DEFAULT, info.shape, strict=True)
    )
    key = f"crop_box_{info.name}"
    if key not in st.session_state:
        st.session_state[key] = first
    text = st.text_input("Box z0:z1,y0:y1,x0:x1", key=key, persist_state="session")
    said = uploads.line(info.name)
    if said:
        st.caption(f"Taken in: {plain(said)}")
    return Box.parse(text).inside(info.shape)
