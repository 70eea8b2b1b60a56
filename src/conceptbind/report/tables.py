"""The R^2, removal, edit and complexity tables from records: for the report, for papers, and
over several runs.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from conceptbind.core.escape import csv_text, latex, markdown
from conceptbind.core.names import Control, Metric, Repair
from conceptbind.core.records import Records
from conceptbind.report.numbers import number, percent, shown, value_of

if TYPE_CHECKING:
    from conceptbind.core.columns import Value
    from conceptbind.core.records import Record

REMOVED_NAMES = {
    "none": "original",
    "concepts": "minus concept part",
    "objects": "minus object part",
    "permuted_concepts": "minus permuted concept part",
    "permuted_objects": "minus permuted object part",
}
EDIT_ROWS = ((Metric.EDIT_PROBING, "probing"), (Metric.EDIT_RETRIEVAL, "retrieval"))
FITS = (
    ("avg", "together", "avg"),
    ("avg+pos", "apart", "avg+pos"),
    ("single", "together", "single"),
    ("least_squares", "together", "least squares, slots together"),
    ("least_squares", "apart", "least squares, slots apart"),
)
_POWER = re.compile(r"([+-]?\d(?:\.\d+)?)e([+-]\d+)")
"""A number as programs write it: 1.7e-12."""
SIMPLE, SOMEWHAT = 0.5, 0.1
"""Generalisation scores from which a rule is called simple, and simple in part."""
Cells = list[list[str]]


def r2_cells(records: Records) -> Cells:
    """Rows of the additive table: level, estimator, R^2 on all and on held-out scenes, random
    weights, retrieval, objects and concepts recognised.
    """
    rows = records.where(study="additive")
    cells = []
    for level in (1, 2):
        for estimator, slots, name in FITS:
            one = rows.where(level=level, estimator=estimator)
            fits = one.where(metric=Metric.R2, slots=slots)
            if not fits:
                continue
            whole, held, random = (
                _value(fits.where(split=split, control=control))
                for split, control in (
                    ("all", Control.NONE),
                    ("test", Control.NONE),
                    ("all", Control.RANDOM_WEIGHTS),
                )
            )
            read = estimator != "least_squares" or slots == "apart"
            others = [
                _value(one.where(metric=metric)) if read else "-"
                for metric in (
                    Metric.RETRIEVAL_TOP1,
                    Metric.OBJECT_RECOGNITION,
                    Metric.CONCEPT_RECOGNITION,
                )
            ]
            cells.append([str(level), name, whole, held, random, *others])
    return cells


def removal_cells(records: Records) -> Cells:
    """Rows of the removal table: what was removed, the least of the concept recognitions, object
    recognition.
    """
    rows = records.where(study="removal")
    cells = []
    for removed, name in REMOVED_NAMES.items():
        mine = rows.where(removed=removed)
        if mine:
            concepts, objects = (
                _value(mine.where(metric=metric))
                for metric in (Metric.CONCEPT_RECOGNITION, Metric.OBJECT_RECOGNITION)
            )
            cells.append([name, concepts, objects])
    return cells


def edit_cells(records: Records) -> Cells:
    """Rows of the edit table at strength 1: hit by, vectors, all, same and different attribute,
    n.
    """
    rows = records.where(study="edit", steering=1)
    cells = []
    for metric, name in EDIT_ROWS:
        for estimator in ("avg", "avg+pos", "single"):
            mine = {r["attribute"]: r for r in rows.where(metric=metric, estimator=estimator)}
            if "all" in mine:
                shares = [
                    percent(mine[part].value) if part in mine else "-"
                    for part in ("all", "same", "different")
                ]
                cells.append([name, estimator, *shares, f"{mine['all'].n:,}"])
    return cells


def binding_cells(records: Records) -> Cells:
    """Rows of the main table: what is read by probes, the level of a bag of concepts; across
    modalities the binding and its repair.
    """
    rows = records.where(control=(Control.NONE, Control.BAG_OF_CONCEPTS))
    probes = rows.where(study="probe")
    own = probes.where(control=Control.NONE)
    bag = probes.where(control=Control.BAG_OF_CONCEPTS)
    across = rows.where(study="crossmodal")
    repairs = rows.where(study="repair", repair=(Repair.NONE, Repair.HNB, None))
    scored = Records(r for r in repairs if r.ci_low is not None)
    written = Repair.NONE if scored.first(recommended=False) else Repair.HNB
    simple = rows.where(metric=Metric.GENERALISATION_SCORE, approximator="chosen")
    cells = [
        _value(own.where(metric=Metric.CONCEPT_RECOGNITION)),
        _value(own.where(metric=Metric.OBJECT_RECOGNITION)),
        _value(bag.where(metric=Metric.OBJECT_RECOGNITION)),
        _value(across.where(metric=Metric.BINDING_ACCURACY, order="either")),
        _value(across.where(metric=Metric.RECALL_AT_1)),
        _value(scored.where(metric=Metric.BINDING_ACCURACY, repair=written)),
        _value(simple[:1]) if _is_judged(rows) else "-",
    ]
    return [cells] if any(cell != "-" for cell in cells) else []


def _is_judged(rows: Records) -> bool:
    """Whether the generalisation score of the first read-out says something: draws do not reach
    down to 0, or a planted rule shows that a simple one would have been found.
    """
    scores = rows.where(metric=Metric.GENERALISATION_SCORE, seed=None)
    found = scores.first(approximator="chosen")
    if found is None or found.value is None or _ends(found) is None:
        return False
    low, high = _ends(found) or (0.0, 0.0)
    if found.value >= SOMEWHAT:
        return low > 0
    planted = scores.where(approximator="planted", readout=found.get("readout"))
    known = [(record.value or 0.0, _ends(record) or (0.0, 0.0)) for record in planted]
    best, (least, _) = max(known, default=(0.0, (0.0, 0.0)))
    return high < SIMPLE and best >= SOMEWHAT and least > high


def _ends(record: Record) -> tuple[float, float] | None:
    """The interval of a record, or the lowest and highest of its draws."""
    for names in (("ci_low", "ci_high"), ("lowest", "highest")):
        low, high = (record.get(name) for name in names)
        if isinstance(low, float | int) and isinstance(high, float | int):
            return float(low), float(high)
    return None


def finetune_cells(records: Records) -> Cells:
    """Rows of the table of fine-tuning: binding accuracy before and after, the change, n."""
    rows = records.where(study="finetune")
    gain = rows.first(metric=Metric.BINDING_GAIN)
    if gain is None:
        return []
    scored = rows.where(metric=Metric.BINDING_ACCURACY)
    beside = (_value(scored.where(repair=repair)) for repair in (Repair.NONE, Repair.FT))
    return [[*beside, value_of(gain), f"{gain.n:,}"]]


def complexity_cells(records: Records) -> Cells:
    """Rows of the complexity table: approximator, read-out, score with its interval, and means over
    coverages on new objects.
    """
    rows = records.where(study="complexity", seed=None)
    read = rows.where(metric=Metric.OBJECT_RECOGNITION, split="unseen")
    cells = []
    for name, width, readout in dict.fromkeys(
        (r["approximator"], r["width"], r["readout"]) for r in read
    ):
        mine = rows.where(approximator=name, width=width, readout=(None, readout))
        score = mine.first(metric=Metric.GENERALISATION_SCORE)
        spread = score is not None and score.ci_low is not None
        interval = f"{number(score.ci_low)} to {number(score.ci_high)}" if score and spread else "-"
        concepts = mine.where(metric=Metric.CONCEPT_RECOGNITION).distinct("concept")
        weakest = [
            _mean(mine, Metric.CONCEPT_RECOGNITION, "unseen", concept) for concept in concepts
        ]
        size = "-" if width is None else f"{width:.0f}"
        cells.append(
            [
                str(name).replace("_", " "),
                size,
                str(readout or "-"),
                number(score.value) if score else "-",
                interval,
                percent(_mean(mine, Metric.OBJECT_RECOGNITION, "unseen")),
                percent(min((value for value in weakest if value is not None), default=None)),
                number(_mean(mine, Metric.R2, "unseen")),
                number(_mean(mine, Metric.R2, "train")),
            ]
        )
    return cells


def _mean(rows: Records, metric: Metric, split: str, concept: Value = None) -> float | None:
    """Mean over coverages."""
    found = rows.where(metric=metric, split=split, concept=concept)
    values = [r.value for r in found if r.value is not None]
    return sum(values) / len(values) if values else None


TABLES: Mapping[str, tuple[str, Callable[[Records], Cells], Sequence[str]]] = {
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
    "finetune": (
        "Fine-tuning: binding accuracy on what it was not trained on",
        finetune_cells,
        ("before", "after", "change", "n"),
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
        lines = [list(map(markdown, row)) for row in (self.columns, *self.rows)]
        widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
        texts = [f"| {' | '.join(map(str.ljust, line, widths))} |" for line in lines]
        rule = "|".join("-" * (width + 2) for width in widths)
        return "\n".join([texts[0], f"|{rule}|", *texts[1:]])

    def csv(self) -> str:
        """The table as comma-separated values."""
        return csv_text([self.columns, *self.rows])

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
    return all(map(_is_number, cells))


def _is_number(cell: str) -> bool:
    digits = cell.removesuffix(" %").replace(".", "").replace(",", "")
    return cell == "-" or digits.isdigit() or _POWER.fullmatch(cell) is not None


def _value(rows: Records) -> str:
    """The least value of some rows as people read it, or a dash."""
    found = [(r.value, str(r.metric)) for r in rows if r.value is not None]
    value, metric = min(found, default=(None, ""))
    return shown(metric, value)
