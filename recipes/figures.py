"""Save a figure of a page, as the docs show it.

python recipes/figures.py runs/tiny-clevr2d/report.html                                      # names
the figures of a page python recipes/figures.py runs/tiny-clevr2d/report.html complexity-text
docs/complexity.png

Opens the page in the machine's own Chromium (`pip install playwright`).
"""

from __future__ import annotations

import argparse
import shutil
from pathlib import Path

WIDTH = 890
"""Pixels of a saved figure."""
# figures in three dimensions
FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--use-gl=swiftshader",
    "--enable-unsafe-swiftshader",
)


def main(arguments: list[str] | None = None) -> None:
    """Save one figure, or name all."""
    from playwright.sync_api import sync_playwright

    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("page", type=Path, help="report.html of a run")
    parser.add_argument("figure", nargs="?", help="its name in the page")
    parser.add_argument("out", nargs="?", type=Path, help="a .png file")
    asked = parser.parse_args(arguments)
    chromium = next(
        filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
    )
    if chromium is None:
        parser.error("no Chromium on this machine")
    if not asked.page.is_file():
        parser.error(
            f"no page at {asked.page}; make it with the command that stands beside the figure in "
            "the docs"
        )
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=list(FLAGS))
        page = browser.new_page(viewport={"width": WIDTH + 80, "height": 900})
        page.goto(asked.page.resolve().as_uri())
        page.wait_for_function(
            "document.querySelectorAll('.plotly-graph-div .main-svg').length > 0"
        )
        names = page.evaluate(
            "[...document.querySelectorAll('.plotly-graph-div')].map(figure => figure.id)"
        )
        if asked.figure is None:
            print("\n".join(names))
        elif asked.figure not in names or asked.out is None:
            parser.error(
                f"expected a figure of {', '.join(names)}, and a .png file behind it; got "
                f"{asked.figure!r}"
            )
        else:
            figure = f"document.getElementById({asked.figure!r})"
            page.evaluate(f"{figure}.style.width = '{WIDTH}px'")
            page.evaluate(
                f"Plotly.relayout({figure}, {{width: {WIDTH}, paper_bgcolor: 'white'}})"
                f".then(() => {figure}.querySelectorAll('.modebar').forEach(bar => bar.remove()))"
            )
            page.locator(f"[id='{asked.figure}']").screenshot(
                path=str(asked.out), style="* {overflow: visible !important}"
            )
        browser.close()


if __name__ == "__main__":
    main()
