"""The words of an address, read one at a time: a value that can be drawn, or its default."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, TypeAlias, TypeVar

from mitoem.errors import FilterInvalid
from mitoem.filters import parse
from mitoem.manifest import LabelSet, VolumeInfo
from mitoem.morphometry import example

VERSION: Final = "1"
"""Version of the words below; it goes up when a word changes its meaning."""

MAX_SELECTED: Final = 50
"""Ids that an address may carry."""

ZOOM_RANGE: Final = (0.004, 64.0)
"""Zooms that are drawn, in CSS pixels per level-0 voxel along x."""

Wish: TypeAlias = str | int | float | tuple[int, ...] | None

_Word = TypeVar("_Word", bound=str)
_Value = TypeVar("_Value")
_INTEGER = re.compile(r"[+-]?[0-9]{1,18}")
_ROW = example()


MOST_SEED: Final = 9999
"""Ways of dealing the colours, less one."""


def filter_mistake(text: str) -> str:
    """What is wrong with a filter of instance tables; empty where it can be applied."""
    try:
        parse(text).apply(_ROW)
    except FilterInvalid as error:
        return str(error)
    return ""


@dataclass(frozen=True, slots=True)
class Notice:
    """One word of the request that could not be had: what was asked, wanted, and done instead."""

    word: str
    message: str


@dataclass(slots=True)
class Reader:
    """Reads one wish after another and collects the notices."""

    notices: list[Notice] = field(default_factory=list)
    elsewhere: bool = False
    """The request speaks of another volume or label set: its ids mean nothing here."""

    def say(self, word: str, found: object, expected: str, instead: object) -> None:
        """Add a notice; ``instead`` is what is shown, or nothing when empty."""
        text = found if isinstance(found, str) else repr(found)
        text = " ".join(text.split())
        text = text if len(text) <= 40 else text[:39] + "…"
        shown = f"; showing {instead}" if str(instead) else ""
        self.notices.append(Notice(word, f"{word}={text}: expected {expected}{shown}"))

    def read(
        self, word: str, wish: Wish, parse: Callable[[str], _Value], expected: str, default: _Value
    ) -> _Value:
        """The parsed wish; its default, with a notice, where parsing raises ValueError."""
        if wish is None:
            return default
        text = numbers(wish) if isinstance(wish, tuple) else str(wish).strip()
        try:
            return parse(text)
        except ValueError:
            shown = numbers(default) if isinstance(default, tuple) else default
            self.say(word, wish, expected, "the default" if shown is None else shown)
            return default

    def version(self, wish: Wish) -> None:
        """Tell when the address is of another version; its words are read all the same."""
        if wish is not None and str(wish) != VERSION:
            self.say("v", wish, f"{VERSION}, the version of addresses read here", "")

    def volume(self, wish: Wish, name: str) -> None:
        """Tell when the request speaks of a volume other than ``name``."""
        if wish is not None and str(wish) != name:
            self.elsewhere = True
            self.say("volume", wish, "the name of a volume here", f"{name} without the selection")

    def labels(self, wish: Wish, info: VolumeInfo) -> LabelSet | None:
        """The label set asked for, else the usual one; None where there is none."""
        usual = default_labels(info)
        if wish is None:
            return usual
        for one in info.labels:
            if one.name == str(wish):
                return one
        self.elsewhere = True
        names = [one.name for one in info.labels]
        expected = "one of " + ", ".join(names) if names else f"nothing: {info.name} has no labels"
        self.say("labels", wish, expected, f"{usual.name} without the selection" if usual else "")
        return usual

    def beside(self, wish: Wish, info: VolumeInfo, labels: LabelSet | None) -> str | None:
        """The other label set that is outlined, or None."""
        if wish is None or wish == "":
            return None
        others = [one.name for one in info.labels if one != labels]
        if str(wish) in others:
            return str(wish)
        expected = "one of " + ", ".join(others) if others else "nothing: there are no others"
        self.say("beside", wish, expected, "nothing outlined")
        return None

    def choice(self, word: str, wish: Wish, allowed: tuple[_Word, ...], default: _Word) -> _Word:
        """One of the allowed words."""

        def parse(text: str) -> _Word:
            for one in allowed:
                if one == text:
                    return one
            raise ValueError(text)

        return self.read(word, wish, parse, "one of " + ", ".join(allowed), default)

    def colour(self, wish: Wish, allowed: tuple[str, ...], default: str) -> str:
        """What instances are coloured by; there are too many columns to list in a notice."""

        def parse(text: str) -> str:
            if text not in allowed:
                raise ValueError(text)
            return text

        expected = f"{default}, or a column of the instance table, such as volume_um3"
        return self.read("colour", wish, parse, expected, default)

    def seed(self, wish: Wish) -> int:
        """What deals the colours of ids; the usual ones are of 0."""

        def parse(text: str) -> int:
            value = _integer(text)
            if not 0 <= value <= MOST_SEED:
                raise ValueError(text)
            return value

        return self.read("seed", wish, parse, f"a whole number from 0 to {MOST_SEED}", 0)

    def flag(self, word: str, wish: Wish) -> bool:
        """``0`` or ``1``; false unless asked for."""

        def parse(text: str) -> bool:
            if text.lower() not in ("0", "1", "false", "true"):
                raise ValueError(text)
            return text.lower() in ("1", "true")

        return self.read(word, wish, parse, "0 or 1", False)

    def position(self, word: str, wish: Wish, size: int, middle: int) -> int:
        """A voxel index along an axis of ``size`` voxels, moved to the nearest one inside."""
        expected = f"a voxel from 0 to {size - 1}"
        asked = self.read(word, wish, _integer, expected, middle)
        inside = min(max(asked, 0), size - 1)
        if asked != inside:
            self.say(word, wish, expected, inside)
        return inside

    def zoom(self, wish: Wish) -> float | None:
        """Pixels per voxel with four digits, kept within ``ZOOM_RANGE``; None to fit."""
        low, high = ZOOM_RANGE
        expected = f"pixels per voxel from {low:.2g} to {high:g}"
        asked = self.read("zoom", wish, _positive, expected, None)
        if asked is None:
            return None
        inside = float(f"{min(max(asked, low), high):.4g}")
        if not low <= asked <= high:
            self.say("zoom", wish, expected, f"{inside:g}")
        return inside

    def pair(
        self, word: str, wish: Wish, default: tuple[int, int], *, top: int, rising: bool
    ) -> tuple[int, int]:
        """Two integers from 0 to ``top``."""

        def parse(text: str) -> tuple[int, int]:
            first, second = (_integer(part) for part in text.split(","))
            if not (0 <= first <= top and 0 <= second <= top) or (rising and first >= second):
                raise ValueError(text)
            return first, second

        expected = f"two {'rising ' if rising else ''}numbers from 0 to {top}"
        return self.read(word, wish, parse, expected, default)

    def selection(self, wish: Wish, *, any_labels: bool) -> tuple[int, ...]:
        """The ids that are ids, at most ``MAX_SELECTED``, in the order asked."""
        if wish is None or wish in ((), "") or self.elsewhere:
            return ()
        text = numbers(wish) if isinstance(wish, tuple) else str(wish)
        parts = list(dict.fromkeys(part.strip() for part in text.split(",")))
        good = [int(p) for p in parts if _INTEGER.fullmatch(p) and 0 < int(p) < 2**32]
        ids = tuple(dict.fromkeys(good))
        kept = ids[:MAX_SELECTED] if any_labels else ()
        shown = f"{len(kept)} of them" if kept else "no selection"
        if not any_labels:
            self.say("sel", text, "nothing: the volume has no labels", shown)
        elif len(good) < len(parts):
            bad = next(p for p in parts if not (_INTEGER.fullmatch(p) and 0 < int(p) < 2**32))
            self.say("sel", bad or text, "instance ids from 1 to 4294967295", shown)
        elif len(ids) > len(kept):
            self.say("sel", text, f"at most {MAX_SELECTED} ids, not {len(ids)}", shown)
        return kept

    def filter(self, wish: Wish) -> str:
        """The text of a filter that parses; empty for all rows."""
        text = "" if wish is None else str(wish).strip()
        if wrong := filter_mistake(text):
            self.say("f", text, f"a filter ({wrong})", "all rows")
            return ""
        return text


def default_labels(info: VolumeInfo) -> LabelSet | None:
    """The label set that is shown unless another is asked for: ``truth``, else the first."""
    first = info.labels[0] if info.labels else None
    return next((one for one in info.labels if one.name == "truth"), first)


def _integer(text: str) -> int:
    if not _INTEGER.fullmatch(text.strip()):
        raise ValueError(text)
    return int(text)


def _positive(text: str) -> float | None:
    value = float(text)
    if not (math.isfinite(value) and value > 0):
        raise ValueError(text)
    return value


def numbers(values: tuple[int, ...]) -> str:
    """Integers as an address has them: ``1,2,3``."""
    return ",".join(str(value) for value in values)
