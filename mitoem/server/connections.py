"""What uvicorn leaves open under ``streamlit run``: time and size limits of each connection.

Streamlit starts uvicorn without limits: the headers of a request may take for ever and any size,
a client that reads nothing keeps its answer in memory, and the end of the server waits for the
last of them. uvicorn's server is found among the living objects, since nothing hands it to an
application.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import sys
import threading
import time
from dataclasses import dataclass
from typing import Any, Final
from weakref import WeakKeyDictionary

import uvicorn

LOOK_S: Final = 0.5
"""Between two looks at all connections; a look at 5,000 takes about 5 ms."""

HEAD_S: Final = 10.0
"""Longest that a connection may take to send the headers of a request, its first or another."""

HEAD_BYTES: Final = 65_536
"""Largest head of a request; uvicorn's other parser, h11, has this limit of its own."""

BODY_S: Final = 1800.0
"""Longest that the body of a request may take: an upload of 500 MB at 280 kB/s."""

STALL_S: Final = 30.0
"""A client that takes less than ``STALL_BYTES`` of its answer in this time is given up."""

STALL_BYTES: Final = 65_536

UNSENT_BYTES: Final = 256_000_000
"""Most that may wait in memory for slow clients; beyond it the slowest are given up."""

GRACE_S: Final = 5
"""How long the end of the server waits for answers that are under way."""

LEAVE_S: Final = 3.0
"""How long it then waits for threads, before it ends all the same."""

OPEN_FILES: Final = 65_536

log = logging.getLogger("mitoem.requests")


@dataclass(slots=True)
class _Seen:
    """What a connection was doing, since when, and how much of its answer was not yet taken."""

    phase: str
    since: float
    unsent: int


class Watch:
    """Gives up connections of uvicorn's server that take too long."""

    def __init__(self, server: uvicorn.Server) -> None:
        self.server = server
        self.unsent = 0
        self._seen: WeakKeyDictionary[Any, _Seen] = WeakKeyDictionary()

    async def run(self) -> None:
        """Look at all connections again and again, until cancelled."""
        while True:
            self.look(time.monotonic())
            await asyncio.sleep(LOOK_S)

    def look(self, now: float) -> None:
        """Look once."""
        sending: list[tuple[float, int, Any]] = []
        for one in list(self.server.server_state.connections):
            if not hasattr(one, "cycle") or one.transport is None:
                continue  # a websocket: it is pinged, and its queue is bounded by Streamlit
            seen = self._note(one, now)
            limit = {"head": HEAD_S, "body": BODY_S, "sending": STALL_S}.get(seen.phase)
            if limit is not None and now - seen.since > limit:
                one.transport.abort()
            elif seen.phase == "sending":
                sending.append((seen.since, seen.unsent, one))
        self.unsent = sum(unsent for _, unsent, _ in sending)
        for _, unsent, one in sorted(sending, key=lambda each: each[0]):
            if self.unsent <= UNSENT_BYTES:
                break
            one.transport.abort()
            self.unsent -= unsent

    def _note(self, one: Any, now: float) -> _Seen:
        """What the connection is doing, since when: an answer that moves starts anew."""
        unsent = int(one.transport.get_write_buffer_size())
        phase = _phase(one, unsent)
        before = self._seen.get(one)
        same = before is not None and before.phase == phase
        if same and before is not None and phase == "sending":
            same = before.unsent - STALL_BYTES < unsent <= before.unsent
        if before is not None and same:
            return before
        found = self._seen[one] = _Seen(phase, now, unsent)
        return found


def _phase(one: Any, unsent: int) -> str:
    if unsent:
        return "sending"
    cycle = one.cycle
    if cycle is None or cycle.response_complete:
        return "idle" if one.timeout_keep_alive_task is not None else "head"
    return "body" if cycle.more_body else "working"


_watch: list[Watch] = []
"""The watches of this process's servers, the newest last: one but in tests, or none."""


def leaving() -> bool:
    """Whether the server has been told to end."""
    return bool(_watch) and _watch[-1].server.should_exit


def clogged() -> bool:
    """Whether as much waits for slow clients as memory is given to."""
    return bool(_watch) and _watch[-1].unsent > UNSENT_BYTES


def begin() -> asyncio.Task[None] | None:
    """Bound the connections of the server that is about to start; None where it is not uvicorn."""
    _raise_open_files()
    found = [one for one in gc.get_objects() if type(one) is uvicorn.Server and not one.started]
    if not found:
        return None
    server = found[-1]
    server.config.timeout_graceful_shutdown = GRACE_S
    server.config.http_protocol_class = bounded(server.config.http_protocol_class)
    watch = Watch(server)
    _watch.append(watch)
    task = asyncio.create_task(watch.run(), name="watch")
    task.add_done_callback(lambda _: _watch.remove(watch))
    return task


def bounded(protocol: Any) -> Any:
    """uvicorn's protocol with a limit to the size of a request's head; h11's has one already."""
    if not hasattr(protocol, "on_headers_complete"):
        return protocol

    class Bounded(protocol):  # type: ignore[misc]
        """Answers 431 to a head that is too large, or that grows so before it is complete."""

        later, in_head, too_large = 0, True, False

        def on_message_begin(self) -> None:
            self.later, self.in_head = 0, True
            super().on_message_begin()

        def on_headers_complete(self) -> None:
            self.in_head = False
            size = len(self.url) + sum(len(name) + len(value) + 4 for name, value in self.headers)
            if size > HEAD_BYTES:
                self.too_large = True
                raise ValueError(f"a head of {size} bytes")  # which the parser makes a 400
            super().on_headers_complete()

        def data_received(self, data: bytes) -> None:
            before = self.in_head
            super().data_received(data)
            self.later += len(data) * before
            if self.in_head and self.later > HEAD_BYTES and not self.transport.is_closing():
                self.too_large = True
                self.send_400_response("")

        def send_400_response(self, msg: str) -> None:
            if self.too_large:
                self.transport.write(TOO_LARGE)
                self.transport.close()
            else:
                super().send_400_response(msg)

    return Bounded


_TOLD: Final = b'{"error": "the head of the request is larger than 65536 bytes"}'

TOO_LARGE: Final = (
    b"HTTP/1.1 431 Request Header Fields Too Large\r\ncontent-type: application/json\r\n"
    b"connection: close\r\ncontent-length: " + str(len(_TOLD)).encode() + b"\r\n\r\n" + _TOLD
)


def leave() -> None:
    """End the process soon, whatever its threads still do.

    Only where a signal ends the server, which is then what the process is for: a thread that hangs
    on a data root would keep it for ever.
    """
    if not _watch or not getattr(_watch[-1].server, "_captured_signals", ()):
        return
    timer = threading.Timer(LEAVE_S, _end)
    timer.daemon = True
    timer.start()


def _end() -> None:
    log.warning("ended with threads at work", extra={"line": {"threads": threading.active_count()}})
    sys.stderr.flush()
    os._exit(1)


def _raise_open_files() -> None:
    """As many open files as the system lets us have: each connection is one."""
    if sys.platform == "win32":
        return
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = OPEN_FILES if hard == resource.RLIM_INFINITY else min(OPEN_FILES, hard)
    if soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
