"""Scenes that a fit never saw, scored before or after maps of captions and of pictures."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from conceptbind.crossmodal.comparing import compare, either_order
from conceptbind.metrics.choices import forced_choice
from conceptbind.metrics.retrieval import ranks
from conceptbind.repairs.labclip.cost import Scores
from conceptbind.repairs.labclip.pairs import Pairs
from conceptbind.scenes.swaps import pair_ids

if TYPE_CHECKING:
    from jaxtyping import Bool, Float, Int

    from conceptbind.core.typing import Bools, Floats, Ints
    from conceptbind.crossmodal.bank import CaptionBank
    from conceptbind.scenes.table import Scenes

    RowMap = Callable[[Floats], Floats]

FOLDS = 5
"""Parts of the orbits; each is scored by a map that was fitted without it."""
ORDERS = 4
"""Comparisons of a scene with a swap: two orders of mention of its caption, two of the swap's."""


class Singles(NamedTuple):
    """Pictures of single objects, to see what a repair does to plain recognition."""

    images: Float[Floats, "pictures width"]
    """(k, d) unit rows."""
    objects: Int[Ints, " pictures"]
    """(k,) which object each picture shows."""
    queries: Float[Floats, "objects width"]
    """(|O|, d) the caption of each object."""


def parts_of_scenes(
    orbits: Int[Ints, " scenes"], swap_of: Int[Ints, " swaps"], seed: int
) -> Int[Ints, " scenes"]:
    """(n,) part of each scene: orbits that can be swapped and orbits that cannot are dealt out
    alike, so that all parts are of one kind.

    Args:
        orbits: (n,) orbit of each scene.
        swap_of: (s,) scenes that can be swapped.
        seed: of the order in which orbits are dealt out.
    """
    swappable, every = np.unique(orbits[swap_of]), np.unique(orbits)
    rng = np.random.default_rng(seed)
    part_of = np.full(orbits.max() + 1, -1, dtype=np.int64)
    for some in (swappable, np.setdiff1d(every, swappable)):
        part_of[rng.permutation(some)] = np.arange(len(some)) % FOLDS
    assert (part_of[every] >= 0).all()
    return part_of[orbits]


def fold_rows(
    fold_of: Int[Ints, " scenes"], fold: int
) -> tuple[Int[Ints, " chooses"], Int[Ints, " train"]]:
    """Scenes that choose in a fold, and that are fitted on."""
    chooses = (fold + 1) % FOLDS
    return np.flatnonzero(fold_of == chooses), np.flatnonzero(
        (fold_of != fold) & (fold_of != chooses)
    )


class HeldScenes:
    """One encoder's unit rows of scenes and their captions, and what can be scored on them.

    Args:
        x: (n, d) pictures.
        y: (b, d) captions of the bank.
        scenes: the table.
        bank: `caption_bank(scenes)`.
        singles: pictures of single objects.
    """

    def __init__(
        self,
        x: Float[Floats, "scenes width"],
        y: Float[Floats, "captions width"],
        scenes: Scenes,
        bank: CaptionBank,
        singles: Singles | None,
    ) -> None:
        self.x, self.y, self.scenes, self.bank, self.singles = x, y, scenes, bank, singles
        self.candidates, self.own = np.unique(bank.sets, return_inverse=True)
        meaning = pair_ids(bank.scenes)  # both orders of mention mean the same
        of = np.repeat(bank.swap_of, 2)
        self.pair_scene = of
        self.pairs = Pairs.of(
            x,
            y[bank.true[bank.swap_of].reshape(-1)],
            y[bank.swaps.reshape(-1)],
            image_of=of,
            text_ids=meaning[bank.true[bank.swap_of].reshape(-1)],
            negative_ids=meaning[bank.swaps.reshape(-1)],
        )

    def choices(
        self,
        rows: Int[Ints, " rows"],
        y: Float[Floats, "captions width"],
        x: Float[Floats, "scenes width"] | None = None,
    ) -> tuple[Int[Ints, " swaps"], Bool[Bools, "swaps orders"], Bool[Bools, " swaps"]]:
        """The swaps (k,) of some scenes; which of their comparisons are won (k, 4), and whether any
        was a tie (k,).
        """
        swaps = np.flatnonzero(np.isin(self.bank.swap_of, rows))
        of = self.bank.swap_of[swaps]
        shown = self.x[of] if x is None else x[of]
        outcome = compare(shown, y, self.bank.true[of], self.bank.swaps[swaps])
        return swaps, np.stack([won for won, _ in outcome.values()], 1), either_order(outcome)[1]

    def ranks(
        self,
        rows: Int[Ints, " rows"],
        y: Float[Floats, "captions width"],
        x: Float[Floats, "scenes width"] | None = None,
    ) -> tuple[Int[Ints, " rows"], Int[Ints, " rows"]]:
        """Rank of the own caption of some pictures among one caption for each set of objects, and
        ties.
        """
        shown = self.x[rows] if x is None else x[rows]
        return ranks(shown, y[self.candidates], self.own[rows])

    def singles_right(
        self, captions: RowMap | None = None, pictures: RowMap | None = None
    ) -> tuple[Bool[Bools, " pictures"], Bool[Bools, " pictures"]]:
        """Whether pictures of single objects score strictly highest with their own caption, and
        ties.
        """
        assert self.singles is not None
        images, objects, queries = self.singles
        queries = queries if captions is None else captions(queries)
        scores = (images if pictures is None else pictures(images)) @ queries.T
        own = np.take_along_axis(scores, objects[:, None], 1)[:, 0]
        np.put_along_axis(scores, objects[:, None], -np.inf, 1)
        return forced_choice(own, scores.max(1), 1.0)

    def scores(
        self,
        rows: Int[Ints, " rows"],
        captions: RowMap | None = None,
        pictures: RowMap | None = None,
    ) -> Scores:
        """What a map achieves on some scenes."""
        y = self.y if captions is None else captions(self.y)
        x = self.x if pictures is None else pictures(self.x)
        _, won, _ = self.choices(rows, y, x)
        singles = None
        if self.singles is not None:
            singles = float(self.singles_right(captions, pictures)[0].mean())
        return Scores(float(won.mean()), float((self.ranks(rows, y, x)[0] == 1).mean()), singles)
