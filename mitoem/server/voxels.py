"""The exact grey value and ids of one voxel, which lossy and coarse tiles cannot tell."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from mitoem.errors import BoxOutside
from mitoem.geometry import Box, to_nm
from mitoem.server import access, answers
from mitoem.server.parse import integer
from mitoem.volume import IMAGE


async def voxel(request: Request) -> Response:
    """Grey and the id in each label set at level 0; ``labelled`` tells 0 from nobody's word."""
    volume = await access.volume(request)
    z, y, x = (integer(request.path_params[axis], what=axis) for axis in "zyx")
    shape = volume.info.shape
    if any(at >= n for at, n in zip((z, y, x), shape, strict=True)):
        raise BoxOutside(f"voxel ({z}, {y}, {x}) is outside the volume of shape {shape} (z, y, x)")
    box = Box((z, y, x), (z + 1, y + 1, x + 1))
    sets = volume.info.labels
    return answers.json(
        {
            "z": z,
            "y": y,
            "x": x,
            "nm": to_nm((z, y, x), volume.info.voxel_size),
            "grey": int((await volume.aread(box, layer=IMAGE)).item()),
            "labels": {
                one.name: int((await volume.aread(box, layer=one.name)).item()) for one in sets
            },
            "labelled": {
                one.name: any(covered.intersect(box) is not None for covered in one.coverage)
                for one in sets
            },
        }
    )
