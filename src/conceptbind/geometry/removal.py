"""Targeted removal: what do probes still recognise when the concept part, or the object part, is
taken out of every embedding?

The parts are fitted on the training scenes only. The controls take out the part of a permuted
assignment: as much of the same kind, but of other concepts or objects (arXiv 2605.31503, section
4).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np

from conceptbind.core.arguments import explains_arguments
from conceptbind.geometry.additive import CHUNK, AdditiveFit, fit_additive

if TYPE_CHECKING:
    from jaxtyping import Float, Int

    from conceptbind.core.typing import Floats, Ints
    from conceptbind.scenes.table import Scenes

Removed = Literal["none", "concepts", "objects", "permuted_concepts", "permuted_objects"]
REMOVED: tuple[Removed, ...] = (
    "none",
    "concepts",
    "objects",
    "permuted_concepts",
    "permuted_objects",
)


@explains_arguments
def remove_part(
    values: Float[Floats, "scenes width"],
    scenes: Scenes,
    train: Int[Ints, " train"],
    removed: Removed,
    *,
    seed: int = 0,
) -> Float[Floats, "scenes width"]:
    """Embeddings without a part: order 1 per slot (`concepts`) or order 2 per slot (`objects`), by
    least squares on the train rows.

    A permuted control exchanges the values of each concept among themselves, or the objects among
    themselves. It is one permutation without a fixed point where there are two or more, the same in
    all slots.

    Args:
        values: (n, d) one row per scene.
        scenes: the n scenes.
        train: rows that the part is fitted on.
        removed: what to take out.
        seed: of the permutation.

    Returns:
        (n, d) of the type of `values`. Objects that no train scene holds keep their part.
    """
    if removed == "none":
        return values
    order: Literal[1, 2] = 1 if removed.endswith("concepts") else 2
    fit = fit_additive(values, scenes, train, order=order)
    permuted = removed.startswith("permuted")
    stand_ins = _permuted(fit, scenes, order, seed) if permuted else None
    kept = np.empty_like(values)
    for start in range(0, len(values), CHUNK):
        rows = np.arange(start, min(start + CHUNK, len(values)))
        kept[rows] = values[rows] - fit.part(rows, stand_ins)
    return kept


def _permuted(fit: AdditiveFit, scenes: Scenes, order: Literal[1, 2], seed: int) -> Ints:
    """(P,) parameter that stands in for each; one that does not exist is its own stand-in."""
    rng = np.random.default_rng(seed)
    if order == 2:
        blocks = [(scenes.objects, _derangement(scenes.space.n_objects, rng))]
    else:
        blocks = [
            (scenes.table[:, :, k], _derangement(size, rng))
            for k, size in enumerate(scenes.space.sizes)
        ]
    stand_ins, n_concepts = np.arange(fit.design.size), len(blocks)
    for k, (held, other) in enumerate(blocks):
        for slot in range(scenes.n_slots):
            columns = fit.design.columns[:, slot * n_concepts + k]  # (n,)
            parameter = np.full(len(other), -1)
            parameter[held[:, slot]] = columns
            named = parameter[other]
            there = (parameter >= 0) & (named >= 0)
            stand_ins[parameter[there]] = named[there]
    return stand_ins


def _derangement(size: int, rng: np.random.Generator) -> Ints:
    """A cycle through 0..size-1 in random order: nothing stays where it was."""
    cycle = rng.permutation(size)
    other = np.empty(size, dtype=np.int64)
    other[cycle] = np.roll(cycle, 1)
    return other
