"""Small files written whole or not at all, and what a full disk is called."""

from __future__ import annotations

import errno
import json
from pathlib import Path
from typing import Any

from mitoem.errors import DiskFull


def write_json(path: Path, data: Any) -> None:
    """Write JSON whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.partial")
    partial.write_text(json.dumps(data, indent=1) + "\n", encoding="utf-8")
    partial.replace(path)


def disk_error(error: Exception) -> Exception:
    """DiskFull for a full disk, else the error itself."""
    full = "No space left" in str(error) or getattr(error, "errno", None) == errno.ENOSPC
    if full or "RESOURCE_EXHAUSTED" in str(error):
        return DiskFull(f"the disk is full: {str(error).splitlines()[0][:300]}")
    return error
