"""Intervals: mid-P agrees with scipy's binomial distribution, clusters count as one draw, nothing
uncertain is without width.
"""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binom, ttest_1samp
from scipy.stats import t as student

from conceptbind.core.errors import ShapeError, ValueRangeError
from conceptbind.metrics import (
    difference_interval,
    mean_interval,
    mid_p,
    ordering_interval,
    share_interval,
)

COUNTS = st.integers(1, 400).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))


@given(COUNTS)
@settings(max_examples=50, deadline=None)
def test_mid_p_ends_where_half_the_seen_and_all_beyond_have_two_and_a_half_per_cent(counts):
    hits, n = counts
    low, high = mid_p(hits, n)
    if hits:
        assert binom.sf(hits, n, low) + binom.pmf(hits, n, low) / 2 == pytest.approx(
            0.025, abs=1e-6
        )
    if hits < n:
        assert binom.cdf(hits - 1, n, high) + binom.pmf(hits, n, high) / 2 == pytest.approx(
            0.025, abs=1e-6
        )


@given(COUNTS)
@settings(max_examples=50, deadline=None)
def test_mid_p_holds_the_share_stays_in_range_and_mirrors(counts):
    hits, n = counts
    low, high = mid_p(hits, n)
    assert 0 <= low <= hits / n <= high <= 1
    assert low < high
    assert mid_p(n - hits, n) == pytest.approx((1 - high, 1 - low), abs=1e-8)


def test_without_a_miss_it_is_the_rule_of_three():
    assert mid_p(20, 20) == (pytest.approx(0.05 ** (1 / 20)), 1.0)
    assert mid_p(0, 20) == (0.0, pytest.approx(1 - 0.05 ** (1 / 20)))


@pytest.mark.parametrize(("hits", "n"), [(0, 0), (-1, 5), (6, 5), (0, -3), (float("nan"), 5)])
def test_mid_p_refuses_counts_that_cannot_be(hits, n):
    with pytest.raises(ValueRangeError) as caught:
        mid_p(hits, n)
    assert str(caught.value) == f"expected 0 <= hits <= n with n > 0; got hits={hits}, n={n}"


def test_independent_rows_have_the_binomial_interval():
    values = np.repeat([0.0, 1.0], [60, 140])
    assert share_interval(values) == pytest.approx(mid_p(140, 200), abs=1e-9)
    assert share_interval(values, np.arange(200)) == share_interval(values)


@pytest.mark.parametrize("hits", [3, 11, 20, 22])
def test_clusters_that_go_right_or_wrong_as_one_are_so_many_draws(hits):
    outcomes = (np.arange(22) < hits).astype(float)
    apart, together = (
        share_interval(outcomes),
        share_interval(np.repeat(outcomes, 6), np.repeat(np.arange(22), 6)),
    )
    assert together[0] <= apart[0] + 1e-9
    assert together[1] >= apart[1] - 1e-9
    # a little wider: how alike rows are is estimated
    assert together == pytest.approx(apart, abs=0.035)
    wrong = share_interval(np.repeat(outcomes, 6))
    assert together[1] - together[0] > 1.8 * (wrong[1] - wrong[0])


def test_all_right_leaves_the_rule_of_three_over_clusters():
    low, high = share_interval(np.ones(44), np.repeat(np.arange(22), 2))
    assert high == 1
    assert 0.05 ** (1 / 18) < low <= 0.05 ** (1 / 22)


MAKERS = {"share": share_interval, "difference": difference_interval, "mean": mean_interval}


@pytest.mark.parametrize("kind", MAKERS)
@given(st.integers(0, 10**6))
@settings(max_examples=20, deadline=None)
def test_names_and_order_of_rows_and_clusters_do_not_matter(kind, seed):
    rng = np.random.default_rng(seed)
    n = 400 if kind == "mean" else 50
    clusters = rng.integers(0, n // 4, size=n)
    values = rng.integers(0, 2, size=n) if kind == "share" else rng.integers(-1, 2, size=n)
    order = rng.permutation(n)
    low, high = MAKERS[kind](values, clusters)
    assert MAKERS[kind](values[order], 7 * clusters[order] - 100) == pytest.approx(
        (low, high), abs=1e-7
    )
    assert low <= values.mean() <= high


@pytest.mark.parametrize("kind", MAKERS)
def test_one_cluster_gives_no_interval(kind):
    values = np.array([0.0, 1.0, 1.0])
    assert MAKERS[kind](values, np.zeros(3, dtype=int)) == (None, None)
    assert MAKERS[kind](values[:1]) == (None, None), "one row is one draw"


@pytest.mark.parametrize("kind", MAKERS)
@pytest.mark.parametrize(
    ("values", "clusters", "error", "message"),
    [
        ([], None, ValueRangeError, "expected at least one value in a list"),
        ([np.nan, 1.0], None, ValueRangeError, "the values must be finite"),
        ([0.0, 1.0], [0], ShapeError, "one cluster per row: 2 rows but shape"),
    ],
)
def test_rows_that_do_not_fit_are_refused(kind, values, clusters, error, message):
    with pytest.raises(error, match=message):
        MAKERS[kind](np.array(values), None if clusters is None else np.array(clusters))


def test_what_is_no_share_is_refused():
    with pytest.raises(ValueRangeError, match=r"outcomes must lie in 0\.\.1; got -1"):
        share_interval(np.array([-1.0, 1.0]))
    with pytest.raises(
        ValueRangeError, match=r"differences of outcomes must lie in -1\.\.1; got 0\.0 to 2"
    ):
        difference_interval(np.array([0.0, 2.0]))


# Macro scores


def test_groups_of_one_item_have_a_width():
    """Ten classes with one picture each, eight right: as little is known as of ten pictures."""
    low, high = share_interval(np.repeat([1.0, 0.0], [8, 2]), groups=np.arange(10))
    assert (low, high) == pytest.approx(mid_p(8, 10), abs=0.03)


def test_large_groups_are_strata():
    """Between classes that are all right and all wrong nothing is uncertain but what a few more
    pictures would show.
    """
    groups = np.repeat([0, 1], 400)
    low, high = share_interval((groups == 0).astype(float), groups=groups)
    apart = share_interval((groups == 0).astype(float))
    assert low < 0.5 < high
    assert high - low < 0.55 * (apart[1] - apart[0])


def test_a_macro_score_weighs_groups_alike():
    groups = np.repeat([0, 1], [300, 10])
    low, high = share_interval((groups == 0).astype(float), groups=groups)
    assert low < 0.5 < high


def test_pictures_that_groups_share_are_one_draw():
    outcomes, groups = (
        np.tile((np.arange(30) % 3 > 0).astype(float), 4),
        np.repeat(np.arange(4), 30),
    )
    apart, together = (
        share_interval(outcomes, groups=groups),
        share_interval(outcomes, np.tile(np.arange(30), 4), groups),
    )
    assert together[1] - together[0] > 1.7 * (apart[1] - apart[0])


# Differences and means


def test_no_change_at_all_has_a_width_on_both_sides():
    low, high = difference_interval(np.zeros(100))
    assert low == pytest.approx(-high)
    assert 0.02 < high < 0.04
    assert difference_interval(np.zeros(400), np.repeat(np.arange(100), 4)) == pytest.approx(
        difference_interval(np.zeros(100)), abs=0.002
    )


def test_a_difference_of_independent_rows_is_bonett_and_prices():
    changes = np.repeat([1.0, -1.0, 0.0], [12, 3, 85])
    up, down = 13 / 102, 4 / 102
    half = 1.96 * np.sqrt((up + down - (up - down) ** 2) / 102)
    assert difference_interval(changes) == pytest.approx(
        (up - down - half, up - down + half), abs=0.003
    )


def test_a_mean_of_independent_rows_without_skew_is_students():
    values = np.random.default_rng(3).normal(0.4, 0.1, size=30)
    values = np.concatenate([values, 0.8 - values])
    expected = ttest_1samp(values, 0).confidence_interval()
    assert mean_interval(values) == pytest.approx((expected.low, expected.high), abs=1e-9)


@pytest.mark.parametrize("sign", [1, -1])
def test_a_long_tail_widens_the_side_that_it_is_on(sign):
    values = sign * np.random.default_rng(4).exponential(0.02, size=60)
    low, high = mean_interval(values)
    tail, other = (high - values.mean(), values.mean() - low)[::sign]
    assert tail > 1.3 * other
    student_s = ttest_1samp(values, 0).confidence_interval()
    assert high - low > student_s.high - student_s.low


def test_an_interval_of_cosines_does_not_pass_one():
    values = np.array([1.0] * 58 + [0.999, -1.0])
    assert mean_interval(-values)[0] < -1
    assert mean_interval(-values, bounds=(-1, 1))[0] == -1
    assert mean_interval(values)[1] > 1
    assert mean_interval(values, bounds=(-1, 1))[1] == 1


def test_numbers_without_spread_have_no_interval():
    assert mean_interval(np.full(80, 0.75)) == (None, None)
    assert mean_interval(1 - 1e-8 * np.arange(80)) == (None, None)  # equal up to rounding


# Shares of pairs in order


def test_few_rivals_tell_little_however_many_rows():
    # all are above one rival and below the other
    low, high = ordering_interval([np.tile([[1.0, 0.0]], (500, 1))])
    assert low < 0.1
    assert high > 0.9


def test_perfect_order_has_a_width_and_one_rival_no_interval():
    low, high = ordering_interval([np.ones((40, 30)), np.ones((40, 30))])
    assert high == 1
    assert 0.93 < low < 0.96
    assert ordering_interval([np.ones((40, 1))]) == (None, None)
    with pytest.raises(ValueRangeError, match="^expected at least one table of pairs$"):
        ordering_interval([])


def test_order_does_not_depend_on_which_side_is_asked():
    table = (
        np.random.default_rng(1).normal(1, 1, (60, 1))
        > np.random.default_rng(2).normal(0, 1, (1, 60))
    ).astype(float)
    low, high = ordering_interval([table])
    assert ordering_interval([1 - table.T]) == pytest.approx((1 - high, 1 - low), abs=1e-7)
    assert low < table.mean() < high


# Whole intervals by hand: of ten clusters of four rows each, three are all right


THREE_OF_TEN = np.repeat([1.0, 0.0], [12, 28]), np.repeat(np.arange(10), 4)
NINE = student.ppf(0.975, 9)
"""Quantile for ten draws."""
Z = 1.959963984540054


def test_a_share_over_clusters_by_hand():
    design = 4 * 10 / 9  # rows of a cluster are alike; ten clusters, one of them estimates the mean
    variance = design * 0.3 * 0.7 / 40
    alone = 0.3 * 0.7 / 10
    settled = (3 * variance + 0.5 * alone) / 3.5  # three clusters are right, half a one is a guess
    n = 0.3 * 0.7 / settled * (Z / NINE) ** 2
    assert share_interval(*THREE_OF_TEN) == pytest.approx(mid_p(0.3 * n, n), abs=1e-9)


def test_no_more_is_known_than_from_four_times_the_rows():
    """Ten pairs of one right and one wrong: between pairs nothing varies."""
    n = 4 * 20 * (Z / NINE) ** 2
    found = share_interval(np.tile([1.0, 0.0], 10), np.repeat(np.arange(10), 2))
    assert found == pytest.approx(mid_p(0.5 * n, n), abs=1e-9)


def test_a_difference_over_clusters_by_hand():
    design = 4 * 10 / 9
    n = 3.5 / (3 * design / 40 + 0.5 / 10)
    square = design * 0.3 * 0.7 / 40 * n + 0.3**2
    square, centre = (square * n + 2) / (n + 2), 0.3 * n / (n + 2)
    half = NINE * np.sqrt((square - centre**2) / (n + 2))
    found = difference_interval(*THREE_OF_TEN)
    assert found == pytest.approx((centre - half, centre + half), abs=1e-9)
    values, clusters = THREE_OF_TEN
    assert difference_interval(-values, clusters) == pytest.approx(
        (-centre - half, half - centre), abs=1e-9
    )


def test_differences_stay_within_one():
    assert difference_interval(np.ones(3))[1] == 1
    assert difference_interval(-np.ones(3))[0] == -1


def test_clusters_of_numbers_are_the_draws():
    clusters = np.repeat(np.arange(60), 2)
    values = np.where(clusters < 30, 0.0, 1.0)
    low, high = mean_interval(values, clusters)
    half = student.ppf(0.975, 59) * np.sqrt(0.25 / 59)
    assert (low, high) == pytest.approx((0.5 - half, 0.5 + half))


@pytest.mark.parametrize(
    ("clusters", "given"),
    [
        (np.arange(59), False),
        (np.arange(60), True),
        (np.repeat(np.arange(59), 4), False),  # many rows of few clusters are few draws
        (np.repeat(np.arange(64), np.tile([1, 3], 32)), False),  # 64 unequal ones weigh as 51.2
        (np.repeat(np.arange(80), np.tile([1, 3], 40)), True),  # and 80 as 64
    ],
)
def test_a_mean_of_few_draws_has_no_interval(clusters, given):
    values = np.random.default_rng(0).normal(0.9, 0.02, size=len(clusters))
    assert (mean_interval(values, clusters) != (None, None)) == given


# sixteen rows beside sixteen columns, twelve of them right everywhere
STEP = np.repeat([1.0, 0.0], [12, 4])[:, None] * np.ones(16)


def test_pairs_in_order_by_hand():
    """Columns are all alike; of the rows, four are wrong."""
    rows = 12 * 4 / 16 / 15 / 16  # variance of sixteen draws, of their mean
    variance = (4 * rows + 0.5 * 0.75 * 0.25 / 16) / 4.5
    n = 0.75 * 0.25 / variance * (Z / student.ppf(0.975, 15)) ** 2
    for table, share in ((STEP, 0.75), (STEP.T, 0.75), (1 - STEP, 0.25)):
        assert ordering_interval([table]) == pytest.approx(mid_p(share * n, n), abs=1e-9)


def test_a_target_counts_by_its_rows():
    """A quarter of the rows as above, three quarters all right."""
    rows = 12 * 4 / 16 / 15 / 16 / 16
    draws = 1 / ((1 / 16 + 9 / 16) / 16)
    share = 15 / 16
    variance = (4 * rows + 0.5 * share * (1 - share) / draws) / 4.5
    n = share * (1 - share) / variance * (Z / student.ppf(0.975, draws - 1)) ** 2
    found = ordering_interval([STEP, np.ones((48, 16))])
    assert found == pytest.approx(mid_p(share * n, n), abs=1e-9)


def test_two_rivals_are_the_fewest():
    assert ordering_interval([np.eye(2)]) != (None, None)
    assert ordering_interval([np.eye(2), np.ones((1, 2))]) == (None, None)
