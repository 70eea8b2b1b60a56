"""What the numbers say, in words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from conceptbind.report.tables import aligned

if TYPE_CHECKING:
    from conceptbind.results import Record
    from conceptbind.studies import CrossmodalStudy, ProbeStudy, RepairStudy

YES, PARTLY = 0.8, 0.2
"""Binding scores from which a modality binds, or binds in part."""
USABLE, SOMEWHAT = 0.9, 0.6
"""Binding accuracies (chance: 0.5) from which binding is usable across modalities, or somewhat."""
CONTROLS = {"bag_of_concepts": "bag of concepts", "random_weights": "random weights", "bag_twin": "bag twin"}


@dataclass(frozen=True)
class Verdict:
    """One sentence for a modality, and the number behind it."""

    level: Literal["yes", "partly", "no", "unclear"]
    sentence: str
    score: float | None
    """(object recognition - its level for a bag of concepts) / (1 - that level): 0 for a bag of concepts, 1 for perfect reading."""


def verdict(study: ProbeStudy) -> Verdict:
    """Does this modality bind?"""
    objects, bag = study.value("object_recognition"), study.value("object_recognition", "bag_of_concepts")
    concepts = [
        r for r in study.records if r.metric == "concept_recognition" and r.extra["control"] == "none" and r.value is not None
    ]
    who = f"The {study.modality} embeddings of {objects.encoder}"
    if study.n_trained_objects == 0 or objects.value is None or bag.value is None or bag.value == 1:
        why = "every scene holds all objects, or a bag of concepts already tells them apart"
        why = "no object of the test scenes occurs in a train scene" if study.n_trained_objects == 0 else why
        return Verdict("unclear", f"{who} cannot be judged on these scenes: {why}.", None)
    score = (objects.value - bag.value) / (1 - bag.value)
    weakest = min((record.value for record in concepts if record.value is not None), default=1.0)
    read = (
        f"a linear probe reads the objects of {percent(objects.value)} of the unseen scenes "
        f"({percent(objects.ci_low)} to {percent(objects.ci_high)}, n = {objects.n:,}), where a bag of concepts reaches {percent(bag.value)}"
    )
    untrained = [
        r
        for r in study.records
        if r.metric == "object_recognition" and r.extra["control"] == "random_weights" and r.value is not None
    ]
    if untrained and untrained[0].value is not None and untrained[0].value >= objects.value:
        read += f"; the same architecture with random weights reaches {percent(untrained[0].value)}, so training did not add it"
    apart = objects.ci_low is not None and bag.ci_high is not None and objects.ci_low > bag.ci_high
    reach = ((objects.ci_high or 0) - bag.value) / (1 - bag.value)
    if not apart and reach >= PARTLY:
        return Verdict("unclear", f"{who} cannot be judged on so few scenes: {read}.", score)
    if score >= PARTLY and apart:
        level: Literal["yes", "partly"] = "yes" if score >= YES else "partly"
        return Verdict(level, f"{who} bind concepts{'' if level == 'yes' else ' in part'}: {read}.", score)
    if weakest < 0.5:
        return Verdict(
            "no",
            f"{who} hold not even the single concepts (the weakest is read in {percent(weakest)} of the scenes), so nothing is bound: {read}.",
            score,
        )
    return Verdict("no", f"{who} hardly bind concepts; they are close to a bag of concepts: {read}.", score)


def across(study: CrossmodalStudy) -> Verdict:
    """Is the binding usable between pictures and captions?"""
    if not any(record.metric == "binding_accuracy" for record in study.records):
        return Verdict("unclear", "Across modalities binding cannot be judged: no scene has an attribute swap.", None)
    binding = study.value("binding_accuracy", order="either")
    words = (
        f"a picture prefers its caption to the caption with the attributes swapped in {percent(binding.value)} of the comparisons "
        f"({percent(binding.ci_low)} to {percent(binding.ci_high)}, n = {binding.n:,}; chance: 50 %)"
    )
    concepts = [record for record in study.records if record.metric == "concept_accuracy" and record.extra["order"] == "either"]
    if concepts:
        words += f", and to a caption with another concept in {percent(concepts[0].value)}"
    value = binding.value or 0.0
    low, high = binding.ci_low or 0.0, binding.ci_high or 1.0
    if (value < USABLE and low < 0.5 and high > USABLE) or (value >= USABLE and low <= SOMEWHAT):
        return Verdict("unclear", f"Across modalities binding cannot be judged on so few comparisons: {words}.", value)
    if value >= USABLE:
        return Verdict("yes", f"Across modalities the binding is usable: {words}.", value)
    if value >= SOMEWHAT and (binding.ci_low or 0) > 0.5:
        return Verdict("partly", f"Across modalities the binding is usable in part: {words}.", value)
    return Verdict("no", f"Across modalities the binding is hardly usable: {words}.", value)


def verdicts(studies: Sequence[ProbeStudy], crossmodal: CrossmodalStudy | None, repair: RepairStudy | None = None) -> list[Verdict]:
    """One for each modality, one for the step between them, and one for its repair."""
    from conceptbind.report.repair import repair_verdict

    found = [*map(verdict, studies), *([across(crossmodal)] if crossmodal else [])]
    return [*found, *([repair_verdict(repair)] if repair else [])]


def percent(share: float | None) -> str:
    """A share in per cent, with as many digits as it takes not to say 100 or 0 for what is neither."""
    if share is None:
        return "-"
    if share in (0, 1):
        return f"{100 * share:.0f} %"
    digits = next((n for n in range(1, 6) if 0 < round(100 * share, n) < 100), 6)
    return f"{100 * share:.{digits}f} %"


def metric_name(record: Record) -> str:
    """A record's metric in words, with what it varies."""
    name = record.metric.replace("_", " ")
    details = [str(record.extra[key]) for key in ("concept", "noun", "order") if record.extra.get(key)]
    if record.extra.get("queries"):
        details.append("by its own queries" if record.extra["queries"] == "own" else "by text queries")
    return name + (f" ({', '.join(details)})" if details else "")


def controls_of(record: Record, records: Sequence[Record]) -> dict[str, Record]:
    """The records of the controls that belong to a record, by control."""
    same = [
        other
        for other in records
        if (other.study, other.modality, other.metric, other.extra.get("concept"), other.extra.get("noun"))
        == (record.study, record.modality, record.metric, record.extra.get("concept"), record.extra.get("noun"))
    ]
    return {str(other.extra["control"]): other for other in same if other.extra.get("control") in CONTROLS}


def summary_table(records: Sequence[Record]) -> str:
    """The main numbers for a terminal."""
    shown = [
        record
        for record in records
        if record.extra.get("control") == "none"
        and record.ci_low is not None
        and not record.extra.get("noun")
        and not record.extra.get("repair")
        and record.study not in ("additive", "spectrum", "removal", "edit", "complexity")  # tables of the report
    ]
    controls = [name for name in CONTROLS if any(record.extra.get("control") == name for record in records)]
    lines = [("modality", "metric", "value", "95 % interval", *(CONTROLS[name] for name in controls), "n", "ties")]
    for record in shown:
        beside = controls_of(record, records)
        values = [record.value, *(beside[name].value if name in beside else None for name in controls)]
        value, *others = ("-" if x is None else f"{x:.4f}" for x in values)
        interval = f"{record.ci_low:.4f} to {record.ci_high:.4f}"
        ties = "-" if record.ties is None else f"{record.ties:,}"
        lines.append((record.modality, metric_name(record), value, interval, *others, f"{record.n:,}", ties))
    return aligned(lines, 2)
