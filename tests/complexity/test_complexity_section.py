"""What the page shows on complexity: every control described, no figure and no table without a
score.
"""

from __future__ import annotations

from dataclasses import replace

import jinja2

from complexity.test_generalisation import study
from conceptbind.complexity import ComplexityStudy
from conceptbind.complexity.section import LABELS, PAPER, complexity_section, coverage_figure
from conceptbind.complexity.words import complexity_sentence
from conceptbind.core.records import Record, Records
from conceptbind.report.tables import complexity_cells
from plotted import plotted


def shown(found):
    loader = jinja2.PackageLoader("conceptbind", "report/templates")
    environment = jinja2.Environment(loader=loader, autoescape=True)
    template = environment.get_template("complexity_section.html.j2")
    return template.render(part=complexity_section(found), section={"title": "how complex"})


def test_controls_are_described_where_they_are_shown():
    page = shown(study(0.0, 0.5))
    assert "does not generalise to new objects" in page
    assert "A bag of concepts: counts of the values in a scene, read by probes of its own" in page
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
    return Record.of(
        study="complexity",
        modality="text",
        metric=metric,
        value=value,
        n=n,
        ci_low=low,
        ci_high=high,
        split="unseen",
        scenes="s",
        encoder="e",
        approximator=approximator,
        coverage=coverage,
        **facts,
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
    html = coverage_figure(ComplexityStudy("text", Records(records), ("plain", "whitened")))
    name, traces, layout = plotted(html)
    assert name == "complexity-text"

    def line(label, dash, column, points):
        below, above = [], []
        for *_, down, up in points:
            below.append(down)
            above.append(up)
        return {
            "type": "scatter",
            "mode": "lines+markers",
            "name": label,
            "legendgroup": label,
            "showlegend": column == 1,
            "dash": dash,
            "xaxis": "x" if column == 1 else "x2",
            "yaxis": "y" if column == 1 else "y2",
            "x": [x for x, *_ in points],
            "y": [y for _, y, *_ in points],
            "customdata": [[5, 1234, words] for _, _, words, *_ in points],
            "error_y": {"array": above, "arrayminus": below},
            "hovertemplate": "coverage %{x}: %{customdata[2]}<br>%{customdata[0]} draws, n = "
            f"%{{customdata[1]:,}}<extra>{label}</extra>",
        }

    published = {
        "type": "scatter",
        "mode": "lines+markers",
        "name": "CLIP, as published (about)",
        "legendgroup": "paper",
        "dash": "dash",
    }
    wide = [(0.2, 0.25, "25.0 %", 0, 0), (0.8, 0.5, "50.0 %", 0.1, 0.2)]
    assert traces == [
        line("the real embeddings", "dot", 1, [(0.8, 0.9, "90.0 %", 0, 0)]),
        line("the real embeddings", "dot", 2, []),
        line("a bag of concepts", "dot", 1, [(0.8, 0.4, "40.0 %", 0, 0)]),
        line("a bag of concepts", "dot", 2, []),
        line("MLP 64", "solid", 1, [(0.2, 0.125, "12.5 %", 0, 0)]),
        line("MLP 64", "solid", 2, [(0.2, 0.75, "75.0 %", 0, 0)]),
        line("MLP 256", "dash", 1, wide),
        line("MLP 256", "dash", 2, []),
        line("boosting", "solid", 1, [(0.8, 0.6, "60.0 %", 0, 0)]),
        line("boosting", "solid", 2, []),
        {**published, "showlegend": True, "xaxis": "x", "yaxis": "y", "x": [0.9], "y": [0.2]},
        {
            **published,
            "showlegend": False,
            "xaxis": "x2",
            "yaxis": "y2",
            "x": [0.3, 0.9],
            "y": [0.8, 0.8],
        },
    ]
    share = {"title": {"text": "share of objects trained on"}, "range": [0, 1]}
    assert (layout["xaxis"], layout["xaxis2"]) == (share, share)
    recognised = {"title": {"text": "share of scenes recognised"}, "range": [-0.02, 1.05]}
    assert (layout["yaxis"], layout["yaxis2"]["range"]) == (recognised, recognised["range"])
    assert "title" not in layout["yaxis2"]
    assert [note["text"] for note in layout["annotations"]] == ["objects", "hardest concept"]


def test_every_approximator_has_a_line_and_five_widths_share_four_dashes():
    records = [point("object_recognition", 0.5, name, 0.8) for name in reversed(LABELS)]
    found = plotted(coverage_figure(ComplexityStudy("text", Records(records)))).traces
    assert [trace["name"] for trace in found[::2]] == [
        *("the real embeddings", "a bag of concepts", "additive", "products in an object"),
        *("product of all", "products in an object, alone", "product of all, alone", "MLP"),
        *("boosting", "forest", "CLIP, as published (about)"),
    ]
    records = [point("object_recognition", 0.5, "mlp", 0.8, width=w) for w in (16, 1, 8, 2, 4)]
    found = plotted(coverage_figure(ComplexityStudy("text", Records(records)))).traces
    dashes = ["solid", "dash", "dot", "dashdot", "solid"]
    assert [trace["dash"] for trace in found[:-2:2]] == dashes


def test_the_whole_section():
    found = study(0.0, 0.5, readouts=("own", "plain"))
    shown = complexity_section(replace(found, notes=("a note",)))
    assert plotted(shown.pop("figure")).id == "complexity-text"
    assert shown.pop("sentence") == complexity_sentence(found)
    assert shown == {
        "modality": "text",
        "readout": "own",
        "rows": complexity_cells(found.records),
        "notes": ("a note",),
    }
    unscored = ComplexityStudy("text", Records([point("object_recognition", 0.5, "mlp", 0.8)]))
    assert complexity_section(unscored)["figure"] is None
