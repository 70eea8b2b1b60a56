"""Retrieval of several right documents: is the first right, and how pure are the first ones?"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from conceptbind.core.arguments import explains_arguments
from conceptbind.core.errors import ShapeError
from conceptbind.metrics.checks import refuse_non_finite
from conceptbind.metrics.ties import rounding

if TYPE_CHECKING:
    from jaxtyping import Bool, Float, Num

    from conceptbind.core.typing import Bools, Floats


@explains_arguments
def first_right(
    scores: Num[Floats, "queries documents"],
    right: Bool[Bools, "queries documents"],
    size: Num[Floats, " queries"] | float = 1.0,
) -> tuple[Bool[Bools, " queries"], Bool[Bools, " queries"]]:
    """Whether the best right document scores strictly above all wrong ones, and whether it ties
    with the best of them (a miss).

    Args:
        scores: (q, t)
        right: (q, t) at least one for each query.
        size: (q,) magnitude of the terms of a score; see `metrics.ties`.

    Raises:
        ShapeError: see `average_precision`.
        ValueRangeError: a score is not finite.
    """
    _require(scores, right)
    best = np.where(right, scores, -np.inf).max(axis=1)
    other = np.where(right, -np.inf, scores).max(axis=1)
    with np.errstate(invalid="ignore"):
        lead = best - other
    margin = rounding(scores, np.broadcast_to(size, best.shape))
    return lead > margin, np.abs(lead) <= margin


@explains_arguments
def average_precision(
    scores: Num[Floats, "queries documents"],
    right: Bool[Bools, "queries documents"],
    size: Num[Floats, " queries"] | float = 1.0,
) -> Float[Floats, " queries"]:
    """Average precision of each query: the mean, over its right documents, of the share of right
    ones down to each. Wrong documents that tie with a right one stand before it.

    Args:
        scores: (q, t)
        right: (q, t) at least one for each query.
        size: (q,) magnitude of the terms of a score.

    Raises:
        ShapeError: the tables differ in shape, or a query has no right document.
        ValueRangeError: a score is not finite.
    """
    _require(scores, right)
    margins = rounding(scores, np.broadcast_to(size, len(scores)))
    found = np.empty(len(scores))
    for query, (mine, wanted) in enumerate(zip(scores, right, strict=True)):
        good, bad = np.sort(mine[wanted])[::-1], np.sort(mine[~wanted])
        before = len(bad) - np.searchsorted(bad, good - margins[query], side="left")
        place = np.arange(1, len(good) + 1)
        found[query] = (place / (place + before)).mean()
    return found


def chance_precision(right: Bool[Bools, "queries documents"]) -> Float[Floats, " queries"]:
    """Average precision that a random order has on average, for each query.

    The document at place k is right with probability R / N; given that, a share (R - 1) / (N - 1)
    of the k - 1 before it are right, too.

    Args:
        right: (q, t) at least one for each query.
    """
    n = right.shape[1]
    harmonic = float((1 / np.arange(1, n + 1)).sum())
    others = (right.sum(axis=1) - 1) / max(n - 1, 1)
    found: Floats = (harmonic + others * (n - harmonic)) / n
    return found


def _require(scores: Floats, right: Bools) -> None:
    if scores.ndim != 2 or scores.shape != right.shape:
        raise ShapeError(
            "scores and what is right must be two (queries, documents) tables of one shape; got "
            f"{scores.shape} and {right.shape}"
        )
    refuse_non_finite(scores, "scores")
    if not right.any(axis=1).all():
        row = int(np.argmin(right.any(axis=1)))
        raise ShapeError(f"query {row} has no right document; leave it out")
