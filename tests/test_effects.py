import time
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import bootstrap, mannwhitneyu, norm

from mitoem import effects
from mitoem.effects import Draw, Extent, Placed, cliffs_delta, hodges_lehmann, summary
from mitoem.errors import RequestInvalid

samples = st.lists(st.integers(-5, 5), min_size=1, max_size=20).map(lambda v: np.array(v, float))
reals = st.lists(
    st.floats(-1e6, 1e6, allow_subnormal=False), min_size=1, max_size=15
).map(np.array)  # fmt: skip


@given(samples, samples)
@settings(deadline=None, max_examples=100)
def test_cliffs_delta_counts_all_pairs_and_changes_sign_when_swapped(
    a: np.ndarray, b: np.ndarray
) -> None:
    pairs = np.sign(a[:, None] - b[None, :])
    assert cliffs_delta(a, b) == pytest.approx(pairs.mean(), abs=1e-12)
    assert cliffs_delta(b, a) == pytest.approx(-cliffs_delta(a, b), abs=1e-12)
    assert -1 <= cliffs_delta(a, b) <= 1
    above = mannwhitneyu(a, b, method="asymptotic").statistic
    assert cliffs_delta(a, b) == pytest.approx(2 * above / (a.size * b.size) - 1, abs=1e-12)


@given(st.one_of(samples, reals), st.one_of(samples, reals), st.integers(-1000, 1000))
@settings(deadline=None, max_examples=200)
def test_the_shift_is_the_median_of_all_differences_turns_with_a_swap_and_moves_with_a(
    a: np.ndarray, b: np.ndarray, by: int
) -> None:
    near = 1e-12 * max(np.abs(a).max(), np.abs(b).max(), abs(by))
    found = hodges_lehmann(a, b)
    assert found == pytest.approx(np.median(a[:, None] - b[None, :]), abs=near)
    assert hodges_lehmann(b, a) == pytest.approx(-found, abs=near)
    assert hodges_lehmann(a + by, b) == pytest.approx(found + by, abs=4 * near)


def test_the_shift_of_twelve_thousand_takes_the_processor_less_than_a_second() -> None:
    rng = np.random.default_rng(0)
    a, b = rng.lognormal(size=12_000), rng.lognormal(0.1, size=12_000)
    begun = time.process_time()
    assert hodges_lehmann(a, b) == pytest.approx(-0.0777, abs=0.001)
    assert time.process_time() - begun < 1


def test_a_sample_without_values_has_no_effect_size_and_no_median() -> None:
    empty = np.array([np.nan])
    assert summary(empty).n == 0 and np.isnan(summary(empty).median)
    for measure in (cliffs_delta, hodges_lehmann):
        with pytest.raises(RequestInvalid, match="found 0 and 1"):
            measure(empty, np.array([1.0]))


def test_quartiles_of_one_to_five_are_two_three_four() -> None:
    found = summary(np.array([5.0, 1, 4, 2, 3]))
    assert (found.n, found.lower, found.median, found.upper, found.iqr) == (5, 2, 3, 4, 2)


def tissue(rng: np.random.Generator, n: int = 400, *, clustered: bool = True) -> Placed:
    """Instances in 20 µm of tissue whose values depend on the 5 µm cube that they lie in."""
    places = rng.uniform(0, 20, (n, 3))
    cube = (places // 5).astype(int)
    values = rng.normal(0, 1, (4, 4, 4))[tuple(cube.T)] + rng.normal(0, 0.3, n)
    return Placed(values if clustered else rng.permutation(values), places)


def test_the_interval_holds_the_estimate_and_states_how_it_was_drawn() -> None:
    rng = np.random.default_rng(1)
    a, b = tissue(rng), tissue(rng)
    found = effects.difference(a, b, draw=Draw(5.0, seed=3, replicates=500))
    for one in (found.delta, found.shift):
        assert one.low < one.value < one.high
        assert (one.blocks, one.edge, one.seed, one.replicates) == ((64, 64), 5.0, 3, 500)
    assert found.delta.value == cliffs_delta(a.values, b.values)
    assert found.shift.value == hodges_lehmann(a.values, b.values)


@given(st.integers(0, 1000), st.booleans())
@settings(deadline=None, max_examples=20)
def test_a_seed_gives_the_same_interval_whatever_the_order_of_the_rows(
    seed: int, paired: bool
) -> None:
    rng = np.random.default_rng(seed)
    a, b = tissue(rng, 60), tissue(rng, 50)
    order = rng.permutation(60)
    mixed = Placed(a.values[order], a.centroids[order])
    draw = Draw(5.0, seed=seed, replicates=200, paired=paired)
    assert effects.difference(a, b, draw=draw) == effects.difference(mixed, b, draw=draw)
    other = effects.difference(a, b, draw=replace(draw, seed=seed + 1))
    assert other != effects.difference(a, b, draw=draw)


def brute(a: Placed, b: Placed, draw: Draw) -> tuple[np.ndarray, np.ndarray]:
    """Delta and shift of every replicate, pair by pair of the instances of the drawn blocks.

    Of blocks drawn together, a block meets no repetition of itself.
    """
    rng, counts = np.random.default_rng(draw.seed), []
    numbers = effects.block_numbers(a.centroids, b.centroids, edge=draw.edge)
    for of in numbers:
        names = np.unique(np.concatenate(numbers) if draw.paired else of)
        drawn = rng.multinomial(names.size, np.full(names.size, 1 / names.size), draw.replicates)
        counts.append((drawn, np.searchsorted(names, of)))
    (drawn_a, of_a), (drawn_b, of_b) = counts
    deltas, shifts = [], []
    for one_a, one_b in zip(drawn_a, drawn_a if draw.paired else drawn_b, strict=True):
        (x, block_x, which_x), (y, block_y, which_y) = (
            repeated(values, of, one)
            for values, of, one in ((a.values, of_a, one_a), (b.values, of_b, one_b))
        )
        if x.size and y.size:
            weights = np.ones((x.size, y.size))
            if draw.paired:
                alike = block_x[:, None] == block_y[None, :]
                weights[alike & (which_x[:, None] != which_y[None, :])] = 0
                weights[alike & (which_x[:, None] == which_y[None, :])] = 1 - 1 / one_a.size
            apart = x[:, None] - y[None, :]
            deltas.append(np.average(np.sign(apart), weights=weights))
            order = np.argsort(apart, axis=None)
            below = np.cumsum(weights.ravel()[order])
            shifts.append(apart.ravel()[order][np.searchsorted(below, below[-1] / 2)])
    return np.array(deltas), np.array(shifts)


def repeated(
    values: np.ndarray, of: np.ndarray, times: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Values of blocks drawn some times; the block of each, and which of its drawings it is."""
    which = [np.arange(times[block]) for block in of]
    found = [np.repeat(one, times[of]) for one in (values, of)]
    return found[0], found[1], np.concatenate(which)


@pytest.mark.parametrize("paired", [False, True])
@pytest.mark.parametrize("sizes", [(90, 70), (30, 200)])
def test_the_interval_is_that_of_replicates_made_instance_by_instance(
    sizes: tuple[int, int], paired: bool
) -> None:
    rng = np.random.default_rng(2)
    a, b = (tissue(rng, n) for n in sizes)
    draw = Draw(5.0, seed=5, replicates=400, paired=paired)
    deltas, shifts = brute(a, b, draw)
    found = effects.difference(a, b, draw=draw)
    assert (found.delta.low, found.delta.high) == pytest.approx(np.quantile(deltas, [0.025, 0.975]))
    near = {"abs": 0.003 * np.ptp(shifts)}
    assert (found.shift.low, found.shift.high) == pytest.approx(
        np.quantile(shifts, [0.025, 0.975]), **near
    )


def test_the_interval_of_blocks_of_one_instance_is_the_one_that_scipy_finds() -> None:
    rng = np.random.default_rng(12)
    a, b = rng.normal(0.4, 1, 60), rng.normal(0, 1, 50)
    apart = [np.column_stack([np.arange(one.size) * 10.0] * 3) for one in (a, b)]
    found = effects.difference(
        Placed(a, apart[0]), Placed(b, apart[1]), draw=Draw(5.0, replicates=4000)
    )
    assert found.delta.blocks == (60, 50)
    for mine, measure in ((found.delta, cliffs_delta), (found.shift, hodges_lehmann)):
        theirs = bootstrap(
            (a, b), measure, vectorized=False, n_resamples=2000, method="percentile", rng=1
        ).confidence_interval
        assert (mine.low, mine.high) == pytest.approx(tuple(theirs), abs=0.03)


def test_neighbours_that_resemble_each_other_widen_the_interval() -> None:
    for seed in range(5):
        widths = []
        for clustered in (True, False):
            rng = np.random.default_rng(seed)
            a, b = tissue(rng, clustered=clustered), tissue(rng, clustered=clustered)
            found = effects.difference(a, b, draw=Draw(5.0))
            widths.append((found.delta.high - found.delta.low, found.shift.high - found.shift.low))
        assert (np.array(widths[0]) > 1.3 * np.array(widths[1])).all()


def test_two_label_sets_of_one_tissue_that_agree_have_a_narrow_interval_around_nothing() -> None:
    rng = np.random.default_rng(3)
    truth = tissue(rng)
    guess = Placed(truth.values + rng.normal(0, 0.01, 400), truth.centroids)
    alone = effects.difference(truth, guess, draw=Draw(5.0))
    together = effects.difference(truth, guess, draw=Draw(5.0, paired=True))
    assert together.delta.low <= 0 <= together.delta.high
    wide, narrow = (one.delta.high - one.delta.low for one in (alone, together))
    assert narrow < wide / 10


def label_sets(
    rng: np.random.Generator, cubes: int, each: int, *, smaller: float = 0.3
) -> tuple[Placed, Placed]:
    """Instances in a row of 5 µm cubes that share a size, and copies, smaller by some, with noise.

    True differences: a shift of ``smaller``, and the delta of two normal samples.
    """
    of = np.repeat(np.arange(cubes), rng.integers(1, 2 * each, cubes))
    places = np.column_stack([5.0 * of + 2.5, *rng.uniform(0, 5, (2, of.size))])
    values = rng.normal(0, 1, cubes)[of] + rng.normal(0, 0.5, of.size)
    return Placed(values, places), Placed(values - smaller + rng.normal(0, 0.1, of.size), places)


@pytest.mark.parametrize("cubes", [8, 24, 60])
def test_replicates_of_two_label_sets_of_one_tissue_lie_around_the_estimate(cubes: int) -> None:
    off, before = [], []
    for seed in range(8):
        a, b = label_sets(np.random.default_rng(seed), cubes, 2)
        draw = Draw(5.0, seed=seed, replicates=100, paired=True)
        found = effects.difference(a, b, draw=draw).delta
        assert found.low < found.value < found.high
        deltas, _ = brute(a, b, draw)
        off.append((deltas.mean() - found.value) / deltas.std())
        before.append((found.value - found.low) / (found.high - found.low))
    assert abs(np.mean(off)) < 0.2, "deviations of the replicates"
    assert 0.3 < np.mean(before) < 0.6, "of the interval lie before the estimate"


@pytest.mark.parametrize(("cubes", "each"), [(24, 6), (60, 1)])
def test_the_interval_of_two_label_sets_of_one_tissue_covers_the_true_difference(
    cubes: int, each: int
) -> None:
    spread = np.sqrt(2 * (1 + 0.25) + 0.01)
    true, covered = (2 * norm.cdf(0.3 / spread) - 1, 0.3), np.zeros(2)
    for seed in range(100):
        a, b = label_sets(np.random.default_rng(seed), cubes, each)
        found = effects.difference(a, b, draw=Draw(5.0, seed=seed, replicates=200, paired=True))
        for number, one in enumerate((found.delta, found.shift)):
            covered[number] += one.low <= true[number] <= one.high
    assert ((covered >= 85) & (covered <= 99)).all(), "of 100: 90 to 98, and chance"


def test_a_label_set_does_not_differ_from_itself() -> None:
    for cubes in (8, 60):
        a, _ = label_sets(np.random.default_rng(1), cubes, 3)
        found = effects.difference(a, a, draw=Draw(5.0, paired=True))
        assert (found.delta.value, found.delta.low, found.delta.high) == (0, 0, 0)
        assert found.shift.low == pytest.approx(0, abs=0.01) == found.shift.high


def test_the_interval_covers_the_true_difference_about_as_often_as_it_says() -> None:
    covered = 0
    for seed in range(60):
        rng = np.random.default_rng(100 + seed)
        found = effects.difference(tissue(rng), tissue(rng), draw=Draw(5.0, replicates=200))
        covered += found.delta.low <= 0 <= found.delta.high
    assert covered >= 48, "of 60, whose true difference is 0"


def test_fewer_than_six_blocks_give_no_interval_and_too_many_are_refused() -> None:
    rng = np.random.default_rng(4)
    few = effects.difference(tissue(rng), tissue(rng), draw=Draw(50.0))
    assert few.delta.blocks == (1, 1) and not few.delta.bounded and not few.shift.bounded
    assert not few.delta.clear and np.isfinite(few.delta.value)
    with pytest.raises(RequestInvalid, match="900 × 400 pairs of blocks, expected at most 262144"):
        effects.difference(tissue(rng, 900), tissue(rng), draw=Draw(0.02))
    with pytest.raises(RequestInvalid, match="more than 0 µm"):
        effects.difference(tissue(rng), tissue(rng), draw=Draw(0.0))


def test_constant_lone_and_blank_values_have_no_surprises() -> None:
    rng = np.random.default_rng(5)
    a, b = tissue(rng), tissue(rng)
    ones = Placed(np.ones(400), a.centroids)
    same = effects.difference(ones, Placed(np.ones(400), b.centroids), draw=Draw(5.0))
    for one in (same.delta, same.shift):
        assert (one.value, one.low, one.high) == (0, 0, 0)
    lone = effects.difference(Placed(a.values[:1], a.centroids[:1]), b, draw=Draw(5.0))
    assert lone.delta.blocks == (1, 64) and not lone.delta.bounded
    blank = np.where(np.arange(400) % 3 == 0, np.nan, a.values)
    there = np.isfinite(blank)
    kept = Placed(a.values[there], a.centroids[there])
    told = effects.difference(Placed(blank, a.centroids), b, draw=Draw(5.0))
    assert told == effects.difference(kept, b, draw=Draw(5.0))
    whole = Placed(np.round(a.values), a.centroids)
    found = effects.difference(whole, Placed(np.round(b.values), b.centroids), draw=Draw(5.0))
    assert found.shift.low.is_integer() and found.shift.high.is_integer()


boxes = st.tuples(st.tuples(*[st.floats(0, 20)] * 3), st.tuples(*[st.floats(0.5, 40)] * 3)).map(
    lambda one: Extent(one[0], tuple(float(v) for v in np.add(*one)))
)


@given(boxes, boxes)
@settings(deadline=None)
def test_the_usual_edge_cuts_both_extents_into_enough_cubes_and_never_too_many(
    a: Extent, b: Extent
) -> None:
    fit, usual = effects.fitting_edges(a, b), effects.usual_edge(a, b)
    assert a.cubes(usual) * b.cubes(usual) <= effects.MOST_PAIRS
    if any(min(a.cubes(edge), b.cubes(edge)) >= 24 for edge in fit):
        assert min(a.cubes(usual), b.cubes(usual)) >= 24
    assert usual == effects.usual_edge(b, a)


@given(boxes, st.sampled_from(effects.EDGES[3:]), st.integers(0, 100))
@settings(deadline=None)
def test_instances_of_an_extent_lie_in_no_more_blocks_than_it_has_cubes(
    extent: Extent, edge: float, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    (numbers,) = effects.block_numbers(rng.uniform(extent.start, extent.stop, (300, 3)), edge=edge)
    assert np.unique(numbers).size <= extent.cubes(edge)


def test_a_large_truth_and_a_small_crop_of_it_have_an_interval() -> None:
    rng = np.random.default_rng(11)
    truth, crop = Extent((0, 0, 0), (15, 32.8, 32.8)), Extent((5, 10, 10), (7, 16, 16))
    a, b = (
        Placed(rng.lognormal(size=n), rng.uniform(one.start, one.stop, (n, 3)))
        for n, one in ((6000, truth), (300, crop))
    )
    edge = effects.usual_edge(truth, crop)
    one = effects.difference(a, b, draw=Draw(edge, paired=True))
    assert one.delta.bounded and one.shift.bounded
    assert one.delta.blocks[0] > 1000 and one.delta.blocks[1] >= effects.FEWEST_BLOCKS


def measured(rng: np.random.Generator, n: int) -> pd.DataFrame:
    size = rng.lognormal(0, 0.7, n)
    places = rng.uniform(0, 20, (n, 3))
    return pd.DataFrame(
        {
            "instance_id": np.arange(1, n + 1),
            "volume_um3": size,
            "equivalent_diameter_um": (6 * size / np.pi) ** (1 / 3),
            "surface_area_um2": size ** (2 / 3) * rng.lognormal(1, 0.2, n),
            "elongation": rng.lognormal(0, 0.3, n),
            "length_um": np.nan,
            "nearest_neighbour_um": np.where(np.arange(n) % 2, 0, 1.0),
            "touches_border": np.arange(n) % 5 == 0,
            **{f"centroid_{axis}_um": places[:, i] for i, axis in enumerate("zyx")},
        }
    )


MEASURES = ("volume_um3", "equivalent_diameter_um", "surface_area_um2", "elongation", "length_um",
            "nearest_neighbour_um")  # fmt: skip


def test_a_table_of_differences_has_a_row_per_measure_that_both_sets_hold() -> None:
    rng = np.random.default_rng(6)
    a, b = measured(rng, 300), measured(rng, 200)
    found = effects.differences(a, b, MEASURES, draw=Draw(5.0, seed=2)).set_index("measure")
    assert found.index.tolist() == [name for name in MEASURES if name != "length_um"]
    assert (found["n_a"] == 240).all() and (found["n_b"] == 160).all()
    assert (found["cliffs_delta_low"] <= found["cliffs_delta_high"]).all()
    assert (found["seed"] == 2).all() and (found["edge_um"] == 5).all()
    whole = effects.differences(a, b, MEASURES, draw=Draw(5.0), complete_only=False)
    assert (whole["n_a"] == 300).all()
    none = effects.differences(a[:0], b, MEASURES, draw=Draw(5.0))
    assert len(none) == 0 and list(none) == ["measure", *found]


def test_fourteen_measures_of_ten_thousand_instances_take_the_processor_a_few_seconds() -> None:
    rng = np.random.default_rng(7)
    a, b = measured(rng, 12_500), measured(rng, 12_500)
    names = [f"m{number}" for number in range(14)]
    for frame in (a, b):
        frame[names] = rng.lognormal(size=(12_500, 14))
    begun = time.process_time()
    found = effects.differences(a, b, names, draw=Draw(5.0))
    assert len(found) == 14 and found["n_a"].min() == 10_000
    assert time.process_time() - begun < 20


def test_components_are_the_eigenvectors_of_the_correlation_of_the_logs() -> None:
    rng = np.random.default_rng(8)
    a, b = measured(rng, 300), measured(rng, 200)
    found = effects.components(a, b, columns=MEASURES)
    assert found.columns == ("volume_um3", "surface_area_um2", "elongation")
    assert dict(found.left_out) == {
        "equivalent_diameter_um": "the same as volume_um3",
        "length_um": "not measured",
        "nearest_neighbour_um": "50% without a value above 0",
    }
    rows = pd.concat([a, b]).query("not touches_border")
    correlation = np.corrcoef(np.log(rows[list(found.columns)].to_numpy()).T)
    sizes, axes = np.linalg.eigh(correlation)
    for number in (0, 1):
        axis = axes[:, -1 - number]
        assert found.loadings[:, number] == pytest.approx(
            axis * np.sign(axis[np.abs(axis).argmax()])
        )
        assert found.shares[number] == pytest.approx(sizes[-1 - number] / sizes.sum())
    places = found.place(rows)
    assert places.mean(axis=0) == pytest.approx([0, 0], abs=1e-9)
    assert np.corrcoef(places.T)[0, 1] == pytest.approx(0, abs=1e-9)
    assert found.rows == len(rows)


def test_components_do_not_depend_on_the_order_of_rows_or_tables() -> None:
    rng = np.random.default_rng(9)
    a, b = measured(rng, 120), measured(rng, 80)
    one = effects.components(a, b, columns=MEASURES)
    other = effects.components(b.sample(frac=1, random_state=1), a[::-1], columns=MEASURES)
    assert other.loadings == pytest.approx(one.loadings)
    assert other.place(a) == pytest.approx(one.place(a))


def test_an_instance_that_lacks_a_measure_has_no_place_on_the_map() -> None:
    rng = np.random.default_rng(10)
    a = measured(rng, 100)
    a.loc[3, "elongation"] = np.nan
    found = effects.components(a, columns=MEASURES, complete_only=False)
    assert np.isnan(found.place(a)[3]).all() and np.isfinite(found.place(a)).sum() == 198
    assert found.rows == 99
    with pytest.raises(RequestInvalid, match="found 1 and 100"):
        effects.components(a, columns=("volume_um3",), complete_only=False)
    with pytest.raises(RequestInvalid, match="and 0"):
        effects.components(a[:0], columns=MEASURES)
