"""Commands that measure, draw, predict and score."""

from __future__ import annotations

import argparse
import contextlib
import json
from dataclasses import asdict, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mitoem import export, front
from mitoem.cli.console import Console, box
from mitoem.cli.data import split_name
from mitoem.errors import MemoryShort
from mitoem.geometry import Box
from mitoem.volume import Volume

if TYPE_CHECKING:
    from mitoem.inference import DecodeParameters, Prediction

Answer = dict[str, Any]


def add_commands(commands: Any, shared: argparse.ArgumentParser) -> None:
    """Add measure, table, mesh, figure, predict and evaluate."""
    one = commands.add_parser("measure", parents=[shared], help="measure every instance")
    one.add_argument("name", metavar="NAME[/LABELS]")
    one.add_argument(
        "--skeletons",
        action=argparse.BooleanOptionalAction,
        help="lengths and branches too (slow); without the word, as the table before had them",
    )
    one.add_argument("--scheduler", metavar="tcp://HOST:PORT", help="a Dask cluster")
    one.set_defaults(run=_measure)
    told = "write the instance table, and beside it a JSON that says where it comes from"
    one = commands.add_parser("table", parents=[shared], help=told)
    one.add_argument("name", metavar="NAME/LABELS")
    one.add_argument("--filter", default="", metavar="EXPR")
    one.add_argument("--columns", metavar="A,B,C")
    one.add_argument("--out", required=True, type=Path, metavar="FILE.csv,.parquet")
    one.set_defaults(run=_table)
    one = commands.add_parser("mesh", parents=[shared], help="write surfaces of instances")
    one.add_argument("name", metavar="NAME/LABELS")
    one.add_argument("--out", required=True, type=Path, metavar="DIR")
    one.add_argument("--ids", metavar="1,2")
    one.add_argument("--level", type=int, default=0)
    one.add_argument("--format", default="glb", metavar="glb,ply,stl,obj")
    one.set_defaults(run=_mesh)
    one = commands.add_parser("figure", parents=[shared], help="write a slice as a figure")
    one.add_argument("name", metavar="NAME")
    one.add_argument("--view", default="", metavar="URL-QUERY")
    one.add_argument("--nm-per-pixel", type=float)
    one.add_argument("--out", required=True, type=Path, metavar="FILE.png,.svg")
    one.set_defaults(run=_figure)
    _add_predict(commands, shared)
    one = commands.add_parser("evaluate", parents=[shared], help="score a prediction")
    one.add_argument("truth", metavar="TRUTH", help="a file, or NAME/LABELS")
    one.add_argument("prediction", metavar="PREDICTION", help="a file, or NAME/LABELS")
    one.add_argument("--size-thresholds", default="5000,15000", metavar="A,B", type=_thresholds)
    one.add_argument("--scores", type=Path, metavar="FILE", help="heat map of the prediction")
    one.add_argument("--lengths", type=Path, metavar="FILE.csv", help=(
        "skeleton lengths of the truth, as `table` writes them (instance_id, length_um); of a "
        "measured NAME/LABELS they are known"
    ))  # fmt: skip
    one.add_argument("--errors", type=Path, metavar="FILE.csv", help=(
        "write the errors one by one, with their worst points, and the verdicts given on the page"
    ))  # fmt: skip
    one.set_defaults(run=_evaluate)


def _add_predict(commands: Any, shared: argparse.ArgumentParser) -> None:
    one = commands.add_parser("predict", parents=[shared], help="run the model")
    one.add_argument("name", metavar="NAME")
    one.add_argument("--box", type=box, metavar="z0:z1,y0:y1,x0:x1", help="default: all of it")
    one.add_argument("--model", type=Path, metavar="FILE.onnx")
    one.add_argument("--out", type=Path, metavar="FILE.h5,.tif,.nii.gz,.npz,.zarr")
    one.add_argument("--decode", type=_decode, metavar="mask=A,seed=B,…", help=(
        "thresholds of separating instances, as the pages name them"
    ))  # fmt: skip
    one.add_argument("--flips", action="store_true", help="mean over mirror images, 4 × the time")
    one.add_argument("--blocks", action="store_true", help=(
        "in blocks of bounded memory, as is done unasked where memory is short; the same "
        "command goes on with what was stopped"
    ))  # fmt: skip
    one.add_argument("--scheduler", metavar="tcp://HOST:PORT", help="a Dask cluster, for blocks")
    one.add_argument("--save", metavar="RUN", help="keep as labels NAME/RUN")
    one.add_argument("--overwrite", action="store_true")
    one.set_defaults(run=_predict)


def _measure(arguments: argparse.Namespace, console: Console) -> Answer:
    name, _, labels = arguments.name.partition("/")
    volume = front.open_volume(name, data=arguments.data)
    chosen = labels or "truth"
    console.expect(sum(b.size for b in volume.info.label_set(chosen).coverage))
    frame = front.measure(
        volume,
        chosen,
        skeletons=arguments.skeletons,
        scheduler=arguments.scheduler,
        data=arguments.data,
        progress=console.progress,
    )
    text = [f"measured {len(frame)} instances of {name}/{chosen}"]
    return {"volume": name, "labels": chosen, "instances": len(frame), "text": text}


def _table(arguments: argparse.Namespace, console: Console) -> Answer:
    name, labels = split_name(arguments.name)
    columns = [one.strip() for one in arguments.columns.split(",")] if arguments.columns else None
    kind, sidecar = export.check_table_path(arguments.out)
    download = front.download(
        name,
        labels,
        kind=kind,
        filter=arguments.filter,
        columns=columns,
        data=arguments.data,
        progress=console.progress,
    )
    export.write_bytes(arguments.out, download.content)
    export.write_bytes(sidecar, download.sidecar)
    text = [f"wrote {download.rows} of {download.total} rows to {arguments.out}"]
    return {"rows": download.rows, "total": download.total, "out": str(arguments.out), "text": text}


def _mesh(arguments: argparse.Namespace, console: Console) -> Answer:
    name, labels = split_name(arguments.name)
    volume = front.open_volume(name, data=arguments.data)
    formats = export.check_mesh_formats(arguments.format.split(","))
    export.check_folder(arguments.out)
    asked = _ids(arguments.ids) if arguments.ids else ()
    ids = front.instance_ids(volume, labels, asked, data=arguments.data)
    written = []
    for done, instance_id in enumerate(ids):
        surface = front.mesh(
            volume, labels, int(instance_id), level=arguments.level, data=arguments.data
        )
        written += export.write_mesh(
            arguments.out, surface, int(instance_id), formats=formats, level=arguments.level,
            volume=volume,
        )  # fmt: skip
        console.progress((done + 1) / len(ids), "mesh")
    return {"files": [str(p) for p in written], "text": [f"wrote {len(written)} files"]}


def _figure(arguments: argparse.Namespace, console: Console) -> Answer:
    export.check_place(arguments.out)
    drawn, notices = front.figure(
        arguments.name,
        arguments.view,
        nm_per_pixel=arguments.nm_per_pixel,
        data=arguments.data,
    )
    for notice in notices:
        console.say(f"notice: {notice}")
    export.write_figure(arguments.out, drawn)
    return {"out": str(arguments.out), "nm_per_pixel": drawn.nm_per_pixel,
            "text": [f"wrote {arguments.out}, {drawn.nm_per_pixel:g} nm per pixel"]}  # fmt: skip


def _predict(arguments: argparse.Namespace, console: Console) -> Answer:
    volume = front.open_volume(arguments.name, data=arguments.data)
    if arguments.out is not None:
        export.check_array_path(arguments.out)
    region = arguments.box or Box.whole(volume.info.shape)
    console.expect(region.size)
    found = _predicted(arguments, volume, region, console)
    whole = found if isinstance(found, front.WholePrediction) else None
    count = whole.instances if whole else np.count_nonzero(np.unique(found.labels))
    answer: Answer = {
        "instances": int(count),
        "box": str(region),
        "model": found.model,
        "model_sha256": found.model_sha256,
        "precision": found.precision,
        "seconds": found.seconds,
    }
    if arguments.out is not None:
        export.write_array(arguments.out, found.labels, voxel_size=volume.info.voxel_size)
        answer["out"] = str(arguments.out)
    if arguments.save:
        mirrored = ", mean over mirror images" if arguments.flips else ""
        thresholds = ", ".join(f"{k} {v:g}" for k, v in asdict(found.parameters).items())
        made = f"{found.model} {found.model_sha256[:12]} on {region}{mirrored}; {thresholds}"
        front.add_labels(
            volume, arguments.save, found.labels,
            offset=region.start, provenance=made, overwrite=arguments.overwrite,
        )  # fmt: skip
        front.table(arguments.name, arguments.save, data=arguments.data)
        answer["saved"] = f"{arguments.name}/{arguments.save}"
    answer["text"] = [f"{answer['instances']} instances in {region} ({found.precision})"]
    if whole:
        answer["blocks"] = whole.blocks
        whole.discard()
    return answer


def _predicted(
    arguments: argparse.Namespace, volume: Volume, region: Box, console: Console
) -> Prediction | front.WholePrediction:
    """In one piece, or by blocks where that was asked for or memory is short."""
    if not (arguments.blocks or arguments.scheduler):
        with contextlib.suppress(MemoryShort):
            return front.predict(
                volume, region,
                model=arguments.model, decode=arguments.decode, flips=arguments.flips,
                progress=console.progress,
            )  # fmt: skip
    return front.predict_blocks(
        volume, region,
        model=arguments.model, decode=arguments.decode, flips=arguments.flips,
        data=arguments.data,
        scheduler=arguments.scheduler, progress=console.progress,
    )  # fmt: skip


def _evaluate(arguments: argparse.Namespace, console: Console) -> Answer:
    if arguments.errors:
        export.check_place(arguments.errors)
    lengths = front.read_lengths(arguments.lengths) if arguments.lengths else None
    heat = front.read_image(arguments.scores) if arguments.scores else None
    found = front.evaluate(
        arguments.truth,
        arguments.prediction,
        size_thresholds=arguments.size_thresholds,
        scores=heat,
        lengths=lengths,
        data=arguments.data,
        progress=console.progress,
    )
    if arguments.errors:
        listed = front.errors_of(found, arguments.truth, arguments.prediction, data=arguments.data)
        export.write_bytes(arguments.errors, listed.to_csv(index=False).encode())
    answer: Answer = found.to_json()
    return answer | {"text": json.dumps(answer, indent=1).splitlines()}


def _decode(text: str) -> DecodeParameters:
    from mitoem.errors import RequestInvalid
    from mitoem.inference import DecodeParameters

    try:
        given = {name: float(value) for name, value in (one.split("=") for one in text.split(","))}
        return DecodeParameters(**given)
    except (TypeError, ValueError, RequestInvalid) as error:
        known = ", ".join(one.name for one in fields(DecodeParameters))
        raise argparse.ArgumentTypeError(f"{text!r}: {error}; known: {known}") from error


def _thresholds(text: str) -> tuple[int, int]:
    try:
        a, b = (int(part) for part in text.split(","))
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r} is not A,B in whole numbers") from error
    if not 0 < a < b:
        raise argparse.ArgumentTypeError(f"{text!r}: expected 0 < A < B")
    return a, b


def _ids(text: str) -> list[int]:
    from mitoem.errors import RequestInvalid

    try:
        return list(dict.fromkeys(int(part) for part in text.split(",")))
    except ValueError as error:
        raise RequestInvalid(f"--ids: expected whole numbers 1,2,…, found {text!r}") from error
