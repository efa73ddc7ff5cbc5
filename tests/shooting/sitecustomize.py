"""Kills the process it is loaded into, as ``kill -9`` does, at a chosen change of the disk.

Loaded by Python itself where this folder is on ``PYTHONPATH``. ``SHOT_UNDER``: the folder whose
changes count. ``SHOT_AT``: at which of them; ``SHOT_LATER``: so many seconds after it.
``SHOT_TOLD``: a file that takes a line per change, with the seconds since the first.
"""

import os
import signal
import sys
import threading
import time

UNDER = os.environ.get("SHOT_UNDER", "")
AT = int(os.environ.get("SHOT_AT", "0"))
LATER = float(os.environ.get("SHOT_LATER", "0"))
TOLD = os.environ.get("SHOT_TOLD", "")

CHANGES = {"os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.link", "os.symlink"}

seen, began = 0, 0.0


def shoot() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def look(event: str, arguments: tuple) -> None:
    """Count a change of the disk before it is made, and shoot when it is time."""
    global seen, began  # noqa: PLW0603 -- an audit hook has no other place
    if event not in CHANGES and not (event == "open" and _writes(arguments)):
        return
    path = arguments[0]
    if not isinstance(path, str | os.PathLike) or not os.fspath(path).startswith(UNDER):
        return
    seen += 1
    began = began or time.monotonic()
    if TOLD:
        line = f"{time.monotonic() - began:.4f} {event} {path}\n"
        told = os.open(TOLD, os.O_APPEND | os.O_CREAT | os.O_WRONLY)
        os.write(told, line.encode())
        os.close(told)
    if seen == AT and LATER:
        threading.Timer(LATER, shoot).start()
    elif seen == AT:
        shoot()


def _writes(arguments: tuple) -> bool:
    """Whether a file is opened to be written; by ``os.open`` the mode is None."""
    _, mode, flags = arguments
    if isinstance(mode, str):
        return any(letter in mode for letter in "wxa+")
    return bool(flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT))


if UNDER:
    sys.addaudithook(look)
