"""95 % intervals: Wilson for shares, bootstrap for everything else."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import sqrt
from typing import TYPE_CHECKING

import numpy as np

from conceptbind.errors import ShapeError, ValueRangeError
from conceptbind.metrics.checks import refuse_non_finite

if TYPE_CHECKING:
    from conceptbind.typing import Floats, Ints

Z95 = 1.959963984540054
"""97.5 % quantile of the normal distribution."""


def wilson(hits: int, n: int, z: float = Z95) -> tuple[float, float]:
    """Wilson's score interval of a share.

    Raises:
        ValueRangeError: no trials, or more hits than trials.
    """
    if n < 1 or not 0 <= hits <= n:
        raise ValueRangeError(f"expected 0 <= hits <= n with n >= 1; got hits={hits}, n={n}")
    share, weight = hits / n, z * z / n
    centre = (share + weight / 2) / (1 + weight)
    half = z * sqrt(share * (1 - share) / n + weight / (4 * n)) / (1 + weight)
    low = 0.0 if hits == 0 else max(0.0, centre - half)
    return low, 1.0 if hits == n else min(1.0, centre + half)


def bootstrap(
    values: Floats,
    statistic: Callable[[Floats], float] = lambda sample: float(np.mean(sample)),
    *,
    groups: Ints | None = None,
    draws: int = 1000,
    seed: int = 0,
) -> tuple[float, float]:
    """Percentile interval of a statistic of rows.

    Args:
        values: (n, ...) rows.
        statistic: of a resample of the rows.
        groups: (n,) rows that depend on each other (the orders of one pair) are drawn together.
        draws: number of resamples.
        seed: of the draws.

    Raises:
        ValueRangeError: no rows, no draws, or a value that is not finite.
        ShapeError: not one group per row.
    """
    values = np.asarray(values)
    if len(values) == 0:
        raise ValueRangeError("cannot bootstrap an empty table; give at least one row")
    if draws < 1:
        raise ValueRangeError(f"expected at least one draw; got {draws}")
    refuse_non_finite(values, "the values to bootstrap")
    rng = np.random.default_rng(seed)
    if groups is None:
        samples = (values[rng.integers(len(values), size=len(values))] for _ in range(draws))
    else:
        groups = np.asarray(groups)
        if groups.shape != (len(values),):
            raise ShapeError(f"one group per row: {len(values)} rows but shape {groups.shape}")
        order = np.argsort(groups, kind="stable")
        members = np.split(order, np.flatnonzero(np.diff(groups[order])) + 1)
        picks = (rng.integers(len(members), size=len(members)) for _ in range(draws))
        samples = (values[np.concatenate([members[i] for i in pick])] for pick in picks)
    low, high = np.quantile([statistic(sample) for sample in samples], [0.025, 0.975])
    return float(low), float(high)


def bootstrap_mean(values: Floats, groups: Ints, *, draws: int = 1000, seed: int = 0) -> tuple[float, float]:
    """Percentile interval of a mean when rows of one group depend on each other: groups are drawn, not rows.

    The same as `bootstrap` with the mean as statistic, from the sum and the size of each group.

    Args:
        values: (n,) real numbers.
        groups: (n,) group of each row.
        draws: number of resamples.
        seed: of the draws.

    Raises:
        ValueRangeError: no rows, no draws, or a value that is not finite.
        ShapeError: not one group per row.
    """
    values, groups = np.asarray(values, dtype=np.float64), np.asarray(groups)
    if len(values) == 0 or draws < 1:
        raise ValueRangeError(f"expected at least one row and one draw; got {len(values)} and {draws}")
    if values.shape != groups.shape or values.ndim != 1:
        raise ShapeError(f"one group per row: values of shape {values.shape} but groups of shape {groups.shape}")
    refuse_non_finite(values, "the values to bootstrap")
    codes = np.unique(groups, return_inverse=True)[1].reshape(-1)
    sums, sizes = np.bincount(codes, values), np.bincount(codes)
    rng = np.random.default_rng(seed)
    means = np.empty(draws)
    for i in range(draws):
        pick = rng.integers(len(sums), size=len(sums))
        means[i] = sums[pick].sum() / sizes[pick].sum()
    low, high = np.quantile(means, [0.025, 0.975])
    return float(low), float(high)


def student(values: Sequence[float]) -> tuple[float, float] | tuple[None, None]:
    """Student's 95 % interval of a mean, as of results with several seeds; None for a single value.

    Raises:
        ValueRangeError: no values, or one that is not finite.
    """
    numbers = np.asarray(values, dtype=np.float64)
    if numbers.ndim != 1 or len(numbers) == 0:
        raise ValueRangeError(f"expected a list of numbers; got shape {numbers.shape}")
    refuse_non_finite(numbers[:, None], "the values")
    if len(numbers) == 1:
        return None, None
    from scipy.stats import t

    half = float(t.ppf(0.975, len(numbers) - 1) * numbers.std(ddof=1) / sqrt(len(numbers)))
    return float(numbers.mean()) - half, float(numbers.mean()) + half
