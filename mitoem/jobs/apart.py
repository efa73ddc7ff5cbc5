"""Work that nobody vouches for, in a process of its own: a run that reads a person's file.

What such a file does to its reader, it does to that process alone. The worker looks at it often:
beyond ``MITOEM_UPLOAD_MEMORY`` bytes or ``MITOEM_UPLOAD_SECONDS``, or when a person cancels, it is
killed, and it ends by itself when the worker is gone. It never is a copy of the worker with its
threads: on Linux a fork of a clean server of such processes, elsewhere a new interpreter.

    job ──▶ child: progress, progress, … then result, or the name and text of an error
"""

from __future__ import annotations

import contextlib
import faulthandler
import json
import multiprocessing
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import psutil

from mitoem import errors, settings
from mitoem.errors import MemoryShort, MitoEMError, RunCancelled, SourceUnreadable, TimeShort
from mitoem.jobs.job import Job, log_bug

Work = Callable[[Job], dict[str, Any]]

MOST_MEMORY = 8 << 30
"""Bytes; or half of the machine's memory, where that is less."""

MOST_SECONDS = 1800.0
"""Ten times what 4,000,000,000 voxels take."""

LOOK_SECONDS = 0.03
"""Between two looks; memory grows by about 0.1 GB meanwhile."""

GRACE_SECONDS = 10.0
"""After the time limit a child without its worker ends, whatever it is doing."""

_PROCESSES: Any = multiprocessing.get_context("forkserver" if sys.platform == "linux" else "spawn")
_PROCESSES.set_forkserver_preload(["mitoem.front", "mitoem.jobs.receiving"])


@dataclass(frozen=True, slots=True)
class Limits:
    """What one run may take: bytes of memory, and seconds."""

    memory: int
    seconds: float

    @classmethod
    def from_environment(cls) -> Limits:
        """Those of ``MITOEM_UPLOAD_MEMORY`` and ``MITOEM_UPLOAD_SECONDS``, else the usual."""
        usual = min(MOST_MEMORY, psutil.virtual_memory().total // 2)
        return cls(
            int(settings.number("MITOEM_UPLOAD_MEMORY", usual)),
            settings.number("MITOEM_UPLOAD_SECONDS", MOST_SECONDS),
        )

    def check(self, pid: int, began: float, *, what: str) -> None:
        """Raise MemoryShort or TimeShort, with the limit and what was reached."""
        with contextlib.suppress(psutil.NoSuchProcess):
            used = psutil.Process(pid).memory_info().rss
            if used > self.memory:
                raise MemoryShort(
                    f"{what}: expected at most {self.memory:,} bytes of memory to read it, "
                    f"found {used:,} in use (MITOEM_UPLOAD_MEMORY)"
                )
        spent = time.monotonic() - began
        if spent > self.seconds:
            raise TimeShort(
                f"{what}: expected at most {self.seconds:g} s to read it, "
                f"found it unfinished after {spent:.1f} s (MITOEM_UPLOAD_SECONDS)"
            )


def run(job: Job, work: Work, *, what: str) -> dict[str, Any]:
    """The result of ``work``, a function of a module, done in a child; ``what`` names it in errors.

    Raises the errors that the work raises, RunCancelled, MemoryShort or TimeShort beyond a limit,
    SourceUnreadable where the child crashes; the child is gone then.
    """
    limits = Limits.from_environment()
    ours, theirs = _PROCESSES.Pipe()
    child = _PROCESSES.Process(
        target=_inside,
        args=(theirs, work, (job.root, job.directory, dict(job.request)), limits, what),
        daemon=True,
    )
    with ours:
        child.start()
        theirs.close()
        try:
            return _watch(child, ours, job, limits, what=what)
        finally:
            child.kill()
            child.join()


def _watch(
    child: BaseProcess, pipe: Connection, job: Job, limits: Limits, *, what: str
) -> dict[str, Any]:
    began, pid = time.monotonic(), child.pid or 0
    while True:
        if job.cancelled():
            raise RunCancelled("stopped")
        limits.check(pid, began, what=what)
        try:
            told = json.loads(pipe.recv_bytes()) if pipe.poll(LOOK_SECONDS) else {}
        except (EOFError, OSError) as error:
            raise _died(child, what) from error
        if "result" in told:
            return dict(told["result"])
        if "bug" in told:
            raise RuntimeError(told["bug"])
        if "fault" in told:
            raise getattr(errors, told["fault"])(told["error"])
        if "message" in told:
            job.report(told["done"], told["message"])


def _died(child: BaseProcess, what: str) -> MitoEMError:
    """What is said of a child that ended without a word."""
    child.join(1.0)
    code = child.exitcode or 0
    if sys.platform != "win32" and code == -signal.SIGKILL:
        return MemoryShort(f"{what}: the system killed the process that read it: out of memory")
    how = signal.Signals(-code).name if code < 0 else f"exit status {code}"
    return SourceUnreadable(f"{what}: expected voxels, found that reading it crashed ({how})")


def _inside(
    pipe: Connection,
    work: Work,
    asked: tuple[Path, Path, Mapping[str, Any]],
    limits: Limits,
    what: str,
) -> None:
    """The child: do the work and tell how it went."""
    _settle(pipe, limits.seconds)
    os.environ["MITOEM_UPLOAD_MEMORY"] = str(limits.memory)  # a fork has its server's environment

    def tell(**told: Any) -> None:
        pipe.send_bytes(json.dumps(told).encode())

    def report(done: float, message: str) -> None:
        tell(done=done, message=message)

    try:
        tell(result=work(Job(*asked, report, lambda: False)))
    except MitoEMError as error:
        tell(fault=type(error).__name__, error=str(error))
    except MemoryError as error:
        tell(fault="MemoryShort", error=f"{what}: needs more memory than there is ({error})")
    except Exception as error:
        log_bug(asked[1].name)
        tell(bug=f"{type(error).__name__}: {error}"[:500])


def _settle(pipe: Connection, seconds: float) -> None:
    """End with the worker or, should C code never return, soon after the time; leave no dump."""
    threading.Thread(target=_end_with, args=(pipe,), daemon=True).start()
    faulthandler.dump_traceback_later(seconds + GRACE_SECONDS, exit=True)
    if sys.platform != "win32":
        import resource

        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with contextlib.suppress(OSError):  # Linux: where memory runs out, this process goes first
        Path("/proc/self/oom_score_adj").write_text("1000", encoding="ascii")


def _end_with(pipe: Connection) -> None:
    with contextlib.suppress(EOFError, OSError):
        pipe.recv_bytes()
    os._exit(1)
