"""Measurements as colours: a scale for numbers, a few apart for names."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
import numpy.typing as npt

from mitoem.render.paint import Rgb

STOPS: Final = ("#3b2f7a", "#2f5f9e", "#1f8f9a", "#4fb974", "#b9d34a", "#fde725")
"""From low to high: dark blue to yellow, lightness rising evenly, safe for the colour-blind.

After viridis (van der Walt and Smith 2015), lifted at the dark end so that it shows on dark grey.
"""

NAMES: Final = (
    "#4f8fd6", "#d9a441", "#57c98a", "#e0705f", "#a98be0", "#5fc6d6", "#d97fb5", "#9aa85a",
)  # fmt: skip
"""Colours of names, in the order in which the names are given."""

UNKNOWN: Final = "#8a96a3"
"""Of what was not measured."""

SHARE: Final = 0.02
"""Of the values at either end, which share the end's colour: outliers leave the scale alone."""

LOG_FROM: Final = 20.0
"""A positive measure whose ends differ by more than this factor is coloured by its logarithm."""


@dataclass(frozen=True, slots=True)
class Legend:
    """What the colours mean: the ends of a scale, or one colour for each name."""

    kind: Literal["scale", "names"]
    colours: tuple[str, ...]
    names: tuple[str, ...] = ()
    low: float = 0.0
    high: float = 0.0
    log: bool = False


def graded(values: npt.NDArray[np.float64]) -> tuple[Rgb, Legend]:
    """Numbers as colours, (N, 3) uint8; NaN is grey. Ends are the 2nd and 98th percentile."""
    known = values[np.isfinite(values)]
    low, high = (float(v) for v in np.quantile(known, [SHARE, 1 - SHARE])) if known.size else (0, 0)
    log = low > 0 and high / low > LOG_FROM
    with np.errstate(invalid="ignore", divide="ignore"):
        shown = np.log(values) if log else values
    a, b = (float(np.log(v)) for v in (low, high)) if log else (low, high)
    place = np.clip((shown - a) / (b - a) if b > a else np.full(shown.shape, 0.5), 0, 1)
    stops = np.array([rgb(one) for one in STOPS], np.float64)
    at = np.linspace(0, 1, len(stops))
    out = np.stack([np.interp(np.nan_to_num(place), at, stops[:, k]) for k in range(3)], axis=1)
    out[~np.isfinite(values)] = rgb(UNKNOWN)
    legend = Legend("scale", STOPS, low=low, high=high, log=log)
    return np.asarray(np.rint(out), np.uint8), legend


def named(values: Sequence[str], *, order: Sequence[str] = ()) -> tuple[Rgb, Legend]:
    """Names as colours, (N, 3) uint8; those of ``order`` come first, the others by alphabet.

    A name of ``order`` has its colour whichever others there are.
    """
    found = set(values)
    every = [*order, *sorted(found - set(order))]
    places = {name: place for place, name in enumerate(every)}
    names = [name for name in every if name in found]
    colours = [NAMES[i] if (i := places[name]) < len(NAMES) else UNKNOWN for name in names]
    table = {name: rgb(colour) for name, colour in zip(names, colours, strict=True)}
    out = np.array([table[one] for one in values], np.uint8).reshape(-1, 3)
    return out, Legend("names", tuple(colours), names=tuple(names))


def rgb(colour: str) -> tuple[int, int, int]:
    """A colour as its three bytes.

    >>> rgb("#fde725")
    (253, 231, 37)
    """
    value = int(colour.removeprefix("#"), 16)
    return value >> 16, value >> 8 & 255, value & 255
