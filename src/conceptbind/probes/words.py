"""Level 1, decodable, in words: does a linear probe recognise the objects of the test scenes?

No sentence claims a level that was not measured, each names its strongest control, and where the
data could not have shown the opposite the word is `unclear`: "cannot be judged".
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from conceptbind.core.errors import counted
from conceptbind.core.findings import Verdict, Word
from conceptbind.core.names import Control, Metric
from conceptbind.core.rounding import percent
from conceptbind.metrics.intervals import mid_p
from conceptbind.report.numbers import interval_of, value_of
from conceptbind.report.words import (
    CONTROL_WORDS,
    CONTROLS,
    embeddings_of,
    ends,
    first,
    needed,
    which,
)

if TYPE_CHECKING:
    from conceptbind.core.records import Record, Records
    from conceptbind.probes.study import ProbeStudy

YES, PARTLY = 0.8, 0.2
"""Level 1: scores from which binding is decodable, or decodable in part."""
KNOWN = 0.5
"""Concept recognition below which an encoder does not hold a single concept, so that binding is not
the question."""


def verdict(study: ProbeStudy) -> Verdict:
    """Is binding decodable from this modality?"""
    return decodable(study.records, study.ceiling)


def decodable(records: Records, ceiling: float | None) -> Verdict:
    """Level 1, from the records of one modality.

    Args:
        records: object and concept recognition by probes, of the encoder and of its controls.
        ceiling: share of the test scenes whose objects all occur in a train scene: no probe can
            recognise more. None where no test scene could be scored.
    """
    recognised = records.where(metric=Metric.OBJECT_RECOGNITION)
    objects = recognised.one(control=Control.NONE)
    bag = recognised.one(control=Control.BAG_OF_CONCEPTS)
    who = f"the {embeddings_of(objects.modality)} of {objects.encoder}"
    what = which([str(record["concept"]) for record in _concepts(records)])
    asked = f"It cannot be judged whether {who} hold {what} (level 1)"
    unclear = Verdict("unclear", asked, None, 1, objects.modality, objects.n)
    value, level = objects.value, bag.value
    if value is None or level is None or ceiling is None:
        return replace(
            unclear,
            sentence=f"{asked}. Every scene holds all objects, so there is nothing to confuse.",
        )
    if ceiling == 0:
        why = f"No test scene is made of objects that occur in a train scene (n = {objects.n:,})"
        return replace(unclear, sentence=f"{asked}. {why}.")
    strongest = _strongest(records)
    unclear = replace(unclear, control=str(strongest.control))
    read = (
        f"A linear probe recognises all objects in {value_of(objects)} of the test scenes "
        f"({interval_of(objects)}, n = {objects.n:,})"
    )
    if mid_p(ceiling * objects.n, objects.n)[0] <= ends(bag)[1]:
        why = (
            f"Even perfect embeddings ({percent(ceiling)}) could not be told from a bag of "
            f"concepts ({value_of(bag)}, {interval_of(bag)}) on {counted(objects.n, 'scene')}"
        )
        return replace(unclear, sentence=f"{asked}. {why}. {read}.")

    def score_of(share: float) -> float:
        # rounding must not decide at a threshold
        return round((share - level) / (ceiling - level), 9)

    score, (low, high) = score_of(value), ends(objects)
    judged = replace(unclear, score=score)
    rest = f"{read}. {_beside(objects, strongest, bag)}"
    if score >= PARTLY and low > ends(bag)[1]:
        word: Word = "yes" if score >= YES else "partly"
        part = "" if word == "yes" else " in part"
        return replace(
            judged,
            word=word,
            sentence=f"{first(who)} hold {what}{part} (level 1, decodable{part}). {rest}",
        )
    if score_of(high) < PARTLY:
        claim = _not_held(records) or f"hardly show {what}"
        return replace(
            judged, word="no", sentence=f"{first(who)} {claim} (level 1, not decodable). {rest}"
        )
    if score >= PARTLY:  # too near the bag of concepts
        gap, width = value - level, (value - low) + (ends(bag)[1] - level)
    else:  # too near the threshold
        gap, width = level + PARTLY * (ceiling - level) - value, high - value
    need = first(needed(objects.n, width, gap))
    return replace(judged, sentence=f"{asked}. {need} test scenes are needed. {rest}")


def _not_held(records: Records) -> str | None:
    """The concept that is not held, where one is not: then binding is not the question."""
    hardest = min(
        _concepts(records), key=lambda r: 1.0 if r.value is None else r.value, default=None
    )
    if hardest is None or hardest.value is None or hardest.value >= KNOWN:
        return None
    name = hardest["concept"]
    return (
        f"do not even hold single concepts (the hardest, {name}, is recognised in "
        f"{value_of(hardest)} of the scenes)"
    )


def _concepts(records: Records) -> Records:
    return records.where(metric=Metric.CONCEPT_RECOGNITION, control=Control.NONE)


def _strongest(records: Records) -> Record:
    """The control that recognises most objects; of equals the first."""
    controls = records.where(metric=Metric.OBJECT_RECOGNITION, control=tuple(CONTROLS))
    return max(controls.scored(), key=lambda r: r.value or 0.0)


def _beside(objects: Record, strongest: Record, bag: Record) -> str:
    """What the strongest control reaches, and whether it is beaten."""
    control = str(strongest.control)
    words = (
        f"The strongest control, {CONTROL_WORDS[control]}, reaches {value_of(strongest)} "
        f"({interval_of(strongest)})"
    )
    if ends(objects)[0] <= ends(strongest)[1]:
        words += ", which is not clearly less"
        if control == Control.RANDOM_WEIGHTS:
            words += ", so training need not have added it"
    return words + ("." if strongest is bag else f". A bag of concepts reaches {value_of(bag)}.")
