"""Level 3 in words: does a picture prefer its caption to the caption's
swap by cosine?
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from conceptbind.core.findings import Verdict
from conceptbind.core.names import Control, Metric
from conceptbind.report.numbers import interval_of, value_of
from conceptbind.report.words import CONTROL_WORDS, beats, ends, first, needed, needed_against

if TYPE_CHECKING:
    from conceptbind.core.records import Record, Records
    from conceptbind.crossmodal.study import CrossmodalStudy

USABLE, SOMEWHAT = 0.9, 0.6
"""Level 3: binding accuracies (chance: 0.5) from which binding is usable between pictures and
captions, or usable in part."""
CHANCE = 0.5
"""Binding accuracy of a coin."""


def across(study: CrossmodalStudy) -> Verdict:
    """Is the binding usable between pictures and captions?"""
    return usable_across(study.records)


def not_judged(encoder: str, why: str) -> Verdict:
    """Level 3, where nothing can be said.

    Args:
        encoder: its name.
        why: the reason, without a full stop.
    """
    sentence = (
        f"It cannot be judged whether the pictures and captions of {encoder} agree on binding "
        f"(level 3). {first(why)}."
    )
    return Verdict("unclear", sentence, None, 3, "both", 0)


def usable_across(records: Records) -> Verdict:
    """Level 3, from the records of a study between pictures and captions."""
    either = records.where(order="either", control=Control.NONE)
    binding = either.where(metric=Metric.BINDING_ACCURACY).scored().first()
    encoder = records[0].encoder if records else "the encoder"
    if binding is None:
        return not_judged(encoder, "no scene has an attribute swap")
    value, (low, high) = float(binding.value or 0.0), ends(binding)
    concepts = either.first(metric=Metric.CONCEPT_ACCURACY)
    words = (
        "A picture prefers its caption to the caption with the attributes swapped in "
        f"{value_of(binding)} of the comparisons "
        f"({interval_of(binding)}, n = {binding.n:,}; chance: 50 %)"
    )
    if binding.ties:
        share = "all" if binding.ties == binding.n else f"{binding.ties:,}"
        words += f". Comparisons that hold a tie, which counts as a miss: {share}"
    if concepts is not None:
        words += f". It prefers its caption to one with another concept in {value_of(concepts)}"
    who = f"the pictures and captions of {encoder}"
    asked = f"It cannot be judged whether {who} agree on binding (level 3)"
    control = _strongest(records)
    named = "chance" if control is None else str(control.control)
    words += f".{_beside(control, binding)}"
    judged = Verdict("unclear", "", value, 3, "both", binding.n, named)
    beaten = beats(binding, control)
    if value >= USABLE and low > SOMEWHAT and beaten:
        claim = "agree on binding (level 3, usable between pictures and captions)"
        return replace(judged, word="yes", sentence=f"{first(who)} {claim}. {words}")
    if SOMEWHAT <= value < USABLE and low > CHANCE and beaten:
        return replace(
            judged,
            word="partly",
            sentence=f"{first(who)} agree on binding only in part (level 3, usable in part). "
            f"{words}",
        )
    if high < SOMEWHAT:
        claim = _disagreement(binding, concepts)
        return replace(
            judged,
            word="no",
            sentence=f"{first(who)} {claim} (level 3, not usable between pictures and captions). "
            f"{words}",
        )
    need = first(needed_to_judge(binding, control))
    return replace(judged, sentence=f"{asked}. {need} comparisons are needed. {words}")


def needed_to_judge(binding: Record, control: Record | None) -> str:
    """About how many comparisons would judge a binding accuracy: against the threshold, against a
    control that is not beaten, or against what would be no more than usable in part or chance.
    """
    value, (low, high) = float(binding.value or 0.0), ends(binding)
    if value < SOMEWHAT:
        return needed(binding.n, high - value, SOMEWHAT - value)
    if control is not None and not beats(binding, control):
        return needed_against(binding, control)
    return needed(binding.n, value - low, value - (SOMEWHAT if value >= USABLE else CHANCE))


def _strongest(records: Records) -> Record | None:
    """The control that is right most often; None where none is right more often than a coin."""
    controls = records.where(
        metric=Metric.BINDING_ACCURACY, order="either", control=tuple(CONTROL_WORDS)
    )
    best = max(controls.scored(), key=lambda r: r.value or 0.0, default=None)
    return None if best is None or (best.value or 0.0) <= CHANCE else best


def _beside(control: Record | None, binding: Record) -> str:
    """What the strongest control reaches, and whether it is beaten; chance was said."""
    if control is None:
        return ""
    words = (
        f" The strongest control, {CONTROL_WORDS[str(control.control)]}, reaches "
        f"{value_of(control)} ({interval_of(control)})"
    )
    return f"{words}." if beats(binding, control) else f"{words}, which is not clearly less."


def _disagreement(binding: Record, concepts: Record | None) -> str:
    """How pictures and captions fail to agree."""
    if concepts is not None and concepts.value is not None and concepts.value < SOMEWHAT:
        return "do not even agree on single concepts"
    ties = (binding.ties or 0) / binding.n
    if (binding.ci_high or 0.0) + ties < CHANCE:
        return "prefer the caption with the attributes swapped"
    return "hardly agree on binding"
