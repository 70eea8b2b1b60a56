"""Curves over each factor, as charts, tables and sentences."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING

from conceptbind.core.names import Control, Repair
from conceptbind.core.rounding import percent
from conceptbind.report.blocks import figure, paragraph, section, table
from conceptbind.report.charts import Chart, Look, Series, Stroke, point_of
from conceptbind.report.levels import level_title
from conceptbind.report.numbers import interval_of, value_of
from conceptbind.report.words import seen
from conceptbind.stresses.words import Curve, carries, curves_of, fall, worst

if TYPE_CHECKING:
    from collections.abc import Iterable

    from conceptbind.core.findings import Section
    from conceptbind.core.records import Record
    from conceptbind.stresses.study import StressStudy

HEAD = (
    *("level", "of", "where", "before", "95 % interval", "change from the base", "95 % interval"),
    *("random weights", "bag of concepts", "n"),
)
REPAIR_HEAD = ("level", "of", "where", "before", "after the repair", "gain", "95 % interval", "n")
SHORT = ("factor", "level", "of", "base", "lowest other", "change", "95 % interval", "random", "n")
LOOKS: dict[tuple[str, Repair], tuple[str, Look]] = {
    (Control.NONE, Repair.NONE): ("before", "own"),
    (Control.NONE, Repair.HNB): ("after the repair", "other"),
    (Control.RANDOM_WEIGHTS, Repair.NONE): ("random weights", "random"),
    (Control.BAG_OF_CONCEPTS, Repair.NONE): ("bag of concepts", "bag"),
}
"""What is drawn, with its name and colour."""
ASKED = (
    "One factor is varied, and all else is held: the same scenes, places and seeds. Every point is "
    "of test scenes, whose orbits were fitted on by nothing. The repair was fitted once, at the "
    "base setting."
)


def stress_sections(study: StressStudy) -> list[Section]:
    """A section for each factor."""
    found = []
    for name, group in groupby(curves_of(study), key=lambda curve: curve.factor.name):
        curves = list(group)
        factor = curves[0].factor
        held = f"Held: {factor.held}."
        blocks = [paragraph(f"{ASKED} {held}")]
        blocks += [paragraph(sentence) for sentence in sentences(curves, study)]
        blocks += [figure(chart) for chart in _charts(curves, study.repaired)]
        points = [(curve, record) for curve in curves for record in curve.own()]
        blocks.append(table(HEAD, [_row(*point) for point in points]))
        repaired = [_repaired(*point) for point in points if _after(*point) is not None]
        if repaired:
            blocks.append(table(REPAIR_HEAD, repaired))
        found.append(section(f"stress-{name}", factor.title, *blocks))
    return found


def sentences(curves: list[Curve], study: StressStudy) -> list[str]:
    """What is said of the curves of one factor."""
    return [*map(fall, curves), *carried(curves, study)]


def carried(curves: Iterable[Curve], study: StressStudy) -> list[str]:
    """Whether the repair carries over, of each curve that it is for; once where there is none."""
    pull = study.pulls.get(Control.NONE)
    told = [carries(curve, pull) for curve in curves if curve.measure.level == study.repaired]
    return [sentence for sentence in dict.fromkeys(told) if sentence]


def short_rows(study: StressStudy) -> list[tuple[str, ...]]:
    """The head, and the base and the lowest other value of every curve, for a terminal."""
    return [SHORT, *map(_short, curves_of(study))]


def _short(curve: Curve) -> tuple[str, ...]:
    base, changes = curve.base(), curve.changes()
    what = (curve.factor.name, str(curve.measure.level), _of(curve))
    if base is None or not changes:
        return (*what, "-", "-", "-", "-", "-", "-")
    lowest = worst(curve) or min(changes, key=lambda one: float(one.value or 0.0))
    there = curve.at(lowest)
    random = curve.at(lowest, Control.RANDOM_WEIGHTS)
    return (
        *what,
        value_of(base),
        f"{_share(there)} ({lowest['factor_value']})",
        value_of(lowest),
        interval_of(lowest),
        _share(random),
        f"{lowest.n:,}",
    )


def _of(curve: Curve) -> str:
    """Which embeddings, and which setting."""
    what = "both" if curve.measure.modality == "both" else seen(curve.measure.modality)
    return what if curve.measure.setting is None else f"{what}, {curve.measure.setting}"


def _row(curve: Curve, record: Record) -> tuple[str, ...]:
    """One point under all columns of `HEAD`."""
    change = curve.changes().first(factor_value=record["factor_value"])
    beside = [curve.at(record, name) for name in (Control.RANDOM_WEIGHTS, Control.BAG_OF_CONCEPTS)]
    return (
        *_where(curve, record),
        value_of(record),
        interval_of(record),
        *_cells(change),
        *(_share(one) for one in beside),
        f"{record.n:,}",
    )


def _repaired(curve: Curve, record: Record) -> tuple[str, ...]:
    """One point under all columns of `REPAIR_HEAD`."""
    gain = curve.gains().first(factor_value=record["factor_value"])
    after = _share(_after(curve, record))
    where = _where(curve, record)
    return (*where, value_of(record), after, *_cells(gain), f"{record.n:,}")


def _after(curve: Curve, record: Record) -> Record | None:
    """The same point after the repair; None where the repair is for another level."""
    return curve.own(Repair.HNB).first(factor_value=record["factor_value"])


def _where(curve: Curve, record: Record) -> tuple[str, str, str]:
    return str(curve.measure.level), _of(curve), curve.factor.told(record["factor_value"])


def _share(record: Record | None) -> str:
    return percent(None if record is None else record.value)


def _cells(record: Record | None) -> tuple[str, str]:
    return ("-", "-") if record is None else (value_of(record), interval_of(record))


def _charts(curves: list[Curve], repaired: int) -> list[Chart]:
    """One chart for each level and modality; both settings of level 2 in one, but for those that
    the repair is for.
    """
    charts = []

    def chart_of(curve: Curve) -> tuple[int, str, str | None]:
        level, _, modality, setting = curve.measure
        return level, modality, setting if level == repaired else None

    for (level, modality, setting), group in groupby(curves, key=chart_of):
        mine = list(group)
        factor = mine[0].factor
        numeric = not isinstance(factor.base, str)
        kind = "" if setting is None else f", {setting}"
        charts.append(
            Chart(
                "-".join(("stress", factor.name, str(level), modality, setting or "")).strip("-"),
                f"{level_title(level, modality)}{kind}, over the {factor.title.lower()}",
                "lines" if numeric else "dots",
                tuple(series for curve in mine for series in _series(curve, repaired)),
                factor.title.lower(),
                "share of test scenes",
            )
        )
    return charts


def _series(curve: Curve, repaired: int) -> list[Series]:
    """The curve itself, after the repair, and its controls.

    Where both settings are in one chart there is no room for the repair.
    """
    found = []
    setting = None if curve.measure.level == repaired else curve.measure.setting
    strokes: dict[str | None, Stroke] = {None: "solid", "neutral": "solid", "trap": "dashed"}
    for (control, repair), (name, look) in LOOKS.items():
        mine = curve.records.where(metric=curve.measure.metric, control=control, repair=repair)
        if not mine or (setting is not None and repair != Repair.NONE):
            continue
        points = tuple(point_of(record, _place(record)) for record in mine)
        told = name if setting is None else f"{name}, {setting}"
        found.append(Series(told, points, look, strokes[setting]))
    return found


def _place(record: Record) -> float | str:
    at = record["factor_value"]
    return at if isinstance(at, str) else float(at or 0)
