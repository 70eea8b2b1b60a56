"""What the numbers say, in words: one verdict for each level at which binding can be lost.

Level 1, decodable: a linear probe recognises the objects of unseen scenes. Level 3, usable across
modalities: a picture prefers its caption to the caption's swap by cosine. No sentence claims a
level that was not measured, each names its strongest control, and where the data could not have
shown the opposite the word is `unclear`: "cannot be judged".
"""

from __future__ import annotations

from dataclasses import replace
from math import ceil, floor, log10
from typing import TYPE_CHECKING

from conceptbind.core.findings import Verdict, Word
from conceptbind.core.names import Control, Metric
from conceptbind.metrics.intervals import mid_p
from conceptbind.report import numbers
from conceptbind.report.numbers import interval_of, percent, value_of
from conceptbind.report.tables import aligned

if TYPE_CHECKING:
    from conceptbind.core.records import Record, Records
    from conceptbind.crossmodal.study import CrossmodalStudy
    from conceptbind.probes.study import ProbeStudy

YES, PARTLY = 0.8, 0.2
"""Level 1: scores from which binding is decodable, or decodable in part."""
USABLE, SOMEWHAT = 0.9, 0.6
"""Level 3: binding accuracies (chance: 0.5) from which binding is usable across modalities, or
usable in part."""
CHANCE = 0.5
"""Binding accuracy of a coin."""
KNOWN = 0.5
"""Concept recognition below which an encoder does not hold a single concept, so that binding is not
the question."""
FAR = 100
"""An estimate of how many more scenes are needed is not given beyond this factor."""
CONTROLS: dict[str, str] = {
    Control.BAG_OF_CONCEPTS: "bag of concepts",
    Control.RANDOM_WEIGHTS: "random weights",
    Control.BAG_TWIN: "bag twin",
}
CONTROL_WORDS: dict[str, str] = {
    Control.BAG_OF_CONCEPTS: "a bag of concepts",
    Control.RANDOM_WEIGHTS: "the same architecture with random weights",
    Control.BAG_TWIN: "the bag-of-words twin, which was trained so that binding never helps",
}


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
    who = f"the {objects.modality} embeddings of {objects.encoder}"
    what = which(_concepts(records))
    asked = f"It cannot be judged whether {who} hold {what} (level 1)"
    unclear = Verdict("unclear", asked, None, 1, objects.modality, objects.n)
    value, level = objects.value, bag.value
    if value is None or level is None or ceiling is None:
        return replace(
            unclear,
            sentence=f"{asked}: every scene holds all objects, so there is nothing to confuse.",
        )
    if ceiling == 0:
        why = f"no test scene is made of objects that occur in a train scene (n = {objects.n:,})"
        return replace(unclear, sentence=f"{asked}: {why}.")
    strongest = _strongest(records)
    unclear = replace(unclear, control=str(strongest.control))
    read = (
        f"a linear probe recognises all objects in {value_of(objects)} of the unseen scenes "
        f"({interval_of(objects)}, n = {objects.n:,})"
    )
    if mid_p(ceiling * objects.n, objects.n)[0] <= _ends(bag)[1]:
        why = (
            f"even perfect embeddings ({percent(ceiling)}) could not be told from a bag of "
            f"concepts ({value_of(bag)}, {interval_of(bag)}) on {objects.n:,} scenes"
        )
        return replace(unclear, sentence=f"{asked}: {why}; {read}.")

    def score_of(share: float) -> float:
        # rounding must not decide at a threshold
        return round((share - level) / (ceiling - level), 9)

    score, (low, high) = score_of(value), _ends(objects)
    judged = replace(unclear, score=score)
    rest = f"{read}. {_beside(objects, strongest, bag)}"
    if score >= PARTLY and low > _ends(bag)[1]:
        word: Word = "yes" if score >= YES else "partly"
        part = "" if word == "yes" else " in part"
        return replace(
            judged,
            word=word,
            sentence=f"{_first(who)} hold {what}{part} (level 1, decodable{part}): {rest}",
        )
    if score_of(high) < PARTLY:
        claim = _not_held(records) or f"hardly hold {what}"
        return replace(
            judged, word="no", sentence=f"{_first(who)} {claim} (level 1, not decodable): {rest}"
        )
    if score >= PARTLY:  # too near the bag of concepts
        gap, width = value - level, (value - low) + (_ends(bag)[1] - level)
    else:  # too near the threshold
        gap, width = level + PARTLY * (ceiling - level) - value, high - value
    return replace(
        judged, sentence=f"{asked}; {needed(objects.n, width, gap)} test scenes are needed: {rest}"
    )


def _not_held(records: Records) -> str | None:
    """The concept that is not held, where one is not; then binding is not the question."""
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


def across(study: CrossmodalStudy) -> Verdict:
    """Is the binding usable between pictures and captions?"""
    return usable_across(study.records)


def usable_across(records: Records) -> Verdict:
    """Level 3, from the records of a study across modalities."""
    either = records.where(order="either")
    binding = either.where(metric=Metric.BINDING_ACCURACY).scored().first()
    encoder = records[0].encoder if records else "the encoder"
    if binding is None:
        why = "no scene has an attribute swap"
        sentence = (
            f"It cannot be judged whether the pictures and captions of {encoder} agree on "
            f"binding (level 3): {why}."
        )
        return Verdict("unclear", sentence, None, 3, "both", 0)
    value, (low, high) = float(binding.value or 0.0), _ends(binding)
    concepts = either.first(metric=Metric.CONCEPT_ACCURACY)
    words = (
        "a picture prefers its caption to the caption with the attributes swapped in "
        f"{value_of(binding)} of the comparisons "
        f"({interval_of(binding)}, n = {binding.n:,}; chance: 50 %)"
    )
    if binding.ties:
        share = "all" if binding.ties == binding.n else f"{binding.ties:,}"
        words += f"; {share} of them hold a tie, which counts as a miss"
    if concepts is not None:
        words += f"; it prefers its caption to one with another concept in {value_of(concepts)}"
    who = f"the pictures and captions of {encoder}"
    judged = Verdict("unclear", "", value, 3, "both", binding.n, "chance")
    if value >= USABLE and low > SOMEWHAT:
        claim = "agree on binding (level 3, usable across modalities)"
        return replace(judged, word="yes", sentence=f"{_first(who)} {claim}: {words}.")
    if SOMEWHAT <= value < USABLE and low > CHANCE:
        return replace(
            judged,
            word="partly",
            sentence=f"{_first(who)} agree on binding only in part (level 3, usable in part): "
            f"{words}.",
        )
    if high < SOMEWHAT:
        claim = _disagreement(binding, concepts)
        return replace(
            judged,
            word="no",
            sentence=f"{_first(who)} {claim} (level 3, not usable across modalities): {words}.",
        )
    # too near what would be no more than usable in part, or no more than chance
    if value >= SOMEWHAT:
        gap, width = value - (SOMEWHAT if value >= USABLE else CHANCE), value - low
    else:
        gap, width = SOMEWHAT - value, high - value
    need = needed(binding.n, width, gap)
    asked = f"It cannot be judged whether {who} agree on binding (level 3)"
    return replace(judged, sentence=f"{asked}; {need} comparisons are needed: {words}.")


def _disagreement(binding: Record, concepts: Record | None) -> str:
    """How pictures and captions fail to agree."""
    if concepts is not None and concepts.value is not None and concepts.value < SOMEWHAT:
        return "do not even agree on single concepts"
    ties = (binding.ties or 0) / binding.n
    if (binding.ci_high or 0.0) + ties < CHANCE:
        return "prefer the caption with the attributes swapped"
    return "hardly agree on binding"


def which(concepts: Records) -> str:
    """What is bound: "which color belongs to which shape"."""
    names = [str(record["concept"]) for record in concepts]
    return (
        f"which {names[0]} belongs to which {names[1]}"
        if len(names) == 2
        else "which values belong to one object"
    )


def needed(n: int, width: float, gap: float) -> str:
    """About how many items would make an interval narrower than a gap, given its width on one side
    at n items.
    """
    if gap <= 0 or (width / gap) ** 2 > FAR:
        return "many more"
    more = max(n * (width / gap) ** 2, n + 1)
    unit = 10 ** max(floor(log10(more)) - 1, 0)
    return f"about {ceil(more / unit) * unit:,}"


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
    if _ends(objects)[0] <= _ends(strongest)[1]:
        words += ", which is not clearly less"
        if control == Control.RANDOM_WEIGHTS:
            words += ", so training need not have added it"
    return words + ("." if strongest is bag else f"; a bag of concepts reaches {value_of(bag)}.")


def _ends(record: Record) -> tuple[float, float]:
    """The interval of a record; without one nothing is known."""
    if record.ci_low is None or record.ci_high is None:
        return 0.0, 1.0
    return record.ci_low, record.ci_high


def _first(sentence: str) -> str:
    return sentence[0].upper() + sentence[1:]


def metric_name(record: Record) -> str:
    """A record's metric in words, with what it varies."""
    name = record.metric.replace("_", " ")
    details = [str(record[key]) for key in ("concept", "noun", "order") if record[key]]
    if record["queries"]:
        details.append("by its own queries" if record["queries"] == "own" else "by text queries")
    return name + (f" ({', '.join(details)})" if details else "")


def controls_of(record: Record, records: Records) -> dict[str, Record]:
    """The records of the controls that belong to a record, by control."""
    about = {name: record[name] for name in ("study", "modality", "metric", "concept", "noun")}
    beside = records.where(control=tuple(CONTROLS), **about)
    return {str(other.control): other for other in beside}


IN_THE_REPORT = ("additive", "spectrum", "removal", "edit", "complexity")
"""Studies whose tables the report shows, and the terminal does not."""


def summary_table(records: Records) -> str:
    """The main numbers for a terminal."""
    shown = [
        record
        for record in records.where(control=Control.NONE, noun=None, repair=None)
        if record.ci_low is not None and record.study not in IN_THE_REPORT
    ]
    controls = [name for name in CONTROLS if name in records.distinct("control")]
    lines = [
        (
            "modality",
            "metric",
            "value",
            "95 % interval",
            *(CONTROLS[name] for name in controls),
            "n",
            "ties",
        )
    ]
    for record in shown:
        beside = controls_of(record, records)
        values = [
            record.value,
            *(beside[name].value if name in beside else None for name in controls),
        ]
        value, *others = (numbers.shown(record.metric, x) for x in values)
        ties = "-" if record.ties is None else f"{record.ties:,}"
        lines.append(
            (
                record.modality,
                metric_name(record),
                value,
                interval_of(record),
                *others,
                f"{record.n:,}",
                ties,
            )
        )
    return aligned(lines, 2)
