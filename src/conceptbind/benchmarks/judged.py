"""Level 2 of captions alone, by benchmarks of triplets: are paraphrases nearer than swaps?"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from conceptbind.benchmarks.registry import benchmark_named
from conceptbind.benchmarks.texts import ALL, EVERY, TextBenchmark
from conceptbind.benchmarks.words import BLIND, OF_TEXTS, best, own_scores
from conceptbind.core.arguments import explains_arguments
from conceptbind.core.findings import Verdict
from conceptbind.core.names import Metric
from conceptbind.core.rounding import percent
from conceptbind.report.numbers import interval_of, value_of
from conceptbind.report.words import beats, control_name, ends, first
from conceptbind.within.words import CHANCE, SOMEWHAT, needed_for_usable, usable_word

if TYPE_CHECKING:
    from collections.abc import Sequence

    from conceptbind.core.records import Record, Records

UNKNOWN = "The file decides what its wrong captions are: it is a level of binding where they swap."
"""What is said of files of one's own."""


@explains_arguments
def benchmark_verdicts(records: Records) -> tuple[Verdict, ...]:
    """A verdict of level 2 for every benchmark of captions alone; none for other benchmarks.

    Only files whose wrong captions are swaps are judged, by the one where paraphrases win least
    often; in your own file any may be.

    Args:
        records: of one evaluation, by the names of benchmarks of ours.
    """
    strict = own_scores(records).where(metric=Metric.PARAPHRASE_ACCURACY)
    return tuple(
        _verdict(str(name), list(strict.where(scenes=name).scored()), records)
        for name in strict.distinct("scenes")
    )


def _verdict(name: str, files: Sequence[Record], records: Records) -> Verdict:
    swapped = _swapped(name)
    several = [record for record in files if record.split != ALL] or files
    there = [record for record in several if swapped in ((), EVERY) or record.split in swapped]
    asked = (
        "It cannot be judged whether the captions of "
        f"{files[0].encoder} tell a paraphrase from a swap by cosine (level 2)"
    )
    if not there:
        words = f"{asked}. No file of {name} is there whose wrong captions are swaps"
        return Verdict("unclear", f"{words} ({', '.join(swapped)}).", None, 2, "text", 0)
    weaker, stronger = min(there, key=_value), max(there, key=_value)
    control, beside = (best(record, records, (*BLIND, *OF_TEXTS)) for record in (weaker, stronger))
    named = "chance" if control is None else str(control.control)
    judged = Verdict("unclear", "", weaker.value, 2, "text", weaker.n, named)
    if any(record.ci_low is None for record in there):
        words = f"{asked}. All items of a file are one draw (n = {weaker.n:,})."
        return replace(judged, score=None, sentence=words)
    hopeless = int(stronger["unwinnable"] or 0)
    if (stronger.n - hopeless) / stronger.n < SOMEWHAT:
        words = (
            f"{asked}. In {hopeless:,} of {stronger.n:,} items the wrong caption equals a true "
            "one, capitals and spaces apart, so that no encoder could show it."
        )
        return replace(judged, score=None, sentence=words)
    word = usable_word((weaker, control), (stronger, beside))
    claim = f"{asked}. {first(needed_for_usable(stronger, beside))} items are needed"
    if word != "unclear":
        how = "cannot be relied on to tell" if ends(stronger)[1] >= SOMEWHAT else "hardly tell"
        told, level = {
            "yes": ("tell", "usable within captions"),
            "partly": ("tell only in part", "usable in part"),
            "no": (how, "not usable within captions"),
        }[word]
        who = f"The captions of {weaker.encoder} {told} a paraphrase from a swap by cosine"
        claim = f"{who} (level 2, {level})"
    both = [(weaker, control)] + ([(stronger, beside)] if stronger is not weaker else [])
    files_of = "" if len(there) == 1 else f", in the lowest and highest of {len(there):,} files"
    parts = [claim, f"This was measured on {name}{files_of}", *map(_told, both)]
    words = f"{'. '.join(parts)}. Chance: {percent(round(CHANCE, 3))}."
    return replace(judged, word=word, sentence=words if swapped else f"{words} {UNKNOWN}")


def _swapped(name: str) -> tuple[str, ...]:
    """Files whose wrong captions are swaps; empty where only who made them knows."""
    benchmark = benchmark_named(name)
    assert isinstance(benchmark, TextBenchmark)
    swapped: tuple[str, ...] = getattr(benchmark, "swapped", ())
    return swapped


def _told(pair: tuple[Record, Record | None]) -> str:
    """How often the paraphrase wins in a file, beside the strongest control."""
    record, control = pair
    words = (
        f"In {record.split} the paraphrase is nearer in {value_of(record)} "
        f"({interval_of(record)}, n = {record.n:,})"
    )
    if control is None:
        return words
    if not _value(control):
        return f"{words}; all controls stay at 0 % there"
    less = "" if beats(record, control) else ", which is not clearly less"
    return (
        f"{words}; the strongest control there, {control_name(str(control.control))}, reaches "
        f"{value_of(control)}{less}"
    )


def _value(record: Record) -> float:
    return float(record.value or 0.0)
