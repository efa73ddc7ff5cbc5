"""OME-Zarr 0.1 to 0.5, plain Zarr v2 and v3, and MitoVerse groups: folders, or zips of one.

Of a multiscale the finest level is read; for labels, the label image beside it where there is one.
Voxels are read by TensorStore, chunk by chunk.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

import numpy as np
import numpy.typing as npt
import tensorstore as ts

from mitoem import ome
from mitoem.errors import SourceUnreadable, SourceUnsupported
from mitoem.geometry import Index, VoxelSize
from mitoem.ingestion import archive
from mitoem.ingestion.archive import Open
from mitoem.ingestion.source import Content, Source, Wanted, check_chunk

MITOVERSE = {"image": "img", "labels": "mito"}
"""Arrays of a group of MitoVerse, by what they are wanted for."""

MOST_IN_SHARD = 1 << 20
"""Chunks of one shard: each takes 16 bytes of an index that is read as a whole."""

MOST_JSON = 1 << 24
"""Bytes of a file of metadata."""

MOST_AHEAD = 1 << 28
"""Bytes of sections held so that chunks deeper than a slab are decoded once."""

_VERSION = {"zarr": "v2", "zarr3": "v3"}
_METADATA = ("zarr.json", ".zarray", ".zgroup")


def recognise(content: Content) -> bool:
    """Whether a folder, or the first folder of a zip, holds Zarr metadata."""
    return _root(content) is not None


def read(content: Content, wanted: Wanted) -> Source:
    """The array that is wanted; ``key`` is a path, or the name of a label image.

    Raises SourceUnreadable or SourceUnsupported, naming the file and the array.
    """
    tree = _Tree(content, _root(content) or "")
    with archive.opened(content) as open_file:
        found = _find(tree, wanted, open_file)
    where = f"{content.where}[{found.path}]" if found.path else content.where
    spec = {"driver": found.driver, "kvstore": tree.kvstore(found.path)}
    store = _volume(_opened(spec, where), found.axes, where)
    try:
        dtype = np.dtype(store.dtype.numpy_dtype)
    except (TypeError, ValueError) as error:
        raise SourceUnsupported(f"{where}: expected numbers, found {store.dtype}") from error
    shape: Index = (store.shape[0], store.shape[1], store.shape[2])
    _check_chunks(store, dtype, where)
    ahead = _depth(store, dtype)

    def slabs(depth: int, start: int = 0) -> Iterator[npt.NDArray[Any]]:
        voxels = _volume(_opened(spec, where), found.axes, where)
        z = start
        while z < shape[0]:
            stop = min(shape[0], z + depth if depth >= ahead else (z // ahead + 1) * ahead)
            try:
                block = voxels[z:stop].read().result()
            except (ValueError, OSError) as error:
                raise SourceUnreadable(f"{where}: {_reason(error)}") from error
            for first in range(0, len(block), depth):
                yield block[first : first + depth]
            z = stop

    return Source(
        content.path,
        found.format,
        _axes(found.axes),
        shape,
        dtype,
        found.voxel_size,
        "OME-Zarr metadata" if found.voxel_size else "",
        slabs,
    )


@dataclass(frozen=True, slots=True)
class _Node:
    """An array or group: its path inside, what TensorStore calls it, and its attributes."""

    path: str
    driver: str
    is_array: bool
    attributes: dict[str, Any]


@dataclass(frozen=True, slots=True)
class _Found:
    """The array to read, and what is known of its axes and voxels."""

    path: str
    driver: str
    format: str
    axes: tuple[str, ...] = ()
    voxel_size: VoxelSize | None = None


@dataclass(frozen=True, slots=True)
class _Tree:
    """A Zarr hierarchy in a folder, or below ``root`` in a zip."""

    content: Content
    root: str

    def node(self, path: str, open_file: Open) -> _Node | None:
        """What lies at a path; raises SourceUnreadable for metadata that does not parse."""
        third = self._json(path, "zarr.json", open_file)
        if third is not None:
            where = f"{self.content.where}[{_join(path, 'zarr.json')}]"
            attributes = ome.attributes_of(third, where=where)
            return _Node(path, "zarr3", third.get("node_type") == "array", attributes)
        for name in (".zarray", ".zgroup"):
            if self._json(path, name, open_file) is not None:
                attributes = self._json(path, ".zattrs", open_file) or {}
                return _Node(path, "zarr", name == ".zarray", attributes)
        return None

    def below(self, path: str) -> list[str]:
        """Names of the folders in a group."""
        inside = PurePosixPath(self.root, path)
        if self.content.is_folder:
            return sorted(p.name for p in (self.content.path / inside).iterdir() if p.is_dir())
        depth = len(inside.parts)
        parents = [one.path.parent.parts for one in archive.listed(self.content)]
        return sorted({p[depth] for p in parents if p[:depth] == inside.parts and len(p) > depth})

    def kvstore(self, path: str) -> dict[str, Any]:
        """TensorStore's address of a path."""
        inside = _join(self.root, path)
        base = {"driver": "file", "path": str(self.content.path.resolve())}
        if self.content.is_folder:
            return base | {"path": f"{self.content.path.resolve().joinpath(inside)}/"}
        return {"driver": "zip", "base": base, "path": f"{inside}/" if inside else ""}

    def _json(self, path: str, name: str, open_file: Open) -> dict[str, Any] | None:
        inside = _join(self.root, path, name)
        try:
            with open_file(inside) as stream:
                text = stream.read(MOST_JSON + 1)
            parsed = json.loads(text) if len(text) <= MOST_JSON else None
        except (FileNotFoundError, KeyError, NotADirectoryError):
            return None
        except archive.FAULTS as error:
            raise SourceUnreadable(f"{self.content.where}[{inside}]: {error}") from error
        if not isinstance(parsed, dict):
            raise SourceUnreadable(
                f"{self.content.where}[{inside}]: expected a JSON object, most {MOST_JSON:,} bytes"
            )
        return parsed


def _root(content: Content) -> str | None:
    """The folder with the uppermost metadata; None where there is none."""
    if content.is_folder:
        return "" if any((content.path / name).is_file() for name in _METADATA) else None
    if not archive.is_zip(content) or content.name != content.path.name:
        return None
    roots = [one.path.parent for one in archive.listed(content) if one.path.name in _METADATA]
    top = min(roots, key=lambda path: (len(path.parts), path), default=None)
    return None if top is None else _join(*top.parts)


def _find(tree: _Tree, wanted: Wanted, open_file: Open) -> _Found:
    where = tree.content.where
    path = _inside(wanted.key or "", where)
    candidates = (path, f"labels/{path}") if path else (path,)
    nodes = [node for one in candidates if (node := tree.node(one, open_file)) is not None]
    if not nodes:
        known = ", ".join(tree.below("")) or "nothing"
        raise SourceUnreadable(f"{where}: no array or group {path!r}; it has: {known}")
    node = nodes[0]
    if "bioformats2raw.layout" in node.attributes:
        node = tree.node(_join(node.path, "0"), open_file) or node
    if node.is_array:
        return _Found(node.path, node.driver, f"Zarr {_VERSION[node.driver]} array")
    if wanted.role == "labels":
        node = _labels_beside(tree, node, open_file) or node
    level = ome.finest(node.attributes, where=f"{where}[{node.path}]" if node.path else where)
    if level is None:
        return _array_in(tree, node, wanted, open_file)
    name = f"OME-Zarr {level.version}" + (f", {node.path}" if node.path else "")
    path = _join(node.path, _inside(level.path, where))
    return _Found(path, node.driver, name, level.axes, level.voxel_size)


def _inside(path: str, where: str) -> str:
    if ".." in PurePosixPath(path).parts or PurePosixPath(path).is_absolute():
        raise SourceUnreadable(f"{where}: expected a path inside, found {path!r}")
    return path


def _labels_beside(tree: _Tree, node: _Node, open_file: Open) -> _Node | None:
    """The one label image of an image; raises SourceUnsupported where there are several."""
    group = tree.node(_join(node.path, "labels"), open_file)
    if group is None or group.is_array:
        return None
    names = ome.parse_labels(group.attributes, where=f"{tree.content.where}[{group.path}]")
    if len(names) > 1:
        raise SourceUnsupported(
            f"{tree.content.where}: expected one label image, or --key with the name of one, "
            f"found {', '.join(names)}"
        )
    name = _inside(names[0], tree.content.where) if names else ""
    return tree.node(_join(group.path, name), open_file) if names else None


def _array_in(tree: _Tree, node: _Node, wanted: Wanted, open_file: Open) -> _Found:
    """The array of a group that is no multiscale: MitoVerse's, or the only one."""
    paths = {name: _join(node.path, name) for name in tree.below(node.path)}
    below = {name: tree.node(path, open_file) for name, path in paths.items()}
    arrays = {name: one for name, one in below.items() if one is not None and one.is_array}
    usual = MITOVERSE[wanted.role]
    name = usual if usual in arrays else next(iter(arrays), "")
    if usual not in arrays and len(arrays) != 1:
        known = ", ".join(below) or "nothing"
        raise SourceUnsupported(
            f"{tree.content.where}: expected a multiscale, an array {usual!r} or --key, "
            f"found a group with {known}"
        )
    one = arrays[name]
    return _Found(one.path, one.driver, f"Zarr {_VERSION[one.driver]} group, array {name!r}")


def _opened(spec: dict[str, Any], where: str) -> ts.TensorStore:
    try:
        return ts.open(spec, read=True, open=True).result()
    except (ValueError, OSError, RuntimeError) as error:
        raise SourceUnreadable(f"{where}: {_reason(error)}") from error


def _volume(store: ts.TensorStore, axes: tuple[str, ...], where: str) -> ts.TensorStore:
    """The array as (z, y, x): turned by the names of its axes, else its last three."""
    shape = tuple(store.shape)
    names = axes or tuple(label.lower() for label in store.domain.labels)
    if set("zyx") <= set(names) and len(names) == len(shape):
        order = [names.index(axis) for axis in "zyx"]
    else:
        order = list(range(len(shape)))[-3:]
    others = [i for i in range(len(shape)) if i not in order]
    unnamed = bool(axes) and not (set("zyx") <= set(axes) and len(axes) == len(shape))
    if unnamed or len(order) != 3 or any(shape[i] != 1 for i in others):
        raise SourceUnsupported(
            f"{where}: expected axes z, y, x and others of length 1, "
            f"found axes {', '.join(filter(None, names)) or 'without names'} of shape {shape}"
        )
    flat = store[tuple(0 if i in others else slice(None) for i in range(len(shape)))]
    left = sorted(order)
    return flat.transpose([left.index(i) for i in order])


def _check_chunks(store: ts.TensorStore, dtype: np.dtype[Any], where: str) -> None:
    """Raises SourceUnsupported for chunks, or an index of those in a shard, that are absurd."""
    read, write = (
        [n or 1 for n in grid.shape or ()]
        for grid in (store.chunk_layout.read_chunk, store.chunk_layout.write_chunk)
    )
    check_chunk(read, dtype, where=where)
    inside = math.prod(write) // math.prod(read)
    if inside > MOST_IN_SHARD:
        raise SourceUnsupported(
            f"{where}: expected at most {MOST_IN_SHARD:,} chunks in a shard, found {inside:,}"
        )


def _axes(names: tuple[str, ...]) -> str:
    turned = [name for name in names if name in "zyx"] not in ([], ["z", "y", "x"])
    return (", ".join(names) or "z, y, x") + (" → z, y, x" if turned else "")


def _depth(store: ts.TensorStore, dtype: np.dtype[Any]) -> int:
    """Sections to read at a time: those of one chunk, where they fit."""
    chunk = store.chunk_layout.read_chunk.shape
    deep = (chunk[0] or 1) if chunk is not None else 1
    plane = store.shape[1] * store.shape[2] * dtype.itemsize
    return deep if deep * plane <= MOST_AHEAD else 1


def _join(*parts: str) -> str:
    path = PurePosixPath(*parts)
    return path.as_posix() if path.parts else ""


def _reason(error: Exception) -> str:
    return str(error).splitlines()[0].partition(" [")[0][:300]
