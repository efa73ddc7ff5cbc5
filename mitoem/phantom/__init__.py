"""Synthetic EM volumes with exact labels, for the demo, for tests and for training.

``make`` draws a block of tissue that does not exist: neurites, membranes and organelles as
geometry first, then as a microscope would see them, section by section. Nothing is copied from
real data. Sizes and densities follow what Wei et al. (MICCAI 2020) count in the MitoEM volumes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypedDict

import numpy as np
from numpy.typing import NDArray

from mitoem.errors import RequestInvalid
from mitoem.geometry import MITOEM_VOXEL_SIZE, Index, VoxelSize
from mitoem.phantom.mitochondria import Mitochondrion, carve, contacts
from mitoem.phantom.organelles import furnish
from mitoem.phantom.plans import BUILDS, plan, wanted
from mitoem.phantom.render import Painter, Scene
from mitoem.phantom.tissue import Frame, build_walls, grow

Kind = Literal["r", "h"]

DEFAULT_SHAPE: Index = (64, 1024, 1024)
DEFAULT_SEED = {"r": 2020, "h": 2021}


class Description(TypedDict):
    """What is special about which ids, and how much of everything there is."""

    instances: int
    on_a_string: dict[int, float]
    """Ids of mitochondria-on-a-string → diameter of their thin tube, nm."""
    touching: list[tuple[int, int]]
    """Pairs of ids with voxels side by side (26-connected)."""
    cut: list[int]
    """Ids that a face of the volume cuts."""
    cells: int
    vesicles: int
    synapses: int


@dataclass(frozen=True, slots=True)
class Phantom:
    """A synthetic volume: image uint8 and labels uint16 (z, y, x), ids 1..n, voxel in nm."""

    image: NDArray[np.uint8]
    labels: NDArray[np.uint16]
    voxel_size: VoxelSize
    kind: Kind
    seed: int
    description: Description


def make(kind: Kind, *, shape: Index = DEFAULT_SHAPE, seed: int | None = None) -> Phantom:
    """A phantom in the manner of MitoEM-R (``"r"``) or MitoEM-H (``"h"``).

    ``shape`` is (z, y, x) in voxels of 30 × 8 × 8 nm. One seed gives the same bytes every time.
    Each id is one 26-connected component, and its voxels are exactly the body that is drawn.
    Raises RequestInvalid for another kind or an empty shape.
    """
    if kind not in BUILDS:
        raise RequestInvalid(f"phantom kind {kind!r} is neither 'r' nor 'h'")
    if len(shape) != 3 or min(shape) < 1:
        raise RequestInvalid(f"phantom shape {shape} is not three positive edges (z, y, x)")
    seed = DEFAULT_SEED[kind] if seed is None else seed
    root = np.random.SeedSequence([seed, ord(kind)])
    rngs = [np.random.default_rng(s) for s in root.spawn(6)]
    build = BUILDS[kind]
    frame = Frame(shape, MITOEM_VOXEL_SIZE, rngs[0].normal(0.0, 5.5, (shape[0], 2)))
    cells = grow(frame, rngs[1])
    plans = plan(frame, cells, build, rngs[2])
    walls = build_walls(frame, cells)
    labels = np.zeros(shape, np.uint16)
    made = carve(frame, plans, walls, labels, goal=wanted(frame, build), rng=rngs[3])
    organelles = furnish(frame, cells, walls, rngs[4])
    giant = next((c for c in cells if c.kind == "giant"), None)
    painter = Painter(Scene(frame, walls, made, organelles, giant), rngs[5])
    image = np.empty(shape, np.uint8)
    for z, sequence in enumerate(root.spawn(shape[0])):
        image[z] = painter.section(z, np.random.Generator(np.random.SFC64(sequence)))
    description: Description = {
        "instances": len(made),
        "on_a_string": _strings(frame, made),
        "touching": contacts(labels, made),
        "cut": _cut(labels),
        "cells": len(cells),
        "vesicles": len(organelles.vesicles.place),
        "synapses": len(organelles.synapses.place),
    }
    return Phantom(image, labels, MITOEM_VOXEL_SIZE, kind, seed, description)


def _strings(frame: Frame, made: list[Mitochondrion]) -> dict[int, float]:
    """Those whose two swellings both lie in the volume."""
    return {
        m.identity: round(m.plan.thin, 1)
        for m in made
        if m.plan.thin > 0 and frame.holds(m.plan.tube.path, 0.0).all()
    }


def _cut(labels: NDArray[np.uint16]) -> list[int]:
    """Ids with voxels on a face of the volume."""
    faces = [labels[0], labels[-1], labels[:, 0], labels[:, -1], labels[:, :, 0], labels[:, :, -1]]
    ids = np.unique(np.concatenate([np.unique(f) for f in faces]))
    return [int(i) for i in ids if i]
