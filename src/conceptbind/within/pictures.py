"""Pictures of scenes and of their swaps: drawn for the purpose, or those that are there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from conceptbind.core.arguments import explains_arguments
from conceptbind.scenes.paraphrases import drawn_swaps, swaps_by_concept
from conceptbind.scenes.swaps import orbit_ids, pair_ids
from conceptbind.scenes.table import Scenes
from conceptbind.within.study import Items
from conceptbind.within.triplets import NEUTRAL, TRAP, Triplets

if TYPE_CHECKING:
    from jaxtyping import Int

    from conceptbind.core.typing import Ints

ANCHOR, PARAPHRASE, SWAP = range(3)
"""Drawings of an orbit: each has places, sizes and a ground of its own."""
MOST_NEGATIVES = 4
"""Given pictures of a swap, and of a scene, that one item is compared with."""


@dataclass(frozen=True, eq=False)
class PictureBank:
    """Pictures to draw, and the triplets that they make."""

    pictures: Scenes
    """The different pictures."""
    places: Int[Ints, " pictures"]
    """(p,) pictures of one number have the same places, sizes and ground; see
    `pictures.folder.draw_pictures`."""
    items: Items
    settings: tuple[Triplets, Triplets]
    """Neutral and trap, as rows of the pictures."""


@explains_arguments
def picture_bank(scenes: Scenes, *, most: int | None = None, seed: int = 0) -> PictureBank:
    """Pictures of scenes, of the same scenes drawn again, and of their attribute swaps.

    An orbit is drawn three times. The anchor is of the first drawing, the paraphrase of the
    second. The swap is of the third (neutral), or of the first, where it keeps the places, sizes
    and ground of the anchor (trap). Paraphrases and swaps have their objects in both orders.

    Args:
        scenes: the table, of a kind that can be drawn.
        most: scenes with a swap that are taken; see `paraphrase_bank`.
        seed: of the draw.
    """
    of, swapped, concept = drawn_swaps(scenes, most, seed)
    orbit = orbit_ids(scenes)[of]
    items = Items(of, concept, orbit, scenes.space.concepts)
    own = scenes.table[of]
    own_again, swapped_again = own[:, ::-1], swapped[:, ::-1]
    wanted = [
        (ANCHOR, own),
        *((PARAPHRASE, tables) for tables in (own, own_again)),
        *((SWAP, tables) for tables in (swapped, swapped_again)),
        *((ANCHOR, tables) for tables in (swapped, swapped_again)),
    ]
    keys = np.concatenate(
        [
            np.column_stack([3 * orbit + place, tables.reshape(len(of), -1)])
            for place, tables in wanted
        ]
    )
    unique, inverse = np.unique(keys, axis=0, return_inverse=True)
    rows = inverse.reshape(len(wanted), -1).T  # (i, 7)
    pictures = Scenes(
        scenes.space,
        unique[:, 1:].reshape(-1, *own.shape[1:]),
        name=f"drawings of {scenes.name}",
        template=scenes.template,
        drawing=scenes.drawing,
    )
    settings = (
        _crossed(NEUTRAL, rows[:, 0], rows[:, 1:3], rows[:, 3:5]),
        _crossed(TRAP, rows[:, 0], rows[:, 1:3], rows[:, 5:7]),
    )
    return PictureBank(pictures, unique[:, 0], items, settings)


def _crossed(setting: str, anchor: Ints, paraphrases: Ints, negatives: Ints) -> Triplets:
    """Every paraphrase (i, 2) with every negative (i, 2) of an item's anchor (i,)."""
    item, order, other = np.indices((len(anchor), 2, 2)).reshape(3, -1)
    return Triplets(
        setting,
        anchor[item],
        paraphrases[item, order],
        negatives[item, other],
        item,
        order,
    )


@explains_arguments
@lru_cache(maxsize=1)
def given_triplets(scenes: Scenes, seed: int = 0) -> tuple[Items, Triplets] | None:
    """Neutral triplets of pictures that are there: the anchor is a scene's picture, the paraphrase
    another one of the same objects, the negative one of its attribute swap.

    Places, sizes and ground of such pictures are as they are, so there is no trap.

    Args:
        scenes: the table, with a picture for each scene.
        seed: of the draw where there are many pictures of one set of objects.

    Returns:
        What is compared, and the triplets as rows of the table; None where no scene has another
        picture and a picture of a swap.
    """
    of, swapped, concept = swaps_by_concept(scenes)
    if not len(of):
        return None
    both = Scenes(scenes.space, np.concatenate([scenes.table, swapped]))
    meaning = pair_ids(both)
    own, other = meaning[: len(scenes)], meaning[len(scenes) :]
    pictures = _by_meaning(own)
    rng = np.random.default_rng(seed)
    parts: list[tuple[int, int, int, int]] = []
    items: list[int] = []
    for swap, row in enumerate(of.tolist()):
        same = [picture for picture in pictures[int(own[row])] if picture != row]
        others = pictures.get(int(other[swap]), [])
        if not same or not others:
            continue
        pairs = [(p, n) for p in _some(same, rng) for n in _some(others, rng)]
        parts += [(row, p, n, len(items)) for p, n in pairs]
        items.append(swap)
    if not items:
        return None
    anchor, paraphrase, negative, item = np.array(parts, dtype=np.int64).T
    kept = np.array(items)
    about = Items(of[kept], concept[kept], orbit_ids(scenes)[of[kept]], scenes.space.concepts)
    return about, Triplets(NEUTRAL, anchor, paraphrase, negative, item)


def _by_meaning(meaning: Ints) -> dict[int, list[int]]:
    found: dict[int, list[int]] = {}
    for row, number in enumerate(meaning.tolist()):
        found.setdefault(number, []).append(row)
    return found


def _some(rows: Sequence[int], rng: np.random.Generator) -> Sequence[int]:
    if len(rows) <= MOST_NEGATIVES:
        return rows
    chosen: list[int] = rng.choice(rows, MOST_NEGATIVES, replace=False).tolist()
    return chosen
