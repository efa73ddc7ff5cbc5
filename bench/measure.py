"""Speed, memory and accuracy of the instance table, beside what people use today.

``python -m bench.measure [--shape 256,2048,2048] [--accuracy] [--organella PROGRAM] [--out FILE]``
prints one JSON object. Volumes are made here: ellipsoids of MitoEM's sizes and density, and a noisy
image, on disk; every contender runs in a process of its own, reads them through memory maps and has
its private memory watched. ``--accuracy`` measures bodies of known shape instead.

Contenders: ``ours`` (all columns but neighbours and skeletons), ``ours_neighbours``,
``ours_skeletons`` (these columns too), ``regionprops`` (scikit-image's table, and a surface by
marching cubes and a count of parts per instance), ``cc3d`` (statistics: counts, boxes and
centroids alone), ``scipy`` (sums, centroids, means and deviations by label, alone), and, where
``--organella`` names its program (installed in an environment of its own), ``organella process``
without skeletons, which reads TIFF, writes a Parquet report and measures distances between
instances up to half a micrometre.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import tifffile
from numpy.typing import NDArray

from mitoem.morphometry import measure, measure_blocks, skeleton
from tests.shapes import VOXEL, Body, ball, capsule, ellipsoid

TILE = (128, 512, 512)
PER_TILE = 140
CONTENDERS = ("ours", "ours_neighbours", "ours_skeletons", "regionprops", "cc3d", "scipy")


def tile(seed: int) -> NDArray[np.uint32]:
    """Ellipsoids of a log-normal size, about 5 % of the voxels, as in MitoEM."""
    rng = np.random.default_rng(seed)
    labels = np.zeros(TILE, np.uint32)
    for number in range(1, PER_TILE + 1):
        mask = ellipsoid(float(np.exp(rng.normal(9.0, 0.8))), rng).mask
        corner = [rng.integers(-s // 3, n - s // 2) for s, n in zip(mask.shape, TILE, strict=True)]
        low = [max(-c, 0) for c in corner]
        part = mask[tuple(slice(a, None) for a in low)]
        start = [max(c, 0) for c in corner]
        there = labels[tuple(slice(a, a + n) for a, n in zip(start, part.shape, strict=True))]
        inside = part[tuple(slice(0, n) for n in there.shape)]
        there[inside & (there == 0)] = number
    return labels


def make(shape: tuple[int, int, int], folder: Path) -> None:
    """Labels and image of this shape as .npy files."""
    kinds = [tile(seed) for seed in range(4)]
    labels = np.lib.format.open_memmap(folder / "labels.npy", "w+", np.uint32, shape)
    image = np.lib.format.open_memmap(folder / "image.npy", "w+", np.uint8, shape)
    noise = np.random.default_rng(9).integers(0, 256, TILE).astype(np.uint8)
    corners = np.ndindex(*(-(-n // t) for n, t in zip(shape, TILE, strict=True)))
    for place, at in enumerate(corners):
        where = tuple(slice(a * t, (a + 1) * t) for a, t in zip(at, TILE, strict=True))
        room = labels[where].shape
        one = kinds[place % len(kinds)][tuple(slice(0, n) for n in room)]
        labels[where] = np.where(one > 0, one + np.uint32(place * PER_TILE), 0)
        image[where] = noise[tuple(slice(0, n) for n in room)]
    labels.flush()
    image.flush()


def ours(labels: NDArray[Any], image: NDArray[Any], **columns: bool) -> int:
    return len(
        measure_blocks(
            lambda box: labels[box.slices],
            lambda box: image[box.slices],
            (labels.shape[0], labels.shape[1], labels.shape[2]),
            voxel_size=VOXEL,
            workers=2,
            **{"neighbours": False, **columns},
        )
    )


def regionprops(labels: NDArray[Any], image: NDArray[Any]) -> int:
    from scipy.ndimage import label
    from skimage.measure import marching_cubes, mesh_surface_area, regionprops_table

    names = ("num_pixels", "area", "bbox", "centroid", "inertia_tensor_eigvals", "intensity_mean")
    table = regionprops_table(
        labels,
        image,
        spacing=VOXEL,
        properties=(*names, "intensity_std", "image"),
    )
    for mask in table["image"]:
        points, faces, *_ = marching_cubes(np.pad(mask, 1).astype(np.float32), 0.5, spacing=VOXEL)
        mesh_surface_area(points, faces)
        label(mask, np.ones((3, 3, 3)))
    return len(table["image"])


def cc3d_statistics(labels: NDArray[Any], image: NDArray[Any]) -> int:
    import cc3d

    return int((cc3d.statistics(np.ascontiguousarray(labels))["voxel_counts"][1:] > 0).sum())


def scipy_sums(labels: NDArray[Any], image: NDArray[Any]) -> int:
    from scipy import ndimage

    numbers = np.arange(1, int(labels.max()) + 1)
    count = ndimage.sum_labels(labels > 0, labels, numbers)
    ndimage.find_objects(labels.astype(np.int32))
    ndimage.center_of_mass(labels > 0, labels, numbers)
    ndimage.mean(image, labels, numbers[count > 0])
    ndimage.standard_deviation(image, labels, numbers[count > 0])
    return int((count > 0).sum())


RUN: dict[str, Callable[[NDArray[Any], NDArray[Any]], int]] = {
    "ours": ours,
    "ours_neighbours": lambda labels, image: ours(labels, image, neighbours=True),
    "ours_skeletons": lambda labels, image: ours(labels, image, skeletons=True),
    "regionprops": regionprops,
    "cc3d": cc3d_statistics,
    "scipy": scipy_sums,
}


def contend(name: str, folder: Path) -> dict[str, float]:
    """Run one contender here: seconds by the wall and by the processor, peak private memory."""
    labels = np.load(folder / "labels.npy", mmap_mode="r")
    image = np.load(folder / "image.npy", mmap_mode="r")
    measure(np.ones((4, 20, 20), np.uint32), voxel_size=VOXEL)
    process, peak, over = psutil.Process(), [0], threading.Event()

    def watch() -> None:
        while not over.wait(0.02):
            used = process.memory_info()
            peak[0] = max(peak[0], used.rss - used.shared)

    watcher = threading.Thread(target=watch)
    watcher.start()
    wall, cpu = time.perf_counter(), time.process_time()
    rows = RUN[name](labels, image)
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    over.set()
    watcher.join()
    return {
        "seconds": round(wall, 3),
        "cpu_seconds": round(cpu, 3),
        "megavoxels_per_second": round(labels.size / wall / 1e6, 1),
        "megavoxels_per_cpu_second": round(labels.size / cpu / 1e6, 1),
        "peak_private_mib": round(peak[0] / 2**20),
        "instances": rows,
    }


def organella(program: str, folder: Path) -> dict[str, float]:
    """The program on the same voxels as TIFF: seconds, and peak memory of all its processes."""
    part = folder / "objects" / "a"
    part.mkdir(parents=True)
    labels = np.load(folder / "labels.npy", mmap_mode="r")
    tifffile.imwrite(part / "a.tif", np.load(folder / "image.npy", mmap_mode="r"))
    tifffile.imwrite(part / "a_mito_label.tif", labels)
    size = ",".join(f"{edge / 1000:g}" for edge in VOXEL)
    words = [program, "process", str(part.parent), "-o", str(folder / "report.parquet")]
    began, peak = time.perf_counter(), 0
    with subprocess.Popen([*words, "--voxel-size-um", size], stdout=subprocess.DEVNULL) as run:
        while run.poll() is None:
            peak = max(peak, _private(psutil.Process(run.pid)))
            time.sleep(0.1)
    wall = time.perf_counter() - began
    if run.returncode:
        raise RuntimeError(f"organella ended with {run.returncode}")
    return {
        "seconds": round(wall, 3),
        "megavoxels_per_second": round(labels.size / wall / 1e6, 1),
        "peak_private_mib": round(peak / 2**20),
    }


def _private(process: psutil.Process) -> int:
    """Private bytes of a process and of those that it started."""
    total = 0
    with contextlib.suppress(psutil.Error):
        for one in (process, *process.children(recursive=True)):
            used = one.memory_info()
            total += used.rss - used.shared
    return total


def race(shape: tuple[int, int, int], names: list[str], program: str | None) -> dict[str, Any]:
    """All contenders on one volume, and how many times the time of the first each takes."""
    result: dict[str, Any] = {"shape": shape}
    with tempfile.TemporaryDirectory() as folder:
        make(shape, Path(folder))
        for name in names:
            command = [sys.executable, "-m", "bench.measure", "--contend", name, "--data", folder]
            done = subprocess.run(command, stdout=subprocess.PIPE, check=False)
            # A contender that holds the volume several times over may be killed for its memory.
            fate = {"ended": f"with {done.returncode}, a signal where below 0"}
            result[name] = fate if done.returncode else json.loads(done.stdout)
        if program:
            names = [*names, "organella"]
            result["organella"] = organella(program, Path(folder))
    for name in names[1:]:
        if "seconds" not in result[name]:
            continue
        more = result[name]["seconds"] - result[names[0]]["seconds"]
        ratio = result[name]["seconds"] / result[names[0]]["seconds"]
        result[name][f"times_{names[0]}"] = round(ratio, 2)
        if name == "ours_neighbours":
            result[name]["seconds_of_neighbours"] = round(more, 2)
        if name == "ours_skeletons":
            result[name]["skeletons_per_second"] = round(result[name]["instances"] / more, 1)
    return result


def accuracy(bodies: int) -> list[dict[str, Any]]:
    """Errors in percent, mean and worst, on bodies of known shape, offset and turned at random."""
    rows = []
    for voxels in (2_000, 5_000, 10_000, 20_000, 50_000, 100_000):
        rng = np.random.default_rng(voxels)
        for make_body in (ball, ellipsoid, capsule):
            errors: dict[str, list[float]] = {}
            for _ in range(bodies):
                for name, error in _errors(make_body(voxels, rng)).items():
                    errors.setdefault(name, []).append(100 * error)
            row: dict[str, Any] = {"voxels": voxels, "body": make_body.__name__}
            for name, values in errors.items():
                row[f"{name}_mean"] = round(float(np.abs(values).mean()), 2)
                row[f"{name}_worst"] = round(float(np.abs(values).max()), 2)
            rows.append(row)
    return rows


def _errors(body: Body) -> dict[str, float]:
    """Relative errors of each column that the body has a true value of."""
    row = measure(body.mask, voxel_size=VOXEL).iloc[0]
    volume, area = body.volume * 1e-9, body.area * 1e-6
    major, middle, minor = body.deviations
    true = {
        "volume_um3": volume,
        "surface_area_um2": area,
        "equivalent_diameter_um": np.cbrt(6 * volume / np.pi),
        "sphericity": np.cbrt(36 * np.pi * volume**2) / area,
        "mci": area**3 / (16 * np.pi**2 * volume**2),
        "surface_to_volume_per_um": area / volume,
        "elongation": major / middle,
        "flatness": middle / minor,
    }
    found = {name: float(row[name] / value - 1) for name, value in true.items()}
    if np.isfinite(body.length):
        line = skeleton(body.mask, voxel_size=VOXEL)
        radius = body.area / (2 * np.pi * body.length)
        found["length_um"] = line.length / body.length - 1
        found["radius_mean_um"] = line.radius_mean / radius - 1
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--shape", default="128,1024,1024")
    parser.add_argument("--only", default=",".join(CONTENDERS))
    parser.add_argument("--accuracy", action="store_true")
    parser.add_argument("--bodies", type=int, default=100)
    parser.add_argument("--organella", metavar="PROGRAM")
    parser.add_argument("--out", type=Path)
    parser.add_argument("--contend", choices=CONTENDERS, help=argparse.SUPPRESS)
    parser.add_argument("--data", type=Path, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    z, y, x = (int(n) for n in asked.shape.split(","))
    result: object
    if asked.contend:
        result = contend(asked.contend, asked.data)
    elif asked.accuracy:
        result = accuracy(asked.bodies)
    else:
        result = race((z, y, x), asked.only.split(","), asked.organella)
    text = json.dumps(result, indent=2)
    print(text)
    if asked.out:
        asked.out.write_text(text + "\n")


if __name__ == "__main__":
    main()
