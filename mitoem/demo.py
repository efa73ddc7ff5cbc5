"""The two synthetic volumes that ship with the project: drawn, written and measured."""

from __future__ import annotations

import hashlib
import multiprocessing
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path
from typing import Literal

import numpy as np

from mitoem import catalog, front, manifest, phantom
from mitoem.geometry import Index
from mitoem.ingestion import assemble, placing

NAMES: dict[str, Literal["r", "h"]] = {"phantom-r": "r", "phantom-h": "h"}
"""Volume name → kind of phantom."""


def missing(data: str | Path | None = None) -> list[str]:
    """The demo volumes that are not there yet."""
    there = set(catalog.from_environment(data).names())
    return [name for name in NAMES if name not in there]


def build(
    data: str | Path | None = None, *, progress: Callable[[float, str], None] | None = None
) -> list[str]:
    """Make the demo volumes that are missing, each in a process of its own; returns their names."""
    names = missing(data)
    if not names:
        return []
    root = str(catalog.from_environment(data).writable)
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(len(names), mp_context=context) as pool:
        futures = {pool.submit(make, root, name): name for name in names}
        for done, future in enumerate(as_completed(futures), start=1):
            future.result()
            if progress is not None:
                progress(done / len(names), futures[future])
    return names


def make(
    root: str | Path,
    name: str,
    *,
    shape: Index = phantom.DEFAULT_SHAPE,
    seed: int | None = None,
    measured: bool = True,
) -> None:
    """Draw one phantom and write it into a data root, marked synthetic in all that it says."""
    kind = NAMES[name]
    drawn = phantom.make(kind, shape=shape, seed=seed)
    manner = "rat" if kind == "r" else "human"
    facts = assemble.Facts(
        title=f"{name} (synthetic phantom)",
        voxel_size=drawn.voxel_size,
        voxel_size_source="as drawn",
        synthetic=True,
        sources=(_source("image", drawn.image, drawn), _source("truth", drawn.labels, drawn)),
        licence="CC0-1.0",
        description=(
            f"Synthetic electron micrograph in the manner of MitoEM's {manner} volume, drawn by "
            f"this program from seed {drawn.seed}. It shows no real tissue."
        ),
    )
    volume = assemble.create_volume(
        Path(root),
        name,
        image=placing.from_array(drawn.image),
        labels=assemble.NewLabels(
            "truth", (placing.from_array(drawn.labels),), np.dtype(np.uint16)
        ),
        facts=facts,
    )
    if measured:
        front.measure(volume, data=root)


def _source(role: str, array: np.ndarray, drawn: phantom.Phantom) -> manifest.Source:
    digest = hashlib.sha256(np.ascontiguousarray(array).tobytes()).hexdigest()
    made = f"mitoem.phantom.make({drawn.kind!r}, seed={drawn.seed})"
    return manifest.Source(role, made, "synthetic phantom", array.nbytes, digest)
