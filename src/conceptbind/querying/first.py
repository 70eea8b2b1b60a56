"""The first few of many scores."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from conceptbind.core.arguments import explains_arguments
from conceptbind.core.errors import ValueRangeError

if TYPE_CHECKING:
    from jaxtyping import Float, Int

    from conceptbind.core.typing import Floats, Ints

DIGITS = 6
"""Decimals of a score by which documents are told apart; those behind may be rounding."""


@explains_arguments
def first_of(scores: Float[Floats, " documents"], k: int) -> Int[Ints, " first"]:
    """Rows of the k highest scores, the highest first. Those of equal scores keep their order, also
    at the end of the list.

    Args:
        scores: (n,)
        k: how many, at least 1; fewer come back where there are fewer.

    Raises:
        ValueRangeError: k is below 1.
    """
    if k < 1:
        raise ValueRangeError(f"--top must be at least 1; got {k}")
    rounded = np.round(scores.astype(np.float64), DIGITS)
    if k < len(rounded):
        last = rounded[np.argpartition(-rounded, k - 1)[k - 1]]
        above = np.flatnonzero(rounded > last)
        kept = np.concatenate([above, np.flatnonzero(rounded == last)[: k - len(above)]])
    else:
        kept = np.arange(len(rounded))
    order = np.lexsort((kept, -rounded[kept]))
    found: Ints = kept[order]
    return found
