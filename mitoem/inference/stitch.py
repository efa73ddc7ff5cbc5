"""Instances of neighbouring blocks → instances of the whole, by what both see at their faces."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from pathlib import Path

import cc3d
import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from mitoem.geometry import Box, VoxelSize
from mitoem.inference.decode import FACES, DecodeParameters, kept, numbered
from mitoem.inference.whole import Block
from mitoem.ingestion.disk import mapped

SHARED = 0.5
"""Two pieces are one if they share more than this part of what either covers, at the face."""

Ids = NDArray[np.int64]


def stitch(
    blocks: Sequence[Block], folder: Path, *, voxel_size: VoxelSize, parameters: DecodeParameters
) -> tuple[Path, int]:
    """Write ``labels.npy`` (uint32, of the region's shape) from the blocks' files.

    Instances too small or too doubtful are dropped now that they are whole. Returns the file,
    and how many instances there are, numbered from 1.
    """
    counts, sums = zip(*(_totals(folder / block.file) for block in blocks), strict=True)
    first = np.cumsum([0, *(len(c) for c in counts)])
    joined = [pair + np.array((first[a], first[b])) for a, b, pair in _pairs(blocks, folder)]
    root = _roots(joined, int(first[-1]))
    voxels = np.bincount(root, np.concatenate(counts)).astype(np.int64)
    certain = np.bincount(root, np.concatenate(sums)).astype(np.float64)
    keep = kept(voxels, certain, voxel_size=voxel_size, parameters=parameters)
    number = numbered(keep)
    tables = [number[root[a:b]] for a, b in itertools.pairwise(first)]
    return _assemble(blocks, folder, tables), int(keep.sum())


def _totals(path: Path) -> tuple[Ids, NDArray[np.float64]]:
    with np.load(path) as data:
        return data["counts"], data["sums"]


def _pairs(blocks: Sequence[Block], folder: Path) -> Iterator[tuple[int, int, Ids]]:
    """Numbers of two neighbours, and the pairs of their ids that are one instance."""
    number = {block.place: n for n, block in enumerate(blocks)}
    for a, block in enumerate(blocks):
        for axis in range(3):
            place = list(block.place)
            place[axis] += 1
            b = number.get((place[0], place[1], place[2]))
            if b is not None:
                ours = _face(folder / block.file, axis, 1)
                theirs = _face(folder / blocks[b].file, axis, 0)
                yield a, b, same(ours, theirs)


def _face(path: Path, axis: int, side: int) -> NDArray[np.uint32]:
    with np.load(path) as data:
        found: NDArray[np.uint32] = data[f"face{axis}{side}"]
    return found


def same(ours: NDArray[np.uint32], theirs: NDArray[np.uint32]) -> Ids:
    """Pairs of ids (n, 2) of two views of one slab (z, y, x) that are one instance.

    Compared are the connected pieces of the slab, not the ids: both legs of a U belong to it,
    whose bend only one side sees; and of two touching instances that one side took for one,
    only the larger joins it.
    """
    pieces, names = zip(*(_pieces(view) for view in (ours, theirs)), strict=True)
    both = (pieces[0] > 0) & (pieces[1] > 0)
    found, shared = np.unique(
        np.stack([p[both] for p in pieces], axis=1), axis=0, return_counts=True
    )
    if not len(found):
        return np.zeros((0, 2), np.int64)
    a, b = found.T
    sizes = np.bincount(pieces[0].ravel())[a] + np.bincount(pieces[1].ravel())[b]
    meet = shared > SHARED * (sizes - shared)
    pairs: Ids = np.stack((names[0][a[meet]], names[1][b[meet]]), axis=1)
    return pairs


def _pieces(labels: NDArray[np.uint32]) -> tuple[NDArray[np.uint32], Ids]:
    """Connected parts of equal ids, numbered, and the id of each number."""
    found = cc3d.connected_components(labels, connectivity=FACES, out_dtype=np.uint32)
    pieces: NDArray[np.uint32] = found.astype(np.uint32, copy=False)
    names = np.zeros(int(pieces.max(initial=0)) + 1, np.int64)
    names[pieces.ravel()] = labels.ravel()
    return pieces, names


def _roots(joined: list[Ids], count: int) -> NDArray[np.int32]:
    """Per id of any block the number of its whole; ids that nothing joins stay alone."""
    pairs = np.concatenate(joined) if joined else np.zeros((0, 2), np.int64)
    graph = coo_array((np.ones(len(pairs), bool), (pairs[:, 0], pairs[:, 1])), (count, count))
    root: NDArray[np.int32] = connected_components(graph, directed=False)[1]
    return root


def _assemble(blocks: Sequence[Block], folder: Path, tables: Sequence[NDArray[np.uint32]]) -> Path:
    """The whole's array."""
    start, stop = blocks[0].core.start, blocks[-1].core.stop
    path, partial = folder / "labels.npy", folder / "labels.npy.part"
    z, y, x = start
    whole = mapped(partial, dtype=np.uint32, shape=Box(start, stop).shape)
    for block, table in zip(blocks, tables, strict=True):
        if table.any():
            with np.load(folder / block.file) as data:
                whole[block.core.shift((-z, -y, -x)).slices] = table[data["core"]]
    del whole
    partial.replace(path)
    return path
