"""How a microscope would see a phantom: each section drawn in grey from the geometry."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from mitoem.phantom.bodies import Noise, Window
from mitoem.phantom.exposure import expose, smooth
from mitoem.phantom.grid import Doubles, Floats, refine
from mitoem.phantom.mitochondria import Mitochondrion
from mitoem.phantom.organelles import Body, Dots, Organelles
from mitoem.phantom.tissue import BITS, GIANT, GLIA, MYELIN, Cell, Frame, Walls

Profile: TypeAlias = Callable[[Doubles, Doubles], Doubles]

_DEEP = np.arange(-100, 500, dtype=np.float32)
_ENVELOPE = (
    np.exp(-(((_DEEP - 5) / 10) ** 2)) + np.exp(-(((_DEEP - 42) / 9) ** 2)),
    np.exp(-np.maximum(_DEEP - 60, 0) / 60),
)
"""The two membranes of a nucleus and the chromatin that lines them, over depth from -100 nm."""
_STEP = 2.0
"""Resolution of the membrane table, nm."""


@dataclass(frozen=True, slots=True)
class Scene:
    """All that is drawn."""

    frame: Frame
    walls: Walls
    mitochondria: list[Mitochondrion]
    organelles: Organelles
    giant: Cell | None


class Painter:
    """Draws the sections of one scene; everything random that they share is drawn once."""

    def __init__(self, scene: Scene, rng: np.random.Generator) -> None:
        self.scene = scene
        height, width = scene.frame.shape[1:]
        self.tone = _tones(rng)
        grain = rng.standard_normal((height + 144, width + 144), dtype=np.float32)
        fine = smooth(grain)
        coarse = smooth(smooth(smooth(smooth(fine))))
        mottle = fine / fine.std() * np.float32(0.55) + coarse / coarse.std()
        # Cytoplasm is light with dark specks, not the other way round.
        # The rim is cut off, as blur did not reach it.
        self.grain: Floats = (mottle - np.float32(0.22) * mottle * mottle)[8:-8, 8:-8]
        self.cristae = Noise(rng, (0.8, 3.2, 3.2))
        self.patches = Noise(rng, (1.5, 9.0, 9.0))
        self.total = _membrane_table()
        self.lamellae = rng.uniform(95, 130)
        self.vessel = rng.random() < 0.4

    def section(self, z: int, rng: np.random.Generator) -> NDArray[np.uint8]:
        """One section as uint8 (y, x)."""
        scene, shape = self.scene, self.scene.frame.shape[1:]
        drift = scene.frame.drift[z] / scene.frame.voxel_size[1:]
        start = (float(drift[0]), float(drift[1]))
        bits = [refine(scene.walls.bits[b, z + 1], start, shape) for b in range(BITS)]
        code = np.zeros(shape, np.uint8)
        for b, value in enumerate(bits):
            code |= (value > 0).view(np.uint8) << np.uint8(b)
        wall = np.minimum.reduce([np.abs(v, out=v) for v in bits])
        oy, ox = (int(k) for k in rng.integers(0, 128, 2))
        grey = self.grain[oy : oy + shape[0], ox : ox + shape[1]] * np.float32(11.0)
        grey += self.tone[code]
        self._dots(grey, z)
        self._giant(grey, code, z)
        for body in scene.organelles.bodies:
            if body.window.sections.start <= z < body.window.sections.stop:
                _paint_body(grey, body, z)
        for m in scene.mitochondria:
            if m.window.sections.start <= z < m.window.sections.stop:
                self._mitochondrion(grey, m, z)
        slope = refine(scene.walls.slope[z], start, shape)
        self._membranes(grey, wall, slope)
        self._sheaths(grey, wall, code)
        self._densities(grey, wall, z)
        return expose(grey, rng)

    def _dots(self, grey: Floats, z: int) -> None:
        o, voxel = self.scene.organelles, self.scene.frame.voxel_size[1:]
        _stamp(grey, o.granules, z, voxel, _grain_profile)
        _stamp(grey, o.tubules, z, voxel, _grain_profile)
        _stamp(grey, o.vesicles, z, voxel, _ring_profile)
        # Where things lie over each other they darken less and less.
        np.maximum(grey, np.float32(66.0), out=grey)

    def _membranes(self, grey: Floats, wall: Floats, slope: Floats) -> None:
        """Two dark leaflets with a faint gap, averaged over the thickness of the section."""
        np.clip(slope, 3.0, 18.0, out=slope)
        upper = self.total[_place(wall + slope)]
        lower = self.total[_place(wall - slope)]
        upper -= lower
        upper /= slope
        upper *= 0.5
        grey += (np.float32(36.0) - grey) * upper

    def _sheaths(self, grey: Floats, wall: Floats, code: NDArray[np.uint8]) -> None:
        """Myelin: dark wraps inside the membrane of a myelinated axon."""
        where = np.flatnonzero((code == MYELIN) & (wall < self.lamellae))
        if where.size:
            depth = wall.ravel()[where]
            stripes = 58 + 20 * np.sin(depth * (2 * np.pi / 21.0))
            edge = np.clip((self.lamellae - depth) / 10, 0, 1)
            flat = grey.ravel()
            flat[where] += (stripes - flat[where]) * edge

    def _giant(self, grey: Floats, code: NDArray[np.uint8], z: int) -> None:
        """A nucleus with its envelope and chromatin, or the light lumen of a vessel."""
        if self.scene.giant is None:
            return
        rows, columns = (_span((code == GIANT).any(axis=k)) for k in (1, 0))
        dz, dy, dx = self.scene.frame.voxel_size
        cz, cy, cx = self.scene.giant.path[0]
        window = Window(slice(z, z + 1), rows, columns)
        rough = self.patches.at(window, (5, 40, 9))[0]
        clump = self.cristae.at(window, (2, 7, 90))[0]
        y = (np.arange(rows.start, rows.stop) * dy - cy)[:, None]
        x = np.arange(columns.start, columns.stop) * dx - cx
        size = self.scene.giant.radius[0] - (160 if self.vessel else 420)
        depth = (size - np.sqrt((z * dz - cz) ** 2 + y * y + x * x)).astype(np.float32)
        depth += rough * np.float32(10)
        rim, edge = (t[np.clip(depth + 100, 0, 599).astype(np.intp)] for t in _ENVELOPE)
        if self.vessel:
            inner, rim = np.full_like(depth, 226), rim * 0.3
        else:
            dark = np.clip(0.9 * rough + 0.5 * clump + 1.2 * edge - 0.35, 0, 1)
            inner = 178 - 48 * dark + 6 * clump
        inner += (70 - inner) * np.minimum(rim, 0.8)
        part = grey[rows, columns]
        there = (code[rows, columns] == GIANT) * np.clip(depth / 8 + 0.8, 0, 1)
        part += (inner + 0.25 * (part - 188) - part) * there.astype(np.float32)

    def _densities(self, grey: Floats, wall: Floats, z: int) -> None:
        """Synaptic densities: membranes thick and dark near a synapse."""
        frame, synapses = self.scene.frame, self.scene.organelles.synapses
        dz, dy, dx = frame.voxel_size
        for k in range(len(synapses.place)):
            place, radius = synapses.place[k], synapses.radius[k]
            across = radius**2 - (place[0] - z * dz) ** 2
            if across <= 0:
                continue
            y0, x0 = place[1] / dy, place[2] / dx
            reach = np.sqrt(across) / dy
            rows = slice(max(0, int(y0 - reach)), max(0, int(y0 + reach) + 1))
            columns = slice(max(0, int(x0 - reach)), max(0, int(x0 + reach) + 1))
            part = grey[rows, columns]
            if not part.size:
                continue
            y = np.arange(rows.start, rows.start + part.shape[0])[:, None] - y0
            x = np.arange(columns.start, columns.start + part.shape[1]) - x0
            fade = np.clip(2.2 * (1 - (y * y + x * x) / reach**2), 0, 1)
            near = np.exp(-((wall[rows, columns] / 19.0) ** 2))
            part += (58 - part) * (fade * near * (0.9 * synapses.strength[k])).astype(np.float32)

    def _mitochondrion(self, grey: Floats, m: Mitochondrion, z: int) -> None:
        """Double membrane, dark matrix, and cristae that are neither straight nor alike."""
        k = z - m.window.sections.start
        depth = m.distance[k].astype(np.float32) * np.float32(-2.0)
        if depth.max() < -12:
            return
        flat = Window(slice(k, k + 1), m.window.rows, m.window.columns)
        wander = self.cristae.at(flat, m.shift)[0]
        patch = self.patches.at(flat, m.shift)[0]
        along = m.plan.tube.path[-1] - m.plan.tube.path[0]
        along = along / max(float(np.linalg.norm(along)), 1e-6)
        turn = (m.shift[0] - 12) / 24 * 1.4
        heading = np.array([along[1] + turn * along[2], along[2] - turn * along[1]])
        period = 44 + m.shift[1] % 28
        dy, dx = self.scene.frame.voxel_size[1:]
        y = np.arange(m.window.rows.start, m.window.rows.stop)[:, None] * dy
        x = np.arange(m.window.columns.start, m.window.columns.stop) * dx
        phase = (y * heading[0] + x * heading[1] + z * 30 * along[0]) * (2 * np.pi / period)
        wave = np.sin(phase.astype(np.float32) + wander * np.float32(1.9))
        strength = np.clip(0.7 + 0.5 * patch, 0.0, 1.3) * np.clip((depth - 14) / 14, 0, 1)
        tone = 115 + (m.shift[2] % 17 - 8) * 1.8
        inner = tone + 6 * patch + 5.5 * wander
        inner += strength * (34 * np.maximum(wave - 0.35, 0) - 22 * np.maximum(-wave - 0.2, 0))
        rim = np.exp(-(((depth - 5) / 7.0) ** 2)) - 0.22 * np.exp(-(((depth - 19) / 6.0) ** 2))
        inner += (34 - inner) * (0.95 * rim)
        alpha = np.clip(depth / 7 + 0.9, 0, 1)
        part = grey[m.window.rows, m.window.columns]
        part += (inner - part) * alpha


def _span(present: NDArray[np.bool_]) -> slice:
    """The smallest range that holds all that is present."""
    at = np.flatnonzero(present)
    return slice(int(at[0]), int(at[-1]) + 1) if at.size else slice(0, 0)


def _tones(rng: np.random.Generator) -> Floats:
    """Grey of the cytoplasm for each code: most are light, a few cells are dark."""
    tone = rng.normal(188, 10, 1 << BITS)
    tone[rng.integers(1, 30, 4)] = rng.uniform(140, 162, 4)
    tone[GLIA] = rng.uniform(178, 198)
    tone[MYELIN] = 190
    return tone.astype(np.float32)


def _membrane_table() -> Floats:
    """Running integral of the darkness of a membrane over the distance, from -REACH on."""
    at = np.arange(-200, 400, _STEP)
    dark = 0.95 * np.exp(-(((np.abs(at) - 8.0) / 6.5) ** 2))
    return (np.cumsum(dark) * _STEP).astype(np.float32)


def _place(distance: Floats) -> NDArray[np.intp]:
    """Place of a distance in the membrane table."""
    distance += np.float32(200.0)
    distance *= np.float32(1 / _STEP)
    return distance.astype(np.intp)


def _grain_profile(away: Doubles, radius: Doubles) -> Doubles:
    return np.asarray(-60 * np.exp(-((away / radius) ** 2)))


def _ring_profile(away: Doubles, radius: Doubles) -> Doubles:
    ring = -105 * np.exp(-(((away - radius) / 7.0) ** 2))
    return np.asarray(ring + 6 * np.exp(-((away / 10) ** 2)))


def _stamp(grey: Floats, dots: Dots, z: int, voxel: tuple[float, float], profile: Profile) -> None:
    """Add the round profile of every dot of a section, where it lies between voxels too."""
    chosen = slice(dots.first[z], dots.first[z + 1])
    if chosen.start == chosen.stop:
        return
    dy, dx = voxel
    y = dots.place[chosen, 1] / dy
    x = dots.place[chosen, 2] / dx
    radius = dots.radius[chosen, None]
    half = int(np.ceil(float(radius.max()) / dy + 1.5))
    oy, ox = (a.ravel() for a in np.mgrid[-half : half + 1, -half : half + 1])
    row, column = np.rint(y).astype(int)[:, None] + oy, np.rint(x).astype(int)[:, None] + ox
    away = np.hypot((row - y[:, None]) * dy, (column - x[:, None]) * dx)
    value = profile(away, radius) * dots.strength[chosen, None]
    ok = (row >= 0) & (column >= 0) & (row < grey.shape[0]) & (column < grey.shape[1])
    np.add.at(grey, (row[ok], column[ok]), value[ok].astype(np.float32))


def _paint_body(grey: Floats, body: Body, z: int) -> None:
    depth = body.distance[z - body.window.sections.start].astype(np.float32) * np.float32(-2.0)
    part = grey[body.window.rows, body.window.columns]
    alpha = np.clip(depth / 8 + 0.7, 0, 1)
    rim = np.exp(-(((depth - 5) / 8.0) ** 2))
    if body.kind == "lysosome":
        inner: Floats = np.full_like(depth, 62 + 14 * body.tone) + rim * -10
    elif body.kind == "tubule":
        inner = np.full_like(depth, 72 + 14 * body.tone)
    else:
        lumen = 190 + 8 * body.tone if body.kind == "cisterna" else 150.0
        inner = lumen + (48 - lumen) * rim
    part += (inner - part) * alpha
