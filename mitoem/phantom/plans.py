"""Where the mitochondria of a phantom shall lie, and of which shape each shall be."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
from scipy import ndimage

from mitoem.phantom.bodies import Tube, arc_length, resample
from mitoem.phantom.grid import Doubles
from mitoem.phantom.tissue import Cell, Frame


@dataclass(frozen=True, slots=True)
class Build:
    """How the mitochondria of a kind of tissue are: number, thickness, length and peculiarities."""

    density: float
    """Instances a µm³ (MitoEM: rat 0.34, human 0.66)."""
    radius: float
    length: float
    spread: float
    """Deviation of the logarithm of the length."""
    on_a_string: float
    """Part of all that is planned as two swellings with a thin tube between."""
    touching: float
    """Pairs in contact for each instance."""


BUILDS = {
    "r": Build(0.34, 192.0, 2500.0, 0.45, 0.22, 0.12),
    "h": Build(0.66, 148.0, 1650.0, 0.42, 0.14, 0.10),
}
_PULL = {"dendrite": 4.0, "axon": 1.0, "myelin": 1.5}
"""Which cells hold mitochondria, and how readily."""
_TRIES = 12
_APART = 70.0


@dataclass(frozen=True, slots=True)
class Plan:
    """A mitochondrion to be: its tube, the code of the cell around it, and what is special."""

    tube: Tube
    code: int
    thin: float = 0.0
    """Diameter of the thin tube between two swellings in nm, 0 where there is none."""
    paired: bool = False
    """Whether it touches another, or is touched."""
    partner: int = -1
    """Place in the list of plans of the one before, which it shall touch."""

    @property
    def special(self) -> bool:
        """Whether it is on a string or one of a touching pair."""
        return self.thin > 0 or self.paired


@dataclass(slots=True)
class _Taken:
    """Places where mitochondria are planned already."""

    tubes: list[Tube] = field(default_factory=list)

    def free(self, tube: Tube) -> bool:
        reach = tube.radius.max() + _APART
        low, high = tube.path.min(axis=0) - reach, tube.path.max(axis=0) + reach
        for other in self.tubes:
            spread = other.radius.max()
            if np.any(other.path.max(axis=0) + spread < low):
                continue
            if np.any(other.path.min(axis=0) - spread > high):
                continue
            apart = np.linalg.norm(other.path[:, None] - tube.path[None], axis=2)
            if np.any(apart < other.radius[:, None] + tube.radius[None] + _APART):
                return False
        return True


def wanted(frame: Frame, build: Build) -> int:
    """How many instances a volume of this size shows, cut ones among them."""
    return max(2, round(build.density * float(np.prod(frame.extent / 1000 + (0.1, 0.35, 0.35)))))


def plan(frame: Frame, cells: list[Cell], build: Build, rng: np.random.Generator) -> list[Plan]:
    """Places for mitochondria inside cells, which are widened where they must be.

    There are twice as many as wanted, the special ones first: some will not survive the carving.
    """
    hosts = [c for c in cells if c.kind in _PULL and len(c.path) > 4]
    weight = [_PULL[c.kind] * frame.holds(c.path, 0.0).sum() * c.radius[0] for c in hosts]
    if sum(weight) == 0:
        return []
    odds = np.array(weight) / sum(weight)
    number, plans, taken = wanted(frame, build), list[Plan](), _Taken()
    strings = int(build.on_a_string * number + rng.random())
    pairs = int(build.touching * number + rng.random())
    for shape, goal in ((_string, strings), (_touching, pairs), (_single, 2 * number + 2)):
        found = 0
        for _ in range(goal * _TRIES):
            if found == goal:
                break
            host = hosts[int(rng.choice(len(hosts), p=odds))]
            made = shape(host, *_size(host, build, rng), rng)
            if not made or not _fits(frame, made) or not all(taken.free(p.tube) for p in made):
                continue
            found += 1
            for k, p in enumerate(made):
                plans.append(p if k == 0 else replace(p, partner=len(plans) - 1))
                taken.tubes.append(p.tube)
                _widen(host, p.tube)
    return plans


def _fits(frame: Frame, made: list[Plan]) -> bool:
    """Whether enough of it is in the volume: a string whole, of a pair the contact, else a bit."""
    if made[0].thin > 0:
        return bool(frame.holds(made[0].tube.path, -60.0).all())
    if made[0].paired:
        return bool(frame.holds(made[0].tube.path[-3:], -100.0).all())
    return bool(frame.holds(made[0].tube.path, 0.0).any())


def _size(host: Cell, build: Build, rng: np.random.Generator) -> tuple[float, float]:
    """Radius and length of a mitochondrion in a cell: small axons hold small ones."""
    radius = build.radius * float(np.exp(0.2 * rng.normal()))
    radius = min(radius, 0.8 * float(np.median(host.radius)) + 0.5 * build.radius)
    return radius, build.length * float(np.exp(build.spread * rng.normal()))


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
    return [Plan(Tube(path, _profile(len(path), radius, rng)), host.code)]


def _string(host: Cell, radius: float, length: float, rng: np.random.Generator) -> list[Plan]:
    """Two swellings, one id, with a tube of 40–80 nm between."""
    radius *= 0.9
    gap = rng.uniform(350, 700)
    whole = 0.5 * length + gap
    path = _stretch(host, whole, radius, rng)
    if path is None:
        return []
    thin = rng.uniform(21, 38)
    place = np.linspace(0, whole, len(path))
    away = np.abs(place - whole * rng.uniform(0.42, 0.58)) - gap / 2
    swell = 1 / (1 + np.exp(-(away - 50) / 28.0))
    profile = thin + (_profile(len(path), radius, rng) - thin) * swell
    profile[away < -20] = thin
    return [Plan(Tube(path, profile), host.code, thin=2 * thin)]


def _touching(host: Cell, radius: float, length: float, rng: np.random.Generator) -> list[Plan]:
    """Two bodies end to end on one path, pressed together."""
    each = max(0.45 * length, 2.5 * radius)
    path = _stretch(host, 2 * each, radius, rng)
    if path is None or len(path) < 14:
        return []
    cut = round(len(path) * rng.uniform(0.42, 0.58))
    aside = rng.normal(size=3) * radius * 0.3
    made = []
    # Rounded ends reach beyond their path: both stop short, and still overlap a little.
    for piece, push in ((path[1 : cut - 1], 0.0), (path[cut + 1 : -1], 1.0)):
        profile = _profile(len(piece), radius * rng.uniform(0.85, 1.1), rng)
        made.append(Plan(Tube(piece + aside * push, profile), host.code, paired=True))
    return made


def _widen(host: Cell, tube: Tube) -> None:
    """Make the host thick enough for a tube inside it."""
    apart = np.linalg.norm(host.path[:, None] - tube.path[None], axis=2)
    nearest = apart.argmin(axis=1)
    away = apart[np.arange(len(nearest)), nearest]
    aside = float(apart.min(axis=0).max())
    thick = tube.radius[nearest]
    close = away < aside + 1.3 * thick
    fit = np.minimum(away, aside) + thick + 70
    host.radius[close] = np.maximum(host.radius[close], fit[close])
