"""What the page shows on complexity: every control described, no figure and no table without a
score.
"""

from __future__ import annotations

import jinja2

from complexity.test_generalisation import study
from conceptbind.complexity import ComplexityStudy
from conceptbind.complexity.section import PAPER, complexity_section
from conceptbind.core.records import Records


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
    assert "<td>planted</td><td>4</td><td>plain</td><td>0.700</td>" not in page  # no curve, no row
    for name in ("additive", "chosen", "bag of concepts", "embeddings"):
        assert (f"<td>{name}</td>" in page) == (name != "additive")
    assert page.count("CLIP, as published (about)") == len(PAPER)
    assert "the encoder&#39;s own queries" in page or "the encoder's own queries" in page


def test_nothing_scored_leaves_notes_alone():
    page = shown(ComplexityStudy("text", Records(), notes=("no <scene> is left",)))
    assert "<table>" not in page
    assert "plotly" not in page
    assert "Note: no &lt;scene&gt; is left" in page
