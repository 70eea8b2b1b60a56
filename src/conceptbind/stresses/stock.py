"""Scenes that stay the same while one thing about them changes.

A scene is a pair of objects that share no value of the attribute and no noun, so that it has a
swap. In larger scenes further objects stand beside the pair. Scene i with three objects is
scene i with two objects and one more. So settings can be compared scene by scene.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import permutations, product
from typing import TYPE_CHECKING

import numpy as np

from conceptbind.core.arguments import explains_arguments
from conceptbind.core.errors import ValueRangeError
from conceptbind.pictures.varied import VariedStyle
from conceptbind.scenes.space import ConceptSpace
from conceptbind.scenes.split import Split, split_scenes
from conceptbind.scenes.table import Scenes

if TYPE_CHECKING:
    from jaxtyping import Bool, Float, Int

    from conceptbind.core.typing import Bools, Floats, Ints

MOST = 10
"""Objects of the largest scenes."""
PAIR = 2
"""Objects of the base setting, whose attributes are exchanged in the swap."""
LISTED, REVERSED, SHUFFLED = "left to right", "right to left", "shuffled"
"""Orders in which a caption mentions the objects."""
NOTHING = "nothing"
"""What is repeated where all values differ."""


@dataclass(frozen=True, eq=False)
class View:
    """The n scenes of a stock at one setting, from left to right."""

    table: Int[Ints, "scenes slots concepts"]
    """(n, m, C)"""
    pair: Int[Ints, "scenes 2"]
    """(n, 2) slots of the pair."""
    mention: Int[Ints, "scenes slots"]
    """(n, m) slots in the order in which captions mention them."""
    both: bool
    """Whether captions are also read in the reverse order, each caption with each swap."""
    style: VariedStyle
    """How flat pictures look."""

    @property
    def swapped(self) -> Int[Ints, "scenes slots concepts"]:
        """(n, m, C) the pair with its attributes exchanged; all else as it is."""
        return self._exchanged(self.table, slice(0, 1))

    def turned(
        self, table: Int[Ints, "scenes slots concepts"], which: Bool[Bools, " scenes"]
    ) -> Int[Ints, "scenes slots concepts"]:
        """(n, m, C) a table whose pair has changed places in some scenes.

        Args:
            table: (n, m, C) of this view, or its swap.
            which: (n,) scenes in which it has.
        """
        return np.where(which[:, None, None], self._exchanged(table, slice(None)), table)

    def mentioned(
        self, table: Int[Ints, "scenes slots concepts"]
    ) -> Int[Ints, "scenes slots concepts"]:
        """(n, m, C) a table in the order of mention.

        Args:
            table: (n, m, C) of this view, or its swap.
        """
        return np.take_along_axis(table, self.mention[:, :, None], axis=1)

    def _exchanged(self, table: Ints, concepts: slice) -> Ints:
        scene, changed = np.arange(len(table))[:, None], table.copy()
        changed[scene, self.pair, concepts] = table[scene, self.pair[:, ::-1], concepts]
        return changed


@dataclass(frozen=True, eq=False)
class Stock:
    """n scenes, and all that they may be extended by."""

    given: Scenes
    """The table whose concepts, template and kind of drawing are used."""
    objects: Int[Ints, "scenes most concepts"]
    """(n, most, C) the pair, then the objects that are added one by one."""
    keys: Float[Floats, "scenes most"]
    """(n, most) objects with lower keys stand further left."""
    ranks: Float[Floats, "scenes most"]
    """(n, most) where captions are shuffled, objects with lower ranks are mentioned first."""
    thirds: Mapping[str, Int[Ints, "scenes concepts"]]
    """(n, C) a third object that shares a value with the pair, by the concept that it shares."""
    flips: Bool[Bools, "scenes 3"]
    """(n, 3) whether the pair has changed places in the picture of the paraphrase, in the neutral
    swap, and in the trap."""
    split: Split
    """Parts, drawn by orbit of the pair."""

    def __len__(self) -> int:
        return len(self.objects)

    @property
    def most(self) -> int:
        """Objects of the largest scenes that there are."""
        return int(self.objects.shape[1])

    @property
    def orbits(self) -> Int[Ints, " scenes"]:
        """(n,) orbit of the pair: scenes of one are one draw."""
        return self.split.members[:, 0]

    @property
    def space(self) -> ConceptSpace:
        """The concepts: the first is exchanged, the last is the noun."""
        return self.given.space

    def view(
        self,
        slots: int = PAIR,
        *,
        repeated: str = NOTHING,
        order: str | None = None,
        style: VariedStyle | None = None,
    ) -> View:
        """The scenes at a setting.

        Args:
            slots: m, the number of objects.
            repeated: the concept of which a third object repeats a value.
            order: in which captions mention the objects; both from left to right and from right to
                left by default.
            style: how flat pictures look.
        """
        objects = self.objects[:, :slots]
        if repeated != NOTHING:
            objects = objects.copy()
            objects[:, PAIR] = self.thirds[repeated]
        stands = np.argsort(self.keys[:, :slots], axis=1, kind="stable")  # (n, m) objects by slot
        place = np.argsort(stands, axis=1, kind="stable")  # (n, m) slots by object
        table = np.take_along_axis(objects, stands[:, :, None], axis=1)
        mention: Ints = np.broadcast_to(np.arange(slots), place.shape)
        if order == REVERSED:
            mention = mention[:, ::-1]
        elif order == SHUFFLED:
            mention = self._shuffled(place)
        return View(table, place[:, :PAIR], mention, order is None, style or VariedStyle())

    def _shuffled(self, place: Ints) -> Ints:
        """(n, m) an order of mention that is neither from left to right nor from right to left."""
        slots = place.shape[1]
        orders = np.array(list(permutations(range(slots)))[1:-1])
        drawn = (self.ranks[:, 0] * len(orders)).astype(np.int64)
        found: Ints = orders[drawn]
        return found


@explains_arguments
def stock_of(given: Scenes, n: int, seed: int = 0) -> Stock:
    """Draw scenes.

    Pairs are drawn without replacement until all were drawn once, then again. Further objects
    repeat a value of the attribute or a noun only where they must, and never are objects of the
    scene or of its swap.

    Args:
        given: a table whose concepts are used; its first concept is exchanged, the last is the
            noun.
        n: scenes.
        seed: decides everything.

    Raises:
        ValueRangeError: fewer than two concepts or values, or too few scenes for a split.
    """
    space, rng = given.space, np.random.default_rng(seed)
    if len(space.concepts) < 2 or min(space.sizes[0], space.sizes[-1]) < 2:
        raise ValueRangeError(
            f"a swap exchanges an attribute between two nouns; '{given.name}' has "
            f"{', '.join(map(str, space.sizes))} values of {', '.join(space.concepts)}"
        )
    pairs = _pairs(space, n, rng)
    objects = _extended(space, pairs, rng)
    keys = rng.random((n, objects.shape[1]))
    keys[:, :PAIR] = np.sort(keys[:, :PAIR], axis=1)  # the pair stands as it was drawn
    thirds = {}
    if min(space.sizes[0], space.sizes[-1]) > PAIR:
        thirds = {space.concepts[k]: _sharing(space, pairs, k, rng) for k in (0, -1)}
    split = split_scenes(Scenes(space, pairs), "orbit", seed=seed)
    return Stock(
        given,
        objects,
        keys,
        rng.random(keys.shape),
        thirds,
        rng.random((n, 3)) < 0.5,
        split,
    )


def _pairs(space: ConceptSpace, n: int, rng: np.random.Generator) -> Ints:
    """(n, 2, C) pairs that differ in the attribute and in the noun, all about equally often."""
    attributes, nouns = (
        np.array(list(permutations(range(size), 2))) for size in (space.sizes[0], space.sizes[-1])
    )
    which = np.array(list(product(range(len(attributes)), range(len(nouns)))))
    rounds = [rng.permutation(len(which)) for _ in range(-(-n // len(which)))]
    drawn = which[np.concatenate(rounds)[:n]]
    pairs = rng.integers(0, space.sizes, (n, 2, len(space.sizes)))
    pairs[:, :, 0], pairs[:, :, -1] = attributes[drawn[:, 0]], nouns[drawn[:, 1]]
    return pairs


def _extended(space: ConceptSpace, pairs: Ints, rng: np.random.Generator) -> Ints:
    """(n, most, C) the pair and further objects."""
    n, scene = len(pairs), np.arange(len(pairs))
    attributes, nouns = space.sizes[0], space.sizes[-1]
    taken = np.zeros((n, attributes, nouns), dtype=bool)
    for a, b in product(range(2), repeat=2):  # the pair, and its swap
        taken[scene, pairs[:, a, 0], pairs[:, b, -1]] = True
    counts = [np.zeros((n, size)) for size in (attributes, nouns)]
    for slot, (count, k) in product(range(2), zip(counts, (0, -1), strict=True)):
        count[scene, pairs[:, slot, k]] += 1
    objects = [pairs[:, 0], pairs[:, 1]]
    while len(objects) < MOST:
        full: Bools = np.all(taken, axis=2)
        if np.all(full, axis=1).any():
            break
        added = rng.integers(0, space.sizes, (n, len(space.sizes)))
        added[:, 0] = _rarest(counts[0], full, rng)
        added[:, -1] = _rarest(counts[1], taken[scene, added[:, 0]], rng)
        taken[scene, added[:, 0], added[:, -1]] = True
        counts[0][scene, added[:, 0]] += 1
        counts[1][scene, added[:, -1]] += 1
        objects.append(added)
    return np.stack(objects, axis=1)


def _rarest(counts: Floats, forbidden: Bools, rng: np.random.Generator) -> Ints:
    """(n,) the value that occurs least often among those that are allowed; of equal ones, any."""
    found: Ints = np.where(forbidden, np.inf, counts + 0.5 * rng.random(counts.shape)).argmin(1)
    return found


def _sharing(space: ConceptSpace, pairs: Ints, k: int, rng: np.random.Generator) -> Ints:
    """(n, C) an object that shares one value of a concept with one of the pair, and neither the
    attribute nor the noun otherwise.
    """
    n, scene, other = len(pairs), np.arange(len(pairs)), -1 if k == 0 else 0
    found = rng.integers(0, space.sizes, (n, len(space.sizes)))
    found[:, k] = pairs[scene, rng.integers(0, 2, n), k]
    used = np.zeros((n, space.sizes[other]), dtype=bool)
    np.put_along_axis(used, pairs[:, :, other], True, axis=1)
    found[:, other] = _rarest(np.zeros(used.shape), used, rng)
    return found
