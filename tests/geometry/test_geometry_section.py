"""The figures on what embeddings are made of, whole and by hand."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from conceptbind.core.records import Record, Records
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
from plotted import plotted

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
    return Record.of(
        study="edit",
        modality="text",
        metric=metric,
        value=value,
        n=1234,
        ties=5,
        ci_low=low,
        ci_high=high,
        split="test",
        scenes="s",
        encoder="e",
        **facts,
    )


def study(spectra, *records, scaling=None, notes=()):
    return GeometryStudy("text", Records(records), spectra, scaling, notes)


def test_a_bar_for_the_encoder_each_control_and_noise():
    name, traces, layout = plotted(
        spectrum_figure(study({"none": OWN, "random_weights": OTHER, "mine": OTHER}))
    )
    whose = ["the encoder", "random weights", "mine", "pure noise"]
    told = {
        "single concepts": (
            [0.7, 0.9, 0.9, 0.2],
            ["70.0 %", "90.0 %", "90.0 %", "20.0 %"],
            [
                "slot 1 color: 50.0 %<br>slot 1 shape: 20.0 %",
                "slot 1 color: 90.0 %",
                "slot 1 color: 90.0 %",
                "by degrees of freedom",
            ],
        ),
        "concepts of one object (the binding share)": (
            [0.2, 0.0, 0.0, 0.3],
            ["20.0 %", "0 %", "0 %", "30.0 %"],
            ["slot 1 color x slot 1 shape: 20.0 %", "", "", "by degrees of freedom"],
        ),
        "concepts of different objects": (
            [0.0, 0.1, 0.1, 0.0],
            ["0 %", "10.0 %", "10.0 %", "0 %"],
            [
                "",
                "slot 1 color x slot 2 color: 10.0 %",
                "slot 1 color x slot 2 color: 10.0 %",
                "by degrees of freedom",
            ],
        ),
        "the rest of an incomplete grid": (
            [0.1, 0.0, 0.0, 0.5],
            ["10.0 %", "0 %", "0 %", "50.0 %"],
            ["rest: 10.0 %", "", "", "by degrees of freedom"],
        ),
    }
    assert name == "spectrum-text"
    assert traces == [
        {
            "type": "bar",
            "orientation": "h",
            "name": words,
            "y": whose,
            "x": shares,
            "text": percents,
            "customdata": details,
            "textposition": "none",
            "hovertemplate": "%{text}<br>%{customdata}<extra></extra>",
        }
        for words, (shares, percents, details) in told.items()
    ]
    assert layout == {
        "barmode": "stack",
        "xaxis": {"title": {"text": "share of the variance"}, "range": [0, 1]},
        "yaxis": {"autorange": "reversed"},
    }


def test_parts_that_no_spectrum_has_have_no_bar_and_six_are_named():
    parts = tuple(Part((f"f{i}",), "concept", 0.01 * i, 0.1) for i in range(1, 9))
    (bar,) = plotted(spectrum_figure(study({"none": Spectrum(parts, "exact")}))).traces
    assert bar["name"] == "single concepts"
    assert bar["customdata"][0] == "<br>".join(f"f{i}: {i}.0 %" for i in range(8, 2, -1))


def test_hits_over_the_strength_of_an_edit():
    records = [
        edit("edit_retrieval", 2.0, 0.5, 0.4, 0.7),
        edit("edit_retrieval", 0.0, 0.2),
        edit("edit_probing", 1.0, 0.9),  # one strength is no line
        edit("edit_retrieval", 1.0, 0.9, estimator="avg"),
        edit("edit_retrieval", 1.0, 0.9, attribute="same"),
    ]
    name, (line,), layout = plotted(sweep_figure(study({}, *records)))
    assert name == "edits-text"
    assert line == {
        "type": "scatter",
        "mode": "lines+markers",
        "name": "the nearest scene is the target",
        "x": [0.0, 2.0],
        "y": [0.2, 0.5],
        "error_y": {
            "type": "data",
            "symmetric": False,
            "array": [None, pytest.approx(0.2)],
            "arrayminus": [None, pytest.approx(0.1)],
        },
        "customdata": [
            ["20.0 %", "-", "1,234", "5"],
            ["50.0 %", "40.0 % to 70.0 %", "1,234", "5"],
        ],
        "hovertemplate": "strength %{x}: %{customdata[0]}<br>95 %: %{customdata[1]}<br>"
        "n = %{customdata[2]}, ties %{customdata[3]}<extra></extra>",
    }
    assert layout == {
        "xaxis": {"title": {"text": "strength k of the edit"}},
        "yaxis": {"title": {"text": "share of edits that hit"}, "range": [0, 1.05]},
    }
    both = [*records, edit("edit_probing", 2.0, 1.0)]
    probes = plotted(sweep_figure(study({}, *both))).traces[1]
    assert probes["name"] == "the probes recognise the target"
    assert (probes["x"], probes["y"]) == ([1.0, 2.0], [0.9, 1.0])
    assert sweep_figure(study({}, edit("edit_probing", 1.0, 0.9))) is None


def test_points_of_a_quadruple_with_a_line_from_each_sum():
    name, (lines, *points), layout = plotted(scaling_figure(SCALED, "text"))
    assert name == "scaling-text"
    assert lines == {
        "type": "scatter3d",
        "mode": "lines",
        "name": "sum to scene",
        "hoverinfo": "skip",
        "x": [0.0, 0.0, None],
        "y": [-1.0, -1.0, None],
        "z": [-1.0, 1.0, None],
    }
    told = {
        "means of concepts": (["red", "a & b"], [3.0, -3.0], [0.0, 0.0], [0.0, 0.0]),
        "means of objects": (["red square"], [0.0], [2.0], [0.0]),
        "scenes": (["x + y"], [0.0], [-1.0], [1.0]),
        "predicted sums": (["x + <y>"], [0.0], [-1.0], [-1.0]),
    }
    assert points == [
        {
            "type": "scatter3d",
            "mode": "markers",
            "name": words,
            "text": names,
            "x": x,
            "y": y,
            "z": z,
            "hovertemplate": f"%{{text}}<extra>{words}</extra>",
        }
        for words, (names, x, y, z) in told.items()
    ]
    blank = {"title": {"text": ""}}
    assert layout["scene"] == {
        "aspectmode": "data",
        **{"xaxis": blank, "yaxis": blank, "zaxis": blank},
    }


def picture(right, up, near):
    """The quadruple drawn: the largest spread across, the next one down, the third as size, each
    to one of two sides.
    """

    def at(x, y):
        return f'cx="{300.0 + 270 * right * x}" cy="{300.0 + 270 * up * y}"'

    def size(z):
        return round(4.5 * (1 + 0.25 * near * z), 1)

    def y(share):
        return 300.0 + 270 * up * share

    def label(x, y):
        return f'<text x="{309.0 + 270 * right * x}" y="{304.0 + 270 * up * y}">'

    return f"""<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 630 640" \
font-family="sans-serif" font-size="13">
<rect width="630" height="640" fill="white"/>
<line x1="300.0" y1="{y(-1 / 3)}" x2="300.0" y2="{y(-1 / 3)}" stroke="#b9c2cc" stroke-width="1.5"/>
<circle {at(1, 0)} r="7.0" fill="#7a9a7e" stroke="#7a9a7e" stroke-width="1.5">\
<title>red (means of concepts)</title></circle>
<circle {at(-1, 0)} r="7.0" fill="#7a9a7e" stroke="#7a9a7e" stroke-width="1.5">\
<title>a &amp; b (means of concepts)</title></circle>
<circle {at(0, 2 / 3)} r="7.0" fill="#d9a441" stroke="#d9a441" stroke-width="1.5">\
<title>red square (means of objects)</title></circle>
<circle {at(0, -1 / 3)} r="{size(1)}" fill="#2563a8" stroke="#2563a8" stroke-width="1.5">\
<title>x + y (scenes)</title></circle>
<circle {at(0, -1 / 3)} r="{size(-1)}" fill="none" stroke="#1f2933" stroke-width="1.5">\
<title>x + &lt;y> (predicted sums)</title></circle>
{label(1, 0)}red</text>
{label(-1, 0)}a &amp; b</text>
{label(0, 2 / 3)}red square</text>
<circle cx="20" cy="620" r="6" fill="#7a9a7e" stroke="#7a9a7e"/>\
<text x="32" y="625">means of concepts</text>
<circle cx="170" cy="620" r="6" fill="#d9a441" stroke="#d9a441"/>\
<text x="182" y="625">means of objects</text>
<circle cx="320" cy="620" r="6" fill="#2563a8" stroke="#2563a8"/>\
<text x="332" y="625">scenes</text>
<circle cx="470" cy="620" r="6" fill="none" stroke="#1f2933"/>\
<text x="482" y="625">predicted sums</text>
</svg>
"""


def test_the_picture_is_the_same_from_the_side_of_largest_spread():
    sides = product((1, -1), repeat=3)  # which way an axis points is not decided
    assert scaling_picture(SCALED) in [picture(*side) for side in sides]


def test_a_picture_without_depth_has_points_of_one_size():
    flat = np.array([[1.0, 1, 0], [-1, -1, 0], [0, 0, 0], [0.5, 0.5, 0], [-0.5, -0.5, 0]])
    found = scaling_picture(Scaling(SCALED.names, SCALED.kinds, flat, SCALED.lines, 0.0))
    assert found.count('r="7.0"') == 3
    assert found.count('r="4.5"') == 2


def test_the_section_shows_what_there_is():
    shown = geometry_section(study({"none": OWN, "mine": OTHER}, scaling=SCALED, notes=("a note",)))
    assert list(shown) == [
        *("modality", "sentence", "spectrum", "method", "r2", "removal", "edits", "sweep"),
        *("scaling", "picture", "stress", "notes"),
    ]
    assert shown["sentence"].startswith("Of the variance of the text embeddings, single concepts")
    assert plotted(shown["spectrum"]).id == "spectrum-text"
    assert plotted(shown["scaling"]).id == "scaling-text"
    assert shown["picture"] == scaling_picture(SCALED)
    parts = tuple(shown[name] for name in ("modality", "method", "stress", "notes", "sweep"))
    assert parts == ("text", "exact", 0.05, ("a note",), None)
    assert [shown[name] for name in ("r2", "removal", "edits")] == [[], [], []]
    bare = geometry_section(study({}, edit("edit_probing", 1.0, 0.9), edit("edit_probing", 2.0, 1)))
    nothing = ("sentence", "spectrum", "method", "scaling", "picture", "stress")
    assert {bare[name] for name in nothing} == {None}
    assert plotted(bare["sweep"]).id == "edits-text"
    assert [row[:3] for row in bare["edits"]] == [["probing", "avg+pos", "90.0 %"]]
    other = geometry_section(study({"random_weights": OTHER}))
    assert other["method"] is None
    assert plotted(other["spectrum"]).traces[0]["y"][0] == "random weights"
