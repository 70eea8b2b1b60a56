"""Benchmark results as tables, a figure, sentences and a page; several runs side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from conceptbind.benchmarks.field import distance_table, field_table, swap_table
from conceptbind.benchmarks.traps import HEAD, trap_rows
from conceptbind.benchmarks.words import (
    OF_TEXTS,
    benchmark_sentence,
    beside,
    best,
    own_scores,
    tie_words,
)
from conceptbind.core.arguments import explains_arguments
from conceptbind.core.errors import counted
from conceptbind.core.names import CONTROL_TEXTS, Control, Repair
from conceptbind.core.outcomes import Outcome, paired
from conceptbind.core.rounding import percent
from conceptbind.report.charts import Chart, Look, Series, point_of
from conceptbind.report.numbers import difference, interval_of, interval_told, p_value, value_of
from conceptbind.report.tables import PaperTable
from conceptbind.report.terminal import terminal_table
from conceptbind.report.words import control_name

if TYPE_CHECKING:
    from conceptbind.benchmarks.base import Found
    from conceptbind.benchmarks.traps import Trap
    from conceptbind.core.findings import Verdict
    from conceptbind.core.outcomes import Outcomes
    from conceptbind.core.records import Record, Records

NAMED = 3
"""Benchmarks that the title names; of more it tells the number."""


@explains_arguments
def benchmark_table(records: Records, width: int | None = None) -> str:
    """One line a score: value with its interval, after a repair with the paired difference, and the
    better of the blind baselines; for a terminal of a width, see `terminal_table`.

    Args:
        records: records of one evaluation.
        width: characters of the terminal; None folds nothing.
    """
    head, rows = benchmark_cells(records)
    return terminal_table([head, *rows], 5, width)


def benchmark_cells(records: Records) -> tuple[list[str], list[list[str]]]:
    """Head and rows of the table."""
    repaired = Repair.ADAPTER in records.distinct("repair")
    further = _further(records)
    head = [
        "benchmark",
        "subset",
        "metric",
        "protocol",
        "tie rule",
        "value",
        "95 % interval",
        "blind",
        "ties",
        "n",
    ]
    lines = []
    for record in own_scores(records):
        protocol = f"{record['protocol']}, {record['average']}"
        line = [
            record.scenes,
            record.split,
            record.metric.replace("_", " "),
            protocol,
            tie_words(record["tie_rule"]),
            value_of(record),
            interval_of(record),
        ]
        if repaired:
            line += [
                value_of(beside(record, records, Repair.ADAPTER)),
                _change(beside(record, records, Repair.DIFFERENCE)),
            ]
        rivals = [best(record, records), *(best(record, records, (c,)) for c in further)]
        line += ["-" if rival is None else value_of(rival) for rival in rivals]
        lines.append([*line, f"{record.ties:,}", f"{record.n:,}"])
    shown = ["repaired", "difference"] if repaired else []
    return [*head[:7], *shown, head[7], *map(control_name, further), *head[8:]], lines


def overview(records: Records, width: int | None = None) -> list[str]:
    """Tables of several benchmarks together, for a terminal; none of a single one without
    paraphrases.

    Args:
        records: records of one evaluation.
        width: characters of the terminal; None folds nothing.
    """
    found = field_tables(records)
    return [
        f"{table.title}\n{terminal_table([list(table.columns), *map(list, table.rows)], 3, width)}"
        for table in found
    ]


def field_tables(records: Records) -> list[PaperTable]:
    """Several benchmarks side by side, and distances of paraphrases and wrong captions.

    Args:
        records: records of one evaluation.
    """
    several = len(records.distinct("scenes")) > 1
    found = [field_table(records)] if several else []
    return [*found, *filter(None, (distance_table({"": records}), swap_table({"": records})))]


def _further(records: Records) -> list[Control]:
    """The controls besides the blind baselines that some score has."""
    there = records.distinct("control")
    return [control for control in OF_TEXTS if control in there]


def _change(record: Record) -> str:
    """A paired difference with its interval."""
    return difference(record.value, record.ci_low, record.ci_high)


def benchmark_figure(records: Records, name: str) -> Chart:
    """Scores of one benchmark with their intervals, after a repair too, above the better blind
    baseline.
    """
    main = own_scores(records).where(scenes=name)
    repaired = Repair.ADAPTER in records.distinct("repair")
    parts: list[tuple[str, Look, list[Record | None]]] = [("score", "own", list(main))]
    if repaired:
        after: list[Record | None] = [beside(r, records, Repair.ADAPTER) for r in main]
        parts = [("before", "random", list(main)), ("repaired", "own", after)]
    parts.append(("blind", "bag", [best(r, records) for r in main]))
    looks: dict[Control, Look] = {Control.BAG_OF_WORDS: "other", Control.RANDOM_WEIGHTS: "ink"}
    looks[Control.RANDOM_VECTORS] = "random"
    for control in _further(records):
        beaten = [best(r, records, (control,)) for r in main]
        parts.append((control_name(control), looks[control], beaten))
    labels = [_label(r) for r in main]
    series = []
    for words, look, shown in parts:
        points = tuple(
            point_of(r, label) for r, label in zip(shown, labels, strict=True) if r is not None
        )
        if points:
            series.append(Series(words, points, look))
    return Chart(
        f"benchmark-{name}", f"Scores on {name}", "bars", tuple(series), "part", "share right"
    )


def _label(record: Record) -> str:
    """What a score is called in a figure."""
    name = f"{record.split}, {record.metric.replace('_', ' ')}"
    return name if record.level == 2 else f"{name} ({record['protocol']})"


@explains_arguments
def write_benchmark_report(
    path: Path,
    records: Records,
    notes: Sequence[str],
    provenance: Mapping[str, Any],
    traps: Mapping[str, Sequence[Trap]] = MappingProxyType({}),
    verdicts: Sequence[Verdict] = (),
    answer: Mapping[str, str] = MappingProxyType({}),
) -> None:
    """Write `report.html` of one evaluation.

    Args:
        path: the file to write.
        records: records of the evaluation.
        notes: sentences on what was left out.
        provenance: options and versions, as `run.facts` gives them.
        traps: of benchmarks of captions alone, by their names.
        verdicts: of level 2, of these benchmarks.
        answer: what stands first, and the command to run next (`report.advice.Answer.as_json`).
    """
    from conceptbind.report.page import render_page

    head, rows = benchmark_cells(records)
    names = [str(name) for name in records.distinct("scenes")]
    together = [(table.title, table.columns, table.rows) for table in field_tables(records)]
    render_page(
        path,
        "benchmarks.html.j2",
        title=f"{records[0].encoder} on {_called(names)}",
        answer=dict(answer),
        sentence=benchmark_sentence(records),
        verdicts=[{"word": one.word, "sentence": one.sentence} for one in verdicts],
        notes=notes,
        head=head,
        rows=rows,
        controls=[
            text for name, text in CONTROL_TEXTS.items() if name in records.distinct("control")
        ],
        figures=[
            (f"figure-{name}", provenance["benchmarks"][name], benchmark_figure(records, name))
            for name in names
        ],
        traps=[(name, HEAD, trap_rows(found)) for name, found in traps.items() if found],
        provenance=provenance,
        **({"field": together} if together else {}),
    )


def _called(names: Sequence[str]) -> str:
    """Benchmarks by name; of many how many there are."""
    return ", ".join(names) if len(names) <= NAMED else counted(len(names), "benchmark")


def paired_tables(runs: Mapping[str, Mapping[str, Outcomes]]) -> list[PaperTable]:
    """Scores of several runs on each benchmark, and the difference of each from the first on the
    same items.

    Args:
        runs: outcomes of each run by benchmark, by the run's name. A run with an adapter counts
            twice, before and after.
    """
    names = dict.fromkeys(benchmark for run in runs.values() for benchmark in run)
    return [_paired_table(name, _columns(runs, name)) for name in names if name]


Columns = Sequence[tuple[str, Sequence[Outcome], str]]
"""Name, outcomes and hash of the items of each run, before and after a repair."""


def _columns(runs: Mapping[str, Mapping[str, Outcomes]], name: str) -> Columns:
    """What the runs that scored a benchmark found."""
    found = []
    for run, benchmarks in runs.items():
        if name not in benchmarks:
            continue
        kept = benchmarks[name]
        for repair in dict.fromkeys(outcome.about["repair"] for outcome in kept.found):
            mine = [outcome for outcome in kept.found if outcome.about["repair"] == repair]
            found.append((run if repair == Repair.NONE else f"{run} ({repair})", mine, kept.items))
    return found


def _paired_table(name: str, columns: Columns) -> PaperTable:
    """The scores of one benchmark."""
    first, base, same = columns[0]
    rows = []
    for before in base:
        told = [before.about[key] for key in ("subset", "metric", "protocol")]
        rule = _tie_rule(before)
        for run, scores, items in columns:
            after = next((o for o in scores if _same_score(o, before)), None)
            if after is None:
                continue
            cells = [told[0], told[1].replace("_", " "), told[2], _tie_rule(after), run]
            cells += [
                percent(after.value),
                interval_told("share", *after.interval()),
                f"{after.n:,}",
            ]
            if run == first:
                cells += ["-", "-", "-"]
            elif items != same:
                cells += ["other items", "-", "-"]
            elif _tie_rule(after) not in ("-", rule) and rule != "-":
                cells += ["another tie rule", "-", "-"]
            else:
                cells += _changed(before, after)
            rows.append(tuple(cells))
    differences = (f"difference from {first}", "fixed, broken", "McNemar p")
    head = ("subset", "metric", "protocol", "tie rule", "run", "value", "95 % interval", "n")
    title = f"{name}, on the same items"
    return PaperTable(f"benchmark-{name}", title, (*head, *differences), tuple(rows))


def _tie_rule(outcome: Outcome) -> str:
    """What its rule does with a tie; a dash where an earlier version kept it."""
    return tie_words(outcome.about.get("tie_rule"))


def _same_score(one: Outcome, other: Outcome) -> bool:
    return all(one.about[key] == other.about[key] for key in ("metric", "subset", "protocol"))


def _changed(before: Outcome, after: Outcome) -> list[str]:
    """The difference with its interval, what was fixed and broken, and the exact p."""
    change = paired(before, after)
    return [
        difference(change.change, *change.interval),
        f"+{change.fixed:,} -{change.broken:,}",
        p_value(change.mcnemar),
    ]


def check_table(checked: Mapping[str, Sequence[Found]]) -> str:
    """What is there of each benchmark, and where the rest is published.

    Args:
        checked: what `check_benchmark` found, by benchmark.
    """
    from conceptbind.benchmarks.registry import benchmark_named

    lines = []
    for name, files in checked.items():
        benchmark = benchmark_named(name)
        lines += [f"{benchmark.title}: {benchmark.published}; licence: {benchmark.licence}"]
        lines += [
            f"  {'there  ' if found.there else 'missing'}  {found.path}  ({found.what})"
            for found in files
        ]
    return "\n".join(lines)
