"""The interval of a median over draws: hand-made cases, and how often it holds what it promises."""

from __future__ import annotations

import numpy as np
import pytest

from conceptbind.errors import ValueRangeError
from conceptbind.metrics import median_interval

SHAPES = {
    "normal": (lambda rng, n: rng.normal(size=n), 0.0),
    "exponential": (lambda rng, n: rng.exponential(size=n), np.log(2)),
    "near a floor": (lambda rng, n: rng.beta(0.5, 3, n), None),
    "heavy tails": (lambda rng, n: rng.standard_cauchy(n), 0.0),
    "two humps": (lambda rng, n: np.where(rng.random(n) < 0.5, rng.normal(-3, 1, n), rng.normal(2.9, 1, n)), None),
}


def test_five_draws_give_their_range():
    assert median_interval([0.3, 0.1, 0.5, 0.2, 0.4]) == (0.1, 0.5)


def test_more_draws_are_interpolated():
    # Six draws: the range holds the median in 1 - 2/64 = 0.96875, the next two in 0.78125 of all cases.
    low, high = median_interval([0, 1, 2, 3, 4, 5])
    inward = (0.96875 - 0.95) / (0.96875 - 0.78125)
    share = 5 * inward / (1 + 4 * inward)
    assert (low, high) == (pytest.approx(share), pytest.approx(5 - share))


def test_no_interval_without_spread_or_with_few_draws():
    assert median_interval([0.0] * 6) == (None, None)
    assert median_interval([0.1, 0.2, 0.3, 0.4]) == (None, None)
    assert median_interval([0.0, 0.0, 0.0, 0.0, 0.2]) == (0.0, 0.2)
    with pytest.raises(ValueRangeError, match="finite"):
        median_interval([0.0, np.nan])
    with pytest.raises(ValueRangeError, match="list of numbers"):
        median_interval([])


def held(draw, truth, n, trials, seed):
    rng = np.random.default_rng(seed)
    found = [median_interval(draw(rng, n)) for _ in range(trials)]
    return np.mean([low is not None and low <= truth <= high for low, high in found])


@pytest.mark.slow
@pytest.mark.parametrize("n", [5, 6, 7, 8, 10, 20])
@pytest.mark.parametrize("shape", SHAPES)
def test_it_holds_the_median_in_95_of_100_cases(shape, n):
    draw, truth = SHAPES[shape]
    if truth is None:
        truth = float(np.median(draw(np.random.default_rng(99), 2_000_001)))
    assert 0.93 <= held(draw, truth, n, 6_000, n) <= 0.97
