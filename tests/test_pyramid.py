"""Shrinking: shapes, unbiased means, ids that exist, and one anatomy on every level."""

from itertools import pairwise

import numpy as np
import pytest
import tensorstore as ts
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from mitoem.pyramid import level_factors, shrink_image, shrink_labels, step

shapes = hnp.array_shapes(min_dims=3, max_dims=3, min_side=1, max_side=9)
factors = st.tuples(st.sampled_from([1, 2]), st.sampled_from([1, 2]), st.sampled_from([1, 2]))


def test_mitoem_gets_the_levels_of_the_design() -> None:
    found = level_factors((1000, 4096, 4096), (30, 8, 8))
    assert [step(a, b) for a, b in pairwise(found)] == [
        (1, 2, 2),
        (1, 2, 2),
        (2, 2, 2),
        (2, 2, 2),
    ]


def test_finer_sections_than_pixels_shrink_along_z_first() -> None:
    assert level_factors((165, 480, 640), (5, 8, 8))[1] == (2, 1, 1)


@given(hnp.array_shapes(min_dims=3, max_dims=3, max_side=5000), st.floats(4, 60), st.floats(2, 20))
def test_every_pyramid_ends_and_each_level_divides_the_next(
    shape: tuple[int, int, int], z: float, yx: float
) -> None:
    found = level_factors(shape, (z, yx, yx))
    assert found[0] == (1, 1, 1)
    assert max(-(-n // f) for n, f in zip(shape[1:], found[-1][1:], strict=True)) < 512
    for a, b in pairwise(found):
        assert all(f in (1, 2) for f in step(a, b)) and a != b


@settings(deadline=None)
@given(shapes.flatmap(lambda s: hnp.arrays(np.uint8, s)), factors)
def test_a_shrunk_image_is_the_rounded_mean_of_each_block(
    image: np.ndarray, by: tuple[int, int, int]
) -> None:
    small = shrink_image(image, by)
    assert small.shape == tuple(-(-n // f) for n, f in zip(image.shape, by, strict=True))
    for index in np.ndindex(small.shape):
        block = image[tuple(slice(i * f, i * f + f) for i, f in zip(index, by, strict=True))]
        assert abs(float(small[index]) - block.mean()) <= 0.5


@settings(deadline=None)
@given(shapes.flatmap(lambda s: hnp.arrays(np.uint32, s, elements=st.integers(0, 3))), factors)
def test_a_shrunk_label_is_the_lowest_of_the_most_frequent_ids_of_its_block(
    labels: np.ndarray, by: tuple[int, int, int]
) -> None:
    small = shrink_labels(labels, by)
    for index in np.ndindex(small.shape):
        block = labels[tuple(slice(i * f, i * f + f) for i, f in zip(index, by, strict=True))]
        ids, counts = np.unique(block, return_counts=True)
        assert small[index] == ids[counts.argmax()]


@pytest.mark.parametrize("by", [(1, 2, 2), (2, 2, 2), (2, 1, 1)])
def test_labels_shrink_as_tensorstore_shrinks_them(by: tuple[int, int, int]) -> None:
    labels = np.random.default_rng(4).integers(0, 5, (31, 64, 77)).astype(np.uint16)
    theirs = ts.downsample(ts.array(labels), list(by), "mode").read().result()
    np.testing.assert_array_equal(shrink_labels(labels, by), theirs)


def test_five_levels_of_noise_keep_their_mean() -> None:
    image = np.random.default_rng(1).integers(0, 256, (16, 512, 512), dtype=np.uint8)
    small = image
    for by in [(1, 2, 2), (1, 2, 2), (2, 2, 2), (2, 2, 2)]:
        small = shrink_image(small, by)
    assert small.mean() == pytest.approx(image.mean(), abs=0.05)
