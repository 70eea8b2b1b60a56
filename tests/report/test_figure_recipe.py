"""The recipe that saves the charts of the docs."""

from __future__ import annotations

import runpy
from pathlib import Path
from xml.etree import ElementTree

import pytest

from conceptbind.report.blocks import figure, section
from conceptbind.report.charts import Chart, Point, Series
from conceptbind.report.page import render_page

RECIPE = Path(__file__).parents[2] / "recipes" / "figures.py"


@pytest.fixture
def run(tmp_path):
    """A run whose page has two charts."""
    bars = (Series("s", (Point("a", 0.5, said="50.0 %"),)),)
    blocks = [figure(Chart(name, f"Chart {name}", "bars", bars)) for name in ("one", "two")]
    parts = {"title": "t", "verdict": {"word": "yes", "sentence": "s"}}
    sections = [vars(section("id", "title", *blocks))]
    provenance = {"conceptbind": "0"}
    render_page(
        tmp_path / "report.html",
        "repair.html.j2",
        provenance=provenance,
        sections=sections,
        **parts,
    )
    return tmp_path


def test_a_chart_is_named_and_saved(run, capsys):
    main = runpy.run_path(str(RECIPE))["main"]
    main([str(run)])
    assert capsys.readouterr().out.split() == ["one", "two"]
    main([str(run), "two", str(run / "two.svg")])
    root = ElementTree.parse(run / "two.svg").getroot()
    assert root.attrib["aria-label"] == "Chart two. a 50.0 %"
    for words in ((str(run), "three", "x.svg"), (str(run), "two", "two.png")):
        with pytest.raises(SystemExit):
            main(list(words))
        assert "expected a chart of one, two, and an .svg file" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        main([str(run / "none")])
    assert "no page in" in capsys.readouterr().err
