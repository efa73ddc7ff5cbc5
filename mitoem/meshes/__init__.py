"""Labels → triangles in µm, and the files that hold them (GLB, PLY, STL, OBJ)."""

from mitoem.meshes.body import SMOOTH_NM, Mesh, level_offset, mesh, overview
from mitoem.meshes.files import to_obj, to_ply, to_stl
from mitoem.meshes.gltf import overview_glb, to_glb

__all__ = [
    "SMOOTH_NM",
    "Mesh",
    "level_offset",
    "mesh",
    "overview",
    "overview_glb",
    "to_glb",
    "to_obj",
    "to_ply",
    "to_stl",
]
