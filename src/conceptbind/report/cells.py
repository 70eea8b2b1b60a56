"""Rows of the R^2, removal, edit, binding and complexity tables, from the records of one run and
modality.

Each number stands with its 95 % interval where its record has one, and with n; a dash stands for
what was not measured or cannot be judged.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from conceptbind.core.names import Control, Metric, Repair
from conceptbind.core.records import Records
from conceptbind.core.rounding import percent
from conceptbind.report.numbers import interval_of, number, value_of, with_interval

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
SIMPLE, SOMEWHAT = 0.5, 0.1
"""Generalisation scores from which a rule is called simple, and simple in part."""
Cells = list[list[str]]
ORDERS = {2: "1 (values)", 1: "2 (objects)"}
"""What records store as their `additive_level`, and the order of their terms in words."""
R2_HEAD = (
    *("order", "estimator", "R2", "R2 held out", "R2 random weights"),
    *("retrieval", "objects recognised", "concepts recognised", "n", "n held out"),
)
REMOVAL_HEAD = ("embeddings", "concepts", "objects", "n")
EDIT_HEAD = (
    *("hit by", "object vectors", "all", "same attribute", "different attribute"),
    *("n", "n same", "n different"),
)
BINDING_HEAD = ("measure", "value", "95 % interval", "n")
FINETUNE_HEAD = ("before", "after", "change", "n")
COMPLEXITY_HEAD = (
    *("small model", "width", "read-out", "score", "95 % interval", "n"),
    *("objects", "hardest concept", "R2", "R2 train"),
)


def r2_cells(records: Records) -> Cells:
    """Rows of the additive table under `R2_HEAD`."""
    rows = records.where(study="additive")
    cells = []
    for level, order in ORDERS.items():
        for estimator, slots, name in FITS:
            one = rows.where(additive_level=level, estimator=estimator)
            fits = one.where(metric=Metric.R2, slots=slots)
            if not fits:
                continue
            whole, held, random = (
                _least(fits.where(split=split, control=control))
                for split, control in (
                    ("all", Control.NONE),
                    ("test", Control.NONE),
                    ("all", Control.RANDOM_WEIGHTS),
                )
            )
            read = estimator != "least_squares" or slots == "apart"
            others = [
                _least(one.where(metric=metric)) if read else None
                for metric in (
                    Metric.RETRIEVAL_TOP1,
                    Metric.OBJECT_RECOGNITION,
                    Metric.CONCEPT_RECOGNITION,
                )
            ]
            found = [_cell(record) for record in (whole, held, random, *others)]
            cells.append([order, name, *found, _n(whole, random), _n(held, *others)])
    return cells


def removal_cells(records: Records) -> Cells:
    """Rows of the removal table under `REMOVAL_HEAD`; of concepts the one that is recognised
    least.
    """
    rows = records.where(study="removal")
    cells = []
    for removed, name in REMOVED_NAMES.items():
        mine = rows.where(removed=removed)
        if mine:
            found = [
                _least(mine.where(metric=metric))
                for metric in (Metric.CONCEPT_RECOGNITION, Metric.OBJECT_RECOGNITION)
            ]
            cells.append([name, *map(_cell, found), _n(*found)])
    return cells


def edit_cells(records: Records) -> Cells:
    """Rows of the edit table at strength 1, under `EDIT_HEAD`."""
    rows = records.where(study="edit", steering=1, protocol=(None, "strict"))
    cells = []
    for metric, name in EDIT_ROWS:
        for estimator in ("avg", "avg+pos", "single"):
            mine = {r["attribute"]: r for r in rows.where(metric=metric, estimator=estimator)}
            if "all" in mine:
                found = [mine.get(part) for part in ("all", "same", "different")]
                cells.append([name, estimator, *map(_cell, found), *map(_n, found)])
    return cells


def binding_cells(records: Records) -> Cells:
    """Rows of the main table under `BINDING_HEAD`: what probes recognise, the level of a bag of
    concepts; between pictures and captions the binding and its repair.
    """
    rows = records.where(control=(Control.NONE, Control.BAG_OF_CONCEPTS))
    probes = rows.where(study="probe")
    own = probes.where(control=Control.NONE)
    bag = probes.where(control=Control.BAG_OF_CONCEPTS)
    across = rows.where(study="crossmodal", control=Control.NONE)
    repairs = rows.where(study="repair", repair=(Repair.NONE, Repair.HNB, None))
    scored = Records(r for r in repairs if r.ci_low is not None)
    written = Repair.NONE if scored.first(recommended=False) else Repair.HNB
    simple = rows.where(metric=Metric.GENERALISATION_SCORE, approximator="chosen")[:1]
    found = {
        "concepts": _least(own.where(metric=Metric.CONCEPT_RECOGNITION)),
        "objects": _least(own.where(metric=Metric.OBJECT_RECOGNITION)),
        "bag of concepts, objects": _least(bag.where(metric=Metric.OBJECT_RECOGNITION)),
        "binding accuracy": _least(across.where(metric=Metric.BINDING_ACCURACY, order="either")),
        "recall at 1": _least(across.where(metric=Metric.RECALL_AT_1)),
        "binding accuracy, repaired": _least(
            scored.where(metric=Metric.BINDING_ACCURACY, repair=written)
        ),
        "generalisation": _least(simple) if _is_judged(rows) else None,
    }
    return [
        [measure, value_of(record), interval_of(record), f"{record.n:,}"]
        for measure, record in found.items()
        if record is not None
    ]


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
    """Rows of the table of fine-tuning, under `FINETUNE_HEAD`."""
    rows = records.where(study="finetune")
    gain = rows.first(metric=Metric.BINDING_GAIN)
    if gain is None:
        return []
    scored = rows.where(metric=Metric.BINDING_ACCURACY)
    beside = [_least(scored.where(repair=repair)) for repair in (Repair.NONE, Repair.FT)]
    return [[*map(_cell, (*beside, gain)), _n(gain)]]


def complexity_cells(records: Records) -> Cells:
    """Rows of the complexity table under `COMPLEXITY_HEAD`: the score with its interval, and means
    over coverages on new objects, which have none.
    """
    rows = records.where(study="complexity", seed=None)
    read = rows.where(metric=Metric.OBJECT_RECOGNITION, split="unseen")
    cells = []
    for name, width, readout in dict.fromkeys(
        (r["approximator"], r["width"], r["readout"]) for r in read
    ):
        mine = rows.where(approximator=name, width=width, readout=(None, readout))
        score = mine.first(metric=Metric.GENERALISATION_SCORE)
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
                *("-" if score is None else told(score) for told in (value_of, interval_of)),
                _n(score),
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


def _least(rows: Records) -> Record | None:
    """The record with the least value of some; None where none has a value."""
    return min(rows.scored(), key=lambda r: r.value or 0.0, default=None)


def _cell(record: Record | None) -> str:
    """A number with its interval, or a dash."""
    return "-" if record is None else with_interval(record)


def _n(*records: Record | None) -> str:
    """How many items stand behind numbers: each count once."""
    counts = {record.n for record in records if record is not None}
    return " / ".join(f"{n:,}" for n in sorted(counts)) or "-"
