"""Anchors, paraphrases and swaps as rows of one array, and what becomes of them.

A comparison of level 2 is about one item: a scene and one of its attribute swaps. It has several
triplets, one for each wording, order of mention or drawing, and counts the share that is right.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
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
"""Rows, or triplets with theirs, that are held at once."""


@dataclass(frozen=True, eq=False)
class Tile:
    """Triplets that are alike for all items: each has the same number of rows, and its triplets are
    the same places among them. So the cosines of an item are one small product.
    """

    rows: Int[Ints, "items places"]
    """(i, r) rows of each item."""
    pattern: Int[Ints, "each 3"]
    """(k, 3) places of anchor, paraphrase and negative; the triplets of an item stand together."""

    def global_rows(self) -> Int[Ints, "3 triplets"]:
        """(3, i k) rows of all triplets."""
        return self.rows[:, self.pattern].reshape(-1, 3).T


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
    tile: Tile | None = None
    """The same triplets, where all items have the same; the three columns follow from it."""

    def of_items(self, some: Bool[Bools, " triplets"]) -> Triplets:
        """The triplets of some items, without order and wording.

        Args:
            some: (t,) which triplets are kept.
        """
        kept = self.item[some]
        if self.tile is None:
            anchor, paraphrase = self.anchor[some], self.paraphrase[some]
            return Triplets(self.setting, anchor, paraphrase, self.negative[some], kept)
        each = len(self.tile.pattern)
        whole = some.reshape(-1, each)
        if (whole.all(axis=1) != whole.any(axis=1)).any():
            return replace(self, tile=None).of_items(some)
        tile = Tile(self.tile.rows[whole[:, 0]], self.tile.pattern)
        anchor, paraphrase, negative = tile.global_rows()
        return Triplets(self.setting, anchor, paraphrase, negative, kept, tile=tile)

    def used(self) -> tuple[Int[Ints, " rows"], Triplets]:
        """The rows that occur (u,), in order, and the same triplets as places among them."""
        if self.tile is not None:
            rows, places = np.unique(self.tile.rows, return_inverse=True)
            tile = Tile(places.reshape(self.tile.rows.shape), self.tile.pattern)
            anchor, paraphrase, negative = tile.global_rows()
        else:
            parts = np.stack((self.anchor, self.paraphrase, self.negative))
            rows, places = np.unique(parts, return_inverse=True)
            anchor, paraphrase, negative = places.reshape(3, -1)
            tile = None
        here = replace(self, anchor=anchor, paraphrase=paraphrase, negative=negative, tile=tile)
        return rows, here

    def __len__(self) -> int:
        return len(self.anchor)


def text_triplets(bank: ParaphraseBank) -> tuple[Triplets, Triplets]:
    """The neutral and the trapping triplets of a bank of captions.

    In the neutral setting the paraphrase is in one wording and the swap in another, for every pair
    of wordings and both orders of each. No two of the three captions share a wording. Of any two
    wordings each is the paraphrase's as often as the swap's. So the wording alone wins half of the
    comparisons by the one-sided rule, and at most half by the strict one. As a trap the swap keeps
    the anchor's wording, in both orders. The paraphrase has another one and the reverse order.

    Args:
        bank: see `scenes.paraphrases.paraphrase_bank`.
    """
    n, w = len(bank), len(bank.wordings)
    words, others = np.nonzero(~np.eye(w, dtype=bool))
    pair, order, other = np.indices((len(words), 2, 2)).reshape(3, -1)
    anchor, reworded, swapped = bank.anchor[:, None], bank.paraphrase.reshape(n, -1), bank.neutral
    rows = np.concatenate([anchor, reworded, swapped.reshape(n, -1)], axis=1)
    places = 1 + 2 * words[pair] + order, 1 + 2 * w + 2 * others[pair] + other
    neutral = _tiled(NEUTRAL, rows, *places, order, words[pair])
    wording, other = np.indices((w, 2)).reshape(2, -1)
    rows = np.concatenate([anchor, bank.paraphrase[:, :, 1], bank.trap], axis=1)
    last = np.ones_like(wording)
    trap = _tiled(TRAP, rows, 1 + wording, 1 + w + other, last, wording)
    return neutral, trap


def _tiled(
    setting: str, rows: Ints, paraphrase: Ints, negative: Ints, order: Ints, wording: Ints
) -> Triplets:
    """Triplets of all items from places among their rows; the anchor is the first."""
    each = len(paraphrase)
    pattern = np.stack([np.zeros(each, dtype=np.int64), paraphrase, negative], axis=1)
    tile, n = Tile(rows, pattern), len(rows)
    one, two, three = tile.global_rows()
    item = np.repeat(np.arange(n), each)
    told = item, np.tile(order, n), np.tile(wording, n)
    return Triplets(setting, one, two, three, *told, tile)


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
    if triplets.tile is not None:
        _fill(scores, rows, asking, triplets.tile)
    for start in range(0, len(triplets), CHUNK) if triplets.tile is None else ():
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


def _fill(scores: Floats, rows: Floats, asking: Floats, tile: Tile) -> None:
    """Write the four cosines of all triplets, item by item."""
    items, places = tile.rows.shape
    anchor, paraphrase, negative = tile.pattern.T
    asked = (anchor, paraphrase), (anchor, negative), (paraphrase, negative), (paraphrase, anchor)
    each, most = len(tile.pattern), max(1, CHUNK // places)
    for start in range(0, items, most):
        mine = tile.rows[start : start + most]
        found = rows[mine]
        ask = found if asking is rows else asking[mine]
        alike = ask @ found.transpose(0, 2, 1)  # (i, r, r): who asks, and what is found
        part = slice(start * each, (start + len(mine)) * each)
        for place, (one, other) in enumerate(asked):
            scores[place, part] = alike[:, one, other].ravel()
