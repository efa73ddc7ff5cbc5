"""How to get MitoEM: its files, the commands, and whether the disks of this server have room."""

from __future__ import annotations

import math
import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd
import streamlit as st

from mitoem import pyramid
from mitoem.front.agreement import LABELLED_HALF
from mitoem.geometry import MITOEM_SHAPE, MITOEM_VOXEL_SIZE
from mitoem.ui import facts, signin
from mitoem.volume import path_of

COMMANDS = """# Checksums are not published: keep your own, a later copy can be held against them.
sha256sum EM30-R-im.zip EM30-R-mito-train-val-v2.zip EM30-H-im.zip EM30-H-mito-train-val-v2.zip

# The zips are read in place; ingest measures the instances too, and resumes where it was stopped.
python -m mitoem ingest R --image EM30-R-im.zip --labels EM30-R-mito-train-val-v2.zip
python -m mitoem ingest H --image EM30-H-im.zip --labels EM30-H-mito-train-val-v2.zip

# Every file, chunk, level and count of what was written.
python -m mitoem check R --deep
python -m mitoem check H --deep"""

_VOXELS = math.prod(MITOEM_SHAPE)
_GB = 1e9

_LABELS = LABELLED_HALF.size * 0.15
"""Bytes reckoned for the labels of the labelled half, which compress well."""

NEEDED = int(_VOXELS * 1.45 + _LABELS) + (1 << 24)
"""Free bytes that ingest asks for before it writes one MitoEM volume."""


@dataclass(frozen=True, slots=True)
class Room:
    """One data root: whether it is read or written, free bytes (None from afar), a verdict."""

    root: str
    use: str
    free: int | None
    verdict: str


def section(roots: Sequence[str]) -> None:
    """Files, commands and, for those at their own machine, the disk check."""
    where = facts.card()["where"]
    st.markdown(
        f"1. Register at [{where.split('//')[1].strip('/')}]({where}) and download the images and "
        "labels of each volume; the terms do not allow passing them on.\n"
        "2. Three lines per volume make it browsable here and prove that it is whole."
    )
    st.table(files(), width="content")
    st.code(COMMANDS, language="bash")
    st.caption(
        "The digest that `sha256sum` prints is kept on the card of the volume. On macOS it is "
        "`shasum -a 256`, on Windows `certutil -hashfile FILE SHA256`. Other forms of the data "
        "(NIfTI, HDF5, Zarr, folders of slices) are recognised by their content; the padded "
        "`EM30-H-im-pad.zip` needs `--crop`."
    )
    if signin.enabled():
        return  # the disks are of a server whose people are its guests
    st.subheader("Room on the disks")
    st.table(rooms_table(rooms(roots)), width="content")
    st.caption(
        f"One volume takes about {stored() / _GB:.0f} GB with its coarser levels, as grey values "
        f"hardly compress; {_LABELS / _GB:.1f} GB are reckoned for its labels. The zips come "
        f"beside it. Ingest asks for {NEEDED / _GB:.1f} GB free before it writes, and writes into "
        "the first root alone."
    )


def files() -> pd.DataFrame:
    """The official archives; sizes and checksums where any are published."""
    names = {
        "file": "File",
        "holds": "What it holds",
        "download": "Download size",
        "sha256": "SHA-256",
    }
    out = pd.DataFrame(facts.card()["files"]).rename(columns=names)
    out["File"] = [f"`{name}`" for name in out["File"]]
    return out.set_index("File")


def stored() -> int:
    """Bytes of one MitoEM image on disk, were no grey value compressed: all its levels."""
    factors = pyramid.level_factors(MITOEM_SHAPE, MITOEM_VOXEL_SIZE)
    return sum(_VOXELS // math.prod(one) for one in factors)


def rooms(roots: Sequence[str], *, needed: int = NEEDED) -> tuple[Room, ...]:
    """The disk check of every data root, in their order; the first is the one that is written."""
    return tuple(_room(root, first=number == 0, needed=needed) for number, root in enumerate(roots))


def place(root: str) -> str:
    """A data root as a person writes it: a directory, or a URL."""
    return str(path_of(root) or root)


def _room(root: str, *, first: bool, needed: int) -> Room:
    path = path_of(root)
    if path is None:
        why = "; the first data root must be a directory" if first else ""
        return Room(root, "read-only, from afar", None, f"nothing is written there{why}")
    there = next(one for one in (path, *path.parents) if one.exists())
    free = shutil.disk_usage(there).free
    if not os.access(there, os.W_OK):
        return Room(str(path), "read-only, a directory", free, "may not be written")
    fits = free // needed
    verdict = (
        "enough for both volumes"
        if fits >= 2
        else "enough for one volume"
        if fits
        else "not enough for a volume"
    )
    return Room(str(path), "written" if first else "read; ingest writes elsewhere", free, verdict)


def rooms_table(found: Sequence[Room]) -> pd.DataFrame:
    """The disk check to read."""
    colours = {"enough": "green", "not": "red"}
    rows = []
    for one in found:
        colour = colours.get(one.verdict.split()[0])
        rows.append(
            {
                "Data root": f"`{one.root}`",
                "Use": one.use,
                "Free": "–" if one.free is None else f"{one.free / _GB:,.1f} GB",
                "Needed for one · both": f"{NEEDED / _GB:.1f} · {2 * NEEDED / _GB:.1f} GB"
                if one.free is not None
                else "–",
                "Verdict": f":{colour}-badge[{one.verdict}]" if colour else one.verdict,
            }
        )
    return pd.DataFrame(rows).set_index("Data root")
