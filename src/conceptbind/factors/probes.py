"""Linear probes of all factors in closed form: discriminant analysis from the moments that value
means are made of, with the shrinkage that validation chooses.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from conceptbind.factors.means import EXACT, UnitRows, ValueMeans, blocks_of, centred
from conceptbind.metrics.recognitions import Recognition, join, magnitude, recognition
from conceptbind.probes.threads import in_order, steady

if TYPE_CHECKING:
    from jaxtyping import Float, Int, Shaped

    from conceptbind.core.typing import Floats, Ints

SHRINKAGES = (0.5, 0.1, 0.01, 0.001, 0.0001)
"""How far the covariance within values is drawn towards a multiple of the identity; the strongest
first, which is taken among equals."""


@dataclass(frozen=True, eq=False)
class FactorProbe:
    """Linear scores of the values of one factor."""

    factor: int
    """Its number."""
    weight: Float[Floats, "values width"]
    """(v, d) of the values that were seen."""
    bias: Float[Floats, " values"]
    """(v,)"""
    seen: Int[Ints, " values"]
    """(v,) ids of these values."""
    shrinkage: float


def discriminant(means: ValueMeans, factor: int, shrinkage: float) -> FactorProbe:
    """Linear discriminant analysis of one factor, as `sklearn`'s with `solver="lsqr"` and this
    shrinkage.

    Args:
        means: what was fitted.
        factor: number of the factor.
        shrinkage: 0 to 1.
    """
    return _along(means, factor, (shrinkage,))[0]


def _along(means: ValueMeans, factor: int, shrinkages: tuple[float, ...]) -> list[FactorProbe]:
    part = means.parts()[factor]
    seen = np.flatnonzero(means.counts[part] > 0)
    vectors, prior = means.vectors[part][seen], means.counts[part][seen] / means.n
    inside = means.covariance - (vectors * prior[:, None]).T @ vectors
    values, axes = np.linalg.eigh(inside)
    values, mean = np.maximum(values, 0), max(float(values.mean()), np.finfo(float).tiny)
    turned = vectors @ axes
    found = []
    for shrinkage in shrinkages:
        weight = turned / ((1 - shrinkage) * values + shrinkage * mean) @ axes.T
        bias = np.log(prior) - np.einsum("vd,vd->v", weight, vectors) / 2
        found.append(FactorProbe(factor, weight, bias, seen, shrinkage))
    return found


@steady()
def fit_factor_probes(
    values: Shaped[Floats, "scenes width"] | UnitRows,
    means: ValueMeans,
    validation: Int[Ints, " rows"],
) -> list[FactorProbe]:
    """A probe of each factor; validation chooses its shrinkage by accuracy.

    Args:
        values: (n, d) all rows; may be memory-mapped.
        means: what was fitted, on other rows.
        validation: (r,) rows that choose, whose values were all seen.
    """
    paths = [_along(means, factor, SHRINKAGES) for factor in range(len(means.labels.names))]
    tried = [probe for path in paths for probe in path]  # all in one reading of the rows
    right = [int(one.correct.sum()) for one in recognised(values, means, tried, validation)]
    found = np.array(right).reshape(len(paths), len(SHRINKAGES))
    return [path[best] for path, best in zip(paths, found.argmax(axis=1).tolist(), strict=True)]


@steady()
def recognised(
    values: Shaped[Floats, "scenes width"] | UnitRows,
    means: ValueMeans,
    probes: list[FactorProbe],
    rows: Int[Ints, " rows"],
) -> list[Recognition]:
    """What each probe recognises in some rows: right where the value that is there scores above
    all others. A tie is a miss.

    Args:
        values: (n, d) all rows; may be memory-mapped.
        means: what was fitted.
        probes: of factors, several of one too.
        rows: (r,) which, whose values were all seen.
    """
    kind: type[np.floating[Any]] = np.float64 if len(rows) <= EXACT else np.float32
    parts = list(in_order(partial(_scored, values, means, probes, kind), blocks_of(rows)))
    return [join(list(outcomes)) for outcomes in zip(*parts, strict=True)]


def _scored(
    values: Floats | UnitRows,
    means: ValueMeans,
    probes: list[FactorProbe],
    kind: type[np.floating[Any]],
    rows: Ints,
) -> list[Recognition]:
    block = centred(values, means.mean, kind, rows)
    found = []
    for probe in probes:
        weight = probe.weight.astype(kind)
        scores = block @ weight.T + probe.bias.astype(kind)
        there = means.labels.values[rows, probe.factor][:, None] == probe.seen
        size = magnitude(block, weight) + float(np.abs(probe.bias).max())
        found.append(recognition(scores, there, size))
    return found
