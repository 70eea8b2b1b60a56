"""What a repair costs: binding against retrieval and single-object recognition, over a pull towards
the identity and over rank.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from conceptbind.repairs.labclip.adapter import Adapter

PULLS = tuple(round(0.1 * step, 1) for step in range(11))
"""Shares of the way from the identity (0) to the fitted map (1)."""
TOLERANCE = 0.01
"""How much of retrieval and of single-object recognition a recommended repair may lose; pulls whose
binding differs by no more are equals."""
ROUNDING = 1e-9
"""Slack of these comparisons: means of shares differ in their last digits."""
WORTH = 0.02
"""Smallest gain on pairs that were not fitted on for which a repair is recommended."""


SURE = 2.576 / 1.960
"""How much wider the interval that decides is than the 95 % interval that is printed: 99 %, since
the pull was chosen among eleven by validation scores of the same scenes, which finds some gain more
often than not."""


def is_sure(gain: float | None, low: float | None) -> bool:
    """Whether the 99 % interval of a paired gain lies above zero, given the lower end of its 95 %
    interval.
    """
    return gain is not None and low is not None and gain - SURE * (gain - low) > 0


def clears_noise(gain: float | None, low: float | None) -> bool:
    """Whether a paired gain is worth a repair: it is sure, and no trifle."""
    return gain is not None and is_sure(gain, low) and gain >= WORTH


@dataclass(frozen=True)
class Scores:
    """What a map of captions achieves on one set of pairs; None where it cannot be measured
    there.
    """

    binding: float | None
    """Share of captions that score strictly above their negative."""
    retrieval: float | None
    """Recall at 1."""
    singles: float | None = None
    """Recognition of single objects by their captions."""


@dataclass(frozen=True)
class Point:
    """One place on the curve."""

    over: Literal["pull", "rank"]
    at: float
    """Share of the way from the identity, or rank of A - I."""
    scores: Scores


def trade_off(
    adapter: Adapter,
    score: Callable[[Adapter], Scores],
    pulls: Iterable[float] = PULLS,
    ranks: Iterable[int] | None = None,
) -> tuple[Point, ...]:
    """Scores along the pull towards the identity and along the rank of A - I.

    Args:
        adapter: the fitted map.
        score: what a map achieves on validation pairs.
        pulls: shares of the way.
        ranks: ranks; by default the powers of two below the width.
    """
    points = [Point("pull", share, score(adapter.pulled(share))) for share in pulls]
    if ranks is None:
        ranks = [2**k for k in range(12) if 2**k < min(adapter.weight.shape)]
    return (
        *points,
        *(Point("rank", rank, score(shortened)) for rank, shortened in _of_ranks(adapter, ranks)),
    )


def _of_ranks(adapter: Adapter, ranks: Iterable[int]) -> Iterable[tuple[int, Adapter]]:
    """I + the best approximation of A - I of each rank (Eckart and Young)."""
    eye = np.eye(*adapter.weight.shape)
    u, s, v = np.linalg.svd(adapter.weight - eye)
    for rank in ranks:
        weight = eye + (u[:, :rank] * s[:rank]) @ v[:rank]
        yield (
            rank,
            Adapter(
                weight.astype(np.float32), adapter.log_temperature, {**adapter.config, "rank": rank}
            ),
        )


def recommend(points: Iterable[Point], tolerance: float = TOLERANCE) -> float:
    """The gentlest pull that binds as well as any, up to the tolerance, among those that lose no
    more than it of anything else.

    0, the identity, is always among them. What lies within the tolerance counts as equal, so that
    rounding decides nothing.
    """
    along = [point for point in points if point.over == "pull"]
    start = next(point.scores for point in along if point.at == 0)

    def kept(now: float | None, then: float | None) -> bool:
        return now is None or then is None or now >= then - tolerance - ROUNDING

    allowed = [
        p
        for p in along
        if kept(p.scores.retrieval, start.retrieval) and kept(p.scores.singles, start.singles)
    ]
    value = [
        p.scores.binding if p.scores.binding is not None else p.scores.retrieval or 0.0
        for p in allowed
    ]
    return min(
        p.at for p, v in zip(allowed, value, strict=True) if v >= max(value) - tolerance - ROUNDING
    )


def mean_curve(curves: Sequence[Sequence[Point]]) -> tuple[Point, ...]:
    """The mean over folds, point by point."""
    return tuple(map(_mean_point, zip(*curves, strict=True)))


def _mean_point(same: Sequence[Point]) -> Point:
    """One place on the curves of several folds."""

    def mean(name: str) -> float | None:
        scores = [getattr(point.scores, name) for point in same]
        known = [score for score in scores if score is not None]
        return float(np.mean(known)) if known else None

    scores = Scores(mean("binding"), mean("retrieval"), mean("singles"))
    return Point(same[0].over, same[0].at, scores)
