"""The notebooks of the tutorials run from top to bottom, and print what they show."""

from __future__ import annotations

import importlib.util
import re
import sys

import pytest

from documented import ROOT

nbformat = pytest.importorskip("nbformat")
pytest.importorskip("nbclient")
pytest.importorskip("ipykernel")

_spec = importlib.util.spec_from_file_location("notebooks", ROOT / "docs" / "notebooks.py")
notebooks = importlib.util.module_from_spec(_spec)
sys.modules["notebooks"] = notebooks
_spec.loader.exec_module(notebooks)

ROUGH = {"training-run"}
"""Weights that were trained depend on the arithmetic of the processor: digits may differ."""
DECIMAL, MOST_APART = r"\d+\.\d+", 1.0
"""Numbers that are not whole, and how far a share in per cent may be from another processor's."""
MOST = 300_000
"""Bytes of all notebooks."""


def read(path):
    return nbformat.read(path, as_version=4)


def test_notebooks_are_small_and_in_the_contents():
    assert len(notebooks.NOTEBOOKS) == 3
    assert sum(path.stat().st_size for path in notebooks.NOTEBOOKS) < MOST
    index = (notebooks.FOLDER / "index.md").read_text(encoding="utf-8")
    assert all(f"({path.name})" in index for path in notebooks.NOTEBOOKS)


@pytest.mark.parametrize("path", notebooks.NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_was_run_in_order_and_its_figures_have_words(path):
    cells = notebooks.code_cells(read(path))
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
    assert any(notebooks.printed(read(path)))
    drawn = [c for c in cells if any("image/png" in one.get("data", {}) for one in c.outputs)]
    assert all(cell.metadata["mystnb"]["image"]["alt"] for cell in drawn)
    assert all(one.output_type != "error" for cell in cells for one in cell.outputs)


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("path", notebooks.NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_prints_what_it_shows(path, tmp_path):
    pytest.importorskip("faiss")
    shown, now = (
        notebooks.printed(book) for book in (read(path), notebooks.executed(path, tmp_path))
    )
    notebooks.executed(path, tmp_path)  # once more, with what the first run left in the folder
    if path.stem in ROUGH:
        shown, now = ([re.sub(r"\d+", "0", text) for text in one] for one in (shown, now))
    for old, new in zip(shown, now, strict=True):
        assert re.sub(DECIMAL, "0.0", new) == re.sub(DECIMAL, "0.0", old)
        numbers = [list(map(float, re.findall(DECIMAL, text))) for text in (new, old)]
        assert numbers[0] == pytest.approx(numbers[1], abs=MOST_APART)
