"""How complex the binding function is, as a table and a figure beside the sentence."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from itertools import product
from typing import TYPE_CHECKING, Any

from conceptbind.complexity.words import NAMES, complexity_sentence, weakest
from conceptbind.core.names import Metric
from conceptbind.core.rounding import percent
from conceptbind.report.cells import COMPLEXITY_HEAD, complexity_cells
from conceptbind.report.charts import Chart, Look, Point, Series, Stroke
from conceptbind.report.numbers import interval_of, value_of

if TYPE_CHECKING:
    from conceptbind.complexity.study import ComplexityStudy
    from conceptbind.core.records import Record

LABELS = {"embeddings": "the real embeddings", "bag_of_concepts": "a bag of concepts", **NAMES}
LOOKS: dict[str, tuple[Look, str]] = {
    "embeddings": ("ink", "o"),
    "bag_of_concepts": ("bag", "s"),
    "additive": ("own", "v"),
    "per_object_product": ("random", "o"),
    "global_product": ("other", "o"),
    "per_object_product_alone": ("random", "P"),
    "global_product_alone": ("other", "P"),
    "role_filler": ("own", "X"),
    "holographic": ("twin", "D"),
    "tensor_product": ("other", "^"),
    "bilinear": ("other", "v"),
    "matrix_vector": ("random", "^"),
    "mlp": ("own", "D"),
    "mlp_2_layers": ("own", "^"),
    "mlp_3_layers": ("own", "s"),
    "mlp_per_object_product": ("random", "D"),
    "mlp_global_product": ("other", "D"),
    "boosting": ("twin", "^"),
    "forest": ("twin", "s"),
}
"""Colour and mark of each approximator."""
STROKES: tuple[Stroke, ...] = ("solid", "dashed", "dotted", "dashdot")
"""Strokes of one approximator's widths."""
PUBLISHED: tuple[Look, Stroke] = ("paper", "dashed")
"""Colour and stroke of what was published."""
PAPER = ((0.9,), (0.2,)), ((0.3, 0.9), (0.8, 0.8))
"""CLIP in arXiv 2605.31503, section 6, read off its text: objects near 0.20 even at width 4096 and
coverage 0.9; concepts at 0.80 or more from coverage 0.3. Boosting and forests agree."""


def complexity_section(study: ComplexityStudy) -> dict[str, Any]:
    """What the template shows."""
    return {
        "modality": study.modality,
        "sentence": complexity_sentence(study),
        "readout": study.readouts[0],
        "figure": coverage_figure(study) if study.scores() else None,
        "head": tuple(name.replace("R2", "R²") for name in COMPLEXITY_HEAD),
        "rows": complexity_cells(study.records),
        "planted": bool(study.records.where(approximator="planted")),
        "notes": study.notes,
    }


def _free(look: Look, first: int, taken: Collection[tuple[Look, Stroke]]) -> tuple[Look, Stroke]:
    """A colour and stroke that no other curve has: the colour that is asked for, where one of its
    strokes is left.
    """
    colours = (look, *(other for other, _ in LOOKS.values()), "paper")
    strokes = (*STROKES[first:], *STROKES[:first])
    left = (pair for pair in product(colours, strokes) if pair not in taken)
    return next(left, (look, strokes[0]))


def coverage_figure(study: ComplexityStudy) -> Chart:
    """Recognition in scenes of new objects over coverage: objects and the hardest concept side by
    side, with intervals over draws.
    """
    owners = ((str(r["approximator"]), r["width"]) for r in study.records)
    shown = dict.fromkeys(owner for owner in owners if owner[0] in LABELS)
    widths = Counter(name for name, _ in shown)
    several = [name for name in LABELS if widths[name] > 1]
    order = sorted(shown, key=lambda pair: (list(LABELS).index(pair[0]), int(pair[1] or 0)))
    series, taken = [], {PUBLISHED}
    for name, width in order:
        wide = int(width) if isinstance(width, int) else None
        same = sorted(int(other or 0) for owner, other in shown if owner == name)
        label = LABELS[name] + (f" {wide}" if name in several else "")
        look, marker = LOOKS[name]
        first = same.index(wide or 0) % len(STROKES)
        if name in ("embeddings", "bag_of_concepts"):
            first = STROKES.index("dotted")
        look, stroke = _free(look, first, taken)
        taken.add((look, stroke))
        curves = (study.curve(Metric.OBJECT_RECOGNITION, name, wide), weakest(study, name, wide))
        for panel, records in enumerate(curves):
            points = tuple(_point(record) for record in records if record.value is not None)
            series.append(Series(label, points, look, stroke, marker, panel))
    for panel, (xs, ys) in enumerate(PAPER):
        points = tuple(Point(x, y, said=percent(y)) for x, y in zip(xs, ys, strict=True))
        paper = "CLIP, as published (about)"
        series.append(Series(paper, points, *PUBLISHED, "X", panel))
    return Chart(
        f"complexity-{study.modality}",
        "Recognition in scenes of new objects, from what small models predict",
        "lines",
        tuple(series),
        "share of objects trained on",
        "share of scenes recognised",
        ("objects", "hardest concept"),
        ends=(0, 1),
    )


def _point(record: Record) -> Point:
    """A median over draws of the objects."""
    return Point(
        float(record["coverage"] or 0),
        record.value,
        record.ci_low,
        record.ci_high,
        value_of(record),
        f"{record['n_seeds']} draws, n = {record.n:,}",
        interval="" if record.ci_low is None else interval_of(record),
    )
