"""Metadata of volumes as JSON."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from mitoem.errors import MitoEMError
from mitoem.manifest import VolumeInfo
from mitoem.server import access, answers


async def volumes(request: Request) -> Response:
    """The volumes that the asker may see; those that do not open, and unread roots, with why."""
    site, user = access.site(request), access.user(request)
    usable, damaged = [], []
    for name in await access.names(request):
        try:
            usable.append(summary((await site.open(name, user)).info))
        except MitoEMError as error:
            damaged.append({"name": name, "error": site.public(str(error))})
    faults = await site.faults()
    return answers.json({"volumes": usable, "damaged": damaged, "faults": faults})


async def volume(request: Request) -> Response:
    """All that tiles, pages and scripts need to know of one volume."""
    return answers.json(describe((await access.volume(request)).info))


def summary(info: VolumeInfo) -> dict[str, Any]:
    """Name, title, shape, voxel size and labels of a volume."""
    return {
        "name": info.name,
        "title": info.title,
        "synthetic": info.synthetic,
        "shape": info.shape,
        "voxel_size_nm": info.voxel_size,
        "labels": [labels.name for labels in info.labels],
        "version": info.version,
    }


def describe(info: VolumeInfo) -> dict[str, Any]:
    """The volume's levels, grey values, label sets and splits; shapes and boxes (z, y, x)."""
    levels = [
        {
            "level": number,
            "factors": level.factors,
            "shape": level.shape,
            "voxel_size_nm": level.voxel_size,
        }
        for number, level in enumerate(info.levels)
    ]
    labels = [
        {
            "name": one.name,
            "kind": one.kind,
            "dtype": one.dtype,
            "coverage": [[box.start, box.stop] for box in one.coverage],
            "instances": one.instances,
            "per_section": one.per_section,
            "version": one.version,
        }
        for one in info.labels
    ]
    grey = info.grey
    return summary(info) | {
        "levels": levels,
        "grey": {
            "p1": grey.p1,
            "p50": grey.p50,
            "p99": grey.p99,
            "mean": grey.mean,
            "histogram": grey.histogram,
        },
        "labels": labels,
        "splits": [
            {"name": split.name, "start": split.start, "stop": split.stop} for split in info.splits
        ],
        "licence": info.licence,
        "citation": info.citation,
    }
