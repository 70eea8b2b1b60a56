"""Drawings of charts: whole, safe, with a text alternative, for wide and narrow screens."""

from __future__ import annotations

import re
import warnings
from dataclasses import replace
from xml.etree import ElementTree

import numpy as np
import pytest

from conceptbind.core.errors import ValueRangeError
from conceptbind.report.charts import LONGEST, Chart, Point, Series, histogram
from conceptbind.report.svg import COLOURS, NARROW, PLAIN, WIDE, draw, figure_of

ODD = (
    "<script>alert(1)</script>",
    'a "quoted" & <b>bold</b> name',
    "$x_1$ and \\alpha",
    "红色的方块",
    "n" * 5000,
    "line\nbreak",
)
"""Names that a user may have, each of which stays text."""


def bars(*names, **options):
    points = tuple(Point(name, 0.25, 0.2, 0.3, "25.0 %") for name in names)
    series = (Series("one", points), Series("other", points, "bag"))
    return Chart("bars", "Bars", "bars", series, "of", "share", **options)


def lines(**options):
    points = tuple(Point(x / 4, x / 4, x / 4, 1.0, f"{x}") for x in range(5))
    series = (Series("left", points), Series("right", points, "random", "dashed", "s", 1))
    return Chart("lines", "Lines", "lines", series, "x", "y", ("one", "two"), **options)


def stack():
    parts = (("first", 0.7, "own"), ("second", 0.3, "bag"))
    series = tuple(Series(name, (Point("row", y, said=str(y)),), look) for name, y, look in parts)
    return Chart("stack", "Stack", "stack", series, "", "share")


def plane():
    points = (Point(0.0, 0.0, name="origin", more="the origin"), Point(3.0, 4.0))
    return Chart("map", "Map", "map", (Series("s", points),), share=False, lines=((0, 1),))


CHARTS = [
    bars("a", "b"),
    bars("a", reference=0.5, reference_name="chance"),
    lines(),
    lines(reference=0.3, logarithmic=(1,)),
    stack(),
    plane(),
    histogram("h", "H", [("a", "own", np.array([0.1, 0.9])), ("b", "bag", np.zeros(0))], "x", "y"),
    Chart("none", "Nothing", "bars", ()),
    Chart("none", "Nothing", "lines", ()),
]


@pytest.mark.parametrize("width", [WIDE, NARROW])
@pytest.mark.parametrize("chart", CHARTS, ids=lambda chart: f"{chart.kind}-{len(chart.series)}")
def test_a_drawing_is_one_whole_element_with_its_text_alternative(chart, width):
    drawing = draw(chart, width, name="here")
    root = ElementTree.fromstring(drawing)
    assert root.tag.endswith("}svg")
    assert root.attrib["role"] == "img"
    assert root.attrib["aria-label"] == chart.alternative()
    *_, across, down = map(float, root.attrib["viewBox"].split())
    assert across == width
    assert down > 0
    ids = [element.attrib["id"] for element in root.iter() if "id" in element.attrib]
    assert len(ids) == len(set(ids))
    assert all(name.startswith("here-") for name in ids)
    pointed = re.findall(r'(?:url\(|href=")#([^)"]+)', drawing)
    assert set(pointed) <= set(ids)
    assert not re.search("#[0-9a-f]{6}", drawing.replace("#000000", "").replace("#ffffff", ""))


@pytest.mark.parametrize("chart", CHARTS, ids=lambda chart: f"{chart.kind}-{len(chart.series)}")
def test_a_chart_is_kept_as_data_and_drawn_alike(chart):
    again = Chart.from_json(chart.as_json())
    assert again == chart
    assert draw(again, WIDE) == draw(chart, WIDE)


def test_data_of_another_form_is_refused():
    for wrong in (
        {"id": "x"},
        {**lines().as_json(), "kind": "pie"},
        {**stack().as_json(), "series": 3},
    ):
        with pytest.raises(ValueRangeError, match="a chart of another form"):
            Chart.from_json(wrong)


@pytest.mark.parametrize("width", [WIDE, NARROW])
@pytest.mark.parametrize("name", ODD)
def test_names_stay_text(name, width):
    chart = bars(name, "b")
    chart = replace(chart, title=name, series=tuple(replace(s, name=name) for s in chart.series))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        drawing = draw(chart, width)
    assert "<script" not in drawing
    assert "<b>" not in drawing
    root = ElementTree.fromstring(drawing)
    shown = "".join(root.itertext())
    assert " ".join(name.split())[:40] in shown
    *_, across, _ = map(float, root.attrib["viewBox"].split())
    assert across == width


def test_bars_and_intervals_reach_as_far_as_their_values():
    (axes,) = figure_of(bars("a", "b"), WIDE).axes
    assert [bar.get_width() for bar in axes.patches] == [0.25] * 4
    assert [list(line.get_xdata()) for line in axes.lines] == [
        [0.2, 0.3]
    ] * 8  # each in two colours
    assert axes.get_xlim() == (0, 1)
    one, other = figure_of(lines(), WIDE).axes
    assert list(one.lines[0].get_ydata()) == [0, 0.25, 0.5, 0.75, 1]
    assert [list(line.get_ydata()) for line in one.lines[1:]] == [[x / 4, 1] for x in range(4)]
    assert other.lines[0].get_linestyle() == "--"
    parts = figure_of(stack(), NARROW).axes[0].patches
    assert [part.get_x() for part in parts] == [0, 0.7]
    assert [part.get_width() for part in parts] == pytest.approx([0.7, 0.3])
    joined = figure_of(plane(), WIDE).axes[0].lines[0]
    assert (list(joined.get_xdata()), list(joined.get_ydata())) == ([0, 3], [0, 4])


def test_bars_below_zero_are_whole_and_their_numbers_stand_beside_them():
    points = (Point("a", -0.25, -0.3, -0.2, "-0.250"), Point("b", 0.5, 0.4, 0.6, "0.500"))
    chart = Chart("c", "C", "bars", (Series("one", points),), share=False)
    (axes,) = figure_of(chart, WIDE).axes
    assert axes.get_xlim()[0] == -0.3
    assert axes.get_xlim()[1] > 0.6
    places = {text.get_text(): text.xy[0] for text in axes.texts if hasattr(text, "xy")}
    assert places == {"-0.250": 0, "0.500": 0.6}


@pytest.mark.parametrize("width", [WIDE, NARROW])
def test_the_pointer_shows_each_point_of_a_line_and_of_a_map(width):
    points = (Point(0.25, 0.5, said="50.0 %", more="n = 7"), Point(0.5, None), Point(1.0, 1.0))
    chart = Chart("c", "C", "lines", (Series("a <b>", points), Series("bare", points, marker="")))
    root = ElementTree.fromstring(draw(chart, width))
    told = [element.text for element in root.iter() if element.tag.endswith("}title")]
    assert told == ["a <b>, 0.25: 50.0 % (n = 7)", "a <b>"]
    root = ElementTree.fromstring(draw(plane(), width))
    told = [element.text for element in root.iter() if element.tag.endswith("}title")]
    assert told == ["s (the origin)", "s"]


def test_panels_have_the_ends_that_are_asked_for():
    for axes in figure_of(lines(ends=(0, 1)), WIDE).axes:
        assert axes.get_xlim() == (-0.02, 1.02)


def test_a_histogram_of_nothing_and_of_four_groups():
    nothing = histogram("h", "H", [("a", "own", np.zeros(0))], "x", "y")
    assert {point.y for point in nothing.series[0].points} == {0}
    draw(nothing, WIDE)
    four = [(name, "own", np.array([0.5])) for name in "abcd"]
    assert [series.name for series in histogram("h", "H", four, "x", "y").series] == list("abcd")


def test_a_file_has_colours_of_its_own():
    drawing = draw(bars("a"), WIDE, plain=True)
    assert "var(" not in drawing
    assert PLAIN["own"] in drawing
    assert not any(stand_in in drawing for stand_in in COLOURS.values())
    assert re.match(r'<svg [^>]*width="880"', drawing)


def test_a_long_alternative_points_to_the_table():
    chart = bars(*(f"value {i}" for i in range(60)))
    assert len(chart.alternative()) <= LONGEST
    assert chart.alternative().endswith("The table below has all values.")
    head, rows = chart.table()
    assert head == ("series", "of", "share", "95 % interval")
    assert len(rows) == 120
    assert rows[0] == ("one", "value 0", "25.0 %", "20.0 % to 30.0 %")
    (head, (origin, other)) = plane().table()
    assert head == ("series", "of", "value", "details")
    assert (origin, other) == (("s", "0", "0.000", "the origin"), ("s", "3", "4.000", ""))
    assert lines().table()[0] == ("series", "panel", "x", "y", "95 % interval")
    assert lines().table()[1][0] == ("left", "one", "0", "0", "0 % to 100 %")


def test_what_has_no_value_is_not_drawn_and_has_no_row():
    chart = Chart(
        "c", "C", "bars", (Series("s", (Point("a", None), Point("b", 0.5, said="50 %"))),)
    )
    assert chart.table()[1] == [("s", "b", "50 %")]
    assert draw(chart, WIDE).count('id="c-tip-') == 1


def test_a_wide_interval_leaves_its_label_alone():
    """Where it begins left of the end of a label inside the bar, the label stands behind it."""
    for low, high, inside in ((0.025, 0.975, False), (0.7, 0.99, True), (0.1, 0.6, False)):
        points = (Point("a", 0.5, low, high, "50.0 %"), Point("b", 0.9, 0.85, 0.95, "90.0 %"))
        chart = Chart("c", "C", "bars", (Series("s", points),), share=True)
        for width in (WIDE, NARROW):
            figure = figure_of(chart, width)
            figure.draw_without_rendering()
            (axes,) = figure.axes
            label = next(text for text in axes.texts if text.get_text() == "50.0 %")
            box = label.get_window_extent()
            ends = axes.transData.transform([(low, 0), (high, 0)])[:, 0]
            assert box.x1 <= ends[0] or box.x0 >= ends[1]
            assert (box.x1 <= ends[0]) == inside
            assert box.x1 <= figure.bbox.x1
