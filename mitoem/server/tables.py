"""Instance tables for download, as CSV, Parquet or JSON."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass

import pandas as pd
from starlette.requests import Request
from starlette.responses import Response

from mitoem import filters, tables
from mitoem.catalog import Catalog
from mitoem.manifest import check_name
from mitoem.server import access, answers
from mitoem.server.measured import stored
from mitoem.server.parse import choice, word
from mitoem.volume import Volume


@dataclass(frozen=True, slots=True)
class Format:
    """How rows are written, and the media type that says so."""

    media: str
    write: Callable[[pd.DataFrame], bytes]


def to_json(frame: pd.DataFrame) -> bytes:
    """A list of rows; what was not measured is null, as JSON knows no NaN."""
    rows = frame.astype(object).where(frame.notna(), None).to_dict(orient="records")
    return json.dumps(rows, allow_nan=False, default=_plain).encode()


def _plain(value: object) -> object:
    """A numpy scalar as Python's own."""
    item = getattr(value, "item", None)
    if item is None:
        raise TypeError(f"{type(value).__name__} in an instance table")
    return item()


FORMATS = {
    "csv": Format("text/csv; charset=utf-8", tables.to_csv),
    "parquet": Format("application/vnd.apache.parquet", tables.to_parquet),
    "json": Format("application/json", to_json),
}


async def instances(request: Request) -> Response:
    """The rows that ``?filter=`` keeps, all without one; of them the ``?columns=a,b``.

    409 for labels never measured.
    """
    volume = await access.volume(request)
    labels = check_name(request.path_params["labels"], what="labels")
    kind = choice(request.path_params["format"], FORMATS, what="table format")
    expression, columns = word(request, "filter"), word(request, "columns")
    roots = access.site(request).catalog

    def written() -> bytes:
        frame = rows(roots, volume, labels, expression)
        return FORMATS[kind].write(tables.chosen(frame, columns.split(",")) if columns else frame)

    body = await asyncio.to_thread(written)
    fresh = answers.freshness(request, hashlib.sha256(body).hexdigest())
    same = answers.not_modified(request, fresh)
    if same is not None:
        return same
    name = f"{volume.name}_{labels}_instances.{kind}"
    disposition = {"Content-Disposition": f'attachment; filename="{name}"'}
    return answers.data(body, FORMATS[kind].media, fresh, disposition)


def rows(roots: Catalog, volume: Volume, labels: str, expression: str) -> pd.DataFrame:
    """The table of a label set, filtered; raises as ``stored``, and FilterInvalid."""
    frame = stored(roots, volume, labels)
    return frame[filters.parse(expression).apply(frame)]
