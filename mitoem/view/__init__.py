"""What was asked, and what can be drawn: every default and every clamp of a view is here.

A ``ViewRequest`` is a wish: what an address or a person asked, all optional, possibly nonsense.
A ``View`` can be drawn. ``resolve`` turns one into the other and says, in notices, where the two
differ; ``to_query`` and ``from_query`` are the words of the address.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias, get_args

from mitoem.geometry import Index
from mitoem.manifest import LabelSet, VolumeInfo
from mitoem.morphometry import COLUMNS
from mitoem.view.wishes import VERSION, Notice, Reader, Wish, default_labels, numbers

__all__ = [
    "BY_ERROR",
    "BY_ID",
    "COLOURS",
    "WORDS",
    "Layout",
    "Mode",
    "Notice",
    "Plane",
    "View",
    "ViewRequest",
    "Wish",
    "default_labels",
    "from_query",
    "resolve",
    "to_query",
]

Plane: TypeAlias = Literal["z", "y", "x"]
Layout: TypeAlias = Literal["quad", "z", "y", "x", "3d"]
Mode: TypeAlias = Literal["fill", "outline"]

DEFAULT_OPACITY: Final = (60, 25)
"""Per cent of the selected instances, and of the others."""

BY_ID: Final = "id"

BY_ERROR: Final = "error"

COLOURS: Final = (BY_ID, *(one.name for one in COLUMNS if one.colourable), BY_ERROR)
"""What instances may be coloured by: their ids, a measurement, or their type of error."""

WORDS: Final[Mapping[str, str]] = {
    "v": "version",
    "volume": "volume",
    "plane": "plane",
    "layout": "layout",
    "x": "x",
    "y": "y",
    "z": "z",
    "zoom": "zoom",
    "sel": "sel",
    "labels": "labels",
    "beside": "beside",
    "op": "op",
    "mode": "mode",
    "w": "window",
    "inv": "invert",
    "solo": "solo",
    "colour": "colour",
    "seed": "seed",
    "f": "filter",
}
"""Word of the address -> field of ``ViewRequest``."""


@dataclass(frozen=True, slots=True)
class ViewRequest:
    """What was asked; each field is a value, the text of one as an address has it, or None."""

    version: Wish = None
    volume: Wish = None
    plane: Wish = None
    layout: Wish = None
    x: Wish = None
    y: Wish = None
    z: Wish = None
    zoom: Wish = None
    sel: Wish = None
    labels: Wish = None
    beside: Wish = None
    op: Wish = None
    mode: Wish = None
    window: Wish = None
    invert: Wish = None
    solo: Wish = None
    colour: Wish = None
    seed: Wish = None
    filter: Wish = None


@dataclass(frozen=True, slots=True)
class View:
    """What is drawn. Positions are level-0 voxel indices.

    ``labels`` is None only where the volume has no label set; ``beside`` is another one whose
    outlines are drawn too; ``zoom`` None means that the plane
    fits its pane; ``op`` are per cent (selected, others); ``window`` is grey (low, high);
    ``colour`` is ``id``, or the column of the instance table that gives the colours;
    ``seed`` deals the colours of ids.
    """

    volume: str
    labels: str | None
    beside: str | None
    plane: Plane
    layout: Layout
    x: int
    y: int
    z: int
    zoom: float | None
    sel: tuple[int, ...]
    op: tuple[int, int]
    mode: Mode
    window: tuple[int, int]
    invert: bool
    solo: bool
    colour: str
    seed: int
    filter: str

    @property
    def position(self) -> Index:
        """The crosshair (z, y, x)."""
        return self.z, self.y, self.x


def from_query(query: Mapping[str, str]) -> ViewRequest:
    """The request that an address makes; words that are not of a view are left alone.

    >>> from_query({"z": "412", "measure": "volume_um3"}).z
    '412'
    """
    return ViewRequest(**{WORDS[word]: query[word] for word in WORDS if word in query})


def to_query(view: View, info: VolumeInfo) -> dict[str, str]:
    """The words of the address of a view, defaults left out; ``resolve`` gives the view back."""
    default = resolve(ViewRequest(labels=view.labels, layout=view.layout), info)[0]
    plain = resolve(ViewRequest(), info)[0]
    words = {"v": VERSION, "volume": view.volume}

    def put(word: str, value: str, usual: str) -> None:
        if value != usual:
            words[word] = value

    put("labels", view.labels or "", plain.labels or "")
    put("beside", view.beside or "", "")
    put("layout", view.layout, plain.layout)
    put("plane", view.plane, default.plane)
    for word in ("x", "y", "z"):
        put(word, str(getattr(view, word)), str(getattr(default, word)))
    put("zoom", "" if view.zoom is None else f"{view.zoom:.4g}", "")
    put("sel", numbers(view.sel), "")
    put("op", numbers(view.op), numbers(default.op))
    put("mode", view.mode, default.mode)
    put("w", numbers(view.window), numbers(default.window))
    put("inv", str(int(view.invert)), "0")
    put("solo", str(int(view.solo)), "0")
    put("colour", view.colour, default.colour)
    put("seed", str(view.seed), "0")
    put("f", view.filter, "")
    return words


def resolve(request: ViewRequest, info: VolumeInfo) -> tuple[View, tuple[Notice, ...]]:
    """The view of ``info`` that comes nearest to the request, and what differs from it.

    Never raises: every bad value becomes its default with one notice that names the word, the
    value and what was expected; a position outside the volume moves to the nearest voxel.
    """
    reader = Reader()
    reader.version(request.version)
    reader.volume(request.volume, info.name)
    labels = reader.labels(request.labels, info)
    layout = reader.choice("layout", request.layout, get_args(Layout), "quad")
    single: Plane | None = layout if layout in get_args(Plane) else None
    plane = reader.choice("plane", request.plane, get_args(Plane), single or "z")
    if single and plane != single:
        reader.say("plane", plane, f"{single}, as layout={single} shows that plane alone", single)
    middle, size = _centre(info, labels), info.shape
    view = View(
        volume=info.name,
        labels=labels.name if labels else None,
        beside=reader.beside(request.beside, info, labels),
        plane=single or plane,
        layout=layout,
        x=reader.position("x", request.x, size[2], middle[2]),
        y=reader.position("y", request.y, size[1], middle[1]),
        z=reader.position("z", request.z, size[0], middle[0]),
        zoom=reader.zoom(request.zoom),
        sel=reader.selection(request.sel, any_labels=labels is not None),
        op=reader.pair("op", request.op, DEFAULT_OPACITY, top=100, rising=False),
        mode=reader.choice("mode", request.mode, get_args(Mode), "fill"),
        window=reader.pair("w", request.window, _window(info), top=255, rising=True),
        invert=reader.flag("inv", request.invert),
        solo=reader.flag("solo", request.solo),
        colour=reader.colour(request.colour, COLOURS, BY_ID),
        seed=reader.seed(request.seed),
        filter=reader.filter(request.filter),
    )
    return view, tuple(reader.notices)


def _centre(info: VolumeInfo, labels: LabelSet | None) -> Index:
    """The middle of the largest labelled box, else of the volume."""
    if labels is None or not labels.coverage:
        z, y, x = (n // 2 for n in info.shape)
        return z, y, x
    box = max(labels.coverage, key=lambda one: one.size)
    z, y, x = (
        min((a + b) // 2, n - 1) for a, b, n in zip(box.start, box.stop, info.shape, strict=True)
    )
    return z, y, x


def _window(info: VolumeInfo) -> tuple[int, int]:
    """The 1st to 99th percentile, widened to one grey where an image is constant."""
    low = min(max(info.grey.p1, 0), 254)
    return low, max(low + 1, min(info.grey.p99, 255))
