"""The interval of a median, which needs no shape of the distribution: for results of a few
draws.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from conceptbind.core.errors import ValueRangeError
from conceptbind.metrics.checks import refuse_non_finite

FEWEST = 5
"""Draws from which on the range of all holds the median often enough: 1 - 2 / 2^5 = 0.9375 of the
time."""
SLACK = 0.02
"""How far an interval may stay below its level: five draws cannot reach 0.95."""


def median_interval(
    values: Sequence[float], level: float = 0.95
) -> tuple[float, float] | tuple[None, None]:
    """Interval of the median over draws; None with fewer than five draws, and where all draws are
    equal.

    Of n independent draws the k-th smallest and the k-th largest hold the median between them with
    probability 1 - 2 P(Binomial(n, 1/2) < k), whatever the distribution. The narrowest pair that
    reaches the level, or nearly (`SLACK`), is taken. Nothing is interpolated between two pairs:
    where a distribution has two humps and its median lies between them, interpolated ends hold it
    0.90 of the time (n = 7). Student's interval of the mean promises 95 % as well, but of a few
    draws near a floor it holds 0.34 to 0.74 of the time, and often has no width.

    Args:
        values: one for each draw.
        level: of the interval.

    Raises:
        ValueRangeError: no values, or one that is not finite.
    """
    from scipy.stats import binom

    drawn = np.sort(np.asarray(values, dtype=np.float64))
    if drawn.ndim != 1 or len(drawn) == 0:
        raise ValueRangeError(f"expected a list of numbers; got shape {drawn.shape}")
    refuse_non_finite(drawn[:, None], "the values")
    n = len(drawn)
    if n < FEWEST or drawn[0] == drawn[-1]:
        return None, None
    k = 1
    while k < n // 2 and 1 - 2 * binom.cdf(k, n, 0.5) >= level - SLACK:
        k += 1
    low, high = float(drawn[k - 1]), float(drawn[n - k])
    return (None, None) if low == high else (low, high)
