"""The dataset card of MitoEM2021 with its corrections, as tables to read."""

from __future__ import annotations

import json
import shutil
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

import pandas as pd

COLUMNS = {
    "field": "Field",
    "card": "The card says",
    "value": "Value",
    "unit": "Unit",
    "status": "Status",
    "source": "Source",
}

_BADGE = {"confirmed": "green", "corrected": "orange", "unverified": "gray"}


@cache
def card() -> dict[str, Any]:
    """Everything that is known of the card: its tables, citation, published numbers."""
    text = (files("mitoem") / "assets" / "mitoem2021.json").read_text(encoding="utf-8")
    data: dict[str, Any] = json.loads(text)
    return data


def frame(rows: list[dict[str, str]]) -> pd.DataFrame:
    """One table of the card, a row per field, the status as a coloured badge."""
    out = pd.DataFrame(rows)[list(COLUMNS)].rename(columns=COLUMNS)
    out["Field"] = [f"**{text}**" for text in out["Field"]]
    out["Status"] = [f":{_BADGE[text]}-badge[{text}]" for text in out["Status"]]
    return out.set_index("Field")


def counts() -> dict[str, int]:
    """How many fields have each status."""
    found = [row["status"] for table in card()["tables"] for row in table["rows"]]
    return {status: found.count(status) for status in _BADGE}


COMMANDS = """python -m mitoem ingest R --image EM30-R-im.zip --labels EM30-R-mito-train-val-v2.zip
python -m mitoem ingest H --image EM30-H-im.zip --labels EM30-H-mito-train-val-v2.zip"""

_VOXELS = 1000 * 4096 * 4096
"""Voxels of one MitoEM volume."""

_GIGABYTE = 1e9
_STORED = 1.3
"""Bytes on disk per voxel: grey values hardly compress, and the coarser levels add a third."""


def published() -> pd.DataFrame:
    """Published instance counts of both volumes."""
    names = {
        "volume": "Volume",
        "instances": "Instances, labelled half",
        "density_per_um3": "Density (1/µm³)",
        "whole_volume_about": "Instances, whole volume (about)",
    }
    return pd.DataFrame(card()["published"]).rename(columns=names)


def results() -> pd.DataFrame:
    """Published challenge results, each with metric, split and label version."""
    return pd.DataFrame(card()["results"]["rows"]).rename(columns=str.capitalize)


def how_to_get() -> str:
    """Where the data is, and what to do with it."""
    return (
        "1. Register at [mitoem.grand-challenge.org](https://mitoem.grand-challenge.org/) and "
        "download images and labels of each volume; the terms do not allow passing them on.\n"
        "2. One line per volume makes it browsable here; ingest resumes where it stopped."
    )


def room(root: Path) -> str:
    """Whether one MitoEM volume fits the disk of this root."""
    there = next(path for path in (root, *root.parents) if path.exists())
    free, need = shutil.disk_usage(there).free / _GIGABYTE, _VOXELS * _STORED / _GIGABYTE
    verdict = "enough for one volume" if free > need else "not enough for one volume"
    return (
        f"A volume of 1000 × 4096 × 4096 voxels takes about {need:.0f} GB with its coarser "
        f"levels, beside the downloaded zips. Free on this disk: {free:.0f} GB, {verdict}."
    )
