"""One small image with labels, written in every format that people have."""

from __future__ import annotations

import io
import json
import shutil
import zipfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import h5py
import nibabel as nib
import numpy as np
import numpy.typing as npt
import tifffile
import zarr
from PIL import Image

from mitoem.manifest import sealed

Array = npt.NDArray[np.generic]


def image(shape: tuple[int, int, int] = (20, 60, 70)) -> npt.NDArray[np.uint8]:
    """Grey noise."""
    return np.random.default_rng(3).integers(0, 256, shape, dtype=np.uint8)


def labels(shape: tuple[int, int, int] = (20, 60, 70)) -> npt.NDArray[np.uint16]:
    """Two boxes, one of them cut by a face."""
    out = np.zeros(shape, np.uint16)
    out[4:12, 10:30, 12:40] = 3
    out[10:, 40:55, 50:65] = 700
    return out


def nifti(path: Path, array: Array, zooms: tuple[float, float, float] = (1, 1, 1)) -> Path:
    """(x, y, z) on disk, as converters write it."""
    picture = nib.Nifti1Image(array.transpose(2, 1, 0), np.diag([*zooms, 1.0]))
    nib.save(picture, path)
    return path


def zipped(path: Path, inside: Path) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        archive.write(inside, f"folder/{inside.name}")
        archive.writestr("__MACOSX/._x", b"fork")
    return path


def _zip_nifti(directory: Path, name: str, array: Array) -> Path:
    return zipped(directory / f"{name}.zip", nifti(directory / f"{name}.nii.gz", array))


def _tiff(directory: Path, name: str, array: Array) -> Path:
    tifffile.imwrite(directory / f"{name}.tif", array)
    return directory / f"{name}.tif"


def _tiff_compressed(directory: Path, name: str, array: Array) -> Path:
    tifffile.imwrite(directory / f"{name}.tiff", array, compression="zlib")
    return directory / f"{name}.tiff"


def _hdf5(directory: Path, name: str, array: Array) -> Path:
    with h5py.File(directory / f"{name}.h5", "w") as file:
        file["main"] = array
    return directory / f"{name}.h5"


def _npz(directory: Path, name: str, array: Array) -> Path:
    np.savez_compressed(directory / f"{name}.npz", **{"labels" if name == "l" else "image": array})
    return directory / f"{name}.npz"


def _npy(directory: Path, name: str, array: Array) -> Path:
    np.save(directory / f"{name}.npy", array)
    return directory / f"{name}.npy"


def png(section: Array) -> bytes:
    data = io.BytesIO()
    Image.fromarray(section).save(data, "PNG")
    return data.getvalue()


def tif(section: Array) -> bytes:
    data = io.BytesIO()
    tifffile.imwrite(data, section)
    return data.getvalue()


def rgb(section: Array) -> npt.NDArray[np.uint8]:
    """Grey values three times; ids as R·65536 + G·256 + B."""
    if section.dtype == np.uint8:
        return np.stack([section] * 3, -1)
    ids = section.astype(np.uint32)
    return np.stack([ids >> 16, ids >> 8 & 255, ids & 255], -1).astype(np.uint8)


def zip_of(path: Path, members: Mapping[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return path


def folder_of(path: Path, members: Mapping[str, bytes]) -> Path:
    for name, data in members.items():
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_bytes(data)
    return path


def slices(
    array: Array, *, name: str = "im/im{:04d}.png", encode: Callable[[Array], bytes] = png
) -> dict[str, bytes]:
    """File name → bytes of every section."""
    return {name.format(z): encode(section) for z, section in enumerate(array)}


def train_and_validation(array: Array, *, split: int) -> dict[str, bytes]:
    """The folders of the official label zips."""
    found = slices(array, name="seg{:04d}.tif", encode=tif)
    return {
        f"mito-{'train' if z < split else 'val'}-v2/{name}": data
        for z, (name, data) in enumerate(found.items())
    }


def _zip_of_slices(directory: Path, name: str, array: Array) -> Path:
    inside = slices(array) if name == "i" else train_and_validation(array, split=13)
    return zip_of(directory / f"{name}.zip", inside)


def _folder_of_slices(directory: Path, name: str, array: Array) -> Path:
    return folder_of(directory / name, slices(array, name="slice {}.tif", encode=tif))


def _folder_of_rgb(directory: Path, name: str, array: Array) -> Path:
    return folder_of(directory / name, slices(array, encode=lambda one: png(rgb(one))))


def multiscale(axes: str, *, unit: str | None, scale: Sequence[float]) -> dict[str, Any]:
    """One level, ``0``."""
    kinds = {"t": "time", "c": "channel"}
    listed = [{"name": axis, "type": kinds.get(axis, "space")} for axis in axes]
    if unit is not None:
        listed = [a | ({"unit": unit} if a["type"] == "space" else {}) for a in listed]
    transformations = [{"type": "scale", "scale": list(scale)}]
    datasets = [{"path": "0", "coordinateTransformations": transformations}]
    return {"axes": listed, "datasets": datasets}


def ome_zarr(
    path: Path,
    array: Array,
    *,
    axes: str = "zyx",
    version: str = "0.5",
    unit: str | None = "nanometer",
    scale: Sequence[float] = (24, 5.5, 5.5),
) -> Path:
    old = version == "0.4"
    group = zarr.open_group(path, mode="w", zarr_format=2 if old else 3)
    separator: dict[str, Any] = {"chunk_key_encoding": {"name": "v2", "separator": "/"}}
    group.create_array("0", data=array, chunks=[min(n, 32) for n in array.shape],
                       **(separator if old else {}))  # fmt: skip
    facts = multiscale(axes, unit=unit, scale=scale)
    if old:
        group.attrs["multiscales"] = [facts | {"version": version}]
    else:
        group.attrs["ome"] = {"version": version, "multiscales": [facts]}
    return path


def zarr_array(path: Path, array: Array, *, version: Literal[2, 3]) -> Path:
    zarr.create_array(path, data=array, zarr_format=version)
    return path


def zip_folder(path: Path, folder: Path) -> Path:
    found = sorted(file for file in folder.rglob("*") if file.is_file())
    return zip_of(path, {str(one.relative_to(folder.parent)): one.read_bytes() for one in found})


def _mitoverse(directory: Path, name: str, array: Array) -> Path:
    group = zarr.open_group(directory / "mitoverse", mode="a", zarr_format=2)
    group.create_array("img" if name == "i" else "mito", data=array)
    return directory / "mitoverse"


def _tiff_with(**options: Any) -> Callable[[Path, str, Array], Path]:
    def write(directory: Path, name: str, array: Array) -> Path:
        tifffile.imwrite(directory / f"{name}.tif", array, **options)
        return directory / f"{name}.tif"

    return write


FORMATS: dict[str, Callable[[Path, str, Array], Path]] = {
    "nii": lambda d, n, a: nifti(d / f"{n}.nii", a),
    "nii.gz": lambda d, n, a: nifti(d / f"{n}.nii.gz", a),
    "zip of nii.gz": _zip_nifti,
    "tiff": _tiff,
    "compressed tiff": _tiff_compressed,
    "hdf5": _hdf5,
    "tiff of one page": _tiff_with(imagej=True, truncate=True, metadata={"axes": "ZYX"}),
    "lzw tiff": _tiff_with(compression="lzw", byteorder=">"),
    "tiled bigtiff": _tiff_with(tile=(32, 32), compression="zlib", bigtiff=True),
    "ome-tiff": _tiff_with(ome=True, metadata={"axes": "ZYX"}),
    "zip of slices": _zip_of_slices,
    "folder of slices": _folder_of_slices,
    "folder of rgb": _folder_of_rgb,
    "ome-zarr 0.4": lambda d, n, a: ome_zarr(
        d / n, a[None, None], axes="tczyx", version="0.4", scale=(1, 1, 24, 5.5, 5.5)
    ),
    "ome-zarr 0.5": lambda d, n, a: ome_zarr(d / n, a),
    "zipped ome-zarr": lambda d, n, a: zip_folder(d / f"{n}.zip", ome_zarr(d / n, a)),
    "zarr v2": lambda d, n, a: zarr_array(d / n, a, version=2),
    "zarr v3": lambda d, n, a: zarr_array(d / n, a, version=3),
    "mitoverse": _mitoverse,
    "npz": _npz,
    "npy": _npy,
}
"""Format → writes an array under a name in a directory."""


def copy_volume(volume: Path, name: str) -> Path:
    """The same volume under another name, beside it."""
    copy = volume.parent / name
    shutil.copytree(volume, copy)
    file = copy / "volume.json"
    file.write_text(json.dumps(sealed(json.loads(file.read_text()) | {"name": name})))
    return copy
