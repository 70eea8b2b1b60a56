"""What counts as a tie.

Two scores that are equal in exact arithmetic seldom come out equal to the last bit. A matrix
product sums the same terms in an order that depends on the column. An encoder that is a bag of
words would then win half of its ties by rounding. So scores that differ by less than rounding can
explain are tied.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from jaxtyping import Float, Num

    from conceptbind.core.typing import Floats

ULPS = 16
"""Rounding of a score, in units of the last place of the largest term that it is made of."""


def rounding(
    scores: Num[Floats, " ..."], size: Num[Floats, " *scores"] | float
) -> Float[Floats, " *scores"]:
    """Largest difference that is still a tie.

    Args:
        scores: any array of scores; its type sets the precision.
        size: magnitude of what the scores were computed from, for example the largest score of a
            row.
    """
    kind = np.asarray(scores).dtype
    eps = np.finfo(kind).eps if np.issubdtype(kind, np.floating) else 0.0
    return np.asarray(ULPS * eps * np.asarray(size, dtype=np.float64))
