"""Train / validation / test splits that keep what belongs together on one side."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING, Literal

import numpy as np

from conceptbind.core.arguments import explains_arguments
from conceptbind.core.errors import (
    MismatchError,
    UnknownNameError,
    ValueRangeError,
    counted,
    cut,
    nearest,
)
from conceptbind.scenes.swaps import orbit_ids, pair_ids

if TYPE_CHECKING:
    from jaxtyping import Int

    from conceptbind.core.typing import Ints
    from conceptbind.scenes.table import Scenes

By = Literal["pair", "object", "orbit"]


@dataclass(frozen=True, eq=False, repr=False)
class Split:
    """Row numbers of three disjoint parts of a scene table.

    Raises:
        MismatchError: two parts share a group (a pair of objects, an orbit) or, split by object, an
            object.
        ValueRangeError: a part is empty.
    """

    train: Int[Ints, " train"]
    """(n_train,) rows to fit on."""
    validation: Int[Ints, " validation"]
    """(n_validation,) rows that choose."""
    test: Int[Ints, " test"]
    """(n_test,) rows that are scored once."""
    by: By
    """What stays together: `pair` the orders of the same objects, `orbit` also their attribute
    swaps, `object` each object."""
    seed: int
    members: Int[Ints, "scenes groups"]
    """(n, g) what each scene is made of: its group (g = 1), or its objects (g = m). No number may
    be in two parts."""

    def __repr__(self) -> str:
        sizes = (f"{len(self.train):,} train", f"{len(self.validation):,} validation")
        return (
            f"<Split by {self.by}: {', '.join(sizes)}, {len(self.test):,} test, seed {self.seed}>"
        )

    def __post_init__(self) -> None:
        parts = {"train": self.train, "validation": self.validation, "test": self.test}
        for name, rows in parts.items():
            if len(rows) == 0:
                raise ValueRangeError(
                    f"the {name} part of the split by {self.by} is empty ({len(self.members)} "
                    f"scenes, {counted(len(np.unique(self.members)), 'group')}); use more "
                    "scenes or other "
                    "fractions"
                )
        for (a, rows_a), (b, rows_b) in combinations(parts.items(), 2):
            shared = np.intersect1d(self.members[rows_a], self.members[rows_b])
            if len(shared):
                raise MismatchError(
                    f"{a} and {b} overlap: they share {len(shared)} {self.by} group(s), the first "
                    f"is {shared[0]}"
                )


@explains_arguments
def split_scenes(
    scenes: Scenes,
    by: By = "pair",
    *,
    fractions: tuple[float, float, float] = (0.4, 0.1, 0.5),
    seed: int = 0,
) -> Split:
    """Draw a split.

    Groups are drawn, not scenes: a part holds the given fraction of the groups. Split by `object`,
    scenes that mix objects of two parts belong to none.

    Args:
        scenes: the table.
        by: what stays together.
        fractions: of train, validation and test; they sum to 1. The default trains on 40 % (arXiv
            2605.31503, section 3).
        seed: of the draw.

    Raises:
        ValueRangeError: fractions that are not three positive numbers with sum 1, a negative seed,
            or a part that would be empty.
        UnknownNameError: an unknown kind of split.
    """
    if (
        len(fractions) != 3
        or not all(0 < part < 1 for part in fractions)
        or abs(sum(fractions) - 1) > 1e-9
    ):
        raise ValueRangeError(
            "fractions must be three positive numbers that sum to 1 (train, validation, test); "
            f"got {fractions}"
        )
    if seed < 0:
        raise ValueRangeError(f"the seed must not be negative; got {seed}")
    if by == "pair":
        members = pair_ids(scenes)[:, None]
    elif by == "orbit":
        members = orbit_ids(scenes)[:, None]
    elif by == "object":
        members = scenes.objects
    else:
        raise UnknownNameError(
            f"unknown kind of split '{cut(by)}'; {nearest(by, ('pair', 'object', 'orbit'))}"
        )
    groups = np.unique(members)
    order = np.random.default_rng(seed).permutation(groups)
    cuts = np.round(np.cumsum(fractions[:2]) * len(groups)).astype(int)
    side = np.full(len(groups), -1)
    for part, drawn in enumerate(np.split(order, cuts)):
        side[np.searchsorted(groups, drawn)] = part
    # (n, g); by place, as numbers of objects may be huge
    sides = side[np.searchsorted(groups, members)]
    whole = (sides == sides[:, :1]).all(axis=1)
    train, validation, test = (np.flatnonzero(whole & (sides[:, 0] == part)) for part in range(3))
    return Split(train, validation, test, by, seed, members)


@explains_arguments
def halves_of_words(scenes: Scenes, seed: int = 0) -> Int[Ints, " scenes"]:
    """(n,) 0 or 1 for scenes whose values are all of one half of each concept's values, -1 for
    scenes with values of both halves: what is fitted on one half never met a word of the other.

    Args:
        scenes: the table.
        seed: decides the halves.
    """
    rng = np.random.default_rng(seed)
    half = [
        rng.permutation(len(values)) >= (len(values) + 1) // 2 for values in scenes.space.values
    ]
    found = np.full(len(scenes), -1)
    # (n, m, C)
    of = np.stack([told[scenes.table[:, :, c]] for c, told in enumerate(half)], axis=2)
    found[~of.any(axis=(1, 2))] = 0
    found[of.all(axis=(1, 2))] = 1
    return found
