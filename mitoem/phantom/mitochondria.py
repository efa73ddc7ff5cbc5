"""Mitochondria of a phantom: carved exactly into labels from their plans."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from mitoem.geometry import Index
from mitoem.phantom.bodies import OUTSIDE, Noise, Window, quantise, sweep, window_of
from mitoem.phantom.grid import PAD, PITCH, Floats, refine
from mitoem.phantom.plans import Plan
from mitoem.phantom.tissue import Frame, Walls

_GAP = 30.0
"""Cytoplasm left between a mitochondrion and the membrane of its cell, nm."""
_SMALLEST = 1500
_KEPT = 0.5
"""A body of which membranes leave less than this is given up."""
_RIM = np.ones((3, 3, 3), bool)


@dataclass(frozen=True, slots=True)
class Mitochondrion:
    """A carved mitochondrion: id, window, signed distance in units of 2 nm, and its plan."""

    identity: int
    window: Window
    distance: NDArray[np.int8]
    plan: Plan
    shift: Index


def carve(
    frame: Frame,
    plans: list[Plan],
    walls: Walls,
    labels: NDArray[np.uint16],
    *,
    goal: int,
    rng: np.random.Generator,
) -> list[Mitochondrion]:
    """Cut the planned mitochondria into labels, one 26-connected component each, ids from 1.

    A plan that is broken by a membrane, too small, or too near another is given up.
    """
    noise = Noise(rng, (1.4, 5.0, 5.0))
    made: dict[int, Mitochondrion] = {}
    for number, p in enumerate(plans):
        if len(made) >= goal:
            break
        window = window_of(frame, p.tube, 45.0)
        if window is None:
            continue
        shift: Index = (int(rng.integers(24)), int(rng.integers(128)), int(rng.integers(128)))
        body, whole = _body(frame, p, window, walls, noise.at(window, shift))
        there, own = labels[window.index], 0
        if (partner := made.get(p.partner)) is not None:
            own = partner.identity
            # Each keeps a membrane of its own where they touch.
            np.maximum(body, -_distance_in(window, partner), out=body)
        if np.any((body < 35.0) & (there > 0) & (there != own)):
            continue
        inside = _largest((body < 0) & (there == 0), p)
        if inside is None or np.count_nonzero(inside) < _KEPT * whole:
            continue
        if own and own not in _beside(inside, there):
            continue
        body[~inside & (body < 0)] = 12.0
        there[inside] = len(made) + 1
        made[number] = Mitochondrion(len(made) + 1, window, quantise(body), p, shift)
    return list(made.values())


def _body(frame: Frame, p: Plan, window: Window, walls: Walls, noise: Floats) -> tuple[Floats, int]:
    """Signed distance of a mitochondrion kept inside its cell, and its voxels if it were not."""
    body = sweep(frame, p.tube, window)
    limit = 5.0 if p.thin > 0 else 12.0
    body += noise * np.float32(limit * 0.6)
    whole = int(np.count_nonzero(body < 0))
    low = [max(0, s.start // PITCH + PAD - 2) for s in (window.rows, window.columns)]
    high = [s.stop // PITCH + PAD + 4 for s in (window.rows, window.columns)]
    rows, columns = slice(low[0], high[0]), slice(low[1], high[1])
    cell = walls.inside(p.code, window.sections, rows, columns)
    start = (window.rows.start - low[0] * PITCH, window.columns.start - low[1] * PITCH)
    fine = refine(cell, start, window.shape[1:])
    np.subtract(np.float32(_GAP), fine, out=fine)
    return np.maximum(body, fine, out=body), whole


def _largest(inside: NDArray[np.bool_], p: Plan) -> NDArray[np.bool_] | None:
    """The largest component, or None where the body is too small or its string is broken."""
    parts, count = ndimage.label(inside, _RIM)
    if count == 0:
        return None
    sizes = np.bincount(parts.ravel())[1:]
    best = int(sizes.argmax())
    if sizes[best] < _SMALLEST or (p.thin > 0 and sizes[best] < 0.9 * sizes.sum()):
        return None
    return np.asarray(parts == best + 1)


def _distance_in(window: Window, m: Mitochondrion) -> Floats:
    """Signed distance in nm of another mitochondrion over a window."""
    distance = np.full(window.shape, OUTSIDE, np.float32)
    here, there = [], []
    for a, b in zip(window.index, m.window.index, strict=True):
        low, high = max(a.start, b.start), max(a.start, b.start, min(a.stop, b.stop))
        here.append(slice(low - a.start, high - a.start))
        there.append(slice(low - b.start, high - b.start))
    distance[tuple(here)] = m.distance[tuple(there)] * np.float32(2.0)
    return distance


def _beside(inside: NDArray[np.bool_], labels: NDArray[np.uint16]) -> list[int]:
    """Ids other than 0 with voxels outside a mask and beside it (26-connected)."""
    others = (labels > 0) & ~inside
    if not others.any():
        return []
    (box,) = ndimage.find_objects(others.astype(np.uint8))
    near = tuple(slice(max(0, s.start - 1), s.stop + 1) for s in box)
    rim = ndimage.binary_dilation(inside[near], _RIM) & others[near]
    return [int(k) for k in np.unique(labels[near][rim])]


def contacts(labels: NDArray[np.uint16], made: list[Mitochondrion]) -> list[tuple[int, int]]:
    """All pairs of ids that have voxels side by side (26-connected)."""
    pairs: set[tuple[int, int]] = set()
    for m in made:
        part = labels[m.window.index]
        for other in _beside(part == m.identity, part):
            pairs.add((min(m.identity, other), max(m.identity, other)))
    return sorted(pairs)
