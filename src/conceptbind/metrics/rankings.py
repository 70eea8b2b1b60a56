"""Ranks in which ties are ties, and p values of several tests at once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from jaxtyping import Bool, Int

    from conceptbind.core.typing import Bools, Ints


def ranks_of(better: Bool[Bools, "models models"]) -> Int[Ints, " models"]:
    """(k,) the rank of each model: one more than there are models that are clearly better.

    Models that nobody clearly beats share rank 1. Being told apart is not transitive: of three
    models the first may clearly beat the last, and the middle one be told from neither. Then the
    first two share rank 1, and the last has rank 2. Of two models with one rank neither is clearly
    better, where `better` is `followed`.

    Args:
        better: (k, k) whether the model of a row is clearly better than that of a column.
    """
    ranks: Ints = 1 + np.asarray(better, dtype=bool).sum(axis=0)
    return ranks


def followed(better: Bool[Bools, "models models"]) -> Bool[Bools, "models models"]:
    """(k, k) the same, where a model that is better than another is better than all that the other
    is better than.

    Args:
        better: (k, k) whether the model of a row is clearly better than that of a column.
    """
    found = np.array(better, dtype=bool)
    for middle in range(len(found)):
        found |= np.outer(found[:, middle], found[middle])
    np.fill_diagonal(found, False)
    return found


def holm(p: Sequence[float]) -> list[float]:
    """P values that hold for all of several tests together (Holm 1979): each of the smallest
    rejects as long as all smaller ones do.

    Args:
        p: p values of k tests.
    """
    adjusted, highest = [0.0] * len(p), 0.0
    for place, number in enumerate(sorted(range(len(p)), key=p.__getitem__)):
        highest = max(highest, min(1.0, (len(p) - place) * p[number]))
        adjusted[number] = highest
    return adjusted
