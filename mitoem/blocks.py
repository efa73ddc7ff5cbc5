"""Run a function on many pieces of work: here one after another, or on a Dask cluster.

``MITOEM_SCHEDULER`` or ``--scheduler tcp://HOST:PORT`` names the cluster; its workers see the same
files under the same paths, and have this package installed.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import CancelledError
from contextlib import suppress
from typing import Any, TypeVar

from mitoem import settings
from mitoem.errors import RunCancelled, SchedulerUnreachable

Item = TypeVar("Item")
Result = TypeVar("Result")

CONNECT_SECONDS = 15
"""How long to wait for a scheduler before saying that it is not there."""

WORKERS_SECONDS = 300.0
"""How long a cluster may be without any worker; ``MITOEM_WORKERS_SECONDS`` sets another time."""

LOOK_SECONDS = 0.02
"""Between two looks for a result."""


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
        finished = cluster.as_completed(list(futures), loop=client.loop)
        patience = _Patience(client, address)
        try:
            while futures:
                _stop(cancelled)
                if not finished.has_ready():
                    patience.look()
                    time.sleep(LOOK_SECONDS)
                    continue
                future = next(finished)
                # Results that were fetched must not be kept on the cluster until the end.
                yield futures.pop(future), _result(future, patience)
        finally:
            with suppress(OSError, TimeoutError, CancelledError, AttributeError):  # it may be gone
                client.cancel(list(futures))


class _Patience:
    """Gives up a cluster that has had no worker, or has not answered, for too long."""

    def __init__(self, client: Any, address: str) -> None:
        self.client, self.address = client, address
        self.limit = settings.number("MITOEM_WORKERS_SECONDS", WORKERS_SECONDS)
        self.seen = self.looked = time.monotonic()

    def look(self) -> None:
        """Ask, once a second, how many workers there are; raises SchedulerUnreachable."""
        now = time.monotonic()
        if now - self.looked < 1.0:
            return
        self.looked = now
        try:
            if self.client.sync(self.client.scheduler.ncores, callback_timeout=self.limit):
                self.seen = time.monotonic()
        except (OSError, AttributeError, TimeoutError):
            pass  # it is not there now
        if time.monotonic() - self.seen > self.limit:
            raise SchedulerUnreachable(
                f"the Dask scheduler at {self.address} has had no worker for {self.limit:g} s; "
                "with workers the same command goes on where this one stopped"
            )


def _result(future: Any, patience: _Patience) -> Any:
    """What a worker returns; raises as it does, SchedulerUnreachable where it died each time.

    A result whose worker died before it was fetched is made again, if there is another worker.
    """
    from distributed import KilledWorker

    while True:
        try:
            return future.result(timeout=patience.limit)
        except TimeoutError:
            if future.status == "error":
                raise
            patience.look()
        except (KilledWorker, CancelledError) as error:
            reason = str(error).splitlines()[0][:200]
            raise SchedulerUnreachable(
                f"workers of {patience.address} died at the work: {reason}"
            ) from error


def _stop(cancelled: Callable[[], bool] | None) -> None:
    if cancelled is not None and cancelled():
        raise RunCancelled("stopped")
