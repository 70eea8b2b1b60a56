"""Controlled models as sentences, tables, figures and a page."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from conceptbind.core.arguments import explains_arguments
from conceptbind.core.errors import counted
from conceptbind.core.names import Control, Metric
from conceptbind.core.records import Record, Records
from conceptbind.core.rounding import percent
from conceptbind.report.charts import Chart, Look, Point, Series, Stroke
from conceptbind.report.numbers import interval_of, value_of

if TYPE_CHECKING:
    from conceptbind.controlled.training import Trained

BINDS, SOMEWHAT = 0.9, 0.5
"""Recognition of new objects among all from which a model binds, or binds in part."""
BAG = Control.COUNTS_OF_CONCEPTS
"""The control of counts: an object scores how many of its values are in the scene."""
KIND = ("n_objects", "values", "width", "depth")
"""Columns in which models of one kind are alike."""
LOOKS: tuple[Look, ...] = ("own", "other", "random", "twin", "paper", "bag", "ink")
MARKERS = ("o", "s", "D", "^", "v", "P", "X")
STROKES: tuple[Stroke, ...] = ("solid", "dashed", "dotted", "dashdot")
"""Colours, marks and lines of models, in order."""


@explains_arguments
def controlled_sentence(records: Records) -> str:
    """One sentence on what a model does with objects that it was never trained on.

    Args:
        records: records of one model.
    """
    pairs = records.where(metric=Metric.BINDING_ACCURACY, objective="scenes")
    new, old = (pairs.first(split=split) for split in ("unseen", "train"))
    if new is not None and old is not None:
        concept = records.first(metric=Metric.CONCEPT_ACCURACY, split="unseen")
        return _against_scenes(new, old, concept)
    objects = records.where(metric=Metric.OBJECT_RECOGNITION, among="all")
    unseen = objects.first(split="unseen", control=Control.NONE)
    bag = objects.first(split="unseen", control=BAG)
    known = objects.first(split="train", control=Control.NONE)
    if unseen is None or unseen.value is None or bag is None or known is None:
        return "Nothing was scored."
    concepts = records.where(metric=Metric.CONCEPT_RECOGNITION, split="unseen").scored()
    hardest = min(concepts, key=lambda record: record.value or 0.0, default=None)
    words = (
        f"{_trained_on(unseen)}, the model {_how_far(unseen, bag)}. Among all objects its queries "
        f"recognise those of {value_of(unseen)} of the "
        f"scenes of new objects ({interval_of(unseen)}, n = {unseen.n:,}; counts of concepts "
        f"alone: {value_of(bag)}) and of "
        f"{value_of(known)} of the scenes of train objects"
    )
    return words + (
        f". The hardest concept is recognised in {value_of(hardest)}." if hardest else "."
    )


def _against_scenes(new: Record, old: Record, concept: Record | None) -> str:
    """Of a model that was trained to tell scenes apart and has no queries."""
    words = (
        f"{_trained_on(new)} against other scenes, the model prefers a scene of new objects to the "
        "one with two values exchanged in "
        f"{value_of(new)} of the cases ({interval_of(new)}, n = {new.n:,}; chance: 50 %). For "
        f"scenes of train objects it does so in {value_of(old)}"
    )
    return words + (
        f"; it prefers a scene of new objects to one with a value replaced in {value_of(concept)}."
        if concept is not None
        else "."
    )


def _trained_on(record: Record) -> str:
    return (
        f"Trained on {percent(float(record['coverage'] or 0))} of "
        f"{int(record['n_objects'] or 0):,} objects"
    )


def _how_far(unseen: Record, bag: Record) -> str:
    """What may be said of new objects: the interval must clear what the words rule out."""
    value = unseen.value or 0.0
    low, high = (
        (0.0, 1.0)
        if unseen.ci_low is None or unseen.ci_high is None
        else (unseen.ci_low, unseen.ci_high)
    )
    if value >= BINDS and low > SOMEWHAT:
        return "recognises new objects"
    if SOMEWHAT <= value < BINDS and low > (bag.ci_high if bag.ci_high is not None else 1.0):
        return "recognises new objects in part"
    if high < SOMEWHAT:
        return "hardly recognises new objects"
    return "cannot be judged on so few scenes"


def controlled_table(records: Records) -> list[list[str]]:
    """Rows: model, scenes, hardest concept, objects among all, counts of concepts, objects among
    new ones, ties, n.
    """
    rows = []
    for encoder in map(str, records.distinct("encoder")):
        for split in ("train", "mixed", "unseen"):
            mine = records.where(encoder=encoder, split=split)
            read = mine.where(metric=Metric.OBJECT_RECOGNITION)
            objects = read.first(among="all", control=Control.NONE)
            named = Metric.CONCEPT_RECOGNITION if objects else Metric.CONCEPT_ACCURACY
            objects = objects or mine.first(metric=Metric.BINDING_ACCURACY)
            if objects is None:
                continue
            concepts = mine.where(metric=named).scored()
            bag = read.first(among="all", control=BAG)
            among = read.first(among="unseen", control=Control.NONE)
            cells = [
                min((r.value for r in concepts if r.value is not None), default=None),
                objects.value,
                _value(bag),
                _value(among),
            ]
            rows.append([encoder, split, *map(percent, cells), str(objects.ties), f"{objects.n:,}"])
    return rows


def _value(record: Record | None) -> float | None:
    return None if record is None else record.value


TABLE_HEAD = (
    "model",
    "scenes of objects",
    "hardest concept",
    "objects, among all",
    "counts of concepts",
    "among new",
    "ties",
    "n",
)


@explains_arguments
def number_table(records: Records) -> list[list[str]]:
    """A head, then a row for each model and kind of scene: the share of scenes with 1 to m objects
    whose objects are all recognised, and beside it what counts of concepts reach. Empty for models
    that have no queries.

    Args:
        records: records of models that have the same number of objects at most.
    """
    found = records.where(metric=Metric.OBJECT_RECOGNITION_BY_NUMBER)
    numbers = sorted(int(n) for n in found.distinct("in_scene") if isinstance(n, int))
    if len(numbers) < 2:
        return []
    rows = [["model", "scenes of objects", *(counted(n, "object") for n in numbers)]]
    for encoder in map(str, found.distinct("encoder")):
        for split in ("train", "mixed", "unseen"):
            for control, more in ((Control.NONE, ""), (BAG, " (counts of concepts)")):
                mine = found.where(encoder=encoder, split=split, control=control)
                cells = (_value(mine.first(in_scene=number)) for number in numbers)
                if mine:
                    rows.append([encoder, f"{split}{more}", *map(percent, cells)])
    return rows


def history_figure(models: Mapping[str, Trained]) -> Chart:
    """Recognition of the objects of train and validation scenes over steps, one pair of lines for
    each model.

    Args:
        models: models with their histories, by name.
    """
    series = []
    parts: tuple[tuple[str, str, Stroke], ...] = (
        ("validation", "new objects", "solid"),
        ("train", "train objects", "dotted"),
    )
    for (name, trained), look in zip(models.items(), LOOKS * 8, strict=False):
        for attribute, what, stroke in parts:
            seen = ((at.step, getattr(at, attribute)) for at in trained.history)
            points = tuple(Point(step, share, said=percent(share)) for step, share in seen)
            series.append(Series(f"{name}: {what}", points, look, stroke, ""))
    scenes = any(trained.recipe.objective == "scenes" for trained in models.values())
    return Chart(
        "controlled-history",
        "Recognition while it is trained",
        "lines",
        tuple(series),
        "step",
        "scenes told from their swaps" if scenes else "scenes recognised, among all objects",
    )


@explains_arguments
def transition_figure(records: Records) -> Chart:
    """Recognition of new objects over coverage, one line for each number of objects, with every
    model as a point.

    Args:
        records: records of a sweep.
    """
    series, shown = [], unseen_of(records)
    kinds = zip(_kinds(shown), LOOKS * 8, MARKERS * 8, strict=False)
    for place, ((name, mine), look, marker) in enumerate(kinds):
        means = _over_coverage(mine)
        line = tuple(Point(c, value, said=percent(value)) for c, value in means.items())
        series.append(Series(name, line, look, STROKES[place % len(STROKES)], ""))
        points = tuple(
            Point(
                float(r["coverage"] or 0),
                r.value,
                said=percent(r.value),
                more=f"seed {r['seed']}, n = {r.n:,}",
            )
            for r in mine
        )
        series.append(Series(f"{name}: each model", points, look, "none", marker))
    return Chart(
        "controlled-transition",
        "Recognition of new objects by the share of objects trained on",
        "lines",
        tuple(series),
        "share of objects trained on",
        f"new objects {_score(shown)}",
        ends=(0, 1),
    )


@explains_arguments
def probe_figure(records: Records, probe: str) -> Chart | None:
    """Recognition of new objects of each model against that of its structured probe; None where no
    probe was fitted.

    Args:
        records: records of a sweep.
        probe: the approximator that was fitted to the models.
    """
    pairs = probe_pairs(records, probe)
    if not pairs:
        return None
    equal = (Point(0, 0), Point(1, 1))
    series = [Series("equal", equal, "bag", "dotted", "")]
    kinds = zip(_kinds([model for model, _ in pairs]), LOOKS * 8, MARKERS * 8, strict=False)
    for (name, models), look, marker in kinds:
        called = {model.encoder for model in models}
        points = tuple(
            Point(
                model.value or 0.0,
                found.value,
                said=percent(found.value),
                more=f"of a model with {percent(model.value)}, coverage {model['coverage']}, "
                f"seed {model['seed']}",
            )
            for model, found in pairs
            if model.encoder in called
        )
        series.append(Series(name, points, look, "none", marker))
    return Chart(
        f"controlled-{probe}",
        f"What a model recognises and what its {probe.replace('_', ' ')} probe recognises",
        "lines",
        tuple(series),
        "new objects recognised by the model",
        f"recognised from its {probe.replace('_', ' ')} probe",
        ends=(0, 1),
    )


@explains_arguments
def rank_correlation(records: Records, probe: str) -> tuple[float, float, int] | None:
    """Spearman's correlation of models and their probes, its p-value, and the number of models;
    None for fewer than three.

    Args:
        records: records of a sweep.
        probe: the approximator that was fitted to the models.
    """
    from scipy.stats import spearmanr

    pairs = probe_pairs(records, probe)
    if (
        len(pairs) < 3
        or len({model.value for model, _ in pairs}) < 2
        or len({found.value for _, found in pairs}) < 2
    ):
        return None
    found = spearmanr([model.value for model, _ in pairs], [probed.value for _, probed in pairs])
    return float(found.statistic), float(found.pvalue), len(pairs)


def unseen_of(records: Records, control: str = Control.NONE) -> Records:
    """For each model the recognition of new objects among all, or, of models that have no
    queries, how often they prefer such a scene to its swap.
    """
    unseen = records.where(split="unseen")
    scenes = unseen.where(metric=Metric.BINDING_ACCURACY, objective="scenes")
    told_apart = scenes if control == Control.NONE else ()
    read = unseen.where(metric=Metric.OBJECT_RECOGNITION, among="all", control=control)
    wanted = {id(record) for record in (*read, *told_apart)}
    return Records(record for record in unseen if id(record) in wanted)


def probe_pairs(records: Records, probe: str) -> list[tuple[Record, Record]]:
    """Each model's recognition of new objects with that of its probe."""
    probed = {record.encoder: record for record in unseen_of(records, probe)}
    return [
        (record, probed[record.encoder])
        for record in unseen_of(records)
        if record.encoder in probed
    ]


@explains_arguments
def sweep_sentence(records: Records, probes: Sequence[str]) -> str:
    """Where each object space begins to bind, and how models and probes rise together.

    Args:
        records: records of a sweep.
        probes: approximators that were fitted to the models.
    """
    shown, found = unseen_of(records), []
    for name, mine in _kinds(shown):
        means = _over_coverage(mine)
        short = [c for c, value in means.items() if value < BINDS]
        binding = [c for c in means if not short or c > max(short)]
        best = max(means, key=lambda c: means[c])
        models = f"{counted(len(mine), 'model')}" if len(mine) > 1 else "one model"
        found.append(f"With {name}, {models}: {_where(means, binding, best, _score(shown))}.")
    for probe in probes:
        correlation = rank_correlation(records, probe)
        if correlation is not None:
            found.append(
                f"Over {counted(correlation[2], 'model')}, what the model recognises and what its "
                f"{probe.replace('_', ' ')} probe recognises "
                f"correlate at {correlation[0]:.2f} (ranks, p = {correlation[1]:.1g})."
            )
    return " ".join(found)


def _where(means: Mapping[float, float], binding: Sequence[float], best: float, score: str) -> str:
    """From which coverage on the mean over seeds reaches what is called recognising."""
    if binding:
        return (
            f"at least {percent(BINDS)} of the scenes of new objects are {score} from coverage "
            f"{binding[0]:g} on"
        )
    if means[best] >= BINDS:
        return f"{percent(BINDS)} is reached at coverage {best:g}, but not at every larger one"
    return f"no coverage reaches {percent(BINDS)}; the best is {percent(means[best])} at {best:g}"


@explains_arguments
def transition_table(records: Records, probes: Sequence[str]) -> list[list[str]]:
    """A head, then a row for each object space and coverage: new objects recognised by the
    models, from their probes, and by counts of concepts.

    Means over seeds; for the models with the least and the largest where they are several.

    Args:
        records: records of a sweep.
        probes: approximators that were fitted to the models.
    """
    shown, controls = unseen_of(records), [*probes, BAG]
    beside = {control: _by_model(unseen_of(records, control)) for control in controls}
    rows = [
        [
            "trained on a share of",
            "coverage",
            "models",
            f"scenes of new objects {_score(shown)}",
            *(control.replace("_", " ") for control in controls),
        ]
    ]
    for name, models in _kinds(shown):
        for coverage in sorted({float(r["coverage"] or 0) for r in models}):
            mine = models.where(coverage=coverage)
            found = [r.value or 0.0 for r in mine]
            spread = f" ({percent(min(found))} to {percent(max(found))})" if len(found) > 1 else ""
            cells = (_mean_of(mine, beside[control]) for control in controls)
            rows.append(
                [name, f"{coverage:g}", str(len(mine)), f"{percent(_mean(found))}{spread}", *cells]
            )
    return rows


def _by_model(records: Records) -> dict[str, float]:
    return {r.encoder: r.value or 0.0 for r in records}


def _mean_of(models: Records, values: Mapping[str, float]) -> str:
    """The mean over those models that have a value, or a dash where none has."""
    known = [values[r.encoder] for r in models if r.encoder in values]
    return percent(_mean(known)) if known else "-"


@explains_arguments
def write_controlled_report(
    path: Path,
    title: str,
    sentences: Sequence[str],
    records: Records,
    figures: Sequence[tuple[str, Chart]],
    provenance: Mapping[str, Any],
    overview: Sequence[Sequence[str]] = (),
    overview_title: str = "New objects by coverage: means over models",
) -> None:
    """Write `report.html` of one training or of a sweep; `figures` are titles with charts,
    `overview` a table with its head.

    Args:
        path: the file to write.
        title: heading of the page.
        sentences: what was found, in words.
        records: records of the training or of the sweep.
        figures: charts with their titles.
        provenance: options and versions, as `run.facts` gives them.
        overview: a table with its head; empty for none.
        overview_title: its heading.
    """
    from conceptbind.report.page import render_page

    values = [r.value or 0.0 for r in unseen_of(records)]
    best = max(values, default=0.0)
    render_page(
        path,
        "controlled.html.j2",
        title=title,
        level=_level(best),
        sentences=sentences,
        overview=overview,
        overview_title=overview_title,
        head=TABLE_HEAD,
        rows=controlled_table(records),
        figures=[(f"figure-{chart.id}", name, chart) for name, chart in figures],
        provenance=provenance,
    )


def _level(best: float) -> str:
    """The colour of the page, by the best recognition of new objects."""
    if best >= BINDS:
        return "yes"
    return "partly" if best >= SOMEWHAT else "no"


def _kinds(records: Sequence[Record]) -> list[tuple[str, Records]]:
    """Models by their object space, the smallest first, and by their sizes where these differ: a
    name and the records of each kind.
    """
    several = len({(r["width"], r["depth"]) for r in records}) > 1
    found: dict[tuple[Any, ...], list[Record]] = {}
    for r in records:
        found.setdefault(tuple(r[name] for name in KIND), []).append(r)
    named = []
    for n, values, width, depth in sorted(found):
        sizes = f", width {width}, depth {depth}" if several else ""
        alike = Records(found[n, values, width, depth])
        named.append((f"{n:,} objects ({values}{sizes})", alike))
    return named


def _score(records: Records) -> str:
    """What is done with scenes of new objects: the two objectives are asked different things."""
    scenes = records.distinct("objective") == ("scenes",)
    return "told from their swaps" if scenes else "recognised among all objects"


def _over_coverage(records: Records) -> dict[float, float]:
    """The mean over models at each coverage, the smallest coverage first."""
    means = {}
    for coverage in sorted({float(r["coverage"] or 0) for r in records}):
        values = [r.value or 0.0 for r in records if r["coverage"] == coverage]
        means[coverage] = _mean(values)
    return means


def _mean(values: Sequence[float]) -> float:
    return math.fsum(values) / len(values) if values else float("nan")
