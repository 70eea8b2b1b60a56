"""A rule that is known, in the place of an encoder's own: what a sweep could have found on the same
scenes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from conceptbind.core.arguments import explains_arguments

if TYPE_CHECKING:
    from jaxtyping import Float

    from conceptbind.core.typing import Floats, Ints
    from conceptbind.scenes.table import Scenes

AXES = 64
"""Principal axes of what objects add, along which planted products lie, at most."""


@explains_arguments
def plant(
    values: Float[Floats, "scenes width"], scenes: Scenes, rank: int, seed: int = 0
) -> Float[Floats, "scenes width"] | None:
    """Embeddings like the given ones, but that bind by `rank` products of vectors of values in each
    object.

    The embeddings are split into what values add in each slot, what objects add beyond it, and the
    rest. What objects add gives way to products of the same size along the same axes. The rest,
    which no sum of objects explains, is dealt to other scenes and stays as noise of the same size.

    Args:
        values: (n, d) embeddings.
        scenes: the table.
        rank: number of products.
        seed: of the products and of the dealing.

    Returns:
        (n, d) planted embeddings; None where the table has too few scenes of each object to tell
        noise from objects, or where objects add nothing.
    """
    n, slots = len(scenes), scenes.n_slots
    groups = [scenes.objects[:, i] for i in range(slots)]
    n_free = sum(len(np.unique(group)) - 1 for group in groups) + 1
    if n < 2 * n_free:
        return None
    real = np.asarray(values, dtype=np.float64)
    mean = real.mean(axis=0)
    rest = real - mean
    by_values = _sums(
        rest, [scenes.table[:, i, k] for i in range(slots) for k in range(len(scenes.space.sizes))]
    )
    by_objects = _sums(rest - by_values, groups)
    noise = (rest - by_values - by_objects) * np.sqrt(n / (n - n_free))
    if np.square(by_objects).sum() <= 1e-9 * np.square(rest).sum():
        return None
    rng = np.random.default_rng([seed, rank])
    products = sum(_drawn_products(scenes, slot, rank, rng) for slot in range(slots))
    _, sizes, axes = np.linalg.svd(_second_moment(by_objects))
    directions = rng.normal(size=(rank, min(AXES, len(axes)))) * np.sqrt(sizes[:AXES]) @ axes[:AXES]
    added = products @ directions
    added -= added.mean(axis=0)
    # Products of values also hold what values add alone; only what goes beyond it is made as large
    # as what objects add.
    beyond = added - _sums(
        added, [scenes.table[:, i, k] for i in range(slots) for k in range(len(scenes.space.sizes))]
    )
    size = np.sqrt(np.square(by_objects).sum() / max(float(np.square(beyond).sum()), 1e-30))
    planted: Floats = (mean + by_values + size * beyond + noise[rng.permutation(n)]).astype(
        values.dtype
    )
    return planted


def _drawn_products(scenes: Scenes, slot: int, rank: int, rng: np.random.Generator) -> Floats:
    """(n, r) the product of one slot's values, each with a random vector."""
    vectors = [rng.normal(size=(size, rank)) for size in scenes.space.sizes]
    factors = [of_value[scenes.table[:, slot, k]] for k, of_value in enumerate(vectors)]
    return np.prod(factors, axis=0)


def _sums(rest: Floats, groups: list[Ints]) -> Floats:
    """(n, d) the sum over groupings of the mean of each group: the least-squares fit where all
    combinations occur equally often.
    """
    fitted = np.zeros_like(rest)
    for _ in range(2):  # a second round for tables whose combinations do not occur equally often
        for group in groups:
            codes = np.unique(group, return_inverse=True)[1].reshape(-1)
            left = rest - fitted
            order = np.argsort(codes, kind="stable")
            starts = np.flatnonzero(np.diff(codes[order], prepend=-1))
            means = (
                np.add.reduceat(left[order], starts)
                / np.diff(np.append(starts, len(codes)))[:, None]
            )
            fitted += means[codes]
    return fitted


def _second_moment(rows: Floats) -> Floats:
    """(d, d)"""
    moment: Floats = rows.T @ rows / len(rows)
    return moment
