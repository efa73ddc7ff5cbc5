"""What is on disk about the runs of one root, and how it is read."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal, cast, get_args

import psutil

from mitoem.errors import RequestInvalid, RunNotFound
from mitoem.manifest import check_name

State = Literal["queued", "running", "done", "failed", "cancelled", "interrupted"]

FINISHED: frozenset[State] = frozenset({"done", "failed", "cancelled", "interrupted"})
"""States that a run never leaves."""

GONE = ".gone-"
"""Before the name of a run that was removed: its files go now, or with the next that goes."""

INTERRUPTED = "the worker process ended while this ran; submit it again to start over"


@dataclass(frozen=True, slots=True)
class RunState:
    """Where a run stands.

    ``place`` is the number of runs that come before it (0 once it runs), None when finished;
    ``progress`` goes from 0 to 1; times are ISO 8601 in UTC, empty until they happen;
    ``client`` is who asked for it, by a name that tells nothing of them, empty for this machine;
    ``fault`` is the name of the error that it failed with, empty for a bug; ``result`` is what the
    finished run says of itself.
    """

    id: str
    kind: str
    state: State
    place: int | None
    progress: float
    message: str
    error: str
    fault: str
    created: str
    started: str
    ended: str
    request: Mapping[str, Any]
    result: Mapping[str, Any]
    client: str = ""

    @property
    def finished(self) -> bool:
        """Whether the state is final."""
        return self.state in FINISHED


def now() -> str:
    """This moment as ISO 8601 in UTC."""
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def home(root: str | Path) -> Path:
    """Where the runs of a root lie; the folder may not exist yet."""
    return Path(root).expanduser().absolute() / "runs"


def directory(root: str | Path, run_id: str) -> Path:
    """The directory of a run; raises RunNotFound, also for text that is no run id."""
    path = home(root) / check_name(run_id, what="run")
    if not (path / "request.json").is_file():
        raise RunNotFound(f"no run {run_id!r} in {home(root)}")
    return path


def status(root: str | Path, run_id: str) -> RunState:
    """Where the run stands; raises RunNotFound."""
    return _state(directory(root, run_id), _Queue.read(root))


def runs(root: str | Path, *, last: int | None = None) -> list[RunState]:
    """All runs of a root, or the ``last`` so many, newest first."""
    queue = _Queue.read(root)
    return [_state(path, queue) for path in _directories(home(root))[::-1][:last]]


def cancel(root: str | Path, run_id: str) -> None:
    """Ask a run to stop: a waiting one is cancelled at once, a running one when it next looks.

    A finished run stays as it is. Raises RunNotFound.
    """
    path = directory(root, run_id)
    (path / "cancel").touch()
    (home(root) / ".queue" / run_id).unlink(missing_ok=True)


def remove(root: str | Path, run_id: str) -> None:
    """Delete a finished run and what it made; raises RunNotFound, or RequestInvalid if it is not
    finished.
    """
    state = status(root, run_id)
    if not state.finished:
        raise RequestInvalid(f"run {run_id} is {state.state}: cancel it before removing it")
    directory(root, run_id).rename(home(root) / f"{GONE}{run_id}")
    sweep(root)


def sweep(root: str | Path) -> None:
    """Delete what is left of removed runs; what somebody still has open goes another time."""
    for path in home(root).glob(f"{GONE}*"):
        shutil.rmtree(path, ignore_errors=True)


def wait(root: str | Path, run_id: str, *, seconds: float = 600.0) -> RunState:
    """Block until the run is finished or the time is over, and say where it stands then.

    A worker that is killed just as somebody submits may still look alive to them: after a second
    in the queue a run is given another.
    """
    from mitoem.jobs.launch import ensure_worker

    end, look = time.monotonic() + seconds, time.monotonic() + 1.0
    while not (state := status(root, run_id)).finished and (now := time.monotonic()) < end:
        if state.state == "queued" and now > look:
            ensure_worker(root)
            look = now + 1.0
        time.sleep(0.02)
    return state


def write_json(path: Path, data: Mapping[str, Any], *, sync: bool = False) -> None:
    """Replace a file whole, so that a reader sees the old text or the new one, never half.

    ``sync`` also waits for the disk: what must outlive a power cut.
    """
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with draft.open("w", encoding="utf-8") as file:
            json.dump(data, file)
            if sync:
                file.flush()
                os.fsync(file.fileno())
        draft.replace(path)
    except OSError:
        draft.unlink(missing_ok=True)
        raise


def read_json(path: Path) -> dict[str, Any]:
    """A JSON object from a file; empty where the file is absent, damaged or no object."""
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return data if isinstance(data, dict) else {}


def code() -> str:
    """Which code of this package is on the disk: another text for another one.

    Names, sizes and times, compared for being the same and never for which is later: a release
    that was taken back has older files, and a clock may go back.
    """
    here = Path(__file__).parents[1]
    files = sorted((path.relative_to(here).as_posix(), path.stat()) for path in here.rglob("*.py"))
    facts = [(name, stat.st_size, stat.st_mtime_ns) for name, stat in files]
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:16]


def identity() -> list[float]:
    """This process as (pid, start): a pid alone may be given to another process later."""
    return [os.getpid(), _start(os.getpid())]


def alive(who: Any) -> bool:
    """Whether the process of that ``identity`` still runs."""
    if not (isinstance(who, list) and len(who) == 2):
        return False
    try:
        process = psutil.Process(int(who[0]))
        same = abs(_start(process.pid) - float(who[1])) < 1.0
        return same and process.status() != psutil.STATUS_ZOMBIE
    except (psutil.Error, ValueError):
        return False


def _start(pid: int) -> float:
    """When a process started: on Linux in ticks since the machine did, else by the clock, seconds.

    A time of the clock is another one as soon as the clock is set; raises psutil's errors.
    """
    try:
        said = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
        return float(said.rpartition(")")[2].split()[19])
    except (OSError, IndexError, ValueError):
        return psutil.Process(pid).create_time()


def worker(root: str | Path) -> dict[str, Any]:
    """What the living worker of a root says of itself; empty when there is none."""
    data = read_json(home(root) / ".worker.json")
    return data if alive(data.get("who")) else {}


def waiting(root: str | Path) -> list[str]:
    """Ids of the runs in the queue, first come first."""
    try:
        return sorted(path.name for path in (home(root) / ".queue").iterdir())
    except FileNotFoundError:
        return []


@dataclass(frozen=True, slots=True)
class _Queue:
    """Who is before whom: the run that the worker is on, and those that wait."""

    running: str
    waiting: tuple[str, ...]

    @classmethod
    def read(cls, root: str | Path) -> _Queue:
        return cls(str(worker(root).get("run", "")), tuple(waiting(root)))

    def before(self, run_id: str) -> int:
        """Number of runs that come before this one."""
        busy = self.running not in ("", run_id)
        return busy + sum(1 for other in self.waiting if other < run_id and other != self.running)


def _directories(at: Path) -> list[Path]:
    try:
        paths = sorted(at.iterdir())
    except FileNotFoundError:
        return []
    return [p for p in paths if p.name[0] != "." and (p / "request.json").is_file()]


def _state(path: Path, queue: _Queue) -> RunState:
    data, asked = read_json(path / "state.json"), read_json(path / "request.json")
    found, progress = data.get("state", "queued"), data.get("progress")
    request = asked.get("request")
    state = cast(State, found if found in get_args(State) else "failed")
    error = str(data.get("error", ""))
    if state == "queued" and (path / "cancel").exists():
        state = "cancelled"
    elif state == "running" and not alive(data.get("who")):
        # Read again: the worker may have finished the run, and itself, between the two looks.
        later = read_json(path / "state.json")
        if later.get("state") == "running":
            state, error = "interrupted", INTERRUPTED
        else:
            return _state(path, queue)
    place = {"queued": queue.before(path.name), "running": 0}.get(state)
    return RunState(
        id=path.name,
        kind=str(asked.get("kind", "")),
        state=state,
        place=place,
        progress=float(progress) if isinstance(progress, int | float) else 0.0,
        message=str(data.get("message", "")),
        error=error,
        fault=str(data.get("fault", "")),
        created=str(asked.get("created", "")),
        started=str(data.get("started", "")),
        ended=str(data.get("ended", "")),
        request=request if isinstance(request, dict) else {},
        result=read_json(path / "result.json") if state == "done" else {},
        client=str(asked.get("client", "")),
    )
