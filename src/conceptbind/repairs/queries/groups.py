"""Captions in groups: those of one class mean the same, those of another class of the group have
something exchanged.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from conceptbind.core.arguments import explains_arguments
from conceptbind.core.errors import ShapeError
from conceptbind.scenes.swaps import orbit_ids, pair_ids
from conceptbind.scenes.table import Scenes

if TYPE_CHECKING:
    from jaxtyping import Float, Int

    from conceptbind.core.typing import Floats, Ints
    from conceptbind.scenes.paraphrases import ParaphraseBank

EACH = 16
"""Captions of one class at most: all wordings of a scene in both orders. A group has as many
comparisons as the third power of it."""
NONE = -1
"""Where a group has no further caption."""


@dataclass(frozen=True, eq=False)
class Groups:
    """g groups of at most k captions, as rows of one array."""

    rows: Float[Floats, "rows width"]
    """(r, d) unit rows; they may lie on disk."""
    members: Int[Ints, "groups members"]
    """(g, k) rows; -1 behind the last."""
    classes: Int[Ints, "groups members"]
    """(g, k) captions of a group with one number mean the same; -1 behind the last."""
    draws: Int[Ints, " groups"]
    """(g,) groups of one number are one draw, and stay on one side of a split."""

    def __post_init__(self) -> None:
        if self.members.shape != self.classes.shape or len(self.members) != len(self.draws):
            raise ShapeError(
                f"groups need one class for each member and one draw for each group; got "
                f"{self.members.shape}, {self.classes.shape} and {self.draws.shape}"
            )

    def __len__(self) -> int:
        return len(self.members)

    def of_draws(self, draws: Int[Ints, " some"]) -> Groups:
        """The groups of some draws.

        Args:
            draws: their numbers.
        """
        kept = np.isin(self.draws, draws)
        return replace(
            self,
            members=self.members[kept],
            classes=self.classes[kept],
            draws=self.draws[kept],
        )


@explains_arguments
def groups_of_bank(
    rows: Float[Floats, "captions width"],
    bank: ParaphraseBank,
    scenes: Scenes,
    seed: int = 0,
    each: int = EACH,
) -> Groups:
    """One group for each orbit of a bank of captions; its classes are the scenes of the orbit.

    Args:
        rows: (c, d) unit rows of the bank's captions.
        bank: captions in several wordings; see `scenes.paraphrases`.
        scenes: the table of the bank.
        seed: of the draw of captions.
        each: captions of one scene at most.
    """
    said = Scenes(scenes.space, np.concatenate([scenes.table, bank.meaning]))
    orbit, meaning = orbit_ids(said)[len(scenes) :], pair_ids(said)[len(scenes) :]
    return grouped(rows, orbit, meaning, seed, each)


@explains_arguments
def grouped(
    rows: Float[Floats, "captions width"],
    group: Int[Ints, " captions"],
    meaning: Int[Ints, " captions"],
    seed: int = 0,
    each: int = EACH,
) -> Groups:
    """Captions as groups, each group a draw.

    Args:
        rows: (c, d) unit rows.
        group: (c,) the group of each.
        meaning: (c,) equal numbers for captions that mean the same.
        seed: of the draw of captions.
        each: captions of one meaning at most.
    """
    order = np.random.default_rng(seed).permutation(len(meaning))
    place = _place_within(meaning[order])
    chosen = np.sort(order[place < each])
    groups, which = np.unique(group[chosen], return_inverse=True)
    column = _place_within(which)
    shape = len(groups), int(column.max()) + 1
    members, classes = np.full(shape, NONE), np.full(shape, NONE)
    members[which, column], classes[which, column] = chosen, meaning[chosen]
    return Groups(rows, members, classes, groups)


@explains_arguments
def groups_of_triplets(
    rows: Float[Floats, "captions width"],
    triplets: Int[Ints, "triplets 3"],
    draws: Int[Ints, " triplets"] | None = None,
) -> Groups:
    """One group for each caption, its paraphrase and its negative.

    Args:
        rows: (c, d) unit rows of the different captions.
        triplets: (n, 3) rows of a caption, its paraphrase and its negative.
        draws: (n,) triplets of one number are one draw; by default each is its own.
    """
    classes = np.tile(np.array([0, 0, 1]), (len(triplets), 1))
    given = np.arange(len(triplets)) if draws is None else np.asarray(draws)
    return Groups(rows, np.asarray(triplets), classes, given)


def _place_within(numbers: Int[Ints, " items"]) -> Int[Ints, " items"]:
    """(n,) how many items before each have its number."""
    order = np.argsort(numbers, kind="stable")
    first = np.searchsorted(numbers[order], numbers[order], side="left")
    places = np.empty(len(numbers), dtype=np.int64)
    places[order] = np.arange(len(numbers)) - first
    return places
