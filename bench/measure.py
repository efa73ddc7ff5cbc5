"""Speed, memory and accuracy of the instance table, beside what people use today.

``python -m bench.measure [--shape 256,2048,2048] [--accuracy] [--organella PROGRAM] [--out FILE]``
prints one JSON object. Volumes are made here: ellipsoids of MitoEM's sizes and density, and a noisy
image, on disk; every contender runs in a process of its own, reads them through memory maps and has
its private memory watched. ``--accuracy`` measures bodies of known shape instead, and writes the
errors as a table on standard error too.

Contenders: ``ours`` (all columns but neighbours and skeletons), ``ours_neighbours``,
``ours_skeletons`` (these columns too), ``regionprops`` (scikit-image's table, and a surface by
marching cubes and a count of parts per instance), ``cc3d`` (statistics: counts, boxes and
centroids alone), ``scipy`` (sums, centroids, means and deviations by label, alone), and, where
``--organella`` names its program (installed in an environment of its own), ``organella process``
without skeletons, which reads TIFF, writes a Parquet report and measures distances between
instances up to half a micrometre.

Two more lines measure ours alone: ``many_neighbours``, the distances among 10,000 instances in a
volume that is made as it is read, and ``median_skeletons``, skeletons of instances of 10,000 to
15,000 voxels.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import resource
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import psutil
import tifffile
from numpy.typing import NDArray

from bench.accuracy import accuracy, markdown
from bench.tissue import Tissue
from mitoem.geometry import Index
from mitoem.morphometry import (
    finish,
    measure,
    measure_blocks,
    skeleton,
    volume_partial,
    volume_skeletons,
)
from tests.shapes import VOXEL

MANY = (384, 2560, 2560)
"""Shape of a volume of some 10,000 instances; it is made as it is read, never stored."""

MEDIAN = (10_000, 15_000)
"""Voxels of instances about as large as MitoEM's median."""

MOST_BYTES = 16 << 30
"""Memory that a contender may take, so that one that wants more fails alone."""

T = TypeVar("T")


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


def many_neighbours() -> dict[str, float]:
    """Every column but lengths of many instances, and how long their neighbours take of it."""
    tissue = Tissue.of(MANY)
    partial = volume_partial(
        tissue.labels, tissue.image, MANY, voxel_size=VOXEL, neighbours=True, workers=2
    )
    began = time.perf_counter()
    rows = len(finish(partial, voxel_size=VOXEL))
    return {"instances": rows, "seconds_of_neighbours": round(time.perf_counter() - began, 2)}


def median_skeletons() -> dict[str, float]:
    """Skeletons of whole instances of median size, in two threads."""
    tissue = Tissue.of((128, 1024, 1024))
    sums = volume_partial(tissue.labels, None, tissue.shape, voxel_size=VOXEL, workers=2)
    count = sums.sums[:, 0]
    kept = (count >= MEDIAN[0]) & (count <= MEDIAN[1])
    some = replace(sums, ids=sums.ids[kept], low=sums.low[kept], high=sums.high[kept])
    skeleton(np.ones((4, 20, 20), np.bool_), voxel_size=VOXEL)
    began = time.perf_counter()
    found = volume_skeletons(some, tissue.labels, voxel_size=VOXEL, workers=2)
    seconds = time.perf_counter() - began
    return {
        "instances": len(found),
        "median_voxels": float(np.median(count[kept])),
        "skeletons_per_second": round(len(found) / seconds, 1),
    }


ALONE: dict[str, Callable[[], dict[str, float]]] = {
    "many_neighbours": many_neighbours,
    "median_skeletons": median_skeletons,
}

CONTENDERS = (*RUN, *ALONE)


def watched(work: Callable[[], T]) -> tuple[T, dict[str, float]]:
    """What some work gives; its seconds by the wall and the processor, its peak private memory."""
    process, peak, over = psutil.Process(), [0], threading.Event()

    def watch() -> None:
        while not over.wait(0.02):
            used = process.memory_info()
            peak[0] = max(peak[0], used.rss - used.shared)

    watcher = threading.Thread(target=watch)
    watcher.start()
    wall, cpu = time.perf_counter(), time.process_time()
    try:
        found = work()
    finally:
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
        over.set()
        watcher.join()
    return found, {
        "seconds": round(wall, 3),
        "cpu_seconds": round(cpu, 3),
        "peak_private_mib": round(peak[0] / 2**20),
    }


def contend(name: str, folder: Path) -> dict[str, Any]:
    """Run one contender here."""
    resource.setrlimit(resource.RLIMIT_DATA, (MOST_BYTES, MOST_BYTES))
    measure(np.ones((4, 20, 20), np.uint32), voxel_size=VOXEL)
    if name in ALONE:
        told, used = watched(ALONE[name])
        return used | told
    labels = np.load(folder / "labels.npy", mmap_mode="r")
    image = np.load(folder / "image.npy", mmap_mode="r")
    try:
        rows, used = watched(lambda: RUN[name](labels, image))
    except MemoryError:
        return {"failed": f"needs more than {MOST_BYTES >> 30} GiB of memory"}
    return used | {
        "megavoxels_per_second": round(labels.size / used["seconds"] / 1e6, 1),
        "megavoxels_per_cpu_second": round(labels.size / used["cpu_seconds"] / 1e6, 1),
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


def race(shape: Index, names: list[str], program: str | None, rounds: int) -> dict[str, Any]:
    """All contenders on one volume, and how many times the time of the first each takes."""
    result: dict[str, Any] = {"shape": shape}
    with tempfile.TemporaryDirectory() as folder:
        Tissue.of(shape).write(Path(folder))
        for name in names * rounds:
            command = [sys.executable, "-m", "bench.measure", "--contend", name, "--data", folder]
            once = json.loads(subprocess.check_output(command))
            result[name] = min(result.get(name, once), once, key=lambda one: one.get("seconds", 0))
        if program:
            names = [*names, "organella"]
            result["organella"] = organella(program, Path(folder))
    first = result[names[0]]
    for name in names[1:]:
        one = result[name]
        if name in ALONE or "failed" in one:
            continue
        one[f"times_{names[0]}"] = round(one["seconds"] / first["seconds"], 2)
        more = one["seconds"] - first["seconds"]
        if name == "ours_neighbours":
            one["seconds_of_neighbours"] = round(more, 2)
        if name == "ours_skeletons":
            one["skeletons_per_second"] = round(one["instances"] / more, 1)
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--shape", default="256,2048,2048")
    parser.add_argument("--only", default=",".join(CONTENDERS))
    parser.add_argument("--rounds", type=int, default=1, help="the fastest of so many counts")
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
        print(markdown(result), file=sys.stderr)
    else:
        result = race((z, y, x), asked.only.split(","), asked.organella, asked.rounds)
    text = json.dumps(result, indent=2)
    print(text)
    if asked.out:
        asked.out.write_text(text + "\n")


if __name__ == "__main__":
    main()
