"""What a repair did, in one sentence: that it helps, that it does not, or that this cannot be
judged.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from conceptbind.core.errors import counted
from conceptbind.core.findings import Verdict, Word
from conceptbind.core.names import Control, Metric, Repair
from conceptbind.core.rounding import percent
from conceptbind.crossmodal.words import SOMEWHAT, USABLE
from conceptbind.repairs.labclip.cost import SURE, WORTH, clears_noise, is_sure
from conceptbind.report.numbers import interval_of, value_of
from conceptbind.report.words import CONTROL_WORDS, first, needed

if TYPE_CHECKING:
    from conceptbind.core.records import Record, Records
    from conceptbind.repairs.arrays import ArrayRepair
    from conceptbind.repairs.study import RepairStudy

LARGE = 0.1
"""Where the gain may be as large as this, or there may be none, it cannot be judged
whether a repair helps."""
COSTS = {
    Metric.RECALL_AT_1: "recall at 1",
    Metric.PARAPHRASE_RECALL_AT_1: "recall of paraphrases",
    Metric.SINGLE_OBJECT_ACCURACY: "recognition of single objects",
}
"""Scores that a repair is not for, and that it may cost."""
NO_BINDING = "Whether pictures and captions agree on binding cannot be judged without negatives"


class Change(NamedTuple):
    """The three records that decide whether a repair is recommended."""

    name: str
    then: Record
    now: Record
    gain: Record

    @property
    def ends(self) -> tuple[float, float]:
        """The interval of the gain; without one nothing is known."""
        if self.gain.ci_low is None or self.gain.ci_high is None:
            return -1.0, 1.0
        return self.gain.ci_low, self.gain.ci_high


def protocol_of(records: Records) -> Repair:
    """HNB where negatives were given, else SB."""
    own = records.where(control=Control.NONE)
    mended = own.first(metric=Metric.RECALL_AT_1, repair=Repair.HNB)
    return Repair.HNB if mended else Repair.SB


def repair_sentence(study: RepairStudy | ArrayRepair) -> str:
    """What the repair does, what it costs, or that it does not help.

    Args:
        study: what `repair_study` or `array_repair` returned.
    """
    return repair_verdict(study).sentence


def repair_verdict(study: RepairStudy | ArrayRepair) -> Verdict:
    """Does the repair help? Yes where binding is usable with it, partly where it only gains, no
    where nothing is recommended.
    """
    after = protocol_of(study.records)
    own = study.records.where(control=Control.NONE)
    binding = (Metric.BINDING_ACCURACY, Metric.BINDING_GAIN)
    change = _change(own, *binding, after, "the binding accuracy")
    if change is None:
        recall = (Metric.RECALL_AT_1, Metric.RECALL_GAIN)
        return _without_negatives(study, _change(own, *recall, after, "recall at 1"))
    written = change.now if study.recommended or study.asked else change.then
    judged = Verdict(
        "unclear",
        "",
        written.value,
        3,
        "both",
        n=change.now.n,
        control=strongest_control(study.records),
        repairs=study.recommended,
    )
    if study.recommended:
        gain = study.records.first(
            metric=Metric.BINDING_GAIN, repair=Repair.HNB, control=Control.BAG_TWIN
        )
        twin, beaten = beside_twin(gain, change.ends[0])
        word: Word = "yes" if _usable(change.now) and beaten else "partly"
        sentence = (
            f"A linear repair of the captions brings {_said(study, change)}. "
            f"{first(_cost(own, after))}.{twin}{_still_low(change.now)}"
        )
        return replace(judged, word=word, sentence=sentence)
    tried = _tried(study, change)
    if _usable(change.then):
        return replace(
            judged,
            word="no",
            sentence="A linear repair has nothing to add where binding is usable without one. "
            f"{first(tried)}.",
        )
    if _could_be_large(study, change):
        return replace(
            judged,
            sentence="It cannot be judged whether a linear repair helps here. "
            f"{first(_more(change))} are needed. {first(tried)}.",
        )
    return replace(
        judged, word="no", sentence=f"A linear repair does not help here. {first(tried)}."
    )


def _without_negatives(study: RepairStudy | ArrayRepair, change: Change | None) -> Verdict:
    """Recall alone: of binding nothing can be said."""
    judged = Verdict(
        "unclear",
        f"A linear map was fitted without negatives. {NO_BINDING}.",
        None,
        3,
        "both",
        repairs=study.recommended,
    )
    if change is None:
        return judged
    said = (
        f"brings {_said(study, change)}"
        if study.recommended
        else f"does not help here. {first(_tried(study, change))}"
    )
    return replace(
        judged,
        sentence=f"A linear map fitted without negatives {said}. {NO_BINDING}.",
        n=change.now.n,
        control="no_repair",
    )


def _change(
    records: Records, metric: Metric, gain: Metric, after: Repair, name: str
) -> Change | None:
    then = records.first(metric=metric, repair=Repair.NONE)
    now = records.first(metric=metric, repair=after)
    paired = records.first(metric=gain, repair=after)
    if (
        then is None
        or now is None
        or paired is None
        or None in (then.value, now.value, paired.value)
    ):
        return None
    return Change(name, then, now, paired)


def _said(study: RepairStudy | ArrayRepair, change: Change) -> str:
    """From where to where, on what, and the paired gain."""
    return (
        f"{change.name} from {value_of(change.then)} to {value_of(change.now)} "
        f"({interval_of(change.now)}, n = {change.now.n:,}) "
        f"on {unseen(study)} that it was not fitted on, a change of {value_of(change.gain)} "
        f"({interval_of(change.gain)})"
    )


def _tried(study: RepairStudy | ArrayRepair, change: Change) -> str:
    """What was tried, why it is not recommended, and what is written instead."""
    if study.pull == 0:
        why = (
            "no repair was asked for"
            if study.asked
            else "on validation no map does better without losing recall"
        )
        return (
            f"{why}, so {change.name} stays at {value_of(change.then)} "
            f"({interval_of(change.then)}, n = {change.then.n:,})"
        )
    low, high = change.ends
    if clears_noise(change.gain.value, change.gain.ci_low):
        why = "But the fits for the adapter, on one part more each, stopped where they began"
    elif is_sure(change.gain.value, change.gain.ci_low):
        why = f"This is less than the {100 * WORTH:g} points from which a repair is recommended"
    elif low > 0:
        why = (
            "This is not sure enough. The pull was chosen by scores of the same "
            f"{unseen(study)}, so the 99 % interval must lie above 0"
        )
    else:
        why = "This is a loss" if high < 0 else "Chance can explain this"
    end = (
        "the map is kept since it was asked for"
        if study.asked
        else "the adapter is the identity, which changes nothing"
    )
    return f"the best map takes {_said(study, change)}. {why}. {first(end)}"


def _usable(record: Record) -> bool:
    return (record.value or 0.0) >= USABLE and (record.ci_low or 0.0) > SOMEWHAT


def _still_low(now: Record) -> str:
    """What is said of a score that a repair raises, and that stays too low to build on."""
    if (now.value or 0.0) >= SOMEWHAT:
        return ""
    return f" This stays below {percent(SOMEWHAT)}, from which we call binding usable in part."


def is_wide(record: Record) -> bool:
    """Whether a score is known so badly that a large gain on it could not be seen.

    Args:
        record: the score; without an interval nothing is known.
    """
    low, high = record.ci_low, record.ci_high
    # rounding must not decide
    return low is None or high is None or round((high - low) / 2, 9) >= LARGE


def _could_be_large(study: RepairStudy | ArrayRepair, change: Change) -> bool:
    """Whether neither a large gain nor none is ruled out; where nothing was changed, by how well
    the score itself is known.
    """
    if study.pull > 0:
        return not is_sure(change.gain.value, change.gain.ci_low) and change.ends[1] >= LARGE
    return is_wide(change.then)


def _more(change: Change) -> str:
    value = change.gain.value or 0.0
    return f"{needed(change.gain.n, SURE * (value - change.ends[0]), value)} comparisons"


def _cost(records: Records, after: Repair) -> str:
    """What happens to recall and to single objects."""
    parts = []
    for metric, name in COSTS.items():
        then, now = (records.first(metric=metric, repair=one) for one in (Repair.NONE, after))
        if now is not None:
            parts.append(kept(name, then, now))
    return " and ".join(parts)


def kept(name: str, then: Record | None, now: Record) -> str:
    """What happens to a score that a repair is not for.

    Args:
        name: of the score.
        then: before; None where it was not measured.
        now: after.
    """
    before, after = ("-" if one is None else value_of(one) for one in (then, now))
    if before == after:
        return f"{name} stays at {after}"
    return f"{name} goes from {before} to {after}"


def strongest_control(records: Records) -> str:
    """What a gain has to beat: that of the bag twin where it was repaired too, else no repair.

    Args:
        records: of one repair, or of the laboratory.
    """
    twin = records.first(metric=Metric.BINDING_GAIN, control=Control.BAG_TWIN)
    return "no_repair" if twin is None else str(Control.BAG_TWIN)


def beside_twin(gain: Record | None, least: float) -> tuple[str, bool]:
    """What the same repair does to the bag twin, and whether its gain is clearly less.

    Args:
        gain: of the twin; None where it was not repaired.
        least: the lower end of the encoder's gain.
    """
    if gain is None or gain.value is None:
        return "", True
    name = first(CONTROL_WORDS[Control.BAG_TWIN])
    if gain["pull"] == 0:  # unchanged, so it has no interval
        return f" {name}, is not repaired: validation prefers no map for it.", least > 0
    beaten = gain.ci_high is not None and gain.ci_high < least
    words = f" {name}, changes by {value_of(gain)} ({interval_of(gain)})"
    less = "" if beaten else ", which is not clearly less, so the gain need not be binding"
    return f"{words}{less}.", beaten


def unseen(study: RepairStudy | ArrayRepair) -> str:
    """What was scored."""
    return "combinations" if hasattr(study, "comparisons") else "pairs"


def turned(study: RepairStudy | ArrayRepair) -> str:
    """The comparisons that were turned, which give the gain: (right - wrong) / all."""
    after = protocol_of(study.records)
    own = study.records.where(control=Control.NONE, repair=after)
    gain = own.first(metric=Metric.BINDING_GAIN) or own.one(metric=Metric.RECALL_GAIN)
    each = study.n_compared // gain.n
    of = counted(study.n_compared, "comparison")
    if each > 1 and unseen(study) == "combinations":
        of += f" ({counted(gain.n, 'pair')} of scene and swap, {each} orders of mention)"
    elif each > 1:
        of += f" ({counted(gain.n, 'pair')}, {each} negatives of each)"
    return (
        f"Of {of} the map at pull {study.pull:g} turned {study.n_mended:,} right and "
        f"{study.n_spoiled:,} wrong: "
        f"({study.n_mended:,} - {study.n_spoiled:,}) / {study.n_compared:,} = {value_of(gain)}."
    )


def pull_in_words(study: RepairStudy | ArrayRepair) -> str:
    """Which map was scored, which is written, and how the two differ."""
    if study.asked:
        why = "was asked for"
    else:
        why = (
            "is the gentlest that on validation binds within a hundredth of the best and loses at "
            "most a hundredth of recall and single objects"
        )
    scored = (
        f"Scored at pull {study.pull:g} of the way from no repair (0) to the fitted map (1). "
        f"This pull {why}"
    )
    if not study.recommended and not study.asked:
        return f"{scored}. It is not recommended: the adapter is the identity, pull 0."
    if study.folds == 1:
        return f"{scored}. The adapter is the map that was scored."
    return (
        f"{scored}. The scores are of {study.folds} maps, each on the part that it was not fitted "
        "on. The adapter was fitted in the same way on all parts but one, which chose when to "
        "stop, and has the same pull."
    )
