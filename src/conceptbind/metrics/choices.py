"""Forced choice: does the true candidate score strictly above every false one?"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from conceptbind.core.arguments import explains_arguments
from conceptbind.core.errors import ShapeError, UnknownNameError, nearest
from conceptbind.metrics.checks import refuse_non_finite
from conceptbind.metrics.ties import rounding

if TYPE_CHECKING:
    from jaxtyping import Bool, Float, Int, Num

    from conceptbind.core.typing import Bools, Floats, Ints

TIES = ("miss", "first", "last", "hit")
"""What a rule does where the right candidate and others score the same: ours is the first of
these."""


@explains_arguments
def forced_choice(
    true: Num[Floats, " items"],
    false: Num[Floats, " items"] | Num[Floats, "items candidates"],
    size: Num[Floats, " items"] | float | None = None,
) -> tuple[Bool[Bools, " items"], Bool[Bools, " items"]]:
    """Binding accuracy's rule (arXiv 2502.03566, section 4), for one or several false candidates.

    Args:
        true: (n,) score of the true candidate.
        false: (n,) or (n, f) scores of the false ones.
        size: magnitude of the terms that a score is a sum of, which sets what rounding explains:
            the product of the lengths of picture and caption vectors, 1 for cosines. By default the
            larger score of each item.

    Returns:
        correct: (n,) strictly above all false candidates.
        tied: (n,) equal to the best false candidate, up to rounding: a miss, counted.

    Raises:
        ShapeError: the numbers of items differ, or there is no false candidate.
        ValueRangeError: a score is NaN or infinite.
    """
    true, false = np.asarray(true), np.asarray(false)
    false = false[:, None] if false.ndim == 1 else false
    if true.ndim != 1 or false.ndim != 2 or len(true) != len(false) or false.shape[1] == 0:
        raise ShapeError(
            f"expected true scores (n,) and false scores (n,) or (n, f); got {true.shape} and "
            f"{false.shape}"
        )
    refuse_non_finite(true, "true scores")
    refuse_non_finite(false, "false scores")
    best = false.max(axis=1)
    lead = true - best
    margin = rounding(lead, np.maximum(np.abs(true), np.abs(best)) if size is None else size)
    return lead > margin, np.abs(lead) <= margin


def choice_among(
    scores: Float[Floats, "items candidates"],
    right: Int[Ints, " items"] | int,
    ties: str = "miss",
    size: float = 1.0,
) -> tuple[Bool[Bools, " items"], Bool[Bools, " items"]]:
    """Does the right one of several candidates win, by a rule for ties? Published code mostly takes
    the first of equals, as an argmax does.

    Args:
        scores: (n, k) of all candidates in their published order; minus infinity where an item has
            fewer of them.
        right: (n,) place of the right candidate, or one place for all.
        ties: `miss`; `first` and `last`: of equals this one wins; `hit`: the right one wins.
        size: magnitude of the terms that a score is a sum of; see `forced_choice`.

    Returns:
        correct: (n,) whether it wins.
        tied: (n,) whether it is equal to the best of the others, up to rounding, whatever the rule
            makes of that.

    Raises:
        ShapeError: there are fewer than two candidates, or not one right one for each item.
        ValueRangeError: a score is NaN or plus infinity, or the right one has none.
        UnknownNameError: the rule for ties is none of these.
    """
    scores = np.asarray(scores)
    if scores.ndim != 2 or scores.shape[1] < 2:
        raise ShapeError(f"expected scores (n, k) of at least two candidates; got {scores.shape}")
    places = np.broadcast_to(np.asarray(right), (len(scores),))
    if ties not in TIES:
        raise UnknownNameError(f"unknown rule for ties '{ties:.40}'; {nearest(ties, TIES)}")
    items = np.arange(len(scores))
    own = scores[items, places]
    refuse_non_finite(own, "scores of the right candidates")
    others = scores.copy()
    others[items, places] = -np.inf
    best = others.max(axis=1)
    refuse_non_finite(best, "scores of the best other candidates")
    margin = rounding(own, size)
    strict, tied = own - best > margin, np.abs(own - best) <= margin
    if ties == "miss":
        return strict, tied
    if ties == "hit":
        return strict | tied, tied
    equal = np.abs(scores - own[:, None]) <= margin
    order = equal if ties == "first" else equal[:, ::-1]
    winner = order.argmax(axis=1)
    chosen = winner if ties == "first" else scores.shape[1] - 1 - winner
    return strict | (tied & (chosen == places)), tied


def every(
    outcomes: Sequence[tuple[Bool[Bools, " items"], Bool[Bools, " items"]]],
) -> tuple[Bool[Bools, " items"], Bool[Bools, " items"]]:
    """Several choices that must all be right, as one: a miss is a tie where nothing but ties
    prevents it.

    Args:
        outcomes: (correct, tied), (n,) each, of every choice.

    Raises:
        ShapeError: there are no choices.
    """
    if not outcomes:
        raise ShapeError("there are no choices to join; give at least one")
    correct = np.logical_and.reduce([right for right, _ in outcomes])
    possible = np.logical_and.reduce([right | tie for right, tie in outcomes])
    return correct, possible & ~correct
