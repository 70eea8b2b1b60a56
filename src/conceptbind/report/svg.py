"""Charts drawn as SVG by matplotlib: for a wide and for a narrow screen, in the page's colours."""

from __future__ import annotations

import io
import logging
import math
import re
import warnings
from contextlib import contextmanager
from html import escape
from typing import TYPE_CHECKING, Any

from conceptbind.report.charts import Chart, Point, Series

if TYPE_CHECKING:
    from collections.abc import Iterator

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

WIDE, NARROW = 880, 330
"""Pixels across of the two drawings of a chart."""
DPI = 72
LONGEST = 44
"""Characters of a name in a drawing."""
TEXT = 13.0
"""Points of text."""
PLAIN = {
    "own": "#2563a8",
    "random": "#a8590a",
    "twin": "#3f7046",
    "bag": "#66717c",
    "other": "#8c2d19",
    "paper": "#6b3fa0",
    "ink": "#1f2933",
    "soft": "#5b6770",
    "grid": "#d5dbe0",
    "on": "#ffffff",
    "card": "#ffffff",
}
"""Colours of a chart on white paper. In a page each is a variable of its style sheet, so that a
chart has the colours of the page's light or dark form."""
COLOURS = {name: f"#00a1{place:02x}" for place, name in enumerate(PLAIN, 1)}
"""Stand-ins for them, which matplotlib draws with."""
ROOM, LABEL, BESIDE = 0.8, 0.25, 1.22
"""Shares: behind an end above the first there is no room for a label; a label inside reaches to the
second; an axis that goes on to the third has room."""
HATCHES = ("", "//", "\\\\", "xx", "--")
SETTINGS = {
    "svg.fonttype": "none",
    "svg.hashsalt": "conceptbind",
    "font.size": TEXT,
    "font.family": ["DejaVu Sans"],
    "text.color": COLOURS["ink"],
    "text.parse_math": False,
    "axes.labelcolor": COLOURS["ink"],
    "axes.edgecolor": COLOURS["soft"],
    "axes.titlesize": TEXT,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": COLOURS["grid"],
    "grid.linewidth": 0.8,
    "xtick.color": COLOURS["soft"],
    "ytick.color": COLOURS["soft"],
    "xtick.labelcolor": COLOURS["ink"],
    "ytick.labelcolor": COLOURS["ink"],
    "legend.frameon": False,
    "hatch.linewidth": 1.2,
}


def draw(chart: Chart, width: int, *, name: str = "", plain: bool = False) -> str:
    """A chart as an SVG element.

    Args:
        chart: what is drawn.
        width: pixels across.
        name: what its ids begin with, so that two drawings stand on one page.
        plain: with colours of its own, for a file, instead of those of the page.
    """
    with _settings():
        from matplotlib.backends.backend_svg import FigureCanvasSVG

        figure = figure_of(chart, width)
        file = io.StringIO()
        told = {"Date": None, "Creator": None, "Format": None, "Type": None}
        _lay_out(figure)
        if not plain:
            for patch in (figure.patch, *(axes.patch for axes in figure.axes)):
                patch.set(facecolor="none", edgecolor="none")
        # not savefig, which goes over the figure once more beforehand for layouts
        FigureCanvasSVG(figure).print_svg(file, metadata=told)  # type: ignore[no-untyped-call]
    return _for_a_page(file.getvalue(), chart, name or chart.id, plain=plain)


def _lay_out(figure: Figure) -> None:
    """Find the layout before the figure is drawn, and no second time while it is."""
    layout = figure.get_layout_engine()
    if layout is not None:
        layout.execute(figure)
        figure.set_layout_engine("none")


@contextmanager
def _settings() -> Iterator[None]:
    """Matplotlib's settings for our charts alone; quiet where it has no folder for its fonts."""
    logger = logging.getLogger("matplotlib")
    before = logger.level
    logger.setLevel(logging.ERROR)
    try:
        import matplotlib as mpl

        with warnings.catch_warnings(), mpl.rc_context(SETTINGS):  # type: ignore[arg-type]
            # letters that its own font lacks: the page's fonts have them
            warnings.filterwarnings("ignore", "Glyph .* missing from font")
            yield
    finally:
        logger.setLevel(before)


def figure_of(chart: Chart, width: int) -> Figure:
    """A chart as a figure of matplotlib, in stand-ins for the page's colours."""
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    kinds = {
        "bars": _bars,
        "dots": _bars,
        "stack": _stack,
        "lines": _lines,
        "histogram": _histogram,
        "map": _map,
    }
    layout = ConstrainedLayoutEngine(w_pad=0.05, h_pad=0.05)
    figure = Figure(figsize=(width / DPI, 4), dpi=DPI, layout=layout)
    kinds[chart.kind](figure, chart, narrow=width < WIDE / 2)
    return figure


def _height(figure: Figure, pixels: float) -> None:
    figure.set_figheight(pixels / DPI)


def _bars(figure: Figure, chart: Chart, *, narrow: bool) -> None:
    """Rows of bars, or of dots, with intervals, each with its name and its value, so that no legend
    is needed.
    """
    axes = figure.add_subplot()
    several = len(chart.series) > 1
    step, at, ticks = (40.0 if narrow else 24.0), 0.0, []
    for place in chart.names:
        if several:
            axes.text(0, at, _short(place), va="center", weight="bold", transform=_from_left(axes))
            at += 22
        for index, number, series, point in _row(chart, place):
            name = _short(series.name if several else place)
            _bar(axes, chart, series, point, at, name, narrow=narrow, gid=f"{index}-{number}")
            ticks.append((at, name))
            at += step
        at += 12 if several else 0
    axes.set_ylim(max(at - step / 2, 0), -20)
    if chart.share:
        axes.set_xlim(0, BESIDE if _crowded(chart) else 1.0)
    else:
        axes.set_xlim(min(0.0, *_ends(chart)), None)
    shown = [] if narrow else ticks
    axes.set_yticks([place for place, _ in shown], [name for _, name in shown])
    axes.tick_params(axis="y", length=0)
    axes.grid(visible=False, axis="y")
    axes.spines["left"].set_visible(not several)
    _share_axis(axes.xaxis, chart)
    axes.set_xlabel(chart.y, loc="left")
    if chart.reference is not None:
        _mark(axes, chart.reference, chart.reference_name)
    _height(figure, at + step + 50)


def _crowded(chart: Chart) -> bool:
    """Whether an interval that leaves no room behind it begins where its label would stand, so that
    the axis has to go on behind 100 %.
    """
    points = [point for series in chart.series for point in series.points]
    return chart.share and any(
        point.low is not None and point.low < LABEL and (point.high or 0.0) > ROOM
        for point in points
    )


def _ends(chart: Chart) -> list[float]:
    """Values and lower ends of all points, for an axis of values that may be negative."""
    points = [point for series in chart.series for point in series.points]
    found = [end for point in points for end in (point.y, point.low) if end is not None]
    return [0.0, *found]


def _row(chart: Chart, place: str) -> Iterator[tuple[int, int, Series, Point]]:
    """The points of one row, each with the numbers of its series and of itself there."""
    for index, series in enumerate(chart.series):
        for number, point in enumerate(series.points):
            if point.x == place and point.y is not None:
                yield index, number, series, point


def _mark(axes: Axes, value: float, name: str) -> None:
    """A value that is marked on the axis, with its name above."""
    axes.axvline(value, color=COLOURS["ink"], linestyle=":", linewidth=1.2)
    axes.annotate(
        name,
        (value, 1),
        xycoords=("data", "axes fraction"),
        xytext=(4, 0),
        textcoords="offset points",
        va="bottom",
    )


def _from_left(axes: Axes) -> Any:
    """Across in parts of the axes, down in data."""
    return axes.get_yaxis_transform()


def _bar(
    axes: Axes,
    chart: Chart,
    series: Series,
    point: Point,
    at: float,
    name: str,
    *,
    narrow: bool,
    gid: str,
) -> None:
    value = float(point.y or 0)
    low = 8 if narrow else 0
    if narrow:
        axes.text(0, at - 8, name, va="center", transform=_from_left(axes))
    dots = chart.kind == "dots"
    if not dots:
        (bar,) = axes.barh(at + low, value, height=12, color=COLOURS[series.look])
        bar.set_gid(f"tip-{gid}")
    reach = value
    if point.low is not None and point.high is not None:
        ends = [point.low, point.high]
        for colour, thick in (("card", 3.6), ("ink", 1.4)):  # to be seen on the bar
            axes.plot(ends, [at + low] * 2, color=COLOURS[colour], linewidth=thick)
        reach = max(value, point.high)
    if dots:
        colour = COLOURS[series.look]
        (dot,) = axes.plot(value, at + low, "o", markersize=8, color=colour, clip_on=False)
        dot.set_gid(f"tip-{gid}")
    place, colour = max(reach, 0.0), "ink"
    if chart.share and reach > ROOM and not _crowded(chart):  # no room behind it
        place, colour = 0.0, "ink" if dots else "on"
    axes.annotate(
        point.said,
        (place, at + low),
        xytext=(5, 0),
        textcoords="offset points",
        va="center",
        color=COLOURS[colour],
    )


def _stack(figure: Figure, chart: Chart, *, narrow: bool) -> None:
    """Rows whose parts add up, each kind of part with its pattern."""
    axes = figure.add_subplot()
    step, below = (44.0, 8.0) if narrow else (30.0, 0.0)
    places = {row: number * step for number, row in enumerate(chart.names)}
    left = dict.fromkeys(places, 0.0)
    for index, series in enumerate(chart.series):
        for number, point in enumerate(series.points):
            row, width = str(point.x), float(point.y or 0)
            (part,) = axes.barh(
                places[row] + below,
                width,
                left=left[row],
                height=18,
                color=COLOURS[series.look],
                edgecolor=COLOURS["card"],
                hatch=HATCHES[index % len(HATCHES)],
                label=_short(series.name) if number == 0 else None,
            )
            part.set_gid(f"tip-{index}-{number}")
            left[row] += width
    axes.set_ylim(len(places) * step - step / 2 + 4, -step / 2 - 4)
    axes.set_xlim(0, 1)
    if narrow:
        for row, at in places.items():
            axes.text(0, at - 13, _short(row), va="center", transform=_from_left(axes))
    ticks = {} if narrow else places
    axes.set_yticks(list(ticks.values()), list(map(_short, ticks)))
    axes.tick_params(axis="y", length=0)
    axes.grid(visible=False, axis="y")
    _share_axis(axes.xaxis, chart)
    axes.set_xlabel(chart.y, loc="left")
    lines = _legend(figure, narrow=narrow)
    _height(figure, len(places) * step + 70 + lines * 21)


def _lines(figure: Figure, chart: Chart, *, narrow: bool) -> None:
    """Curves with intervals, in panels side by side, or below each other on a narrow screen."""
    n = len(chart.panels)
    shape = (n, 1) if narrow else (1, n)
    panels = list(figure.subplots(*shape, sharey=True, squeeze=False).ravel())
    named: set[str] = set()
    for index, series in enumerate(chart.series):
        label = None if series.name in named else _short(series.name)
        named.add(series.name)
        _curve(panels[series.panel], series, label, gid=f"curve-{index}")
    for place, axes in enumerate(panels):
        _name_axes(axes, chart, place)
    if chart.reference is not None:
        panels[0].axvline(chart.reference, color=COLOURS["ink"], linestyle=":", linewidth=1.4)
    lines = _legend(figure, narrow=narrow)
    _height(figure, (290 * n if narrow else 330) + 21 * lines)


def _curve(axes: Axes, series: Series, label: str | None, *, gid: str) -> None:
    """A line with the intervals of its points."""
    points = [(float(p.x), float(p.y), p) for p in series.points if p.y is not None]
    colour = COLOURS[series.look]
    (line,) = axes.plot(
        [x for x, _, _ in points],
        [y for _, y, _ in points],
        color=colour,
        linestyle="None" if series.line == "none" else series.line,
        marker=series.marker,
        markersize=5,
        linewidth=1.8,
        label=label,
    )
    line.set_gid(gid)
    for x, _, point in points:
        if point.low is not None and point.high is not None and point.low != point.high:
            axes.plot([x, x], [point.low, point.high], color=colour, linewidth=1)


def _name_axes(axes: Axes, chart: Chart, place: int) -> None:
    """Titles, limits and ticks of one panel of lines."""
    from matplotlib.ticker import FuncFormatter

    title = chart.panels[place]
    above = [chart.y] if place == 0 else []
    if chart.x and title:
        above.append(title)
    axes.set_title("\n".join(above), loc="left")  # above, so that no room is lost at the side
    axes.set_xlabel(chart.x or title, loc="left")
    if chart.ends is not None:
        low, high = chart.ends
        room = 0.02 * (high - low)
        axes.set_xlim(low - room, high + room)
    if chart.share:
        axes.set_ylim(-0.02, 1.05)
        _share_axis(axes.yaxis, chart)
    if place in chart.logarithmic:
        axes.set_xscale("log")
        axes.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:g}"))


def _histogram(figure: Figure, chart: Chart, *, narrow: bool) -> None:
    """How often: outlines, the first filled."""
    axes = figure.add_subplot()
    for index, series in enumerate(chart.series):
        counts = [point.y or 0.0 for point in series.points]
        colour = COLOURS[series.look]
        axes.stairs(counts, series.area, fill=True, color=colour, alpha=0.25)
        axes.stairs(
            counts,
            series.area,
            color=colour,
            linewidth=1.8,
            linestyle=series.line if series.line != "none" else "solid",
            label=series.name,
        ).set_gid(f"curve-{index}")
    axes.set_xlabel(chart.x, loc="left")
    axes.set_title(chart.y, loc="left")
    axes.locator_params(axis="x", nbins=5 if narrow else 10)
    lines = _legend(figure, narrow=narrow) if len(chart.series) > 1 else 0
    _height(figure, 250 + 21 * lines)


def _map(figure: Figure, chart: Chart, *, narrow: bool) -> None:
    """Points in a plane, some joined by lines."""
    axes = figure.add_subplot()
    every = [point for series in chart.series for point in series.points]
    for start, stop in chart.lines:
        ends = every[start], every[stop]
        axes.plot(
            [float(p.x) for p in ends],
            [float(p.y or 0) for p in ends],
            color=COLOURS["soft"],
            linewidth=1.2,
        )
    for index, series in enumerate(chart.series):
        colour = COLOURS[series.look]
        axes.plot(
            [float(p.x) for p in series.points],
            [float(p.y or 0) for p in series.points],
            linestyle="None",
            marker=series.marker,
            markersize=8,
            color=colour,
            markerfacecolor="none" if series.line == "none" else colour,
            markeredgewidth=1.6,
            label=series.name,
        )[0].set_gid(f"curve-{index}")
        for point in series.points:
            axes.annotate(
                _short(point.name),
                (float(point.x), float(point.y or 0)),
                xytext=(7, 4),
                textcoords="offset points",
                size=TEXT - 2 if narrow else TEXT,
            )
    axes.set_aspect("equal", adjustable="datalim")
    axes.set_xticks([])
    axes.set_yticks([])
    for spine in axes.spines.values():
        spine.set_visible(False)
    lines = _legend(figure, narrow=narrow)
    _height(figure, (320 if narrow else 520) + 21 * lines)


def _legend(figure: Figure, *, narrow: bool) -> int:
    """A legend below the axes, in as many columns as fit; returns its lines."""
    found = [axes.get_legend_handles_labels() for axes in figure.axes]
    handles = [handle for group, _ in found for handle in group]
    labels = [label for _, group in found for label in group]
    if not labels:
        return 0
    room = (NARROW if narrow else WIDE) - 40
    columns = max(1, int(room // (max(map(len, labels)) * TEXT * 0.62 + 50)))
    figure.legend(
        handles,
        labels,
        loc="outside lower left",
        ncols=columns,
        borderaxespad=0.2,
        handlelength=2.6,
        columnspacing=1.4,
        labelspacing=0.35,
    )
    return math.ceil(len(labels) / columns)


def _share_axis(axis: Any, chart: Chart) -> None:
    """Shares in per cent."""
    if not chart.share:
        return
    from matplotlib.ticker import FuncFormatter, MultipleLocator

    axis.set_major_locator(MultipleLocator(0.25))
    axis.set_major_formatter(FuncFormatter(lambda share, _: f"{100 * share:.0f} %"))


def _for_a_page(svg: str, chart: Chart, name: str, *, plain: bool) -> str:
    """The element alone, with ids of its own, the page's colours and a text alternative."""
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.S)
    svg = re.sub(r"<!--.*?-->\n?", "", svg, flags=re.S)
    for colour, stand_in in COLOURS.items():
        svg = svg.replace(stand_in, PLAIN[colour] if plain else f"var(--{colour})")
    svg = re.sub(r"font: ([^;\"]*?)(px|pt) [^;\"]*", r"font: \1\2 system-ui, sans-serif", svg)
    svg = _with_tips(svg, chart)
    svg = re.sub(r'\bid="([^"]+)"', lambda m: f'id="{escape(name)}-{m[1]}"', svg)
    svg = re.sub(r"(url\(#|xlink:href=\"#)", lambda m: f"{m[1]}{escape(name)}-", svg)
    size = re.match(r'<svg [^>]*?viewBox="[\d. ]*?([\d.]+) ([\d.]+)"', svg)
    if size is None:
        raise RuntimeError("matplotlib wrote an SVG without a viewBox")
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" '
        f'viewBox="0 0 {size[1]} {size[2]}" role="img" aria-label="{escape(chart.alternative())}"'
    )
    own = f' width="{size[1]}" height="{size[2]}"' if plain else ""
    return f"{head}{own}>{svg[svg.index('>') + 1 :]}".strip()


def _with_tips(svg: str, chart: Chart) -> str:
    """What the pointer shows of each bar and of each point."""

    def bar(found: re.Match[str]) -> str:
        series = chart.series[int(found[1])]
        return f"{found[0]}<title>{_told(series, series.points[int(found[2])])}</title>"

    svg = re.sub(r'<g id="tip-(\d+)-(\d+)">', bar, svg)
    for index, series in enumerate(chart.series):
        start = svg.find(f'<g id="curve-{index}">')
        if start < 0 or not series.marker:
            continue
        stop = svg.find('<g id="', start + 1)
        stop = len(svg) if stop < 0 else stop
        told = [_told(series, point) for point in series.points if point.y is not None]
        first, *marks = re.split(r"(?<=<use )", svg[start:stop])
        for words, mark in zip(told, marks, strict=False):
            first += mark.replace("/>", f"><title>{words}</title></use>", 1)
        svg = svg[:start] + first + "".join(marks[len(told) :]) + svg[stop:]
    return svg


def _told(series: Series, point: Point) -> str:
    """A point in words, as text of an SVG."""
    what = f"{series.name}, {point.place}: {point.said}" if point.said else series.name
    interval = f"95 %: {point.interval}" if point.interval else ""
    more = ", ".join(filter(None, (interval, point.more)))
    return escape(f"{what} ({more})" if more else what)


def _short(name: str) -> str:
    """A name that leaves room for what it names."""
    line = " ".join(name.split())
    if len(line) <= LONGEST:
        return line
    # runs of one study often differ in their last letters
    head = LONGEST // 2
    return f"{line[:head]}…{line[head + 1 - LONGEST :]}"
