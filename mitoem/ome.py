"""OME-Zarr metadata of images and label images: dictionaries ↔ frozen classes.

Written as version 0.5 (Zarr v3); 0.4 is read too. Source: the OME-NGFF specification,
sections "multiscales", "coordinateTransformations" and "labels".
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mitoem.errors import VolumeInvalid
from mitoem.geometry import VoxelSize
from mitoem.manifest import LevelInfo

UNIT_NM = {"angstrom": 0.1, "nanometer": 1.0, "micrometer": 1e3, "millimeter": 1e6, "meter": 1e9}
"""Nanometres in each unit of length that the specification names and microscopes use."""


@dataclass(frozen=True, slots=True)
class Dataset:
    """One level: its path in the group, voxel size and centre of voxel 0, in nm (z, y, x)."""

    path: str
    voxel_size: VoxelSize
    translation: tuple[float, float, float]


@dataclass(frozen=True, slots=True)
class Multiscale:
    """The levels of an image, finest first, and which array axes are z, y, x."""

    axes: tuple[str, ...]
    datasets: tuple[Dataset, ...]


@dataclass(frozen=True, slots=True)
class Finest:
    """The finest level of an image that anybody wrote: all axes, its path, voxel size in nm.

    The voxel size (z, y, x) is None where an axis has no scale or no unit that is known.
    """

    axes: tuple[str, ...]
    path: str
    voxel_size: VoxelSize | None
    version: str


def image_attributes(
    levels: Sequence[LevelInfo], *, is_labels: bool, source: str | None = "../../"
) -> dict[str, Any]:
    """Group attributes of an image or label image with these levels, version 0.5.

    Level n has scale = its voxel size and translation = (factor − 1) / 2 voxels of level 0, so
    that one nanometre point is the same anatomy on every level. ``source`` is the path from a
    label image to its image, None where there is none.
    """
    base = levels[0].voxel_size
    datasets = [
        {
            "path": str(n),
            "coordinateTransformations": [
                {"type": "scale", "scale": list(level.voxel_size)},
                {
                    "type": "translation",
                    "translation": [
                        (f - 1) / 2 * v for f, v in zip(level.factors, base, strict=True)
                    ],
                },
            ],
        }
        for n, level in enumerate(levels)
    ]
    axes = [{"name": name, "type": "space", "unit": "nanometer"} for name in "zyx"]
    ome: dict[str, Any] = {
        "version": "0.5",
        "multiscales": [
            {"axes": axes, "datasets": datasets, "type": "mode" if is_labels else "mean"}
        ],
    }
    if is_labels:
        ome["image-label"] = {"source": {"image": source}} if source else {}
    return {"ome": ome}


def labels_attributes(names: Sequence[str]) -> dict[str, Any]:
    """Attributes of the ``labels`` group that lists the label images."""
    return {"ome": {"version": "0.5", "labels": list(names)}}


def group(attributes: Mapping[str, Any]) -> dict[str, Any]:
    """The ``zarr.json`` of a Zarr v3 group with these attributes."""
    return {"zarr_format": 3, "node_type": "group", "attributes": dict(attributes)}


def parse_multiscale(attributes: Mapping[str, Any], *, where: str) -> Multiscale:
    """Read the first multiscale of group attributes, version 0.4 or 0.5.

    Lengths come back in nm; an axis without a unit raises VolumeInvalid, as do other faults.
    """
    ome = attributes.get("ome", attributes)
    try:
        first = ome["multiscales"][0]
        axes = [axis for axis in first["axes"] if axis.get("type", "space") == "space"]
        names = tuple(str(axis["name"]) for axis in axes)
        if names != ("z", "y", "x") or len(first["axes"]) != 3:
            found = [axis["name"] for axis in first["axes"]]
            raise VolumeInvalid(f"{where}: expected axes z, y, x, found {found}")
        units = [_unit(axis, where) for axis in axes]
        datasets = tuple(_dataset(d, units) for d in first["datasets"])
    except (KeyError, IndexError, TypeError) as error:
        raise VolumeInvalid(f"{where}: no OME-Zarr multiscale ({error!r})") from error
    return Multiscale(names, datasets)


def finest(attributes: Mapping[str, Any], *, where: str) -> Finest | None:
    """The finest level of the first multiscale, of versions 0.1 to 0.5; None where there is none.

    Raises VolumeInvalid for a multiscale that does not parse.
    """
    ome = attributes.get("ome", attributes)
    if not isinstance(ome, Mapping) or "multiscales" not in ome:
        return None
    try:
        first = ome["multiscales"][0]
        listed = [a if isinstance(a, Mapping) else {"name": a} for a in first.get("axes", "tczyx")]
        axes = tuple(str(axis["name"]).lower() for axis in listed)
        level = first["datasets"][0]
        units = [float(UNIT_NM.get(str(axis.get("unit")), 0)) for axis in listed]
        transformations = [
            *level.get("coordinateTransformations", ()),
            *first.get("coordinateTransformations", ()),
        ]
        scales = [one["scale"] for one in transformations if one["type"] == "scale"]
        for factors in scales:
            units = [unit * float(factor) for unit, factor in zip(units, factors, strict=True)]
        edges = dict(zip(axes, units, strict=True))
        size = [edges.get(axis, 0.0) for axis in "zyx"]
        version = str(ome.get("version", first.get("version", "of no version")))
        path = str(level["path"])
    except (LookupError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise VolumeInvalid(f"{where}: no OME-Zarr multiscale ({error!r})") from error
    known = scales and min(size) > 0
    return Finest(axes, path, (size[0], size[1], size[2]) if known else None, version)


def parse_labels(attributes: Mapping[str, Any], *, where: str) -> tuple[str, ...]:
    """Names of the label images that a ``labels`` group lists, if any; raises VolumeInvalid."""
    ome = attributes.get("ome", attributes)
    names = ome.get("labels", []) if isinstance(ome, Mapping) else None
    if not isinstance(names, list):
        raise VolumeInvalid(f"{where}: expected a list of label images, found {_short(ome)}")
    return tuple(str(name) for name in names)


def attributes_of(zarr_json: Any, *, where: str) -> dict[str, Any]:
    """Attributes of the ``zarr.json`` of a group or array; raises VolumeInvalid for no object."""
    attributes = zarr_json.get("attributes", {}) if isinstance(zarr_json, dict) else zarr_json
    if not isinstance(attributes, dict):
        raise VolumeInvalid(f"{where}: expected attributes {{…}}, found {_short(attributes)}")
    return attributes


def _short(value: Any) -> str:
    return repr(value)[:80]


def _unit(axis: Mapping[str, Any], where: str) -> float:
    unit = axis.get("unit")
    if unit not in UNIT_NM:
        raise VolumeInvalid(
            f"{where}: axis {axis['name']!r} has unit {unit!r}, expected one of {sorted(UNIT_NM)}"
        )
    return UNIT_NM[unit]


def _dataset(data: Mapping[str, Any], units: Sequence[float]) -> Dataset:
    scale, translation = [1.0, 1.0, 1.0], [0.0, 0.0, 0.0]
    for transformation in data["coordinateTransformations"]:
        if transformation["type"] == "scale":
            scale = transformation["scale"]
        elif transformation["type"] == "translation":
            translation = transformation["translation"]
    z, y, x = (float(s) * u for s, u in zip(scale, units, strict=True))
    tz, ty, tx = (float(t) * u for t, u in zip(translation, units, strict=True))
    return Dataset(str(data["path"]), (z, y, x), (tz, ty, tx))
