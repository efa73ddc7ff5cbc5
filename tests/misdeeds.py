"""What befalls a process that reads a hostile file; small, as each child imports it anew."""

from __future__ import annotations

import ctypes
import os
import time
from typing import Any

import numpy as np

from mitoem.jobs.job import Job


def abort(job: Job) -> dict[str, Any]:
    os.abort()


def read_nowhere(job: Job) -> dict[str, Any]:
    return {"found": ctypes.string_at(0)}


def grow(job: Job) -> dict[str, Any]:
    kept = []
    while True:
        kept.append(np.ones(1 << 24))


def ask_for_too_much(job: Job) -> dict[str, Any]:
    return {"bytes": np.empty(1 << 60, np.uint8).nbytes}


def wait(job: Job) -> dict[str, Any]:
    job.report(0.5, "waiting")
    time.sleep(60)
    return {}


def mistaken(job: Job) -> dict[str, Any]:
    raise ZeroDivisionError("a mistake of ours")
