"""Start and stop the worker process of a root."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import threading
from pathlib import Path

import psutil

from mitoem.ingestion.disk import disk_error
from mitoem.jobs.registry import code, home, read_json, worker

LOG_BYTES = 1_000_000
"""The worker's log starts anew beyond this."""

_lock = threading.Lock()
_started: dict[Path, subprocess.Popen[bytes]] = {}


def ensure_worker(root: str | Path) -> None:
    """Start the worker of this root unless one is alive; returns without waiting for it.

    The worker is a session of its own: it outlives the server that started it. Two started at
    once are no harm: the second finds the lock taken and leaves. A worker of other code than is on
    the disk is asked to start itself anew between two runs. Raises DiskReadOnly, DiskFull.
    """
    with _lock:
        living = worker(root)
        try:
            if living and living.get("code") != code():
                (home(root) / ".worker.renew").touch()
            if not living and not _starting(home(root)):
                _start(home(root))
        except OSError as error:
            raise disk_error(error) from error


def _starting(at: Path) -> bool:
    """Whether a worker that this process started lives and has not said anything yet."""
    process = _started.get(at)
    if process is None or process.poll() is not None:
        return False
    said = read_json(at / ".worker.json")
    return process.pid not in [who[0] for who in (said.get("who"), said.get("left")) if who]


def _start(at: Path) -> None:
    at.mkdir(parents=True, exist_ok=True)
    log = at / ".worker.log"
    mode = "ab" if log.exists() and log.stat().st_size < LOG_BYTES else "wb"
    with log.open(mode) as out:
        process = subprocess.Popen(
            [sys.executable, "-m", "mitoem.jobs", str(at.parent)],
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
            start_new_session=True,
            env=_environment(),
        )
    _started[at] = process
    # Reaps the child when it ends, so that no zombie is taken for a living worker.
    threading.Thread(target=process.wait, name="mitoem-worker", daemon=True).start()


def stop_worker(root: str | Path, *, seconds: float = 5.0) -> None:
    """End the worker of this root: its running run becomes ``interrupted``, waiting ones stay.

    Waits for the process itself: it steps down before it ends, and its run counts as running as
    long as it lives.
    """
    data = worker(root)
    if not data:
        return
    with contextlib.suppress(psutil.NoSuchProcess, psutil.TimeoutExpired):
        process = psutil.Process(int(data["who"][0]))
        process.terminate()
        process.wait(seconds)


def _environment() -> dict[str, str]:
    """Ours, with this very package first on the child's path."""
    paths = [str(Path(__file__).parents[2]), os.environ.get("PYTHONPATH", "")]
    joined = os.pathsep.join(p for p in paths if p)
    return {**os.environ, "PYTHONPATH": joined, "PYTHONUNBUFFERED": "1"}
