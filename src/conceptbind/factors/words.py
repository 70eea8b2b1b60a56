"""How far embeddings add up over concepts, in words."""

from __future__ import annotations

from typing import TYPE_CHECKING

from conceptbind.core.names import Control, Metric
from conceptbind.core.rounding import percent
from conceptbind.factors.study import RAW, SPAN, WHITENED, main_record, mean_recognition
from conceptbind.report.numbers import interval_of, number, value_of
from conceptbind.report.words import embeddings_of

if TYPE_CHECKING:
    from conceptbind.core.records import Record, Records

ENOUGH = 20
"""Test scenes below which nothing is said."""
BESIDE = {
    Control.SHUFFLED_LABELS: "with shuffled labels",
    Control.RANDOM_WEIGHTS: "with random weights",
}


def factor_sentences(records: Records, modality: str, encoder: str) -> tuple[str, ...]:
    """What was found, a sentence or two for each question.

    Args:
        records: of one modality.
        modality: of the embeddings.
        encoder: its name.
    """
    raw = main_record(records, Metric.R2, split="test", normalisation=RAW, concept=None)
    if raw is None:
        return ()
    who = f"{encoder}'s {embeddings_of(modality)}"
    if raw.n < ENOUGH:
        return (
            f"Whether {who} add up over concepts cannot be judged: {raw.n} test scenes, and at "
            f"least {ENOUGH} are needed.",
        )
    told = [_sums(records, raw, who), _directions(records), _carried(records)]
    return tuple(filter(None, told))


def _sums(records: Records, raw: Record, who: str) -> str:
    said = (
        f"A sum of one vector for each value explains {percent(max(raw.value or 0.0, 0.0))} of the "
        f"variance of {who} in new combinations (R^2 {value_of(raw)}, {interval_of(raw)}, "
        f"n = {raw.n:,}{_others(records, Metric.R2, split='test', normalisation=RAW)})."
    )
    parts = []
    for form, words in ((WHITENED, "of whitened embeddings"), (SPAN, "in the span of the probes")):
        one = main_record(records, Metric.R2, split="test", normalisation=form, concept=None)
        if one is not None:
            parts.append(f"{value_of(one)} {words}")
    return f"{said} It is {' and '.join(parts)}." if parts else said


def _directions(records: Records) -> str:
    across = main_record(records, Metric.ACROSS_VALUE_COSINE, split="train", factors=None)
    if across is None:
        return ""
    within = main_record(records, Metric.WITHIN_VALUE_COSINE, split="train", factors=None)
    beside = _others(records, Metric.ACROSS_VALUE_COSINE, split="train", factors=None)
    said = (
        f"Vectors of different concepts have a mean |cos| of {number(across.value)} "
        f"({across.n:,} pairs{beside})"
    )
    if within is None:
        return f"{said}."
    return f"{said}, values of one concept {number(within.value)}."


def _carried(records: Records) -> str:
    found = mean_recognition(records, readout="plain")
    if found is None:
        return ""
    value, chance, n = found
    said = (
        "Linear probes recognise a concept's value in new combinations in "
        f"{percent(value)} on average (chance {percent(chance)}, n = {n:,}"
    )
    random = mean_recognition(records, readout="plain", control=Control.RANDOM_WEIGHTS)
    if random is not None:
        said += f"; random weights {percent(random[0])}"
    zero = mean_recognition(records, queries="text")
    if zero is None:
        return f"{said})."
    return f"{said}). Captions of single values, without any probe, reach {percent(zero[0])}."


def _others(records: Records, metric: Metric, **asked: object) -> str:
    """The same of the controls, as the end of a bracket."""
    told = []
    for control, words in BESIDE.items():
        one = main_record(records, metric, **{**asked, "control": control})
        if one is not None:
            told.append(f"; {words} {number(one.value)}")
    return "".join(told)
