"""The Range header: which bytes of a file are asked for."""

from __future__ import annotations

import re

_RANGE = re.compile(r"bytes=([0-9]{0,15})-([0-9]{0,15})")


def requested(header: str | None, size: int) -> tuple[int, int] | None:
    """Half-open byte range of a file of ``size`` bytes that the header asks for.

    None where the whole file is meant: no header, one that is malformed, or several ranges at
    once, which RFC 9110 (14.2) lets a server ignore. An empty range (start == stop) says that
    none of the bytes asked for exist: 416.

    >>> requested("bytes=2-4", 10), requested("bytes=-3", 10), requested("bytes=10-", 10)
    ((2, 5), (7, 10), (0, 0))
    """
    match = _RANGE.fullmatch(header or "")
    if match is None or match.groups() == ("", ""):
        return None
    first, last = match.groups()
    if not first:
        start, stop = max(0, size - int(last)), size
    else:
        start, stop = int(first), min(int(last or size) + 1, size)
        if last and int(last) < int(first):
            return None
    return (start, stop) if start < stop else (0, 0)
