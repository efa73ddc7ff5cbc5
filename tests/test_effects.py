import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mitoem.effects import cliffs_delta, summary
from mitoem.errors import RequestInvalid

samples = st.lists(st.integers(-5, 5), min_size=1, max_size=20).map(lambda v: np.array(v, float))


@given(samples, samples)
@settings(deadline=None, max_examples=100)
def test_cliffs_delta_counts_all_pairs_and_changes_sign_when_swapped(
    a: np.ndarray, b: np.ndarray
) -> None:
    pairs = np.sign(a[:, None] - b[None, :])
    assert cliffs_delta(a, b) == pytest.approx(pairs.mean(), abs=1e-12)
    assert cliffs_delta(b, a) == pytest.approx(-cliffs_delta(a, b), abs=1e-12)


def test_a_sample_without_values_has_no_effect_size_and_no_median() -> None:
    empty = np.array([np.nan])
    assert summary(empty).n == 0 and np.isnan(summary(empty).median)
    with pytest.raises(RequestInvalid, match="found 0 and 1"):
        cliffs_delta(empty, np.array([1.0]))


def test_quartiles_of_one_to_five_are_two_three_four() -> None:
    found = summary(np.array([5.0, 1, 4, 2, 3]))
    assert (found.n, found.lower, found.median, found.upper, found.iqr) == (5, 2, 3, 4, 2)
