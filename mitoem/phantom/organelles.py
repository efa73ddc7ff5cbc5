"""What else cells hold: vesicles, microtubules, cisternae, dark bodies, synaptic densities."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from mitoem.phantom.bodies import Tube, Window, quantise, resample, sweep, window_of
from mitoem.phantom.grid import PAD, PITCH, Doubles
from mitoem.phantom.tissue import BITS, Cell, Frame, Walls


@dataclass(frozen=True, slots=True)
class Dots:
    """Small round things, sorted by section: place in nm (n, 3), radius in nm, strength."""

    place: Doubles
    radius: Doubles
    strength: Doubles
    first: NDArray[np.intp]
    """Where each section's dots begin, with the end after the last one (z + 1,)."""

    @classmethod
    def sort(cls, frame: Frame, place: Doubles, radius: Doubles, strength: Doubles) -> Dots:
        """Give each dot to the section that its centre lies in, and move it as that has drifted."""
        section = np.rint(place[:, 0] / frame.voxel_size[0]).astype(int)
        place = place.copy()
        place[:, 1:] -= frame.drift[np.clip(section, 0, frame.shape[0] - 1)]
        order = np.argsort(section, kind="stable")
        first = np.searchsorted(section[order], np.arange(frame.shape[0] + 1))
        return cls(place[order], radius[order], strength[order], first)


@dataclass(frozen=True, slots=True)
class Body:
    """A swept organelle other than a mitochondrion."""

    kind: str
    window: Window
    distance: NDArray[np.int8]
    tone: float


@dataclass(frozen=True, slots=True)
class Organelles:
    """All that is drawn into cells besides mitochondria."""

    vesicles: Dots
    tubules: Dots
    granules: Dots
    bodies: list[Body]
    synapses: Dots


def furnish(frame: Frame, cells: list[Cell], walls: Walls, rng: np.random.Generator) -> Organelles:
    """Organelles for all cells, each kept off the membranes."""
    vesicles, synapses = _boutons(frame, cells, walls, rng)
    return Organelles(
        vesicles=vesicles,
        tubules=_tubules(frame, cells, walls, rng),
        granules=_granules(frame, walls, rng),
        bodies=_bodies(frame, cells, walls, rng),
        synapses=synapses,
    )


def clearance(
    frame: Frame, walls: Walls, places: Doubles, codes: NDArray[np.integer] | int | None
) -> Doubles:
    """Distance in nm of places (n, 3) from membranes, negative outside the cells of ``codes``."""
    grid = np.empty((3, len(places)))
    grid[0] = places[:, 0] / frame.voxel_size[0]
    for axis in (1, 2):
        grid[axis] = places[:, axis] / frame.voxel_size[axis] / PITCH + PAD
    near = np.stack(
        [
            ndimage.map_coordinates(walls.bits[b, 1:-1], grid, order=1, mode="nearest")
            for b in range(BITS)
        ]
    )
    if codes is None:
        return np.asarray(np.abs(near).min(axis=0))
    has = np.asarray(codes) >> np.arange(BITS).reshape(-1, 1) & 1
    return np.asarray((near * (2 * has - 1)).min(axis=0))


def _boutons(
    frame: Frame, cells: list[Cell], walls: Walls, rng: np.random.Generator
) -> tuple[Dots, Dots]:
    """Vesicle clusters in the swellings of axons, and the synapse that each serves."""
    places, synapses = [np.empty((0, 3))], [np.empty((0, 3))]
    for cell in cells:
        if cell.kind != "axon":
            continue
        wide = np.flatnonzero((cell.radius > 150) & frame.holds(cell.path, 100.0))
        for k in wide[:: int(rng.integers(6, 14))]:
            if rng.random() < 0.15:
                continue
            reach = cell.radius[k] * rng.uniform(0.9, 1.3) + 90
            lattice = _cluster(reach, rng) + cell.path[k]
            lattice = lattice[frame.holds(lattice, 0.0)]
            if not len(lattice):
                continue
            lattice = lattice[clearance(frame, walls, lattice, cell.code) > 32]
            places.append(lattice)
            aim = rng.normal(size=3)
            aim /= np.linalg.norm(aim)
            ray = cell.path[k] + aim * np.arange(0, reach, 15.0)[:, None]
            leaves = np.flatnonzero(clearance(frame, walls, ray, cell.code) < 0)
            if leaves.size and len(lattice) > 12:
                synapses.append(ray[leaves[:1]])
    place, synapse = np.concatenate(places), np.concatenate(synapses)
    radius = rng.normal(19.5, 2.2, len(place))
    strength = rng.uniform(0.6, 1.0, len(place))
    clefts = Dots.sort(
        frame, synapse, rng.uniform(110, 210, len(synapse)), rng.uniform(0.5, 1, len(synapse))
    )
    return Dots.sort(frame, place, radius, strength), clefts


def _cluster(reach: float, rng: np.random.Generator) -> Doubles:
    """Places of the vesicles of one cluster around 0: a jittered lattice, so none overlap."""
    pitch = rng.uniform(48, 60)
    n = int(2 * reach / pitch) + 1
    lattice = np.stack(np.meshgrid(*[np.arange(n)] * 3), axis=-1).reshape(-1, 3) * pitch - reach
    lattice = lattice + rng.uniform(-0.26, 0.26, lattice.shape) * pitch
    lattice = lattice[rng.random(len(lattice)) < rng.uniform(0.6, 0.97)]
    far = np.linalg.norm(lattice * rng.uniform(0.8, 1.5, 3), axis=1)
    crowd = far + rng.normal(size=len(far)) * 0.18 * reach
    return np.asarray(lattice[crowd < reach] + rng.normal(size=3) * reach * 0.25)


def _tubules(frame: Frame, cells: list[Cell], walls: Walls, rng: np.random.Generator) -> Dots:
    """Microtubules: fine dark lines along dendrites and axons, drawn as rows of dots."""
    rows = [np.empty((0, 3))]
    for cell in cells:
        if cell.kind not in ("dendrite", "axon", "myelin"):
            continue
        count = int(rng.integers(5, 16)) if cell.kind == "dendrite" else int(rng.integers(1, 4))
        total = float(np.linalg.norm(np.diff(cell.path, axis=0), axis=1).sum())
        line = resample(cell.path, 0.0, total, 9.0)
        room = 0.7 * float(np.median(cell.radius))
        for _ in range(count):
            offset = rng.normal(size=3) * room * 0.5
            wander = ndimage.gaussian_filter1d(rng.normal(size=(len(line), 3)), 40.0, axis=0)
            row = line + offset + wander * 250
            rows.append(row[frame.holds(row, 0.0)])
    place = np.concatenate(rows)
    keep = clearance(frame, walls, place, None) > 35
    place = place[keep]
    return Dots.sort(frame, place, np.full(len(place), 10.0), rng.uniform(0.1, 0.5, len(place)))


def _granules(frame: Frame, walls: Walls, rng: np.random.Generator) -> Dots:
    """Small dark grains everywhere in cells: ribosomes, glycogen, cut filaments."""
    count = int(float(np.prod(frame.extent / 1000)) * 160)
    place = rng.random((count, 3)) * (frame.extent - 1)
    place = place[clearance(frame, walls, place, None) > 30]
    n = len(place)
    return Dots.sort(frame, place, rng.uniform(8, 15, n), rng.uniform(0.2, 1.0, n) ** 2)


def _bodies(frame: Frame, cells: list[Cell], walls: Walls, rng: np.random.Generator) -> list[Body]:
    """Cisternae with a light lumen, small dark tubules, and dark lysosomes."""
    volume = float(np.prod(frame.extent / 1000))
    hosts = [c for c in cells if c.kind in ("dendrite", "axon", "glia", "myelin")]
    if not hosts:
        return []
    weight = np.array([frame.holds(c.path, 0.0).sum() * c.radius[0] for c in hosts], float) + 1e-9
    weight /= weight.sum()
    menu = (("cisterna", 13.0), ("tubule", 26.0), ("lysosome", 0.25), ("multivesicular", 0.3))
    kinds = [kind for kind, density in menu for _ in range(int(rng.poisson(density * volume)))]
    places = rng.choice(len(hosts), p=weight, size=len(kinds))
    tubes = [_piece(hosts[k], kind, rng) for k, kind in zip(places, kinds, strict=True)]
    if not tubes:
        return []
    ends = np.cumsum([len(t.radius) for t in tubes])
    codes = np.repeat([hosts[k].code for k in places], np.diff(ends, prepend=0))
    room = clearance(frame, walls, np.concatenate([t.path for t in tubes]), codes)
    made = []
    for kind, tube, free in zip(kinds, tubes, np.split(room, ends[:-1]), strict=True):
        clear = _fit(tube, free)
        window = None if clear is None else window_of(frame, clear, 30.0)
        if clear is not None and window is not None:
            distance = quantise(sweep(frame, clear, window))
            made.append(Body(kind, window, distance, float(rng.normal())))
    return made


def _fit(tube: Tube, room: Doubles) -> Tube | None:
    """The longest start of a tube that stays clear of membranes, thinner where it must be."""
    tight = np.flatnonzero(room < 26)
    end = int(tight[0]) if tight.size else len(room)
    if end < 2:
        return None
    return Tube(tube.path[:end], np.minimum(tube.radius[:end], room[:end] - 10))


def _piece(host: Cell, kind: str, rng: np.random.Generator) -> Tube:
    """A short tube or blob somewhere in a cell."""
    k = int(rng.integers(len(host.path)))
    room = 0.75 * host.radius[k]
    centre = host.path[k] + rng.normal(size=3) * room * 0.4
    if kind in ("lysosome", "multivesicular"):
        size = min(rng.uniform(80, 190), max(60.0, room - 30))
        path = centre + np.cumsum(rng.normal(size=(3, 3)) * size * 0.3, axis=0)
        return Tube(path, size * rng.uniform(0.6, 1.0, 3))
    along = host.path[min(k + 1, len(host.path) - 1)] - host.path[max(k - 1, 0)]
    along /= max(float(np.linalg.norm(along)), 1e-6)
    n = int(rng.integers(3, 9))
    steps = along * 1.2 * rng.choice([-1, 1]) + rng.normal(size=(n, 3)) * 0.9
    path = centre + np.cumsum(steps, axis=0) * 32
    low, high = (22, 60) if kind == "cisterna" else (12, 24)
    return Tube(path, rng.uniform(low, high) * rng.uniform(0.7, 1.2, n))
