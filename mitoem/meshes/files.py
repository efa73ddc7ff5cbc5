"""Meshes as PLY, STL and OBJ, for programs that do not read glTF. All lengths are in µm."""

from __future__ import annotations

import struct

import numpy as np

from mitoem.meshes.body import Mesh


def to_ply(mesh: Mesh) -> bytes:
    """The mesh as binary PLY, in µm."""
    header = (
        "ply\nformat binary_little_endian 1.0\ncomment unit um\n"
        f"element vertex {len(mesh.vertices)}\n"
        "property float x\nproperty float y\nproperty float z\n"
        f"element face {len(mesh.faces)}\nproperty list uchar uint vertex_indices\nend_header\n"
    )
    rows = np.empty(len(mesh.faces), np.dtype([("n", "u1"), ("v", "<u4", 3)]))
    rows["n"], rows["v"] = 3, mesh.faces
    return header.encode() + mesh.vertices.astype("<f4").tobytes() + rows.tobytes()


def to_stl(mesh: Mesh) -> bytes:
    """The mesh as binary STL, in µm."""
    rows = np.zeros(
        len(mesh.faces), np.dtype([("normal", "<f4", 3), ("v", "<f4", (3, 3)), ("end", "<u2")])
    )
    rows["v"] = mesh.vertices[mesh.faces]
    across = np.cross(rows["v"][:, 1] - rows["v"][:, 0], rows["v"][:, 2] - rows["v"][:, 0])
    length = np.linalg.norm(across, axis=1, keepdims=True)
    rows["normal"] = across / np.where(length > 0, length, 1)
    return b"mesh in um".ljust(80) + struct.pack("<I", len(rows)) + rows.tobytes()


def to_obj(mesh: Mesh) -> bytes:
    """The mesh as Wavefront OBJ, in µm."""
    points = "".join(f"v {x:.6g} {y:.6g} {z:.6g}\n" for x, y, z in mesh.vertices.tolist())
    faces = "".join(f"f {a} {b} {c}\n" for a, b, c in (mesh.faces.astype(np.int64) + 1).tolist())
    return f"# unit um\n{points}{faces}".encode()
