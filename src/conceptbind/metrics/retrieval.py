"""Retrieval: at which rank does a query find its own target?"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from conceptbind.core.arguments import explains_arguments
from conceptbind.core.errors import ShapeError, ValueRangeError, counted
from conceptbind.metrics.checks import refuse_non_finite
from conceptbind.metrics.ties import rounding

if TYPE_CHECKING:
    from jaxtyping import Bool, Float, Int

    from conceptbind.core.typing import Bools, Floats, Ints

QUERY_TILE, TARGET_TILE = 512, 2048
"""Queries and targets scored at once."""


@explains_arguments
def ranks(
    queries: Float[Floats, "queries width"],
    targets: Float[Floats, "targets width"],
    right: Int[Ints, " queries"] | None = None,
    belongs: Int[Ints, " targets"] | None = None,
) -> tuple[Int[Ints, " queries"], Int[Ints, " queries"]]:
    """Rank of each query's right target by dot product (cosine for unit rows).

    Args:
        queries: (q, d)
        targets: (t, d)
        right: (q,) row of the right target; by default query i belongs to target i.
        belongs: (t,) query that each target belongs to, where a query has several: the others of
            its own are not counted.

    Returns:
        ranks: (q,) 1 + the number of other targets that score at least as high: a tie is a miss at
            rank 1.
        ties: (q,) number of other targets that score the same, up to rounding.

    Raises:
        ShapeError: the widths differ, `right` is not one target per query, or `belongs` not one
            query per target.
        ValueRangeError: a feature is NaN or infinite, or `right` is out of range.
    """
    queries, targets = np.asarray(queries), np.asarray(targets)
    if queries.ndim != 2 or targets.ndim != 2 or queries.shape[1] != targets.shape[1]:
        raise ShapeError(
            f"queries and targets must be (rows, d) with one d; got {queries.shape} and "
            f"{targets.shape}"
        )
    right = np.arange(len(queries)) if right is None else np.asarray(right)
    if right.shape != (len(queries),):
        raise ShapeError(
            f"one right target per query: {counted(len(queries), 'query')} but shape {right.shape}"
        )
    if len(right) and not (right.min() >= 0 and right.max() < len(targets)):
        raise ValueRangeError(
            f"right targets must lie in 0..{len(targets) - 1}; got {right.min()}..{right.max()}"
        )
    if belongs is not None and np.shape(belongs) != (len(targets),):
        raise ShapeError(
            f"one query per target that it belongs to: {len(targets)} targets but shape "
            f"{np.shape(belongs)}"
        )
    refuse_non_finite(queries, "queries")
    refuse_non_finite(targets, "targets")
    longest = np.linalg.norm(targets, axis=1).max(initial=0)
    # (q,)
    margin = rounding(queries[:1] @ targets[:1].T, np.linalg.norm(queries, axis=1) * longest)
    own = np.einsum("qd,qd->q", queries, targets[right])
    not_below, above = (
        np.zeros(len(queries), dtype=np.int64),
        np.zeros(len(queries), dtype=np.int64),
    )
    for start in range(0, len(queries), QUERY_TILE):
        rows = slice(start, start + QUERY_TILE)
        low, high = ((own[rows] + sign * margin[rows])[:, None] for sign in (-1, 1))
        for first in range(0, len(targets), TARGET_TILE):
            tile = slice(first, first + TARGET_TILE)
            scores = queries[rows] @ targets[tile].T  # a tile that stays in the processor's cache
            counts, beyond = scores >= low, scores > high
            if belongs is not None:
                others = belongs[tile][None] != np.arange(len(queries))[rows, None]
                counts, beyond = counts & others, beyond & others
            not_below[rows] += _count(counts)
            above[rows] += _count(beyond)
    if belongs is not None:
        return not_below + 1, not_below - above
    return not_below, not_below - above - 1


def _count(flags: Bools) -> Ints:
    """(b,) true flags in each row; sixteen bits are enough for a tile, and several times as fast as
    the default sum.
    """
    counted: Ints = np.add.reduce(flags.view(np.uint8), axis=1, dtype=np.uint16)
    return counted


@explains_arguments
def within(
    rank: Int[Ints, " queries"], ties: Int[Ints, " queries"], k: int
) -> tuple[Bool[Bools, " queries"], Bool[Bools, " queries"]]:
    """(q,) whether the right target is among the first k, and whether it would be without its ties:
    a miss by a tie, counted.

    Args:
        rank: (q,) rank of the right target, from 1; the worst that its ties allow.
        ties: (q,) number of targets that tie with it.
        k: how many of the first count.
    """
    return rank <= k, (rank > k) & (rank - ties <= k)


@explains_arguments
def recall_at(rank: Int[Ints, " queries"], k: int) -> float:
    """Share of queries whose right target is among the first k.

    Args:
        rank: (q,) rank of the right target, from 1.
        k: how many of the first count.

    Raises:
        ShapeError: there are no queries.
    """
    if len(rank) == 0:
        raise ShapeError("there are no queries to average over")
    return float(np.mean(rank <= k))
