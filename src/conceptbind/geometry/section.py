"""What embeddings are made of, as a sentence, tables and figures."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from conceptbind.core.errors import counted
from conceptbind.core.escape import csv_text
from conceptbind.core.names import Control, Metric
from conceptbind.core.rounding import percent
from conceptbind.report.cells import (
    EDIT_HEAD,
    R2_HEAD,
    REMOVAL_HEAD,
    edit_cells,
    r2_cells,
    removal_cells,
)
from conceptbind.report.charts import Chart, Look, Point, Series, Stroke, point_of
from conceptbind.report.numbers import interval_of, value_of
from conceptbind.report.svg import draw
from conceptbind.report.words import embeddings_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from conceptbind.geometry.scaling import Kind as PointKind
    from conceptbind.geometry.scaling import Scaling
    from conceptbind.geometry.spectra import Kind, Spectrum
    from conceptbind.geometry.study import GeometryStudy, Scored
    from conceptbind.scenes.table import Scenes

EDIT_COLUMNS: tuple[object, ...] = (
    *("metric", "estimator", "steering", "scene", "target", "slot"),
    *("concept", "old", "new", "attribute shared", "hit", "tied"),
)
"""Columns of the file of edits."""
KINDS: dict[str, tuple[str, Look]] = {
    "concept": ("single concepts", "twin"),
    "object": ("concepts of one object (the binding share)", "own"),
    "objects": ("concepts of different objects", "random"),
    "rest": ("the rest of an incomplete grid", "bag"),
}
WHOSE: dict[str, str] = {
    Control.NONE: "the encoder",
    Control.RANDOM_WEIGHTS: "random weights",
    Control.BAG_TWIN: "bag twin",
}


def geometry_sentence(study: GeometryStudy) -> str | None:
    """What explains the variance, beside random weights and noise, and what edits reach; None where
    no spectrum could be made.

    Args:
        study: what `geometry_study` returned.
    """
    found = study.spectra.get(Control.NONE)
    if found is None:
        return None
    scored = study.records.where(metric=Metric.VARIANCE_SHARE, control=Control.NONE)
    about = embeddings_of(study.modality) + (
        f" of {counted(scored[0].n, 'scene')}" if scored else ""
    )
    words = (
        f"Single concepts explain {percent(found.share('concept'))} of the variance of the {about} "
        f"({_beside(study, found, 'concept')})."
    )
    if any(part.kind == "object" for part in found.parts):
        words += (
            f" Whole objects explain {percent(found.binding_share)} more "
            f"({_beside(study, found, 'object')})."
        )
    joint = percent(found.share("objects", "rest"))
    words += f" Everything that joins different objects explains {joint}."
    hits = study.records.first(
        metric=Metric.EDIT_RETRIEVAL,
        estimator="avg+pos",
        steering=1.0,
        attribute="all",
        protocol=(None, "strict"),
    )
    if hits is not None:
        words += (
            " After one object's vector is exchanged, the nearest scene is the intended one in "
            f"{value_of(hits)} of the edits ({interval_of(hits)}, n = {hits.n:,})."
        )
    return words


def _beside(study: GeometryStudy, found: Spectrum, kind: Kind) -> str:
    """What the share of a kind would be without training, and without any rule: few scenes explain
    much of noise.
    """
    random = study.spectra.get(Control.RANDOM_WEIGHTS)
    untrained = "" if random is None else f"random weights: {percent(random.share(kind))}, "
    return f"{untrained}pure noise: {percent(found.freedom(kind))}"


HEADS = {
    "r2": tuple(name.replace("R2", "R²") for name in R2_HEAD),
    "removal": REMOVAL_HEAD,
    "edits": EDIT_HEAD,
}
"""Columns of the tables."""


def geometry_section(study: GeometryStudy) -> dict[str, Any]:
    """What the template shows."""
    sweep, records = sweep_figure(study), study.records
    own = study.spectra.get(Control.NONE)
    spectrum = spectrum_figure(study) if study.spectra else None
    method = own.method if own else None
    return {
        "modality": study.modality,
        "sentence": geometry_sentence(study),
        "spectrum": spectrum,
        "method": method,
        "heads": HEADS,
        "r2": r2_cells(records),
        "removal": removal_cells(records),
        "edits": edit_cells(records),
        "sweep": sweep,
        **_scaling_shown(study),
        "notes": study.notes,
    }


def _scaling_shown(study: GeometryStudy) -> dict[str, Any]:
    """What the template shows of the scaling: nothing where there is none."""
    if not study.scaling:
        return dict.fromkeys(("scaling", "stress"))
    return {
        "scaling": scaling_figure(study.scaling, study.modality),
        "stress": study.scaling.stress,
    }


def spectrum_figure(study: GeometryStudy) -> Chart:
    """One stacked bar for the encoder and for each control: which factors act alone and which
    together.
    """
    series = []
    names = [WHOSE.get(name, name) for name in study.spectra]
    noise = next(iter(study.spectra.values()))
    for kind, (words, look) in KINDS.items():
        shares = [found.share(kind) for found in study.spectra.values()]  # type: ignore[arg-type]
        if not any(part.kind == kind for found in study.spectra.values() for part in found.parts):
            continue
        details = [_details(found, kind) for found in study.spectra.values()]
        rows = zip(
            (*names, "pure noise"),
            (*shares, noise.freedom(kind)),  # type: ignore[arg-type]
            (*details, "by degrees of freedom"),
            strict=True,
        )
        points = tuple(
            Point(row, share, said=percent(share), more=more) for row, share, more in rows
        )
        series.append(Series(words, points, look))
    return Chart(
        f"spectrum-{study.modality}",
        f"What the variance of the {embeddings_of(study.modality)} is made of",
        "stack",
        tuple(series),
        "embeddings",
        "share of the variance",
    )


def _details(found: Spectrum, kind: str) -> str:
    """The largest parts of a kind, for the pointer."""
    parts = sorted(
        (part for part in found.parts if part.kind == kind), key=lambda part: -part.share
    )[:6]
    return ", ".join(
        f"{' x '.join(part.factors) or 'rest'}: {percent(part.share)}" for part in parts
    )


def sweep_figure(study: GeometryStudy) -> Chart | None:
    """Hits over the strength of an edit; None without edits."""
    series = []
    hits: tuple[tuple[Metric, str, Look, Stroke, str], ...] = (
        (Metric.EDIT_RETRIEVAL, "the nearest scene is the target", "own", "solid", "o"),
        (Metric.EDIT_PROBING, "the probes recognise the target", "random", "dashed", "s"),
    )
    for metric, name, look, line, marker in hits:
        facts = {"estimator": "avg+pos", "attribute": "all", "protocol": (None, "strict")}
        swept = study.records.where(metric=metric, **facts)
        records = sorted(swept, key=lambda record: float(record["steering"] or 0))
        if len(records) < 2:
            continue
        points = tuple(point_of(r, float(r["steering"] or 0)) for r in records)
        series.append(Series(name, points, look, line, marker))
    if not series:
        return None
    return Chart(
        f"edits-{study.modality}",
        "How often an edit hits, by its strength",
        "lines",
        tuple(series),
        "strength k of the edit",
        "share of edits that hit",
    )


MARKS: dict[PointKind, tuple[str, Look, str]] = {
    "concept": ("means of concepts", "twin", "D"),
    "object": ("means of objects", "random", "s"),
    "scene": ("scenes", "own", "o"),
    "sum": ("predicted sums", "ink", "o"),
}
"""Name, colour and mark of each kind of point."""


def scaling_figure(scaling: Scaling, modality: str) -> Chart:
    """The quadruple in the two directions of largest spread, with a line from each predicted sum
    to its scene.
    """
    centred = scaling.points - scaling.points.mean(axis=0)
    turned = centred @ np.linalg.svd(centred, full_matrices=False)[2].T  # (p, 3) by spread
    series, order = [], []
    for kind, (name, look, marker) in MARKS.items():
        rows = [i for i, found in enumerate(scaling.kinds) if found == kind]
        order += rows
        named = kind in ("concept", "object")
        points = tuple(
            Point(
                float(turned[i, 0]),
                float(turned[i, 1]),
                more=scaling.names[i],
                name=scaling.names[i] if named else "",
            )
            for i in rows
        )
        series.append(Series(name, points, look, "none" if kind == "sum" else "solid", marker))
    place = {row: number for number, row in enumerate(order)}
    lines = tuple((place[start], place[stop]) for start, stop in scaling.lines.tolist())
    return Chart(
        f"scaling-{modality}",
        "Two attributes, two nouns, their objects and scenes: distances of the embeddings",
        "map",
        tuple(series),
        "first direction",
        "second direction",
        share=False,
        lines=lines,
    )


def scaling_picture(scaling: Scaling, modality: str) -> str:
    """The same as an SVG file for papers.

    Args:
        scaling: the points to draw.
        modality: whose embeddings they are.
    """
    return draw(scaling_figure(scaling, modality), 620, plain=True) + "\n"


def edits_csv(cases: Sequence[Scored], scenes: Scenes) -> str:
    """Every edit, one line each: the two scenes, what was exchanged, and whether it hit.

    Args:
        cases: edits of each kind, with what they hit.
        scenes: the table.
    """
    concepts, rows = scenes.space.concepts, [EDIT_COLUMNS]
    for kind in cases:
        edits, hits = kind.edits, kind.hits
        told = zip(edits.source, edits.target, edits.slot, edits.concept, edits.shared, strict=True)
        for number, (source, target, slot, concept, shared) in enumerate(told):
            values = scenes.space.values[concept]
            old, new = (values[scenes.table[row, slot, concept]] for row in (source, target))
            rows.append(
                (
                    *(kind.metric, kind.vectors, kind.strength),
                    *(scenes.ids[source], scenes.ids[target], int(slot) + 1),
                    *(concepts[concept], old, new, int(shared)),
                    *(int(hits.hit[number]), int(hits.tied[number])),
                )
            )
    return csv_text(rows)
