"""What a valid label array is, and what is read from one."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray

from mitoem import labels
from mitoem.errors import LabelsInvalid

SMALL = hnp.arrays(np.uint32, (3, 4, 5), elements=st.sampled_from([0, 1, 7, 2**32 - 1]))


@pytest.mark.parametrize("dtype", ["?", "u1", "u2", "u4", ">u2", ">u4", "u8", "i4", "i8", "f4"])
def test_whole_numbers_of_any_type_are_labels(dtype: str) -> None:
    found = labels.check(np.array([[0, 1]]).astype(dtype))
    assert found.dtype == np.uint32
    assert found.tolist() == [[0, 1]]


def test_uint32_is_not_copied() -> None:
    array = np.zeros((2, 2, 2), np.uint32)
    assert labels.check(array) is array


@pytest.mark.parametrize(
    "bad", [0.5, np.nan, np.inf, -1.0, 2.0**32, -1, 2**32, 2**63 - 1, "text", 1j]
)
def test_other_values_are_refused(bad: object) -> None:
    with pytest.raises(LabelsInvalid):
        labels.check(np.array([0, bad]) if not isinstance(bad, str) else np.array([bad]))


def test_the_message_names_the_value_and_its_place() -> None:
    array = np.zeros((2, 3, 4))
    array[1, 2, 3] = 2.5
    with pytest.raises(LabelsInvalid, match=r"2\.5 at voxel 1,2,3"):
        labels.check(array)


@settings(deadline=None, max_examples=25)
@given(array=SMALL)
def test_relabelling_keeps_the_instances(array: NDArray[np.uint32]) -> None:
    new, old = labels.relabel(array, first=5)
    assert labels.ids(new).tolist() == list(range(5, 5 + old.size))
    back = np.concatenate([np.zeros(5, np.uint32), old])
    assert np.array_equal(back[new], array)


def test_ids_that_do_not_fit_are_refused() -> None:
    with pytest.raises(LabelsInvalid):
        labels.relabel(np.ones((1, 1, 1), np.uint32), first=2**32)
    with pytest.raises(LabelsInvalid):
        labels.smallest_dtype(2**32)


def test_the_smallest_type_holds_the_largest_id() -> None:
    assert labels.smallest_dtype(65_535) == np.uint16
    assert labels.smallest_dtype(65_536) == np.uint32


def test_instances_that_share_a_face_touch_and_those_at_an_edge_do_not() -> None:
    array = np.zeros((3, 4, 4), np.uint32)
    array[0, 0, 0], array[0, 0, 1] = 9, 2
    array[1, 1, 0] = 5
    array[1, 0, 1] = 3
    assert labels.touching(array).tolist() == [[2, 3], [2, 9]]


@settings(deadline=None, max_examples=25)
@given(array=SMALL)
def test_border_ids_are_those_lost_when_the_shell_is_cut_away(array: NDArray[np.uint32]) -> None:
    shell = array.copy()
    shell[1:-1, 1:-1, 1:-1] = 0
    assert labels.border_ids(array).tolist() == labels.ids(shell).tolist()
