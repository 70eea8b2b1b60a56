"""Sections without a template of their own: what their blocks hold, and how a page shows them."""

from __future__ import annotations

from conceptbind.core.findings import GENERAL
from conceptbind.report.blocks import figure, paragraph, section, table
from conceptbind.report.charts import Chart, Point, Series


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


def test_a_figure_is_a_chart():
    chart = Chart("bars", "Bars", "bars", (Series("s", (Point("a", 1.0),)),))
    assert figure(chart) == {"kind": "figure", "chart": chart}
