"""A volume of MitoEM's full size through the writer: time, memory, bytes on disk.

    python -m bench.full_size --at DIRECTORY [--planes 1000] [--side 4096]

The source is a generator (a phantom repeated and shifted from section to section), so that no file
limits the rate; image uint8 over all planes, labels uint16 over the first half. What it writes,
about 1.35 bytes a voxel, is removed at the end. Prints one JSON object.
"""

from __future__ import annotations

import argparse
import json
import resource
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from mitoem import phantom
from mitoem.ingestion import assemble, placing


def repeated(small: np.ndarray, planes: int, side: int) -> placing.Slabs:
    """Sections of any number and size from a small volume, each shifted a little."""
    across = -(-side // small.shape[1])

    def slabs(depth: int, start: int = 0) -> Iterator[np.ndarray[Any, Any]]:
        for z in range(start, planes, depth):
            count = min(depth, planes - z)
            slab = np.empty((count, side, side), small.dtype)
            for n in range(count):
                at = z + n
                section = np.roll(small[at % len(small)], 7 * (at // len(small)), axis=1)
                slab[n] = np.tile(section, (across, across))[:side, :side]
            yield slab

    return slabs


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--at", type=Path, required=True)
    parser.add_argument("--planes", type=int, default=1000)
    parser.add_argument("--side", type=int, default=4096)
    asked = parser.parse_args()
    drawn = phantom.make("h", shape=(32, 512, 512))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    shape = (asked.planes, asked.side, asked.side)
    half = (asked.planes // 2, asked.side, asked.side)
    began, marks = time.perf_counter(), {}

    def progress(done: float, stage: str) -> None:
        if done >= 1:
            marks[stage] = time.perf_counter() - began

    volume = assemble.create_volume(
        asked.at,
        "full",
        image=placing.Placed(shape, repeated(drawn.image, asked.planes, asked.side)),
        labels=assemble.NewLabels(
            "truth",
            (placing.Placed(half, repeated(drawn.labels, half[0], asked.side)),),
            np.dtype(np.uint16),
        ),
        facts=assemble.Facts("full", (30, 8, 8), "as drawn", synthetic=True),
        watch=placing.Watch(progress),
    )
    seconds = time.perf_counter() - began
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    path = asked.at / "full"
    size = sum(file.stat().st_size for file in path.rglob("*") if file.is_file())
    image_seconds = marks["image"]
    print(
        json.dumps(
            {
                "shape": volume.info.shape,
                "levels": len(volume.info.levels),
                "seconds": round(seconds, 1),
                "image_mvoxel_s": round(np.prod(shape) / 1e6 / image_seconds, 1),
                "labels_mvoxel_s": round(np.prod(half) / 1e6 / (seconds - image_seconds), 1),
                "peak_mib": round(peak),
                "peak_before_mib": round(before),
                "bytes_on_disk": size,
            },
            indent=1,
        )
    )
    shutil.rmtree(path)


if __name__ == "__main__":
    main()
