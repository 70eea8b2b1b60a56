"""Every tutorial runs from top to bottom, and each block prints what stands below it."""

from __future__ import annotations

import contextlib
import io

import pytest

from documented import ROOT, documented

SLOW = {"repair.md": "draws and embeds 576 pictures", "train.md": "trains a model"}
PAGES = sorted((ROOT / "docs" / "tutorials").glob("*.md"))
BLOCKS = {page: [f for f in documented(page) if f.kind == "python"] for page in PAGES}


def tutorial(page):
    marks = [pytest.mark.slow] if page.name in SLOW else []
    return pytest.param(page, id=page.stem, marks=marks)


@pytest.mark.parametrize("page", [tutorial(page) for page in PAGES if BLOCKS[page]])
def test_a_tutorial_prints_what_it_shows(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {"__name__": page.stem}
    for block in BLOCKS[page]:
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            exec(compile(block.text, str(block), "exec"), names)
        assert printed.getvalue() == block.printed, block


def test_slow_tutorials_are_there_and_each_shows_what_it_prints():
    assert set(SLOW) <= {page.name for page in PAGES}
    shown = {page.stem: sum(bool(f.printed) for f in found) for page, found in BLOCKS.items()}
    assert all(shown[page.stem] for page, found in BLOCKS.items() if found), shown
