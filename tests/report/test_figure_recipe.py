"""The recipe that saves the figures of the docs."""

from __future__ import annotations

import runpy
import shutil
from pathlib import Path

import pytest
from PIL import Image

CHROMIUM = (
    shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
)
RECIPE = Path(__file__).parents[2] / "recipes" / "figures.py"

pytestmark = [
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),  # playwright's event loop
]


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    """A page of two figures."""
    import plotly.graph_objects as go
    from plotly.offline import get_plotlyjs

    from conceptbind.report.figures import as_html

    figures = [as_html(go.Figure(go.Bar(y=[1, 3])), name, 200) for name in ("one", "two")]
    path = tmp_path_factory.mktemp("page") / "report.html"
    path.write_text(f"<script>{get_plotlyjs()}</script>{''.join(figures)}", encoding="utf-8")
    return path


def test_a_figure_is_named_and_saved(page, tmp_path, capsys):
    pytest.importorskip("playwright.sync_api")
    main = runpy.run_path(str(RECIPE))["main"]
    main([str(page)])
    assert capsys.readouterr().out.split() == ["one", "two"]
    main([str(page), "two", str(tmp_path / "two.png")])
    with Image.open(tmp_path / "two.png") as image:
        assert image.size == (890, 200)
        colors = image.convert("RGB").getcolors(1 << 16)
    assert max(colors)[1] == (255, 255, 255)
    assert len(colors) > 5
    with pytest.raises(SystemExit):
        main([str(page), "three", str(tmp_path / "three.png")])
    assert "expected a figure of one, two" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        main([str(tmp_path / "none.html")])
    assert "no page at" in capsys.readouterr().err
