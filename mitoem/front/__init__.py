"""The front door: what pages, scripts and the command line all call."""

from mitoem.front.card import Card, card, inside
from mitoem.front.challenge import submission
from mitoem.front.colouring import COLOURABLE, KINDS, Colouring, colouring, error_colouring
from mitoem.front.downloads import Download, download
from mitoem.front.drawing import figure, ids_kept, neuroglancer_link, snapshot
from mitoem.front.instances import (
    instance_box,
    instance_ids,
    lengths_um,
    measure,
    mesh,
    stored_table,
    table,
)
from mitoem.front.mistakes import DIFFERENCE, Mistake, field_of, mistake_picture, name_of
from mitoem.front.pairs import common_coverage, of_volume, overlap
from mitoem.front.rivals import differing
from mitoem.front.scoring import evaluate, predict, read_image, read_labels, read_lengths
from mitoem.front.shelves import add_labels, ingest, open_volume, volumes
from mitoem.front.thumbnails import field_nm, thumbnail
from mitoem.front.triage import VERDICTS, Judgement, error_table, errors_of, judge, judgements
from mitoem.front.whole import WholePrediction, predict_blocks

__all__ = [
    "COLOURABLE",
    "DIFFERENCE",
    "KINDS",
    "VERDICTS",
    "Card",
    "Colouring",
    "Download",
    "Judgement",
    "Mistake",
    "WholePrediction",
    "add_labels",
    "card",
    "colouring",
    "common_coverage",
    "differing",
    "download",
    "error_colouring",
    "error_table",
    "errors_of",
    "evaluate",
    "field_nm",
    "field_of",
    "figure",
    "ids_kept",
    "ingest",
    "inside",
    "instance_box",
    "instance_ids",
    "judge",
    "judgements",
    "lengths_um",
    "measure",
    "mesh",
    "mistake_picture",
    "name_of",
    "neuroglancer_link",
    "of_volume",
    "open_volume",
    "overlap",
    "predict",
    "predict_blocks",
    "read_image",
    "read_labels",
    "read_lengths",
    "snapshot",
    "stored_table",
    "submission",
    "table",
    "thumbnail",
    "volumes",
]
