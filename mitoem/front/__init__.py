"""The front door: what pages, scripts and the command line all call."""

from mitoem.front.card import Card, card, inside
from mitoem.front.challenge import submission
from mitoem.front.colouring import COLOURABLE, Colouring, colouring, error_colouring
from mitoem.front.downloads import Download, download
from mitoem.front.drawing import figure, ids_kept, neuroglancer_link, snapshot
from mitoem.front.instances import instance_box, measure, mesh, stored_table, table
from mitoem.front.pairs import common_coverage, of_volume, overlap
from mitoem.front.scoring import evaluate, predict, read_image, read_labels
from mitoem.front.shelves import add_labels, ingest, open_volume, volumes
from mitoem.front.thumbnails import field_nm, thumbnail
from mitoem.front.whole import WholePrediction, predict_blocks

__all__ = [
    "COLOURABLE",
    "Card",
    "Colouring",
    "Download",
    "WholePrediction",
    "add_labels",
    "card",
    "colouring",
    "common_coverage",
    "download",
    "error_colouring",
    "evaluate",
    "field_nm",
    "figure",
    "ids_kept",
    "ingest",
    "inside",
    "instance_box",
    "measure",
    "mesh",
    "neuroglancer_link",
    "of_volume",
    "open_volume",
    "overlap",
    "predict",
    "predict_blocks",
    "read_image",
    "read_labels",
    "snapshot",
    "stored_table",
    "submission",
    "table",
    "thumbnail",
    "volumes",
]
