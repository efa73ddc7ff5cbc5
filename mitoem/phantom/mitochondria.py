"""Mitochondria of a phantom: planned inside neurites, then carved exactly into labels."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from mitoem.geometry import Index
from mitoem.phantom.bodies import (
    Noise,
    Tube,
    Window,
    arc_length,
    quantise,
    resample,
    sweep,
    window_of,
)
from mitoem.phantom.tissue import PAD, PITCH, Cell, Doubles, Floats, Frame, Walls, refine


@dataclass(frozen=True, slots=True)
class Build:
    """How the mitochondria of a kind of tissue are: number, thickness and length."""

    density: float
    """Instances a µm³ (MitoEM: rat 0.34, human 0.66)."""
    radius: float
    length: float
    spread: float
    on_a_string: float
    touching: float


BUILDS = {
    "r": Build(0.34, 205.0, 1700.0, 0.45, 0.2, 0.15),
    "h": Build(0.66, 158.0, 1100.0, 0.42, 0.2, 0.12),
}
_GAP = 30.0
"""Cytoplasm left between a mitochondrion and the membrane of its cell, nm."""
_SMALLEST = 1500
_RIM = np.ones((3, 3, 3), bool)


@dataclass(frozen=True, slots=True)
class Plan:
    """A mitochondrion to be: its tube, the cell around it, and the partner that it shall touch."""

    tube: Tube
    code: int
    on_a_string: bool
    thin: float
    partner: int
    """Place in the list of plans of the one to touch, or -1."""


@dataclass(frozen=True, slots=True)
class Mitochondrion:
    """A carved mitochondrion: id, window, signed distance in units of 2 nm, and its plan."""

    identity: int
    window: Window
    distance: NDArray[np.int8]
    plan: Plan
    shift: Index


@dataclass(slots=True)
class _Taken:
    """Places where mitochondria are planned already."""

    points: list[Doubles] = field(default_factory=list)
    radii: list[Doubles] = field(default_factory=list)

    def free(self, tube: Tube, gap: float) -> bool:
        for points, radii in zip(self.points, self.radii, strict=True):
            apart = np.linalg.norm(points[:, None] - tube.path[None], axis=2)
            if np.any(apart < radii[:, None] + tube.radius[None] + gap):
                return False
        return True

    def add(self, tube: Tube) -> None:
        self.points.append(tube.path)
        self.radii.append(tube.radius)


def wanted(frame: Frame, build: Build) -> int:
    """How many instances a volume of this size shows, cut ones among them."""
    return max(2, round(build.density * float(np.prod(frame.extent / 1000 + (0.1, 0.35, 0.35)))))


def plan(frame: Frame, cells: list[Cell], build: Build, rng: np.random.Generator) -> list[Plan]:
    """Places for mitochondria inside cells, which are widened where they must be."""
    hosts = [c for c in cells if c.kind in ("dendrite", "axon", "myelin") and len(c.path) > 4]
    pull = {"dendrite": 3.0, "axon": 1.0, "myelin": 1.5}
    if not hosts:
        return []
    weight = np.array([pull[c.kind] * frame.holds(c.path, 0.0).sum() * c.radius[0] for c in hosts])
    goal, plans, taken = round(wanted(frame, build) * 1.5) + 2, list[Plan](), _Taken()
    for _ in range(goal * 12):
        if len(plans) >= goal or weight.sum() == 0:
            break
        host = hosts[int(rng.choice(len(hosts), p=weight / weight.sum()))]
        # Small axons hold small mitochondria.
        scale = 1.0 if host.kind != "axon" else 0.8
        radius = scale * build.radius * np.exp(0.22 * rng.normal())
        radius = min(radius, 0.62 * float(np.median(host.radius)) + 55)
        length = build.length * np.exp(build.spread * rng.normal())
        chance = rng.random()
        if chance < build.on_a_string:
            made = _string(host, radius, length, rng)
        elif chance < build.on_a_string + build.touching:
            made = _touching(host, radius, length, rng)
        else:
            made = _single(host, radius, length, rng)
        if not made or not all(taken.free(p.tube, 70.0) for p in made):
            continue
        if not any(frame.holds(p.tube.path, 0.0).any() for p in made):
            continue
        for k, p in enumerate(made):
            plans.append(p if k == 0 else _with_partner(p, len(plans) - 1))
            taken.add(p.tube)
            _widen(host, p.tube)
    return plans


def _with_partner(p: Plan, partner: int) -> Plan:
    return Plan(p.tube, p.code, p.on_a_string, p.thin, partner)


def _stretch(host: Cell, length: float, radius: float, rng: np.random.Generator) -> Doubles | None:
    """A piece of the host's path of this length, moved aside where the host is wide."""
    total = arc_length(host.path)[-1]
    if total < length + 2 * radius:
        return None
    start = radius + rng.random() * (total - length - 2 * radius)
    path = resample(host.path, start, start + length, 45.0)
    room = max(0.0, float(np.median(host.radius)) - radius - 60)
    aside = rng.normal(size=3)
    along = path[-1] - path[0]
    aside -= along * (aside @ along) / max(float(along @ along), 1.0)
    aside *= room * rng.random() * 0.8 / max(float(np.linalg.norm(aside)), 1e-6)
    bend = rng.normal(size=3) * radius * 0.35
    t = np.linspace(-1, 1, len(path))[:, None]
    return np.asarray(path + aside + bend * (1 - t * t))


def _profile(n: int, radius: float, rng: np.random.Generator) -> Doubles:
    """A radius for each of n points: uneven, and rounder than a cylinder at the ends."""
    uneven = ndimage.gaussian_filter1d(rng.normal(size=n), max(2.0, n / 8), mode="nearest")
    uneven *= 0.16 / max(float(uneven.std()), 1e-3) * min(1.0, n / 12)
    t = np.linspace(-1, 1, n)
    ends = np.sqrt(np.clip(1 - 0.35 * t**4, 0.2, 1.0))
    return np.asarray(radius * ends * np.exp(uneven))


def _single(host: Cell, radius: float, length: float, rng: np.random.Generator) -> list[Plan]:
    path = _stretch(host, max(length - 2 * radius, 90.0), radius, rng)
    if path is None:
        return []
    return [Plan(Tube(path, _profile(len(path), radius, rng)), host.code, False, 0.0, -1)]


def _string(host: Cell, radius: float, length: float, rng: np.random.Generator) -> list[Plan]:
    """Two swellings, one id, with a tube of 40–80 nm between."""
    radius *= 0.92
    gap = rng.uniform(350, 700)
    path = _stretch(host, 0.9 * length + gap, radius, rng)
    if path is None:
        return []
    thin = rng.uniform(20, 38)
    place = np.linspace(0, 0.9 * length + gap, len(path))
    middle = (0.9 * length + gap) * rng.uniform(0.42, 0.58)
    away = np.abs(place - middle) - gap / 2
    swell = 1 / (1 + np.exp(-(away - 50) / 28.0))
    profile = thin + (_profile(len(path), radius, rng) - thin) * np.clip(swell, 0, 1)
    profile[away < -20] = thin
    return [Plan(Tube(path, profile), host.code, True, 2 * thin, -1)]


def _touching(host: Cell, radius: float, length: float, rng: np.random.Generator) -> list[Plan]:
    """Two bodies end to end on one path, pressed together."""
    each = max(0.75 * length, 3 * radius)
    path = _stretch(host, 2 * each, radius, rng)
    if path is None:
        return []
    cut = round(len(path) * rng.uniform(0.42, 0.58))
    aside = rng.normal(size=3) * radius * 0.3
    made = []
    for piece, push in ((path[:cut], 0.0), (path[cut:], 1.0)):
        if len(piece) < 3:
            return []
        # Rounded ends reach beyond their path: both stop short, and still overlap a little.
        short = piece[1:-1] if len(piece) > 6 else piece
        profile = _profile(len(short), radius * rng.uniform(0.85, 1.1), rng)
        made.append(Plan(Tube(short + aside * push, profile), host.code, False, 0.0, -1))
    return made


def _widen(host: Cell, tube: Tube) -> None:
    """Make the host thick enough for a tube inside it."""
    apart = np.linalg.norm(host.path[:, None] - tube.path[None], axis=2)
    nearest = apart.argmin(axis=1)
    rows = np.arange(len(nearest))
    close = apart[rows, nearest] < 2.0 * tube.radius[nearest] + 60
    fit = apart[rows, nearest] + tube.radius[nearest] + 75
    host.radius[close] = np.maximum(host.radius[close], fit[close])


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
        partner = made.get(p.partner)
        body = _body(frame, p, window, walls, noise.at(window, shift))
        there = labels[window.index]
        own = 0 if partner is None else partner.identity
        if np.any((body < 35.0) & (there > 0) & (there != own)):
            continue
        inside = _largest((body < 0) & (there == 0), p)
        if inside is None or (own and not _meets(inside, there == own)):
            continue
        body[~inside & (body < 4.0)] = 4.0
        identity = len(made) + 1
        there[inside] = identity
        made[number] = Mitochondrion(identity, window, quantise(body), p, shift)
    return list(made.values())


def _body(frame: Frame, p: Plan, window: Window, walls: Walls, noise: Floats) -> Floats:
    """Signed distance of a mitochondrion: its tube, uneven, kept inside its cell."""
    body = sweep(frame, p.tube, window)
    limit = 5.0 if p.on_a_string else 12.0
    body += noise * np.float32(limit * 0.6)
    low = [max(0, s.start // PITCH + PAD - 2) for s in (window.rows, window.columns)]
    high = [s.stop // PITCH + PAD + 4 for s in (window.rows, window.columns)]
    rows, columns = slice(low[0], high[0]), slice(low[1], high[1])
    cell = walls.inside(p.code, window.sections, rows, columns)
    start = (window.rows.start - low[0] * PITCH, window.columns.start - low[1] * PITCH)
    fine = refine(cell, start, window.shape[1:])
    np.subtract(np.float32(_GAP), fine, out=fine)
    return np.asarray(np.maximum(body, fine, out=body))


def _largest(inside: NDArray[np.bool_], p: Plan) -> NDArray[np.bool_] | None:
    """The largest component, or None where the body is too small or its string is broken."""
    parts, count = ndimage.label(inside, _RIM)
    if count == 0:
        return None
    sizes = np.bincount(parts.ravel())[1:]
    best = int(sizes.argmax())
    if sizes[best] < _SMALLEST or (p.on_a_string and sizes[best] < 0.9 * sizes.sum()):
        return None
    return np.asarray(parts == best + 1)


def _meets(a: NDArray[np.bool_], b: NDArray[np.bool_]) -> bool:
    """Whether two masks have voxels side by side."""
    return bool((ndimage.binary_dilation(a, _RIM) & b).any())
