"""The page of a watch: what it says, and a curve for each number."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from conceptbind.core.findings import Section
from conceptbind.core.rounding import percent
from conceptbind.core.scored import unit_of
from conceptbind.report.blocks import figure, paragraph, section, table
from conceptbind.report.charts import Chart, Look, Point, Series, Stroke
from conceptbind.report.numbers import interval_told, shown
from conceptbind.report.page import render_page
from conceptbind.report.words import seen
from conceptbind.watching.scores import name_of
from conceptbind.watching.words import Row, Story, moved, sentences

if TYPE_CHECKING:
    from collections.abc import Sequence

PAGE = "report.html"
CHARTS = {
    "probe": ("Level 1: decodable", "test scenes with objects recognised"),
    "within": ("Level 2: usable within a modality", "share of comparisons won"),
    "crossmodal": ("Level 3: usable between pictures and captions", "share of comparisons won"),
    "spectrum": ("Binding share", "share of variance from whole objects"),
    "factors": ("Right angles between concepts", "mean |cos|; 0 is right angles"),
}
"""Title and axis of the chart of each study."""
LATEST = 3
"""Changes that stand above the curves; all are listed below them."""
MARKED = 60
"""Looks above which points are joined by a line alone."""
LEVELS = {"within": 1 / 3, "crossmodal": 0.5}
"""What chance reaches."""
LOOKS: dict[str, Look] = {"text": "own", "image": "random", "both": "twin"}


def watch_chart(study: str, curves: Mapping[tuple[str, ...], Sequence[Row]]) -> Chart:
    """The numbers of one study over the steps of training.

    Args:
        study: whose.
        curves: rows of each number, by its key.
    """
    mine = {key: sorted(rows, key=_step) for key, rows in curves.items() if key[0] == study}
    title, axis = CHARTS[study]
    series = []
    for key, rows in mine.items():
        modality, setting = key[2:]
        name = ", ".join(filter(None, (seen(modality), setting)))
        line: Stroke = "dashed" if setting == "trap" else "solid"
        marker = "o" if len(rows) < MARKED else ""
        points = tuple(map(_point, rows))
        series.append(Series(name, points, LOOKS[modality], line, marker))
    ends = [row.step for rows in mine.values() for row in rows]
    if study in LEVELS and len(set(ends)) > 1:
        level = LEVELS[study]
        flat = tuple(
            Point(float(end), level, said=percent(level)) for end in (min(ends), max(ends))
        )
        series.append(Series("chance", flat, "bag", "dotted", ""))
    metric = next(iter(mine))[1]
    share = unit_of(metric) == "share"
    told = "step of training", axis
    return Chart(f"watch-{study}", title, "lines", tuple(series), *told, share=share)


def _step(row: Row) -> int:
    return row.step


def _point(row: Row) -> Point:
    return Point(
        float(row.step),
        row.value,
        row.low,
        row.high,
        said=row.said,
        more=row.checkpoint,
        interval=interval_told(unit_of(row.key[1]), row.low, row.high),
    )


def watch_sections(story: Story) -> list[Section]:
    """A section for each study, and one with the last look as a table.

    Args:
        story: of the table.
    """
    there = {key[0] for key in story.curves}
    studies = [name for name in CHARTS if name in there]
    found = [
        section(f"watch-{name}-curve", CHARTS[name][0], figure(watch_chart(name, story.curves)))
        for name in studies
    ]
    if story.changes:
        changes = [_change(row) for row in reversed(story.changes)]
        found.append(section("watch-changes", "What rose or fell", table(CHANGED, changes)))
    rows = [_cells(curve[-1]) for curve in story.curves.values()]
    head = ("number", "value", "95 % interval", "n", "verdict", "step")
    return [*found, section("watch-last", "The last look", table(head, rows), paragraph(RULE))]


RULE = (
    "All looks score the same scenes, so they are compared scene by scene. A change is told where "
    "three things hold. The 95 % interval of the paired difference leaves out 0. An exact test "
    "(of means: Student's) has p below 0.05, corrected for all comparisons of the watch. And it is "
    "at least one point, or 0.01 of a mean |cos|: smaller changes are not told. Each "
    "number is held against the look at which it last changed, at first the first look. Every "
    "verdict is of one look alone, beside chance and a bag of concepts; `measure` has further "
    "controls. Intervals of the binding share and of angles say how much other "
    "scenes of this kind would move them."
)


CHANGED = ("number", "change", "from step", "to step", "before", "after", "difference", "n")


def _change(row: Row) -> tuple[str, ...]:
    steps = f"{row.since:,}", f"{row.step:,}"
    before = shown(row.key[1], row.value - (row.change or 0.0))
    return name_of(row.key), row.told, *steps, before, row.said, moved(row), f"{row.n:,}"


def _cells(row: Row) -> tuple[str, ...]:
    interval = interval_told(unit_of(row.key[1]), row.low, row.high)
    verdict = {"unclear": "cannot be judged", "": "-"}.get(row.verdict, row.verdict)
    value = shown(row.key[1], row.value)
    return name_of(row.key), value, interval, f"{row.n:,}", verdict, f"{row.step:,}"


def write_watch_page(
    folder: Path, story: Story, provenance: Mapping[str, Any], notes: Sequence[str] = ()
) -> None:
    """Draw `report.html` of a watch.

    Args:
        folder: of the watch.
        story: of its table.
        provenance: see `run.facts.plain_provenance`.
        notes: what else is said: faults, what it cost.
    """
    said = sentences(story, LATEST)
    render_page(
        folder / PAGE,
        "watch.html.j2",
        title="When does it learn to bind?",
        answer=said[0],
        sentences=list(said[1:]),
        notes=list(notes),
        sections=[vars(one) for one in watch_sections(story)] if story.looks else [],
        provenance=provenance,
    )
