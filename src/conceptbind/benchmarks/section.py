"""Benchmark results as tables, a figure, sentences and a page; several runs side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from conceptbind.core.names import CONTROL_TEXTS, Control, Repair
from conceptbind.core.outcomes import Outcome, paired
from conceptbind.report.charts import Chart, Look, Series, point_of
from conceptbind.report.numbers import difference, interval_of, p_value, percent, value_of
from conceptbind.report.tables import PaperTable
from conceptbind.report.terminal import terminal_table
from conceptbind.report.words import apart

if TYPE_CHECKING:
    from conceptbind.benchmarks.base import Found
    from conceptbind.core.outcomes import Outcomes
    from conceptbind.core.records import Record, Records


def benchmark_table(records: Records, width: int | None = None) -> str:
    """One line a score: value with its interval, after a repair with the paired difference, and the
    better of the blind baselines; for a terminal of a width, see `terminal_table`.

    Args:
        records: records of one evaluation.
        width: characters of the terminal; None folds nothing.
    """
    head, rows = benchmark_cells(records)
    return terminal_table([head, *rows], 4, width)


def benchmark_cells(records: Records) -> tuple[list[str], list[list[str]]]:
    """Head and rows of the table."""
    repaired = Repair.ADAPTER in records.distinct("repair")
    head = [
        "benchmark",
        "subset",
        "metric",
        "protocol",
        "value",
        "95 % interval",
        "blind",
        "ties",
        "n",
    ]
    lines = []
    for record in _main(records):
        protocol = f"{record['protocol']}, {record['average']}"
        line = [
            record.scenes,
            record.split,
            record.metric.replace("_", " "),
            protocol,
            value_of(record),
            interval_of(record),
        ]
        if repaired:
            line += [
                value_of(_beside(record, records, Repair.ADAPTER)),
                _change(_beside(record, records, Repair.DIFFERENCE)),
            ]
        blind = _blind(record, records)
        lines.append(
            [*line, "-" if blind is None else value_of(blind), f"{record.ties:,}", f"{record.n:,}"]
        )
    return [*head[:6], *(["repaired", "difference"] if repaired else []), *head[6:]], lines


def _change(record: Record) -> str:
    """A paired difference with its interval."""
    return difference(record.value, record.ci_low, record.ci_high)


def benchmark_sentence(records: Records) -> str:
    """What is won over captions alone, what a repair does, and where ties are, in words.

    Args:
        records: records of one evaluation.
    """
    main = [r for r in _main(records).scored() if r.n]
    sentences = [_over_blind(main, records), _of_repair(records), _of_ties(main)]
    return " ".join(sentence for sentence in sentences if sentence)


def _over_blind(main: Sequence[Record], records: Records) -> str:
    """How many scores are above the better blind baseline: their intervals must be apart."""
    blind = {id(r): _blind(r, records) for r in main}
    compared = [r for r in main if blind[id(r)] is not None]
    above = [r for r in compared if apart(r, blind[id(r)])]
    below = [r for r in compared if apart(blind[id(r)], r)]
    same = [r for r in compared if r not in above and r not in below]
    n = len({r.scenes for r in main})
    words = [f"{_count(len(main), 'score')} of {_count(n, 'benchmark')}."]
    baseline = "the better of two baselines that never see a picture (95 % intervals apart)"
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
        f"The repair clearly raises {len(better)} of {_count(len(changes), 'score')} (95 % "
        "interval of the paired difference above 0) "
        f"and {lowered}{f'; for {left} it cannot be told' if left else ''}."
    )


def _of_ties(main: Sequence[Record]) -> str:
    """Where most ties are."""
    ties = [r for r in main if r.ties]
    if not ties:
        return ""
    most = max(ties, key=lambda r: (r.ties or 0) / r.n)
    return (
        f"Ties are misses; most are in {most.scenes} {most.split} "
        f"({percent((most.ties or 0) / most.n)} of {most.n:,})."
    )


def _count(n: int, what: str) -> str:
    return f"{n} {what}{'' if n == 1 else 's'}"


def benchmark_figure(records: Records, name: str) -> Chart:
    """Scores of one benchmark with their intervals, after a repair too, above the better blind
    baseline.
    """
    main = _main(records).where(scenes=name)
    repaired = Repair.ADAPTER in records.distinct("repair")
    parts: list[tuple[str, Look, list[Record | None]]] = [("score", "own", list(main))]
    if repaired:
        after: list[Record | None] = [_beside(r, records, Repair.ADAPTER) for r in main]
        parts = [("before", "random", list(main)), ("repaired", "own", after)]
    parts.append(("blind", "bag", [_blind(r, records) for r in main]))
    labels = [f"{r.split}, {r.metric.replace('_', ' ')} ({r['protocol']})" for r in main]
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


def write_benchmark_report(
    path: Path, records: Records, notes: Sequence[str], provenance: Mapping[str, Any]
) -> None:
    """Write `report.html` of one evaluation.

    Args:
        path: the file to write.
        records: records of the evaluation.
        notes: sentences on what was left out.
        provenance: options and versions, as `run.facts` gives them.
    """
    from conceptbind.report.page import render_page

    head, rows = benchmark_cells(records)
    names = [str(name) for name in records.distinct("scenes")]
    render_page(
        path,
        "benchmarks.html.j2",
        title=f"{records[0].encoder} on {len(names)} benchmark{'s' if len(names) > 1 else ''}",
        sentence=benchmark_sentence(records),
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
        provenance=provenance,
    )


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
        for run, scores, items in columns:
            after = next((o for o in scores if _same_score(o, before)), None)
            if after is None:
                continue
            cells = [told[0], told[1].replace("_", " "), told[2], run]
            cells += [percent(after.value), f"{after.n:,}"]
            if run == first:
                cells += ["-", "-", "-"]
            elif items != same:
                cells += ["other items", "-", "-"]
            else:
                cells += _changed(before, after)
            rows.append(tuple(cells))
    differences = (f"difference from {first}", "fixed, broken", "McNemar p")
    head = ("subset", "metric", "protocol", "run", "value", "n", *differences)
    return PaperTable(f"benchmark-{name}", f"{name}, on the same items", head, tuple(rows))


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
    from conceptbind.benchmarks.evaluate import benchmark_named

    lines = []
    for name, files in checked.items():
        benchmark = benchmark_named(name)
        lines += [f"{benchmark.title}: {benchmark.published}; licence: {benchmark.licence}"]
        lines += [
            f"  {'there  ' if found.there else 'missing'}  {found.path}  ({found.what})"
            for found in files
        ]
    return "\n".join(lines)


def _main(records: Records) -> Records:
    """The scores themselves, without baselines and repairs."""
    return records.where(repair=Repair.NONE, control=Control.NONE)


SCORE = ("scenes", "split", "metric", "protocol", "average")
"""Columns that say which score a record is about."""


def _same(record: Record, records: Records) -> Records:
    """All records of one score."""
    return records.where(**{name: record[name] for name in SCORE})


def _beside(record: Record, records: Records, repair: Repair) -> Record:
    return _same(record, records).one(repair=repair, control=Control.NONE)


def _blind(record: Record, records: Records) -> Record | None:
    """The better of the baselines that see no picture; None where there is none."""
    blind = (Control.BLIND_LENGTH, Control.BLIND_NORM)
    found = _same(record, records).where(control=blind, repair=Repair.NONE).scored()
    return max(found, key=lambda r: r.value or 0.0, default=None)


def _named(records: Sequence[Record], most: int = 3) -> str:
    """A few scores by name."""
    names = [f"{r.scenes} {r.split} {r.metric.replace('_', ' ')}" for r in records]
    return ", ".join(dict.fromkeys(names[:most])) + (", ..." if len(names) > most else "")
