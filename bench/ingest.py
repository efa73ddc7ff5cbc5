"""How fast files become volumes, beside ngff-zarr and ome-zarr-py on the same voxels and levels.

    python -m bench.ingest [--planes 128] [--side 2048] [--rounds 3] [--out bench/out/ingest.json]

The image is drawn (blobs and noise, so that it compresses as electron micrographs do). Every
number is in Mvoxel/s of level 0, pyramid included, disk included, and the median of the rounds, in
which all contenders take turns. Decompression alone is what the file allows: by the libraries and
threads that ingest uses ("fastest"), and as most programs read it ("usual": Python's gzip, Pillow,
one thread).
"""

from __future__ import annotations

import argparse
import gzip
import json
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import imagecodecs
import nibabel as nib
import numpy as np
import tifffile
from isal import igzip
from PIL import Image
from scipy import ndimage

import mitoem

VOXEL = (30.0, 8.0, 8.0)


def draw(planes: int, side: int) -> tuple[np.ndarray, np.ndarray]:
    """Grey sections with blobs in noise, and the blobs as labels."""
    rng = np.random.default_rng(11)
    small = ndimage.gaussian_filter(rng.standard_normal((planes, side // 8, side // 8)), (2, 3, 3))
    field = ndimage.zoom(small, (1, 8, 8), order=1)
    image = np.clip(150 + 900 * field + rng.normal(0, 14, field.shape), 0, 255).astype(np.uint8)
    labels, _ = ndimage.label(field > 0.12)
    return image, labels.astype(np.uint16)


def timed(work: Callable[[], Any]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def sources(at: Path, image: np.ndarray) -> dict[str, Path]:
    """The image as uncompressed NIfTI and TIFF, .nii.gz, compressed TIFF, and zipped PNGs."""
    picture = nib.Nifti1Image(image.transpose(2, 1, 0), np.eye(4))
    nib.save(picture, at / "im.nii")
    nib.save(picture, at / "im.nii.gz")
    tifffile.imwrite(at / "im.tif", image)
    tifffile.imwrite(at / "deflate.tif", image, compression="zlib")
    (at / "png").mkdir()
    for z, section in enumerate(image):
        Image.fromarray(section).save(at / "png" / f"im{z:04d}.png", compress_level=4)
    return {
        "nii": at / "im.nii",
        "tif": at / "im.tif",
        "nii.gz": at / "im.nii.gz",
        "tif, deflate": at / "deflate.tif",
        "png folder": at / "png",
    }


def inflate(path: Path, opener: Callable[[Path], Any]) -> None:
    with opener(path) as stream:
        while stream.read(1 << 24):
            pass


def decode(folder: Path, threads: int, one: Callable[[Path], Any]) -> None:
    with ThreadPoolExecutor(threads) as pool:
        for _ in pool.map(lambda path: one(path).size, sorted(folder.iterdir())):
            pass


def decompression(paths: dict[str, Path]) -> dict[str, Callable[[], None]]:
    """Contenders that decompress and do nothing else."""
    gz, pngs = paths["nii.gz"], paths["png folder"]
    return {
        "nii.gz, fastest": lambda: inflate(gz, igzip.open),
        "nii.gz, usual": lambda: inflate(gz, gzip.open),
        "png folder, fastest": lambda: decode(
            pngs, 2, lambda path: imagecodecs.png_decode(path.read_bytes())
        ),
        "png folder, usual": lambda: decode(pngs, 1, lambda path: np.asarray(Image.open(path))),
    }


def ours(path: Path, root: Path, labels: Path | None = None) -> Callable[[], None]:
    def work() -> None:
        more = [] if labels is None else [labels]
        mitoem.ingest("v", path, labels=more, voxel_size=VOXEL, data=root)

    return work


def ngff_zarr(path: Path, target: Path) -> Callable[[], None]:
    import ngff_zarr as nz

    def work() -> None:
        array = np.asarray(tifffile.memmap(path))
        scale = dict(zip("zyx", VOXEL, strict=True))
        image = nz.to_ngff_image(array, dims=["z", "y", "x"], scale=scale)
        scales = nz.to_multiscales(
            image,
            scale_factors=[{"z": 1, "y": 2, "x": 2}, {"z": 1, "y": 4, "x": 4}],
            chunks={"z": 32, "y": 128, "x": 128},
            method=nz.Methods.ITKWASM_BIN_SHRINK,
        )
        nz.to_ngff_zarr(str(target), scales, version="0.5")

    return work


def ome_zarr(path: Path, target: Path) -> Callable[[], None]:
    import zarr
    from ome_zarr.writer import write_image

    def work() -> None:
        array = np.asarray(tifffile.memmap(path))
        group = zarr.open_group(target, mode="w", zarr_format=3)
        write_image(
            array,
            group,
            axes="zyx",
            scale_factors=[{"z": 1, "y": 2, "x": 2}, {"z": 1, "y": 4, "x": 4}],
            storage_options={"chunks": (32, 128, 128)},
        )

    return work


def memory_of(path: Path, root: Path) -> int:
    """Peak memory in bytes of an ingest in a process of its own."""
    shutil.rmtree(root, ignore_errors=True)
    code = (
        "import sys, mitoem; mitoem.ingest('v', sys.argv[1], voxel_size=(30, 8, 8), "
        "data=sys.argv[2]); print(open('/proc/self/status').read().split('VmHWM:')[1].split()[0])"
    )
    words = [sys.executable, "-c", code, str(path), str(root)]
    return int(subprocess.run(words, check=True, capture_output=True, text=True).stdout) * 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--planes", type=int, default=128)
    parser.add_argument("--side", type=int, default=2048)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--out", type=Path, default=Path("bench/out/ingest.json"))
    asked = parser.parse_args()
    image, labels = draw(asked.planes, asked.side)
    voxels = image.size / 1e6
    with tempfile.TemporaryDirectory() as folder:
        at, target = Path(folder), Path(folder) / "written"
        paths = sources(at, image)
        tifffile.imwrite(at / "labels.tif", labels)
        contenders = {name: ours(path, target) for name, path in paths.items()}
        contenders["tif and labels"] = ours(paths["tif"], target, at / "labels.tif")
        contenders |= decompression(paths)
        contenders |= {
            "ngff-zarr": ngff_zarr(paths["tif"], target),
            "ome-zarr-py": ome_zarr(paths["tif"], target),
        }
        seconds: dict[str, list[float]] = {name: [] for name in contenders}
        ours(paths["tif"], at / "warm")()
        for _ in range(asked.rounds):
            for name, work in contenders.items():
                shutil.rmtree(target, ignore_errors=True)
                seconds[name].append(timed(work))
        rates = {name: voxels / statistics.median(taken) for name, taken in seconds.items()}
        result = {
            "shape": image.shape,
            "mvoxel_s": {name: round(rate, 1) for name, rate in rates.items()},
            "mvoxel_s_of_each_round": {
                name: [round(voxels / one, 1) for one in taken] for name, taken in seconds.items()
            },
            "share_of_decompression": {
                f"{name}, {which}": round(rates[name] / rates[f"{name}, {which}"], 2)
                for name in ("nii.gz", "png folder")
                for which in ("fastest", "usual")
            },
            "times_the_peer": {
                name: round(rates["tif"] / rates[name], 1) for name in ("ngff-zarr", "ome-zarr-py")
            },
            "peak_bytes": memory_of(paths["tif"], target),
        }
    asked.out.parent.mkdir(parents=True, exist_ok=True)
    asked.out.write_text(json.dumps(result, indent=1) + "\n")
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
