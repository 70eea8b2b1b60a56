"""Additive structure: is the embedding of a scene a sum of vectors of its objects, or even of its
concepts?

Order 1, main effects: B(s) ~ mean + sum of one vector per value. Order 2, with the interactions of
the concepts of one object: B(s) ~ mean + sum of one vector per object (Levels II and I of arXiv
2605.31503, section 4).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from scipy.linalg import eigh
from scipy.sparse import csr_matrix

from conceptbind.core.arguments import explains_arguments
from conceptbind.core.errors import (
    ShapeError,
    UnknownNameError,
    ValueRangeError,
    counted,
    cut,
    nearest,
)
from conceptbind.metrics.checks import refuse_non_finite
from conceptbind.metrics.variance import squared_sums

if TYPE_CHECKING:
    from jaxtyping import Bool, Float, Int

    from conceptbind.core.typing import Bools, Floats, Ints
    from conceptbind.scenes.table import Scenes

Order = Literal[1, 2]
Estimator = Literal["avg", "avg+pos", "single", "least_squares"]
ESTIMATORS = ("avg", "avg+pos", "single", "least_squares")
MAX_SOLVED = 6000
"""Parameters of the largest least-squares system: its matrix is dense, and solving it takes their
cube."""
CHUNK = 8192
"""Scenes predicted at once."""


@dataclass(frozen=True, eq=False)
class Design:
    """Which parameters each scene of a table adds up."""

    columns: Int[Ints, "scenes terms"]
    """(n, f) parameter of each term; slot-free, two equal objects name one parameter twice."""
    size: int
    """P, parameters in all."""

    def matrix(self, rows: Int[Ints, " rows"]) -> Any:
        """Sparse (len(rows), P): how often each scene uses each parameter."""
        columns = self.columns[rows]
        starts = np.arange(len(rows) + 1) * columns.shape[1]
        return csr_matrix(
            (np.ones(columns.size), columns.ravel(), starts), shape=(len(rows), self.size)
        )


def design(scenes: Scenes, order: Order, *, per_slot: bool) -> Design:
    """The parameters of order 1 (values) or order 2 (objects), of each slot or of all slots
    together; only those that occur.
    """
    space, (n, m) = scenes.space, scenes.objects.shape
    if order == 2:
        columns = scenes.objects + (np.arange(m) * space.n_objects if per_slot else 0)
    else:
        offsets = np.cumsum((0, *space.sizes[:-1]))
        slots = np.arange(m)[:, None] * sum(space.sizes) if per_slot else 0
        columns = (scenes.table + offsets + slots).reshape(n, -1)
    used, codes = np.unique(columns, return_inverse=True)
    return Design(codes.reshape(columns.shape), len(used))


@dataclass(frozen=True, eq=False)
class AdditiveFit:
    """mean + one vector for each parameter that a scene uses."""

    mean: Float[Floats, " width"]
    """(d,) centre."""
    vectors: Float[Floats, "parameters width"]
    """(P, d)"""
    design: Design
    known: Bool[Bools, " parameters"]
    """(P,) whether the fitted scenes hold the parameter; vectors of the others are zero."""

    def part(
        self, rows: Int[Ints, " rows"], stand_ins: Int[Ints, " parameters"] | None = None
    ) -> Float[Floats, "rows width"]:
        """(len(rows), d) what the parameters add up to, without the mean; `stand_ins` (P,)
        exchanges parameters.
        """
        vectors = self.vectors if stand_ins is None else self.vectors[stand_ins]
        summed: Floats = vectors[self.design.columns[rows]].sum(axis=1)
        return summed

    def __getitem__(self, rows: Int[Ints, " rows"]) -> Float[Floats, "rows width"]:
        """(len(rows), d) predicted embeddings."""
        return self.mean + self.part(rows)

    def covered(self, rows: Int[Ints, " rows"]) -> Bool[Bools, " rows"]:
        """(len(rows),) whether every parameter of the scene was fitted."""
        covered: Bools = np.all(self.known[self.design.columns[rows]], axis=1)
        return covered


@explains_arguments
def fit_additive(
    values: Float[Floats, "scenes width"],
    scenes: Scenes,
    rows: Int[Ints, " rows"] | None = None,
    *,
    order: Order = 2,
    estimator: Estimator = "least_squares",
    per_slot: bool | None = None,
    singles: Float[Floats, "objects width"] | None = None,
) -> AdditiveFit:
    """Fit value vectors (order 1, main effects) or object vectors (order 2, with interactions).

    Estimators (arXiv 2605.31503, section 4): `avg` is the centred mean of all scenes that hold the
    object, each slot counted. `avg+pos` is the same for each slot apart. `single` is the centred
    embedding of the scene of that object alone. `least_squares` is the best fit, of least norm
    where several are best. On a full grid least squares equals the centred means.

    Args:
        values: (n, d) one row per scene.
        scenes: the n scenes.
        rows: scenes to fit on; all by default.
        order: 1 for one vector per value, 2 for one per object.
        estimator: see above.
        per_slot: for least squares, whether each slot has vectors of its own (the default).
        singles: (|O|, d) embeddings of scenes of one object, for `single`.

    Raises:
        ShapeError: rows and scenes do not fit.
        UnknownNameError: an unknown estimator.
        ValueRangeError: a value is not finite, `single` without `singles`, or fewer scenes than
            parameters.
    """
    if estimator not in ESTIMATORS:
        raise UnknownNameError(
            f"unknown estimator '{cut(estimator)}'; {nearest(estimator, ESTIMATORS)}"
        )
    if order not in (1, 2):
        raise ValueRangeError(f"the order must be 1 (values) or 2 (objects); got {order}")
    values = np.asarray(values)
    if values.ndim != 2 or len(values) != len(scenes):
        raise ShapeError(
            f"one embedding per scene: {counted(len(scenes), 'scene')} but embeddings of shape "
            f"{values.shape}"
        )
    per_slot = per_slot is not False if estimator == "least_squares" else estimator == "avg+pos"
    rows = np.arange(len(scenes)) if rows is None else np.asarray(rows)
    terms = design(scenes, order, per_slot=per_slot)
    counts, sums, mean = moments(values, terms, rows)
    known = counts > 0
    if estimator == "single":
        return AdditiveFit(mean, _of_singles(singles, scenes, terms, order), terms, known)
    if estimator in ("avg", "avg+pos"):
        vectors = (
            np.divide(sums, counts[:, None], out=np.zeros_like(sums), where=known[:, None])
            - mean * known[:, None]
        )
        return AdditiveFit(mean, vectors, terms, known)
    if terms.size > MAX_SOLVED:
        raise ValueRangeError(
            f"least squares would solve for {terms.size:,} parameters at once, {MAX_SOLVED:,} at "
            "most; use avg+pos, its equal on a full grid"
        )
    fit, rank = least_squares(terms, rows, counts, sums, mean)
    if rank >= len(rows) - 1:
        raise ValueRangeError(
            f"least squares has {rank:,} free parameters for {counted(len(rows), 'scene')}, so "
            "it would fit "
            "anything; use more scenes, or avg"
        )
    return fit


def least_squares(
    terms: Design,
    rows: Int[Ints, " rows"],
    counts: Float[Floats, " parameters"],
    sums: Float[Floats, "parameters width"],
    mean: Float[Floats, " width"],
) -> tuple[AdditiveFit, int]:
    """The best fit by the normal equations, of least norm, and its rank beside the mean; `counts`,
    `sums`, `mean` as `moments` gives them.
    """
    matrix, share = terms.matrix(rows), counts / len(rows)
    gram = (matrix.T @ matrix).toarray() - len(rows) * np.outer(share, share)
    eigenvalues, axes = eigh(gram)
    kept = eigenvalues > max(eigenvalues[-1], 1.0) * terms.size * np.finfo(float).eps
    axes = axes[:, kept]
    vectors = axes @ (
        (axes.T @ (sums - len(rows) * np.outer(share, mean))) / eigenvalues[kept, None]
    )
    return AdditiveFit(mean - share @ vectors, vectors, terms, counts > 0), int(kept.sum())


def moments(
    values: Float[Floats, "scenes width"], terms: Design, rows: Int[Ints, " rows"]
) -> tuple[
    Float[Floats, " parameters"], Float[Floats, "parameters width"], Float[Floats, " width"]
]:
    """Uses of each parameter (P,), sum of the embeddings that use it (P, d), and their mean (d,);
    by chunks, in double precision.
    """
    counts, sums, total = (
        np.zeros(terms.size),
        np.zeros((terms.size, values.shape[1])),
        np.zeros(values.shape[1]),
    )
    for start in range(0, len(rows), CHUNK):
        part = rows[start : start + CHUNK]
        block = np.asarray(values[part], dtype=np.float64)
        refuse_non_finite(block, "embeddings")
        matrix = terms.matrix(part)
        counts += np.asarray(matrix.sum(axis=0)).ravel()
        sums += matrix.T @ block
        total += block.sum(axis=0)
    if len(rows) == 0:
        raise ValueRangeError("an additive fit needs at least one scene")
    return counts, sums, total / len(rows)


def _of_singles(singles: Floats | None, scenes: Scenes, terms: Design, order: Order) -> Floats:
    """Vectors from the embeddings of single objects."""
    if singles is None or len(singles) != scenes.space.n_objects:
        raise ValueRangeError(
            f"'single' needs the embeddings of all {scenes.space.n_objects} single objects; got "
            f"{0 if singles is None else len(singles)}"
        )
    centred = np.asarray(singles, dtype=np.float64) - np.mean(singles, axis=0, dtype=np.float64)
    used = np.unique(scenes.objects)
    if order == 2:
        return centred[used]
    values = scenes.space.object_values(np.arange(scenes.space.n_objects))
    means = [
        centred[values[:, k] == v].mean(axis=0)
        for k, size in enumerate(scenes.space.sizes)
        for v in range(size)
    ]
    offsets = np.cumsum((0, *scenes.space.sizes[:-1]))
    found: Floats = np.stack(means)[np.unique(scenes.table + offsets)]
    return found


@explains_arguments
def explained(
    values: Float[Floats, "scenes width"],
    fit: AdditiveFit,
    rows: Int[Ints, " rows"] | None = None,
    mean: Float[Floats, " width"] | None = None,
) -> float:
    """R^2 of a fit on some scenes, about a mean (by default that of the scenes); memory is bounded
    by a chunk.

    Args:
        values: (n, d) embeddings.
        fit: an additive fit of the same table.
        rows: (k,) scenes to score; all by default.
        mean: (d,) what the variance is about; the mean of the scored scenes by default.

    Raises:
        ValueRangeError: all embeddings are the same, so that there is nothing to explain.
    """
    rows = np.arange(len(values)) if rows is None else np.asarray(rows)
    parts = [rows[start : start + CHUNK] for start in range(0, len(rows), CHUNK)]
    if mean is None:
        mean = sum(np.asarray(values[part], dtype=np.float64).sum(axis=0) for part in parts) / max(
            len(rows), 1
        )
    total = left = 0.0
    for part in parts:
        block = np.asarray(values[part], dtype=np.float64)
        parts_left, parts_total = squared_sums(block, fit[part], mean)
        left, total = left + parts_left, total + parts_total
    scale = float(np.square(np.asarray(values[rows[:1]], dtype=np.float64)).sum()) * len(rows)
    if total <= 1e-12 * scale or total == 0:
        raise ValueRangeError(
            "all embeddings are the same, so there is no variance to explain and R^2 is undefined"
        )
    return 1 - left / total
