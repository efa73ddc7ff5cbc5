"""``python -m mitoem.training train|export|compare|score``: the bundled model, data to card."""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from dataclasses import fields
from pathlib import Path
from typing import Any

from mitoem.inference import Model, load
from mitoem.training import card
from mitoem.training.export import difference, export
from mitoem.training.loop import Settings, load_average, load_settings, train
from mitoem.training.score import phantoms, section, validation

ASSETS = Path(__file__).resolve().parents[1] / "assets"

AGREE = 1e-3
"""Largest difference of probability allowed between torch and OpenVINO, both fp32."""


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
    commands.add_parser("export", help="write the ONNX and its JSON, with scores, from --run")
    commands.add_parser(
        "compare", help="put runs that leave a source out, beside --run, into the bundled card"
    )
    score = commands.add_parser("score", help="score the model in --model and print JSON")
    score.add_argument("--model", type=Path, default=ASSETS / "model.onnx")
    for command in commands.choices.values():
        command.add_argument("--run", type=Path, default=Path("training-runs/main"))
    given = parser.parse_args(argv)
    if given.command == "train":
        settings = Settings(**{f.name: getattr(given, f.name) for f in fields(Settings)})
        for step, loss in train(settings, given.run, threads=given.threads):
            if step % 20 == 0:
                print(f"step {step}/{settings.steps} loss {loss:.4f}", flush=True)
    elif given.command == "export":
        release(given.run, ASSETS / "model.onnx")
    elif given.command == "compare":
        compare(given.run.parent, ASSETS / "model.json")
    else:
        print(json.dumps(score_all(given.model), indent=1))
    return 0


def score_all(path: Path) -> dict[str, Any]:
    """Scores of a model file on everything that there is truth for."""
    model = load(path)
    return {
        "cdeep3m_sbem_z50_59 at 40 x 8 x 8 nm (never trained on)": validation(model),
        "phantoms, 32 x 512 x 512, held-out seeds": phantoms(model),
        "snemi3d section 49 (trained on)": section(model),
    }


LEFT_OUT = {"cdeep3m": validation, "snemi3d": section}
"""Sources that a run leaves out, and what it is then scored on."""


def compare(runs: Path, path: Path) -> None:
    """Score the runs ``without-SOURCE`` that there are, beside ``full``, into a model's card.

    The model itself stays: the runs are short, and say what its recipe does on unseen tissue.
    """
    made = json.loads(path.read_text(encoding="utf-8"))
    publish(path, made | {"left_out": compared(runs)})


def compared(runs: Path) -> dict[str, Any]:
    """Scores of the runs ``without-SOURCE`` that there are, beside ``full``."""
    there = [name for name in LEFT_OUT if (runs / f"without-{name}" / "last.pt").exists()]
    found = {}
    with tempfile.TemporaryDirectory() as folder:
        full = _model(runs / "full", Path(folder) / "full.onnx")
        for name in there:
            run = runs / f"without-{name}"
            model = _model(run, Path(folder) / f"{name}.onnx")
            score = LEFT_OUT[name]
            found[name] = {
                "command": card.command(run),
                "steps": load_settings(run)["steps"],
                "without": score(model),
                "with": score(full),
            }
    return found


def _model(run: Path, path: Path) -> Model:
    card.write(path.with_suffix(".json"), card.spec(export(load_average(run), path)))
    return load(path)


def release(run: Path, path: Path) -> None:
    """Export a run, check it against OpenVINO, score it, and write its JSON and its page."""
    network = load_average(run)
    path.parent.mkdir(parents=True, exist_ok=True)
    sha256 = export(network, path)
    apart = difference(network, path)
    if apart > AGREE:
        raise RuntimeError(
            f"OpenVINO and torch differ by {apart} in probability, more than {AGREE}"
        )
    beside = path.with_suffix(".json")
    made = {**card.spec(sha256), "network": card.network(card.parameter_count(network))}
    card.write(beside, made)
    made |= {
        "training": card.training(run),
        "scores": score_all(path),
        "left_out": {},
        "openvino_torch_difference": apart,
        "known_failures": list(card.FAILURES),
    }
    publish(beside, made)


def publish(path: Path, made: dict[str, Any]) -> None:
    """Write the JSON of a model, and beside it the page that shows it."""
    card.write(path, made)
    path.with_name("model-card.md").write_text(card.page(made), encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
