"""The front door: what pages, scripts and the command line all call."""

from mitoem.front.card import Card, card, inside
from mitoem.front.colouring import COLOURABLE, Colouring, colouring, error_colouring
from mitoem.front.drawing import figure, neuroglancer_link, snapshot
from mitoem.front.instances import Download, csv, instance_box, measure, mesh, stored_table, table
from mitoem.front.scoring import common_coverage, evaluate, predict, read_image, read_labels
from mitoem.front.shelves import add_labels, ingest, open_volume, volumes

__all__ = [
    "COLOURABLE",
    "Card",
    "Colouring",
    "Download",
    "add_labels",
    "card",
    "colouring",
    "common_coverage",
    "csv",
    "error_colouring",
    "evaluate",
    "figure",
    "ingest",
    "inside",
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
