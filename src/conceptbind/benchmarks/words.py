"""Benchmark results in sentences, and which records stand beside which."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING

from conceptbind.benchmarks.description import TIES
from conceptbind.core.arguments import explains_arguments
from conceptbind.core.errors import counted
from conceptbind.core.names import Control, Metric, Repair
from conceptbind.core.records import Records
from conceptbind.core.rounding import percent
from conceptbind.report.numbers import value_of
from conceptbind.report.words import apart, control_name

if TYPE_CHECKING:
    from conceptbind.core.columns import Value
    from conceptbind.core.findings import Verdict
    from conceptbind.core.records import Record

BLIND = (
    Control.BLIND_LENGTH,
    Control.BLIND_NORM,
    Control.BLIND_PLAUSIBILITY,
    Control.BLIND_SURFACE,
)
"""What is reached without pictures, or without texts being read."""
OF_TEXTS = (Control.BAG_OF_WORDS, Control.RANDOM_WEIGHTS, Control.RANDOM_VECTORS)
"""Further controls of captions alone."""
ALL, STRICT = "all", "strict"
PAIRS = {Metric.SWAP_NOTICED: "swaps are noticed", Metric.PAIR_ACCURACY: "both queries are right"}
"""Metrics of captions alone without paraphrases, in words."""
ASKED = {
    Metric.SWAP_NOTICED: "gives a swap an embedding other than its caption's",
    Metric.PAIR_ACCURACY: "finds the right document for both queries",
}
"""The same of an encoder, for a reader who knows no term of the field."""
NO_POWER = (
    "This is about whether the order of words changes an embedding at all, and says nothing of "
    "binding."
)
"""What stands beside every `swap_noticed`: an untrained encoder reaches it too."""
CHANCE = 1 / 3
"""Share of triplets that are right by the rule of both sides where all orders are equally
likely."""


@explains_arguments
def benchmark_sentence(records: Records) -> str:
    """What is won over captions alone, what a repair does, and where ties are, in words.

    Args:
        records: records of one evaluation.
    """
    main = [r for r in own_scores(records).scored() if r.n]
    seen = [r for r in main if r.modality != "text"]
    alone = [r for r in main if r.modality == "text"]
    of_pictures = [_over_blind(seen, records)] if seen else []
    sentences = [
        *(*of_pictures, *_of_texts(alone, records), *_of_pairs(alone, records)),
        *(_of_repair(records), _of_ties(main)),
    ]
    return " ".join(sentence for sentence in sentences if sentence)


@explains_arguments
def benchmark_answer(records: Records, verdicts: Sequence[Verdict] = ()) -> str:
    """What an encoder can do on benchmarks, for a reader who knows no term of the field.

    Args:
        records: records of one evaluation.
        verdicts: of the same; where none of level 2 could be judged, nothing is claimed of it.
    """
    main = [r for r in own_scores(records).scored() if r.n]
    who = str(main[0]["encoder"]) if main else "The encoder"
    sentences = []
    seen = [r for r in main if r.modality != "text"]
    if seen := [r for r in seen if best(r, records) is not None] or seen:
        above = [r for r in seen if apart(r, best(r, records))]
        sentences.append(
            f"{who} is clearly better than guessing without the pictures on {len(above)} of "
            f"{counted(len(seen), 'score')}."
        )
    strict = [r for r in main if r.metric == Metric.PARAPHRASE_ACCURACY]
    # the whole would count its parts once more
    if alone := [r for r in strict if r.split != "all"] or strict:
        within = [verdict for verdict in verdicts if verdict.judges == 2]
        unclear = bool(within) and all(verdict.word == "unclear" for verdict in within)
        sentences += _alone(who, alone, records, unclear)
    sentences += [_answer_of_pairs(who, record, records) for record in _wholes(main)]
    changes = [r for r in records.where(repair=Repair.DIFFERENCE) if r.ci_low is not None]
    if changes:
        better = sum((r.ci_low or 0) > 0 for r in changes)
        sentences.append(f"The repair raises {better} of {counted(len(changes), 'score')}.")
    return " ".join(sentences)


def _alone(who: str, parts: Sequence[Record], records: Records, unclear: bool) -> list[str]:
    """What is so of captions alone: how often, beside chance and the strongest control."""
    low, high = (pick(parts, key=lambda r: r.value or 0.0) for pick in (min, max))
    shares = " to ".join(dict.fromkeys((value_of(low), value_of(high))))
    items = counted(sum(r.n for r in parts), "item")
    among = f", in {len(parts)} parts" if len(parts) > 1 else ""
    asked = f"{who} finds the caption in other words nearer than a wrong caption"
    chance = f"(chance: {percent(CHANCE)})"
    pairs = [(r, best(r, records, (*BLIND, *OF_TEXTS))) for r in parts]
    rivals = [(r, rival) for r, rival in pairs if rival is not None]
    if unclear:
        told = f"In these it is nearer in {shares} of {items}{among} {chance}"
        if len(rivals) == 1:
            rival = rivals[0][1]
            told += f", and {control_name(rival.control)} in {value_of(rival)}"
        return [f"It cannot be judged whether {asked}. {told}."]
    said = [f"{asked} in {shares} of {items}{among} {chance}."]
    below = sum(r.ci_high is not None and r.ci_high < CHANCE for r in parts)
    if rivals:
        ahead = [r for r, rival in rivals if apart(r, rival)]
        said.append(_more(len(ahead), rivals, below))
    elif below:
        said.append("That is clearly less than chance" + (f" in {below}." if among else "."))
    return said


def _more(ahead: int, rivals: Sequence[tuple[Record, Record]], below: int) -> str:
    """In how many parts an encoder is above its strongest control, and below chance."""
    if len(rivals) > 1:
        less = f", and clearly less than chance in {below}" if below else ""
        of = f"in {ahead} of {len(rivals)} parts"
        return f"That is clearly more than its strongest control {of}{less}."
    ((_, rival),) = rivals
    more = f"{'' if ahead else 'not '}clearly more than its strongest control"
    joint = "but" if ahead else "and"
    less = f", {joint} clearly less than chance" if below else ""
    return f"That is {more} ({control_name(rival.control)}: {value_of(rival)}){less}."


def _over_blind(main: Sequence[Record], records: Records) -> str:
    """How many scores are above the better blind baseline: their intervals must be apart."""
    blind = {id(r): best(r, records) for r in main}
    compared = [r for r in main if blind[id(r)] is not None]
    above = [r for r in compared if apart(r, blind[id(r)])]
    below = [r for r in compared if apart(blind[id(r)], r)]
    same = [r for r in compared if r not in above and r not in below]
    n = len({r.scenes for r in main})
    words = [f"{counted(len(main), 'score')} of {counted(n, 'benchmark')}."]
    baseline = "the best of the baselines that never see a picture (95 % intervals apart)"
    if above and len(above) == len(main):
        return f"{words[0]} {'It is' if len(above) == 1 else 'All are'} clearly above {baseline}."
    parts = [f"{len(above)} clearly above {baseline}"] if compared else []
    if same:
        parts.append(f"{len(same)} not to be told from it ({_named(same)})")
    if below:
        parts.append(f"{len(below)} clearly below it ({_named(below)})")
    if len(compared) < len(main):
        parts.append(f"{len(main) - len(compared)} without such a baseline")
    return f"{words[0]} {', '.join(parts)}."


def _of_texts(main: Sequence[Record], records: Records) -> list[str]:
    """How often a paraphrase wins, beside chance and the strongest control."""
    strict = [r for r in main if r.metric == Metric.PARAPHRASE_ACCURACY]
    if not strict:
        return []
    found = []
    for name in dict.fromkeys(r.scenes for r in strict):
        shares = [f"{r.split} {value_of(r)}" for r in strict if r.scenes == name]
        found.append(
            f"Level 2, captions alone ({name}): the paraphrase is nearer than the wrong caption in "
            f"{_listed(shares)} of the items."
        )
    above = [r for r in strict if r.ci_low is not None and r.ci_low > CHANCE]
    below = [r for r in strict if r.ci_high is not None and r.ci_high < CHANCE]
    told = f"Chance is {percent(CHANCE)}: {len(above)} of {counted(len(strict), 'score')} clearly "
    found.append(f"{told}above it, {len(below)} clearly below{_in_brackets(below)}.")
    rivals = [(r, best(r, records, (*BLIND, *OF_TEXTS))) for r in strict]
    beaten = [r for r, rival in rivals if rival is None or apart(r, rival)]
    if unbeaten := [(r, rival) for r, rival in rivals if rival is not None and r not in beaten]:
        names = [f"{r.split}: {control_name(c.control)} {value_of(c)}" for r, c in unbeaten]
        found.append(f"Not clearly above the strongest control: {_listed(names)}.")
    else:
        found.append("All are clearly above the strongest control.")
    return found


def _of_pairs(main: Sequence[Record], records: Records) -> list[str]:
    """What is so of captions alone where there are no paraphrases: the whole of each benchmark,
    beside its strongest control.
    """
    found = []
    for record in _wholes(main):
        rival = best(record, records, (*BLIND, *OF_TEXTS))
        of = record.scenes if record.split == ALL else f"{record.scenes} {record.split}"
        words = (
            f"Captions alone ({of}): {PAIRS[Metric(record.metric)]} in {value_of(record)} of "
            f"{counted(record.n, 'item')}{_chance(record)}"
        )
        if rival is not None:
            more = "" if apart(record, rival) else ", which is not clearly less"
            words += (
                f"; the strongest control, {control_name(rival.control)}, reaches "
                f"{value_of(rival)}{more}"
            )
        found.append(f"{words}.")
        if record.metric == Metric.SWAP_NOTICED:
            found += [NO_POWER, *_of_swap_distance(record, records)]
    return found


def _wholes(main: Sequence[Record]) -> list[Record]:
    """The score of all items of each benchmark of captions alone without paraphrases; those of its
    subsets where it has none.
    """
    strict = [r for r in main if r.metric in PAIRS and r["protocol"] == STRICT]
    found = []
    for name in dict.fromkeys(r.scenes for r in strict):
        mine = [r for r in strict if r.scenes == name]
        found += [r for r in mine if r.split == ALL] or mine
    return found


def _chance(record: Record) -> str:
    """The share that random vectors are expected to reach, in brackets."""
    chance = record["chance"]
    return f" (chance: {percent(float(chance))})" if isinstance(chance, float) else ""


def _of_swap_distance(record: Record, records: Records) -> list[str]:
    """How far swaps lie, beside how far those of an untrained encoder do."""
    asked = {"metric": Metric.SWAP_DISTANCE, "scenes": record.scenes, "split": record.split}
    mine = records.where(**asked, repair=Repair.NONE)
    own = mine.first(control=Control.NONE)
    if own is None:
        return []
    drawn = mine.first(control=Control.RANDOM_WEIGHTS)
    rival = "" if drawn is None else f", with random weights at {value_of(drawn)}"
    return [f"A swap lies at {value_of(own)} of the distance to another caption{rival}."]


def _answer_of_pairs(who: str, record: Record, records: Records) -> str:
    """What is so of captions alone without paraphrases, in plain words."""
    rival = best(record, records, (*BLIND, *OF_TEXTS))
    said = f"{who} {ASKED[Metric(record.metric)]} in {value_of(record)} of "
    said += f"{counted(record.n, 'item')}{_chance(record)}."
    chance = record["chance"]
    below = isinstance(chance, float) and record.ci_high is not None and record.ci_high < chance
    if rival is not None:
        ahead = apart(record, rival)
        named = f"{control_name(rival.control)}: {value_of(rival)}"
        said += f" That is {'' if ahead else 'not '}clearly more than its strongest control "
        said += f"({named})" + (", but clearly less than chance." if below else ".")
    elif below:
        said += " That is clearly less than chance."
    return f"{said} {NO_POWER}" if record.metric == Metric.SWAP_NOTICED else said


def _in_brackets(records: Sequence[Record]) -> str:
    return f" ({_listed([str(r.split) for r in records])})" if records else ""


def _listed(words: Sequence[str], most: int = 8) -> str:
    """A few words with commas."""
    return ", ".join(words[:most]) + (", ..." if len(words) > most else "")


def _of_repair(records: Records) -> str:
    """How many scores a repair changes beyond their intervals."""
    changes = [
        r
        for r in records.where(repair=Repair.DIFFERENCE)
        if r.ci_low is not None and r.ci_high is not None
    ]
    if not changes:
        return ""
    better = [r for r in changes if (r.ci_low or 0) > 0]
    worse = [r for r in changes if (r.ci_high or 0) < 0]
    lowered = f"clearly lowers {len(worse)}" + (f" ({_named(worse)})" if worse else "")
    left = len(changes) - len(better) - len(worse)
    return (
        f"The repair clearly raises {len(better)} of {counted(len(changes), 'score')} (95 % "
        "interval of the paired difference above 0) "
        f"and {lowered}{f'. For {left} it cannot be told' if left else ''}."
    )


def _of_ties(main: Sequence[Record]) -> str:
    """Where most ties are."""
    ties = [r for r in main if r.ties]
    if not ties:
        return ""
    most = max(ties, key=lambda r: (r.ties or 0) / r.n)
    others = any(r["tie_rule"] not in (None, "miss") for r in main)
    unless = ", unless a rule says otherwise" if others else ""
    return (
        f"Ties are misses{unless}. Most are in {most.scenes} {most.split} "
        f"({percent((most.ties or 0) / most.n)} of {most.n:,})."
    )


DISTANCES = (Metric.LEXICAL_DISTANCE, Metric.SEMANTIC_DISTANCE, Metric.SWAP_DISTANCE)
"""Means of cosines, which no rule calls right or wrong."""


def own_scores(records: Records) -> Records:
    """The scores themselves, without baselines, repairs and distances."""
    found = records.where(repair=Repair.NONE, control=Control.NONE)
    return Records(record for record in found if record.metric not in DISTANCES)


SCORE = ("scenes", "split", "metric", "protocol", "average")
"""Columns that say which score a record is about."""


class _Whole:
    """Records by identity, so that they are put in order once and not for each score."""

    def __init__(self, records: Records) -> None:
        self.records = records

    def __hash__(self) -> int:
        return id(self.records)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Whole) and other.records is self.records


@lru_cache(maxsize=2)
def _by_score(whole: _Whole) -> dict[tuple[Value, ...], list[Record]]:
    """The records of each score."""
    found: dict[tuple[Value, ...], list[Record]] = {}
    for record in whole.records:
        found.setdefault(tuple(record[name] for name in SCORE), []).append(record)
    return found


def _same(record: Record, records: Records) -> Records:
    """All records of one score."""
    key = tuple(record[name] for name in SCORE)
    return Records(_by_score(_Whole(records)).get(key, ()))


def beside(record: Record, records: Records, repair: Repair) -> Record:
    """The record of the same score after a repair, or of what that changes.

    Raises:
        RecordError: there is none.
    """
    return _same(record, records).one(repair=repair, control=Control.NONE)


def best(record: Record, records: Records, controls: Sequence[Control] = BLIND) -> Record | None:
    """The best of the controls of a score; None where there is none."""
    found = _same(record, records).where(control=tuple(controls), repair=Repair.NONE).scored()
    return max(found, key=lambda r: r.value or 0.0, default=None)


def tie_words(rule: object) -> str:
    """What a rule does with a tie, in words; a dash where an earlier version did not say.

    Args:
        rule: the column `tie_rule` of a record.
    """
    return TIES.get(str(rule), "-")


def _named(records: Sequence[Record], most: int = 3) -> str:
    """A few scores by name."""
    names = [f"{r.scenes} {r.split} {r.metric.replace('_', ' ')}" for r in records]
    return ", ".join(dict.fromkeys(names[:most])) + (", ..." if len(names) > most else "")
