"""A volume of MitoEM's full size: time, memory, bytes on disk.

    python -m bench.full_size --at DIRECTORY [--zips] [--planes 1000] [--side 4096]

The source is a phantom repeated, every other time mirrored; image uint8 over all planes,
labels uint16 over the first half. Alone, it is a generator, so that no file limits the rate. With
``--zips`` it is written as MitoEM's own two zips first (PNG sections; TIFF labels in a folder of
training and one of validation) and the command line ingests, measures and checks them, each in a
process of its own. What is written, about 1.35 bytes a voxel, and 2.1 with zips, is removed at the
end. Prints one JSON object.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import tifffile

from mitoem import phantom
from mitoem.ingestion import assemble, placing


def repeated(small: np.ndarray, planes: int, side: int, *, distinct: bool = False) -> placing.Slabs:
    """Sections of any number and size from a small volume, every other copy of it mirrored.

    ``distinct``: ids, each copy of which is another.
    """
    across = -(-side // small.shape[1])
    step = int(small.max()) + 1
    tile = np.kron(np.arange(across**2).reshape(across, across), np.ones(small.shape[1:], int))
    tile = (tile[:side, :side] * step).astype(small.dtype)

    def slabs(depth: int, start: int = 0) -> Iterator[np.ndarray[Any, Any]]:
        for z in range(start, planes, depth):
            count = min(depth, planes - z)
            slab = np.empty((count, side, side), small.dtype)
            for n in range(count):
                at = z + n
                copy, place = divmod(at, len(small))
                section = small[place][::-1] if copy % 2 else small[place]
                slab[n] = np.tile(section, (across, across))[:side, :side]
                if distinct:
                    copies = copy % (65535 // (step * across**2)) * across**2
                    slab[n] += (tile + copies * step).astype(small.dtype) * (slab[n] > 0)
            yield slab

    return slabs


def generated(at: Path, planes: int, side: int) -> dict[str, Any]:
    """The writer alone, in this process."""
    drawn = phantom.make("h", shape=(32, 512, 512))
    labels = drawn.labels.astype(np.uint16)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    shape, half = (planes, side, side), (planes // 2, side, side)
    began, marks = time.perf_counter(), {}

    def progress(done: float, stage: str) -> None:
        if done >= 1:
            marks[stage] = time.perf_counter() - began

    volume = assemble.create_volume(
        at,
        "full",
        image=placing.Placed(shape, repeated(drawn.image, planes, side)),
        labels=assemble.NewLabels(
            "truth",
            (placing.Placed(half, repeated(labels, half[0], side, distinct=True)),),
            np.dtype(np.uint16),
        ),
        facts=assemble.Facts("full", (30, 8, 8), "as drawn", synthetic=True),
        watch=placing.Watch(progress),
    )
    seconds = time.perf_counter() - began
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    image_seconds = marks["image"]
    return {
        "shape": volume.info.shape,
        "levels": len(volume.info.levels),
        "seconds": round(seconds, 1),
        "image_mvoxel_s": round(np.prod(shape) / 1e6 / image_seconds, 1),
        "labels_mvoxel_s": round(np.prod(half) / 1e6 / (seconds - image_seconds), 1),
        "peak_mib": round(peak),
        "peak_before_mib": round(before),
    }


def zip_of(
    path: Path, names: list[str], slabs: placing.Slabs, encode: Callable[[Any], bytes]
) -> Path:
    """A zip with a file for each section."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive, ThreadPoolExecutor(2) as pool:
        z = 0
        for slab in slabs(16):
            for data in pool.map(encode, slab):
                archive.writestr(names[z], data)
                z += 1
    return path


def png(section: Any) -> bytes:
    return bytes(imagecodecs.png_encode(section, level=1))


def tif(section: Any) -> bytes:
    out = BytesIO()
    tifffile.imwrite(out, section, compression="zlib")
    return out.getvalue()


def zips(at: Path, planes: int, side: int) -> dict[str, Any]:
    """MitoEM's own zips through the command line: ingest, measure, check."""
    drawn = phantom.make("h", shape=(32, 512, 512))
    truth = drawn.labels.astype(np.uint16)
    labelled, train = planes // 2, planes * 2 // 5
    image = zip_of(
        at / "EM30-F-im.zip",
        [f"im/im{z:04d}.png" for z in range(planes)],
        repeated(drawn.image, planes, side),
        png,
    )
    folders = ["mito-train-v2" if z < train else "mito-val-v2" for z in range(labelled)]
    labels = zip_of(
        at / "EM30-F-mito-train-val-v2.zip",
        [f"{folder}/seg{z:04d}.tif" for z, folder in enumerate(folders)],
        repeated(truth, labelled, side, distinct=True),
        tif,
    )
    out: dict[str, Any] = {"zip_bytes": image.stat().st_size + labels.stat().st_size}
    files = ["--image", str(image), "--labels", str(labels), "--voxel-size", "30,8,8"]
    for name, words in {
        "ingest": ["ingest", "full", *files, "--no-measure"],
        "again": ["ingest", "full", *files, "--no-measure"],
        "measure": ["measure", "full"],
        "check": ["check", "full"],
        "info": ["info", "full"],
    }.items():
        answer, out[name] = command(*words, "--data", str(at))
    info = answer["info"]
    kept = ("instances", "coverage", "vanished")
    out["truth"] = {name: info["labels"][0][name] for name in kept}
    return out | {"shape": info["shape"], "splits": info["splits"]}


def command(*words: str) -> tuple[Any, dict[str, float]]:
    """What a command of the explorer answers, its seconds, and the peak of its memory in MiB."""
    began = time.perf_counter()
    child = subprocess.Popen(
        [sys.executable, "-m", "mitoem", *words, "--json", "--quiet"], stdout=subprocess.PIPE
    )
    assert child.stdout is not None
    answer = json.loads(child.stdout.read())
    _, status, used = os.wait4(child.pid, 0)
    assert status == 0, words
    seconds = round(time.perf_counter() - began, 1)
    return answer, {"seconds": seconds, "peak_mib": round(used.ru_maxrss / 1024)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--at", type=Path, required=True)
    parser.add_argument("--zips", action="store_true")
    parser.add_argument("--planes", type=int, default=1000)
    parser.add_argument("--side", type=int, default=4096)
    asked = parser.parse_args()
    asked.at.mkdir(parents=True, exist_ok=True)
    result = (zips if asked.zips else generated)(asked.at, asked.planes, asked.side)
    path = asked.at / "full"
    size = sum(file.stat().st_size for file in path.rglob("*") if file.is_file())
    print(json.dumps(result | {"bytes_on_disk": size}, indent=1))
    shutil.rmtree(path)
    for file in asked.at.glob("EM30-F-*.zip"):
        file.unlink()


if __name__ == "__main__":
    main()
