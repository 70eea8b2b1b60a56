"""What the page shows on complexity: every control described, no figure and no table without a
score.
"""

from __future__ import annotations

from dataclasses import replace

import jinja2

import made
from complexity.test_generalisation import study
from conceptbind.complexity import ComplexityStudy
from conceptbind.complexity.section import LABELS, PAPER, complexity_section, coverage_figure
from conceptbind.complexity.words import complexity_sentence
from conceptbind.core.records import Records
from conceptbind.core.rounding import percent
from conceptbind.report.cells import COMPLEXITY_HEAD, complexity_cells
from conceptbind.report.charts import Point
from conceptbind.report.numbers import has_long_word, is_number, whole


def shown(found):
    loader = jinja2.PackageLoader("conceptbind", "report/templates")
    environment = jinja2.Environment(loader=loader, autoescape=True)
    environment.filters["whole"], environment.tests["number_cell"] = whole, is_number
    environment.tests["long_cell"] = has_long_word
    template = environment.get_template("complexity_section.html.j2")
    return template.render(part=complexity_section(found), section={"title": "how complex"})


def test_controls_are_described_where_they_are_shown():
    page = shown(study(0.0, 0.5))
    assert "does not generalise to new objects" in page
    assert (
        "A bag of concepts: counts of the values in a scene, recognised by probes of its own"
        in page
    )
    assert "A planted rule of a known number of products" in page
    assert "Plain probes, fitted on real embeddings of other scenes" in page
    assert ">planted</th>" not in page  # no curve, no row
    for name in ("additive", "chosen", "bag of concepts", "embeddings"):
        assert (f">{name}</th>" in page) == (name != "additive")
    assert page.count("CLIP, as published (about)") == len(PAPER)
    assert "the encoder&#39;s own queries" in page or "the encoder's own queries" in page


def test_nothing_scored_leaves_notes_alone():
    page = shown(ComplexityStudy("text", Records(), notes=("no <scene> is left",)))
    assert "<table" not in page
    assert "Chart(" not in page
    assert "Note: no &lt;scene&gt; is left" in page


def point(metric, value, approximator, coverage, low=None, high=None, n=1234, **extra):
    facts = {"width": None, "seed": None, "readout": "plain", "n_seeds": 5, **extra}
    told = {"n": n, "ties": None, "split": "unseen", "approximator": approximator}
    return made.record(
        metric, value, low, high, study="complexity", coverage=coverage, **told, **facts
    )


def test_recognition_over_coverage_line_by_line():
    """Two widths of one model have two dashes and are named with their width; a value that is
    missing has no point, one without an interval no bar.
    """
    records = [
        point("object_recognition", 0.5, "mlp", 0.8, 0.4, 0.7, width=256),
        point("object_recognition", 0.25, "mlp", 0.2, width=256),
        point("object_recognition", 0.125, "mlp", 0.2, width=64),
        point("object_recognition", None, "mlp", 0.8, width=64),
        point("concept_recognition", 0.9, "mlp", 0.2, width=64, concept="color"),
        point("concept_recognition", 0.75, "mlp", 0.2, width=64, concept="shape"),
        point("object_recognition", 0.6, "boosting", 0.8, width=7),
        point("object_recognition", 0.9, "embeddings", 0.8),
        point("object_recognition", 0.4, "bag_of_concepts", 0.8),
        point("object_recognition", 0.1, "chosen", 0.8),
        point("object_recognition", 0.01, "boosting", 0.8, width=7, readout="whitened"),
    ]
    found = ComplexityStudy("text", Records(records), ("plain", "whitened"))
    chart = coverage_figure(found)
    assert (chart.id, chart.kind, chart.panels) == (
        *("complexity-text", "lines", ("objects", "hardest concept")),
    )
    assert (chart.x, chart.y) == ("share of objects trained on", "share of scenes recognised")
    more = "5 draws, n = 1,234"

    def line(label, stroke, panel, *points):
        told = [
            Point(
                *(x, y, low, high, words, more if low is not False else ""),
                interval=f"{percent(low)} to {percent(high)}" if low else "",
            )
            for x, y, low, high, words in points
        ]
        return (label, stroke, panel, told)

    half = (0.8, 0.5, 0.4, 0.7, "50.0 %")
    published = "CLIP, as published (about)"
    *lines, one, other = chart.series
    assert [(s.name, s.line, s.panel, list(s.points)) for s in lines] == [
        line("the real embeddings", "dotted", 0, (0.8, 0.9, None, None, "90.0 %")),
        line("the real embeddings", "dotted", 1),
        line("a bag of concepts", "dotted", 0, (0.8, 0.4, None, None, "40.0 %")),
        line("a bag of concepts", "dotted", 1),
        line("MLP 64", "solid", 0, (0.2, 0.125, None, None, "12.5 %")),
        line("MLP 64", "solid", 1, (0.2, 0.75, None, None, "75.0 %")),
        line("MLP 256", "dashed", 0, (0.2, 0.25, None, None, "25.0 %"), half),
        line("MLP 256", "dashed", 1),
        line("boosting", "solid", 0, (0.8, 0.6, None, None, "60.0 %")),
        line("boosting", "solid", 1),
    ]
    for series, panel, points in ((one, 0, [(0.9, 0.2)]), (other, 1, [(0.3, 0.8), (0.9, 0.8)])):
        assert (series.name, series.panel, series.marker) == (published, panel, "X")
        assert (series.line, chart.ends) == ("dashed", (0, 1))
        assert [(p.x, p.y) for p in series.points] == points


def test_every_approximator_has_a_line_and_five_widths_share_four_dashes():
    records = [point("object_recognition", 0.5, name, 0.8) for name in reversed(LABELS)]
    found = coverage_figure(ComplexityStudy("text", Records(records))).series
    assert [series.name for series in found[::2]] == [
        *("the real embeddings", "a bag of concepts", "additive", "product of each object"),
        *("product of all", "product of each object, alone", "product of all, alone"),
        *("role-filler", "holographic", "tensor product", "bilinear", "matrix-vector"),
        *("MLP", "MLP of 2 layers", "MLP of 3 layers"),
        *("MLP on products of each object", "MLP on products of all"),
        *("boosting", "forest", "CLIP, as published (about)"),
    ]
    records = [point("object_recognition", 0.5, "mlp", 0.8, width=w) for w in (16, 1, 8, 2, 4)]
    found = coverage_figure(ComplexityStudy("text", Records(records))).series
    strokes = ["solid", "dashed", "dotted", "dashdot", "solid"]
    assert [series.line for series in found[:-2:2]] == strokes


def test_no_two_curves_have_one_colour_and_stroke():
    records = [point("object_recognition", 0.5, name, 0.8) for name in LABELS if name != "mlp"]
    records += [point("object_recognition", 0.5, "mlp", 0.8, width=w) for w in (1, 2, 4, 8, 16)]
    found = coverage_figure(ComplexityStudy("text", Records(records))).series
    for panel in (0, 1):
        looks = [(s.look, s.line) for s in found if s.panel == panel]
        assert len(set(looks)) == len(looks) == 24


def test_the_whole_section():
    found = study(0.0, 0.5, readouts=("own", "plain"))
    shown = complexity_section(replace(found, notes=("a note",)))
    assert shown.pop("figure") == coverage_figure(found)
    assert shown.pop("sentence") == complexity_sentence(found)
    assert shown == {
        "modality": "text",
        "readout": "own",
        "head": (*COMPLEXITY_HEAD[:-2], "R²", "R² train"),
        "rows": complexity_cells(found.records),
        "planted": True,
        "notes": ("a note",),
    }
    unscored = ComplexityStudy("text", Records([point("object_recognition", 0.5, "mlp", 0.8)]))
    assert complexity_section(unscored)["figure"] is None
