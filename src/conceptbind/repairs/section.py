"""What a repair did: words, a table and pictures."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from conceptbind.core.arguments import explains_arguments
from conceptbind.core.findings import Section, Verdict
from conceptbind.core.names import Control, Metric, Repair
from conceptbind.core.rounding import percent
from conceptbind.repairs.queries.section import query_table
from conceptbind.repairs.words import pull_in_words, turned
from conceptbind.report.charts import Chart, Look, Point, Series, Stroke, histogram, point_of
from conceptbind.report.numbers import interval_of, number, value_of
from conceptbind.report.page import render_page, thumbnail
from conceptbind.report.terminal import terminal_table

if TYPE_CHECKING:
    from conceptbind.core.records import Record, Records
    from conceptbind.repairs.arrays import ArrayRepair
    from conceptbind.repairs.study import RepairedScene, RepairStudy

METRICS = {
    Metric.BINDING_ACCURACY: "binding accuracy",
    Metric.BINDING_GAIN: "change in binding accuracy",
    Metric.RECALL_AT_1: "recall at 1",
    Metric.RECALL_GAIN: "change in recall at 1",
    Metric.RECALL_AT_5: "recall at 5",
    Metric.PICTURE_RECALL_AT_1: "recall at 1 of pictures",
    Metric.PICTURE_RECALL_GAIN: "change in recall at 1 of pictures",
    Metric.SINGLE_OBJECT_ACCURACY: "recognition of single objects",
    Metric.SINGLE_OBJECT_GAIN: "change in recognition of single objects",
    Metric.CAPTION_SWAP_COSINE: "cosine of caption and swap",
    Metric.PROBE_COSINE: "cosine of picture and caption probes",
    Metric.MODALITY_GAP: "modality gap",
}
NAMES = {
    Repair.NONE: "no repair",
    Repair.SB: "without negatives (SB)",
    Repair.HNB: "with negatives (HNB)",
}


@explains_arguments
def repair_table(records: Records, width: int | None = None) -> str:
    """Before and after, for a terminal of a width; see `terminal_table`.

    Args:
        records: records of one repair.
        width: characters of the terminal; None folds nothing.
    """
    if records.where(side="query"):
        return query_table(records, width)
    lines = [("metric", *NAMES.values(), "n", "ties"), *rows_of_table(records)]
    return terminal_table(lines, 1, width)


def rows_of_table(records: Records, control: str = Control.NONE) -> list[tuple[str, ...]]:
    """One row per metric: its name, its value under each protocol with its interval, n and ties."""
    rows = []
    whose = records.where(control=control)
    for metric, name in METRICS.items():
        values = [whose.first(metric=metric, repair=repair) for repair in NAMES]
        some = next((record for record in values if record), None)
        if some is not None:
            ties = (
                "-"
                if some.ties is None
                else " / ".join(
                    f"{record.ties:,}" for record in values if record and record.ties is not None
                )
            )
            rows.append((name, *(_cell(record) for record in values), f"{some.n:,}", ties))
    return rows


def _cell(record: Record | None) -> str:
    if record is None or record.value is None:
        return "-"
    return (
        value_of(record) if record.ci_low is None else f"{value_of(record)} ({interval_of(record)})"
    )


def repair_summary(study: RepairStudy | ArrayRepair) -> str:
    """What a terminal shows below the table.

    Args:
        study: what was scored.
    """
    return "\n".join((turned(study), pull_in_words(study)))


def write_repair_report(
    path: Path,
    study: RepairStudy | ArrayRepair,
    verdict: Verdict,
    provenance: Mapping[str, Any],
    answer: Mapping[str, str],
) -> None:
    """Write `report.html` of a repair on its own.

    Args:
        path: the file to write.
        study: what was scored.
        verdict: whether the repair helps.
        provenance: options and versions, as `run.facts` gives them.
        answer: the command to run next (`report.advice.Answer.as_json`).
    """
    render_page(
        path,
        "repair.html.j2",
        answer=dict(answer),
        title=f"Can a linear map repair the binding of {study.records[0].encoder}?",
        verdict=vars(verdict),
        sections=[vars(repair_section(study))],
        provenance=provenance,
    )


def repair_section(study: RepairStudy | ArrayRepair) -> Section:
    """Before and after, what it costs, what the map does, and pictures."""
    cosines = _cosines(study) if getattr(study, "cosines", None) else None
    twin = rows_of_table(study.records, Control.BAG_TWIN)
    data = {
        "names": NAMES,
        "rows": rows_of_table(study.records),
        "twin": [(f"bag twin: {name}", *cells) for name, *cells in twin],
        "bars": _bars(study.records),
        "curve": _curve(study),
        "cosines": cosines,
        "pull": f"{study.pull:g}",
        "pull_in_words": pull_in_words(study),
        "turned": turned(study),
        "gallery": list(map(_in_gallery, getattr(study, "gallery", ()))),
        "nouns": _by_noun(study),
    }
    return Section("repair", "A linear repair of the captions", data, "repair_section.html.j2")


def _in_gallery(scene: RepairedScene) -> dict[str, Any]:
    """A picture of the gallery with its two captions."""
    return {
        "id": scene.id,
        "values": dict(scene.values),
        "picture": thumbnail(scene.image) if scene.image else None,
        "true": scene.true,
        "swap": scene.swap,
        "right_before": bool(scene.right_before),
        "right_after": bool(scene.right_after),
    }


def _bars(records: Records) -> Chart:
    shown = (
        Metric.BINDING_ACCURACY,
        Metric.RECALL_AT_1,
        Metric.SINGLE_OBJECT_ACCURACY,
        Metric.PICTURE_RECALL_AT_1,
    )
    own = records.where(control=Control.NONE)
    looks: tuple[tuple[Repair, Look], ...] = (
        (Repair.NONE, "bag"),
        (Repair.SB, "random"),
        (Repair.HNB, "own"),
    )
    series = []
    for repair, look in looks:
        measured = (own.first(metric=metric, repair=repair) for metric in shown)
        values = [record for record in measured if record is not None]
        points = tuple(point_of(r, METRICS[Metric(r.metric)]) for r in values)
        if points:
            series.append(Series(NAMES[repair], points, look))
    return Chart(
        "repair-bars", "Before and after the repair", "bars", tuple(series), "measure", "share"
    )


def _curve(study: RepairStudy | ArrayRepair) -> Chart:
    """Binding, retrieval and single objects over the pull towards the identity, and over rank."""
    drawn_over = {point.over for point in study.curve}
    titles = {"pull": "pull (0: no repair, 1: the whole map)", "rank": "rank of the change"}
    over = [name for name in titles if name in drawn_over]
    lines: tuple[tuple[str, str, Look, Stroke, str], ...] = (
        ("binding", "binding", "own", "solid", "o"),
        ("retrieval", "recall at 1", "twin", "dashed", "s"),
        ("singles", "single objects", "random", "dotted", "D"),
    )
    series = []
    for panel, name in enumerate(over):
        for field, words, look, stroke, marker in lines:
            scores = ((p.at, getattr(p.scores, field)) for p in study.curve if p.over == name)
            points = tuple(
                Point(at, value, said=percent(value)) for at, value in scores if value is not None
            )
            if points:
                series.append(Series(words, points, look, stroke, marker, panel))
    return Chart(
        "repair-curve",
        "Validation scores of the map, pulled towards no repair and cut to a rank",
        "lines",
        tuple(series),
        "",
        "share",
        tuple(titles[name] for name in over),
        reference=study.pull,
        reference_name="scored",
        logarithmic=tuple(place for place, name in enumerate(over) if name == "rank"),
    )


def _cosines(study: Any) -> Chart:
    groups: tuple[tuple[Repair, Look], ...] = ((Repair.NONE, "bag"), (Repair.HNB, "own"))
    return histogram(
        "repair-cosines",
        "How similar captions are to their attribute swaps, before and after",
        [(NAMES[repair], look, study.cosines[repair]) for repair, look in groups],
        "cosine of a caption with its attribute swap",
        "captions",
    )


def _by_noun(study: Any) -> list[tuple[str, str, str, str, str]]:
    """Object, binding accuracy before and after, probe cosine before and after, as text; empty for
    arrays.
    """
    if not hasattr(study, "by_object"):
        return []
    before, after = study.by_object[Repair.NONE], study.by_object[Repair.HNB]
    probes = study.probe_cosines
    n_nouns, n_values = probes["before"].shape
    names = study.object_names

    def cells(values: tuple[Any, Any], words: Callable[[float], str]) -> tuple[str, str]:
        one, other = ("-" if np.isnan(value) else words(float(value)) for value in values)
        return one, other

    rows = []
    for i, name in enumerate(names):
        cosines = ("-", "-")
        # two concepts: object i has attribute i // nouns and noun i % nouns
        if n_nouns * n_values == len(names):
            place = (i % n_nouns, i // n_nouns)
            cosines = cells((probes["before"][place], probes["after"][place]), number)
        rows.append((name, *cells((before[i], after[i]), percent), *cosines))
    return rows
