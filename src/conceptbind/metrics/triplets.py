"""Paraphrase and swap: is a text nearer to another wording of itself than to its swap?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from conceptbind.core.arguments import explains_arguments
from conceptbind.metrics.choices import every, forced_choice

if TYPE_CHECKING:
    from jaxtyping import Bool, Float, Num

    from conceptbind.core.typing import Bools, Floats


@dataclass(frozen=True, eq=False)
class TripletOutcome:
    """What became of n triplets: an anchor, a paraphrase of it, and a negative."""

    correct: Bool[Bools, " triplets"]
    """(n,) by the rule of both sides: the paraphrase is strictly nearer to the anchor than the
    negative is to either of the two."""
    tied: Bool[Bools, " triplets"]
    """(n,) misses of that rule by a tie."""
    one_sided: Bool[Bools, " triplets"]
    """(n,) the paraphrase is strictly nearer to the anchor than the negative is."""
    one_sided_tied: Bool[Bools, " triplets"]
    """(n,) misses of that rule by a tie."""

    def __len__(self) -> int:
        return len(self.correct)


@explains_arguments
def triplet_choice(
    paraphrase: Num[Floats, " triplets"],
    negative: Num[Floats, " triplets"],
    between: Num[Floats, " triplets"],
    size: Num[Floats, " triplets"] | float = 1.0,
    back: Num[Floats, " triplets"] | None = None,
) -> TripletOutcome:
    """The text-only rule of SugarCrepe++ (arXiv 2406.11171, section 3), without and with its second
    comparison. By chance a third, or a half, is right.

    Args:
        paraphrase: (n,) score of the anchor with its paraphrase.
        negative: (n,) score of the anchor with its negative.
        between: (n,) score of the paraphrase with the negative.
        size: magnitude of what the scores were computed from, 1 for cosines; see `forced_choice`.
        back: (n,) score of the paraphrase with the anchor, where the paraphrase asks and scores
            depend on who does, as after a map of queries; the same as `paraphrase` by default.

    Raises:
        ShapeError: the numbers of scores differ.
        ValueRangeError: a score is NaN or infinite.
    """
    one = forced_choice(paraphrase, negative, size)
    other = forced_choice(paraphrase if back is None else back, between, size)
    return TripletOutcome(*every([one, other]), *one)


def cosines(
    one: Float[Floats, "triplets width"], two: Float[Floats, "triplets width"]
) -> Float[Floats, " triplets"]:
    """(n,) inner products of unit rows, pair by pair.

    Args:
        one: (n, d) unit rows.
        two: (n, d) unit rows.
    """
    products: Floats = np.einsum("nd,nd->n", one, two)
    return products
