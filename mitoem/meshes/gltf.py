"""Meshes as binary glTF 2.0, the format that browsers, Blender and trimesh all read.

One node, mesh and primitive per instance, named ``#id``, with ``extras`` on both that hold its
id: a viewer walks the nodes, Blender and trimesh make one object of each. All positions share one
buffer view and all indices another. Positions are (x, y, z) in µm.

Source: Khronos glTF 2.0 specification, sections 3.6 (buffers, accessors) and 4 (GLB).
"""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from mitoem.meshes.body import Mesh

_FLOAT: Final = 5126
_UINT16: Final = 5123
_UINT32: Final = 5125
_VERTICES: Final = 34962
_INDICES: Final = 34963


@dataclass(frozen=True, slots=True)
class _Part:
    """One instance of a file: its name, surface and what is said of it."""

    name: str
    mesh: Mesh
    extras: Mapping[str, Any]


def to_glb(mesh: Mesh, *, extras: Mapping[str, Any]) -> bytes:
    """One mesh as binary glTF; ``extras`` (id, level, voxel size …) on asset, node and mesh.

    >>> triangle = Mesh(np.eye(3, dtype=np.float32), np.array([[0, 1, 2]], np.uint32), closed=False)
    >>> to_glb(triangle, extras={"id": 7})[:4]
    b'glTF'
    """
    name = f"#{extras['id']}" if "id" in extras else "mesh"
    return _glb([_Part(name, mesh, extras)], extras)


def overview_glb(meshes: Mapping[int, Mesh], *, extras: Mapping[str, Any]) -> bytes:
    """Many instances by id as one binary glTF; ``extras`` on the asset, the id on each node."""
    return _glb([_Part(f"#{i}", m, {"id": i}) for i, m in meshes.items()], extras)


def _glb(parts: Sequence[_Part], extras: Mapping[str, Any]) -> bytes:
    """The file: header, JSON chunk, binary chunk."""
    document: dict[str, Any] = {
        "asset": {"version": "2.0", "generator": "mitoem", "extras": dict(extras)},
        "scene": 0,
        "scenes": [{"nodes": list(range(len(parts)))} if parts else {}],
    }
    data = b""
    if parts:
        accessors, positions, indices = _accessors(parts)
        data = positions + indices
        document |= {
            "nodes": [
                {"name": p.name, "mesh": k, "extras": dict(p.extras)} for k, p in enumerate(parts)
            ],
            "meshes": [
                {
                    "name": p.name,
                    "primitives": [{"attributes": {"POSITION": 2 * k}, "indices": 2 * k + 1}],
                    "extras": dict(p.extras),
                }
                for k, p in enumerate(parts)
            ],
            "accessors": accessors,
            "bufferViews": [
                {"buffer": 0, "byteLength": len(positions), "byteStride": 12, "target": _VERTICES},
                {
                    "buffer": 0,
                    "byteOffset": len(positions),
                    "byteLength": len(indices),
                    "target": _INDICES,
                },
            ],
            "buffers": [{"byteLength": len(data)}],
        }
    text = json.dumps(document, separators=(",", ":"), allow_nan=False).encode()
    chunks = _chunk(b"JSON", text, b" ") + (_chunk(b"BIN\0", data, b"\0") if parts else b"")
    return struct.pack("<4sII", b"glTF", 2, 12 + len(chunks)) + chunks


def _accessors(parts: Sequence[_Part]) -> tuple[list[dict[str, Any]], bytes, bytes]:
    """Per part its positions and indices as accessors, and the two buffers they look into."""
    accessors: list[dict[str, Any]] = []
    positions, indices = bytearray(), bytearray()
    for part in parts:
        points = part.mesh.vertices.astype("<f4")
        small = len(points) < 2**16
        corners = part.mesh.faces.astype("<u2" if small else "<u4")
        accessors.append(
            {
                "bufferView": 0,
                "byteOffset": len(positions),
                "componentType": _FLOAT,
                "count": len(points),
                "type": "VEC3",
                "min": points.min(axis=0).tolist(),
                "max": points.max(axis=0).tolist(),
            }
        )
        accessors.append(
            {
                "bufferView": 1,
                "byteOffset": len(indices),
                "componentType": _UINT16 if small else _UINT32,
                "count": corners.size,
                "type": "SCALAR",
            }
        )
        positions += points.tobytes()
        indices += _padded(corners.tobytes(), b"\0")
    return accessors, bytes(positions), bytes(indices)


def _chunk(kind: bytes, data: bytes, fill: bytes) -> bytes:
    whole = _padded(data, fill)
    return struct.pack("<I4s", len(whole), kind) + whole


def _padded(data: bytes, fill: bytes) -> bytes:
    """The bytes filled up to a multiple of four."""
    return data + fill * (-len(data) % 4)
