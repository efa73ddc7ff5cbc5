"""One instance as a card, and all of a label set as colours."""

from __future__ import annotations

import asyncio
import hashlib
import json
from dataclasses import asdict
from typing import Any

import pandas as pd
from starlette.requests import Request
from starlette.responses import Response

from mitoem import figures, front, render
from mitoem.catalog import Catalog
from mitoem.errors import RequestInvalid
from mitoem.geometry import Box
from mitoem.jobs import scoring
from mitoem.manifest import check_name
from mitoem.server import access, answers
from mitoem.server.measured import stored
from mitoem.server.parse import integer, word
from mitoem.view import BY_ERROR
from mitoem.volume import Volume


async def card(request: Request) -> Response:
    """What is known of one instance, as JSON. 404 for no such instance, 409 before measuring."""
    volume, labels, frame = await _measured(request)
    instance_id = integer(request.path_params["instance_id"], what="instance id")
    found = await asyncio.to_thread(
        front.card, frame, instance_id, voxel_size=volume.info.voxel_size
    )
    centre = await asyncio.to_thread(
        front.inside, volume, labels, instance_id, box=Box(*found.box), centre=found.centre
    )
    measures = [asdict(one) | {"title": _title(one.name)} for one in found.measures]
    return _kept(
        request, asdict(found) | {"labels": labels, "centre": centre, "measures": measures}
    )


async def thumbnail(request: Request) -> Response:
    """The three planes through an instance as a JPEG. 404 for no such instance."""
    volume = await access.volume(request)
    labels = check_name(request.path_params["labels"], what="labels")
    instance_id = integer(request.path_params["instance_id"], what="instance id")
    version = f"{volume.info.version} {volume.info.label_set(labels).version}"
    fresh = answers.freshness(request, version, "thumbnail", volume.name, labels, instance_id)
    same = answers.not_modified(request, fresh)
    if same is not None:
        return same
    box = await access.site(request).boxes.box(volume, labels, instance_id)
    painted = await asyncio.to_thread(front.thumbnail, volume, labels, instance_id, box=box)
    body = await asyncio.to_thread(render.encode_picture, painted)
    return answers.data(body, "image/jpeg", fresh)


async def colours(request: Request) -> Response:
    """The ids of a label set and a colour for each by the column ``?by=``, with a legend."""
    volume, labels, frame = await _measured(request)
    roots = access.site(request).catalog
    found = await asyncio.to_thread(
        coloured,
        roots,
        volume,
        labels,
        frame=frame,
        by=word(request, "by"),
        against=word(request, "against") or None,
    )
    rgb = found.colours.astype(int)
    answer = {
        "by": found.column.name,
        "title": figures.title(found.column.name),
        "unit": found.column.unit,
        "definition": found.column.definition,
        "legend": asdict(found.legend),
        "ids": found.ids.tolist(),
        "colours": (rgb[:, 0] << 16 | rgb[:, 1] << 8 | rgb[:, 2]).tolist(),
    }
    return _kept(request, answer)


def coloured(
    roots: Catalog,
    volume: Volume,
    labels: str,
    *,
    frame: pd.DataFrame,
    by: str,
    against: str | None = None,
) -> front.Colouring:
    """The colours of a label set by a column, or by error type in its newest evaluation.

    ``against``: in that with this label set.
    """
    if by != BY_ERROR:
        return front.colouring(frame, by)
    found = scoring.newest(roots.writable, volume, labels, against)
    if found is None:
        other = f" against {against[:40]!r}" if against else ""
        raise RequestInvalid(
            f"{labels!r} was not evaluated{other} in its present version: open Evaluate"
        )
    return front.error_colouring(
        frame, found.scores["errors"], of_truth=found.of_truth, box=found.box
    )


def _title(column: str) -> str:
    """A column in words; its unit stands beside the value."""
    return figures.title(column).partition(" (")[0]


async def _measured(request: Request) -> tuple[Volume, str, pd.DataFrame]:
    """The volume, the labels' name and their table."""
    volume = await access.volume(request)
    labels = check_name(request.path_params["labels"], what="labels")
    roots = access.site(request).catalog
    return volume, labels, await asyncio.to_thread(stored, roots, volume, labels)


def _kept(request: Request, content: dict[str, Any]) -> Response:
    """JSON that a client need not load twice."""
    body = json.dumps(content, allow_nan=False, separators=(",", ":")).encode()
    fresh = answers.freshness(request, hashlib.sha256(body).hexdigest())
    same = answers.not_modified(request, fresh)
    return same or answers.data(body, "application/json", fresh)
