"""Arrays, meshes and figures as files for other programs; a file appears whole or not at all."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import h5py
import nibabel as nib
import numpy as np
import numpy.typing as npt
import tifffile

from mitoem import manifest, meshes, ome, pyramid
from mitoem.errors import DiskFull, DiskReadOnly, MitoEMError, RequestInvalid, SourceUnsupported
from mitoem.geometry import Box, VoxelSize
from mitoem.ingestion.disk import disk_error, write_json
from mitoem.ingestion.hdf5 import MAIN
from mitoem.ingestion.layer import Layer, write_layer
from mitoem.ingestion.placing import Watch, from_array
from mitoem.render import Figure
from mitoem.volume import Volume

MESH_FORMATS: dict[str, Callable[[meshes.Mesh], bytes]] = {
    "ply": meshes.to_ply,
    "stl": meshes.to_stl,
    "obj": meshes.to_obj,
}


_TABLES: Mapping[str, Literal["csv", "parquet"]] = {".csv": "csv", ".parquet": "parquet"}


def write_bytes(path: Path, data: bytes) -> Path:
    """Write a file whole or not at all; raises DiskFull."""
    return _whole(path, lambda partial: partial.write_bytes(data))


def write_array(path: Path, array: npt.NDArray[Any], *, voxel_size: VoxelSize) -> Path:
    """Labels (z, y, x) as ``.h5`` (dataset ``main``), ``.tif``, ``.nii.gz``, ``.npz`` or ``.zarr``.

    HDF5 and npz hold uint32; TIFF and NIfTI hold the voxel size too, nm in the first and mm in
    the second, NIfTI in (x, y, z). ``.zarr`` is an OME-Zarr 0.5 label image with its pyramid,
    ``.zarr.zip`` a zip of one.
    Raises SourceUnsupported for another ending, RequestInvalid for a folder of something else.
    """
    write = check_array_path(path)
    return _whole(path, lambda partial: write(partial, array, voxel_size))


def check_array_path(path: Path) -> Callable[[Path, npt.NDArray[Any], VoxelSize], None]:
    """The writer that a file name asks for; raises SourceUnsupported, naming those there are.

    Raises RequestInvalid for a folder: none is replaced but an array of the same kind.
    """
    for ending, write in _ARRAYS.items():
        if path.name.lower().endswith(ending):
            check_place(path, folder=ending == ".zarr")
            return write
    raise SourceUnsupported(f"{path.name}: expected one of {', '.join(_ARRAYS)}")


def check_table_path(path: Path) -> tuple[Literal["csv", "parquet"], Path]:
    """What a file name asks a table to be, and the file that says where it comes from.

    A table in both forms has one of each. Raises SourceUnsupported, and RequestInvalid; another
    file is never replaced by what is written beside the table.
    """
    kind = _TABLES.get(path.suffix.lower())
    if kind is None:
        raise SourceUnsupported(f"{path.name}: expected {' or '.join(_TABLES)}")
    sidecar = path.with_suffix(".json" if kind == "csv" else ".parquet.json")
    for one in (path, sidecar):
        check_place(one)
    if sidecar.exists() and not _has_key(sidecar, f"{kind}_sha256"):
        raise RequestInvalid(
            f"{sidecar}: expected no file, or what was written beside a table, found another; "
            f"give {path.name} another name or folder"
        )
    return kind, sidecar


def check_place(path: Path, *, folder: bool = False) -> None:
    """Raise RequestInvalid where a file is not to be written, DiskReadOnly where none can be.

    That is in the place of a folder, unless it is one of what would take its place, and where
    ``check_folder`` says so.
    """
    with _naming(path):
        if path.is_dir() and not (folder and any((path / name).is_file() for name in _OF_ARRAYS)):
            found = "a folder of something else" if folder else "a folder"
            raise RequestInvalid(f"{path}: expected the name of a file to write, found {found}")
    check_folder(path.parent, asked=path)


def check_folder(folder: Path, *, asked: Path | None = None) -> None:
    """Raise RequestInvalid for a folder below a file, or in a volume, whose files are its own.

    ``asked`` is what a person asked for, where it is not the folder itself.
    """
    asked = asked or folder
    with _naming(asked):
        above = Path(os.path.realpath(folder))
        around = (above, *above.parents)
        nearest = next(one for one in around if one.exists())
        if not nearest.is_dir():
            raise RequestInvalid(f"{asked}: expected a folder, found the file {nearest}")
        for one in around:
            if (one / manifest.FILE).is_file() and (one / "image.zarr").is_dir():
                raise RequestInvalid(f"{asked}: expected a place outside of volumes, found {one}")


def check_mesh_formats(formats: Sequence[str]) -> list[str]:
    """The formats, each once; raises RequestInvalid for one that is not written."""
    known = ["glb", *MESH_FORMATS]
    for one in formats:
        if one not in known:
            raise RequestInvalid(f"mesh format: expected one of {', '.join(known)}, found {one!r}")
    return list(dict.fromkeys(formats))


def write_mesh(
    directory: Path,
    mesh: meshes.Mesh,
    instance_id: int,
    *,
    formats: Sequence[str],
    level: int,
    volume: Volume,
) -> list[Path]:
    """One surface in each format, ``<id>.<format>``, in a directory that is made if need be."""
    written = []
    for one in formats:
        data = (
            meshes.to_glb(mesh, extras=mesh_extras(volume, instance_id, level=level))
            if one == "glb"
            else MESH_FORMATS[one](mesh)
        )
        written.append(write_bytes(directory / f"{instance_id}.{one}", data))
    return written


def mesh_extras(volume: Volume, instance_id: int, *, level: int) -> dict[str, Any]:
    """What a GLB says of itself."""
    return {
        "id": instance_id,
        "level": level,
        "voxel_size_nm": list(volume.info.levels[level].voxel_size),
        "volume": volume.name,
        "synthetic": volume.info.synthetic,
        "unit": "um",
    }


def write_figure(path: Path, figure: Figure) -> Path:
    """A figure as PNG or SVG, by the ending of the name."""
    if path.suffix.lower() == ".svg":
        return write_bytes(path, figure.svg().encode())
    if path.suffix.lower() == ".png":
        return write_bytes(path, figure.png())
    raise SourceUnsupported(f"{path.name}: expected .png or .svg")


def _hdf5(path: Path, array: npt.NDArray[Any], voxel_size: VoxelSize) -> None:
    with h5py.File(path, "w") as file:
        dataset = file.create_dataset(MAIN, data=array, compression="gzip", compression_opts=1)
        dataset.attrs["voxel_size_nm"] = voxel_size


def _tiff(path: Path, array: npt.NDArray[Any], voxel_size: VoxelSize) -> None:
    z, y, x = voxel_size
    small = array.astype(np.uint16) if array.max(initial=0) < 1 << 16 else array
    imagej = small.dtype != np.uint32
    tifffile.imwrite(
        path,
        small,
        imagej=imagej,
        metadata={"axes": "ZYX", "spacing": z, "unit": "nm"} if imagej else {"axes": "ZYX"},
        resolution=(1 / x, 1 / y),
        compression="zlib" if not imagej else None,
    )


def _nifti(path: Path, array: npt.NDArray[Any], voxel_size: VoxelSize) -> None:
    z, y, x = (edge * 1e-6 for edge in voxel_size)
    make: Any = nib.Nifti1Image
    image = make(array.transpose(2, 1, 0), np.diag([x, y, z, 1.0]), dtype=array.dtype)
    image.header.set_xyzt_units("mm")
    nib.save(image, path)


def _npz(path: Path, array: npt.NDArray[Any], voxel_size: VoxelSize) -> None:
    with path.open("wb") as file:
        np.savez_compressed(file, labels=array, voxel_size_nm=np.asarray(voxel_size))


def _zarr(path: Path, array: npt.NDArray[Any], voxel_size: VoxelSize) -> None:
    shape = (array.shape[0], array.shape[1], array.shape[2])
    levels = manifest.level_infos(shape, voxel_size, pyramid.level_factors(shape, voxel_size))
    path.mkdir()
    attributes = ome.image_attributes(levels, is_labels=True, source=None)
    write_json(path / "zarr.json", ome.group(attributes))
    layer = Layer(path, levels, (from_array(array),), array.dtype, Box.whole(shape), "labels")
    write_layer(layer, watch=Watch())


def _zarr_zip(path: Path, array: npt.NDArray[Any], voxel_size: VoxelSize) -> None:
    """Stored, not deflated: the chunks are compressed already, and can be read in place."""
    with tempfile.TemporaryDirectory(dir=path.parent) as folder:
        tree = Path(folder) / "labels.ome.zarr"
        _zarr(tree, array, voxel_size)
        with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
            for file in sorted(one for one in tree.rglob("*") if one.is_file()):
                archive.write(file, file.relative_to(folder))


_ARRAYS: dict[str, Callable[[Path, npt.NDArray[Any], VoxelSize], None]] = {
    ".h5": _hdf5,
    ".hdf5": _hdf5,
    ".tif": _tiff,
    ".tiff": _tiff,
    ".nii.gz": _nifti,
    ".nii": _nifti,
    ".npz": _npz,
    ".zarr": _zarr,
    ".zarr.zip": _zarr_zip,
}


def _has_key(path: Path, key: str) -> bool:
    """Whether a file is a JSON object with a key."""
    try:
        found = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return False
    return isinstance(found, dict) and key in found


@contextmanager
def _naming(path: Path) -> Iterator[None]:
    """What a disk says against writing a file, with its path as a person gave it."""
    try:
        yield
    except MitoEMError:
        raise
    except OSError as error:
        found = disk_error(error)
        if not isinstance(found, DiskFull):
            reason = error.strerror or str(error).splitlines()[0][:300]
            found = DiskReadOnly(f"{path}: nothing can be written there: {reason}")
        raise found from error


MOST_OF_NAME = 50
"""Letters of a file's name in its hidden one, as a name has 255 bytes at most."""

_OF_ARRAYS = ("zarr.json", ".zgroup", ".zarray")
"""What lies in a folder that is a Zarr array, or a group of them."""


def _whole(path: Path, write: Callable[[Path], Any]) -> Path:
    """Write beside the target under a hidden name of the same ending, then put it in place."""
    check_place(path, folder=True)
    partial = path.with_name(f".partial-{os.getpid()}-{path.name[-MOST_OF_NAME:]}")
    with _naming(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            write(partial)
            check_place(path, folder=partial.is_dir())
            if path.is_dir():
                shutil.rmtree(path)
            partial.replace(path)
        finally:
            if partial.is_dir():
                shutil.rmtree(partial)
            partial.unlink(missing_ok=True)
    return path
