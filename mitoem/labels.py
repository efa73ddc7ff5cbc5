"""Label arrays: what is a valid one, which ids it holds, and who touches whom.

0 is background; every other value is an instance. Ids are whole numbers up to 2³² − 1, in any
order and with gaps.
"""

from __future__ import annotations

from typing import Final, TypeAlias

import fastremap
import numpy as np
from numpy.typing import NDArray

from mitoem.errors import LabelsInvalid

MAX_ID: Final = 2**32 - 1
"""Largest id: labels are uint32 in memory."""

Labels: TypeAlias = NDArray[np.uint32]


def check(array: NDArray[np.generic]) -> Labels:
    """The array as uint32 labels; not copied when it is uint32 already.

    Whole-valued floats are taken. Raises LabelsInvalid, naming the first bad value, for fractions,
    NaN, negative values, values beyond 2³² − 1 and arrays that are not numbers.
    """
    kind = array.dtype.kind
    if array.dtype == np.uint32 and array.dtype.isnative:
        return array.astype(np.uint32, copy=False)
    if kind == "b" or (kind == "u" and array.dtype.itemsize < 4):
        return array.astype(np.uint32)
    if kind not in "iuf":
        raise LabelsInvalid(f"labels of dtype {array.dtype}, expected whole numbers")
    values: NDArray[np.float64] = np.asarray(array)
    if kind == "f":
        _refuse(values, ~np.isfinite(values), "finite numbers")
        _refuse(values, values != np.rint(values), "whole numbers")
    if kind != "u":
        _refuse(values, values < 0, "no negative ids")
    if array.dtype.itemsize > 4 or kind == "f":
        _refuse(values, values > MAX_ID, f"ids up to {MAX_ID}")
    return values.astype(np.uint32)


def smallest_dtype(largest_id: int) -> np.dtype[np.uint16] | np.dtype[np.uint32]:
    """The type that labels are stored in: uint16 where all ids fit, else uint32.

    Raises LabelsInvalid beyond 2³² − 1 or below 0.
    """
    if not 0 <= largest_id <= MAX_ID:
        raise LabelsInvalid(f"id {largest_id}, expected 0 to {MAX_ID}")
    return np.dtype(np.uint16) if largest_id < 2**16 else np.dtype(np.uint32)


def ids(labels: Labels) -> Labels:
    """The ids present, rising, without 0."""
    present = np.asarray(fastremap.unique(labels), np.uint32)
    return present[present > 0]


def relabel(labels: Labels, *, first: int = 1) -> tuple[Labels, Labels]:
    """The same instances numbered ``first``, ``first`` + 1, … by rising id; and the old ids.

    ``old[k]`` is the former id of instance ``first + k``. Raises LabelsInvalid when the new ids
    go beyond 2³² − 1 or ``first`` is below 1.
    """
    old = ids(labels)
    if first < 1 or first + old.size - 1 > MAX_ID:
        raise LabelsInvalid(f"ids {first} to {first + old.size - 1}, expected 1 to {MAX_ID}")
    # The place of 0 among the sorted ids is its own: background stays.
    table = np.concatenate([[0], np.arange(first, first + old.size)]).astype(np.uint32)
    place = np.searchsorted(np.concatenate([[np.uint32(0)], old]), labels.ravel())
    return table[place].reshape(labels.shape), old


def touching(labels: Labels) -> Labels:
    """Pairs of instances that share a voxel face, (n, 2), each pair once, smaller id first."""
    found = []
    for axis in range(labels.ndim):
        low = [slice(None)] * labels.ndim
        high = [slice(None)] * labels.ndim
        low[axis], high[axis] = slice(None, -1), slice(1, None)
        a, b = labels[tuple(low)], labels[tuple(high)]
        meet = (a != b) & (a > 0) & (b > 0)
        found.append(np.stack([a[meet], b[meet]], axis=1))
    pairs = np.sort(np.concatenate(found), axis=1)
    return np.unique(pairs, axis=0)


def border_ids(labels: Labels) -> Labels:
    """Ids of the instances that touch a face of the array, rising."""
    found = [np.empty(0, np.uint32)]
    for axis in range(labels.ndim):
        if labels.shape[axis]:
            found.extend(ids(np.take(labels, end, axis=axis)) for end in (0, -1))
    return np.unique(np.concatenate(found))


def _refuse(values: NDArray[np.float64], bad: NDArray[np.bool_], wanted: str) -> None:
    """Raise LabelsInvalid with the first bad value, if there is one."""
    if bad.any():
        place = np.unravel_index(int(np.argmax(bad)), bad.shape)
        where = ",".join(str(int(p)) for p in place)
        raise LabelsInvalid(f"labels hold {values[place]} at voxel {where}, expected {wanted}")
