"""The three levels of binding at one setting, scene by scene."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from conceptbind.core.names import Metric
from conceptbind.crossmodal.bank import CaptionBank
from conceptbind.crossmodal.comparing import compare, either_order
from conceptbind.repairs.queries.study import mapped_triplets
from conceptbind.scenes.table import Scenes
from conceptbind.within.attributes import noun_outcome
from conceptbind.within.triplets import Triplets

if TYPE_CHECKING:
    from collections.abc import Sequence

    from jaxtyping import Bool, Float, Int

    from conceptbind.core.typing import Bools, Floats, Ints
    from conceptbind.repairs.laboratory.contract import RowMap
    from conceptbind.scenes.split import Split


class Measure(NamedTuple):
    """What is measured: one curve of each factor."""

    level: int
    metric: Metric
    modality: str
    """`text`, `image` or `both`."""
    setting: str | None = None
    """`neutral` or `trap` at level 2."""


@dataclass(frozen=True, eq=False)
class ByScene:
    """What became of t test scenes."""

    rows: Int[Ints, " scored"]
    """(t,) numbers of the scenes, in order."""
    right: Float[Floats, " scored"]
    """(t,) the share of each scene's comparisons that are right."""
    tied: Bool[Bools, " scored"]
    """(t,) whether any is a tie, which is a miss."""


def decodable(rows: Float[Floats, "scenes width"], scenes: Scenes, split: Split) -> ByScene | None:
    """Level 1: which attribute does each noun of a scene have, by a linear classifier for each
    noun, fitted on the train scenes of the setting itself; see `within.attributes`.

    Args:
        rows: (n, d) unit rows of the scenes.
        scenes: the objects of each.
        split: of the scenes, by orbit of the pair.

    Returns:
        The share of each scene's nouns that are right; None where no noun has enough scenes.
    """
    total, n = np.zeros(len(scenes)), np.zeros(len(scenes))
    tied = np.zeros(len(scenes), dtype=bool)
    for noun in range(scenes.space.sizes[-1]):
        found = noun_outcome(rows, scenes, split, 0, noun)
        if found is None:
            continue
        outcome, test = found
        total[test] += outcome.correct & outcome.scored
        tied[test] |= outcome.tied & outcome.scored
        n[test] += outcome.scored
    which = np.flatnonzero(n)
    if not len(which):
        return None
    return ByScene(which, total[which] / n[which], tied[which])


def usable_within(
    rows: Float[Floats, "rows width"],
    triplets: Triplets,
    test: Int[Ints, " test"],
    queries: RowMap | None = None,
) -> ByScene:
    """Level 2: paraphrase accuracy by the rule of both sides.

    Args:
        rows: (r, d) unit rows.
        triplets: rows of it; item i is test scene i.
        test: (t,) the scenes.
        queries: a map of the side that asks; None leaves it as it is.
    """
    items, right, tied = mapped_triplets(rows, triplets, queries).by_item()
    return ByScene(test[items], right, tied)


def usable_across(
    pictures: Float[Floats, "scenes width"],
    captions: Float[Floats, "captions width"],
    bank: CaptionBank,
    test: Int[Ints, " test"],
) -> ByScene:
    """Level 3: does a picture prefer its caption to the swap, in all orders of mention?

    Args:
        pictures: (n, d) unit rows of the scenes.
        captions: (b, d) unit rows of the bank.
        bank: the captions of each scene and of its swap.
        test: (t,) the scenes that are scored.
    """
    found = compare(pictures[test], captions, bank.true[test], bank.swaps[test])
    return ByScene(test, *either_order(found))


def paired(one: ByScene, other: ByScene) -> tuple[Int[Ints, " both"], Float[Floats, " both"]]:
    """The scenes that both scored (k,), and what the first has more in each (k,).

    Args:
        one: of a setting, or after a repair.
        other: of the base setting, or before the repair.
    """
    rows, first, second = np.intersect1d(one.rows, other.rows, return_indices=True)
    return rows, one.right[first] - other.right[second]


def measures_of(modalities: Sequence[str]) -> tuple[Measure, ...]:
    """What can be measured of an encoder.

    Args:
        modalities: `text`, `image` or both.
    """
    found = [Measure(1, Metric.ATTRIBUTE_RECOGNITION, modality) for modality in modalities]
    for modality in modalities:
        found += [
            Measure(2, Metric.PARAPHRASE_ACCURACY, modality, setting)
            for setting in ("neutral", "trap")
        ]
    if {"text", "image"} <= set(modalities):
        found.append(Measure(3, Metric.BINDING_ACCURACY, "both"))
    return tuple(found)
