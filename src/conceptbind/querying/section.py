"""Ways of asking for several parts, as a section of the page."""

from __future__ import annotations

from typing import TYPE_CHECKING

from conceptbind.core.names import Control, Metric, Repair
from conceptbind.querying.study import QueryStudy
from conceptbind.querying.words import SEARCHED, query_sentence
from conceptbind.report.blocks import figure, paragraph, section, table
from conceptbind.report.charts import Chart, Look, Series, point_of
from conceptbind.report.numbers import interval_of, value_of
from conceptbind.report.words import CONTROLS

if TYPE_CHECKING:
    from conceptbind.core.findings import Section
    from conceptbind.core.records import Record

TERMS = (
    (
        "Query of several parts",
        "Together: all objects of a scene. Without: one of them, and a noun that must be absent. "
        "Together, without: both. A scene is right when it holds all that is asked for and "
        "nothing that is excluded.",
    ),
    (
        "Average precision",
        "The mean, over the right scenes, of the share of right ones down to each in the order of "
        "scores. Wrong scenes that tie with a right one stand before it.",
    ),
)
WAY_NAMES = {
    "whole": "one caption",
    "sum": "sum",
    "min": "least part",
    "project": "projected query",
    "project_documents": "projected documents",
}
FORM_NAMES = {
    None: "all",
    "together": "together",
    "without": "without",
    "together_without": "together, without",
}


def query_section(study: QueryStudy) -> Section:
    """Every way beside controls, before and after the repair."""
    controls = {
        name: words for name, words in CONTROLS.items() if name in study.records.distinct("control")
    }
    head = (
        *("way", "repair", "asked", "right one first", "95 % interval", "average precision"),
        *(*controls.values(), "n", "ties"),
    )
    swaps = study.records.where(metric=Metric.SWAP_ERROR, control=Control.NONE, split="test")
    weights = ", ".join(
        f"{value:g} {'before' if repair == Repair.NONE else 'after'} the repair"
        for repair, value in study.minus.items()
    )
    swap_rows: list[tuple[str, ...]] = [
        (_way(one), _repaired(one), value_of(one), interval_of(one), f"{one.n:,}") for one in swaps
    ]
    return section(
        f"query-{study.modality}",
        f"Queries of several parts, among {SEARCHED[study.modality]}",
        paragraph(query_sentence(study)),
        paragraph(
            f"Validation has {study.n_validation:,} queries, and chose the weight of what is "
            f"absent in the sum: {weights}. Controls have the weight of the preferred way, and no "
            "repair."
        ),
        figure(_figure(study)),
        table(head, [_row(study, one, controls) for one in _own(study)]),
        paragraph("Share of the queries for all objects of a scene whose first scene is a swap:"),
        table(("way", "repair", "a swap is first", "95 % interval", "n"), swap_rows),
    )


def _own(study: QueryStudy) -> list[Record]:
    found = study.records.where(metric=Metric.QUERY_RECALL_AT_1, control=Control.NONE, split="test")
    return sorted(found, key=lambda one: list(FORM_NAMES).index(_form(one)))


def _form(record: Record) -> str | None:
    form = record["form"]
    return None if form is None else str(form)


def _way(record: Record) -> str:
    return WAY_NAMES[str(record["way"])]


def _repaired(record: Record) -> str:
    return "before" if record.repair == Repair.NONE else "after"


def _row(study: QueryStudy, record: Record, controls: dict[str, str]) -> tuple[str, ...]:
    about = {"way": record["way"], "form": record["form"], "split": "test"}
    pure = study.records.one(
        metric=Metric.QUERY_PRECISION, control=Control.NONE, repair=record.repair, **about
    )
    beside = (
        study.records.first(metric=Metric.QUERY_RECALL_AT_1, control=name, **about)
        for name in controls
    )
    others = ("-" if one is None else value_of(one) for one in beside)
    ties = "-" if record.ties is None else f"{record.ties:,}"
    told = (_way(record), _repaired(record), FORM_NAMES[_form(record)], value_of(record))
    return (*told, interval_of(record), value_of(pure), *others, f"{record.n:,}", ties)


def _figure(study: QueryStudy) -> Chart:
    """Recall of each way over all forms, or together where one cannot be asked in all."""
    series = []
    looks: dict[Repair, tuple[Look, str]] = {
        Repair.NONE: ("own", "before the repair"),
        Repair.HNB: ("twin", "after the repair"),
    }
    for repair, (look, name) in looks.items():
        mine = [one for one in _own(study) if one.repair == repair and one["form"] is None]
        if mine:
            points = tuple(point_of(one, _way(one)) for one in mine)
            series.append(Series(name, points, look))
    bag = study.records.where(
        metric=Metric.QUERY_RECALL_AT_1, control=Control.BAG_OF_CONCEPTS, form=None
    )
    if bag:
        series.append(Series("bag of concepts", tuple(point_of(b, _way(b)) for b in bag), "bag"))
    return Chart(
        f"query-{study.modality}-ways",
        "How often a right scene is first, by way of asking",
        "bars",
        tuple(series),
        "way",
        "share of queries",
    )
