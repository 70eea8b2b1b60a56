"""Tables over several runs, for papers: Markdown, CSV and LaTeX."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from conceptbind.core.errors import counted
from conceptbind.core.escape import csv_text, html_table, html_text, latex, markdown
from conceptbind.report.cells import (
    BINDING_HEAD,
    COMPLEXITY_HEAD,
    EDIT_HEAD,
    FINETUNE_HEAD,
    R2_HEAD,
    REMOVAL_HEAD,
    binding_cells,
    complexity_cells,
    edit_cells,
    finetune_cells,
    r2_cells,
    removal_cells,
)
from conceptbind.report.numbers import is_number, plain_parts

if TYPE_CHECKING:
    from conceptbind.core.records import Records
    from conceptbind.report.cells import Cells

_POWER = re.compile(r"([+-]?\d(?:\.\d+)?)e([+-]\d+)")
"""A number as programs write it: 1.7e-12."""

TABLES: Mapping[str, tuple[str, Callable[[Records], Cells], Sequence[str]]] = {
    "binding": (
        "Binding: recognition by probes, and between pictures and captions",
        binding_cells,
        BINDING_HEAD,
    ),
    "finetune": (
        "Fine-tuning: binding accuracy on what it was not trained on",
        finetune_cells,
        FINETUNE_HEAD,
    ),
    "r2": ("Additive structure", r2_cells, R2_HEAD),
    "removal": ("What probes recognise without a part", removal_cells, REMOVAL_HEAD),
    "edits": ("Edits at strength 1", edit_cells, EDIT_HEAD),
    "complexity": (
        "Complexity: what small models predict for new objects",
        complexity_cells,
        COMPLEXITY_HEAD,
    ),
}
"""Title of each table, its rows from the records of one run and modality, and its columns."""


@dataclass(frozen=True, repr=False)
class PaperTable:
    """One table over several runs."""

    name: str
    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]

    def __repr__(self) -> str:
        return f"<PaperTable {self.name}: {counted(len(self.rows), 'row')}>"

    def _repr_html_(self) -> str:
        return f"<p>{html_text(self.title)}</p>{html_table(self.columns, self.rows)}"

    def markdown(self) -> str:
        """The table in Markdown, its columns aligned."""
        lines = [list(map(markdown, row)) for row in (self.columns, *self.rows)]
        widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
        texts = [f"| {' | '.join(map(str.ljust, line, widths))} |" for line in lines]
        rule = "|".join("-" * (width + 2) for width in widths)
        return "\n".join([texts[0], f"|{rule}|", *texts[1:]])

    def csv(self) -> str:
        """The table as comma-separated values for programs: shares from 0 to 1, the ends of
        intervals in columns of their own.
        """
        columns: list[tuple[object, ...]] = []
        for name, cells in zip(self.columns, zip(*self.rows, strict=True), strict=True):
            values, lows, highs = zip(*map(plain_parts, cells), strict=True)
            apart = any(low is not None for low in lows)
            if not apart or any(value != "" for value in values):
                columns.append((name, *values))
            if apart:
                columns += [(f"{name} low", *lows), (f"{name} high", *highs)]
        return csv_text(zip(*columns, strict=True))

    def latex(self) -> str:
        """The table in LaTeX, for the package booktabs."""
        body = [" & ".join(map(_tex, row)) + r" \\" for row in self.rows]
        head = " & ".join(map(_tex, self.columns)) + r" \\"
        layout = "".join(map(self._alignment, range(len(self.columns))))
        lines = [
            rf"\begin{{tabular}}{{{layout}}}",
            r"\toprule",
            head,
            r"\midrule",
            *body,
            r"\bottomrule",
            r"\end{tabular}",
        ]
        return "\n".join([f"% {self.title}", *lines]) + "\n"

    def _alignment(self, column: int) -> str:
        """LaTeX's letter of a column: numbers stand to the right, words to the left."""
        return "r" if _all_numbers(row[column] for row in self.rows) else "l"


def paper_tables(runs: Mapping[str, Records]) -> list[PaperTable]:
    """The tables of several runs, each run and modality after the other; tables without a row are
    left out.

    Args:
        runs: records of each run, by name.
    """
    tables = []
    for name, (title, make, columns) in TABLES.items():
        rows = []
        for run, records in runs.items():
            for modality in map(str, records.distinct("modality")):
                mine = records.where(modality=modality)
                rows += [(run, modality, *cells) for cells in make(mine)]
        if rows:
            tables.append(PaperTable(name, title, ("run", "modality", *columns), tuple(rows)))
    return tables


def _tex(cell: str) -> str:
    """A cell with LaTeX's special characters escaped."""
    power = _POWER.fullmatch(cell)
    if power:
        return rf"${power[1]}\cdot10^{{{int(power[2])}}}$"
    escaped = latex(cell)
    return "$R^2$" + escaped[2:] if escaped.startswith("R2") else escaped


def _all_numbers(cells: Iterable[str]) -> bool:
    return all(map(is_number, cells))
