"""The command that says who may see which volume on a server."""

from __future__ import annotations

import argparse
import math
import time
from datetime import UTC, datetime
from typing import Any

from mitoem import access, catalog
from mitoem.access import Rule
from mitoem.cli.console import Console
from mitoem.errors import RequestInvalid
from mitoem.ingestion import shelf

Answer = dict[str, Any]

MOST_DAYS = 36_500

_DAY = 86_400.0


def add_commands(commands: Any, shared: argparse.ArgumentParser) -> None:
    """Add access."""
    one = commands.add_parser(
        "access",
        parents=[shared],
        help="show or set who sees a volume on a server",
        description="Without NAME: the rules. Those who sign in do so by OpenID Connect.",
    )
    one.add_argument("name", nargs="?", metavar="NAME")
    one.add_argument("see", nargs="?", choices=("public", "signed-in", "unlisted"))
    one.add_argument("--days", type=float, metavar="N", help="until so many days from now")
    one.add_argument("--default", choices=("public", "signed-in"), help="where no rule is set")
    one.add_argument(
        "--remove-expired", action="store_true", help="delete the volumes whose time is up"
    )
    one.set_defaults(run=_access)


def _access(arguments: argparse.Namespace, _console: Console) -> Answer:
    known = catalog.from_environment(arguments.data)
    days = arguments.days
    if days is not None and not (arguments.see and 0 < days <= MOST_DAYS):
        raise RequestInvalid(f"--days: expected NAME, who, and 0 < N <= {MOST_DAYS}, found {days}")
    if arguments.name and not arguments.see:
        known.open(arguments.name)
    if arguments.see:
        _set(known, arguments)
    if arguments.default:
        access.change_default(known.writable, arguments.default)
    removed = _remove_expired(known) if arguments.remove_expired else []
    catalog.write_index(known.writable)
    rules, there = known.rules(), set(known.names())
    names = [arguments.name] if arguments.name else sorted({*known.names(), *rules.volumes})
    shown = {name: rules.of(name) for name in names}
    return {
        "default": rules.default,
        "volumes": {name: _told(rule) for name, rule in shown.items()},
        "removed": removed,
        "text": [
            *(f"removed {name}" for name in removed),
            *(
                f"{name}: {_line(rule)}{'' if name in there else ' (no such volume now)'}"
                for name, rule in shown.items()
            ),
            f"others: {rules.default}",
        ],
    }


def _set(known: catalog.Catalog, arguments: argparse.Namespace) -> None:
    """Set the rule of a volume that exists, or that is to come."""
    before = known.rules().of(arguments.name)
    until = access.unlisted(last=arguments.days).until
    if arguments.days is None and arguments.see != "unlisted":
        until = math.inf
    owner = before.owner if arguments.see == "unlisted" else ""
    access.change(known.writable, arguments.name, Rule(arguments.see, owner, until))


def _remove_expired(known: catalog.Catalog) -> list[str]:
    """Delete unlisted volumes of the writable root whose time is up.

    A day later their rules too, where no root has the volume: until then a run may yet make it.
    """
    removed = []
    for name, rule in known.rules().volumes.items():
        if not (rule.over and rule.see == "unlisted"):
            continue
        if (known.writable / name).is_dir():
            shelf.remove_volume(known.open(name))
            removed.append(name)
        elif rule.until < time.time() - _DAY and name not in known.names():
            access.change(known.writable, name, None)
    return removed


def _told(rule: Rule) -> dict[str, Any]:
    until = None if math.isinf(rule.until) else _date(rule)
    return {"see": rule.see, "until": until, "over": rule.over}


def _line(rule: Rule) -> str:
    if math.isinf(rule.until):
        return rule.see
    return f"{rule.see}, {'over since' if rule.over else 'until'} {_date(rule)}"


def _date(rule: Rule) -> str:
    return datetime.fromtimestamp(rule.until, UTC).isoformat(timespec="minutes")
