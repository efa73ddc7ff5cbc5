"""``python -m mitoem.training train|export|score``: the bundled model, from data to card."""

from __future__ import annotations

import argparse
import sys
from dataclasses import fields
from pathlib import Path

from mitoem.training.loop import Settings, train

ASSETS = Path(__file__).resolve().parents[1] / "assets"


def main(argv: list[str] | None = None) -> int:
    """Parse the command and run it."""
    parser = argparse.ArgumentParser(prog="python -m mitoem.training", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    teach = commands.add_parser("train", help="train, or continue the run in --run")
    for field in fields(Settings):
        teach.add_argument(
            "--" + field.name.replace("_", "-"), type=type(field.default), default=field.default
        )
    teach.add_argument("--threads", type=int, default=2)
    for name, text in (("export", "run -> ONNX and its JSON"), ("score", "run -> scores")):
        commands.add_parser(name, help=text)
    for command in commands.choices.values():
        command.add_argument("--run", type=Path, default=Path("training-runs/main"))
    given = parser.parse_args(argv)
    if given.command == "train":
        settings = Settings(**{f.name: getattr(given, f.name) for f in fields(Settings)})
        for step, loss in train(settings, given.run, threads=given.threads):
            if step % 20 == 0:
                print(f"step {step}/{settings.steps} loss {loss:.4f}", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
