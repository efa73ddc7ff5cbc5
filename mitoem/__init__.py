"""Explore, measure, predict and score mitochondria in electron-microscopy volumes.

>>> import mitoem
>>> mitoem.volumes(data="no-such-root")
[]
"""

from mitoem.front import (
    add_labels,
    csv,
    evaluate,
    figure,
    ingest,
    measure,
    mesh,
    open_volume,
    predict,
    stored_table,
    table,
    volumes,
)
from mitoem.geometry import Box
from mitoem.version import VERSION

__version__ = VERSION

__all__ = [
    "Box",
    "__version__",
    "add_labels",
    "csv",
    "evaluate",
    "figure",
    "ingest",
    "measure",
    "mesh",
    "open_volume",
    "predict",
    "stored_table",
    "table",
    "volumes",
]
