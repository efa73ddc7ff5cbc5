"""Explore, measure, predict and score mitochondria in electron-microscopy volumes.

>>> import mitoem
>>> mitoem.volumes(data="no-such-root")
[]
"""

from typing import TYPE_CHECKING, Any

from mitoem.geometry import Box
from mitoem.version import VERSION

if TYPE_CHECKING:
    from mitoem.front import (
        add_labels,
        download,
        evaluate,
        figure,
        ingest,
        judge,
        judgements,
        measure,
        mesh,
        neuroglancer_link,
        open_volume,
        predict,
        predict_blocks,
        stored_table,
        submission,
        table,
        volumes,
    )

__version__ = VERSION

__all__ = [
    "Box",
    "__version__",
    "add_labels",
    "download",
    "evaluate",
    "figure",
    "ingest",
    "judge",
    "judgements",
    "measure",
    "mesh",
    "neuroglancer_link",
    "open_volume",
    "predict",
    "predict_blocks",
    "stored_table",
    "submission",
    "table",
    "volumes",
]


def __getattr__(name: str) -> Any:
    """Load the front door when it is first used: a worker that predicts needs no tables."""
    if name in __all__:
        from mitoem import front

        return getattr(front, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
