"""The figures on what embeddings are made of, whole and by hand."""

from __future__ import annotations

from xml.etree import ElementTree

import numpy as np
import pytest

import made
from conceptbind.core.records import Records
from conceptbind.geometry import GeometryStudy
from conceptbind.geometry.scaling import Scaling
from conceptbind.geometry.section import (
    geometry_section,
    scaling_figure,
    scaling_picture,
    spectrum_figure,
    sweep_figure,
)
from conceptbind.geometry.spectra import Part, Spectrum
from conceptbind.report.charts import Chart, Point, Series
from conceptbind.report.svg import draw

OWN = Spectrum(
    (
        Part(("slot 1 shape",), "concept", 0.2, 0.1),
        Part(("slot 1 color",), "concept", 0.5, 0.1),
        Part(("slot 1 color", "slot 1 shape"), "object", 0.2, 0.3),
        Part((), "rest", 0.1, 0.5),
    ),
    "exact",
)
OTHER = Spectrum(
    (
        Part(("slot 1 color",), "concept", 0.9, 0.1),
        Part(("slot 1 color", "slot 2 color"), "objects", 0.1, 0.4),
    ),
    "sequential least squares",
)
SCALED = Scaling(
    ("red", "a & b", "red square", "x + y", "x + <y>"),
    ("concept", "concept", "object", "scene", "sum"),
    np.array([[3.0, 0, 0], [-3, 0, 0], [0, 2, 0], [0, -1, 1], [0, -1, -1]]),
    np.array([[4, 3]]),
    0.05,
)


def edit(metric, steering, value, low=None, high=None, **extra):
    facts = {"estimator": "avg+pos", "attribute": "all", "steering": steering, **extra}
    return made.record(metric, value, low, high, study="edit", n=1234, ties=5, **facts)


def study(spectra, *records, scaling=None, notes=()):
    return GeometryStudy("text", Records(records), spectra, scaling, notes)


def shown(series):
    return [(p.x, p.y, p.said, p.more) for p in series.points]


def test_a_bar_for_the_encoder_each_control_and_noise():
    chart = spectrum_figure(study({"none": OWN, "random_weights": OTHER, "mine": OTHER}))
    whose = ["the encoder", "random weights", "mine", "pure noise"]
    freedom = "by degrees of freedom"
    colors, both = "slot 1 color: 90.0 %", "slot 1 color x slot 2 color: 10.0 %"
    told = {
        ("single concepts", "twin"): (
            [0.7, 0.9, 0.9, 0.2],
            ["70.0 %", "90.0 %", "90.0 %", "20.0 %"],
            ["slot 1 color: 50.0 %, slot 1 shape: 20.0 %", colors, colors, freedom],
        ),
        ("concepts of one object (the binding share)", "own"): (
            [0.2, 0.0, 0.0, 0.3],
            ["20.0 %", "0 %", "0 %", "30.0 %"],
            ["slot 1 color x slot 1 shape: 20.0 %", "", "", freedom],
        ),
        ("concepts of different objects", "random"): (
            [0.0, 0.1, 0.1, 0.0],
            ["0 %", "10.0 %", "10.0 %", "0 %"],
            ["", both, both, freedom],
        ),
        ("the rest of an incomplete grid", "bag"): (
            [0.1, 0.0, 0.0, 0.5],
            ["10.0 %", "0 %", "0 %", "50.0 %"],
            ["rest: 10.0 %", "", "", freedom],
        ),
    }
    assert (chart.id, chart.kind, chart.y) == ("spectrum-text", "stack", "share of the variance")
    assert [(series.name, series.look) for series in chart.series] == list(told)
    for series, (shares, percents, details) in zip(chart.series, told.values(), strict=True):
        expected = zip(whose, map(pytest.approx, shares), percents, details, strict=True)
        assert shown(series) == list(expected)


def test_parts_that_no_spectrum_has_have_no_bar_and_six_are_named():
    parts = tuple(Part((f"f{i}",), "concept", 0.01 * i, 0.1) for i in range(1, 9))
    (bar,) = spectrum_figure(study({"none": Spectrum(parts, "exact")})).series
    assert bar.name == "single concepts"
    assert bar.points[0].more == ", ".join(f"f{i}: {i}.0 %" for i in range(8, 2, -1))


def test_hits_over_the_strength_of_an_edit():
    records = [
        edit("edit_retrieval", 2.0, 0.5, 0.4, 0.7),
        edit("edit_retrieval", 0.0, 0.2),
        edit("edit_probing", 1.0, 0.9),  # one strength is not a line
        edit("edit_retrieval", 1.0, 0.9, estimator="avg"),
        edit("edit_retrieval", 1.0, 0.9, attribute="same"),
    ]
    chart = sweep_figure(study({}, *records))
    points = (
        Point(0.0, 0.2, None, None, "20.0 %", "n = 1,234, ties 5"),
        Point(
            *(2.0, 0.5, 0.4, 0.7, "50.0 %", "n = 1,234, ties 5"),
            interval="40.0 % to 70.0 %",
        ),
    )
    nearest = Series("the nearest scene is the target", points, "own", "solid", "o")
    assert chart == Chart(
        "edits-text",
        "How often an edit hits, by its strength",
        "lines",
        (nearest,),
        "strength k of the edit",
        "share of edits that hit",
    )
    both = [*records, edit("edit_probing", 2.0, 1.0)]
    one, probes = sweep_figure(study({}, *both)).series
    assert probes.name == "the probes recognise the target"
    assert [(p.x, p.y) for p in probes.points] == [(1.0, 0.9), (2.0, 1.0)]
    assert (one.line, one.marker) != (probes.line, probes.marker)
    assert sweep_figure(study({}, edit("edit_probing", 1.0, 0.9))) is None


def places(chart):
    return {p.more: (p.x, p.y) for series in chart.series for p in series.points}


def test_points_of_a_quadruple_with_a_line_from_each_sum():
    """The largest spread lies across, the next one down, each to one of two sides."""
    chart = scaling_figure(SCALED, "text")
    assert (chart.id, chart.kind, chart.share) == ("scaling-text", "map", False)
    assert [(s.name, s.line, [p.name for p in s.points]) for s in chart.series] == [
        ("means of concepts", "solid", ["red", "a & b"]),
        ("means of objects", "solid", ["red square"]),
        ("scenes", "solid", [""]),
        ("predicted sums", "none", [""]),
    ]
    assert chart.lines == ((4, 3),)  # from the sum to its scene
    found = places(chart)
    right, down = np.sign(found["red"][0]), np.sign(found["red square"][1])
    expected = {
        "red": (3, 0),
        "a & b": (-3, 0),
        "red square": (0, 2),
        "x + y": (0, -1),
        "x + <y>": (0, -1),
    }
    for name, (x, y) in expected.items():
        assert found[name] == pytest.approx((right * x, down * y), abs=1e-12)


def test_the_picture_is_the_chart_as_a_file():
    picture = scaling_picture(SCALED, "text")
    assert picture == draw(scaling_figure(SCALED, "text"), 620, plain=True) + "\n"
    root = ElementTree.fromstring(picture)
    words = "".join(root.itertext())
    for name in ("red", "a & b", "red square", "means of concepts", "predicted sums"):
        assert name in words


def test_the_section_shows_what_there_is():
    found = geometry_section(study({"none": OWN, "mine": OTHER}, scaling=SCALED, notes=("a note",)))
    assert list(found) == [
        *("modality", "sentence", "spectrum", "method", "heads", "r2", "removal", "edits", "sweep"),
        *("scaling", "stress", "notes"),
    ]
    assert found["sentence"].startswith("Single concepts explain ")
    assert found["spectrum"].id == "spectrum-text"
    assert found["scaling"] == scaling_figure(SCALED, "text")
    parts = tuple(found[name] for name in ("modality", "method", "stress", "notes", "sweep"))
    assert parts == ("text", "exact", 0.05, ("a note",), None)
    assert [found[name] for name in ("r2", "removal", "edits")] == [[], [], []]
    bare = geometry_section(study({}, edit("edit_probing", 1.0, 0.9), edit("edit_probing", 2.0, 1)))
    nothing = ("sentence", "spectrum", "method", "scaling", "stress")
    assert {bare[name] for name in nothing} == {None}
    assert bare["sweep"].id == "edits-text"
    assert [row[:3] for row in bare["edits"]] == [["probing", "avg+pos", "90.0 %"]]
    assert found["heads"]["r2"][2:5] == ("R²", "R² held out", "R² random weights")
    assert len(found["heads"]["edits"]) == len(bare["edits"][0])
    other = geometry_section(study({"random_weights": OTHER}))
    assert other["method"] is None
    assert other["spectrum"].names[0] == "random weights"
