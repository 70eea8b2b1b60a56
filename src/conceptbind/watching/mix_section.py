"""The page of models between two models."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from conceptbind.core.findings import Section
from conceptbind.core.scored import unit_of
from conceptbind.report.blocks import figure, section, table
from conceptbind.report.charts import Chart, Series, Stroke, point_of
from conceptbind.report.numbers import interval_of, value_of
from conceptbind.report.words import seen
from conceptbind.watching.mixing import number_of
from conceptbind.watching.scores import name_of
from conceptbind.watching.section import CHARTS, LOOKS

if TYPE_CHECKING:
    from conceptbind.watching.mixing import Mixed

AXIS = "share of the second model's weights"


def mix_chart(found: Mixed, study: str) -> Chart:
    """The numbers of one study between two models.

    Args:
        found: two models and those between them.
        study: whose numbers.
    """
    title, axis = CHARTS[study]
    keys = [one.key for one in found.points[0.0].numbers if one.key[0] == study]
    series = []
    for key in keys:
        modality, setting = key[2:]
        line: Stroke = "dashed" if setting == "trap" else "solid"
        name = ", ".join(filter(None, (seen(modality), setting)))
        looks = found.points.items()
        points = tuple(point_of(number_of(look, key).record, mix) for mix, look in looks)
        series.append(Series(name, points, LOOKS[modality], line))
    share = unit_of(keys[0][1]) == "share"
    return Chart(f"mix-{study}", title, "lines", tuple(series), AXIS, axis, share=share)


def mix_sections(found: Mixed) -> list[Section]:
    """A section for each study, and all numbers as a table.

    Args:
        found: two models and those between them.
    """
    there = {one.key[0] for one in found.points[0.0].numbers}
    studies = [name for name in CHARTS if name in there]
    shown = [
        section(f"mix-{name}-curve", CHARTS[name][0], figure(mix_chart(found, name)))
        for name in studies
    ]
    rows: list[tuple[str, ...]] = []
    for mix, look in found.points.items():
        words: dict[Any, str] = {(one.judges, one.modality): one.answer for one in look.verdicts}
        for one in look.numbers:
            word = words.get((one.record.level, one.record.modality), "-")
            cells = value_of(one.record), interval_of(one.record), f"{one.record.n:,}", word
            rows.append((f"{mix:g}", name_of(one.key), *cells))
    head = ("share", "number", "value", "95 % interval", "n", "verdict")
    return [*shown, section("mix-table", "All numbers", table(head, rows))]
