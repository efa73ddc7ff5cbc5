"""What a user of a model must know, read from the JSON that lies beside its ONNX file.

A model of one's own is an ONNX file with such a JSON beside it (``mine.onnx``, ``mine.json``).
The network takes one grey channel (n, 1, z, y, x), float32, normalised as told here, with free
batch and edges, and gives probabilities (n, channels, z, y, x) of the same edges.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mitoem.errors import ModelInvalid
from mitoem.geometry import Index, VoxelSize
from mitoem.inference.decode import DecodeParameters

FORMAT = "mitoem-model-1"


@dataclass(frozen=True, slots=True)
class ModelSpec:
    """Grid, normalisation, tiling and decoding that belong to a network; nm and voxels (z, y, x).

    ``sections_nm`` and ``pixels_nm`` are the ranges of section thickness and pixel size that the
    network takes as they are; other images are resampled to ``voxel_size``. ``percentiles`` of
    the crop are mapped to ``grey_range`` and clipped there. ``trim`` voxels at a tile's edge are
    never used where a neighbour covers them; ``ramp`` voxels are blended.
    """

    name: str
    sha256: str
    voxel_size: VoxelSize
    sections_nm: tuple[float, float]
    pixels_nm: tuple[float, float]
    percentiles: tuple[float, float]
    grey_range: tuple[float, float]
    channels: tuple[str, ...]
    divisors: Index
    smallest: Index
    largest: Index
    trim: Index
    ramp: Index
    decode: DecodeParameters


def read_spec(path: Path) -> ModelSpec:
    """Parse a model's JSON; raises ModelInvalid naming the file and what is wrong."""
    try:
        raw = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise ModelInvalid(
            f"model needs its JSON beside it: expected {path}, found none"
        ) from error
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise ModelInvalid(f"{path.name} is no JSON: {error}") from error
    found = raw.get("format") if isinstance(raw, dict) else type(raw).__name__
    if found != FORMAT:
        raise ModelInvalid(f"{path.name}: expected format {FORMAT!r}, found {found!r}")
    try:
        spec = _parse(raw)
    except (KeyError, TypeError, ValueError) as error:
        reason = f"missing key {error}" if isinstance(error, KeyError) else str(error)
        raise ModelInvalid(f"{path.name}: {reason}") from error
    for need in ("mask", "contour"):
        if need not in spec.channels:
            raise ModelInvalid(f"{path.name}: expected a channel {need!r}, found {spec.channels}")
    return spec


def _parse(raw: dict[str, Any]) -> ModelSpec:
    grid, tile = raw["input"], raw["tile"]
    z, y, x = (float(v) for v in grid["voxel_size_nm"])
    return ModelSpec(
        name=str(raw["name"]),
        sha256=str(raw["sha256"]),
        voxel_size=(z, y, x),
        sections_nm=_pair(grid["sections_nm"]),
        pixels_nm=_pair(grid["pixels_nm"]),
        percentiles=_pair(grid["percentiles"]),
        grey_range=_pair(grid["grey_range"]),
        channels=tuple(str(c) for c in raw["output"]["channels"]),
        divisors=_index(tile["divisors"]),
        smallest=_index(tile["smallest"]),
        largest=_index(tile["largest"]),
        trim=_index(tile["trim"]),
        ramp=_index(tile["ramp"]),
        decode=DecodeParameters(**raw["decode"]),
    )


def _pair(values: list[float]) -> tuple[float, float]:
    low, high = (float(v) for v in values)
    return low, high


def _index(values: list[int]) -> Index:
    z, y, x = (int(v) for v in values)
    return z, y, x
