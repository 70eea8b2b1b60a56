"""Sections without a template of their own: what their blocks hold, and how a page shows them."""

from __future__ import annotations

import plotly.graph_objects as go

from conceptbind.core.findings import GENERAL
from conceptbind.report.blocks import figure, paragraph, section, table
from plotted import plotted


def test_blocks_hold_what_the_template_shows():
    blocks = paragraph("Some <words>."), table(("a", "b"), [("1", "2"), ("3", "4")])
    found = section("place", "A title", *blocks)
    assert (found.id, found.title, found.template) == ("place", "A title", GENERAL)
    assert found.data == {
        "blocks": [
            {"kind": "paragraph", "text": "Some <words>."},
            {"kind": "table", "head": ["a", "b"], "rows": [["1", "2"], ["3", "4"]]},
        ]
    }


def test_a_figure_is_drawn_under_its_name_and_as_high_as_asked():
    found = figure(go.Figure(go.Bar(x=["a"], y=[1])), "bars")
    assert list(found) == ["kind", "html"]
    assert found["kind"] == "figure"
    drawn = plotted(found["html"])
    assert (drawn.id, drawn.traces) == ("bars", [{"type": "bar", "x": ["a"], "y": [1]}])
    assert '"height":380' in found["html"]
    assert '"height":90' in figure(go.Figure(), "low", 90)["html"]
