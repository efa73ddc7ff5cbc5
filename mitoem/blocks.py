"""Run a function on many pieces of work: here one after another, or on a Dask cluster.

``MITOEM_SCHEDULER`` or ``--scheduler tcp://HOST:PORT`` names the cluster; its workers see the same
files under the same paths, and have this package installed.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar

from mitoem.errors import RunCancelled, SchedulerUnreachable

Item = TypeVar("Item")
Result = TypeVar("Result")

CONNECT_SECONDS = 15
"""How long to wait for a scheduler before saying that it is not there."""


def scheduler_address(asked: str | None = None) -> str | None:
    """The scheduler's address: the one asked for, else ``MITOEM_SCHEDULER``, else None."""
    return asked or os.environ.get("MITOEM_SCHEDULER") or None


def each(
    function: Callable[[Item], Result],
    items: Sequence[Item],
    *,
    scheduler: str | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> Iterator[tuple[int, Result]]:
    """The results with the numbers of their items, as they come; the first error is raised.

    Without a scheduler in order, one at a time, in this process: the functions use all cores
    themselves. Raises SchedulerUnreachable, RunCancelled.
    """
    address = scheduler_address(scheduler)
    if address is None:
        for number, item in enumerate(items):
            _stop(cancelled)
            yield number, function(item)
        return
    yield from _on_cluster(function, items, address, cancelled)


def _on_cluster(
    function: Callable[[Item], Result],
    items: Sequence[Item],
    address: str,
    cancelled: Callable[[], bool] | None,
) -> Iterator[tuple[int, Result]]:
    import distributed

    cluster: Any = distributed  # its functions have no types
    try:
        client = cluster.Client(address, timeout=CONNECT_SECONDS, set_as_default=False)
    except (OSError, ValueError) as error:
        raise SchedulerUnreachable(
            f"no Dask scheduler answers at {address} within {CONNECT_SECONDS} s ({error})"
        ) from error
    with client:
        futures = {
            client.submit(function, item, pure=False): number for number, item in enumerate(items)
        }
        try:
            for future in cluster.as_completed(futures, loop=client.loop):
                _stop(cancelled)
                # Results that were fetched must not be kept on the cluster until the end.
                yield futures.pop(future), future.result()
        finally:
            client.cancel(list(futures))


def _stop(cancelled: Callable[[], bool] | None) -> None:
    if cancelled is not None and cancelled():
        raise RunCancelled("stopped")
