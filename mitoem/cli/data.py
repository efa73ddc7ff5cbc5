"""Commands that bring data in, list it, and look after it."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from typing import Any

import numpy as np

from mitoem import catalog, checking, demo, front, manifest
from mitoem.cli.console import Console, box, index, voxel_size
from mitoem.errors import MitoEMError
from mitoem.ingestion import shelf
from mitoem.volume import Volume

Answer = dict[str, Any]


def add_commands(commands: Any, shared: argparse.ArgumentParser) -> None:
    """Add demo, ingest, labels, remove, list, index, info and check."""
    one = commands.add_parser("demo", parents=[shared], help="build the phantom volumes if absent")
    one.set_defaults(run=_demo)
    _add_ingest(commands, shared)
    _add_labels(commands, shared)
    one = commands.add_parser("remove", parents=[shared], help="delete a volume, or NAME/LABELS")
    one.add_argument("name", metavar="NAME[/LABELS]")
    one.set_defaults(run=_remove)
    one = commands.add_parser("list", parents=[shared], help="list the complete volumes")
    one.set_defaults(run=_list)
    one = commands.add_parser(
        "index", parents=[shared], help="list moved volumes for those who read the root by URL"
    )
    one.set_defaults(run=_index)
    one = commands.add_parser("info", parents=[shared], help="show what is known of a volume")
    one.add_argument("name", metavar="NAME")
    one.set_defaults(run=_info)
    one = commands.add_parser("check", parents=[shared], help="verify a volume")
    one.add_argument("name", metavar="NAME")
    one.add_argument("--deep", action="store_true", help="read every voxel of every level")
    one.set_defaults(run=_check)


def _add_ingest(commands: Any, shared: argparse.ArgumentParser) -> None:
    one = commands.add_parser("ingest", parents=[shared], help="make a volume from files")
    one.add_argument("name", metavar="NAME")
    one.add_argument("--image", required=True, metavar="PATH")
    one.add_argument("--labels", action="append", default=[], metavar="PATH")
    one.add_argument(
        "--labels-offset",
        type=index,
        metavar="Z,Y,X",
        help="where the labels' first voxel lies; in the crop, where there is one",
    )
    one.add_argument("--voxel-size", type=voxel_size, metavar="Z,Y,X", help="in nm")
    one.add_argument("--key", metavar="K", help="array in a file of several (HDF5, npz, Zarr, zip)")
    one.add_argument("--labels-key", metavar="K", help="the same for labels, where it is another")
    one.add_argument("--rescale", action="store_true", help="map the range of the data to 0–255")
    one.add_argument("--crop", type=box, metavar="z0:z1,y0:y1,x0:x1")
    one.add_argument("--no-measure", action="store_true", help="leave the instance table for later")
    one.add_argument("--overwrite", action="store_true")
    one.add_argument("--scheduler", metavar="tcp://HOST:PORT", help="a Dask cluster")
    one.set_defaults(run=_ingest)


def _add_labels(commands: Any, shared: argparse.ArgumentParser) -> None:
    labels = commands.add_parser("labels", help="add, rename or remove label sets")
    below = labels.add_subparsers(required=True, metavar="add|rename|remove")
    one = below.add_parser("add", parents=[shared], help="put labels beside a volume")
    one.add_argument("name", metavar="NAME/RUN")
    one.add_argument("--from", dest="source", required=True, metavar="PATH")
    one.add_argument("--offset", type=index, metavar="Z,Y,X")
    one.add_argument("--key", metavar="K")
    one.add_argument("--truth", action="store_true", help="these are truth, not a prediction")
    one.add_argument("--overwrite", action="store_true")
    one.add_argument("--scheduler", metavar="tcp://HOST:PORT", help="a Dask cluster")
    one.set_defaults(run=_labels_add)
    one = below.add_parser("rename", parents=[shared], help="give labels another name")
    one.add_argument("name", metavar="NAME/RUN")
    one.add_argument("new", metavar="NEW")
    one.set_defaults(run=_labels_rename)
    one = below.add_parser("remove", parents=[shared], help="delete labels and their table")
    one.add_argument("name", metavar="NAME/RUN")
    one.set_defaults(run=_remove)


def _demo(arguments: argparse.Namespace, console: Console) -> Answer:
    console.progress(0.0, "demo")
    made = demo.build(arguments.data, progress=lambda done, _: console.progress(done, "demo"))
    text = [f"built {name}" for name in made] or ["the demo volumes are there already"]
    return {"built": made, "volumes": list(demo.NAMES), "text": text}


def _ingest(arguments: argparse.Namespace, console: Console) -> Answer:
    volume = front.ingest(
        arguments.name,
        arguments.image,
        labels=arguments.labels,
        labels_offset=arguments.labels_offset,
        voxel_size=arguments.voxel_size,
        key=arguments.key,
        labels_key=arguments.labels_key,
        rescale=arguments.rescale,
        crop=arguments.crop,
        overwrite=arguments.overwrite,
        data=arguments.data,
        say=console.say,
        expect=console.expect,
        progress=console.progress,
        scheduler=arguments.scheduler,
    )
    measured: int | None = None
    if volume.info.labels and not arguments.no_measure:
        frame = front.table(volume, "truth", data=arguments.data, progress=console.progress)
        measured = len(frame)
    return _described(volume) | {"measured": measured}


def _labels_add(arguments: argparse.Namespace, console: Console) -> Answer:
    name, labels = split_name(arguments.name)
    volume = front.add_labels(
        name,
        labels,
        arguments.source,
        offset=arguments.offset,
        kind="truth" if arguments.truth else "prediction",
        provenance=f"added from {arguments.source}",
        key=arguments.key,
        overwrite=arguments.overwrite,
        data=arguments.data,
        say=console.say,
        expect=console.expect,
        progress=console.progress,
        scheduler=arguments.scheduler,
    )
    frame = front.table(volume, labels, data=arguments.data, progress=console.progress)
    return _described(volume) | {"labels_added": labels, "measured": len(frame)}


def _labels_rename(arguments: argparse.Namespace, _console: Console) -> Answer:
    name, labels = split_name(arguments.name)
    volume = front.open_volume(name, data=arguments.data)
    return _described(shelf.rename_labels(volume, labels, arguments.new))


def _remove(arguments: argparse.Namespace, _console: Console) -> Answer:
    if "/" in arguments.name:
        name, labels = split_name(arguments.name)
        shelf.remove_labels(front.open_volume(name, data=arguments.data), labels)
    else:
        shelf.remove_volume(front.open_volume(arguments.name, data=arguments.data))
    return {"removed": arguments.name, "text": [f"removed {arguments.name}"]}


def _list(arguments: argparse.Namespace, console: Console) -> Answer:
    known = catalog.from_environment(arguments.data)
    volumes, faults = [], [str(fault) for fault in known.faults()]
    for name in known.names():
        try:
            volumes.append(_described(known.open(name)))
        except MitoEMError as error:
            faults.append(f"{name}: {error}")
    text = [line for one in volumes for line in one.pop("text")[:1]] or ["no volumes"]
    for fault in faults:
        console.say(fault)
    return {"volumes": volumes, "faults": faults, "text": text}


def _index(arguments: argparse.Namespace, _console: Console) -> Answer:
    root = catalog.from_environment(arguments.data).writable
    names = catalog.write_index(root)
    text = [f"{catalog.INDEX} of {root} lists {', '.join(names) or 'no volumes'}"]
    return {"volumes": names, "text": text}


def _info(arguments: argparse.Namespace, _console: Console) -> Answer:
    volume = front.open_volume(arguments.name, data=arguments.data)
    return _described(volume) | {"info": manifest.to_json(volume.info)}


def _check(arguments: argparse.Namespace, console: Console) -> Answer:
    volume = front.open_volume(arguments.name, data=arguments.data)
    findings = checking.check(
        volume, deep=arguments.deep, data=arguments.data, progress=console.progress
    )
    text = [f"{f.severity}: {f.where}: {f.message}" for f in findings]
    bad = [line for line in text if line.startswith("error")]
    if bad:
        console.close()
        for line in text:
            console.say(line)
        raise checking.failed(volume.name, len(bad), bad[0])
    return {"findings": [asdict(f) for f in findings], "text": [*text, f"{volume.name}: sound"]}


def split_name(text: str) -> tuple[str, str]:
    """``NAME/LABELS`` apart; raises NameInvalid."""
    name, _, labels = text.partition("/")
    return manifest.check_name(name), manifest.check_name(labels, what="labels")


def _described(volume: Volume) -> Answer:
    info = volume.info
    shape = " × ".join(str(n) for n in info.shape)
    size = " × ".join(f"{v:g}" for v in info.voxel_size)
    badge = ", synthetic phantom" if info.synthetic else ""
    text = [f"{info.name}: {shape} voxels of {size} nm (z, y, x), {len(info.levels)} levels{badge}"]
    for one in info.labels:
        share = 100 * sum(box.size for box in one.coverage) / int(np.prod(info.shape))
        text.append(f"  {one.name}: {one.kind}, {one.instances} instances, {share:.1f} % labelled")
        for level, lost in enumerate(one.vanished):
            if lost:
                text.append(f"    {lost} of them too small to show on level {level}")
    labels = [
        {"name": one.name, "kind": one.kind, "instances": one.instances} for one in info.labels
    ]
    return {
        "name": info.name,
        "shape": info.shape,
        "voxel_size_nm": info.voxel_size,
        "voxel_size_source": info.voxel_size_source,
        "levels": len(info.levels),
        "synthetic": info.synthetic,
        "labels": labels,
        "text": text,
    }
