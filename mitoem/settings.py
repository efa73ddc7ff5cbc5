"""Numbers that the environment sets, in one way: ``MITOEM_…`` variables, listed in the docs."""

from __future__ import annotations

import math
import os

from mitoem.errors import SettingInvalid

NUMBERS = (
    "MITOEM_CACHE_BYTES",
    "MITOEM_TILE_CACHE_BYTES",
    "MITOEM_MESH_CACHE_BYTES",
    "MITOEM_THREADS",
    "MITOEM_WORKER_IDLE",
    "MITOEM_STORE_PATIENCE",
    "MITOEM_STORE_PAUSE",
    "MITOEM_WORKERS_SECONDS",
    "MITOEM_RUNS_PER_CLIENT",
    "MITOEM_VOXELS_PER_HOUR",
    "MITOEM_VOLUMES_PER_CLIENT",
    "MITOEM_RUNS_BYTES",
    "MITOEM_UPLOAD_MEMORY",
    "MITOEM_UPLOAD_SECONDS",
    "MITOEM_PAGES",
    "MITOEM_CLIENT_BYTES",
    "MITOEM_CLIENT_BYTES_PER_S",
    "MITOEM_UNLISTED_DAYS",
    "MITOEM_TOKEN_HOURS",
)


def number(name: str, usual: float) -> float:
    """What the variable says, or the usual number where it says nothing.

    Raises SettingInvalid for what is no number, or below 0.
    """
    text = os.environ.get(name) or f"{usual}"
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 <= value < math.inf:
        raise SettingInvalid(f"{name}: expected a number from 0, found {text!r}")
    return value


def check() -> None:
    """Raise SettingInvalid unless all that the environment sets are numbers."""
    for name in NUMBERS:
        number(name, 0)
