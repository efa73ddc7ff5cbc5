"""Tiles beside ``large-image``, which reads the same pixels from a Zarr v2 copy.

    python -m venv PEER
    PEER/bin/pip install large-image large-image-source-zarr packaging 'zarr<3'
    python -m bench.large_image --peer PEER/bin/python [--data ROOT] [--volume NAME]

Its Zarr source wants zarr below 3: hence an environment of its own. Both make 512 × 512 JPEG tiles
of quality 85 at the same places of the tile grid of XY in random order, one after another in one
process. The copy is written twice: in our chunks (32 × 128 × 128), and in single sections of
512 × 512, which suit XY alone. Ours runs as it is served, decoded chunks kept up to their bound,
and with none kept. Prints one JSON object.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

COPY = """
import json, sys
import numcodecs, numpy as np, zarr
pixels = np.load(sys.argv[1], mmap_mode="r")
for name, chunks in (("ours", (1, 32, 128, 128)), ("sections", (1, 1, 512, 512))):
    group = zarr.open_group(f"{sys.argv[2]}/{name}.zarr", mode="w")
    group.create_dataset("0", data=pixels[None], chunks=chunks, dimension_separator="/",
                         compressor=numcodecs.Blosc("lz4", 5, 0))
    axes = [{"name": n, "type": "space"} for n in "zyx"]
    group.attrs["omero"] = {"channels": [{"label": "em"}]}
    group.attrs["multiscales"] = [{
        "version": "0.4", "axes": [{"name": "c", "type": "channel"}, *axes],
        "datasets": [{"path": "0", "coordinateTransformations": [
            {"type": "scale", "scale": [1, 30, 8, 8]}]}]}]
"""

PEER = """
import json, sys, time
import large_image, large_image_source_zarr
large_image.config.setConfig("cache_backend", "python")
large_image.config.setConfig("cache_tile_maximum", 1)
source = large_image_source_zarr.open(sys.argv[1], noCache=True)
times = []
for z, y, x in json.loads(sys.argv[2]):
    began = time.perf_counter()
    region = dict(left=x, top=y, width=512, height=512, units="base_pixels")
    data, _ = source.getRegion(region=region, frame=z, encoding="JPEG", jpegQuality=85)
    assert len(data) > 1000
    times.append(time.perf_counter() - began)
print(json.dumps({"times": times}))
"""


OURS = """
import json, sys, time
import mitoem
from mitoem.render import encode_tile
volume = mitoem.open_volume(sys.argv[2], data=sys.argv[1])
times = []
for z, y, x in json.loads(sys.argv[3]):
    began = time.perf_counter()
    encode_tile(volume.read(mitoem.Box((z, y, x), (z + 1, y + 512, x + 512)))[0])
    times.append(time.perf_counter() - began)
print(json.dumps({"times": times}))
"""


def timed(words: list[str], environment: dict[str, str] | None = None) -> list[float]:
    """Seconds of each tile, as a process of its own tells them."""
    known = os.environ | (environment or {})
    done = subprocess.run(words, check=True, capture_output=True, text=True, env=known)
    times: list[float] = json.loads(done.stdout.splitlines()[-1])["times"]
    return times


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--peer", type=Path, required=True)
    parser.add_argument("--data", type=Path, default=Path(os.environ.get("MITOEM_DATA", "data")))
    parser.add_argument("--volume", default="phantom-r")
    parser.add_argument("--tiles", type=int, default=100)
    asked = parser.parse_args()
    import numpy as np

    import mitoem

    pixels = mitoem.open_volume(asked.volume, data=asked.data).read()
    rng = random.Random(5)
    depth, height, width = pixels.shape
    tiles = [
        (z, y, x)
        for z in range(depth)
        for y in range(0, height - 511, 512)
        for x in range(0, width - 511, 512)
    ]
    places = json.dumps(rng.sample(tiles, min(asked.tiles, len(tiles))))
    mine = [sys.executable, "-c", OURS, str(asked.data), asked.volume, places]
    result: dict[str, Any] = {"volume": asked.volume, "tiles": asked.tiles}
    with tempfile.TemporaryDirectory() as folder:
        np.save(Path(folder) / "pixels.npy", pixels)
        words = [str(asked.peer), "-c", COPY, f"{folder}/pixels.npy", folder]
        subprocess.run(words, check=True)
        theirs = [str(asked.peer), "-c", PEER]
        rounds: dict[str, list[float]] = {}
        for _ in range(3):
            for name, times in (
                ("ours", timed(mine)),
                ("ours, no chunk kept", timed(mine, {"MITOEM_CACHE_BYTES": "0"})),
                ("our chunks", timed([*theirs, f"{folder}/ours.zarr/.zattrs", places])),
                ("sections", timed([*theirs, f"{folder}/sections.zarr/.zattrs", places])),
            ):
                rounds.setdefault(name, []).extend(times)
    for name, times in rounds.items():
        result[name] = {
            "median_ms": round(1000 * statistics.median(times), 2),
            "tiles_s": round(len(times) / sum(times), 1),
        }
    result["times_the_peer"] = {
        f"{mine}, against {theirs}": round(result[mine]["tiles_s"] / result[theirs]["tiles_s"], 1)
        for mine in ("ours", "ours, no chunk kept")
        for theirs in ("our chunks", "sections")
    }
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    if "--help" not in sys.argv and "--peer" not in sys.argv:
        print("bench.large_image: needs --peer, see its docstring; left out", file=sys.stderr)
        sys.exit(0)
    main()
