"""One small image with labels, written in every format that people have."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from pathlib import Path

import h5py
import nibabel as nib
import numpy as np
import numpy.typing as npt
import tifffile

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


FORMATS: dict[str, Callable[[Path, str, Array], Path]] = {
    "nii": lambda d, n, a: nifti(d / f"{n}.nii", a),
    "nii.gz": lambda d, n, a: nifti(d / f"{n}.nii.gz", a),
    "zip of nii.gz": _zip_nifti,
    "tiff": _tiff,
    "compressed tiff": _tiff_compressed,
    "hdf5": _hdf5,
    "npz": _npz,
    "npy": _npy,
}
"""Format → writes an array under a name in a directory."""
