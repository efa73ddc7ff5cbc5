"""Whether the server answers, with what, and what keeps it from doing all that it should."""

from __future__ import annotations

import asyncio
import os
import shutil
import threading
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from mitoem import access as rights
from mitoem.catalog import Catalog
from mitoem.errors import MitoEMError
from mitoem.inference.model import BUNDLED
from mitoem.jobs import registry
from mitoem.server import access, answers, connections
from mitoem.version import VERSION
from mitoem.volume import path_of

LOOK_S: Final = 2.0
"""A data root that takes longer to list is said not to answer."""

FREE_BYTES: Final = 500_000_000
"""Free space in the writable root below which uploads and runs are likely to fail."""


@dataclass(frozen=True, slots=True)
class Found:
    """What one look at a data root found; of the first one also the worker, and who may see what.

    Without rules, nobody is told of anything.
    """

    names: tuple[str, ...] = ()
    faults: tuple[str, ...] = ()
    reasons: tuple[str, ...] = ()
    worker: str = ""
    rules: rights.Rules | None = None


async def health(request: Request) -> Response:
    """Status, version, the volumes that the asker may see, and whether all is ready.

    503 where no data root can be read: the pages answer, and have nothing to show; and while the
    server ends. Otherwise 200; ``ready`` is false where something fails, and ``reasons`` says what.
    """
    site, user = access.site(request), access.user(request)
    roots = site.catalog.roots
    looks = [_look(root, writable=root == roots[0]) for root in roots]
    found = await asyncio.gather(*(_within(look) for look in looks))
    rules = found[0].rules
    names = {name for one in found for name in one.names if rules and rules.of(name).lists(user)}
    faults = [site.public(line) for one in found for line in one.faults]
    reasons = [*faults, *(site.public(line) for one in found for line in one.reasons)]
    if not os.access(BUNDLED, os.R_OK):
        reasons.append("the bundled network cannot be read: nothing can be predicted")
    leaving = connections.leaving()
    if leaving:
        reasons.append("the server is being stopped, or started anew")
    failing = all(one.faults for one in found)
    told = {
        "status": "failing" if failing else "leaving" if leaving else "ok",
        "version": VERSION,
        "volumes": sorted(names),
        "faults": faults,
        "ready": not reasons,
        "reasons": reasons,
        "worker": found[0].worker or "none",
    }
    if failing or leaving:
        return answers.json(told, status=503, headers=answers.RETRY_AFTER)
    return answers.json(told)


_looks: dict[str, Future[Found]] = {}
"""The look at each root that is under way: whoever asks meanwhile waits for that one."""


def _look(root: str, *, writable: bool) -> Future[Found]:
    """Begin to look at a root, in a thread that nobody has to wait for."""
    running = _looks.get(root)
    if running is None or running.done():
        running = _looks[root] = Future()
        words = (running, root, writable)
        threading.Thread(target=_seen, args=words, name="health", daemon=True).start()
    return running


async def _within(look: Future[Found]) -> Found:
    """What the look finds, or that the root does not answer; the look itself goes on."""
    try:
        return await asyncio.wait_for(asyncio.shield(asyncio.wrap_future(look)), LOOK_S)
    except TimeoutError:
        return Found(faults=(f"a data root did not answer within {LOOK_S:g} s",))


def _seen(look: Future[Found], root: str, writable: bool) -> None:
    """Look, in a thread of its own."""
    try:
        look.set_result(_found(root, writable=writable))
    except BaseException as error:
        look.set_exception(error)


def _found(root: str, *, writable: bool) -> Found:
    one = Catalog((root,))
    names, faults = tuple(one.names()), tuple(str(error) for error in one.faults())
    if not writable:
        return Found(names, faults)
    try:
        rules = one.rules()
    except MitoEMError:
        return Found(names, faults)
    path = path_of(root)
    if path is None:
        return Found(names, faults, rules=rules)
    reasons = []
    free = shutil.disk_usage(path).free if path.is_dir() else FREE_BYTES
    if free < FREE_BYTES:
        reasons.append(
            f"{free / 1e6:.0f} MB free in the first data root, expected {FREE_BYTES / 1e6:.0f} MB"
        )
    living = registry.worker(path)
    if not living and registry.waiting(path):
        reasons.append("runs wait and no worker is alive: opening Inference starts one")
    state = ("busy" if living.get("run") else "idle") if living else "none"
    return Found(names, faults, tuple(reasons), state, rules)
