"""Bodies swept along a path: mitochondria, lysosomes, cisternae; as exact signed distances."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from mitoem.geometry import Index
from mitoem.phantom.grid import Doubles, Floats
from mitoem.phantom.tissue import Frame

OUTSIDE = 40.0
"""Distances outside a body are kept up to here, nm."""


@dataclass(frozen=True, slots=True)
class Tube:
    """A path in nm (n, 3) with a radius at each point (n,)."""

    path: Doubles
    radius: Doubles


@dataclass(frozen=True, slots=True)
class Window:
    """A box of the volume as three slices (z, y, x)."""

    sections: slice
    rows: slice
    columns: slice

    @property
    def index(self) -> tuple[slice, slice, slice]:
        """The box as a numpy index."""
        return self.sections, self.rows, self.columns

    @property
    def shape(self) -> Index:
        """Edges in voxels."""
        z, y, x = (s.stop - s.start for s in self.index)
        return z, y, x


class Noise:
    """A smooth random field that repeats, cheap to look up anywhere; mean 0, deviation 1."""

    def __init__(self, rng: np.random.Generator, sigma: tuple[float, float, float]) -> None:
        field = rng.standard_normal((24, 128, 128), dtype=np.float32)
        field = ndimage.gaussian_filter(field, sigma, mode="wrap")
        self.field: Floats = (field / field.std()).astype(np.float32)

    def at(self, window: Window, shift: Index) -> Floats:
        """The field over a window, moved by ``shift`` voxels."""
        axes = [
            (np.arange(s.start, s.stop) + k) % n
            for s, k, n in zip(window.index, shift, self.field.shape, strict=True)
        ]
        sections = np.take(self.field, axes[0], axis=0)
        return np.asarray(np.take(np.take(sections, axes[1], axis=1), axes[2], axis=2))


def window_of(frame: Frame, tube: Tube, margin: float) -> Window | None:
    """The voxels around a tube, or None where it is outside the volume."""
    spread = tube.radius[:, None] + margin
    low = np.floor((tube.path - spread).min(axis=0) / frame.voxel_size).astype(int)
    high = np.ceil((tube.path + spread).max(axis=0) / frame.voxel_size).astype(int) + 1
    low, high = np.maximum(low, 0), np.minimum(high, frame.shape)
    if np.any(high <= low):
        return None
    z, y, x = (slice(int(a), int(b)) for a, b in zip(low, high, strict=True))
    return Window(z, y, x)


def sweep(frame: Frame, tube: Tube, window: Window) -> Floats:
    """Signed distance in nm (z, y, x) from the surface of a tube, negative inside.

    Distances are right to ``OUTSIDE`` nm outside; each section is looked at where it really lies.
    """
    dz, dy, dx = frame.voxel_size
    drift = frame.drift[window.sections]
    z = (np.arange(window.sections.start, window.sections.stop) * dz).astype(np.float32)
    y = np.arange(window.rows.start, window.rows.stop) * dy
    x = np.arange(window.columns.start, window.columns.stop) * dx
    distance = np.full(window.shape, OUTSIDE, np.float32)
    axes = (z.astype(float), y, x)
    for a, b, ra, rb in zip(
        tube.path[:-1], tube.path[1:], tube.radius[:-1], tube.radius[1:], strict=True
    ):
        reach = max(ra, rb) + OUTSIDE
        low, high = np.minimum(a, b) - reach, np.maximum(a, b) + reach
        box = tuple(_between(axis, lo, hi) for axis, lo, hi in zip(axes, low, high, strict=True))
        part = distance[box]
        if not part.size:
            continue
        pz = z[box[0], None, None] - np.float32(a[0])
        py = (y[None, box[1]] + drift[box[0], :1] - a[1]).astype(np.float32)[:, :, None]
        px = (x[None, box[2]] + drift[box[0], 1:] - a[2]).astype(np.float32)[:, None, :]
        np.minimum(part, _cone((pz, py, px), (b - a).astype(np.float32), ra, rb), out=part)
    return distance


def _between(axis: Doubles, low: float, high: float) -> slice:
    return slice(int(np.searchsorted(axis, low)), int(np.searchsorted(axis, high)))


def _cone(place: tuple[Floats, Floats, Floats], axis: Floats, ra: float, rb: float) -> Floats:
    """Distance from the segment 0 → axis, less a radius that goes from ra to rb."""
    pz, py, px = place
    along = (pz * axis[0] + py * axis[1]) + px * axis[2]
    along *= 1 / max(float(axis @ axis), 1e-6)
    np.clip(along, 0.0, 1.0, out=along)
    away = (pz - along * axis[0]) ** 2
    away += (py - along * axis[1]) ** 2
    away += (px - along * axis[2]) ** 2
    np.sqrt(away, out=away)
    along *= np.float32(rb - ra)
    away -= along
    away -= np.float32(ra)
    return np.asarray(away, np.float32)


def resample(path: Doubles, start: float, stop: float, step: float) -> Doubles:
    """Points every ``step`` nm of arc length of a polyline, from ``start`` to ``stop`` nm."""
    arc = arc_length(path)
    places = np.linspace(start, stop, max(2, round((stop - start) / step) + 1))
    smooth = ndimage.gaussian_filter1d(path, 1.0, axis=0, mode="nearest")
    return np.stack([np.interp(places, arc, smooth[:, k]) for k in range(3)], axis=1)


def arc_length(path: Doubles) -> Doubles:
    """Way along a polyline to each of its points, nm."""
    return np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(path, axis=0), axis=1))])


def quantise(distance: Floats) -> NDArray[np.int8]:
    """Distances as bytes of 2 nm, which keeps the bodies of a large volume small."""
    return np.asarray(np.clip(np.rint(distance * 0.5), -127, 127), np.int8)
