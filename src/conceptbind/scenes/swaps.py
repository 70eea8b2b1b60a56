"""What can be exchanged in a scene: attribute swaps, the orders of its objects, and the orbit that
both span.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations, product
from typing import TYPE_CHECKING

import numpy as np

from conceptbind.core.arguments import explains_arguments

if TYPE_CHECKING:
    from jaxtyping import Int

    from conceptbind.core.typing import Ints
    from conceptbind.scenes.table import Scenes


@explains_arguments
def attribute_swaps(
    scenes: Scenes, concept: str
) -> tuple[Int[Ints, " swaps"], Int[Ints, "swaps slots concepts"]]:
    """Scenes in which two objects exchange their value of one concept.

    A swap that leaves the same objects in the scene does not exist: the two objects share the
    value, or are equal in all other concepts.

    Args:
        scenes: the scene table.
        concept: name of the concept whose values are exchanged.

    Returns:
        rows: (s,) row of the scene that each swap starts from; every pair of slots is tried.
        tables: (s, m, C) the swapped scenes.
    """
    return all_swaps(scenes, [scenes.space.index(concept)])


def all_swaps(
    scenes: Scenes, concepts: Sequence[int]
) -> tuple[Int[Ints, " swaps"], Int[Ints, "swaps slots concepts"]]:
    """The swaps of several concepts, as `attribute_swaps` gives them: by pair of slots, then by
    concept.
    """
    rows, tables = [], []
    for (i, j), k in product(combinations(range(scenes.n_slots), 2), concepts):
        swapped = scenes.table.copy()
        swapped[:, [i, j], k] = scenes.table[:, [j, i], k]
        changed = (
            np.sort(scenes.space.object_ids(swapped), axis=1) != np.sort(scenes.objects, axis=1)
        ).any(axis=1)
        rows.append(np.flatnonzero(changed))
        tables.append(swapped[changed])
    if not rows:
        return np.empty(0, dtype=np.int64), np.empty((0, *scenes.table.shape[1:]), dtype=np.int64)
    return np.concatenate(rows), np.concatenate(tables)


@explains_arguments
def pair_ids(scenes: Scenes) -> Int[Ints, " scenes"]:
    """(n,) group of each scene: scenes with the same objects in any order share one.

    Args:
        scenes: the table of n scenes.
    """
    return _groups(np.sort(scenes.objects, axis=1))


@explains_arguments
def orbit_ids(scenes: Scenes) -> Int[Ints, " scenes"]:
    """(n,) group of each scene: its objects in all orders, with all attribute swaps (arXiv
    2502.03566, section 3).

    Swaps and orders reach exactly the scenes that hold the same values of every concept, counted
    with repetition.

    Args:
        scenes: the table of n scenes.
    """
    return _groups(np.sort(scenes.table, axis=1).reshape(len(scenes), -1))


def _groups(keys: Ints) -> Ints:
    return np.unique(keys, axis=0, return_inverse=True)[1].reshape(-1)
