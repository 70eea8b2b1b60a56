"""Retrieval: at which rank does a query find its own target?"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from conceptbind.errors import ShapeError, ValueRangeError
from conceptbind.metrics.checks import refuse_non_finite
from conceptbind.metrics.ties import rounding

if TYPE_CHECKING:
    from conceptbind.typing import Floats, Ints

CHUNK = 1024


def ranks(queries: Floats, targets: Floats, right: Ints | None = None) -> tuple[Ints, Ints]:
    """Rank of each query's right target by dot product (cosine for unit rows).

    Args:
        queries: (q, d)
        targets: (t, d)
        right: (q,) row of the right target; by default query i belongs to target i.

    Returns:
        ranks: (q,) 1 + the number of other targets that score at least as high: a tie is a miss at rank 1.
        ties: (q,) number of other targets that score the same, up to rounding.

    Raises:
        ShapeError: the widths differ, or `right` is not one target per query.
        ValueRangeError: a feature is NaN or infinite, or `right` is out of range.
    """
    queries, targets = np.asarray(queries), np.asarray(targets)
    if queries.ndim != 2 or targets.ndim != 2 or queries.shape[1] != targets.shape[1]:
        raise ShapeError(f"queries and targets must be (rows, d) with one d; got {queries.shape} and {targets.shape}")
    right = np.arange(len(queries)) if right is None else np.asarray(right)
    if right.shape != (len(queries),):
        raise ShapeError(f"one right target per query: {len(queries)} queries but shape {right.shape}")
    if len(right) and not (right.min() >= 0 and right.max() < len(targets)):
        raise ValueRangeError(f"right targets must lie in 0..{len(targets) - 1}; got {right.min()}..{right.max()}")
    refuse_non_finite(queries, "queries")
    refuse_non_finite(targets, "targets")
    longest = np.linalg.norm(targets, axis=1).max(initial=0)
    margin = rounding(queries @ targets[:1].T, np.linalg.norm(queries, axis=1) * longest)  # (q,)
    rank, ties = np.empty(len(queries), dtype=np.int64), np.empty(len(queries), dtype=np.int64)
    for start in range(0, len(queries), CHUNK):
        rows = slice(start, start + CHUNK)
        scores = queries[rows] @ targets.T  # (b, t)
        own = np.take_along_axis(scores, right[rows, None], axis=1)
        own_margin = margin[rows, None]
        ties[rows] = (np.abs(scores - own) <= own_margin).sum(axis=1) - 1
        rank[rows] = (scores >= own - own_margin).sum(axis=1)
    return rank, ties


def recall_at(rank: Ints, k: int) -> float:
    """Share of queries whose right target is among the first k.

    Raises:
        ShapeError: there are no queries.
    """
    if len(rank) == 0:
        raise ShapeError("there are no queries to average over")
    return float(np.mean(rank <= k))
