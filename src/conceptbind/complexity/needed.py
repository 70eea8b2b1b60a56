"""How many products of vectors of values it takes, at least, to hold what objects add beyond their
values.
"""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from conceptbind.core.arguments import explains_arguments

if TYPE_CHECKING:
    from collections.abc import Sequence

    from jaxtyping import Float

    from conceptbind.core.typing import Floats
    from conceptbind.scenes.table import Scenes

HELD = 0.95
"""Share of the variance that the products must hold."""
NOISE = 0.25
"""Share of the variance of the means of objects that may be noise, at most."""
BLOCK = 8192
"""Scenes that are read at once."""


class Needed(NamedTuple):
    """A bound from below."""

    products: int
    """No fewer can hold `HELD` of the variance, whatever their vectors and their map."""
    noise: float
    """Share of the means' variance that the scatter of scenes around sums of objects explains."""


@explains_arguments
def products_needed(values: Float[Floats, "scenes width"], scenes: Scenes) -> Needed | None:
    """How many products of vectors of values, at least, hold 95 % of the variance that objects add
    beyond their values, with all objects seen.

    The part of an object is a table over the values of all concepts with d entries each. A sum of r
    products has rank r at most, however the table is unfolded into a matrix: a concept's values
    against all the rest, or the objects against the d entries. So the smallest rank at which the
    least-squares fit of every unfolding holds the share is a bound from below.

    Args:
        values: (n, d) embeddings.
        scenes: the table.

    Returns:
        None where an object is in no scene of a slot, where objects add nothing, or where more than
        a quarter of the variance of their means may be noise.
    """
    n, sizes, n_objects = len(scenes), scenes.space.sizes, scenes.space.n_objects
    groups = [scenes.objects[:, slot] for slot in range(scenes.n_slots)]
    counts = [np.bincount(group, minlength=n_objects) for group in groups]
    n_free = scenes.n_slots * (n_objects - 1) + 1
    if min(map(np.min, counts)) == 0 or n < 2 * n_free:
        return None
    centre = values.mean(axis=0, dtype=np.float64)
    sums = [np.zeros((n_objects, values.shape[1])) for _ in groups]
    total = 0.0
    for first in range(0, n, BLOCK):
        rows = values[first : first + BLOCK] - centre
        total += float(np.square(rows).sum())
        for group, found in zip(groups, sums, strict=True):
            np.add.at(found, group[first : first + BLOCK], rows)
    means = [found / count[:, None] for found, count in zip(sums, counts, strict=True)]
    explained = sum(
        float((count * np.square(mean).sum(axis=1)).sum())
        for count, mean in zip(counts, means, strict=True)
    )
    scatter = max(total - explained, 0.0) / (n - n_free)
    noise = sum(float((1 / count).sum()) for count in counts) * scatter
    tables = [beyond_values(mean.reshape(*sizes, -1)) for mean in means]
    size = sum(float(np.square(table).sum()) for table in tables)
    if size <= 1e-9 * total / n or noise > NOISE * size:
        return None
    # what is left of the means without their noise is all that products have to hold
    share = HELD * (1 - noise / size)
    return Needed(max(rank_holding(one, share) for one in unfolded(tables)), noise / size)


def unfolded(tables: Sequence[Float[Floats, " ..."]]) -> list[Float[Floats, "_ _"]]:
    """All unfoldings of the tables of objects: objects against the d entries, of all slots together
    since one map serves them, then each concept's values against the rest, slot by slot.

    Args:
        tables: (V_1, ..., V_C, d) of each slot.
    """
    width = tables[0].shape[-1]
    found = [np.concatenate([table.reshape(-1, width) for table in tables])]
    for table, k in product(tables, range(tables[0].ndim - 1)):
        found.append(np.moveaxis(table, k, 0).reshape(table.shape[k], -1))
    return found


def beyond_values(table: Float[Floats, " ..."]) -> Float[Floats, " ..."]:
    """(V_1, ..., V_C, d) what is left of a centred table without the mean of each value.

    Args:
        table: (V_1, ..., V_C, d) vectors of objects, whose mean is zero.
    """
    concepts = set(range(table.ndim - 1))
    effects = [table.mean(axis=tuple(concepts - {k}), keepdims=True) for k in concepts]
    return table - sum(effects)


def rank_holding(matrix: Float[Floats, "rows columns"], share: float = HELD) -> int:
    """The smallest rank that holds a share of the sum of squares.

    Args:
        matrix: (n, k)
        share: of its sum of squares.
    """
    sizes = np.square(np.linalg.svd(matrix, compute_uv=False))
    # a billionth less, so that rounding does not ask for one more
    return int(np.searchsorted(np.cumsum(sizes), (share - 1e-9) * sizes.sum())) + 1
