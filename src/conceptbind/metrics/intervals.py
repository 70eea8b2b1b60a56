"""95 % intervals: one for shares, one for means and differences, both for rows that depend on each
other.

Scenes are seldom independent draws: the two orders of a pair, the scenes of an orbit, the items of
one picture go right or wrong together. Rows of one cluster are therefore one draw. What is
estimated is the number of independent rows that would carry as much, from the spread of whole
clusters (the linearised variance of survey statistics), and the interval is the one for so many
rows:

- shares: the mid-P interval of the binomial distribution (Lancaster 1961), with the effective
  number of rows and the correction for degrees of freedom of Korn and Graubard (Survey Methodology
  24, 1998). All right or all wrong leaves the rule of three over the clusters;
- differences of shares: Bonett and Price's adjusted interval (Statistics in Medicine 31, 2012),
  with the effective number;
- other means (cosines): Student's t over clusters, transformed for skew (Hall, Journal of the Royal
  Statistical Society B 54, 1992), since cosines near 1 have a long tail on one side.

A macro score is the mean of its groups' means. Small groups say little about their own spread, a
group of one item nothing. So the spread within a group is estimated as if one further item were
drawn from all groups.

None in the place of both ends says that no interval can be given: one cluster, a mean of real
numbers over few clusters, or values without any spread that are not shares.
`tests/metrics/test_coverage.py` simulates how often each kind holds the truth.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf, sqrt
from typing import TYPE_CHECKING

import numpy as np

from conceptbind.core.arguments import explains_arguments
from conceptbind.core.errors import ShapeError, ValueRangeError, counted
from conceptbind.metrics.checks import refuse_non_finite

if TYPE_CHECKING:
    from jaxtyping import Bool, Float, Int, Num, Shaped

    from conceptbind.core.typing import Bools, Floats, Ints

Interval = tuple[float, float] | tuple[None, None]
Z95 = 1.959963984540054
"""97.5 % quantile of the normal distribution."""
FEWEST_FOR_A_MEAN = 60
"""Draws that a mean of real numbers needs for an interval. With fewer, a sample often holds none of
the few draws that lie far from all others, and cannot know that there are any."""
PRIOR = 0.5
"""Clusters of the rarer outcome that the cautious guess, every cluster one draw, counts as when the
effective number is estimated."""


@explains_arguments
def share_interval(
    values: Num[Floats, " rows"] | Bool[Bools, " rows"],
    clusters: Shaped[Ints, " rows"] | None = None,
    groups: Shaped[Ints, " rows"] | None = None,
) -> Interval:
    """95 % interval of a share: of the mean of outcomes from 0 to 1, or of the mean over groups of
    their means.

    Args:
        values: (n,) outcomes, 1 right and 0 wrong; fractions where an outcome is the mean of
            several comparisons.
        clusters: (n,) rows of one cluster count as one draw; by default every row is a draw of its
            own.
        groups: (n,) for a macro score; a cluster may have rows in several groups.

    Returns:
        low, high: None for both where there is only one cluster.

    Raises:
        ValueRangeError: no rows, or a value outside 0..1.
        ShapeError: not one cluster and one group per row.
    """
    values = np.asarray(values, dtype=np.float64)
    sample = _Sample.of(values, clusters, groups)
    if values.min() < 0 or values.max() > 1:
        raise ValueRangeError(f"outcomes must lie in 0..1; got {values.min()} to {values.max()}")
    if sample.n_clusters == 1:
        return None, None
    share = sample.mean
    rarer = min(sample.clusters_with(values), sample.clusters_with(1 - values))
    alone = share * (1 - share) * sample.cluster_weight  # variance if every cluster were one draw
    variance = (rarer * sample.variance(rarer) + PRIOR * alone) / (rarer + PRIOR)
    n_effective = share * (1 - share) / variance if variance > 0 else 1 / sample.cluster_weight
    n_effective = min(n_effective, 4 * len(values)) * (Z95 / sample.quantile()) ** 2
    return mid_p(share * n_effective, n_effective)


@explains_arguments
def difference_interval(
    values: Num[Floats, " rows"],
    clusters: Shaped[Ints, " rows"] | None = None,
    groups: Shaped[Ints, " rows"] | None = None,
) -> Interval:
    """95 % interval of a mean of paired differences of outcomes, after minus before, each from -1
    to 1.

    Args:
        values: (n,) differences.
        clusters: (n,) see `share_interval`.
        groups: (n,) see `share_interval`.

    Returns:
        low, high: None for both where there is only one cluster.

    Raises:
        ValueRangeError: no rows, or a value outside -1..1.
        ShapeError: not one cluster and one group per row.
    """
    values = np.asarray(values, dtype=np.float64)
    sample = _Sample.of(values, clusters, groups)
    if values.min() < -1 or values.max() > 1:
        raise ValueRangeError(
            f"differences of outcomes must lie in -1..1; got {values.min()} to {values.max()}"
        )
    if sample.n_clusters == 1:
        return None, None
    # whose rows are not all the same change
    rarer = min(map(sample.clusters_with, (np.abs(values), 1 - values, 1 + values)))
    design = (
        rarer * sample.design_effect(rarer) * sample.row_weight + PRIOR * sample.cluster_weight
    ) / (rarer + PRIOR)
    n_effective, spread = 1 / design, sample.variance(rarer)
    # as one change up and one down among two further rows would have it
    second = spread * n_effective + sample.mean**2
    second, centre = (
        (second * n_effective + 2) / (n_effective + 2),
        sample.mean * n_effective / (n_effective + 2),
    )
    half = sample.quantile() * sqrt(max(second - centre**2, 0) / (n_effective + 2))
    return max(-1.0, centre - half), min(1.0, centre + half)


@explains_arguments
def mean_interval(
    values: Num[Floats, " rows"],
    clusters: Shaped[Ints, " rows"] | None = None,
    bounds: tuple[float, float] = (-inf, inf),
) -> Interval:
    """95 % interval of a mean of real numbers that are not shares, such as cosines: Student's over
    clusters, transformed for skew.

    Args:
        values: (n,) numbers.
        clusters: (n,) see `share_interval`.
        bounds: what the numbers cannot leave, and the interval neither.

    Returns:
        low, high: None for both where there are fewer than `FEWEST_FOR_A_MEAN` effective clusters
            (clusters of unequal size count for less), or no spread beyond rounding.

    Raises:
        ValueRangeError: no rows, or a value that is not finite.
        ShapeError: not one cluster per row.
    """
    values = np.asarray(values, dtype=np.float64)
    sample = _Sample.of(values, clusters, None)
    too_few = 1 / sample.cluster_weight < FEWEST_FOR_A_MEAN - 1e-6
    if too_few or np.ptp(values) <= 1e-6 * np.abs(values).max():
        return None, None
    from scipy.stats import t

    summed = np.bincount(sample.clusters, values - sample.mean) / len(values)
    spread = float(np.square(summed).sum())
    error, skew = (
        sqrt(spread * sample.n_clusters / (sample.n_clusters - 1)),
        float((summed**3).sum()) / spread**1.5,
    )
    quantile = float(t.ppf(0.975, max(1.0, 1 / sample.cluster_weight - 1)))
    low, high = (sample.mean - error * _unskewed(end, skew) for end in (quantile, -quantile))
    return max(low, bounds[0]), min(high, bounds[1])


def _unskewed(quantile: float, skew: float) -> float:
    """Of the studentised mean whose own skewness is `skew`: the inverse of Hall's
    transformation.
    """
    if abs(skew) < 1e-6:
        return quantile
    return 3 / skew * (float(np.cbrt(1 + skew * (quantile - skew / 6))) - 1)


def ordering_interval(tables: Sequence[Float[Floats, "_ _"]]) -> Interval:
    """95 % interval of the share of pairs in the right order, where each pair is of one row and one
    column (the area under a ROC curve).

    Rows and columns are the draws, not pairs (DeLong, DeLong and Clarke-Pearson, Biometrics 44,
    1988); the interval is mid-P's with as many draws as would give this variance.

    Args:
        tables: of each target (p, a), 1 where a row is above a column; a target counts by its
            number of rows.

    Returns:
        low, high: None for both where a table has fewer than two rows or columns.

    Raises:
        ValueRangeError: there are no tables.
    """
    if not tables:
        raise ValueRangeError("expected at least one table of pairs")
    sizes = [min(table.shape) for table in tables]
    if min(sizes) < 2:
        return None, None
    weights = np.array([len(table) for table in tables]) / sum(map(len, tables))
    share = float(np.clip(weights @ [table.mean() for table in tables], 0, 1))
    of_rows = [table.mean(axis=1) for table in tables]
    of_columns = [table.mean(axis=0) for table in tables]
    variance = sum(
        w**2 * (_variance_of_mean(rows) + _variance_of_mean(columns))
        for w, rows, columns in zip(weights, of_rows, of_columns, strict=True)
    )
    draws = 1 / sum(w**2 / size for w, size in zip(weights, sizes, strict=True))
    rarer = min(_rarer(of_rows), _rarer(of_columns))
    variance = (rarer * variance + PRIOR * share * (1 - share) / draws) / (rarer + PRIOR)
    n_effective = share * (1 - share) / variance if variance > 0 else draws
    from scipy.stats import t

    n_effective *= (Z95 / float(t.ppf(0.975, max(1.0, draws - 1)))) ** 2
    return mid_p(share * n_effective, n_effective)


def _variance_of_mean(draws: Floats) -> float:
    return draws.var(ddof=1) / len(draws)


def _rarer(shares: Sequence[Floats]) -> int:
    """Draws that are right at least once, or those that are wrong at least once: the fewer.

    Args:
        shares: of each target (n,) the share of the pairs of a draw that are in the right order.
    """
    right = sum(int((share > 0).sum()) for share in shares)
    wrong = sum(int((1 - share > 0).sum()) for share in shares)
    return min(right, wrong)


@dataclass(frozen=True, eq=False)
class _Sample:
    """Rows with their weights, clusters and groups."""

    values: Float[Floats, " rows"]
    """(n,)"""
    clusters: Int[Ints, " rows"]
    """(n,) numbered from 0."""
    groups: Int[Ints, " rows"]
    """(n,) numbered from 0."""
    weights: Float[Floats, " rows"]
    """(n,) of each row in the mean; they sum to 1."""

    @classmethod
    def of(cls, values: Floats, clusters: Ints | None, groups: Ints | None) -> _Sample:
        if values.ndim != 1 or len(values) == 0:
            raise ValueRangeError(
                f"expected at least one value in a list; got shape {values.shape}"
            )
        refuse_non_finite(values[:, None], "the values")
        for name, ids in (("cluster", clusters), ("group", groups)):
            if ids is not None and np.shape(ids) != values.shape:
                raise ShapeError(
                    f"one {name} per row: {counted(len(values), 'row')} but shape {np.shape(ids)}"
                )
        n = len(values)
        clusters = (
            np.arange(n)
            if clusters is None
            else np.unique(clusters, return_inverse=True)[1].reshape(-1)
        )
        groups = (
            np.zeros(n, dtype=np.int64)
            if groups is None
            else np.unique(groups, return_inverse=True)[1].reshape(-1)
        )
        sizes = np.bincount(groups)
        return cls(values, clusters, groups, 1 / (len(sizes) * sizes[groups]))

    @property
    def n_clusters(self) -> int:
        return int(self.clusters.max()) + 1

    @property
    def mean(self) -> float:
        """Mean, or mean of the groups' means; no further from 0..1 than the values are."""
        return float(np.clip(self.weights @ self.values, self.values.min(), self.values.max()))

    @property
    def row_weight(self) -> float:
        """Sum of the squared weights: one by the number of rows, if they were independent and
        alike.
        """
        return float(np.square(self.weights).sum())

    @property
    def cluster_weight(self) -> float:
        """The same of clusters."""
        return float(np.square(np.bincount(self.clusters, self.weights)).sum())

    def clusters_with(self, amounts: Floats) -> int:
        """Clusters in which some row has an amount above zero."""
        return len(np.unique(self.clusters[amounts > 1e-9]))

    def quantile(self) -> float:
        """Of Student's distribution, with the effective number of clusters; of the normal one where
        every row is a draw of its own.
        """
        if self.n_clusters == len(self.values):
            return Z95
        from scipy.stats import t

        return float(t.ppf(0.975, max(1.0, 1 / self.cluster_weight - 1)))

    def _smoothed(self, values: Floats) -> Floats:
        """(K,) mean of each group and of one further row that is like the mean of all."""
        sizes = np.bincount(self.groups)
        return (np.bincount(self.groups, values) + self.weights @ values) / (sizes + 1)

    def design_effect(self, informative: int) -> float:
        """Variance of the mean over what it would be if rows were independent; 1 without clusters
        or without two that differ.
        """
        if informative == 0 or self.n_clusters == len(self.values):
            return 1.0
        rest = self.weights * (self.values - self._smoothed(self.values)[self.groups])
        apart = float(np.square(rest).sum())
        together = (
            float(np.square(np.bincount(self.clusters, rest)).sum())
            * self.n_clusters
            / (self.n_clusters - 1)
        )
        return together / apart if apart > 0 else 1.0

    def variance(self, informative: int) -> float:
        """Of the mean."""
        sizes = np.bincount(self.groups)
        within = np.maximum(
            self._smoothed(np.square(self.values)) - np.square(self._smoothed(self.values)), 0
        )
        if len(sizes) > 1:
            within /= 1 - sizes / np.square(sizes + 1)  # what the smoothing takes away on average
        return self.design_effect(informative) * float((within / sizes).sum()) / len(sizes) ** 2


def mid_p(hits: float, n: float) -> tuple[float, float]:
    """95 % mid-P interval of a binomial share; hits and n may be fractions.

    It ends where outcomes further out, with half the probability of the one that was seen, have the
    probability 2.5 %. With no hits it ends at 1 - 0.05^(1/n), the rule of three.

    Args:
        hits: right outcomes, 0 to n.
        n: all outcomes, above 0.

    Raises:
        ValueRangeError: no trials, or more hits than trials.
    """
    from scipy.optimize import brentq
    from scipy.special import betainc

    if not (n > 0 and 0 <= hits <= n):
        raise ValueRangeError(f"expected 0 <= hits <= n with n > 0; got hits={hits}, n={n}")
    nothing = 1e-9 * n

    def at_least(share: float) -> float:
        """Probability of more hits, and half that of as many."""
        as_many = 1.0 if hits <= nothing else float(betainc(hits, n - hits + 1, share))
        more = 0.0 if n - hits <= nothing else float(betainc(hits + 1, n - hits, share))
        return (as_many + more) / 2

    low = (
        0.0 if hits <= nothing else brentq(lambda share: at_least(share) - 0.025, 0, 1, xtol=1e-10)
    )
    high = (
        1.0
        if n - hits <= nothing
        else brentq(lambda share: at_least(share) - 0.975, 0, 1, xtol=1e-10)
    )
    return float(low), float(high)
