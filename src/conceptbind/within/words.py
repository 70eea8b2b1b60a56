"""Level 2, usable within one modality, in words: does cosine tell a scene from its swap?"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from conceptbind.core.findings import Verdict, Word
from conceptbind.core.names import Control, Metric
from conceptbind.core.rounding import percent
from conceptbind.report.numbers import interval_of, value_of
from conceptbind.report.words import (
    CONTROL_WORDS,
    beats,
    ends,
    first,
    needed,
    needed_against,
    seen,
)
from conceptbind.within.study import WHOLE
from conceptbind.within.triplets import NEUTRAL, TRAP

if TYPE_CHECKING:
    from conceptbind.core.records import Record, Records

USABLE, SOMEWHAT = 0.9, 0.5
"""Level 2: strict shares from which binding is usable within a modality (in both settings), or
usable in part (in one of them)."""
SURFACE = 1 / 2
"""The most that a wording or a drawing alone can win in the neutral setting: of any two wordings
each is the paraphrase's as often as the swap's."""
CHANCE = 1 / 3
"""Share of an encoder whose three cosines have nothing to do with the scene."""
ALIKE = {
    ("text", NEUTRAL): "Where caption, paraphrase and swap are all worded differently",
    ("text", TRAP): "Where the swap keeps the caption's wording",
    ("image", NEUTRAL): "Where both other pictures are drawn again",
    ("image", TRAP): "Where the swap keeps the picture's places and sizes",
}
"""What the settings are, by modality."""
ALONE = {
    "image": "Whether equal places mislead it cannot be judged: these pictures were not drawn.",
    "text": "The other setting cannot be judged: no caption names two things side by side.",
}
"""What is said where only one setting was measured."""
NEARER = {
    "text": "a caption and its paraphrase are nearer to each other than either is to the swap",
    "image": "two pictures of a scene are nearer to each other than either is to the swap",
}


def not_judged(modality: str, encoder: str, why: str, n: int = 0) -> Verdict:
    """Level 2 of one modality, where nothing can be said.

    Args:
        modality: `text` or `image`.
        encoder: its name.
        why: the reason, without a full stop.
        n: comparisons that were made.
    """
    return Verdict("unclear", f"{_asked(modality, encoder)}. {first(why)}.", None, 2, modality, n)


def _asked(modality: str, encoder: str) -> str:
    who = f"the {seen(modality)} of {encoder}"
    return f"It cannot be judged whether {who} tell a scene from its swap by cosine (level 2)"


def usable_within(records: Records, modality: str, encoder: str) -> Verdict:
    """Level 2 of one modality, from the records of the study.

    Args:
        records: of the study `within`; empty where nothing could be compared.
        modality: `text` or `image`.
        encoder: its name.
    """
    who = f"the {seen(modality)} of {encoder}"
    asked = _asked(modality, encoder)
    found = {setting: _main(records, setting) for setting in (NEUTRAL, TRAP)}
    there = [record for record in found.values() if record is not None]
    why = _unjudged(there)
    if why is not None:
        return not_judged(modality, encoder, why, there[0].n if there else 0)
    weaker, stronger = min(there, key=_value), max(there, key=_value)
    control, beside = _strongest(records, weaker), _strongest(records, stronger)
    judged = Verdict(
        "unclear",
        "",
        _value(weaker),
        2,
        modality,
        weaker.n,
        "chance" if control is None else str(control.control),
    )
    name, level = first(who), "tell a scene from its swap by cosine"
    rest = _told(there, modality) + _beside(there, records)
    if len(there) == 1:
        rest += f" {ALONE[modality]}"
    word = usable_word((weaker, control), (stronger, beside))
    if len(there) > 1 and word == "yes":
        claim = f"{name} {level} (level 2, usable within {seen(modality)})"
        return replace(judged, word="yes", sentence=f"{claim}. {rest}")
    if word in ("yes", "partly"):  # yes: in one setting, and no other was measured
        far = " in the one setting that was measured" if word == "yes" else " only in part"
        claim = f"{name} {level}{far} (level 2, usable in part)"
        return replace(judged, word="partly", sentence=f"{claim}. {rest}")
    if word == "no":
        far = "hardly" if ends(stronger)[1] < SOMEWHAT else "cannot be relied on to"
        claim = f"{name} {far} {level} (level 2, not usable within {seen(modality)})"
        return replace(judged, word="no", sentence=f"{claim}. {rest}")
    need = first(needed_for_usable(stronger, beside))
    return replace(judged, sentence=f"{asked}. {need} comparisons are needed. {rest}")


def usable_word(
    weaker: tuple[Record, Record | None], stronger: tuple[Record, Record | None]
) -> Word:
    """How far binding is usable within a modality, by the settings (or files) where it is lowest
    and highest, each with its strongest control.

    Args:
        weaker: the lowest share, and its control.
        stronger: the highest.
    """
    (low, control), (high, beside) = weaker, stronger
    if _value(low) >= USABLE and ends(low)[0] > SOMEWHAT and beats(low, control):
        return "yes"
    if _above(high) and beats(high, beside):
        return "partly"
    # whatever the other is, one fails
    return "no" if min(ends(low)[1], ends(high)[1]) < SOMEWHAT else "unclear"


def _above(record: Record) -> bool:
    """Whether a share is high enough for binding that is usable in part."""
    return _value(record) >= SOMEWHAT and ends(record)[0] > _without_binding(record)


def _without_binding(record: Record) -> float:
    """What can be reached where no value is bound: by chance, or by surface alone."""
    return SURFACE if record["setting"] == NEUTRAL else CHANCE


def _unjudged(there: list[Record]) -> str | None:
    """Why nothing can be said; None where something can."""
    if not there:
        return "No scene has an attribute swap, or none has a second picture"
    if any(record.ci_low is None for record in there):
        return (
            "All comparisons are of one combination and its swap, so nothing can be said of others "
            f"(n = {there[0].n:,})"
        )
    return None


def needed_for_usable(stronger: Record, control: Record | None) -> str:
    """About how many comparisons would judge: against a control that is not beaten, against
    chance, or against the threshold.

    Args:
        stronger: the highest share.
        control: its strongest control.
    """
    if control is not None and _above(stronger):
        return needed_against(stronger, control)
    value, (low, high) = _value(stronger), ends(stronger)
    if value >= SOMEWHAT:  # too near chance, or what the surface can reach
        return needed(stronger.n, value - low, value - _without_binding(stronger))
    return needed(stronger.n, high - value, SOMEWHAT - value)  # too near the threshold


def _value(record: Record) -> float:
    return float(record.value or 0.0)


def _main(records: Records, setting: str, control: str = Control.NONE) -> Record | None:
    """The record of a setting over all wordings, orders and concepts."""
    rule = Metric.PARAPHRASE_ACCURACY
    return records.first(metric=rule, setting=setting, control=control, **WHOLE)


def _strongest(records: Records, beside: Record) -> Record | None:
    """The control that is right most often in the setting of a record; of equals the first."""
    names = [str(name) for name in records.distinct("control") if name != Control.NONE]
    found = [_main(records, str(beside["setting"]), name) for name in names]
    return max((record for record in found if record is not None), key=_value, default=None)


def _told(there: list[Record], modality: str) -> str:
    """What was found in each setting."""
    parts: list[str] = []
    for record in there:
        alike = ALIKE[modality, str(record["setting"])]
        nearer = f"{NEARER[modality]} in " if not parts else "that is so in "
        parts.append(f"{alike}, {nearer}{value_of(record)} ({interval_of(record)}).")
        if record.ties:
            share = "all" if record.ties == record.n else f"{record.ties:,}"
            parts.append(f"Comparisons there that hold a tie, which counts as a miss: {share}.")
    return f"{' '.join(parts)} n = {there[0].n:,}; chance: {percent(round(CHANCE, 3))}."


def _beside(there: list[Record], records: Records) -> str:
    """What the strongest control of each setting reaches, and where it is not beaten."""
    pairs = [(record, _strongest(records, record)) for record in there]
    known = [(record, control) for record, control in pairs if control is not None]
    if not known:
        return ""
    if not any(_value(control) for _, control in known):
        alone = len([name for name in records.distinct("control") if name != Control.NONE]) == 1
        return " The control stays at 0 %." if alone else " All controls stay at 0 %."
    words = [CONTROL_WORDS[str(control.control)] for _, control in known]
    values = [value_of(control) for _, control in known]
    close = [not beats(record, control) for record, control in known]
    if len(set(words)) == 1:
        reached = f" The strongest control, {words[0]}, reaches {' and '.join(values)}"
    else:
        named = [f"{value} ({name})" for value, name in zip(values, words, strict=True)]
        reached = f" The strongest controls reach {' and '.join(named)}"
    if not any(close):
        return f"{reached}."
    if all(close):
        return f"{reached}, which is not clearly less."
    return f"{reached}. The {'first' if close[0] else 'second'} is not clearly less."
