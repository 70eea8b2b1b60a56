"""Which objects an approximator may see: train, validation and test objects, and the scenes made of
them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from conceptbind.core.arguments import explains_arguments
from conceptbind.core.errors import ValueRangeError, counted

if TYPE_CHECKING:
    from jaxtyping import Int

    from conceptbind.core.typing import Ints
    from conceptbind.scenes.table import Scenes

PURE = 200
"""Scenes made only of validation objects from which on they alone choose; with fewer, scenes that
join them with train objects help. On a few pure scenes alone an approximator that memorised
its scenes is chosen as often as one that did not."""


@dataclass(frozen=True, eq=False)
class Coverage:
    """Objects of three kinds and the scenes made of them."""

    objects: dict[str, Int[Ints, " _"]]
    """Object ids: train, validation, test."""
    train: Int[Ints, " train"]
    """Rows of the scenes made of train objects."""
    validation: Int[Ints, " validation"]
    """Rows that choose: scenes of validation objects, and no test object."""
    mixed: Int[Ints, " mixed"]
    """Rows of the scenes of train and test objects."""
    unseen: Int[Ints, " unseen"]
    """Rows of the scenes made of test objects."""
    missing_values: int
    """Values that no train object has."""


@explains_arguments
def cover(scenes: Scenes, coverage: float, seed: int = 0) -> Coverage:
    """Draw the train objects, a share `coverage` of those in the scenes; a third of the others
    validates, the rest is tested.

    Train objects are drawn so that each value occurs among them, as far as there are enough: an
    object is to be new, not its concepts.

    Args:
        scenes: the scene table.
        coverage: share of the objects to train on, between 0 and 1.
        seed: decides the draw.

    Raises:
        ValueRangeError: the coverage is not between 0 and 1, or so few objects are left that a part
            has no scene.
    """
    if not 0 < coverage < 1:
        raise ValueRangeError(f"the coverage must lie between 0 and 1; got {coverage}")
    used = np.unique(scenes.objects)
    n_train = int(np.clip(round(coverage * len(used)), 1, len(used) - 1))
    n_validation = max(1, round((len(used) - n_train) / 3))
    drawn = np.random.default_rng(seed).permutation(used)
    values = scenes.space.object_values(drawn)  # (|O|, C)
    seen: set[tuple[int, int]] = set()
    first: list[int] = []
    for i, row in enumerate(values.tolist()):
        new = set(enumerate(row)) - seen
        if new and len(first) < n_train:
            first.append(i)
            seen |= new
    order = np.concatenate([drawn[first], np.delete(drawn, first)]).astype(np.int64)
    parts = np.split(order, [n_train, n_train + n_validation])
    kind = np.full(scenes.space.n_objects, -1)
    for number, part in enumerate(parts):
        kind[part] = number
    kinds = kind[scenes.objects]  # (n, m)
    train, pure, unseen = ((kinds == number).all(axis=1) for number in range(3))
    validation = pure if pure.sum() >= PURE else (kinds == 1).any(axis=1) & (kinds != 2).all(axis=1)
    mixed = (kinds == 2).any(axis=1) & (kinds == 0).any(axis=1) & (kinds != 1).all(axis=1)
    for name, part in {"train": train, "validation": validation, "unseen": unseen}.items():
        if not part.any():
            raise ValueRangeError(
                f"at coverage {coverage:g}, {n_train} of {counted(len(used), 'object')} train and "
                f"{len(parts[2])} are tested, and no scene is left "
                f"for the {name} part"
            )
    trained = scenes.space.object_values(parts[0])
    everything = scenes.space.object_values(used)
    missing = sum(
        len(np.setdiff1d(everything[:, k], trained[:, k])) for k in range(trained.shape[1])
    )
    rows = [np.flatnonzero(part) for part in (train, validation, mixed, unseen)]
    return Coverage(
        dict(zip(("train", "validation", "test"), parts, strict=True)),
        rows[0],
        rows[1],
        rows[2],
        rows[3],
        missing,
    )
