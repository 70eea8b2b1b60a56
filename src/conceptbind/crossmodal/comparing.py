"""Pictures against two captions: which one is nearer, in every order of mention."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from conceptbind.core.names import Metric
from conceptbind.core.scored import mean_record
from conceptbind.metrics.choices import forced_choice

if TYPE_CHECKING:
    from jaxtyping import Bool, Float, Int

    from conceptbind.core.records import Record
    from conceptbind.core.typing import Bools, Floats, Ints
    from conceptbind.crossmodal.bank import CaptionBank

    Comparison = Mapping[tuple[int, int], tuple[Bool[Bools, " pairs"], Bool[Bools, " pairs"]]]
    """(right, tied) (s,) of pairs, by the orders of mention of the true and the false caption."""

ORDERS = ("as listed", "reversed")
"""Orders in which a caption mentions the objects: slot 1 first (left, in rendered scenes), or the
last slot first."""


@dataclass(frozen=True, eq=False)
class FalseCaptions:
    """What is compared with the true captions of scenes."""

    metric: Metric
    captions: Int[Ints, "pairs 2"]
    """(s, 2) rows of the false captions in both orders."""
    of: Int[Ints, " pairs"]
    """(s,) the scene of each."""


def comparisons(bank: CaptionBank) -> list[FalseCaptions]:
    """The false captions of a bank by metric; a metric without any is left out."""
    asked = (
        FalseCaptions(Metric.BINDING_ACCURACY, bank.swaps, bank.swap_of),
        FalseCaptions(Metric.CONCEPT_ACCURACY, bank.replaced, bank.replaced_of),
    )
    return [false for false in asked if len(false.of)]


def comparison_records(
    metric: Metric, outcome: Comparison, clusters: Int[Ints, " pairs"], **common: Any
) -> list[Record]:
    """The share of comparisons won: over all orders of mention, and with one order alone.

    Args:
        metric: what was compared.
        outcome: of s pairs, see `compare`.
        clusters: (s,) pairs that are one draw.
        **common: study, split, scenes, encoder, control.
    """
    correct, tied = either_order(outcome)
    ties = int(tied.sum())
    records = [mean_record(metric, correct, ties, clusters, order="either", **common)]
    for order, name in enumerate(ORDERS):
        hits, tied = outcome[order, order]
        right, ties = hits.astype(float), int(tied.sum())
        records.append(mean_record(metric, right, ties, clusters, order=name, **common))
    return records


def compare(
    x: Float[Floats, "pairs width"],
    y: Float[Floats, "captions width"],
    true: Int[Ints, "pairs 2"],
    false: Int[Ints, "pairs 2"],
) -> Comparison:
    """Unit pictures (s, d) against rows of unit captions y: (right, tied) (s,) for every order of
    mention of the true and the false one.

    Args:
        x: (s, d)
        y: (b, d)
        true: (s, 2) row of the true caption in both orders.
        false: (s, 2) row of the false one.
    """
    true_score = np.stack([dot(x, y[true[:, order]]) for order in range(2)], 1)  # (s, 2)
    false_score = np.stack([dot(x, y[false[:, order]]) for order in range(2)], 1)
    return {
        (a, b): forced_choice(true_score[:, a], false_score[:, b], 1.0)
        for a in range(2)
        for b in range(2)
    }


def either_order(
    outcome: Comparison,
) -> tuple[Float[Floats, " pairs"], Bool[Bools, " pairs"]]:
    """Share of the four comparisons won (s,), and whether any of them was a tie (s,)."""
    return np.stack([outcome[key][0] for key in outcome], 1).mean(1), np.logical_or.reduce(
        [outcome[key][1] for key in outcome]
    )


def dot(
    one: Float[Floats, "pairs width"], two: Float[Floats, "pairs width"]
) -> Float[Floats, " pairs"]:
    """(n,) inner products of rows."""
    products: Floats = np.einsum("nd,nd->n", one, two)
    return products
