"""What is asked beside an uploaded file: a name, three lengths, the array in it.

``before`` is the request of a try that failed: its words stand there again. ``tag`` tells one
file's fields from those of the next.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from pathlib import PurePath
from typing import Any

import streamlit as st

TYPES = ("nii", "gz", "tif", "tiff", "h5", "hdf5", "hdf", "npz", "npy", "zip")
"""Endings of the files that ingest reads."""

SEVERAL = (".h5", ".hdf5", ".hdf", ".npz", ".zip")
"""Endings of files that may hold several arrays."""

_NO_NAME = {".ome", ".zarr", *(f".{one}" for one in TYPES)}


def name(
    label: str, before: Mapping[str, Any], file_name: str, tag: str, *, taken: Collection[str]
) -> str:
    """A name that is free, or empty text for one that is not."""
    first = str(before.get("name") or free_name(file_name, taken))
    given = st.text_input(label, value=first, max_chars=64, key=f"upload_name_{tag}").strip()
    if given in taken:
        st.caption(f":material/error: `{given}` is taken: choose another name.")
        return ""
    return given


def free_name(file_name: str, taken: Collection[str]) -> str:
    """A name from a file's, without its endings, in the letters that names have.

    >>> free_name("my crop (1).nii.gz", ["my-crop-1"])
    'my-crop-1-2'
    """
    stem = PurePath(file_name)
    while stem.suffix.lower() in _NO_NAME:
        stem = stem.with_suffix("")
    plain = re.sub(r"[^A-Za-z0-9._-]+", "-", stem.name).strip("-._")[:56].rstrip("-._") or "upload"
    numbered = (plain, *(f"{plain}-{n}" for n in range(2, len(taken) + 3)))
    return next(one for one in numbered if one not in taken)


def key(before: Mapping[str, Any], file_name: str, tag: str) -> str:
    """The name of the array in a file of several; empty for the one that is there, or the first."""
    if not before.get("key") and not file_name.lower().endswith(SEVERAL):
        return ""
    return st.text_input(
        "Array in the file",
        value=str(before.get("key") or ""),
        placeholder="only needed where it holds several",
        key=f"upload_key_{tag}",
    ).strip()


def three(
    what: str, before: Any, tag: str, *, of: Callable[[float], float], empty: str
) -> list[float] | None:
    """Three numbers z, y, x; an empty list where all are left out, None where only some are."""
    low, step = (0, 1) if of is int else (0.001, 1.0)
    given = []
    for n, (axis, column) in enumerate(zip("zyx", st.columns(3), strict=True)):
        given.append(
            column.number_input(
                f"{what} {axis}{' (nm)' if of is float else ''}" if axis == "z" else axis,
                min_value=of(low),
                max_value=of(10_000_000),
                value=of(before[n]) if before else None,
                step=of(step),
                placeholder=empty,
                key=f"upload_{what}_{axis}_{tag}",
            )
        )
    numbers = [of(one) for one in given if one is not None]
    if len(numbers) in (1, 2) or (empty == "needed" and not numbers):
        st.caption(":material/error: Give all three numbers, along z, y and x.")
        return None
    return numbers
