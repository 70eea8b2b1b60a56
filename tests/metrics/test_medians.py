"""The interval of a median over draws: hand-made cases, and how often it holds what it promises."""

from __future__ import annotations

from math import comb

import numpy as np
import pytest

from conceptbind.core.errors import ValueRangeError
from conceptbind.metrics import median_interval

SHAPES = {
    "normal": (lambda rng, n: rng.normal(size=n), 0.0),
    "exponential": (lambda rng, n: rng.exponential(size=n), np.log(2)),
    "near a floor": (lambda rng, n: rng.beta(0.5, 3, n), None),
    "heavy tails": (lambda rng, n: rng.standard_cauchy(n), 0.0),
    "two humps": (
        lambda rng, n: np.where(rng.random(n) < 0.5, rng.normal(-3, 1, n), rng.normal(2.9, 1, n)),
        None,
    ),
}


def test_five_draws_give_their_range():
    assert median_interval([0.3, 0.1, 0.5, 0.2, 0.4]) == (0.1, 0.5)


@pytest.mark.parametrize(
    ("n", "k"),
    [(5, 1), (6, 1), (7, 1), (8, 1), (9, 2), (10, 2), (11, 3), (14, 4), (20, 6), (40, 14)],
)
def test_more_draws_give_the_narrowest_pair_that_holds_the_median(n, k):
    """By hand: 11 draws, k = 3: 1 - 2 (1 + 11 + 55) / 2^11 = 0.935; 8 draws, k = 2: 1 - 2 (1 + 8) /
    2^8 = 0.9297, too little.
    """
    drawn = np.random.default_rng(n).permutation(n)
    assert median_interval(drawn) == (k - 1, n - k)
    assert exact(n, k) >= 0.93
    assert exact(n, k + 1) < 0.93


def exact(n, k):
    """How often the k-th smallest and the k-th largest of n draws hold the median."""
    return 1 - 2 * sum(comb(n, i) for i in range(k)) / 2**n


def test_no_interval_without_spread_or_with_few_draws():
    assert median_interval([0.0] * 6) == (None, None)
    assert median_interval([0.1, 0.2, 0.3, 0.4]) == (None, None)
    assert median_interval([0.0, 0.0, 0.0, 0.0, 0.2]) == (0.0, 0.2)
    assert median_interval([0.0, 0.2, 0.2, 0.2, 0.2]) == (0.0, 0.2)
    with pytest.raises(
        ValueRangeError,
        match="^the values must be finite; 1 of 2 rows hold NaN or infinite numbers, the first at "
        "index 1$",
    ):
        median_interval([0.0, np.nan])
    with pytest.raises(ValueRangeError, match=r"^expected a list of numbers; got shape \(0,\)$"):
        median_interval([])


def held(draw, truth, n, trials, seed):
    rng = np.random.default_rng(seed)
    found = [median_interval(draw(rng, n)) for _ in range(trials)]
    return np.mean([low is not None and low <= truth <= high for low, high in found])


@pytest.mark.slow
@pytest.mark.parametrize(("n", "k"), [(5, 1), (6, 1), (7, 1), (8, 1), (10, 2), (20, 6)])
@pytest.mark.parametrize("shape", SHAPES)
def test_it_holds_the_median_as_often_as_it_says_whatever_the_distribution(shape, n, k):
    """0.93 to 0.97 for five, six and twenty draws; more where no pair of order statistics comes
    nearer.
    """
    draw, truth = SHAPES[shape]
    if truth is None:
        truth = float(np.median(draw(np.random.default_rng(99), 2_000_001)))
    found = held(draw, truth, n, 6_000, n)
    assert found == pytest.approx(exact(n, k), abs=0.01)
    assert 0.93 <= found <= (0.97 if n in (5, 6, 20) else 1)


def test_two_humps_are_held_too():
    """A short run of the above; with ends interpolated between pairs, 0.90."""
    draw, _ = SHAPES["two humps"]
    truth = float(np.median(draw(np.random.default_rng(99), 200_001)))
    assert held(draw, truth, 7, 1_000, 7) > 0.96
