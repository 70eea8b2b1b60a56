"""Sums of value vectors, their directions and what carries over, as a section of the page."""

from __future__ import annotations

from typing import TYPE_CHECKING

from conceptbind.core.names import Control, Metric
from conceptbind.core.rounding import percent
from conceptbind.factors.study import RAW, SPAN, WHITENED, main_record
from conceptbind.report.blocks import figure, paragraph, section, table
from conceptbind.report.charts import Chart, Look, Series, point_of
from conceptbind.report.numbers import interval_of, number, value_of
from conceptbind.report.words import control_name, seen

if TYPE_CHECKING:
    from conceptbind.core.findings import Section
    from conceptbind.core.records import Record, Records
    from conceptbind.factors.study import FactorStudy

TERMS = (
    (
        "Sum of value vectors",
        "Every value of every concept has one vector: the mean of the embeddings that have it, "
        "minus the mean of all. A scene is predicted by the sum of the vectors of its values. R^2 "
        "is the share of the variance that this explains: 1 for all, 0 for nothing, below 0 for "
        "worse than the mean.",
    ),
    (
        "Whitened, and in the span of the probes",
        "Whitened: all directions are stretched to the same variance, so that small ones count as "
        "much. In the span of the probes: only the directions that linear probes look at. ",
    ),
    (
        "Mean |cos| of value vectors",
        "0 where vectors are at right angles. Vectors of one concept sum to zero, so that with V "
        "values they have about 1 / (V - 1) by that alone.",
    ),
    (
        "Directions of a concept",
        "How many directions hold 95 % of the variance of its value vectors that train and test "
        "scenes have in common. As published: of the vectors of all scenes, noise included.",
    ),
)
FORMS = {RAW: "as they are", WHITENED: "whitened", SPAN: "in the span of the probes"}
LOOKS: dict[str, Look] = {
    Control.NONE: "own",
    Control.RANDOM_WEIGHTS: "random",
    Control.BAG_TWIN: "twin",
    Control.SHUFFLED_LABELS: "bag",
}
SUM_HEAD = ("embeddings", "new combinations", "95 % interval", "seen combinations")
FACTOR_HEAD = (
    *("concept", "values", "probe", "95 % interval", "chance", "ties"),
    *("captions of values", "directions", "as published"),
)


def factor_section(study: FactorStudy) -> Section:
    """All numbers of one modality, beside noise and other encoders."""
    records = study.records
    controls = [name for name in LOOKS if name in records.distinct("control")]
    said = (
        "Vectors and probes are fitted on train scenes, and scored on test scenes, whose "
        "combinations are in no train scene."
    )
    if study.missing:
        said += f" {study.missing:,} test scenes have a value that no train scene has; left out."
    others = [control_name(name) for name in controls if name != Control.NONE]
    published = [_published(records, form) for form in (RAW, WHITENED)]
    return section(
        f"factors-{study.modality}",
        f"{seen(study.modality).capitalize()}: a sum over concepts?",
        paragraph(said),
        table((*SUM_HEAD, *others, "as published", "n"), _sums(records, controls, published)),
        figure(_figure(study, controls)),
        table(FACTOR_HEAD, _factors(study)),
        paragraph("Mean |cos| of value vectors, of one concept or of two:"),
        table(("vectors of", "mean |cos|", *others, "pairs"), _cosines(records, controls)),
    )


def _sums(records: Records, controls: list[str], published: list[str]) -> list[tuple[str, ...]]:
    rows = []
    for (form, name), paper in zip(FORMS.items(), [*published, "-"], strict=True):
        asked = {"normalisation": form, "concept": None}
        found = main_record(records, Metric.R2, split="test", **asked)
        train = main_record(records, Metric.R2, split="train", **asked)
        if found is None:
            continue
        beside = [
            _value(main_record(records, Metric.R2, split="test", **asked, control=name))
            for name in controls
            if name != Control.NONE
        ]
        ends = value_of(found), interval_of(found), _value(train)
        rows.append((name, *ends, *beside, paper, f"{found.n:,}"))
    return rows


def _published(records: Records, form: str) -> str:
    asked = {"split": "all", "normalisation": form, "protocol": "paper"}
    return _value(main_record(records, Metric.R2, **asked))


def _value(record: Record | None) -> str:
    return "-" if record is None else value_of(record)


def _figure(study: FactorStudy, controls: list[str]) -> Chart:
    series = []
    for control in controls:
        points = []
        for form, name in FORMS.items():
            one = main_record(
                study.records, Metric.R2, split="test", normalisation=form, control=control
            )
            if one is not None:
                points.append(point_of(one, name))
        told = "the encoder" if control == Control.NONE else control_name(control)
        series.append(Series(told, tuple(points), LOOKS[control]))
    return Chart(
        f"factors-{study.modality}-r2",
        "How much of the variance of new combinations a sum of value vectors explains",
        "bars",
        tuple(series),
        "embeddings",
        "R^2",
        share=False,
    )


def _factors(study: FactorStudy) -> list[tuple[str, ...]]:
    rows: list[tuple[str, ...]] = []
    for name, size in zip(study.names, study.means.labels.sizes, strict=True):
        about = {"concept": name, "split": "test"}
        probe = main_record(study.records, Metric.CONCEPT_RECOGNITION, readout="plain", **about)
        asked = main_record(study.records, Metric.CONCEPT_RECOGNITION, queries="text", **about)
        rank = main_record(study.records, Metric.VALUE_RANK, **about)
        paper = main_record(
            study.records, Metric.VALUE_RANK, concept=name, split="all", protocol="paper"
        )
        rows.append(
            (
                *(name, str(size), value_of(probe), interval_of(probe), percent(1 / size)),
                *(f"{probe.ties:,}", _value(asked), _whole(rank), _whole(paper)),
            )
        )
    return rows


def _whole(record: Record | None) -> str:
    return "-" if record is None or record.value is None else f"{record.value:.0f}"


def _cosines(records: Records, controls: list[str]) -> list[tuple[str, ...]]:
    rows: list[tuple[str, ...]] = []
    for metric, name in (
        (Metric.WITHIN_VALUE_COSINE, "one concept, all together"),
        (Metric.ACROSS_VALUE_COSINE, "two concepts, all together"),
    ):
        own = main_record(records, metric, split="train", factors=None)
        if own is not None:
            rows.append(_cosine_row(records, controls, name, own))
    for metric in (Metric.WITHIN_VALUE_COSINE, Metric.ACROSS_VALUE_COSINE):
        found = records.where(metric=metric, control=Control.NONE, split="train")
        rows += [
            _cosine_row(records, controls, str(own["factors"]), own)
            for own in found
            if own["factors"] is not None
        ]
    return rows


def _cosine_row(records: Records, controls: list[str], name: str, own: Record) -> tuple[str, ...]:
    asked = {"split": "train", "factors": own["factors"]}
    beside = [
        main_record(records, own.metric, **asked, control=control)
        for control in controls
        if control != Control.NONE
    ]
    told = ["-" if one is None else number(one.value) for one in beside]
    return (name, number(own.value), *told, f"{own.n:,}")
