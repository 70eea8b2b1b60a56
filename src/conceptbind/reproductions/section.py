"""Tables of a paper as pages, LaTeX and CSV have them, and what they say in one sentence."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from conceptbind.core.errors import counted
from conceptbind.core.rounding import percent
from conceptbind.report.blocks import paragraph, section, table
from conceptbind.report.numbers import interval_told, number
from conceptbind.report.tables import PaperTable
from conceptbind.reproductions.fill import Entry, Filled, counts

if TYPE_CHECKING:
    from conceptbind.core.findings import Section
    from conceptbind.core.scored import Unit
    from conceptbind.reproductions.tables import Table

CELLS = ("row", "column", "paper", "ours", "95 % interval", "n", "word", "encoder", "scenes", "why")
"""Head of the table with a line for every figure."""


def published(entry: Entry, unit: Unit) -> str:
    """A published figure, which has two digits."""
    if entry.paper is None:
        return "-"
    told = f"{100 * entry.paper:.0f} %" if unit == "share" else f"{entry.paper:.2f}"
    return f"at least {told}" if entry.at_least else told


def _ours(entry: Entry, unit: Unit) -> str:
    return (percent if unit == "share" else number)(entry.value)


def laid_out(table_: Table, rows: Sequence[Filled]) -> PaperTable:
    """A table as the paper has it: in every cell the published figure, ours and the word.

    Args:
        table_: of the paper.
        rows: what was measured.
    """
    body = []
    for filled in rows:
        cells = (_cell(entry, table_.unit) for entry in filled.entries)
        body.append((filled.row.name, *cells))
    title = f"{table_.title} (paper / ours)"
    return PaperTable(table_.name, title, ("", *table_.columns), tuple(body))


def _cell(entry: Entry, unit: Unit) -> str:
    if entry.paper is None and entry.value is None:
        return "-"
    told = "" if entry.paper is None else f", {entry.word}"
    return f"{published(entry, unit)} / {_ours(entry, unit)}{told}"


def figures(table_: Table, rows: Sequence[Filled]) -> PaperTable:
    """Every figure in a line of its own, with n, what was measured, and why nothing was.

    Args:
        table_: of the paper.
        rows: what was measured.
    """
    body = [
        (
            filled.row.name,
            column,
            published(entry, table_.unit),
            _ours(entry, table_.unit),
            interval_told(table_.unit, entry.low, entry.high),
            "-" if entry.n is None else f"{entry.n:,}",
            entry.word,
            *filled.place,
            entry.why or "-",
        )
        for filled in rows
        for column, entry in zip(table_.columns, filled.entries, strict=True)
    ]
    name = f"{table_.name}-figures"
    return PaperTable(name, f"{table_.title}: every figure", CELLS, tuple(body))


def table_section(table_: Table, rows: Sequence[Filled]) -> Section:
    """A table on the page.

    Args:
        table_: of the paper.
        rows: what was measured.
    """
    every = figures(table_, rows)
    told = [paragraph(f"arXiv {table_.paper}, {table_.where}. {table_.protocol}")]
    if any(entry.value is not None for filled in rows for entry in filled.entries):
        whole = laid_out(table_, rows)
        told.append(table(whole.columns, list(whole.rows)))
    told.append(table(every.columns, list(every.rows)))
    return section(table_.name, table_.title, *told)


def sentence(paper: str, rows: Mapping[str, Sequence[Filled]], encoder: str | None) -> str:
    """How many figures agree.

    Args:
        paper: name of it.
        rows: of each table.
        encoder: yours; None for those of the paper.
    """
    found = counts(rows)
    alone = _alone(rows)
    few = found["cannot be judged"]
    run = found["agrees"] + found["differs"] + few
    whose = "the paper's own encoders" if encoder is None else encoder
    if not run:
        return (
            f"None of the {found['not run']} figures of {paper} could be run for {whose}. The "
            f"tables say what is missing, and where it is published.{alone}"
        )
    unsure = f"{few} cannot be judged on so few scenes, " if few else ""
    other = "" if encoder is None else " The paper's encoders are others, so they need not agree."
    return (
        f"{found['agrees']} of {run} figures of {paper} agree with those of {whose}, "
        f"{found['differs']} differ, {unsure}and {found['not run']} were not run.{other}{alone}"
    )


def _alone(rows: Mapping[str, Sequence[Filled]]) -> str:
    """How many of our figures the paper has none for."""
    every = [entry for several in rows.values() for row in several for entry in row.entries]
    n = sum(entry.word == "not published" for entry in every)
    if not n:
        return ""
    return f" The tables have {counted(n, 'figure')} of ours for which the paper has none."
