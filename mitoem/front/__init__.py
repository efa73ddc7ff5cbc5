"""The front door: what pages, scripts and the command line all call."""

from mitoem.front.drawing import figure, neuroglancer_link, snapshot
from mitoem.front.instances import Download, csv, instance_box, measure, mesh, stored_table, table
from mitoem.front.scoring import common_coverage, evaluate, predict, read_image, read_labels
from mitoem.front.shelves import add_labels, ingest, open_volume, volumes

__all__ = [
    "Download",
    "add_labels",
    "common_coverage",
    "csv",
    "evaluate",
    "figure",
    "ingest",
    "instance_box",
    "measure",
    "mesh",
    "neuroglancer_link",
    "open_volume",
    "predict",
    "read_image",
    "read_labels",
    "snapshot",
    "stored_table",
    "table",
    "volumes",
]
