"""What a check finds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is not as it should be, and where.

    An ``error`` is a fault of the data; a ``notice`` is worth knowing and harms nothing.
    """

    severity: Literal["error", "notice"]
    where: str
    message: str


def differs(where: str, what: str, expected: object, found: object) -> Finding:
    """An error that names both values."""
    return Finding("error", where, f"{what}: expected {expected}, found {found}")
