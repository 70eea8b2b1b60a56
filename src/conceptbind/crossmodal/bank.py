"""Every caption that pictures are compared with: of scenes, of their swaps, and of scenes with
another concept.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from conceptbind.core.arguments import explains_arguments
from conceptbind.core.errors import ValueRangeError
from conceptbind.scenes.swaps import all_swaps
from conceptbind.scenes.table import Scenes

if TYPE_CHECKING:
    from jaxtyping import Int

    from conceptbind.core.typing import Ints


@dataclass(frozen=True, eq=False)
class CaptionBank:
    """Every caption that the study compares, as a table of scenes of its own: it is embedded like
    any other.
    """

    scenes: Scenes
    """The different captions."""
    true: Int[Ints, "scenes 2"]
    """(n, 2) row of each scene's caption in both orders."""
    sets: Int[Ints, " scenes"]
    """(n,) row of the caption that names the scene's objects in the order of their ids: one caption
    for each set of objects."""
    swaps: Int[Ints, "swaps 2"]
    """(s, 2) rows of the captions of its attribute swaps, in both orders."""
    swap_of: Int[Ints, " swaps"]
    """(s,) the scene that each swap belongs to."""
    replaced: Int[Ints, "replaced 2"]
    """(r, 2) rows of captions in which one value is replaced by one that no object of the scene
    has."""
    replaced_of: Int[Ints, " replaced"]
    """(r,)"""


@explains_arguments
def caption_bank(scenes: Scenes, seed: int = 0) -> CaptionBank:
    """The captions of a table's scenes, of their attribute swaps, and of scenes with another
    concept.

    Every pair of slots is swapped, in every concept but the last (the noun); a swap that leaves the
    same objects does not exist. One value of each scene is replaced, drawn from a seed.

    Args:
        scenes: the scene table.
        seed: decides which value is replaced, and by which.

    Raises:
        ValueRangeError: the table has captions of its own, which cannot be swapped by slots.
    """
    if scenes.written_captions is not None:
        raise ValueRangeError(
            f"the captions of '{scenes.name}' came with the table, so their attributes cannot be "
            "swapped; leave out the column 'caption' and give a --template"
        )
    table, (m, n_concepts) = scenes.table, scenes.table.shape[1:]
    swap_of, swapped = all_swaps(scenes, range(max(n_concepts - 1, 1)))
    replaced, replaced_of = _replace_one(scenes, np.random.default_rng(seed))
    ordered = scenes.space.object_values(np.sort(scenes.objects, axis=1))
    parts = [table, ordered, swapped, replaced]
    # (n + s + r, 2, m, C)
    both = np.stack([np.concatenate(parts), np.concatenate(parts)[:, ::-1]], axis=1)
    unique, inverse = np.unique(both.reshape(-1, m * n_concepts), axis=0, return_inverse=True)
    both_rows = inverse.reshape(-1, 2)
    ends = np.cumsum([len(part) for part in parts])
    bank = Scenes(
        scenes.space,
        unique.reshape(-1, m, n_concepts),
        name=f"captions of {scenes.name}",
        template=scenes.template,
    )
    true, sets, swaps, others = np.split(both_rows, ends[:-1])
    return CaptionBank(
        bank,
        true,
        sets[:, 0],
        swaps,
        swap_of,
        others,
        replaced_of,
    )


def _replace_one(scenes: Scenes, rng: np.random.Generator) -> tuple[Ints, Ints]:
    """Scenes in which one object has a value that no object of the scene had, and which scenes they
    come from.
    """
    table, of = scenes.table.copy(), []
    for row in range(len(table)):
        free = [
            (k, np.setdiff1d(np.arange(size), scenes.table[row, :, k]))
            for k, size in enumerate(scenes.space.sizes)
            if len(np.unique(scenes.table[row, :, k])) < size
        ]
        if free:
            k, values = free[rng.integers(len(free))]
            table[row, rng.integers(scenes.n_slots), k] = values[rng.integers(len(values))]
            of.append(row)
    rows = np.array(of, dtype=np.int64)
    return table[rows], rows
