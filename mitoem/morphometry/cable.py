"""A thinned line as a graph: branches between junctions, its twigs cut, its length smoothed.

All lengths are in edges of the cubes that the line consists of.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

TWIG: Final = 1.5
"""A branch that ends within so many half widths of its junction is a bump of the surface.

A branch as thick as the body itself leaves the junction's ball after one radius.
"""

_SMOOTH: Final = 5
"""Points over which a line is averaged before its length is taken: steps of a grid are crooked."""


@dataclass(frozen=True, slots=True)
class Cable:
    """The line without twigs: places (n, 3), links (m, 2) between them.

    ``radii`` (n,): half the body's width at each place. ``tips`` (k, 3): its free ends;
    ``outward`` (k, 3): the direction in which each points, 0 where it has none. ``length``: of the
    line alone, it stops short of the surface.
    """

    points: NDArray[np.float64]
    radii: NDArray[np.float64]
    links: NDArray[np.int64]
    tips: NDArray[np.float64]
    outward: NDArray[np.float64]
    length: float
    branch_points: int
    end_points: int
    loops: int


@dataclass(frozen=True, slots=True)
class _Branch:
    """A chain of places, and what lies at either end: a junction's number, FREE, or RING."""

    places: tuple[int, ...]
    ends: tuple[int, int]


_FREE: Final = -1
_RING: Final = -2


def trace(points: NDArray[np.float64], radii: NDArray[np.float64]) -> Cable:
    """The graph of a thinned line.

    ``points`` (n, 3) in cubes, at least one; ``radii`` (n,): half the body's width at each.
    """
    links = cKDTree(points).query_pairs(1.8, output_type="ndarray").astype(np.int64).reshape(-1, 2)
    junction = _junctions(links, len(points))
    nodes = int(junction.max()) + 1
    body = [np.flatnonzero(junction == j) for j in range(nodes)]
    branches = _without_twigs(_branches(links, junction), points, radii, body)
    meeting = np.bincount([e for b in branches for e in b.ends if e >= 0], minlength=nodes)
    # Ends of the line: free ends of branches, and junctions that lost all but one of theirs.
    free = [(b, k) for b in branches for k in (0, -1) if b.ends[k] == _FREE]
    blunt = [int(body[j][0]) for j in np.flatnonzero(meeting <= 1)]
    ends = [b.places[k] for b, k in free]
    lone = sum(len(b.places) == 1 and b.ends == (_FREE, _FREE) for b in branches)
    kept = junction >= 0
    for branch in branches:
        kept[list(branch.places)] = True
    pointing = [
        _outward(points[list(b.places)][:: 1 if k else -1], radii[b.places[k]]) for b, k in free
    ]
    return Cable(
        points=points[kept],
        radii=radii[kept],
        links=(np.cumsum(kept) - 1)[links[kept[links].all(axis=1)]],
        tips=points[ends + blunt],
        outward=np.concatenate([np.array(pointing).reshape(-1, 3), np.zeros((len(blunt), 3))]),
        length=sum(_length(b, points, body) for b in branches),
        branch_points=int((meeting > 2).sum()),
        end_points=len(free) - 2 * lone + int((meeting == 1).sum()),
        loops=_loops(branches, nodes, len(free)),
    )


def _outward(line: NDArray[np.float64], radius: float) -> NDArray[np.float64]:
    """Direction of a line that ends at its last point, over its last radius; 0 for a point."""
    back = np.linalg.norm(line - line[-1], axis=1)
    way = line[-1] - line[max(int(np.searchsorted(-back, -radius, side="right")) - 1, 0)]
    return np.asarray(way / max(float(np.linalg.norm(way)), 1e-9))


def _junctions(links: NDArray[np.int64], count: int) -> NDArray[np.int64]:
    """The junction that each place belongs to, -1 for none: touching forks are one junction."""
    forks = np.bincount(links.ravel(), minlength=count) > 2
    both = links[forks[links].all(axis=1)]
    joined = coo_matrix((np.ones(len(both), np.int8), (both[:, 0], both[:, 1])), (count, count))
    _, group = connected_components(joined, directed=False)
    number = np.full(count, -1)
    number[forks] = np.unique(group[forks], return_inverse=True)[1]
    return number


def _branches(links: NDArray[np.int64], junction: NDArray[np.int64]) -> list[_Branch]:
    """The chains of places between junctions and free ends."""
    near: dict[int, list[int]] = {k: [] for k in np.flatnonzero(junction < 0).tolist()}
    ends: dict[int, list[int]] = {k: [] for k in near}
    for a, b in (*links.tolist(), *links[:, ::-1].tolist()):
        if a in near:
            (near if b in near else ends)[a].append(b)
    found, seen = [], set[int]()
    # Ends of chains first; what is left then are rings.
    for start in sorted(near, key=lambda k: len(near[k])):
        if start in seen:
            continue
        chain = [start]
        seen.add(start)
        while ahead := [n for n in near[chain[-1]] if n not in seen]:
            chain.append(ahead[0])
            seen.add(ahead[0])
        if len(near[start]) == 2:
            found.append(_Branch(tuple(chain), (_RING, _RING)))
            continue
        at = [[int(junction[e]) for e in ends[k]] for k in (chain[0], chain[-1])]
        if len(chain) == 1:
            at = [at[0][:1], at[0][1:]]
        first, last = (a[0] if a else _FREE for a in at)
        # A corner of a junction that closes on itself is no loop of the body.
        if first != last or first == _FREE or len(chain) > 2:
            found.append(_Branch(tuple(chain), (first, last)))
    return found


def _without_twigs(
    branches: list[_Branch],
    points: NDArray[np.float64],
    radii: NDArray[np.float64],
    body: list[NDArray[np.int64]],
) -> list[_Branch]:
    """The branches but those that stay near a junction of three and more, shortest first."""
    reach = {}
    for branch in branches:
        if sorted(branch.ends)[0] == _FREE and max(branch.ends) >= 0:
            tip = branch.places[branch.ends.index(_FREE) and -1]
            thick = float(radii[body[max(branch.ends)]].max())
            reach[branch] = (_length(branch, points, body) + float(radii[tip])) / thick
    kept = set(branches)
    count = np.bincount([e for b in branches for e in b.ends if e >= 0], minlength=len(body))
    for branch in sorted(reach, key=lambda b: reach[b]):
        if reach[branch] < TWIG and count[max(branch.ends)] > 2:
            kept.remove(branch)
            count[max(branch.ends)] -= 1
    return [b for b in branches if b in kept]


def _length(branch: _Branch, points: NDArray[np.float64], body: list[NDArray[np.int64]]) -> float:
    """Length of a branch, from the middle of one junction to that of the other."""
    line = points[list(branch.places)]
    if branch.ends[0] == _RING:
        line = np.concatenate([line, line[:1]])
    if branch.ends[0] >= 0:
        line = np.concatenate([points[body[branch.ends[0]]].mean(axis=0)[None], line])
    if branch.ends[1] >= 0:
        line = np.concatenate([line, points[body[branch.ends[1]]].mean(axis=0)[None]])
    if len(line) > _SMOOTH:
        sums = np.cumsum(np.concatenate([np.zeros((1, 3)), line]), axis=0)
        smooth = (sums[_SMOOTH:] - sums[:-_SMOOTH]) / _SMOOTH
        line = np.concatenate([line[:1], smooth, line[-1:]])
    return float(np.linalg.norm(np.diff(line, axis=0), axis=1).sum())


def _loops(branches: list[_Branch], nodes: int, free: int) -> int:
    """Size of the cycle basis: edges less nodes plus separate pieces."""
    rings = sum(b.ends[0] == _RING for b in branches)
    between = np.array([b.ends for b in branches if min(b.ends) >= 0], np.int64).reshape(-1, 2)
    apart = sum(max(b.ends) < 0 for b in branches)
    if nodes:
        ones = np.ones(len(between), np.int8)
        joined = coo_matrix((ones, (between[:, 0], between[:, 1])), (nodes, nodes))
        apart += int(connected_components(joined, directed=False)[0])
    return len(branches) - (nodes + free + rings) + apart
