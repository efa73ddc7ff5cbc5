"""Words of a path or a query -> integers and choices, strictly: one spelling for one thing."""

from __future__ import annotations

import re
from collections.abc import Collection

from starlette.requests import Request

from mitoem.errors import RequestInvalid

MAX_TEXT = 2000
"""Longest query word that is read, characters."""

_INTEGER = re.compile(r"0|[1-9][0-9]{0,9}")


def integer(text: str, *, what: str) -> int:
    """The integer from 0 to 9,999,999,999 that the text spells in plain ASCII digits.

    Signs, leading zeros, underscores and other scripts' digits are refused, so that a thing has
    one address. Raises RequestInvalid, which names ``what`` and the text.
    """
    if not _INTEGER.fullmatch(text):
        raise RequestInvalid(f"{what} must be an integer from 0, found {text[:40]!r}")
    return int(text)


def choice(text: str, allowed: Collection[str], *, what: str) -> str:
    """The text itself; raises RequestInvalid, listing what is allowed, where it is none of it."""
    if text not in allowed:
        raise RequestInvalid(f"{what} must be one of {', '.join(allowed)}, found {text[:40]!r}")
    return text


def word(request: Request, name: str, *, default: str = "") -> str:
    """A word of the query; raises RequestInvalid where it is too long to be meant."""
    text = request.query_params.get(name, default)
    if len(text) > MAX_TEXT:
        raise RequestInvalid(f"{name} must be at most {MAX_TEXT} characters, found {len(text)}")
    return text


def integers(text: str, *, what: str, most: int) -> tuple[int, ...]:
    """Integers with commas between them, none for no text; raises RequestInvalid."""
    found = tuple(integer(one, what=what) for one in text.split(",")) if text else ()
    if len(found) > most:
        raise RequestInvalid(f"{what}: expected at most {most}, found {len(found)}")
    return found
