"""Long work in a niced process of its own: a queue and a registry of runs on disk.

One busy Python thread slows every tile five-fold, so inference and measuring never run in the
server. ``submit`` writes ``<root>/runs/<id>/`` and wakes the worker of that root; everything that
is known about a run is read back from its directory, so a restarted server, a second tab and the
command line all see the same.

    runs/<id>/request.json   what was asked; never changes
    runs/<id>/state.json     where it stands; written whole, by the worker alone once it runs
    runs/<id>/cancel         exists when a person asked to stop it
    runs/<id>/…              what the run made
    runs/.uploads/…          files of people that runs take in; see ``uploads``
    runs/.queue/<id>         exists while the run waits; what the worker looks at 40 times a second
    runs/.worker.json        which process is the worker, and which run it is on
    runs/.worker.lock        held by the worker as long as it lives
"""

from mitoem.jobs.launch import ensure_worker, stop_worker
from mitoem.jobs.registry import (
    FINISHED,
    RunState,
    cancel,
    directory,
    remove,
    runs,
    status,
    wait,
)
from mitoem.jobs.submit import resubmit, submit

__all__ = [
    "FINISHED",
    "RunState",
    "cancel",
    "directory",
    "ensure_worker",
    "remove",
    "resubmit",
    "runs",
    "status",
    "stop_worker",
    "submit",
    "wait",
]
