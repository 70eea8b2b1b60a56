"""What the laboratory found, in sentences."""

from __future__ import annotations

from typing import TYPE_CHECKING

from conceptbind.core.findings import Verdict, Word
from conceptbind.core.names import Control, Metric, Repair
from conceptbind.core.rounding import percent
from conceptbind.crossmodal.words import SOMEWHAT, USABLE
from conceptbind.repairs.labclip.cost import TOLERANCE, WORTH, clears_noise
from conceptbind.repairs.laboratory.contest import GAINS
from conceptbind.repairs.words import (
    COSTS,
    LARGE,
    NO_BINDING,
    beside_twin,
    is_wide,
    kept,
    strongest_control,
)
from conceptbind.report.numbers import interval_of, value_of
from conceptbind.report.words import first

if TYPE_CHECKING:
    from conceptbind.core.records import Record
    from conceptbind.repairs.laboratory.contest import Entry, Laboratory
    from conceptbind.repairs.laboratory.contract import Side

METHODS = {
    Repair.NONE: "no repair",
    Repair.SB: "LABCLIP without negatives (SB)",
    Repair.HNB: "LABCLIP with negatives (HNB)",
    Repair.CONVEX: "convex comparison of captions",
    Repair.RIDGE: "ridge regression",
    Repair.PROCRUSTES: "rotation (Procrustes)",
    Repair.CCA: "canonical correlation (CCA)",
    Repair.LOW_RANK: "low-rank change",
    Repair.DIAGONAL: "weighted dimensions",
    Repair.ERASURE: "erased concepts",
    Repair.TWO_LAYER: "two-layer network",
}
SIDES: dict[Side, str] = {
    "text": "captions",
    "image": "pictures",
    "both": "both",
    "query": "queries",
}
NO_TWIN = " The control is no repair: no encoder without binding was repaired beside it."
WHAT = {
    Metric.BINDING_ACCURACY: "the binding accuracy",
    Metric.PARAPHRASE_ACCURACY: "the paraphrase accuracy",
    Metric.RECALL_AT_1: "recall at 1",
}


def laboratory_verdict(found: Laboratory, unseen: str) -> Verdict:
    """Which repair is recommended, what it does, and whether negatives are needed.

    Args:
        found: all methods beside each other.
        unseen: what was scored: combinations, or pairs.
    """
    before = _measured(found, found.entries[0], found.decides)
    after = _measured(found, found.best, found.decides)
    what, others = WHAT[found.decides], _others(found)
    word: Word
    several = len(found.entries) - 1
    tried = METHODS[found.entries[-1].method]
    if not found.recommended:
        none = f"Of {several} repairs none" if several > 1 else f"{first(tried)}"
        denied = "is recommended" if several > 1 else "is not recommended"
        sentence = (
            f"{none} {denied}: {what} stays at "
            f"{value_of(before)} ({interval_of(before)}, n = {before.n:,}) on {unseen} that were "
            f"not fitted on.{_settings(found, found.entries[0])}{_tried(found)}{others}"
        )
        word = "no"
        if _could_be_large(found) and not _usable(found, found.entries[0]):
            word, sentence = "unclear", f"It cannot be judged whether a repair helps. {sentence}"
        return _verdict(
            word, sentence, _lowest(found, found.entries[0]), "no repair", repairs=False
        )
    gain = found.record(found.best, GAINS[found.decides])
    assert gain is not None
    twin, beaten = beside_twin(
        found.records.first(metric=GAINS[found.decides], control=Control.BAG_TWIN),
        -1.0 if gain.ci_low is None else gain.ci_low,
    )
    chosen = f"Of {several} repairs validation prefers {METHODS[found.best.method]}"
    if several == 1:
        chosen = f"{first(tried)} helps"
    sentence = (
        f"{chosen}, with {found.best.parameters:,} numbers. It brings {what} "
        f"from {value_of(before)} to {value_of(after)} ({interval_of(after)}, n = {after.n:,}) on "
        f"{unseen} that it was not fitted on, a change of {value_of(gain)} ({interval_of(gain)})."
        f"{_settings(found, found.best)}{twin or NO_TWIN}{_cost(found)}{others}"
    )
    word = "yes" if _usable(found, found.best) and beaten else "partly"
    lowest = _lowest(found, found.best)
    return _verdict(word, sentence, lowest, strongest_control(found.records), repairs=True)


def _could_be_large(found: Laboratory) -> bool:
    """Whether neither a large gain nor none is ruled out; where nothing was changed, by how well
    the score itself is known.
    """
    gain = found.record(found.best, GAINS[found.decides])
    if found.best.pull > 0 and gain is not None:
        high = 1.0 if gain.ci_high is None else gain.ci_high
        return not clears_noise(gain.value, gain.ci_low) and high >= LARGE
    return is_wide(_measured(found, found.entries[0], found.decides))


def _verdict(word: Word, sentence: str, record: Record, control: str, *, repairs: bool) -> Verdict:
    if record.metric == Metric.RECALL_AT_1:  # of binding nothing was measured
        told = f"{sentence} {NO_BINDING}."
        return Verdict("unclear", told, None, 3, "both", record.n, control, repairs)
    level, modality = (2, "text") if record.metric == Metric.PARAPHRASE_ACCURACY else (3, "both")
    return Verdict(word, sentence, record.value, level, modality, record.n, control, repairs)


def _settings(found: Laboratory, entry: Entry) -> str:
    """What decides, setting by setting: of captions, where it is neutral and as a trap."""
    records = found.settings(entry)
    parts = [f"{one['setting']} {value_of(one)} ({interval_of(one)})" for one in records]
    return f" That is the mean of {' and '.join(parts)}." if len(parts) > 1 else ""


def _cost(found: Laboratory) -> str:
    """What happens to retrieval and to single objects."""
    parts = []
    for metric, name in COSTS.items():
        then, now = (found.record(entry, metric) for entry in (found.entries[0], found.best))
        if metric != found.decides and then is not None and now is not None:
            parts.append(kept(name, then, now))
    return f" {first(' and '.join(parts))}." if parts else ""


def _lowest(found: Laboratory, entry: Entry) -> Record:
    """What decides where it is lowest."""
    whole = _measured(found, entry, found.decides)
    return min(found.settings(entry), key=lambda one: one.value or 0.0, default=whole)


def _measured(found: Laboratory, entry: Entry, metric: Metric) -> Record:
    record = found.record(entry, metric)
    assert record is not None
    return record


def _usable(found: Laboratory, entry: Entry) -> bool:
    record = _lowest(found, entry)
    return (record.value or 0.0) >= USABLE and (record.ci_low or 0.0) > SOMEWHAT


def _tried(found: Laboratory) -> str:
    """What the best one did, where one was preferred and its gain is not sure."""
    gain = found.record(found.best, GAINS[found.decides])
    if found.best.pull == 0 or gain is None:
        return " On validation no map does better without losing recall."
    return (
        f" The one that validation prefers, {METHODS[found.best.method]}, changes it by "
        f"{value_of(gain)} ({interval_of(gain)}), which is not sure enough."
    )


def _others(found: Laboratory) -> str:
    """Whether negatives are needed, and whether more than a matrix of captions does better."""
    return negatives_sentence(found.negatives) + _beyond(found)


def negatives_sentence(difference: Record | None) -> str:
    """Whether hard negatives are needed, by the paired difference of HNB to SB.

    Args:
        difference: in binding accuracy; None where both were not compared.
    """
    if difference is None or difference.ci_high is None:
        return ""
    said = f"with them binding changes by {value_of(difference)} ({interval_of(difference)})"
    if clears_noise(difference.value, difference.ci_low):
        return f" Hard negatives are needed: {said}."
    if difference.ci_high < WORTH:
        return f" Hard negatives are not needed here: {said}."
    return f" Whether hard negatives are needed cannot be judged: {said}."


def _beyond(found: Laboratory) -> str:
    """Where maps of pictures, or a network, bind clearly better on validation."""
    here = found.best.validation.binding
    others = [entry for entry in found.entries if not entry.keeps_index and entry.pull > 0]
    scored = [(entry.validation.binding or 0.0, entry) for entry in others]
    if here is None or not scored:
        return ""
    value, entry = max(scored, key=lambda pair: pair[0])
    if value <= here + TOLERANCE:
        return ""
    price = "a new index" if entry.side in ("image", "both") else "more than a matrix"
    name = f"{METHODS[entry.method]} of {SIDES[entry.side]}"
    return f" On validation {name} reaches {percent(value)}, but needs {price}."
