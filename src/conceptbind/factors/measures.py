"""How far rows are sums of value vectors, in which directions these lie, and how many they take
(arXiv 2602.24264, section 5).

The paper scores the rows that it fitted on, and divides by eigenvalues near zero. Here rows that
were not fitted on are scored, and the covariance is shrunk.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from conceptbind.core.errors import ValueRangeError
from conceptbind.factors.means import (
    EXACT,
    UnitRows,
    ValueMeans,
    blocks_of,
    centred,
    directions,
    one_hot,
)
from conceptbind.metrics.intervals import mean_interval
from conceptbind.probes.threads import in_order, steady

if TYPE_CHECKING:
    from jaxtyping import Float, Int, Shaped

    from conceptbind.core.typing import Floats, Ints

ENOUGH = 0.95
"""Share of the variance of value vectors that their rank explains."""
PUBLISHED_EPS = 1e-9
"""What the published code adds to eigenvalues before it divides by them."""


@dataclass(frozen=True, eq=False)
class Explained:
    """Squared lengths of some rows about the mean, and of what the sum of value vectors leaves."""

    left: Float[Floats, " rows"]
    """(r,)"""
    total: Float[Floats, " rows"]
    """(r,)"""

    @property
    def r2(self) -> float:
        """1 - left / total; 0 for the mean alone, below 0 for what is worse than that.

        Raises:
            ValueRangeError: all rows are the mean.
        """
        total = float(self.total.sum())
        if total <= 0:
            raise ValueRangeError(
                "all embeddings are the same, so there is no variance to explain and R^2 is "
                "undefined"
            )
        return 1 - float(self.left.sum()) / total

    def interval(
        self, clusters: Int[Ints, " rows"] | None = None
    ) -> tuple[float | None, float | None]:
        """95 % interval of R^2: that of a ratio of means, by its linear part.

        Args:
            clusters: (r,) rows of one cluster count as one draw.
        """
        ratio = 1 - self.r2
        pull = (self.left - ratio * self.total) / self.total.mean()
        low, high = mean_interval(self.r2 - pull, clusters, bounds=(-np.inf, 1.0))
        return low, high


@steady()
def explained_rows(
    values: Shaped[Floats, "scenes width"] | UnitRows,
    means: ValueMeans,
    rows: Int[Ints, " rows"],
    axes: Mapping[str, Float[Floats, "width _"] | None],
) -> dict[str, Explained]:
    """How much of some rows the sum of value vectors explains, seen in several axes.

    Args:
        values: (n, d) all rows; may be memory-mapped.
        means: what was fitted.
        rows: (r,) rows to score, whose values were all seen (`ValueMeans.known`).
        axes: by name (d, p) maps that rows are seen through; None for the rows as they are.
    """
    kind: type[np.floating[Any]] = np.float64 if len(rows) <= EXACT else np.float32
    through = {name: None if a is None else a.astype(kind) for name, a in axes.items()}
    work = partial(_lengths, values, means, through, kind)
    parts = list(in_order(work, blocks_of(rows)))
    found = {}
    for name in axes:
        left, total = zip(*(part[name] for part in parts), strict=True)
        found[name] = Explained(np.concatenate(left), np.concatenate(total))
    return found


def _lengths(
    values: Floats | UnitRows,
    means: ValueMeans,
    axes: Mapping[str, Floats | None],
    kind: type[np.floating[Any]],
    rows: Ints,
) -> dict[str, tuple[Floats, Floats]]:
    block = centred(values, means.mean, kind, rows)
    rest = block - one_hot(means.labels, rows, kind) @ means.vectors.astype(kind)
    found = {}
    for name, through in axes.items():
        seen = (rest, block) if through is None else (rest @ through, block @ through)
        found[name] = tuple(np.einsum("nd,nd->n", a, a, dtype=np.float64) for a in seen)
    return found  # type: ignore[return-value]


def whitening(
    covariance: Float[Floats, "width width"], n: int
) -> tuple[Float[Floats, "width width"], float]:
    """(d, d) W with W' W near the inverse of a covariance, and how far that was shrunk towards a
    multiple of the identity: the oracle approximating shrinkage (Chen, Wiesel, Eldar and Hero,
    2010).

    Args:
        covariance: (d, d) of n rows.
        n: rows.
    """
    d = len(covariance)
    mean = float(np.trace(covariance)) / d
    square = float(np.mean(covariance**2))
    below = (n + 1) * (square - mean**2 / d)
    share = 1.0 if below <= 0 else min(1.0, (square + mean**2) / below)
    return _root(covariance, share, mean), share


def published_whitening(
    covariance: Float[Floats, "width width"],
) -> Float[Floats, "width width"]:
    """(d, d) the whitening of the published code, which shrinks nothing.

    Args:
        covariance: (d, d)
    """
    values, vectors = np.linalg.eigh(covariance)
    scaled: Floats = vectors / np.sqrt(np.maximum(values, 0) + PUBLISHED_EPS)
    return scaled


def _root(covariance: Floats, share: float, mean: float) -> Floats:
    values, vectors = np.linalg.eigh(covariance)
    kept = (1 - share) * np.maximum(values, 0) + share * mean
    found: Floats = vectors / np.sqrt(np.maximum(kept, np.finfo(float).tiny))
    return found


def span_of(weights: Iterable[Float[Floats, "_ width"]]) -> Float[Floats, "width rank"]:
    """(d, r) orthonormal axes of the space that weights of probes span.

    Args:
        weights: (V_k, d) of each factor.
    """
    stacked = np.concatenate(list(weights))
    _, sizes, axes = np.linalg.svd(stacked, full_matrices=False)
    rank = int((sizes > sizes[0] * 1e-6).sum())
    found: Floats = axes[:rank].T
    return found


@dataclass(frozen=True)
class Cosines:
    """Mean absolute cosine of value vectors."""

    within: float | None
    """Mean of two values of one factor; None where no factor has two."""
    across: float | None
    """Mean of values of two concepts; None where there is one."""
    n_within: int
    """Pairs of values."""
    n_across: int


def cosines_of(means: ValueMeans) -> Cosines:
    """Mean |cos| of value vectors within factors and across concepts. One concept of two objects
    counts as neither: that its vectors are alike is no fault.

    Value vectors of one factor sum to zero, so that with V values even unrelated ones have a mean
    |cos| of about 1 / (V - 1).

    Args:
        means: what was fitted.
    """
    unit, concepts = [_unit(part) for part in directions(means)], means.labels.concepts
    within: list[Floats] = []
    across: list[Floats] = []
    for first, one in enumerate(unit):
        rows, columns = np.triu_indices(len(one), k=1)
        within.append(np.abs(one @ one.T)[rows, columns])
        others = range(first + 1, len(unit))
        different = [other for other in others if concepts[other] != concepts[first]]
        across += [np.abs(one @ unit[other].T).ravel() for other in different]
    return Cosines(_mean(within), _mean(across), _size(within), _size(across))


def cosines_between(means: ValueMeans, first: int, second: int) -> tuple[float | None, int]:
    """Mean |cos| of the value vectors of two factors, or of two values of one, and the pairs.

    Args:
        means: what was fitted.
        first: number of a factor.
        second: that of another, or the same.
    """
    parts = directions(means)
    one, other = _unit(parts[first]), _unit(parts[second])
    found = np.abs(one @ other.T)
    if first == second:
        found = found[np.triu_indices(len(one), k=1)]
    return _mean([found]), found.size


def _unit(rows: Floats) -> Floats:
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    found: Floats = rows / np.maximum(lengths, np.finfo(float).tiny)
    return found


def _size(parts: list[Floats]) -> int:
    return sum(part.size for part in parts)


def _mean(parts: list[Floats]) -> float | None:
    return float(np.concatenate(parts).mean()) if _size(parts) else None


def rank_of(
    vectors: Float[Floats, "values width"],
    other: Float[Floats, "values width"] | None = None,
    weights: Float[Floats, " values"] | None = None,
) -> int | None:
    """Directions that explain 95 % of the variance of a factor's value vectors.

    Noise has directions of its own. With vectors of other rows, variance is what both have in
    common along the directions of the first, which noise has none of.

    Args:
        vectors: (V, d) value vectors.
        other: (V, d) of the same values, from other rows; None takes the vectors' own variance, as
            the paper does.
        weights: (V,) how often each value occurs; equal by default.

    Returns:
        None where nothing is in common.
    """
    scale = np.ones(len(vectors)) if weights is None else np.sqrt(weights / weights.sum())
    one = scale[:, None] * vectors
    _, sizes, axes = np.linalg.svd(one, full_matrices=False)
    shared = sizes**2
    if other is not None:
        shared = np.einsum("vr,vr->r", one @ axes.T, (scale[:, None] * other) @ axes.T)
    total = float(shared.sum())
    if total <= 0:
        return None
    reached = np.flatnonzero(np.cumsum(shared) >= ENOUGH * total - 1e-12 * total)
    return int(reached[0]) + 1
