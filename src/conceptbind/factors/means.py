"""Value means: one vector for each value of each factor, and the covariance of the rows.

A factor is one concept of one object of a scene; of tables with one object a scene it is the
concept. Rows may be memory-mapped: they are read block by block.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.sparse import csr_matrix

from conceptbind.core.arguments import explains_arguments
from conceptbind.core.errors import ShapeError, ValueRangeError, counted
from conceptbind.metrics.checks import refuse_non_finite
from conceptbind.probes.threads import in_order, steady

if TYPE_CHECKING:
    from jaxtyping import Float, Int, Shaped

    from conceptbind.core.typing import Floats, Ints
    from conceptbind.scenes.table import Scenes

BLOCK = 4096
"""Rows that are read at once."""
EXACT = 20_000
"""Up to so many rows products are taken in double precision; of more in single precision, block by
block, and added up in double precision."""


class UnitRows:
    """Rows that are divided by their length when they are read, so that rows which are larger than
    memory need no copy.

    Args:
        values: (n, d) rows; may be memory-mapped.
    """

    def __init__(self, values: Shaped[Floats, "scenes width"]) -> None:
        self._values, self.shape = values, values.shape

    def __len__(self) -> int:
        return len(self._values)

    def __getitem__(self, rows: Int[Ints, " rows"]) -> Float[Floats, "rows width"]:
        """(r, d) some rows, of length 1.

        Args:
            rows: (r,) which.

        Raises:
            ValueRangeError: a number is not finite, or a row is zero.
        """
        block = np.asarray(self._values[rows], dtype=np.float32)
        refuse_non_finite(block, "embeddings")
        lengths = np.linalg.norm(block, axis=1, keepdims=True)
        if not lengths.all():
            row = int(rows[int(np.argmin(lengths))])
            raise ValueRangeError(
                f"row index {row} of the embeddings is all zeros and cannot be normalised"
            )
        block /= lengths
        return block


@dataclass(frozen=True, eq=False)
class Labels:
    """Which value each scene has, by factor."""

    values: Int[Ints, "scenes factors"]
    """(n, k) value ids."""
    names: tuple[str, ...]
    """(k,) names of the factors."""
    sizes: tuple[int, ...]
    """(k,) values of each."""
    concepts: tuple[str, ...] = ()
    """(k,) the concept of each, which is one for several objects of a scene; the names by
    default."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "concepts", self.concepts or self.names)

    @property
    def starts(self) -> Int[Ints, " factors"]:
        """(k,) number of each factor's first value, where values of all factors are counted on."""
        return np.cumsum((0, *self.sizes[:-1]))

    def shuffled(self, seed: int) -> Labels:
        """The same labels, which belong to other rows: what is left is the level of noise.

        Args:
            seed: of the draw.
        """
        order = np.random.default_rng(seed).permutation(len(self.values))
        return Labels(self.values[order], self.names, self.sizes, self.concepts)


@explains_arguments
def labels_of(scenes: Scenes) -> Labels:
    """The factors of a scene table: its concepts, and where scenes hold several objects the
    concepts of each. A concept of one value says nothing and is left out.

    Args:
        scenes: the table.

    Raises:
        ValueRangeError: no concept has two values.
    """
    space, slots = scenes.space, scenes.n_slots
    told = [(slot, k) for slot in range(slots) for k, size in enumerate(space.sizes) if size > 1]
    if not told:
        raise ValueRangeError("no concept of the scenes has two values; there is nothing to tell")
    names = [
        space.concepts[k] if slots == 1 else f"{space.concepts[k]} {slot + 1}" for slot, k in told
    ]
    values = np.stack([scenes.table[:, slot, k] for slot, k in told], axis=1)
    concepts = tuple(space.concepts[k] for _, k in told)
    return Labels(values, tuple(names), tuple(space.sizes[k] for _, k in told), concepts)


@dataclass(frozen=True, eq=False)
class ValueMeans:
    """What is fitted: a mean, and one vector for each value, added to it."""

    mean: Float[Floats, " width"]
    """(d,) of all rows that were fitted on."""
    counts: Int[Ints, " values"]
    """(V,) rows that have each value; values of all factors one behind the other."""
    vectors: Float[Floats, "values width"]
    """(V, d) mean of the rows that have it, minus the mean; zero where no row has it."""
    covariance: Float[Floats, "width width"]
    """(d, d)"""
    together: Float[Floats, "values values"]
    """(V, V) rows that have both values."""
    n: int
    """Rows that were fitted on."""
    labels: Labels

    def parts(self) -> list[slice]:
        """Where each factor's values stand."""
        ends = np.cumsum(self.labels.sizes).tolist()
        return [slice(end - size, end) for end, size in zip(ends, self.labels.sizes, strict=True)]

    def known(self, rows: Int[Ints, " rows"]) -> Int[Ints, " some"]:
        """Those of some rows whose values were all seen.

        Args:
            rows: (r,) row numbers.
        """
        places = self.labels.values[rows] + self.labels.starts
        found: Ints = rows[(self.counts[places] > 0).all(axis=1)]
        return found


@explains_arguments
@steady()
def value_means(
    values: Shaped[Floats, "scenes width"] | UnitRows,
    labels: Labels,
    rows: Int[Ints, " rows"] | None = None,
) -> ValueMeans:
    """The mean of the rows that have each value, and the covariance of all (arXiv 2602.24264,
    section 5, which takes all rows for both).

    Args:
        values: (n, d) one row per scene; may be memory-mapped.
        labels: of the n scenes.
        rows: those to fit on; all by default.

    Raises:
        ShapeError: rows and labels do not fit.
        ValueRangeError: a number is not finite, or fewer than two rows.
    """
    rows = _required(values, labels, rows)
    kind: type[np.floating[Any]] = np.float64 if len(rows) <= EXACT else np.float32
    # sums about a row near the mean lose no digits
    near = np.asarray(values[rows[:BLOCK]], dtype=np.float64).mean(axis=0)
    size, width = int(sum(labels.sizes)), values.shape[1]
    counts, sums, total = np.zeros(size), np.zeros((size, width)), np.zeros(width)
    second, together = np.zeros((width, width)), np.zeros((size, size))
    work = partial(_sums, values, labels, near.astype(kind), kind)
    for used, both, summed, added, products in in_order(work, blocks_of(rows)):
        counts += used
        together += both
        sums += summed
        total += added
        second += products
    shift = total / len(rows)
    covariance = second / len(rows) - np.outer(shift, shift)
    known = counts > 0
    vectors = np.zeros_like(sums)
    vectors[known] = sums[known] / counts[known, None] - shift
    return ValueMeans(
        near.astype(kind) + shift,
        counts.astype(np.int64),
        vectors,
        (covariance + covariance.T) / 2,
        together,
        len(rows),
        labels,
    )


def _required(
    values: Floats | UnitRows, labels: Labels, rows: Int[Ints, " rows"] | None
) -> Int[Ints, " rows"]:
    if len(values.shape) != 2 or len(values) != len(labels.values):
        raise ShapeError(
            f"one embedding per scene: {counted(len(labels.values), 'scene')} but embeddings of "
            f"shape {values.shape}"
        )
    rows = np.arange(len(values)) if rows is None else np.asarray(rows)
    if len(rows) < 2:
        raise ValueRangeError(f"value means need two rows at least; got {len(rows)}")
    return rows


def blocks_of(rows: Int[Ints, " rows"]) -> Iterator[Int[Ints, " some"]]:
    """Some rows at a time.

    Args:
        rows: (r,) row numbers.
    """
    for start in range(0, len(rows), BLOCK):
        yield rows[start : start + BLOCK]


def _sums(
    values: Floats | UnitRows,
    labels: Labels,
    near: Floats,
    kind: type[np.floating[Any]],
    rows: Ints,
) -> tuple[Floats, Floats, Floats, Floats, Floats]:
    """Uses of each value and of each two, sums of the rows that have it, the sum of all, and their
    products.
    """
    block = centred(values, near, kind, rows)
    chosen = one_hot(labels, rows, kind)
    used = np.asarray(chosen.sum(axis=0), dtype=np.float64).ravel()
    both = (chosen.T @ chosen).toarray()
    return used, both, chosen.T @ block, block.sum(axis=0, dtype=np.float64), block.T @ block


def centred(
    values: Shaped[Floats, "scenes width"] | UnitRows,
    mean: Float[Floats, " width"],
    kind: type[np.floating[Any]],
    rows: Int[Ints, " rows"],
) -> Float[Floats, "rows width"]:
    """(r, d) some rows minus a mean.

    Args:
        values: (n, d) all rows.
        mean: (d,)
        kind: precision.
        rows: (r,) which.

    Raises:
        ValueRangeError: a number is not finite.
    """
    block: Floats = np.asarray(values[rows], dtype=kind) - mean.astype(kind)
    refuse_non_finite(block, "embeddings")
    return block


def one_hot(labels: Labels, rows: Int[Ints, " rows"], kind: type[np.floating[Any]]) -> Any:
    """Sparse (r, V): 1 where a row has a value.

    Args:
        labels: of all rows.
        rows: (r,) which.
        kind: precision.
    """
    columns = labels.values[rows] + labels.starts
    ends = np.arange(len(rows) + 1) * columns.shape[1]
    ones = np.ones(columns.size, dtype=kind)
    return csr_matrix((ones, columns.ravel(), ends), shape=(len(rows), int(sum(labels.sizes))))


def effects_of(means: ValueMeans) -> ValueMeans:
    """The vectors whose sums are nearest to the rows that were fitted on (least squares, of least
    norm). Where every combination occurs equally often they are the value means. Elsewhere a mean
    holds a part of the vectors that its value happens to occur with.

    Args:
        means: what `value_means` returned.
    """
    share = means.counts / means.n
    gram = means.together / means.n - np.outer(share, share)
    sums = share[:, None] * means.vectors
    values, axes = np.linalg.eigh(gram)
    kept = values > values[-1] * len(values) * np.finfo(float).eps * 100
    axes = axes[:, kept]
    vectors = axes @ (axes.T @ sums / values[kept, None])
    for part in means.parts():
        vectors[part] -= share[part] @ vectors[part] / max(share[part].sum(), 1e-300)
    vectors[means.counts == 0] = 0
    return replace(means, vectors=vectors)


def directions(
    means: ValueMeans,
) -> Sequence[Float[Floats, "_ width"]]:
    """(V_k, d) vectors of the values that were seen, by factor."""
    return [means.vectors[part][means.counts[part] > 0] for part in means.parts()]
