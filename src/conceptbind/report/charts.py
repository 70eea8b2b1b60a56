"""Charts as plain data: what is drawn, what a screen reader says of it, and the table below it.

A section makes a `Chart` of its records. The page keeps it as data, and `report.svg` draws it for
wide and for narrow screens when the page is made.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import cycle
from typing import TYPE_CHECKING, Any, Literal

import msgspec

from conceptbind.core.errors import ValueRangeError
from conceptbind.core.rounding import percent
from conceptbind.report.numbers import interval_of, interval_told, number, value_of

if TYPE_CHECKING:
    from jaxtyping import Float

    from conceptbind.core.records import Record
    from conceptbind.core.scored import Unit
    from conceptbind.core.typing import Floats

Kind = Literal["bars", "dots", "stack", "lines", "histogram", "map"]
Look = Literal["own", "random", "twin", "bag", "other", "paper", "ink"]
Stroke = Literal["solid", "dashed", "dotted", "dashdot", "none"]
INTERVAL = "95 % interval"
LONGEST = 600
"""Characters of a chart's text alternative."""


@dataclass(frozen=True)
class Point:
    """One value."""

    x: float | str
    """Where it stands: a number, or the name of a row of bars."""
    y: float | None
    """None is not drawn."""
    low: float | None = None
    """Lower end of its interval; None without one."""
    high: float | None = None
    said: str = ""
    """The value in words, as tables have it."""
    more: str = ""
    """What else the pointer shows."""
    name: str = ""
    """Written beside a point of a map."""
    interval: str = ""
    """Its interval in words; from `low` and `high` by default."""

    @property
    def place(self) -> str:
        """Where it stands, in words."""
        return self.x if isinstance(self.x, str) else _short(self.x)


@dataclass(frozen=True)
class Series:
    """Values that belong together: of one encoder, one control, one approximator."""

    name: str
    points: tuple[Point, ...]
    look: Look = "own"
    """Its colour: of the encoder itself, of a control, of another."""
    line: Stroke = "solid"
    """Stroke of lines; none draws points alone."""
    marker: str = "o"
    """Marker of points, as matplotlib names it; empty for none."""
    panel: int = 0
    """Number of the chart's panel in which it stands."""
    area: tuple[float, ...] = ()
    """Edges of the bins of a histogram, one more than points."""


@dataclass(frozen=True)
class Chart:
    """A figure of a page."""

    id: str
    """Unique on the page."""
    title: str
    """What it shows, as a phrase."""
    kind: Kind
    series: tuple[Series, ...]
    x: str = ""
    """What its points or bars stand on: the title of an axis, or of the first column."""
    y: str = ""
    """What is measured."""
    panels: tuple[str, ...] = ("",)
    """Titles of its panels, side by side where there is room; without `x` those of their axes."""
    share: bool = True
    """Whether values are shares, on an axis from 0 to 100 %."""
    ends: tuple[float, float] | None = None
    """Where the axis of x of lines begins and ends; as the points need it by default."""
    reference: float | None = None
    """A value that is marked: of bars on the axis of values, of lines in the first panel's x."""
    reference_name: str = ""
    lines: tuple[tuple[int, int], ...] = ()
    """Pairs of points that are joined in a map, counted over all series."""
    logarithmic: tuple[int, ...] = ()
    """Panels whose x is on a logarithmic axis."""

    def as_json(self) -> dict[str, Any]:
        """Plain data, for `page.json`."""
        plain: dict[str, Any] = msgspec.to_builtins(self)
        return plain

    @classmethod
    def from_json(cls, plain: Mapping[str, Any]) -> Chart:
        """A chart from `as_json`.

        Raises:
            ValueRangeError: it is of another form.
        """
        try:
            return msgspec.convert(plain, cls)
        except msgspec.ValidationError as error:
            raise ValueRangeError(f"a chart of another form: {error}") from error

    @property
    def names(self) -> tuple[str, ...]:
        """What its points stand on, each once, in order."""
        places = (point.x for series in self.series for point in series.points)
        return tuple(dict.fromkeys(map(str, places)))

    def alternative(self) -> str:
        """What stands for the drawing where it cannot be seen."""
        several = len(self.series) > 1
        parts = []
        for series in self.series:
            told = [f"{p.place} {p.said}" for p in series.points if p.y is not None and p.said]
            if told:
                parts.append((f"{series.name}: " if several else "") + ", ".join(told))
        text = f"{self.title}. {'; '.join(parts)}" if parts else self.title
        return text if len(text) <= LONGEST else f"{self.title}. The table below has all values."

    def table(self) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
        """The head and the rows of the table below it: every value with its interval."""
        pairs = [(series, p) for series in self.series for p in series.points if p.y is not None]
        head = ["series", "panel", self.x or "of", self.y or "value", INTERVAL, "details"]
        left_out = set() if any(point.low is not None for _, point in pairs) else {INTERVAL}
        if len(self.panels) == 1:
            left_out.add("panel")
        if not any(point.more for _, point in pairs):
            left_out.add("details")
        kept = [place for place, name in enumerate(head) if name not in left_out]
        rows = [self._row(series, point) for series, point in pairs]
        return _picked(head, kept), [_picked(row, kept) for row in rows]

    def _row(self, series: Series, point: Point) -> list[str]:
        """A point under all columns."""
        told = percent if self.share else number
        value = point.said or told(point.y)
        unit: Unit = "share" if self.share else "number"
        interval = point.interval or interval_told(unit, point.low, point.high)
        where = series.name, self.panels[series.panel], point.place
        return [*where, value, interval, point.more]


def _picked(row: list[str], kept: list[int]) -> tuple[str, ...]:
    return tuple(row[place] for place in kept)


def _short(place: float) -> str:
    """A place on an axis in four digits."""
    return f"{place:.4g}"


def point_of(record: Record, x: float | str) -> Point:
    """A record as a point, in the words of the tables."""
    ties = "" if record.ties is None else f", ties {record.ties:,}"
    return Point(
        x,
        record.value,
        record.ci_low,
        record.ci_high,
        value_of(record),
        f"n = {record.n:,}{ties}",
        interval="" if record.ci_low is None else interval_of(record),
    )


def histogram(
    chart_id: str,
    title: str,
    groups: Iterable[tuple[str, Look, Float[Floats, " _"]]],
    x: str,
    y: str,
) -> Chart:
    """How often values fall into each of 50 equal bins between the least and 1.

    Args:
        chart_id: unique on the page.
        title: what it shows.
        groups: of each a name, a look and its values between -1 and 1.
        x: what the values are.
        y: what is counted.
    """
    import numpy as np

    found = [(name, look, np.clip(values, -1, 1)) for name, look, values in groups]
    low = min([0.0, *(float(values.min()) for _, _, values in found if len(values))])
    series = []
    strokes: tuple[Stroke, ...] = ("solid", "dashed", "dotted")
    for (name, look, values), line in zip(found, cycle(strokes), strict=False):
        counts, edges = np.histogram(values, bins=50, range=(low, 1.0))
        middles = (edges[1:] + edges[:-1]) / 2
        points = (
            Point(round(float(middle), 4), int(count), said=f"{int(count):,}")
            for middle, count in zip(middles, counts, strict=True)
        )
        series.append(Series(name, tuple(points), look, line, "", area=tuple(edges.tolist())))
    return Chart(chart_id, title, "histogram", tuple(series), x, y, share=False)
