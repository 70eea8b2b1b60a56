"""The R^2, removal, edit and complexity tables from flat records: for the report, for papers, and
over several runs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from conceptbind.core.escape import csv_text, latex, markdown, one_line
from conceptbind.report.numbers import number, percent, shown

Rows = Sequence[Mapping[str, Any]]
"""Flat records."""

REMOVED_NAMES = {
    "none": "original",
    "concepts": "minus concept part",
    "objects": "minus object part",
    "permuted_concepts": "minus permuted concept part",
    "permuted_objects": "minus permuted object part",
}
EDIT_ROWS = (("edit_probing", "probing"), ("edit_retrieval", "retrieval"))
FITS = (
    ("avg", "together", "avg"),
    ("avg+pos", "apart", "avg+pos"),
    ("single", "together", "single"),
    ("least_squares", "together", "least squares, slots together"),
    ("least_squares", "apart", "least squares, slots apart"),
)
Cells = list[list[str]]


def r2_cells(records: Rows) -> Cells:
    """Rows of the additive table: level, estimator, R^2 on all and on held-out scenes, random
    weights, retrieval, objects and concepts read.
    """
    rows = [r for r in records if r["study"] == "additive"]
    cells = []
    for level in (1, 2):
        for estimator, slots, name in FITS:
            one = [r for r in rows if (r["level"], r["estimator"]) == (level, estimator)]
            fits = [r for r in one if r["metric"] == "r2" and r["slots"] == slots]
            if not fits:
                continue
            whole, held, random = (
                _value(r for r in fits if r["split"] == split and r["control"] == control)
                for split, control in (("all", "none"), ("test", "none"), ("all", "random_weights"))
            )
            read = estimator != "least_squares" or slots == "apart"
            others = [
                _value(r for r in one if read and r["metric"] == metric)
                for metric in ("retrieval_top1", "object_recognition", "concept_recognition")
            ]
            cells.append([str(level), name, whole, held, random, *others])
    return cells


def removal_cells(records: Rows) -> Cells:
    """Rows of the removal table: what was removed, the least of the concept recognitions, object
    recognition.
    """
    rows = [r for r in records if r["study"] == "removal"]
    cells = []
    for removed, name in REMOVED_NAMES.items():
        mine = [r for r in rows if r["removed"] == removed]
        if mine:
            concepts = [
                r["value"]
                for r in mine
                if r["metric"] == "concept_recognition" and r["value"] is not None
            ]
            cells.append(
                [
                    name,
                    percent(min(concepts, default=None)),
                    _value(r for r in mine if r["metric"] == "object_recognition"),
                ]
            )
    return cells


def edit_cells(records: Rows) -> Cells:
    """Rows of the edit table at strength 1: hit by, vectors, all, same and different attribute,
    n.
    """
    rows = [r for r in records if r["study"] == "edit" and r["steering"] == 1]
    cells = []
    for metric, name in EDIT_ROWS:
        for estimator in ("avg", "avg+pos", "single"):
            mine = {
                r["attribute"]: r
                for r in rows
                if (r["metric"], r["estimator"]) == (metric, estimator)
            }
            if "all" in mine:
                shares = [
                    percent(mine[part]["value"]) if part in mine else "-"
                    for part in ("all", "same", "different")
                ]
                cells.append([name, estimator, *shares, f"{mine['all']['n']:,}"])
    return cells


def binding_cells(records: Rows) -> Cells:
    """Rows of the main table: what is read by probes, the level of a bag of concepts; across
    modalities the binding and its repair.
    """
    rows = [r for r in records if r.get("control") in ("none", "bag_of_concepts", None)]
    probes = [r for r in rows if r["study"] == "probe"]
    own = [r for r in probes if r["control"] == "none"]
    read = [
        _value(r for r in part if r["metric"] == metric)
        for part, metric in (
            (own, "concept_recognition"),
            (own, "object_recognition"),
            ([r for r in probes if r["control"] != "none"], "object_recognition"),
        )
    ]
    across = [r for r in rows if r["study"] == "crossmodal"]
    repairs = [
        r
        for r in rows
        if r["study"] == "repair" and r.get("repair") != "SB" and r.get("ci_low") is not None
    ]
    written = "none" if any(r.get("recommended") is False for r in repairs) else "HNB"
    mended = [r for r in repairs if r.get("repair") == written]
    cells = [
        *read,
        _value(
            r for r in across if r["metric"] == "binding_accuracy" and r.get("order") == "either"
        ),
        _value(r for r in across if r["metric"] == "recall_at_1"),
        _value(r for r in mended if r["metric"] == "binding_accuracy"),
        _value(
            [
                r
                for r in rows
                if r["metric"] == "generalisation_score" and r["approximator"] == "chosen"
            ][:1]
        ),
    ]
    return [cells] if any(cell != "-" for cell in cells) else []


def complexity_cells(records: Rows) -> Cells:
    """Rows of the complexity table: approximator, read-out, score with its interval, and means over
    coverages on new objects.
    """
    rows = [r for r in records if r["study"] == "complexity" and r["seed"] is None]
    read = [r for r in rows if (r["metric"], r["split"]) == ("object_recognition", "unseen")]
    cells = []
    for name, width, readout in dict.fromkeys(
        (r["approximator"], r["width"], r.get("readout")) for r in read
    ):
        mine = [
            r
            for r in rows
            if (r["approximator"], r["width"]) == (name, width)
            and r.get("readout") in (None, readout)
        ]
        score = next((r for r in mine if r["metric"] == "generalisation_score"), None)
        spread = score is not None and score["ci_low"] is not None
        interval = (
            f"{number(score['ci_low'])} to {number(score['ci_high'])}" if score and spread else "-"
        )
        concepts = dict.fromkeys(r["concept"] for r in mine if r["metric"] == "concept_recognition")
        weakest = [_mean(mine, "concept_recognition", "unseen", concept) for concept in concepts]
        cells.append(
            [
                str(name).replace("_", " "),
                "-" if width is None else f"{width:.0f}",
                str(readout or "-"),
                number(score["value"]) if score else "-",
                interval,
                percent(_mean(mine, "object_recognition", "unseen")),
                percent(min((value for value in weakest if value is not None), default=None)),
                number(_mean(mine, "r2", "unseen")),
                number(_mean(mine, "r2", "train")),
            ]
        )
    return cells


def _mean(rows: Rows, metric: str, split: str, concept: str | None = None) -> float | None:
    """Mean over coverages."""
    values = [
        r["value"]
        for r in rows
        if (r["metric"], r["split"], r.get("concept")) == (metric, split, concept)
        and r["value"] is not None
    ]
    return sum(values) / len(values) if values else None


TABLES: Mapping[str, tuple[str, Callable[[Rows], Cells], Sequence[str]]] = {
    "binding": (
        "Binding: recognition by probes, and across modalities",
        binding_cells,
        (
            "concepts",
            "objects",
            "bag of concepts",
            "binding accuracy",
            "recall at 1",
            "repaired",
            "generalisation",
        ),
    ),
    "r2": (
        "Additive structure",
        r2_cells,
        (
            "level",
            "estimator",
            "R2",
            "R2 held out",
            "R2 random weights",
            "retrieval",
            "objects recognised",
            "concepts recognised",
        ),
    ),
    "removal": ("Targeted removal", removal_cells, ("embeddings", "concepts", "objects")),
    "edits": (
        "Edits at strength 1",
        edit_cells,
        ("hit by", "object vectors", "all", "same attribute", "different attribute", "n"),
    ),
    "complexity": (
        "Complexity: what approximators predict for new objects",
        complexity_cells,
        (
            "approximator",
            "width",
            "read-out",
            "score",
            "95 % interval",
            "objects",
            "hardest concept",
            "R2",
            "R2 train",
        ),
    ),
}
"""Title of each table, its rows from the records of one run and modality, and its columns."""


@dataclass(frozen=True)
class PaperTable:
    """One table over several runs."""

    name: str
    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]

    def markdown(self) -> str:
        """The table in Markdown, its columns aligned."""
        lines = [[markdown(cell) for cell in row] for row in (self.columns, *self.rows)]
        widths = [max(len(line[i]) for line in lines) for i in range(len(self.columns))]
        texts = [
            "| "
            + " | ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True))
            + " |"
            for line in lines
        ]
        return "\n".join(
            [texts[0], "|" + "|".join("-" * (width + 2) for width in widths) + "|", *texts[1:]]
        )

    def csv(self) -> str:
        """The table as comma-separated values."""
        return csv_text([self.columns, *self.rows])

    def latex(self) -> str:
        """The table in LaTeX, for the package booktabs."""
        body = [" & ".join(map(_tex, row)) + r" \\" for row in self.rows]
        head = " & ".join(map(_tex, self.columns)) + r" \\"
        layout = "".join(
            "r" if _all_numbers(row[i] for row in self.rows) else "l"
            for i in range(len(self.columns))
        )
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


def paper_tables(runs: Mapping[str, Rows]) -> list[PaperTable]:
    """The tables of several runs, each run and modality after the other; tables without a row are
    left out.

    Args:
        runs: flat records of each run, by name.
    """
    tables = []
    for name, (title, make, columns) in TABLES.items():
        rows = []
        for run, records in runs.items():
            for modality in dict.fromkeys(str(r["modality"]) for r in records):
                mine = [r for r in records if r["modality"] == modality]
                rows += [(run, modality, *cells) for cells in make(mine)]
        if rows:
            tables.append(PaperTable(name, title, ("run", "modality", *columns), tuple(rows)))
    return tables


def aligned(lines: Sequence[Sequence[str]], text_columns: int) -> str:
    """Lines in columns, the first ones to the left."""
    lines = [[one_line(cell) for cell in line] for line in lines]
    widths = [max(len(line[i]) for line in lines) for i in range(len(lines[0]))]
    return "\n".join(
        "  ".join(
            cell.ljust(width) if i < text_columns else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(line, widths, strict=True))
        )
        for line in lines
    )


def _tex(cell: str) -> str:
    """A cell with LaTeX's special characters escaped."""
    escaped = latex(cell)
    return "$R^2$" + escaped[2:] if escaped.startswith("R2") else escaped


def _all_numbers(cells: Iterable[str]) -> bool:
    return all(
        cell == "-" or cell.removesuffix(" %").replace(".", "").replace(",", "").isdigit()
        for cell in cells
    )


def _value(rows: Iterable[Mapping[str, Any]]) -> str:
    """The least value of some rows as people read it, or a dash."""
    found = [(r["value"], str(r["metric"])) for r in rows if r["value"] is not None]
    return shown(*reversed(min(found))) if found else "-"
