"""What a map of queries did, in words."""

from __future__ import annotations

from typing import TYPE_CHECKING

from conceptbind.core.findings import Verdict, Word
from conceptbind.core.names import Control, Metric, Repair
from conceptbind.repairs.labclip.cost import clears_noise
from conceptbind.repairs.queries.study import WORDS, own_gains
from conceptbind.repairs.words import LARGE, is_wide
from conceptbind.report.numbers import interval_of, value_of
from conceptbind.within.triplets import GIVEN, NEUTRAL, TRAP
from conceptbind.within.words import USABLE

if TYPE_CHECKING:
    from conceptbind.core.records import Record, Records
    from conceptbind.repairs.queries.study import QueryRepair

WHERE = {
    NEUTRAL: "where caption, paraphrase and swap are worded differently",
    TRAP: "where the swap keeps the caption's wording",
    GIVEN: "where paraphrase and negative are those of the file",
}


OTHER_MAPS = "Other maps may do better: --method laboratory compares them."
FEW_WORDS = (
    "Whether it carries over to other words cannot be judged: there are too few to leave half of "
    "them out."
)


def query_verdict(study: QueryRepair) -> Verdict:
    """Does the map help, and how far does it bring the captions?

    Args:
        study: what `query_repair` returned.
    """
    records = study.records
    before, after = (_scores(records, repair) for repair in (Repair.NONE, Repair.CONVEX))
    written = after if study.recommended else before
    lowest = min(_value(record) for record in written)
    word, sentence = _judged(study, before, after)
    return Verdict(
        word,
        sentence,
        lowest,
        2,
        "text",
        n=written[0].n,
        control="no_repair" if _untrained(records) is None else str(Control.RANDOM_WEIGHTS),
        repairs=study.recommended,
    )


def _judged(study: QueryRepair, before: list[Record], after: list[Record]) -> tuple[Word, str]:
    changes = [_change(*pair) for pair in zip(before, after, strict=True)]
    unseen = "combinations" if study.by_scenes else "captions"
    said = ". It goes ".join((f"paraphrase accuracy {changes[0]}", *changes[1:]))
    said += f". These are scores on {unseen} that it was not fitted on"
    said += f" (n = {after[0].n:,}; chance: 33.3 %)"
    if study.recommended:
        beside, beaten = _beside_untrained(study.records)
        usable = min(map(_value, after)) >= USABLE
        word: Word = "yes" if usable and beaten else "partly"
        told = f"{beside}{_cost(study.records)}{_other_words(study)}"
        if not usable:
            told += f" {OTHER_MAPS}"
        return word, f"A linear map of the query brings {said}.{told}"
    kept = "The adapter is the identity, which changes nothing"
    usable = min(map(_value, before)) >= USABLE
    gains = own_gains(study.records)
    if study.unchanged:
        return _unchanged(before, usable)
    if usable:
        words = f"A map of the query has nothing to add. It would bring {said}. {kept}."
        return "no", words
    highs = [1.0 if gain.ci_high is None else gain.ci_high for gain in gains]
    if max(highs) >= LARGE and study.fit.helps:
        words = f"It cannot be judged whether a map of the query helps here. It brings {said}."
        return "unclear", f"{words} {kept}."
    words = f"This map of the query does not help here. It brings {said}. {kept}."
    return "no", f"{words} {OTHER_MAPS}"


def _unchanged(before: list[Record], usable: bool) -> tuple[Word, str]:
    """What is said where validation prefers no map of the path to none."""
    lowest = min(before, key=_value)
    stays = (
        f"paraphrase accuracy stays at {value_of(lowest)} ({interval_of(lowest)}, n = {lowest.n:,})"
    )
    if usable:
        return "no", f"A map of the query has nothing to add: {stays}."
    why = "On validation no map of this kind does better without losing what is found"
    if is_wide(lowest):
        said = f"It cannot be judged whether a map of the query helps here. {why}, so {stays}."
        return "unclear", f"{said} {OTHER_MAPS}"
    return "no", f"This map of the query does not help here. {why}, so {stays}. {OTHER_MAPS}"


def _change(then: Record, now: Record) -> str:
    setting = WHERE.get(str(then["setting"]), "")
    moved = f"from {value_of(then)} to {value_of(now)} ({interval_of(now)})"
    return f"{moved} {setting}".rstrip()


def _untrained(records: Records) -> list[Record] | None:
    """What the control gains in each setting; None where there is none."""
    found = records.where(metric=Metric.PARAPHRASE_GAIN, control=Control.RANDOM_WEIGHTS)
    return list(found) or None


def _beside_untrained(records: Records) -> tuple[str, bool]:
    """What such a map does to the same encoder with random weights, and whether that is clearly
    less in every setting.
    """
    gains = _untrained(records)
    if gains is None:
        return "", True
    pairs = list(zip(own_gains(records), gains, strict=True))
    beaten = all(_clearly_more(own, control) for own, control in pairs)
    if all(gain.ci_low is None for gain in gains):
        return " With random weights, validation prefers no map.", beaten
    before, after = (
        _scores(records, one, control=Control.RANDOM_WEIGHTS)
        for one in (Repair.NONE, Repair.CONVEX)
    )
    moved = [_change(*pair) for pair in zip(before, after, strict=True)]
    said = ". It goes ".join(moved)
    words = f" With random weights such a map brings it {said} (n = {gains[0].n:,})."
    if not beaten:
        words += " That is not clearly less, so the gain need not be what the encoder has learned."
    return words, beaten


def _clearly_more(own: Record, control: Record) -> bool:
    """Whether the interval of a gain lies above that of the control's; a control that no map was
    chosen for gains nothing.
    """
    most = 0.0 if control.ci_high is None else control.ci_high
    return own.ci_low is not None and own.ci_low > most


def _cost(records: Records) -> str:
    """What happens to captions that people wrote, or to the scenes themselves."""
    found = records.where(metric=Metric.PARAPHRASE_RECALL_AT_1)
    parts = []
    for name in found.distinct("scenes"):
        both = (Repair.NONE, Repair.CONVEX)
        then, now = (found.one(scenes=name, repair=repair) for repair in both)
        parts.append(
            f" A caption of {name} finds its paraphrase first in {value_of(now)}, without the map "
            f"in {value_of(then)} (n = {now.n:,})."
        )
    alone = records.where(metric=Metric.SINGLE_OBJECT_ACCURACY)
    if alone:
        then, now = (alone.one(repair=repair) for repair in (Repair.NONE, Repair.CONVEX))
        parts.append(
            f" A caption of a single object finds its paraphrase first in {value_of(now)}, without "
            f"the map in {value_of(then)} (n = {now.n:,})."
        )
    return "".join(parts)


def _other_words(study: QueryRepair) -> str:
    """What such a map does to words that it was not fitted on, and whether it carries over."""
    if not study.by_scenes:
        return ""
    gains = study.records.where(metric=Metric.PARAPHRASE_GAIN, split=WORDS)
    if not gains:
        return f" {FEW_WORDS}"
    before, after = (_scores(study.records, one, WORDS) for one in (Repair.NONE, Repair.CONVEX))
    moved = [_change(*pair) for pair in zip(before, after, strict=True)]
    said = ". There it goes ".join(moved)
    words = f" On words that such a map was not fitted on it goes {said} (n = {gains[0].n:,})."
    return f"{words} {_carries(gains)}"


def _carries(gains: Records) -> str:
    """Whether the gain is there in every setting, in some, or in none."""
    sure = [clears_noise(gain.value, gain.ci_low) for gain in gains]
    if all(sure):
        return "So it carries over to other words."
    if any(gain.ci_high is not None and gain.ci_high < 0 for gain in gains):
        return "So it does not carry over: fit it on the words of your own queries."
    if any(sure):
        return "So it carries over in part: fit it on the words of your own queries."
    if any(gain.ci_high is None or gain.ci_high >= LARGE for gain in gains):
        return "Whether it carries over cannot be judged: more words are needed."
    return "So it does not carry over: fit it on the words of your own queries."


def _scores(
    records: Records, repair: Repair, split: str = "test", control: Control = Control.NONE
) -> list[Record]:
    """By the rule of both sides, of each setting."""
    asked = {"metric": Metric.PARAPHRASE_ACCURACY, "repair": repair, "split": split}
    return list(records.where(control=control, **asked))


def _value(record: Record) -> float:
    return float(record.value or 0.0)
