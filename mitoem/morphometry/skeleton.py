"""Cable length, branches and thickness of one instance, from its skeleton.

The mask is smoothed, cut at the grey value that keeps its volume and resampled to cubes, so that
the steps between sections grow no twigs; then thinned to a line that keeps its topology (Lee,
Kashyap, Chu 1994). Twigs that stay within the body's own radius of a junction are cut. Thickness
is the distance transform along the line. Length runs from tip to tip: a
thinned line stops inside the body, so each end is prolonged straight on to the surface.

What counts as near the line is the body's half width: the largest circle around a place, in any of
the three planes, that the body holds. In a tube that is its radius; in a body of one or two
sections, whose radius is half of their thickness, it is what a person sees of it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt, gaussian_filter, maximum_filter
from scipy.spatial.distance import cdist

from mitoem.geometry import VoxelSize
from mitoem.morphometry.cable import Cable, trace
from mitoem.morphometry.columns import SWELLING, THIN_NM

CUBE_NM: Final = 16.0
"""Edge of the cubes that the mask is resampled to; the smallest voxel edge where that is larger."""

SMOOTH_NM: Final = 20.0
"""Standard deviation of the Gaussian before thinning, in nm."""

REACH: Final = 2.0
"""Every place of a body lies within so many half widths of the line, or a branch was lost."""

_MOST_LOST: Final = 64
_AT_ONCE: Final = 64


@dataclass(frozen=True, slots=True)
class Skeleton:
    """What the skeleton of one instance says; lengths and radii in nm."""

    length: float
    branch_points: int
    end_points: int
    loops: int
    radius_mean: float
    radius_min: float
    possible_moas: bool


def skeleton(mask: NDArray[np.bool_], *, voxel_size: VoxelSize) -> Skeleton:
    """Skeleton of one instance; ``mask`` (z, y, x) is its crop and holds at least one voxel."""
    import skimage.morphology

    thin: Callable[[NDArray[np.bool_]], NDArray[np.bool_]] = skimage.morphology.skeletonize
    solid, edge = _cubes(mask, voxel_size)
    depth = distance_transform_edt(solid)
    line = thin(solid)
    if not line.any():
        line.flat[int(np.argmax(depth))] = True
    # A thinned line may run a cube beside the ridge of the distances: take the ridge.
    ridge, wide = maximum_filter(depth, 3), maximum_filter(_half_width(solid), 3)
    line = _with_lost_branches(line, solid, wide)
    cable = trace(np.argwhere(line).astype(np.float64), wide[line])
    radii = ridge[tuple(cable.points.astype(np.int64).T)]
    inner = _inner(cable, radii)
    return Skeleton(
        length=_length(cable, solid) * edge,
        branch_points=cable.branch_points,
        end_points=cable.end_points,
        loops=cable.loops,
        radius_mean=float(inner.mean()) * edge,
        radius_min=float(inner.min()) * edge,
        possible_moas=_on_a_string(cable, radii, THIN_NM / edge),
    )


def _half_width(solid: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Radius of the largest circle around each place, in any of the three planes, in cubes."""
    far = 2 * max(solid.shape)
    flat = [[far if k == axis else 1 for k in range(3)] for axis in range(3)]
    wide: NDArray[np.float64] = np.max([distance_transform_edt(solid, by) for by in flat], axis=0)
    return wide


def _cubes(mask: NDArray[np.bool_], voxel_size: VoxelSize) -> tuple[NDArray[np.bool_], float]:
    """The smoothed mask in cubes, with background all round, and their edge in nm."""
    edge = max(CUBE_NM, min(voxel_size))
    sigma = [SMOOTH_NM / v for v in voxel_size]
    pad = [int(np.ceil(max(3 * s, edge / v))) + 1 for s, v in zip(sigma, voxel_size, strict=True)]
    field = np.pad(mask.astype(np.float32), [(p, p) for p in pad])
    field = gaussian_filter(field, sigma, truncate=3.0, mode="constant")
    level = np.partition(field.ravel(), -np.count_nonzero(mask))[-np.count_nonzero(mask)]
    for axis, step in enumerate(voxel_size):
        places = np.arange(0, field.shape[axis] - 1, edge / step)
        below = places.astype(np.int64)
        part = (places - below).astype(np.float32)
        part = np.expand_dims(part, [k for k in range(3) if k != axis])
        lower, upper = np.take(field, below, axis), np.take(field, below + 1, axis)
        field = lower + part * (upper - lower)
    solid = field >= level
    if not solid.any():
        solid.flat[int(np.argmax(field))] = True
    return solid, edge


def _with_lost_branches(
    line: NDArray[np.bool_], solid: NDArray[np.bool_], wide: NDArray[np.float64]
) -> NDArray[np.bool_]:
    """The line, and a path to each part of the body that it does not come near.

    Thinning can eat a straight rod of even width from its end. Where a place of the body lies
    further than REACH half widths from the line, the cheapest path to the furthest such place,
    where the body is widest, joins it (as in TEASAR: Sato et al. 2000).
    """
    import skimage.graph

    grid: Callable[..., Any] = skimage.graph.MCP_Geometric
    costs = np.where(solid, 1 + 100 * (1 - wide / wide.max()) ** 4, -1)
    for _ in range(_MOST_LOST):
        lost = _far_places(line, solid, wide)
        if not len(lost):
            break
        paths = grid(costs)
        total, _ = paths.find_costs(np.argwhere(line))
        # Another part under the same id has a line of its own, or is too small for one.
        lost = lost[np.isfinite(total[tuple(lost.T)])]
        if not len(lost):
            break
        path = paths.traceback(tuple(lost[0]))
        line[tuple(np.array(path).T)] = True
    return line


def _far_places(
    line: NDArray[np.bool_], solid: NDArray[np.bool_], wide: NDArray[np.float64]
) -> NDArray[np.int64]:
    """Places of the body beyond REACH half widths of every place of the line, furthest first."""
    away, nearest = distance_transform_edt(~line, return_indices=True)
    # The nearest place of the line answers for almost all; only the rest is held against all.
    far = solid & (away > REACH * wide[tuple(nearest)])
    places = np.argwhere(far)
    reach = REACH * wide[line]
    points = np.argwhere(line)
    for first in range(0, len(points), _AT_ONCE):
        some = slice(first, first + _AT_ONCE)
        places = places[(cdist(places, points[some]) > reach[some]).all(axis=1)]
    return places[np.argsort(-away[tuple(places.T)], kind="stable")]


def _length(cable: Cable, solid: NDArray[np.bool_]) -> float:
    """Length from tip to tip: the line, and from each end straight on to the surface."""
    if cable.branch_points == cable.loops == 0 and cable.length < 2 * cable.radii.max():
        # A body as thick as long has no line to speak of: its extent along its longest axis.
        inside = np.argwhere(solid).astype(np.float64)
        inside -= inside.mean(axis=0)
        along = inside @ np.linalg.eigh(inside.T @ inside)[1][:, -1]
        return float(np.ptp(along)) + 1.0
    total = cable.length
    steps = np.arange(0, 4 * cable.radii.max(), 0.25)
    for tip, way in zip(cable.tips, cable.outward, strict=True):
        if not way.any():
            total += float(cable.radii[np.argmin(np.linalg.norm(cable.points - tip, axis=1))])
            continue
        places = np.rint(tip + steps[:, None] * way).astype(np.int64)
        places = np.clip(places, 0, np.array(solid.shape) - 1)
        total += 0.25 * float(np.argmin(solid[tuple(places.T)]))
    return total


def _inner(cable: Cable, radii: NDArray[np.float64]) -> NDArray[np.float64]:
    """Radii along the line, but for the places within a mean radius of a tip."""
    if not len(cable.tips):
        return radii
    apart = np.linalg.norm(cable.points[:, None] - cable.tips[None], axis=2).min(axis=1)
    inner = radii[apart >= radii.mean()]
    return inner if inner.size else radii


def _on_a_string(cable: Cable, radii: NDArray[np.float64], thin: float) -> bool:
    """Whether a stretch of radius up to ``thin`` joins two swellings, each SWELLING as thick.

    Places are joined from the thickest to the thinnest; where two groups meet, the place that
    joins them is the thinnest of the stretch between their thickest places.
    """
    group = np.full(radii.size, -1)
    near: list[list[int]] = [[] for _ in range(radii.size)]
    for a, b in cable.links.tolist():
        near[a].append(b)
        near[b].append(a)

    def head(place: int) -> int:
        while group[place] != place:
            group[place] = group[group[place]]
            place = int(group[place])
        return place

    for place in np.argsort(-radii, kind="stable").tolist():
        # The head of a group is its thickest place: places are taken in that order.
        heads = sorted({head(n) for n in near[place] if group[n] >= 0}, key=lambda h: -radii[h])
        group[place] = heads[0] if heads else place
        for other in heads[1:]:
            if radii[place] <= thin and radii[other] >= SWELLING * radii[place]:
                return True
            group[other] = heads[0]
    return False
