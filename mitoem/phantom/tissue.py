"""The tissue of a phantom: neurites of many calibres that fill space, and their membranes.

Every cell is a chain of balls along a curved path, and space goes to the cell whose surface is
nearest (the additively weighted Voronoi diagram: large cells stay round, small ones fill in). A
cell carries a code of five bits, and bit b has a field of the signed distance to the membranes
between cells that differ in it. Signed distances interpolate well, so a coarse grid gives smooth
membranes at full resolution; neighbours of one code, a pair in twenty, look as one cell.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from mitoem.geometry import Index, VoxelSize
from mitoem.phantom.grid import PAD, PITCH, Doubles, Floats

BITS = 5
GLIA, GIANT, MYELIN = 0, 30, 31
"""Codes that no other kind of cell has; glia touching glia is one cell, as it looks in EM."""
_DENDRITES, _AXONS = range(1, 10), range(10, 30)
REACH = 160.0
"""Signed distances are cut off here, nm."""
_WINDOW = 170.0
"""How far from its surface a cell may claim space, nm."""
_GAP = 70.0
"""Space further than this from every cell belongs to glia, nm."""
_SLAB = 40
_MARGIN = 150.0


@dataclass(frozen=True, slots=True)
class Frame:
    """The space that a phantom shows: its shape and voxel, and where each section really lies."""

    shape: Index
    voxel_size: VoxelSize
    drift: NDArray[np.float64]
    """Misalignment of each section in nm, (z, 2), as (y, x)."""

    @property
    def extent(self) -> NDArray[np.float64]:
        """Edges of the volume in nm (z, y, x)."""
        return np.asarray(np.array(self.shape) * np.array(self.voxel_size), np.float64)

    def holds(self, points: NDArray[np.float64], margin: float) -> NDArray[np.bool_]:
        """Which points (…, 3) in nm lie in the volume grown by ``margin`` nm."""
        inside = (points > -margin) & (points < self.extent + margin)
        return np.asarray(inside.all(axis=-1))


@dataclass(slots=True)
class Cell:
    """One neurite or glial process: the balls that it is made of, in order along its path."""

    kind: str
    path: NDArray[np.float64]
    radius: NDArray[np.float64]
    code: int


@dataclass(frozen=True, slots=True)
class Calibre:
    """How thick the cells of a kind are, and which part of space they would like to fill."""

    kind: str
    radius: float
    spread: float
    beads: float
    share: float
    curl: float
    bundled: float
    """Part of them that runs with one of the bundles of the tissue."""

    @property
    def step(self) -> float:
        """Way between the balls of a chain, nm: thick cells show scallops sooner."""
        return self.radius * (0.6 if self.radius > 200 else 0.8)


CALIBRES = (
    Calibre("dendrite", 300.0, 0.36, 0.18, 0.24, 0.08, 0.4),
    Calibre("myelin", 330.0, 0.2, 0.05, 0.02, 0.05, 0.5),
    Calibre("axon", 105.0, 0.35, 0.42, 0.46, 0.13, 0.6),
    Calibre("fine", 72.0, 0.28, 0.32, 0.48, 0.18, 0.6),
    Calibre("glia", 85.0, 0.40, 0.55, 0.14, 0.60, 0.0),
)


def grow(frame: Frame, rng: np.random.Generator) -> list[Cell]:
    """Cells enough to fill the frame, the thick ones first."""
    cells = _giant(frame, rng)
    bundles = rng.normal(size=(4, 3))
    # A margin, so that a volume of one voxel does not wait for a path to hit it.
    volume = float(np.prod(frame.extent + 2 * _MARGIN))
    for calibre in CALIBRES:
        goal = calibre.share * volume
        if calibre.kind == "myelin":
            goal *= rng.random() * 2
        reach = 2.5 * calibre.radius + 100
        while goal > 0:
            for cell in _walk(frame, calibre, bundles, reach, rng):
                inside = frame.holds(cell.path, _MARGIN)
                goal -= float((np.pi * cell.radius**2)[inside].sum()) * calibre.step
                if inside.any():
                    _give_code(cell, cells, rng)
                    cells.append(cell)
                if goal <= 0:
                    break
            if calibre.kind == "myelin":
                break
    return cells


def _giant(frame: Frame, rng: np.random.Generator) -> list[Cell]:
    """The edge of a cell body or of a blood vessel, beside most large volumes and few small ones.

    Its first ball is the one that its nucleus or lumen is concentric with.
    """
    across = float(frame.extent[1:].min())
    if rng.random() > (0.9 if across > 5000 else 0.12):
        return []
    size = rng.uniform(2300, 3200)
    side = rng.choice([-1.0, 1.0], 2)
    away = frame.extent[1:] / 2 + size * rng.uniform(0.1, 0.3, 2)
    centre = np.concatenate([rng.random(1) * frame.extent[:1], frame.extent[1:] / 2 + side * away])
    bumps = rng.normal(size=(40, 3))
    bumps *= (size * 0.8 / np.linalg.norm(bumps, axis=1))[:, None]
    path = np.concatenate([centre[None], centre + bumps])
    radius = np.concatenate([[size], size * rng.uniform(0.16, 0.28, 40)])
    return [Cell("giant", path, radius, GIANT)]


def _walk(
    frame: Frame, calibre: Calibre, bundles: Doubles, reach: float, rng: np.random.Generator
) -> list[Cell]:
    """A batch of cells whose paths wander through the frame, each until it leaves."""
    n, step = 24, calibre.step
    size = frame.extent + 2 * reach
    count = int(np.linalg.norm(size) * 0.7 / step) + 2
    start = rng.random((n, 3)) * size - reach
    heading = rng.normal(size=(n, 3))
    along = rng.random(n) < calibre.bundled
    heading[along] = 0.25 * heading[along] + bundles[rng.integers(0, len(bundles), n)][along]
    heading /= np.linalg.norm(heading, axis=1, keepdims=True)
    turn = rng.normal(size=(2, count, n, 3)) * calibre.curl
    halves = []
    for side, sign in ((0, 1.0), (1, -1.0)):
        direction, place, line = heading * sign, start, []
        for k in range(count):
            direction = direction + turn[side, k]
            direction /= np.linalg.norm(direction, axis=1, keepdims=True)
            place = place + direction * step
            line.append(place)
        halves.append(np.stack(line, axis=1))
    points = np.concatenate([halves[1][:, ::-1], start[:, None], halves[0]], axis=1)
    base = calibre.radius * np.exp(calibre.spread * rng.normal(size=(n, 1)))
    beads = ndimage.gaussian_filter1d(rng.normal(size=points.shape[:2]), 3.0, axis=1) * 3.3
    swelling = np.clip(beads, -0.8, None) if calibre.kind != "axon" else np.clip(beads, -0.3, 2.2)
    radius = base * np.exp(calibre.beads * swelling)
    out = frame.holds(points, reach)
    cells = []
    for i in range(n):
        before = np.flatnonzero(~out[i, :count])
        after = np.flatnonzero(~out[i, count:])
        a = int(before[-1]) + 1 if before.size else 0
        b = count + int(after[0]) if after.size else points.shape[1]
        if b - a < 3:
            continue
        cells.append(Cell(calibre.kind, points[i, a:b], radius[i, a:b].copy(), GLIA))
    return cells


def _give_code(cell: Cell, before: list[Cell], rng: np.random.Generator) -> None:
    """A code that tells a cell from its neighbours; for thick cells, from all that are near."""
    if cell.kind in ("glia", "myelin"):
        cell.code = GLIA if cell.kind == "glia" else MYELIN
        return
    codes = np.array(_DENDRITES if cell.kind == "dendrite" else _AXONS)
    if cell.kind != "dendrite":
        cell.code = int(rng.choice(codes))
        return
    clash = np.zeros(len(codes))
    for other in before:
        if other.kind == "dendrite":
            apart = np.linalg.norm(cell.path[:, None] - other.path[None], axis=2)
            close = apart < cell.radius[:, None] + other.radius[None] + 150
            clash[other.code - codes[0]] += close.any(axis=1).sum()
    best = codes[clash == clash.min()]
    cell.code = int(rng.choice(best))


@dataclass(frozen=True, slots=True)
class Walls:
    """Signed distances to membranes on the coarse grid, one plane a section and one more each end.

    ``bits`` (5, z + 2, y, x) in nm, positive where the cell has the bit; ``slope`` (z, y, x) is by
    how much the distance to the nearest membrane changes over half a section.
    """

    bits: Floats
    slope: Floats

    def inside(self, code: int, sections: slice, rows: slice, columns: slice) -> Floats:
        """Signed distance (z, y, x) from the membranes of the cells of a code, positive inside."""
        signs = [1.0 if code >> b & 1 else -1.0 for b in range(BITS)]
        box = self.bits[:, sections.start + 1 : sections.stop + 1, rows, columns]
        return np.asarray(np.minimum.reduce([box[b] * np.float32(s) for b, s in enumerate(signs)]))


def build_walls(frame: Frame, cells: list[Cell]) -> Walls:
    """Divide the frame between the cells, a slab of sections at a time."""
    depth, height, width = frame.shape
    dz, dy, dx = frame.voxel_size
    # Every second plane is enough: signed distances are smooth along z.
    planes = np.arange(-1.0, depth + 2, 2) * dz
    ys = np.arange(-PAD, height // PITCH + PAD + 2) * PITCH * dy
    xs = np.arange(-PAD, width // PITCH + PAD + 2) * PITCH * dx
    bits = np.empty((BITS, len(planes), len(ys), len(xs)), np.float32)
    for first in range(0, len(planes), _SLAB):
        slab = slice(first, first + _SLAB)
        bits[:, slab] = _signed(cells, (_doubles(planes[slab]), _doubles(ys), _doubles(xs)))
    whole = np.empty((BITS, depth + 2, len(ys), len(xs)), np.float32)
    whole[:, 0::2] = bits[:, : (depth + 3) // 2]
    between = (bits[:, :-1] + bits[:, 1:]) * np.float32(0.5)
    whole[:, 1::2] = between[:, : (depth + 2) // 2]
    rise = (whole[:, 2:] - whole[:, :-2]) * np.float32(0.25)
    nearest = np.abs(whole[:, 1:-1]).argmin(axis=0)[None]
    slope = np.abs(np.take_along_axis(rise, nearest, axis=0)[0])
    return Walls(whole, slope)


def _doubles(a: NDArray[np.floating]) -> Doubles:
    return np.asarray(a, np.float64)


def _signed(cells: list[Cell], axes: tuple[Doubles, Doubles, Doubles]) -> Floats:
    """Signed distances (5, z, y, x) from the membranes on the grid of three coordinate axes."""
    shape = tuple(len(a) for a in axes)
    reach = np.full((1 << BITS, *shape), _WINDOW, np.float32)
    reach[GLIA] = _GAP
    for cell in cells:
        _splat(reach[cell.code], cell, axes)
    # A sheath is stiff: what lies beside it gives way.
    reach[MYELIN] -= 110 * np.minimum(1.0, (_WINDOW - reach[MYELIN]) / _WINDOW)
    signed = np.empty((BITS, *shape), np.float32)
    codes = np.arange(1 << BITS)
    for b in range(BITS):
        has = (codes >> b & 1).astype(bool)
        signed[b] = (reach[~has].min(axis=0) - reach[has].min(axis=0)) * 0.5
        # Where cells press into each other the difference rises slower than the distance does.
        rise = np.zeros(shape, np.float32)
        for axis, grid in enumerate(axes):
            if len(grid) > 1:
                rise += (np.gradient(signed[b], axis=axis) / (grid[1] - grid[0])) ** 2
        signed[b] /= np.clip(np.sqrt(rise), 0.4, 1.0)
    return np.clip(signed, -REACH, REACH, out=signed)


def _splat(field: Floats, cell: Cell, axes: tuple[Doubles, Doubles, Doubles]) -> None:
    """Lower a field to the distance from the surface of the balls of one cell."""
    window = cell.radius + _WINDOW
    low, high = [], []
    for axis, grid in enumerate(axes):
        step, origin = grid[1] - grid[0] if len(grid) > 1 else 1.0, grid[0]
        place = cell.path[:, axis]
        low.append(np.clip(np.ceil((place - window - origin) / step), 0, len(grid)).astype(int))
        high.append(np.clip((place + window - origin) // step + 1, 0, len(grid)).astype(int))
    seen = np.flatnonzero(np.all([a < b for a, b in zip(low, high, strict=True)], axis=0))
    z, y, x = (grid.astype(np.float32) for grid in axes)
    balls = np.column_stack([cell.path, cell.radius]).astype(np.float32)
    for i in seen:
        a, b, c = (slice(p[i], q[i]) for p, q in zip(low, high, strict=True))
        cz, cy, cx, r = balls[i]
        qz, qy, qx = (z[a] - cz) ** 2, (y[b] - cy) ** 2, (x[c] - cx) ** 2
        away = np.add(qz[:, None, None], qy[:, None] + qx)
        np.sqrt(away, out=away)
        away -= r
        part = field[a, b, c]
        np.minimum(part, away, out=part)
