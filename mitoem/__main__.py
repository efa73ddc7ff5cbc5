"""``python -m mitoem …``, and the command ``mitoem``."""

from __future__ import annotations

import os
import signal
import sys
from types import FrameType
from typing import NoReturn


def start() -> NoReturn:
    """Run the command of this process; Ctrl-C ends it in one line even while libraries load.

    Some of these turn the exception KeyboardInterrupt into one of their own.
    """
    heard = signal.getsignal(signal.SIGINT) is signal.default_int_handler
    if heard:
        signal.signal(signal.SIGINT, _stop)
    from mitoem.cli import run

    if heard:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    run()


def _stop(_number: int, _frame: FrameType | None) -> NoReturn:
    print("mitoem: stopped", file=sys.stderr, flush=True)
    os._exit(130)


if __name__ == "__main__":
    start()
