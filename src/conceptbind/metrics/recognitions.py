"""Recognition: does a scene score what it holds above everything that it does not hold?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from conceptbind.core.arguments import explains_arguments
from conceptbind.core.errors import ShapeError
from conceptbind.metrics.checks import refuse_non_finite
from conceptbind.metrics.ties import rounding

if TYPE_CHECKING:
    from jaxtyping import Bool, Float, Int, Num, Shaped

    from conceptbind.core.typing import Bools, Floats, Ints


@dataclass(frozen=True, eq=False)
class Recognition:
    """Outcome for each scene. Scenes that hold every candidate have nothing to confuse and are not
    scored.
    """

    correct: Bool[Bools, " scenes"]
    """(n,) every present candidate scores strictly above every absent one."""
    tied: Bool[Bools, " scenes"]
    """(n,) the lowest present score equals the highest absent one, up to rounding: a miss,
    counted."""
    scored: Bool[Bools, " scenes"]
    """(n,) at least one candidate is absent."""

    @property
    def n(self) -> int:
        """Scored scenes."""
        return int(self.scored.sum())

    @property
    def hits(self) -> int:
        """Correct scenes among the scored ones."""
        return int(self.correct[self.scored].sum())

    @property
    def ties(self) -> int:
        """Tied scenes among the scored ones."""
        return int(self.tied[self.scored].sum())

    @property
    def accuracy(self) -> float:
        """Share of correct scenes; NaN when no scene could be scored."""
        return self.hits / self.n if self.n else float("nan")


@explains_arguments
def recognition(
    scores: Num[Floats, "scenes candidates"],
    present: Shaped[Bools, "scenes candidates"],
    size: Num[Floats, " scenes"] | None = None,
) -> Recognition:
    """Concept or object recognition (arXiv 2605.31503, section 3).

    Args:
        scores: (n, V) score of each candidate value or object.
        present: (n, V) whether the scene holds it.
        size: (n,) magnitude of the terms that a scene's scores are sums of, which sets what
            rounding explains: the length of its embedding times that of the longest weight. By
            default the largest score.

    Raises:
        ShapeError: the tables differ in shape, or a scene holds no candidate at all.
        ValueRangeError: a score is NaN or infinite.
    """
    scores, present = np.asarray(scores), np.asarray(present, dtype=bool)
    if scores.ndim != 2 or scores.shape != present.shape:
        raise ShapeError(
            "scores and presence must be two (scenes, candidates) tables of one shape; got "
            f"{scores.shape} and {present.shape}"
        )
    refuse_non_finite(scores, "scores")
    if present.shape[1] == 0:
        raise ShapeError(f"there are no candidates to score: the table has shape {scores.shape}")
    if not present.any(axis=1).all():
        raise ShapeError(
            f"the scene at index {int(np.argmin(present.any(axis=1)))} holds none of the "
            f"{scores.shape[1]} candidates"
        )
    lowest_present = np.where(present, scores, np.inf).min(axis=1)
    highest_absent = np.where(present, -np.inf, scores).max(axis=1)
    with np.errstate(invalid="ignore"):  # a scene that holds everything has no absent score: -inf
        lead = lowest_present - highest_absent
    margin = rounding(scores, np.abs(scores).max(axis=1) if size is None else size)
    return Recognition(lead > margin, np.abs(lead) <= margin, np.logical_not(present.all(axis=1)))


def recognised_by(
    weight: Float[Floats, "candidates width"],
    rows: Float[Floats, "scenes width"],
    present: Bool[Bools, "scenes candidates"],
) -> Recognition:
    """Recognition by one linear weight a candidate, without bias.

    Args:
        weight: (V, d)
        rows: (n, d) embeddings.
        present: (n, V) whether the scene holds each candidate.
    """
    return recognition(rows @ weight.T, present, magnitude(rows, weight))


def magnitude(
    rows: Float[Floats, "scenes width"], weight: Float[Floats, "candidates width"]
) -> Float[Floats, " scenes"]:
    """(n,) how large the terms are that scores `rows @ weight.T` are sums of; see `recognition`."""
    size: Floats = np.linalg.norm(rows, axis=1) * np.linalg.norm(weight, axis=1).max()
    return size


def held_among(
    candidates: Int[Ints, " candidates"], held: Int[Ints, "scenes slots"]
) -> Bool[Bools, "scenes candidates"]:
    """(n, K) whether a scene holds each candidate.

    Args:
        candidates: (K,) ids in order.
        held: (n, m) the ids that each scene holds, all of them candidates.
    """
    present = np.zeros((len(held), len(candidates)), dtype=bool)
    np.put_along_axis(present, np.searchsorted(candidates, held), True, axis=1)
    return present


def join(parts: list[Recognition]) -> Recognition:
    """The outcomes of consecutive chunks of scenes as one.

    Args:
        parts: outcomes of the chunks, in order; at least one.

    Raises:
        ShapeError: there are no chunks.
    """
    if not parts:
        raise ShapeError("there are no outcomes to join; score at least one scene")
    return Recognition(
        np.concatenate([part.correct for part in parts]),
        np.concatenate([part.tied for part in parts]),
        np.concatenate([part.scored for part in parts]),
    )
