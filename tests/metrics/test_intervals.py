"""Wilson intervals agree with scipy and with a published table; bootstrap intervals follow their seed, keep groups together,
agree with scipy's, and cover the truth about as often as they say.
"""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binomtest
from scipy.stats import bootstrap as scipy_bootstrap

from conceptbind.errors import ShapeError, ValueRangeError
from conceptbind.metrics import bootstrap, wilson


@given(st.integers(1, 5000), st.data())
@settings(max_examples=50, deadline=None)
def test_wilson_is_scipys(n, data):
    hits = data.draw(st.integers(0, n))
    expected = binomtest(hits, n).proportion_ci(confidence_level=0.95, method="wilson")
    assert wilson(hits, n) == pytest.approx((expected.low, expected.high), abs=1e-9)


@pytest.mark.parametrize(
    ("hits", "n", "low", "high"),
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)],
)
def test_wilson_is_the_published_table(hits, n, low, high):
    """Newcombe, Statistics in Medicine 17 (1998), table I, method 3."""
    assert wilson(hits, n) == pytest.approx((low, high), abs=5e-5)


@given(st.integers(1, 2000), st.data())
@settings(max_examples=50, deadline=None)
def test_wilson_holds_the_share_stays_in_range_and_mirrors(n, data):
    hits = data.draw(st.integers(0, n))
    low, high = wilson(hits, n)
    assert 0 <= low <= hits / n <= high <= 1
    assert low < high
    assert wilson(n - hits, n) == pytest.approx((1 - high, 1 - low), abs=1e-12)


def test_wilson_ends_exactly_at_the_ends():
    assert wilson(0, 7)[0] == 0
    assert wilson(7, 7)[1] == 1


def test_wilson_narrows_with_more_trials_and_less_confidence():
    widths = [high - low for low, high in (wilson(n // 2, n) for n in (10, 100, 1000))]
    assert widths[0] > widths[1] > widths[2]
    low, high = wilson(50, 100, z=1.0)
    assert high - low < widths[1]


@pytest.mark.parametrize(("hits", "n"), [(0, 0), (-1, 5), (6, 5), (0, -3)])
def test_wilson_refuses_counts_that_cannot_be(hits, n):
    with pytest.raises(ValueRangeError, match=f"^expected 0 <= hits <= n with n >= 1; got hits={hits}, n={n}$"):
        wilson(hits, n)


VALUES = np.random.default_rng(0).normal(size=80)


def test_bootstrap_follows_its_seed():
    assert bootstrap(VALUES, seed=1) == bootstrap(VALUES, seed=1)
    assert bootstrap(VALUES, seed=1) != bootstrap(VALUES, seed=2)


def test_bootstrap_is_scipys_percentile_interval():
    expected = scipy_bootstrap((VALUES,), np.mean, n_resamples=4000, method="percentile", rng=np.random.default_rng(5))
    low, high = bootstrap(VALUES, draws=4000)
    assert (low, high) == pytest.approx(expected.confidence_interval, abs=0.02)
    assert high - low == pytest.approx(2 * 1.96 * VALUES.std() / np.sqrt(80), rel=0.1)  # the normal approximation


def test_bootstrap_of_equal_rows_is_a_point():
    assert bootstrap(np.full(20, 3.0)) == (3.0, 3.0)


def test_bootstrap_of_another_statistic_and_of_wide_rows():
    rows = np.column_stack([VALUES, VALUES + 10])
    low, high = bootstrap(rows, lambda sample: float((sample[:, 1] - sample[:, 0]).max()))
    assert low == high == pytest.approx(10)  # rows are drawn whole
    low, high = bootstrap(VALUES, lambda sample: float(np.median(sample)))
    assert low < np.median(VALUES) < high


def test_rows_that_are_each_a_group_are_drawn_as_rows():
    assert bootstrap(VALUES, groups=np.arange(80)) == bootstrap(VALUES)


@given(st.permutations(range(5)))
@settings(max_examples=20, deadline=None)
def test_names_of_groups_matter_only_through_their_order(names):
    groups = np.arange(80) // 16
    assert bootstrap(VALUES, groups=10 * groups + 7, draws=50) == bootstrap(VALUES, groups=groups, draws=50)
    order = np.concatenate([np.flatnonzero(groups == name) for name in names])  # blocks moved, labels with them
    assert bootstrap(VALUES[order], groups=groups[order], draws=50) == pytest.approx(bootstrap(VALUES, groups=groups, draws=50))


def test_copies_in_one_group_add_no_certainty_and_alone_would():
    """Positive control: the same copies without groups give an interval about sqrt(4) narrower."""
    copies, groups = np.repeat(VALUES, 4), np.repeat(np.arange(80), 4)
    together = bootstrap(copies, groups=groups)
    assert together == pytest.approx(bootstrap(VALUES))
    apart = bootstrap(copies)
    assert (together[1] - together[0]) / (apart[1] - apart[0]) == pytest.approx(2, rel=0.2)


def test_one_group_leaves_nothing_to_draw():
    low, high = bootstrap(VALUES, groups=np.zeros(80, dtype=int))
    assert low == high == pytest.approx(VALUES.mean())


def test_groups_of_different_size_are_drawn_whole():
    values, groups = np.array([0.0, 1.0, 1.0, 1.0]), np.array([0, 1, 1, 1])
    seen = set()
    bootstrap(values, lambda sample: seen.add(tuple(sample)) or 0.0, groups=groups, draws=60)
    assert seen == {(0.0, 0.0), (0.0, 1.0, 1.0, 1.0), (1.0, 1.0, 1.0, 0.0), (1.0,) * 6}


def test_the_interval_covers_the_truth_about_as_often_as_it_says():
    rng = np.random.default_rng(9)
    covered = 0
    for seed in range(200):
        low, high = bootstrap(rng.normal(size=60), draws=200, seed=seed)
        covered += low < 0 < high
    assert 0.88 <= covered / 200 <= 0.99


@pytest.mark.parametrize("empty", [np.empty(0), np.empty((0, 3)), []])
def test_no_rows_are_refused(empty):
    with pytest.raises(ValueRangeError, match="^cannot bootstrap an empty table; give at least one row$"):
        bootstrap(empty)


@pytest.mark.parametrize("groups", [[0, 1], [0, 1, 2, 3], [[0], [1], [2]]])
def test_one_group_for_each_row(groups):
    with pytest.raises(ShapeError, match="^one group per row: 3 rows but shape "):
        bootstrap(np.arange(3.0), groups=np.array(groups))
