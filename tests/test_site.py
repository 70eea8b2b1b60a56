"""The documentation: links of the pages, completeness of the reference, and the built site.

The site is built with `pytest -m slow tests/test_site.py`, which needs the extra `[docs]`."""

from __future__ import annotations

import ast
import csv
import html
import importlib.util
import json
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

import conceptbind
from browsing import SIZES, in_browser, opened, violations
from conceptbind import cli
from documented import PAGES, ROOT

_spec = importlib.util.spec_from_file_location("plots", ROOT / "docs" / "plots.py")
plots = importlib.util.module_from_spec(_spec)
sys.modules["plots"] = plots
_spec.loader.exec_module(plots)

NOTEBOOKS = sorted((ROOT / "docs" / "tutorials").glob("*.ipynb"))
READ = [*PAGES, *NOTEBOOKS, ROOT / "CHANGELOG.md"]
FENCE = re.compile(r"^([ \t]*)(```|~~~).*?^\1\2[ \t]*$", re.M | re.S)
LINK = re.compile(r"!?\[(?:[^\]\[]|\[[^\]]*\])*\]\(([^)\s]+)(?:\s+\"[^\"]*\")?\)")
REFERENCE = "".join(
    path.read_text(encoding="utf-8") for path in (ROOT / "docs" / "reference").glob("*.rst")
)


def prose(page: Path) -> str:
    """A page, or the prose of a notebook, without its blocks of code."""
    text = page.read_text(encoding="utf-8")
    if page.suffix == ".ipynb":
        cells = [cell for cell in json.loads(text)["cells"] if cell["cell_type"] == "markdown"]
        text = "\n\n".join("".join(cell["source"]) for cell in cells)
    return FENCE.sub("", text)


def slugs(page: Path) -> set[str]:
    """The anchors that GitHub and the site give to the headings of a page."""
    found: list[str] = []
    for head in re.findall(r"^#{1,6} +(.*)$", prose(page), re.M):
        words = re.sub(r"[^\w\- ]", "", head.strip().lower()).replace(" ", "-")
        found.append(words if words not in found else f"{words}-{found.count(words)}")
    return set(found)


def wrong_links(page: Path) -> list[str]:
    """Relative links that lead to no file, or to no heading of one."""
    wrong = []
    for link in LINK.findall(re.sub(r"`[^`\n]*`", "", prose(page))):
        parts = urlsplit(link)
        if parts.scheme:
            continue
        target = page.parent / unquote(parts.path) if parts.path else page
        is_page = target.suffix == ".md" and target.is_file()
        if not target.exists() or (is_page and parts.fragment not in {"", *slugs(target)}):
            wrong.append(link)
    return wrong


@pytest.mark.parametrize("page", READ, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_of_a_page_leads_somewhere(page):
    assert wrong_links(page) == []


def test_wrong_links_are_found(tmp_path):
    (tmp_path / "other.md").write_text("# A head, and `code`\n\n```sh\n# no head\n```\n")
    page = tmp_path / "page.md"
    page.write_text(
        "# Own\n[a](other.md#a-head-and-code) [b](#own) [c](https://example.org/x) `[d](e)`\n"
        "[f](missing.md) [g](other.md#no-head) ![h](x.png) [i](#other)\n```sh\n[j](k)\n```\n"
    )
    assert wrong_links(page) == ["missing.md", "other.md#no-head", "x.png", "#other"]


def test_every_room_has_its_place_in_the_reference():
    source = ROOT / "src"
    rooms = {
        ".".join(stub.parent.relative_to(source).parts) for stub in source.rglob("__init__.pyi")
    }
    shown = set(re.findall(r"automodule:: (\S+)$", REFERENCE, re.M))
    assert rooms - {"conceptbind"} <= shown


def test_every_name_of_the_top_level_is_in_its_table():
    text = (ROOT / "docs" / "reference" / "conceptbind.rst").read_text(encoding="utf-8")
    named = set(re.findall(r"`~?conceptbind\.(?:\w+\.)*(\w+)`", text))
    stub = ast.parse((Path(conceptbind.__file__).parent / "__init__.pyi").read_text())
    public = {
        name.name for node in stub.body if isinstance(node, ast.ImportFrom) for name in node.names
    }
    assert public == named


def test_every_command_has_its_options_in_the_reference():
    assert re.findall(r"command:: (\w+)", REFERENCE) == list(cli.COMMANDS)


def tables():
    """The tables that figures are drawn from, by the name of their file."""
    pages = ("speed.md", "questions/controlled.md")
    text = "".join((ROOT / "docs" / page).read_text(encoding="utf-8") for page in pages)
    kept = r"^<!-- ((?:speed|controlled)/\w+)\.csv -->\n((?:\|.*\n)+)"
    for name, table in re.findall(kept, text, re.M):
        lines = table.splitlines()
        yield name, [[cell.strip() for cell in line[1:-1].split("|")] for line in lines]


@pytest.mark.parametrize(
    ("name", "table"), [pytest.param(*found, id=found[0]) for found in tables()]
)
def test_a_table_is_the_file_that_its_figure_is_drawn_from(name, table):
    with (ROOT / "docs" / f"{name}.csv").open(encoding="utf-8", newline="") as file:
        assert list(csv.reader(file)) == [table[0], *table[2:]]


@pytest.mark.parametrize("name", ["history", "transition", "rule"])
def test_a_figure_of_controlled_models_is_drawn_from_what_is_kept(name):
    chart = plots.controlled()[name]
    figure = (plots.CONTROLLED / f"{name}.svg").read_text(encoding="utf-8")
    said = html.unescape(figure)
    points = [point for series in chart.series for point in series.points]
    assert len(points) > 30
    assert all(series.name in said for series in chart.series)


@pytest.mark.parametrize("name", ["tiny", "tiny-bound"])
def test_a_figure_of_a_watch_is_drawn_from_its_table(name):
    chart = plots.watched()[name]
    figure = html.unescape((plots.WATCHED / f"{name}.svg").read_text(encoding="utf-8"))
    assert all(len(series.points) > 8 for series in chart.series)
    assert all(series.name in figure for series in chart.series)


@pytest.mark.parametrize("plot", plots.PLOTS, ids=lambda plot: plot.name)
def test_a_figure_shows_the_numbers_of_its_table(plot):
    figure = (plots.SPEED / f"{plot.name}.svg").read_text(encoding="utf-8")
    texts = [html.unescape(text).strip() for text in re.findall(r"<text[^>]*>([^<]*)<", figure)]
    rows = plots.read(plot.name)
    labels = [plots.shown(row[column]) for column in plot.columns for row in rows]
    assert [text for text in texts if text in labels] == labels
    assert all(plots.number(label) > 0 for label in labels)


def test_every_file_of_speed_is_shown():
    shown = {name.removeprefix("speed/") for name, _ in tables() if name.startswith("speed/")}
    assert {path.stem for path in plots.SPEED.glob("*.csv")} == shown
    assert {path.stem for path in plots.SPEED.glob("*.svg")} == {plot.name for plot in plots.PLOTS}
    page = (ROOT / "docs" / "speed.md").read_text(encoding="utf-8")
    assert all(f"](speed/{plot.name}.svg)" in page for plot in plots.PLOTS)


LONGEST = 30
"""Words of the longest sentence."""


def sentences(page: Path) -> list[str]:
    """The sentences of a page, without headings, tables and code."""
    text = re.sub(r"<!--.*?-->|^:::.*?^:::$", "", prose(page), flags=re.S | re.M)
    text = re.sub(r"!?\[((?:[^\]\[]|\[[^\]]*\])*)\]\([^)]*\)", r"\1", text)
    text = re.sub(r"`[^`]*`", "CODE", re.sub(r"^[ \t]*[|#].*$", "", text, flags=re.M))
    parts = re.split(r"\n\s*\n|\n(?=\s*(?:[-*]|\d+\.) )", text)
    found = []
    for part in parts:
        found += re.split(r"(?<=[.!?])\** (?=[A-Z(\"*0-9])", " ".join(part.split()))
    return list(filter(None, found))


@pytest.mark.parametrize("page", READ, ids=lambda page: str(page.relative_to(ROOT)))
def test_no_sentence_is_long(page):
    words = {s: len(re.findall(r"\S*\w\S*", s)) for s in sentences(page)}
    assert [s for s, number in words.items() if number > LONGEST] == []


def test_long_sentences_are_found(tmp_path):
    page = tmp_path / "page.md"
    long = " ".join(["word"] * (LONGEST + 1))
    page.write_text(
        f"# {long}\n\nShort. {long.capitalize()}. Short `{long}` again.\n\n| {long} |\n"
    )
    assert sentences(page) == ["Short.", f"{long.capitalize()}.", "Short CODE again."]


# --- the built site
# --------------------------------------------------------------------------------------------------


class Page(HTMLParser):
    """The anchors of a page of the site, and what it links to and loads."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.ids: set[str] = set()
        self.links: list[str] = []
        self.loaded: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        given = dict(attributes)
        self.ids |= {value for name, value in attributes if name in ("id", "name") and value}
        if tag == "a" and given.get("href"):
            self.links.append(given["href"])
        elif tag == "link" and given.get("rel") in ("stylesheet", "preload", "icon", "preconnect"):
            self.loaded.append(given["href"])
        elif given.get("src"):
            self.loaded.append(given["src"])


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The site, built as CI builds it: every warning is an error."""
    for name in ("sphinx", "myst_nb", "furo"):
        pytest.importorskip(name)
    out = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "sphinx", "-W", "-n", "--keep-going", "-q", "docs", str(out)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-5000:]
    return out


@pytest.mark.slow
def test_every_link_of_the_site_leads_to_a_page_and_an_anchor_and_nothing_is_loaded(site):
    pages = {path: Page(path.read_text(encoding="utf-8")) for path in site.rglob("*.html")}
    assert len(pages) > 40
    wrong = []
    for path, page in pages.items():
        for link in (*page.links, *page.loaded):
            parts = urlsplit(link)
            if parts.scheme in ("http", "https", "mailto") and link in page.links:
                continue
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            anchors = pages[target].ids if target in pages and parts.fragment else {parts.fragment}
            if parts.scheme or not target.is_file() or unquote(parts.fragment) not in anchors:
                wrong.append(f"{path.relative_to(site)}: {link}")
    assert wrong == []
    for sheet in site.rglob("*.css"):
        assert not re.findall(r"(?:@import|url\()\s*['\"]?(?:https?:)?//", sheet.read_text()), sheet


@pytest.mark.slow
def test_the_reference_shows_shapes_errors_and_sources(site):
    page = (site / "reference" / "geometry.html").read_text(encoding="utf-8")
    text = re.sub(r"<[^>]+>", "", page)
    assert 'id="conceptbind.geometry.fit_additive"' in page
    for shown in ("(n, d) one row per scene", "ShapeError", "arXiv 2605.31503, section 4"):
        assert shown in text
    options = (site / "reference" / "options.html").read_text(encoding="utf-8")
    assert "--long-captions" in options


KINDS = (
    "index",
    "howto/gate",
    "background/whitening",
    "tutorials/more-objects",
    "reference/controlled",
    "reference/command-line",
    "genindex",
    "search",
)
"""Pages of each kind: tables and code that scroll, notebooks, signatures, options, the index."""


@pytest.mark.slow
@in_browser
@pytest.mark.parametrize("page", KINDS)
def test_everybody_can_use_a_page_of_the_site(site, browser, page):
    for size, scheme in (("phone", "light"), ("desktop", "dark")):
        shown, wrong = opened(browser, site / f"{page}.html", *SIZES[size], color_scheme=scheme)
        assert wrong == []
        assert shown.evaluate("document.documentElement.scrollWidth") <= SIZES[size][0]
        assert violations(shown) == []
        shown.close()


@pytest.mark.slow
@in_browser
def test_only_what_scrolls_sideways_is_a_stop_of_the_keyboard(site, browser):
    page, _ = opened(browser, site / "background/whitening.html", *SIZES["phone"])
    table = page.locator(".table-wrapper[tabindex='0']")
    assert table.get_attribute("aria-label") == "table, scrolls sideways"
    page.set_viewport_size({"width": 1280, "height": 900})
    page.wait_for_function("!document.querySelector('.table-wrapper[tabindex]')")
    page.close()
