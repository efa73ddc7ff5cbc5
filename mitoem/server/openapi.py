"""What the routes take and answer, as an OpenAPI description that tools read."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response

from mitoem.morphometry import COLUMNS
from mitoem.server import answers, figures, meshes, tables, tiles
from mitoem.version import VERSION
from mitoem.view import WORDS

Schema = Mapping[str, Any]

NAME: Final[Schema] = {"type": "string", "pattern": "^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$"}
INTEGER: Final[Schema] = {"type": "integer", "minimum": 0, "maximum": 9_999_999_999}
TEXT: Final[Schema] = {"type": "string", "maxLength": 2000}

_PATHS: Final[Mapping[str, Schema]] = {
    "volume": NAME,
    "labels": NAME,
    "prediction": NAME,
    "layer": NAME,
    "axis": {"type": "string", "enum": list(tiles.AXES)},
    "file": {"type": "string", "pattern": r"^[A-Za-z0-9_.-]+\.(js|css)$"},
    "release": {"type": "string", "pattern": "^[0-9a-f]{16}$"},
    **dict.fromkeys(("level", "index", "row", "column", "z", "y", "x", "instance_id"), INTEGER),
}
"""Words of a path; ``format`` depends on the route."""

_IDS: Final[Schema] = {"type": "string", "pattern": "^$|^[0-9]+(,[0-9]+)*$", "maxLength": 2000}
_VIEW: Final[Mapping[str, Schema]] = dict.fromkeys(WORDS, TEXT)

Route = tuple[str, Mapping[str, Schema], tuple[str, ...], tuple[str, ...]]
"""What it answers, words of the query, formats of its path, media types."""

_JSON: Final = ("application/json",)
_VOLUME: Final = "/api/v1/volumes/{volume}"
_LABELS: Final = _VOLUME + "/labels/{labels}"

ROUTES: Final[Mapping[str, Route]] = {
    "/healthz": ("Whether the server answers, and with what", {}, (), _JSON),
    "/api/v1/openapi.json": ("This description", {}, (), _JSON),
    "/api/v1/volumes": ("The volumes, those that do not open, unread data roots", {}, (), _JSON),
    _VOLUME: ("Levels, grey values, label sets and splits of a volume", {}, (), _JSON),
    _VOLUME + "/tiles/{layer}/{axis}/{level}/{index}/{row}/{column}": (
        "A tile of 512 × 512 voxels: grey, or little-endian uint32 ids, gzipped",
        {"format": {"type": "string", "enum": list(tiles.IMAGE_FORMATS)}, "v": TEXT},
        (),
        ("image/jpeg", "image/png", "application/octet-stream"),
    ),
    _VOLUME + "/voxels/{z}/{y}/{x}": ("Grey and ids of one voxel at level 0", {}, (), _JSON),
    _VOLUME + "/figure.{format}": (
        "The slice of a view as a figure with its bar",
        {**_VIEW, "nm": {"type": "number"}},
        tuple(figures.MEDIA),
        tuple(figures.MEDIA.values()),
    ),
    _VOLUME + "/neuroglancer": ("Off to Neuroglancer, with the view", _VIEW, (), ()),
    _LABELS + "/instances.{format}": (
        "The rows of an instance table that a filter keeps",
        {
            "filter": TEXT,
            "columns": {"type": "string", "examples": [",".join(c.name for c in COLUMNS[:3])]},
        },
        tuple(tables.FORMATS),
        tuple(one.media for one in tables.FORMATS.values()),
    ),
    _LABELS + "/instances/{instance_id}": ("The card of one instance", {}, (), _JSON),
    _LABELS + "/thumbnails/{instance_id}.jpg": (
        "Three planes through an instance", {"v": TEXT}, (), ("image/jpeg",),
    ),
    _LABELS + "/against/{prediction}/{z}/{y}/{x}.jpg": (
        "Truth, prediction and difference around a voxel, in three planes",
        {
            "truth": INTEGER,
            "others": _IDS,
            "predictions": _IDS,
            "partner": INTEGER,
            "field": {"type": "integer", "minimum": 300, "maximum": 20000},
            "v": TEXT,
        },
        (),
        ("image/jpeg",),
    ),
    _LABELS + "/colours.json": (
        "A colour for every instance, by a column or by error type",
        {"by": TEXT, "against": TEXT},
        (),
        _JSON,
    ),
    _LABELS + "/meshes/overview.glb": (
        "All instances as coarse surfaces", {"v": TEXT}, (), ("model/gltf-binary",),
    ),
    _LABELS + "/meshes/{instance_id}.{format}": (
        "The surface of an instance, in µm",
        {"level": INTEGER, "v": TEXT},
        tuple(meshes.FORMATS),
        tuple(meshes.FORMATS.values()),
    ),
    "/viewer/{file}": ("A file of the viewer", {}, (), ("text/javascript", "text/css")),
    "/viewer/{release}/{file}": (
        "The same, of one release", {}, (), ("text/javascript", "text/css"),
    ),
}  # fmt: skip

REFUSALS: Final[Mapping[int, str]] = {
    400: "A word that means nothing",
    404: "Nothing there",
    409: "Labels that are not measured yet",
    422: "Data on disk that is damaged",
    429: "More bytes than a client may take: again after Retry-After seconds",
    431: "A head of more than 64 kB",
    503: "Busy: again after Retry-After seconds; or a data root that does not answer",
}


async def describe(request: Request) -> Response:
    """The description of all routes, as JSON."""
    del request
    return answers.json(description())


@cache
def description() -> dict[str, Any]:
    """The OpenAPI 3.1 document."""
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "MitoEM explorer",
            "version": VERSION,
            "description": "Read-only routes beside the pages. The content of a volume's "
            "image.zarr lies below /zarr/{volume}/, with Range and CORS.",
        },
        "paths": {path: {"get": _operation(path, route)} for path, route in ROUTES.items()},
        "components": {
            "schemas": {
                "Error": {
                    "type": "object",
                    "required": ["error"],
                    "properties": {"error": {"type": "string"}},
                    "additionalProperties": False,
                }
            }
        },
    }


def _operation(path: str, route: Route) -> dict[str, Any]:
    summary, query, formats, media = route
    names = [part.partition("}")[0] for part in path.split("{")[1:]]
    schemas = {**_PATHS, "format": {"type": "string", "enum": list(formats)}}
    parameters = [
        {"name": name, "in": "path", "required": True, "schema": schemas[name]} for name in names
    ]
    parameters += [{"name": name, "in": "query", "schema": one} for name, one in query.items()]
    done = (
        {"200": {"description": "Done", "content": {one: {} for one in media}}}
        if media
        else {"302": {"description": "Elsewhere"}}
    )
    error = {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}}
    refused = {
        str(status): {"description": text, "content": error} for status, text in REFUSALS.items()
    }
    return {"summary": summary, "parameters": parameters, "responses": done | refused}
