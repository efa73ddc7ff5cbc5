"""The command line: ``python -m mitoem COMMAND …``.

Exit codes: 0 done, 1 a named error in one line on standard error, 2 wrong usage. With ``--json``
standard output is one JSON object and nothing else; progress and notices go to standard error.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import sys
from collections.abc import Sequence
from typing import Any, NoReturn

from mitoem.cli import data, giving, opening, science
from mitoem.cli.console import Console
from mitoem.errors import MitoEMError
from mitoem.ingestion.disk import disk_error


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code."""
    arguments = parser().parse_args(argv)
    console = Console(quiet=arguments.quiet)
    try:
        answer: dict[str, Any] = arguments.run(arguments, console)
    except (MitoEMError, OSError, MemoryError) as found:
        console.close()
        error = disk_error(found) if isinstance(found, OSError) else found
        error = found if isinstance(found, MitoEMError) else error
        notes = getattr(found, "__notes__", [])
        line = " ".join("; ".join([str(error), *notes]).split())
        print(f"mitoem: {type(error).__name__}: {line}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        console.close()
        print("mitoem: stopped", file=sys.stderr)
        return 130
    finally:
        console.close()
    lines = answer.pop("text", [])
    for line in [json.dumps(answer)] if arguments.json else lines:
        print(line)
    return 0


def run() -> NoReturn:
    """Run the command of this process, and end it with its exit code at once.

    Native libraries have threads of their own, and an interpreter that ends in the ordinary way
    now and then aborts while it takes them down: the exit code would then be another.
    """
    try:
        code = main()
    except SystemExit as ended:  # wrong usage, or help
        code = ended.code if isinstance(ended.code, int) else 0 if ended.code is None else 1
    except KeyboardInterrupt:  # before the command began, or after its end
        print("mitoem: stopped", file=sys.stderr)
        code = 130
    except BrokenPipeError:  # who read the answer wants no more of it
        code = 1
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError):
            stream.flush()
    os._exit(code)


def parser() -> argparse.ArgumentParser:
    """All commands with their options."""
    top = argparse.ArgumentParser(
        prog="mitoem", description="Explore, measure, predict and score mitochondria in EM volumes."
    )
    shared = argparse.ArgumentParser(add_help=False)
    shared.add_argument("--data", metavar="ROOT", help="data root (default: MITOEM_DATA, data/)")
    shared.add_argument("--json", action="store_true", help="print one JSON object")
    shared.add_argument("--quiet", action="store_true", help="no progress bar, no notices")
    commands = top.add_subparsers(title="commands", required=True, metavar="COMMAND")
    data.add_commands(commands, shared)
    science.add_commands(commands, shared)
    giving.add_commands(commands, shared)
    opening.add_commands(commands, shared)
    return top
