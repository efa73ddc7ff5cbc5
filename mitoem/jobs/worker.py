"""The loop of the worker process: take the first run of the queue, do it, write down how it went.

It stays warm (model compiled) between runs and ends after ten idle minutes
(``MITOEM_WORKER_IDLE``, in seconds), or when its root is gone.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
from filelock import FileLock, Timeout

from mitoem import settings
from mitoem.errors import DiskFull, MitoEMError, RunCancelled
from mitoem.ingestion.disk import disk_error
from mitoem.jobs import uploads
from mitoem.jobs.job import Job, log_bug
from mitoem.jobs.kinds import KINDS
from mitoem.jobs.predicting import warm
from mitoem.jobs.registry import (
    INTERRUPTED,
    code,
    home,
    identity,
    now,
    read_json,
    sweep,
    waiting,
    write_json,
)
from mitoem.jobs.room import Room

LOOK_SECONDS = 0.025
"""Between two looks at the queue; one look lists an almost empty folder, about 10 µs."""

REPORT_SECONDS = 0.1
"""Between two writes of progress."""

IDLE_SECONDS = 600.0

CODE = code()
"""Which code this process has read."""


def main(root: str) -> int:
    """Work until idle; 0 also when another worker already serves this root."""
    at = home(root)
    lock = FileLock(at / ".worker.lock")
    try:
        lock.acquire(timeout=1.0)
    except Timeout:
        return 0
    signal.signal(signal.SIGTERM, _leave)
    _be_nice()
    renew = False
    try:
        renew = _Worker(Path(root)).serve()
    except FileNotFoundError:
        if at.is_dir():
            raise
    finally:
        if at.is_dir():
            write_json(at / ".worker.json", {"left": identity()})
        lock.release()
    if renew:
        os.execv(sys.executable, [sys.executable, "-m", "mitoem.jobs", root])
    return 0


def _leave(_signal: int, _frame: object) -> None:
    sys.exit(0)


def _be_nice() -> None:
    """Leave the processor to whoever serves tiles."""
    if sys.platform == "win32":
        psutil.Process().nice(psutil.BELOW_NORMAL_PRIORITY_CLASS)
    else:
        psutil.Process().nice(10)


class _Worker:
    """One root's worker: its place on disk and who it is."""

    def __init__(self, root: Path) -> None:
        self.root, self.at, self.who = root, home(root), identity()
        self.room = Room(root)
        self.card = {"who": self.who, "code": CODE}
        self.idle = settings.number("MITOEM_WORKER_IDLE", IDLE_SECONDS)

    def serve(self) -> bool:
        """Do runs until the queue has been empty for the idle time; True to start anew instead."""
        renew = self.at / ".worker.renew"
        renew.unlink(missing_ok=True)
        self._say("")
        self._tidy()
        uploads.tidy(self.root)
        self._make_room()
        if not waiting(self.root):
            try:
                warm()
            except MitoEMError:
                log_bug("none")  # each run that needs the model will say the same
        last = time.monotonic()
        while True:
            queue = waiting(self.root)
            if renew.exists():
                return True
            if queue:
                self._do(queue[0])
                self._make_room()
                last = time.monotonic()
            elif time.monotonic() - last < self.idle:
                self.at.stat()  # raises when the root is gone
                time.sleep(LOOK_SECONDS)
            else:
                # Step down first, look after: whoever submits now either is seen here, or finds
                # no worker and starts one.
                write_json(self.at / ".worker.json", {"left": self.who})
                if not waiting(self.root):
                    return False
                self._say("")

    def _say(self, run_id: str) -> None:
        write_json(self.at / ".worker.json", self.card | {"run": run_id, "since": now()})

    def _make_room(self) -> None:
        try:
            self.room.make()
        except Exception:  # a damaged run must not keep us from the others
            log_bug("none")

    def _tidy(self) -> None:
        """Put right what a killed worker or submitter left: this process alone holds the lock."""
        sweep(self.root)
        for path in sorted(self.at.iterdir()):
            if path.name.startswith(".") or not path.is_dir():
                continue
            data = read_json(path / "state.json")
            if data.get("state") == "running":
                data |= {"state": "interrupted", "error": INTERRUPTED, "ended": now()}
                write_json(path / "state.json", data, sync=True)
                asked = read_json(path / "request.json")
                if asked.get("kind") in KINDS:  # a damaged request must not keep us from starting
                    KINDS[asked["kind"]].forget(self.root, asked["request"])
            elif data.get("state") == "queued" and not (path / "cancel").exists():
                (self.at / ".queue" / path.name).touch()

    def _do(self, run_id: str) -> None:
        """Do one run from start to end; whatever it raises becomes its state, not ours."""
        path, ticket = self.at / run_id, self.at / ".queue" / run_id
        asked = read_json(path / "request.json")
        state = read_json(path / "state.json").get("state")
        if not asked or state != "queued" or (path / "cancel").exists():
            ticket.unlink(missing_ok=True)
            return
        self._say(run_id)
        record = _Record(path, self.who)
        ticket.unlink(missing_ok=True)
        try:
            result = KINDS[asked["kind"]].run(
                Job(self.root, path, asked["request"], record.report, record.cancelled)
            )
            write_json(path / "result.json", result, sync=True)
            record.end("done")
        except RunCancelled:
            record.end("cancelled")
        except (MitoEMError, OSError) as found:
            error = disk_error(found) if isinstance(found, OSError) else found
            if isinstance(error, DiskFull):
                _make_room(path)
            if not isinstance(error, MitoEMError):
                log_bug(run_id)
            fault = type(error).__name__ if isinstance(error, MitoEMError) else ""
            record.end("failed", str(error) if fault else _bug(error), fault=fault)
        except Exception as error:
            log_bug(run_id)
            record.end("failed", _bug(error))
        except BaseException:
            record.end("interrupted", INTERRUPTED)
            raise
        finally:
            self._say("")


def _bug(error: Exception) -> str:
    """What a run says of an error that nobody meant."""
    return f"{type(error).__name__}: {error}"[:500]


def _make_room(path: Path) -> None:
    """Delete what a run has made that met a full disk: its end would not fit beside it."""
    for one in path.iterdir():
        if one.name not in ("request.json", "state.json", "cancel") and one.is_file():
            one.unlink()


class _Record:
    """Writes one run's state.json."""

    def __init__(self, path: Path, who: list[float]) -> None:
        self.path, self.last, self.ended = path, 0.0, False
        self.data: dict[str, Any] = {
            "state": "running",
            "who": who,
            "started": now(),
            "progress": 0.0,
            "message": "starting",
        }
        write_json(path / "state.json", self.data, sync=True)

    def report(self, fraction: float, message: str) -> None:
        """Progress from 0 to 1 and what is being done; written at most ten times a second."""
        self.data |= {"progress": min(max(fraction, 0.0), 1.0), "message": message}
        if time.monotonic() - self.last >= REPORT_SECONDS:
            self.last = time.monotonic()
            with suppress(OSError):  # a full disk is met where something has to be kept
                write_json(self.path / "state.json", self.data)

    def cancelled(self) -> bool:
        """Whether a person asked to stop."""
        return (self.path / "cancel").exists()

    def end(self, state: str, error: str = "", *, fault: str = "") -> None:
        """The last state, once: a SIGTERM that comes while it is written makes it no other one.

        ``fault`` is the name of an error that was raised on purpose.
        """
        if self.ended:
            return
        self.ended = True
        if state == "done":
            self.data |= {"progress": 1.0, "message": ""}
        self.data |= {"state": state, "error": error, "fault": fault, "ended": now()}
        write_json(self.path / "state.json", self.data, sync=True)
