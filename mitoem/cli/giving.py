"""The command that makes a submission to the challenge."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from pathlib import Path
from typing import Any

from mitoem import export, front
from mitoem.cli.console import Console


def add_commands(commands: Any, shared: argparse.ArgumentParser) -> None:
    """Add export."""
    told = "write the zip that the MitoEM challenge takes"
    one = commands.add_parser("export", parents=[shared], help=told)
    one.add_argument("--submission", required=True, type=Path, metavar="FILE.zip")
    one.add_argument("--human", required=True, metavar="NAME/RUN", help="prediction of volume H")
    one.add_argument("--rat", required=True, metavar="NAME/RUN", help="prediction of volume R")
    one.set_defaults(run=_export)


def _export(arguments: argparse.Namespace, console: Console) -> dict[str, Any]:
    export.check_place(arguments.submission)
    written = front.submission(
        arguments.submission,
        human=arguments.human,
        rat=arguments.rat,
        data=arguments.data,
        progress=console.progress,
    )
    for one in written:
        if one.instances == 0:
            console.say(f"notice: {one.labels} holds no instance in the scored sections")
    text = [
        f"{one.file}: {one.instances} instances of {one.labels}, {one.dtype}" for one in written
    ]
    return {
        "out": str(arguments.submission),
        "files": [asdict(one) for one in written],
        "text": [*text, f"wrote {arguments.submission}"],
    }
