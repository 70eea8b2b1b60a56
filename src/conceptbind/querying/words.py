"""Which way to ask for several parts, in words."""

from __future__ import annotations

from typing import TYPE_CHECKING

from conceptbind.core.findings import Verdict, Word
from conceptbind.core.names import Control, Metric, Repair
from conceptbind.core.rounding import percent
from conceptbind.report.numbers import interval_of, value_of
from conceptbind.report.words import CONTROL_WORDS, beats, needed

if TYPE_CHECKING:
    from conceptbind.core.records import Record
    from conceptbind.querying.study import Choice, QueryStudy

NAMED = {
    "whole": "one caption for the whole query (--way whole)",
    "sum": "the sum of its parts (--way sum)",
    "min": "the least of its parts (--way min)",
    "project": "a projection (--way project)",
}
SEARCHED = {"text": "captions", "image": "pictures"}
ASKS = {
    modality: f"is another way to ask than one caption surely better among {searched}?"
    for modality, searched in SEARCHED.items()
}


def way_named(choice: Choice) -> str:
    """A way of asking in words.

    Args:
        choice: the way, and before or after which repair.
    """
    after = "" if choice.repair == Repair.NONE else " after the repair"
    return f"{NAMED[choice.way]}{after}"


def query_verdict(study: QueryStudy) -> Verdict:
    """Is another way of asking surely better than one caption? That is search and no level of
    binding. The score is recall at 1 of the way that validation prefers.

    Args:
        study: what `query_study` returned.
    """
    own = study.records.one(**_whole_of(study.chosen), metric=Metric.QUERY_RECALL_AT_1)
    control = _strongest(study)
    return Verdict(
        _word(study, own),
        query_sentence(study),
        own.value,
        modality=study.modality,
        n=own.n,
        control="chance" if control is None else str(control.control),
        asks=ASKS[study.modality],
    )


def _word(study: QueryStudy, own: Record) -> Word:
    if own.ci_low is None:
        return "unclear"
    gain = study.records.first(metric=Metric.QUERY_GAIN)
    if study.chosen.way == "whole":
        return "no"  # validation prefers one caption
    if gain is None or gain.ci_low is None or gain.ci_high is None:
        return "unclear"
    if gain.ci_high < 0:
        return "no"
    return "yes" if gain.ci_low > 0 else "unclear"


def no_queries(modality: str, why: str) -> Verdict:
    """The verdict where nothing could be asked.

    Args:
        modality: of the documents.
        why: a sentence.
    """
    return Verdict("unclear", why, None, modality=modality, n=0, asks=ASKS[modality])


def query_sentence(study: QueryStudy) -> str:
    """What is recommended, and what it finds beside one caption, controls and chance.

    Args:
        study: what `query_study` returned.
    """
    records, way = study.records, study.chosen
    own = records.one(**_whole_of(way), metric=Metric.QUERY_RECALL_AT_1)
    searched = f"queries of several parts among {SEARCHED[study.modality]} of {own.encoder}"
    if own.ci_low is None:
        return (
            f"It cannot be judged which way suits {searched}: all {own.n:,} queries are of one "
            "combination and its swaps."
        )
    parts = [
        f"For {searched}, validation prefers {way_named(way)}.",
        f"A right scene is first in {value_of(own)} ({interval_of(own)}) of {own.n:,} queries "
        "about new combinations.",
        _beside_one_caption(study),
        _beside_controls(study),
    ]
    return " ".join(part for part in parts if part)


def _whole_of(choice: Choice) -> dict[str, str | None]:
    """Columns of the test records of one way over all forms."""
    return {
        "split": "test",
        "control": Control.NONE,
        "repair": choice.repair,
        "way": choice.way,
        "form": None,
    }


def _beside_one_caption(study: QueryStudy) -> str:
    """What one caption finds, with the same repair, and whether the difference is sure."""
    gain, repair = study.records.first(metric=Metric.QUERY_GAIN), study.chosen.repair
    if gain is None or study.chosen.way == "whole":
        return _beside_no_repair(study)
    about = {"repair": repair, "form": gain["form"], "split": "test", "control": Control.NONE}
    found = study.records.where(metric=Metric.QUERY_RECALL_AT_1, **about)
    there, usual = found.one(way=study.chosen.way), found.one(way="whole")
    how = "without a repair" if repair == Repair.NONE else "after the same repair"
    where = ""
    if gain["form"] is not None:
        where = f", where nothing is excluded and this way finds it in {value_of(there)}"
    said = f"One caption for the whole query, {how}, finds it in {value_of(usual)}"
    said = f"{said}{where}: a change of {value_of(gain)} ({interval_of(gain)}, n = {gain.n:,})."
    if gain.ci_low is None or gain.ci_high is None or (gain.ci_low <= 0 <= gain.ci_high):
        return f"{said} {_unsure(gain)}"
    if gain.ci_high < 0:
        return f"{said} One caption is surely better there."
    return said


def _beside_no_repair(study: QueryStudy) -> str:
    """What one caption finds without the repair that was chosen; empty without one."""
    if study.chosen.repair == Repair.NONE:
        return ""
    about = {"repair": Repair.NONE, "way": "whole", "form": None, "split": "test"}
    usual = study.records.first(metric=Metric.QUERY_RECALL_AT_1, control=Control.NONE, **about)
    return "" if usual is None else f"Without the repair it is first in {value_of(usual)}."


def _unsure(gain: Record) -> str:
    """That the way is not surely better, and how many queries would tell."""
    if gain.ci_low is None or not gain.value:
        return "It cannot be judged which of the two is better."
    width = abs(gain.value - (gain.ci_low if gain.value > 0 else float(gain.ci_high or 0.0)))
    more = needed(gain.n, width, abs(gain.value))
    return f"It cannot be judged which of the two is better; {more} queries are needed."


def _beside_controls(study: QueryStudy) -> str:
    """What the strongest control reaches in the same way, and chance."""
    control = _strongest(study)
    chance = percent(study.records.one(metric=Metric.QUERY_CHANCE, form=None).value)
    if control is None:
        return f"Chance is {chance}."
    name = CONTROL_WORDS.get(str(control.control), str(control.control))
    own = study.records.one(**_whole_of(study.chosen), metric=Metric.QUERY_RECALL_AT_1)
    how = "" if study.chosen.repair == Repair.NONE else ", without a repair"
    less = "" if beats(own, control) else ", which is not clearly less"
    return (
        f"Chance is {chance}. The strongest control, asked in the same way{how}, finds it in "
        f"{value_of(control)}{less}: {name}."
    )


def _strongest(study: QueryStudy) -> Record | None:
    """The control that finds most in the chosen way; of equals the first."""
    asked = {**_whole_of(study.chosen), "repair": Repair.NONE}
    del asked["control"]
    found = study.records.where(metric=Metric.QUERY_RECALL_AT_1, **asked)
    others = [record for record in found if record.control != Control.NONE]
    return max(others, key=_value, default=None)


def _value(record: Record) -> float:
    return float(record.value or 0.0)
