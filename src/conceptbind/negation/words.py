"""Is "no" taken into account? In words."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from conceptbind.core.findings import Verdict, Word
from conceptbind.core.names import Control, Metric
from conceptbind.negation.study import CAPTION, WHOLE, main_record
from conceptbind.negation.wordings import EXCHANGED
from conceptbind.report.numbers import interval_of, number, value_of
from conceptbind.report.words import CONTROL_WORDS, ends, needed

if TYPE_CHECKING:
    from conceptbind.core.records import Record, Records

HEARD, SOMEWHAT, CHANCE = 0.9, 0.6, 0.5
"""Shares of negated captions that are right, from which an encoder reacts to "no", or reacts in
part; and the share of a coin."""
REACTS = {"yes": "reacts to", "partly": "reacts in part to", "no": "hardly reacts to"}
SHOWN = {"text": "descriptions", "image": "pictures"}
"""What is chosen among, by modality of the scenes."""
ASKS = {modality: f'reacts to "no" among {shown}?' for modality, shown in SHOWN.items()}
WHERE = {"text": "within captions", "image": "between pictures and captions"}


def negation_verdict(records: Records, modality: str, encoder: str) -> Verdict:
    """How far the encoder reacts to "no", from the records of the study.

    Args:
        records: of one modality.
        modality: of the scenes: `text` for descriptions, `image` for pictures.
        encoder: its name.
    """
    negated = main_record(records, Metric.NEGATED_ACCURACY)
    twin = main_record(records, Metric.AFFIRMATIVE_ACCURACY)
    control = _strongest(records)
    judged = Verdict(
        "unclear",
        "",
        negated.value,
        modality=modality,
        n=negated.n,
        control="chance" if control is None else str(control.control),
        asks=ASKS[modality],
    )
    asked = _asked(encoder, modality)
    if negated.ci_low is None or twin.ci_low is None:
        why = f"all pairs of scenes are one draw (n = {negated.n:,})"
        return replace(judged, sentence=f"{asked}: {why}.")
    rest = _told(records, negated, twin, modality) + _beside(control)
    word = _word(negated, twin, control)
    if word == "unclear":
        return replace(judged, sentence=f"{asked}{_why(negated, twin, control)} {rest}")
    who = f'Where a caption chooses among {SHOWN[modality]}, {encoder} {REACTS[word]} "no"'
    return replace(judged, word=word, sentence=f"{who} ({WHERE[modality]}). {rest}")


def _word(negated: Record, twin: Record, control: Record | None) -> Word:
    low, high = ends(negated)
    if ends(twin)[0] <= CHANCE:
        return "unclear"
    if high < SOMEWHAT:
        return "no"
    if low <= CHANCE or _value(negated) < SOMEWHAT or not _beaten(negated, control):
        return "unclear"
    return "yes" if _value(negated) >= HEARD else "partly"


def _beaten(negated: Record, control: Record | None) -> bool:
    return control is None or _value(control) < ends(negated)[0]


def _why(negated: Record, twin: Record, control: Record | None) -> str:
    """Why it cannot be judged, and what would be needed."""
    if ends(twin)[0] <= CHANCE < _value(twin):
        return (
            f": that the same captions without negation find the object is not sure with n = "
            f"{twin.n:,}."
        )
    if ends(twin)[0] <= CHANCE:
        return ": without negation the same captions do not find the object above chance either."
    value, (low, high) = _value(negated), ends(negated)
    if value >= SOMEWHAT and low > CHANCE:
        return ": a control reaches as much."
    if value >= SOMEWHAT:  # too near chance
        gap, width = value - CHANCE, value - low
    else:  # too near the threshold
        gap, width = SOMEWHAT - value, high - value
    return f"; {needed(negated.n, width, gap)} pairs of scenes are needed."


def not_judged(encoder: str, modality: str, reason: str) -> Verdict:
    """The verdict where nothing could be compared.

    Args:
        encoder: its name.
        modality: of the scenes.
        reason: why not, in words.
    """
    sentence = f"{_asked(encoder, modality)}: {reason}."
    return Verdict("unclear", sentence, None, modality=modality, n=0, asks=ASKS[modality])


def _asked(encoder: str, modality: str) -> str:
    return (
        f'It cannot be judged whether {encoder} reacts to "no" when a caption chooses among '
        f"{SHOWN[modality]}"
    )


def _told(records: Records, negated: Record, twin: Record, modality: str) -> str:
    """Both accuracies, how often the same scene is chosen, and how near the captions are."""
    ignored = main_record(records, Metric.NEGATION_IGNORED)
    parts = [
        f"A negated caption finds the scene without the object in {value_of(negated)} "
        f"({interval_of(negated)}).",
        f"The same caption without negation finds the one with it in {value_of(twin)} "
        f"({interval_of(twin)}).",
        f'Both choose the same scene, as if "no" were not there, in {value_of(ignored)}.',
    ]
    pull = records.first(metric=Metric.MENTION_PULL, chooser=CAPTION, control=Control.NONE, **WHOLE)
    if pull is not None:
        parts.append(
            f'Adding a clause such as "and no circle" brings the {SHOWN[modality]} with the '
            f"object nearer in {value_of(pull)}."
        )
    moved = records.first(
        metric=Metric.NEGATED_ACCURACY,
        chooser=CAPTION,
        control=Control.NONE,
        form=EXCHANGED,
        wording=None,
    )
    if moved is not None:
        parts.append(
            'Of captions such as "a triangle and no circle", whose words a bag cannot tell from '
            f'"a circle and no triangle", {value_of(moved)} are right.'
        )
    near = records.first(metric=Metric.NEGATION_COSINE, control=Control.NONE)
    other = records.first(metric=Metric.UNRELATED_COSINE, control=Control.NONE)
    if near is not None and other is not None:
        parts.append(
            f"A caption and its negation have a cosine of {number(near.value)}, two captions of "
            f"other scenes {number(other.value)}."
        )
    return f"{' '.join(parts)} n = {negated.n:,} pairs of scenes; chance: 50 %."


def _strongest(records: Records) -> Record | None:
    """The control whose negated captions are right most often; of equals the first."""
    found = records.where(metric=Metric.NEGATED_ACCURACY, chooser=CAPTION, **WHOLE)
    others = [record for record in found if record.control != Control.NONE]
    return max(others, key=_value, default=None)


def _beside(control: Record | None) -> str:
    if control is None:
        return ""
    name = str(control.control)
    words = CONTROL_WORDS.get(name, name)
    return f" The strongest control, {words}, reaches {value_of(control)}."


def _value(record: Record) -> float:
    return float(record.value or 0.0)
