"""Figures for papers and slides: true proportions, a burned-in scale bar, a caption."""

from __future__ import annotations

import io
import math
from base64 import b64encode
from dataclasses import dataclass
from html import escape
from importlib.resources import files

from PIL import Image, ImageDraw, ImageFont
from PIL.PngImagePlugin import PngInfo

from mitoem.errors import RequestInvalid
from mitoem.render.paint import (
    BESIDE,
    PLAIN,
    Ids,
    Paint,
    Plane,
    Rgb,
    edges,
    overlay,
    to_scale,
)

SHORTEST = 4
"""Pixels of the shortest bar that can be read off; a figure too small for it has none."""


@dataclass(frozen=True, slots=True)
class ScaleBar:
    """A bar of a round length: its nanometres, its pixels and its text."""

    nm: float
    pixels: float
    label: str


def scale_bar(nm_per_pixel: float, width: int, *, share: float = 0.25) -> ScaleBar:
    """The longest bar of 1, 2 or 5 × 10ⁿ nm within ``share`` of ``width`` pixels.

    >>> scale_bar(8.0, 1000).label
    '2 µm'
    """
    room = nm_per_pixel * width * share
    ten: float = 10.0 ** math.floor(math.log10(room))
    nm = max(step * ten for step in (1, 2, 5) if step * ten <= room * (1 + 1e-12))
    label = f"{nm / 1000:g} µm" if nm >= 1000 else f"{nm:g} nm"
    return ScaleBar(nm, nm / nm_per_pixel, label)


@dataclass(frozen=True, slots=True)
class Key:
    """What the colours of a figure mean: a title, then colours (``#rrggbb``) and words in turn.

    An entry of several colours is a ramp; an empty word leaves its colours without one.
    """

    title: str
    entries: tuple[tuple[tuple[str, ...], str], ...]


@dataclass(frozen=True, slots=True)
class _Mark:
    """A piece of the key: a text, or where ``colour`` is given a box of it, ``width`` wide."""

    left: float
    row: int
    text: str = ""
    colour: str = ""
    width: float = 0.0


@dataclass(frozen=True, slots=True)
class _Page:
    """Where things lie on a figure, in pixels: text size, caption lines, the strip below, the bar.

    ``bar`` is (left, top, right, bottom); ``marks`` are the key, on the ``above`` first rows.
    """

    width: int
    height: int
    size: int
    lines: tuple[str, ...]
    bar: tuple[float, float, float, float] | None
    marks: tuple[_Mark, ...] = ()
    above: int = 0

    @property
    def full_height(self) -> int:
        rows = self.above + len(self.lines)
        return self.height + (round(self.size * (1.45 * rows + 0.9)) if rows else 0)

    def box(self, mark: _Mark) -> tuple[float, float, float, float]:
        """Left, top, right and bottom of a coloured piece of the key."""
        base = self.baseline(mark.row)
        return (mark.left, base - self.size * 0.75, mark.left + mark.width, base + self.size * 0.05)

    def baseline(self, row: int) -> float:
        return self.height + self.size * (1.45 + 1.45 * row)


@dataclass(frozen=True, slots=True, eq=False)
class Figure:
    """A picture at true proportions with its pixel size in nm, its bar and its caption."""

    rgb: Rgb
    nm_per_pixel: float
    bar: ScaleBar | None
    caption: str
    key: Key | None = None

    def png(self) -> bytes:
        """The figure with bar and caption burned in; the caption is in the file's text too."""
        page = self._page()
        canvas = Image.new("RGB", (page.width, page.full_height), "white")
        canvas.paste(Image.fromarray(self.rgb))
        draw, font = ImageDraw.Draw(canvas), _font(page.size)
        if self.bar is not None and page.bar is not None:
            x0, y0, x1, y1 = (round(v) for v in page.bar)
            edge = max(1, page.size // 10)
            draw.rectangle((x0 - edge, y0 - edge, x1 + edge - 1, y1 + edge - 1), fill="black")
            draw.rectangle((x0, y0, x1 - 1, y1 - 1), fill="white")
            above = ((x0 + x1) / 2, y0 - page.size * 0.4)
            draw.text(
                above,
                self.bar.label,
                "white",
                font,
                anchor="ms",
                stroke_width=edge,
                stroke_fill="black",
            )
        for mark in page.marks:
            if mark.colour:
                draw.rectangle(tuple(round(v) for v in page.box(mark)), fill=mark.colour)
            else:
                place = (mark.left, page.baseline(mark.row))
                draw.text(place, mark.text, "#222", font, anchor="ls")
        for row, line in enumerate(page.lines, page.above):
            draw.text((page.size * 0.6, page.baseline(row)), line, "#222", font, anchor="ls")
        out, text = io.BytesIO(), PngInfo()
        text.add_itxt("Description", self.caption)
        text.add_itxt("Pixel size", f"{self.nm_per_pixel:g} nm")
        canvas.save(out, "PNG", pnginfo=text)
        return out.getvalue()

    def svg(self) -> str:
        """The figure with the picture embedded, and bar and caption as shapes and text."""
        page = self._page()
        picture = io.BytesIO()
        Image.fromarray(self.rgb).save(picture, "PNG")
        width, full = page.width, page.full_height
        parts = [
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{full}" '
            f'viewBox="0 0 {width} {full}" font-family="DejaVu Sans, Verdana, sans-serif" '
            f'font-size="{page.size}">',
            f"<desc>{escape(self.caption)}</desc>",
            f'<rect width="{width}" height="{full}" fill="white"/>',
            f'<image width="{width}" height="{page.height}" '
            f'href="data:image/png;base64,{b64encode(picture.getvalue()).decode()}"/>',
        ]
        if self.bar is not None and page.bar is not None:
            x0, y0, x1, y1 = page.bar
            look = f'fill="white" stroke="black" stroke-width="{page.size / 5:g}" '
            look += 'paint-order="stroke"'
            parts += [
                f'<rect x="{x0:g}" y="{y0:g}" width="{x1 - x0:g}" height="{y1 - y0:g}" {look}/>',
                f'<text x="{(x0 + x1) / 2:g}" y="{y0 - page.size * 0.4:g}" text-anchor="middle" '
                f"{look}>{escape(self.bar.label)}</text>",
            ]
        for mark in page.marks:
            x0, y0, x1, y1 = page.box(mark)
            parts.append(
                f'<rect x="{x0:g}" y="{y0:g}" width="{x1 - x0:g}" height="{y1 - y0:g}" '
                f'fill="{mark.colour}"/>'
                if mark.colour
                else f'<text x="{x0:g}" y="{page.baseline(mark.row):g}" fill="#222">'
                f"{escape(mark.text)}</text>"
            )
        for row, line in enumerate(page.lines, page.above):
            place = f'x="{page.size * 0.6:g}" y="{page.baseline(row):g}"'
            parts.append(f'<text {place} fill="#222">{escape(line)}</text>')
        return "\n".join([*parts, "</svg>", ""])

    def _page(self) -> _Page:
        height, width = self.rgb.shape[:2]
        size = min(max(round(width / 50), 9), 40)
        place = None
        if self.bar is not None and self.bar.pixels >= SHORTEST:
            right, bottom = width - size * 1.0, height - size * 1.0
            top = bottom - max(2.0, size / 3)
            if top >= size * 1.4:  # its text stands above it
                place = (right - self.bar.pixels, top, right, bottom)
        lines = _wrap(self.caption, width - 1.2 * size, size)
        marks, rows = _marks(self.key, width - 1.2 * size, size) if self.key else ((), 0)
        return _Page(width, height, size, lines, place, marks, rows)


def figure(
    plane: Plane,
    ids: Ids | None = None,
    *,
    beside: Ids | None = None,
    pixel_nm: tuple[float, float],
    nm_per_pixel: float | None = None,
    paint: Paint = PLAIN,
    bar: bool = True,
    caption: str = "",
    key: Key | None = None,
) -> Figure:
    """A plane with its instances as a figure at true proportions.

    ``beside`` are ids of a second label set, of which the outlines are drawn.
    ``pixel_nm`` is the edge of a pixel along rows and columns, ``nm_per_pixel`` that of the
    figure, the finer of the two when None. Raises RequestInvalid for a figure that is too large
    or a pixel size that is not above 0, ShapeMismatch when plane and ids differ in shape.
    """
    target = min(pixel_nm) if nm_per_pixel is None else nm_per_pixel
    if not target > 0:
        raise RequestInvalid(f"expected nm per pixel above 0, found {target:g}")
    grey, near = to_scale(plane, ids, pixel_nm=pixel_nm, nm_per_pixel=target)
    rgb = overlay(grey, near, paint=paint)
    other = to_scale(plane, beside, pixel_nm=pixel_nm, nm_per_pixel=target)[1]
    if other is not None:
        rgb[edges(other)] = BESIDE
    return Figure(rgb, target, scale_bar(target, rgb.shape[1]) if bar else None, caption, key)


def _marks(key: Key, width: float, size: int) -> tuple[tuple[_Mark, ...], int]:
    """The pieces of a key, wrapped to ``width`` pixels, and how many rows they take."""
    font = _font(size)
    start, gap = size * 0.6, size * 0.4
    marks = [_Mark(start, 0, key.title)]
    left, row = start + font.getlength(key.title) + 2 * gap, 0
    for colours, word in key.entries:
        each = size * (0.9 if len(colours) == 1 else 1.6)
        needed = each * len(colours) + (gap + font.getlength(word) if word else 0)
        if left > start and left + needed > start + width:
            left, row = start, row + 1
        for colour in colours:
            marks.append(_Mark(left, row, colour=colour, width=each))
            left += each
        if word:
            left += gap if colours else 0
            marks.append(_Mark(left, row, word))
            left += font.getlength(word)
        left += gap if not colours or len(colours) > 1 else 2 * gap
    return tuple(marks), row + 1


def _font(size: float) -> ImageFont.FreeTypeFont:
    """The bundled font: Pillow's own lacks µ, and the machine's fonts differ."""
    data = files("mitoem").joinpath("assets/figure-font.ttf").read_bytes()
    return ImageFont.truetype(io.BytesIO(data), size)


def _wrap(text: str, width: float, size: int) -> tuple[str, ...]:
    """Lines of ``text`` that are no wider than ``width`` pixels; a longer word has its own line."""
    font, lines = _font(size), list[str]()
    for paragraph in text.splitlines():
        line = ""
        for word in paragraph.split():
            longer = f"{line} {word}".strip()
            if line and font.getlength(longer) > width:
                lines.append(line)
                longer = word
            line = longer
        lines.append(line)
    return tuple(lines)
