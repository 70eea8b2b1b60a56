"""Several benchmarks on one page: what each is about, the published number of CLIP beside ours,
repaired beside unrepaired, and how far paraphrases and wrong captions lie for each repair.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from conceptbind.benchmarks.declared import Declared
from conceptbind.benchmarks.description import TEXTS, Reference
from conceptbind.benchmarks.registry import BENCHMARKS
from conceptbind.benchmarks.words import BLIND, OF_TEXTS, beside, best, own_scores, tie_words
from conceptbind.core.arguments import explains_arguments
from conceptbind.core.names import Control, Metric, Repair
from conceptbind.core.rounding import percent
from conceptbind.report.numbers import difference, interval_of, number, value_of
from conceptbind.report.tables import PaperTable
from conceptbind.report.words import control_name

if TYPE_CHECKING:
    from conceptbind.core.records import Record, Records

LABCLIP = "arXiv 2502.03566"
REFERENCES: Mapping[str, tuple[Reference, ...]] = {
    "coco": (Reference(Metric.RECALL_AT_1, "text to image", 0.30, source=LABCLIP),),
}
"""Published numbers of CLIP ViT-B/32 on benchmarks that are written rather than declared."""
FAMILIES = {
    "two_by_two": "two pictures, two captions",
    "captions": "one picture, several captions",
    "pictures": "one caption, several pictures",
    "retrieval": "retrieval",
}
WRITTEN = {
    **dict.fromkeys(("triplets", "paraphrases"), "captions alone"),
    **dict.fromkeys(("coco", "flickr30k"), "retrieval"),
    "zeroshot": "labelled pictures",
}
ORDER = (*FAMILIES.values(), "captions alone", "labelled pictures")
"""Families as the page has them; those of your own descriptions come last."""
HEADLINES: tuple[tuple[str, str], ...] = (
    (Metric.GROUP_SCORE, "all"),
    (Metric.IMAGE_SCORE, "all"),
    (Metric.ACCURACY, "all"),
    (Metric.PARAPHRASE_ACCURACY, "all"),
    (Metric.SWAP_NOTICED, "all"),
    (Metric.PAIR_ACCURACY, "all"),
)
"""The score that stands for a benchmark without a published number of CLIP: the first that it has
by the publisher's rule, else by ours."""
PAPER = "paper"


def family_of(name: str) -> str:
    """What a benchmark is about.

    Args:
        name: of it.
    """
    benchmark = BENCHMARKS.get(name)
    if isinstance(benchmark, Declared):
        if benchmark.description.family != "own":
            return benchmark.description.family
        form = benchmark.tasks[0].form
        return "captions alone" if form in TEXTS else FAMILIES[form]
    return WRITTEN.get(name, FAMILIES["captions"])


def references_of(name: str) -> tuple[Reference, ...]:
    """Published numbers of a benchmark.

    Args:
        name: of it.
    """
    benchmark = BENCHMARKS.get(name)
    if isinstance(benchmark, Declared):
        return benchmark.description.references
    return REFERENCES.get(name, ())


def _rank(name: str) -> tuple[int, str]:
    family = family_of(name)
    return (ORDER.index(family) if family in ORDER else len(ORDER)), name


def _shown(name: str, records: Records) -> list[tuple[Record, Reference | None]]:
    """The scores that stand for a benchmark, with what was published of CLIP."""
    mine = own_scores(records).where(scenes=name)
    found: list[tuple[Record, Reference | None]] = []
    for reference in references_of(name):
        asked = {"metric": reference.metric, "split": reference.subset}
        record = mine.first(**asked, protocol=reference.protocol)
        if record is not None:
            # a mean of some parts is not beside that of all
            found.append((record, None if record["parts"] else reference))
    if found:
        return found
    published = mine.where(protocol=PAPER)
    for records_by in (published, mine):
        for metric, split in HEADLINES:
            record = records_by.first(metric=metric, split=split)
            if record is not None:
                return [(record, None)]
        # means of families where none of all was published
        if means := records_by.where(average="macro"):
            return [(record, None) for record in means]
    recalls = mine.where(metric=Metric.RECALL_AT_1)
    return [(record, None) for record in (recalls or mine[:1])]


@explains_arguments
def field_table(records: Records) -> PaperTable:
    """One or a few numbers of each benchmark, by family: ours with its interval, CLIP ViT-B/32 as
    published, after the repair, and the strongest control.

    Args:
        records: of one evaluation.
    """
    repaired = Repair.ADAPTER in records.distinct("repair")
    head = ["family", "benchmark", "score", "ours", "95 % interval", "CLIP ViT-B/32, published"]
    head += ["repaired", "difference"] if repaired else []
    rows = []
    for name in sorted(map(str, records.distinct("scenes")), key=_rank):
        for record, reference in _shown(name, records):
            row = [family_of(name), name, _score_of(record), value_of(record), interval_of(record)]
            row.append("-" if reference is None else percent(reference.value))
            if repaired:
                change = beside(record, records, Repair.DIFFERENCE)
                row.append(value_of(beside(record, records, Repair.ADAPTER)))
                row.append(difference(change.value, change.ci_low, change.ci_high))
            row += [_strongest(record, records), f"{record.n:,}"]
            rows.append(tuple(row))
    columns = (*head, "strongest control", "n")
    return PaperTable("field", "All benchmarks", columns, tuple(rows))


def _score_of(record: Record) -> str:
    words = f"{record.metric.replace('_', ' ')}, {record.split}"
    rule = f"{record['protocol']}, {record['average']}"
    if record["tie_rule"] not in (None, "miss"):
        rule += f"; {tie_words(record['tie_rule'])}"
    if record["parts"]:
        rule += f"; {record['parts']} parts"
    return f"{words} ({rule})"


def _strongest(record: Record, records: Records) -> str:
    rival = best(record, records, (*BLIND, *OF_TEXTS))
    return "-" if rival is None else f"{value_of(rival)} ({control_name(rival.control)})"


@explains_arguments
def distance_table(runs: Mapping[str, Records]) -> PaperTable | None:
    """Lexical beside semantic distance of each file, for each repair; None where there are none.

    Args:
        runs: records of each run, by its name; an empty name for a single one.
    """
    rows: list[tuple[str, ...]] = []
    for run, records in runs.items():
        lexical = records.where(study="benchmark", metric=Metric.LEXICAL_DISTANCE)
        for one in lexical:
            asked: dict[str, Any] = {name: one[name] for name in ("scenes", "split", "repair")}
            other = records.first(metric=Metric.SEMANTIC_DISTANCE, **asked)
            if other is None or one.value is None or other.value is None:
                continue
            cells = [one.scenes, one.split, str(one.repair)]
            for record in (one, other):
                cells += [value_of(record), interval_of(record)]
            ratio = number(other.value / one.value) if one.value > 0 else "-"
            rows.append((*([run] if run else []), *cells, ratio, f"{one.n:,}"))
    if not rows:
        return None
    head: Sequence[str] = ("benchmark", "file", "repair", "lexical distance", "95 % interval")
    head = (*head, "semantic distance", "95 % interval ", "semantic over lexical", "n")
    named = ("run",) if any(runs) else ()
    title = "How far paraphrases and wrong captions lie"
    return PaperTable("distances", title, (*named, *head), tuple(rows))


@explains_arguments
def swap_table(runs: Mapping[str, Records]) -> PaperTable | None:
    """How far swaps lie, for each repair and with random weights; None where there are none.

    Args:
        runs: records of each run, by its name; an empty name for a single one.
    """
    rows: list[tuple[str, ...]] = []
    for run, records in runs.items():
        for one in records.where(study="benchmark", metric=Metric.SWAP_DISTANCE):
            who = str(one.repair)
            if one.control not in (None, Control.NONE):
                who = control_name(str(one.control))
            cells = [one.scenes, one.split, who, value_of(one), interval_of(one), f"{one.n:,}"]
            rows.append((*([run] if run else []), *cells))
    if not rows:
        return None
    named = ("run",) if any(runs) else ()
    head = (*named, "benchmark", "file", "repair or control", "swap distance", "95 % interval", "n")
    return PaperTable("swap_distances", "How far swaps lie", head, tuple(rows))
