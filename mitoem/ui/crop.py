"""Choosing the box of a volume that the model runs on."""

from __future__ import annotations

import streamlit as st

from mitoem import inference
from mitoem.errors import BoxInvalid
from mitoem.geometry import Box, Index, VoxelSize
from mitoem.manifest import VolumeInfo
from mitoem.ui import cache
from mitoem.ui.address import Here

MAX_VOXELS = 64 * 1024 * 1024
"""Largest crop of the page: about 1.6 GB while it runs. The command line has no such limit."""

DEFAULT: Index = (32, 256, 256)

_WAYS = ("View", "Instance", "Numbers")


def choose(at: Here) -> Box:
    """The box that the person chose; raises BoxInvalid or BoxOutside for one that cannot be."""
    way = st.segmented_control(
        "Crop from", _WAYS, default="View", required=True, key="crop_from", persist_state="session"
    )
    if way == "Instance":
        return _of_instance(at)
    if way == "Numbers":
        return _of_numbers(at.info)
    return _of_view(at)


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


def check_size(box: Box) -> None:
    """Raise BoxInvalid for a crop beyond the page's limit, offering the largest that fits."""
    if box.size > MAX_VOXELS:
        depth = max(1, MAX_VOXELS // (box.shape[1] * box.shape[2]))
        fits = Box(box.start, (box.start[0] + depth, *box.stop[1:]))
        offer = f"the same with fewer sections fits: {fits}" if fits.size <= MAX_VOXELS else ""
        raise BoxInvalid(
            f"crop of {box.size:,} voxels, expected at most {MAX_VOXELS:,} here; {offer or ''}"
            " or run it from the command line"
        )


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
            min_value=4 if axis == "z" else 32,
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
    text = st.text_input(
        "Box z0:z1,y0:y1,x0:x1", value=first, key=f"crop_box_{info.name}", persist_state="session"
    )
    return Box.parse(text).inside(info.shape)
