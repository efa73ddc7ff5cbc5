"""Small answers without delay."""

from __future__ import annotations

import gc
import socket


def without_delay() -> int:
    """Set TCP_NODELAY on every TCP socket of this process that is open; returns how many.

    The connections that a listening one accepts inherit it. Streamlit makes its listening socket
    with protocol 0, for which asyncio leaves Nagle's algorithm on: each small keep-alive answer
    then waits about 40 ms for a delayed acknowledgement. uvloop sets the option itself; Windows
    has no uvloop. Nothing hands that socket to an application, so it is looked for among the
    living objects.
    """
    found = [one for one in gc.get_objects() if type(one) is socket.socket and _is_tcp(one)]
    for one in found:
        one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return len(found)


def _is_tcp(one: socket.socket) -> bool:
    internet = one.family in (socket.AF_INET, socket.AF_INET6)
    return one.fileno() >= 0 and internet and one.type == socket.SOCK_STREAM
