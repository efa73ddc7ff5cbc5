"""Speed of scoring a pair of label volumes, against scikit-image's scores of the same pair.

``python -m bench.evaluate [--shape 128,1024,1024] [--out FILE]`` prints one JSON object. The pair
is made here: ellipsoids, and the same ones shrunk, split, merged and left out. The peer computes
two numbers only, variation of information and adapted Rand error, ``evaluate`` those and all
others; the tables of overlaps alone are timed beside them. The command ``evaluate`` is then run on
a pair of HDF5 files of 500 × 1024 × 1024 voxels, with its time and the peak of its memory.
"""

from __future__ import annotations

import argparse
import json
import resource
import tempfile
import time
from collections.abc import Callable
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import numpy.typing as npt
from skimage.metrics import adapted_rand_error, contingency_table, variation_of_information

from bench.full_size import command
from mitoem.scores import contingency, evaluate

Labels = npt.NDArray[np.uint32]


def pair(shape: tuple[int, int, int], *, seed: int = 0) -> tuple[Labels, Labels]:
    """Truth at the density of MitoEM (about 6 % foreground), and a flawed prediction."""
    random = np.random.default_rng(seed)
    truth, prediction = (np.zeros(shape, np.uint32) for _ in range(2))
    for one in range(1, int(np.prod(shape) * 0.06 / 12_000) + 1):
        radius = random.uniform((4, 12, 12), (9, 28, 28))
        centre = random.uniform((0, 0, 0), shape)
        low = np.maximum(centre - radius, 0).astype(int)
        high = np.minimum(centre + radius + 1, shape).astype(int)
        box = tuple(slice(a, b) for a, b in zip(low, high, strict=True))
        grid = np.ogrid[box]
        far = sum(((g - c) / r) ** 2 for g, c, r in zip(grid, centre, radius, strict=True))
        truth[box][far < 1] = one
        if one % 10:
            prediction[box][far < random.uniform(0.6, 1.0)] = one // 2 * 2 if one % 7 == 0 else one
    half = prediction[:, :, shape[2] // 2 :]
    half[half % 11 == 1] += 2**20
    return truth, prediction


def timed(run: Callable[[], object], repeats: int) -> float:
    """Median seconds."""
    seconds = []
    for _ in range(repeats):
        start = time.perf_counter()
        run()
        seconds.append(time.perf_counter() - start)
    return float(np.median(seconds))


def skimage_scores(truth: Labels, prediction: Labels) -> object:
    return variation_of_information(truth, prediction), adapted_rand_error(truth, prediction)


def write_pair(files: tuple[str, str], *, repeats: int = 4) -> None:
    """Two files as the challenge has them, made of ``repeats`` pairs that are numbered on."""
    slab = (125, 1024, 1024)
    for path, labels in zip(files, pair(slab), strict=True):
        with h5py.File(path, "w") as file:
            chunks, squeezed = (25, 256, 256), {"compression": "gzip", "compression_opts": 1}
            shape = (repeats * slab[0], *slab[1:])
            main = file.create_dataset("main", shape, np.uint32, chunks=chunks, **squeezed)
            for one in range(repeats):
                numbered = np.where(labels, labels + np.uint32(one * 2**22), 0)
                main[one * slab[0] : (one + 1) * slab[0]] = numbered


def from_files() -> dict[str, Any]:
    """The command on two files; made elsewhere, as a child's peak counts its parent's memory."""
    with tempfile.TemporaryDirectory() as folder:
        files = (f"{folder}/truth.h5", f"{folder}/prediction.h5")
        maker = get_context("spawn").Process(target=write_pair, args=(files,))
        maker.start()
        maker.join()
        scores, used = command("evaluate", *files)
    counts = scores["counts"]
    return used | {"voxels": counts["voxels"], "truth_instances": counts["truth_instances"]}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--shape", default="128,1024,1024")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--out", type=Path)
    asked = parser.parse_args()
    files = from_files()
    z, y, x = (int(n) for n in asked.shape.split(","))
    truth, prediction = pair((z, y, x))
    scores = evaluate(truth, prediction)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    whole = timed(lambda: evaluate(truth, prediction), asked.repeats)
    counting = timed(lambda: contingency(truth, prediction), asked.repeats)
    ours = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    peer = timed(lambda: skimage_scores(truth, prediction), 1)
    peer_table = timed(lambda: contingency_table(truth, prediction), 1)
    megavoxels = truth.size / 1e6
    result = {
        "shape": [z, y, x],
        "truth_instances": scores.truth_instances,
        "predicted_instances": scores.predicted_instances,
        "evaluate_s": whole,
        "evaluate_mvoxel_per_s": megavoxels / whole,
        "contingency_mvoxel_per_s": megavoxels / counting,
        "skimage_vi_and_are_s": peer,
        "skimage_contingency_mvoxel_per_s": megavoxels / peer_table,
        "times_faster": peer / whole,
        "peak_beyond_first_run_mib": (ours - before) / 1024,
        "peak_rss_mib": ours / 1024,
        "labels_mib": 2 * truth.nbytes / 2**20,
        "from_files": files,
    }
    text = json.dumps(result, indent=1)
    if asked.out:
        asked.out.write_text(text + "\n")
    print(text)


if __name__ == "__main__":
    main()
