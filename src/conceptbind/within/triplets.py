"""Anchors, paraphrases and swaps as rows of one array, and what becomes of them.

A comparison of level 2 is about one item: a scene and one of its attribute swaps. It has several
triplets, one for each wording, order of mention or drawing, and counts the share that is right.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from conceptbind.metrics.triplets import TripletOutcome, cosines, triplet_choice

if TYPE_CHECKING:
    from jaxtyping import Bool, Float, Int

    from conceptbind.core.typing import Bools, Floats, Ints
    from conceptbind.scenes.paraphrases import ParaphraseBank

NEUTRAL, TRAP = "neutral", "trap"
"""Neutral: paraphrase and swap are both worded otherwise than the anchor, and than each other.
Trap: the swap is worded as the anchor is, and the paraphrase is not."""
SETTINGS = (NEUTRAL, TRAP)
GIVEN = "given"
"""Paraphrases and negatives that people wrote: nobody says how their wordings differ."""
CHUNK = 65_536
"""Triplets whose rows are held at once."""


@dataclass(frozen=True, eq=False)
class Triplets:
    """t triplets of one setting about i items, as rows of one array."""

    setting: str
    anchor: Int[Ints, " triplets"]
    paraphrase: Int[Ints, " triplets"]
    negative: Int[Ints, " triplets"]
    item: Int[Ints, " triplets"]
    """(t,) in 0..i-1."""
    order: Int[Ints, " triplets"] | None = None
    """(t,) 0 where the paraphrase names the objects in the anchor's order, 1 in reverse; None for
    pictures."""
    wording: Int[Ints, " triplets"] | None = None
    """(t,) which wording the paraphrase has; None for pictures."""

    def __len__(self) -> int:
        return len(self.anchor)


def text_triplets(bank: ParaphraseBank) -> tuple[Triplets, Triplets]:
    """The neutral and the trapping triplets of a bank of captions.

    In the neutral setting the paraphrase is in one wording and the swap in the next, both orders of
    each: of the three captions no two share a wording, so none is nearer by its surface. As a trap
    the swap keeps the anchor's wording, in both orders, while the paraphrase has another wording
    and the reverse order.

    Args:
        bank: see `scenes.paraphrases.paraphrase_bank`.
    """
    n, w = len(bank), len(bank.wordings)
    item, wording, order, other = np.indices((n, w, 2, 2)).reshape(4, -1)
    neutral = Triplets(
        NEUTRAL,
        bank.anchor[item],
        bank.paraphrase[item, wording, order],
        bank.neutral[item, (wording + 1) % w, other],
        item,
        order,
        wording,
    )
    item, wording, other = np.indices((n, w, 2)).reshape(3, -1)
    trap = Triplets(
        TRAP,
        bank.anchor[item],
        bank.paraphrase[item, wording, 1],
        bank.trap[item, other],
        item,
        np.ones_like(item),
        wording,
    )
    return neutral, trap


@dataclass(frozen=True, eq=False)
class Scored:
    """What became of t triplets."""

    triplets: Triplets
    outcome: TripletOutcome
    to_paraphrase: Float[Floats, " triplets"]
    """(t,) cosine of the anchor with its paraphrase."""
    to_negative: Float[Floats, " triplets"]
    """(t,) cosine of the anchor with its negative."""
    between: Float[Floats, " triplets"]
    """(t,) cosine of the paraphrase with the negative."""

    def by_item(
        self, *, one_sided: bool = False, some: Bool[Bools, " triplets"] | None = None
    ) -> tuple[Int[Ints, " items"], Float[Floats, " items"], Bool[Bools, " items"]]:
        """The items that have triplets (i,), the share of these that is right (i,), and whether any
        is a tie (i,).

        Args:
            one_sided: by the one-sided rule.
            some: (t,) which triplets count; all by default.
        """
        outcome = self.outcome
        right, tied = outcome.correct, outcome.tied
        if one_sided:
            right, tied = outcome.one_sided, outcome.one_sided_tied
        item = self.triplets.item
        if some is not None:
            right, tied, item = right[some], tied[some], item[some]
        items, place = np.unique(item, return_inverse=True)
        counts = np.bincount(place)
        return items, np.bincount(place, right) / counts, np.bincount(place, tied) > 0


def scored(
    rows: Float[Floats, "rows width"],
    triplets: Triplets,
    queries: Float[Floats, "rows width"] | None = None,
) -> Scored:
    """Compare triplets by cosine.

    Args:
        rows: (r, d) unit rows; they may lie on disk.
        triplets: rows of it.
        queries: (r, d) unit rows of the same captions after a map of queries: what asks is taken
            from here, what is found stays as it is. The anchor asks for its paraphrase beside
            the negative, and the paraphrase for the anchor. The same rows by default.
    """
    asking = rows if queries is None else queries
    scores = np.empty((4, len(triplets)), dtype=rows.dtype)
    for start in range(0, len(triplets), CHUNK):
        part = slice(start, start + CHUNK)
        negative, second = rows[triplets.negative[part]], asking[triplets.paraphrase[part]]
        anchor = asking[triplets.anchor[part]]
        scores[0, part] = cosines(anchor, rows[triplets.paraphrase[part]])
        scores[1, part] = cosines(anchor, negative)
        scores[2, part] = cosines(second, negative)
        scores[3, part] = cosines(second, rows[triplets.anchor[part]])
    to_paraphrase, to_negative, between, back = scores
    outcome = triplet_choice(to_paraphrase, to_negative, between, back=back)
    return Scored(triplets, outcome, to_paraphrase, to_negative, between)
