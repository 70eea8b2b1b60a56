"""Level 2, usable within one modality: does cosine tell a scene from its swap? (arXiv 2406.11171,
section 3, for captions; the same rule for pictures.)
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from conceptbind.core.names import Control, Metric
from conceptbind.core.outcomes import Outcome
from conceptbind.core.records import Record, Records
from conceptbind.core.scored import mean_record, plain_record
from conceptbind.metrics.ties import rounding
from conceptbind.within.triplets import NEUTRAL, TRAP, Scored, Triplets, scored

if TYPE_CHECKING:
    from jaxtyping import Float, Int

    from conceptbind.core.typing import Bools, Floats, Ints, Modality

ORDERS = ("as listed", "reversed")
"""Order of mention of a paraphrase: that of the anchor, or the reverse."""
SWAPS_SHOWN = 12
"""Items of the gallery of traps."""
RULES = (
    (Metric.PARAPHRASE_ACCURACY, False),
    (Metric.PARAPHRASE_ACCURACY_ONE_SIDED, True),
)


WHOLE: Mapping[str, None] = dict.fromkeys(("order", "wording", "concept"))
"""Columns that a record over all triplets of a setting leaves empty."""


@dataclass(frozen=True, eq=False)
class Items:
    """What i comparisons are about."""

    scene: Int[Ints, " items"]
    """(i,) row of the table."""
    concept: Int[Ints, " items"]
    """(i,) which concept is exchanged."""
    clusters: Int[Ints, " items"]
    """(i,) items that are one draw: of one orbit, which have the same captions or pictures."""
    concepts: tuple[str, ...]
    """Names of all concepts."""
    wordings: tuple[str, ...] = ()
    """Names of the paraphrases' wordings; none for pictures."""
    left_out: tuple[str, ...] = ()
    """Names of wordings whose words the encoder does not know."""

    def __len__(self) -> int:
        return len(self.scene)


@dataclass(frozen=True, eq=False)
class WithinStudy:
    """Binding within one modality."""

    modality: Modality
    records: Records
    items: Items
    settings: Mapping[str, Scored]
    """What became of every triplet, by setting."""
    outcomes: tuple[Outcome, ...]
    """Shares of every item and setting, by the rule of both sides."""

    def value(self, setting: str, metric: str = Metric.PARAPHRASE_ACCURACY) -> Record:
        """The encoder's own record of a setting over all of its triplets."""
        return main_record(self.records, setting, metric)

    def worst(
        self, setting: str = TRAP, most: int = SWAPS_SHOWN, seed: int = 0
    ) -> Int[Ints, " worst"]:
        """Items with the lowest share of right triplets; of equal ones, any.

        Args:
            setting: `neutral` or `trap`.
            most: items at most.
            seed: of the choice between equal ones.
        """
        items, right, _ = self.settings[setting].by_item()
        missed = np.flatnonzero(right < 1)
        shuffled = np.random.default_rng(seed).permutation(missed)
        return items[shuffled[np.argsort(right[shuffled], kind="stable")][:most]]


def main_record(
    records: Records,
    setting: str,
    metric: str = Metric.PARAPHRASE_ACCURACY,
    control: str = Control.NONE,
) -> Record:
    """The record of a setting over all of its triplets.

    Args:
        records: of one modality.
        setting: `neutral` or `trap`.
        metric: by which rule.
        control: whose number.

    Raises:
        RecordError: there is none.
    """
    return records.one(metric=metric, setting=setting, control=control, **WHOLE)


def within_study(
    rows: Mapping[str, Float[Floats, "rows _"]],
    settings: tuple[Triplets, ...],
    items: Items,
    *,
    modality: Modality,
    scenes: str,
    encoder: str,
    on_step: Callable[[str], None] = lambda name: None,
) -> WithinStudy:
    """Score anchors, paraphrases and swaps by cosine. Nothing is fitted, so all items are scored.

    An item is right by the share of its triplets that are. Its triplets are never counted as draws
    of their own, and the items of one orbit are one draw.

    Args:
        rows: unit rows (r, d) of the encoder (`none`) and of its controls, by name.
        settings: triplets of each setting, as rows.
        items: what they are about.
        modality: of the rows.
        scenes: name of the table.
        encoder: its id.
        on_step: called with the name of each control that is done.

    Returns:
        For each setting and rule one record over all triplets, of every control. For the encoder
        itself also one for each wording, order of mention and concept; the area under the curve of
        cosines; and the difference of the two settings.
    """
    common: dict[str, Any] = {
        "study": "within",
        "modality": modality,
        "level": 2,
        "split": "all",
        "scenes": scenes,
        "encoder": encoder,
    }
    records: list[Record] = []
    own: dict[str, Scored] = {}
    for control, values in rows.items():
        for triplets in settings:
            found = scored(values, triplets)
            facts = {**common, "control": control, "setting": triplets.setting}
            records += _both_rules(found, items, facts)
            if control == Control.NONE:
                own[triplets.setting] = found
                records += _parts(found, items, facts)
                records.append(_area(found, facts))
        on_step(control)
    if NEUTRAL in own and TRAP in own:
        records.append(_sensitivity(own[NEUTRAL], own[TRAP], items, common))
    outcomes = tuple(_outcome(found, items, modality) for found in own.values())
    return WithinStudy(modality, Records(records), items, own, outcomes)


def _both_rules(
    found: Scored, items: Items, facts: Mapping[str, Any], some: Bools | None = None
) -> Iterator[Record]:
    for metric, one_sided in RULES:
        which, right, tied = found.by_item(one_sided=one_sided, some=some)
        yield mean_record(metric, right, int(tied.sum()), items.clusters[which], **facts)


def _parts(found: Scored, items: Items, facts: Mapping[str, Any]) -> Iterator[Record]:
    """Each wording and order of the paraphrase, and each concept, by the rule of both sides."""
    triplets = found.triplets
    for number, name in enumerate(items.wordings):
        assert triplets.wording is not None
        yield _part(found, items, triplets.wording == number, facts, wording=name)
    if triplets.order is not None and len(np.unique(triplets.order)) > 1:
        for number, name in enumerate(ORDERS):
            yield _part(found, items, triplets.order == number, facts, order=name)
    exchanged = np.unique(items.concept).tolist()
    if len(exchanged) > 1:
        for k in exchanged:
            of_concept = (items.concept == k)[triplets.item]
            yield _part(found, items, of_concept, facts, concept=items.concepts[k])


def _part(found: Scored, items: Items, some: Bools, facts: Mapping[str, Any], **own: str) -> Record:
    return next(iter(_both_rules(found, items, {**facts, **own}, some)))


def _area(found: Scored, facts: Mapping[str, Any]) -> Record:
    """Share of pairs of any paraphrase and any swap in which the paraphrase is strictly nearer to
    its anchor: the area under the curve of cosines, ties as misses. It has no interval, since every
    cosine stands in many pairs.
    """
    value = area_under_curve(found.to_paraphrase, found.to_negative)
    return plain_record(Metric.PARAPHRASE_AREA, value, len(found.triplets), ties=None, **facts)


def area_under_curve(
    positive: Float[Floats, " positive"], negative: Float[Floats, " negative"]
) -> float:
    """Share of pairs whose positive score is strictly above the negative one, in 0..1.

    Args:
        positive: (p,) scores.
        negative: (q,) scores.
    """
    below = np.sort(negative)
    margin = rounding(positive, 1.0)
    return float(np.searchsorted(below, positive - margin, side="left").mean() / len(below))


def _sensitivity(neutral: Scored, trap: Scored, items: Items, common: Mapping[str, Any]) -> Record:
    """Trap minus neutral, item by item: what the surface decides."""
    (which, before, _), (_, after, _) = neutral.by_item(), trap.by_item()
    return mean_record(
        Metric.LEXICAL_SENSITIVITY,
        after - before,
        None,
        items.clusters[which],
        "difference",
        **common,
    )


def _outcome(found: Scored, items: Items, modality: Modality) -> Outcome:
    which, right, tied = found.by_item()
    about = {
        "study": "within",
        "metric": str(Metric.PARAPHRASE_ACCURACY),
        "modality": str(modality),
        "setting": found.triplets.setting,
    }
    return Outcome(about, right, tied, items.scene[which], clusters=items.clusters[which])
