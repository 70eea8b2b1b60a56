"""Pages in a real browser: how they are opened, and what is found wrong with them."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

CHROMIUM = (
    shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
)
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-background-networking",
    "--disable-component-update",
]
SIZES = {"phone": (390, 844), "tablet": (768, 1024), "desktop": (1280, 900), "wide": (1920, 1080)}
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
OPEN_ALL = "document.querySelectorAll('details').forEach(part => { part.open = true; })"
TOO_WIDE = """width => [...document.querySelectorAll('body *')].filter(element => {
  const box = element.getBoundingClientRect();
  const shown = box.width > 0 && getComputedStyle(element).visibility === 'visible';
  return shown && !element.closest('.skip, thead, pre') && (box.right > width + 1 || box.left < -1);
}).map(element => element.tagName + '#' + element.id + '.' + element.className).slice(0, 5)"""

TORN = r"""() => {
  const found = [];
  const walk = document.createTreeWalker(document.querySelector('main'), NodeFilter.SHOW_TEXT);
  while (walk.nextNode()) {
    const text = walk.currentNode, inside = text.parentElement;
    const hidden = innerWidth <= 640 ? 'pre, script, style, svg, thead' : 'pre, script, style, svg';
    if (inside.closest(hidden) || !inside.getClientRects().length) continue;
    for (const word of text.data.matchAll(/\p{L}{2,16}/gu)) {
      const range = document.createRange();
      range.setStart(text, word.index);
      range.setEnd(text, word.index + word[0].length);
      const lines = [...range.getClientRects()].filter(box => box.width > 0).map(box => box.top);
      if (new Set(lines.map(Math.round)).size > 1) found.push(word[0]);
    }
  }
  return found.slice(0, 5);
}"""
"""Short words of which one part stands on another line."""

in_browser = pytest.mark.filterwarnings("ignore::DeprecationWarning")
"""Of every test that opens a page: playwright's event loop is of an older kind."""


@contextmanager
def chromium() -> Iterator[Browser]:
    """The machine's own Chromium; a test that needs one is skipped where there is none."""
    sync_api = pytest.importorskip("playwright.sync_api")
    if CHROMIUM is None:
        pytest.skip("no Chromium on this machine")
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()


def opened(
    browser: Browser, report: Path, width: int = 1280, height: int = 900, **options: Any
) -> tuple[Page, list[str]]:
    """The page, and what it complained of or asked a network for."""
    page = browser.new_page(viewport={"width": width, "height": height}, **options)
    page.set_default_timeout(120_000)  # a processor that others use too
    wrong: list[str] = []
    page.on(
        "console",
        lambda told: wrong.append(told.text) if told.type in ("error", "warning") else None,
    )
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on(
        "request",
        lambda asked: (
            None if asked.url.startswith(("file:", "data:", "blob:")) else wrong.append(asked.url)
        ),
    )
    page.goto(report.as_uri())
    return page, wrong


def assert_fits(browser: Browser, report: Path) -> None:
    """At every size a page complains of nothing, and no part of it is beyond the screen or cut by
    a frame that scrolls.
    """
    for name, size in SIZES.items():
        page, wrong = opened(browser, report, *size)
        page.evaluate(OPEN_ALL)
        assert wrong == []
        assert page.evaluate(TOO_WIDE, size[0]) == [], name
        page.close()


def violations(page: Page) -> list[tuple[str, str]]:
    """The rules of WCAG A and AA that axe-core finds broken, each with the first place."""
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    # what passed is counted, not described: describing it takes most of the time
    options = {"runOnly": RULES, "resultTypes": ["violations"]}
    found = axe.run(page, options=options).response
    assert len(found["passes"]) > 10  # it looked
    return [(broken["id"], broken["nodes"][0]["html"]) for broken in found["violations"]]
