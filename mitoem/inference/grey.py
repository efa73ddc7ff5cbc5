"""Grey values → the range that the network was trained on, by percentiles of the whole image."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mitoem.errors import ImageInvalid
from mitoem.inference.spec import ModelSpec

Counts = NDArray[np.int64]
"""Voxels per grey value (2, values): in sections that are not blank, and in all."""


def counts(image: NDArray[np.uint8] | NDArray[np.uint16]) -> Counts:
    """Grey values of sections (z, y, x), to be added up over the parts of an image."""
    size = int(np.iinfo(image.dtype).max) + 1
    found = np.zeros((2, size), np.int64)
    for section in image:
        values = np.bincount(section.ravel(), minlength=size)
        found[1] += values
        if np.count_nonzero(values) > 1:
            found[0] += values
    return found


def table(found: Counts, spec: ModelSpec) -> NDArray[np.float32]:
    """Grey value → normalised value: the image's percentiles mapped to the grey range.

    Blank sections are left out. Raises ImageInvalid for an image that has no contrast.
    """
    used = found[0] if found[0].any() else found[1]
    share = np.cumsum(used) / used.sum() * 100
    low, high = (int(np.searchsorted(share, p)) for p in spec.percentiles)
    if low == high:
        raise ImageInvalid(
            f"image: expected grey values spread over percentiles {spec.percentiles}, "
            f"found {low} at both"
        )
    bottom, top = spec.grey_range
    grey = np.clip((np.arange(len(used)) - low) / (high - low), 0, 1)
    return (bottom + (top - bottom) * grey).astype(np.float32)
