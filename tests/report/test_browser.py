"""The page in a real browser, at four sizes: nothing fetched, nothing cut, every chart drawn, no
violation of WCAG A and AA that axe-core finds; sorted, filtered and saved as a reader would.
"""

from __future__ import annotations

import csv
import io
import json
import shutil
import subprocess
from xml.etree import ElementTree

import pytest

from browsing import OPEN_ALL, SIZES, TOO_WIDE, TORN, in_browser, opened, violations

A4 = 688
"""Pixels across of a sheet of A4 between margins of 14 mm."""

pytestmark = in_browser


@pytest.fixture
def report(main_job):
    """The report of the main job: two modalities, pictures, galleries."""
    return main_job.folder / "report.html"


SMALLEST = """Math.min(...[...document.querySelectorAll('p, td, dd, .caption, svg text')]
.filter(element => element.getClientRects().length)
.map(element => {
  const size = parseFloat(getComputedStyle(element).fontSize);
  const svg = element.closest('svg');
  return svg ? size * svg.getBoundingClientRect().width / svg.viewBox.baseVal.width : size;
}))"""
VALUES = "all => all.map(card => card.dataset.values)"
COLOURS = """names => Object.fromEntries(names.map(name => {
  const probe = document.body.appendChild(document.createElement('i'));
  probe.style.color = `var(--${name})`;
  const found = getComputedStyle(probe).color;
  probe.remove();
  return [name, found];
}))"""


@pytest.mark.parametrize("size", SIZES.values(), ids=SIZES)
def test_the_report_opens_whole(browser, report, size):
    page, wrong = opened(browser, report, *size)
    assert wrong == []
    for part in page.locator("details.part").all():  # the appendix, folded on a phone alone
        assert (part.get_attribute("open") is None) == (size == SIZES["phone"])
    page.evaluate(OPEN_ALL)
    charts = page.locator("figure.chart")
    # for each modality bars, two of cosines, three of geometry and one of complexity; wordings; two
    # across, three of repair
    assert charts.count() == 20
    for i in range(charts.count()):
        drawings = charts.nth(i).locator("svg")
        shown = [drawing for drawing in drawings.all() if drawing.is_visible()]
        (drawing,) = shown
        assert drawing.locator("path").count() > 2
        assert len(drawing.get_attribute("aria-label")) > 20
    assert page.evaluate("document.documentElement.scrollWidth") <= size[0]
    assert page.evaluate(TOO_WIDE, size[0]) == []
    assert page.evaluate(TORN) == []
    assert page.locator("#answer p").first.is_visible()
    broken = "[...document.images].filter(image => !image.complete || !image.naturalWidth).length"
    assert page.evaluate(broken) == 0
    assert page.evaluate(SMALLEST) >= 10
    page.close()


OTHER = pytest.mark.long
"""Axe takes its time for so large a page, so each run of CI opens every size and both schemes
once."""
PAIRS = [
    pytest.param("phone", "light"),
    pytest.param("tablet", "dark"),
    pytest.param("desktop", "light"),
    pytest.param("wide", "dark"),
    pytest.param("phone", "dark", marks=OTHER),
    pytest.param("tablet", "light", marks=OTHER),
    pytest.param("desktop", "dark", marks=OTHER),
    pytest.param("wide", "light", marks=OTHER),
]


@pytest.mark.parametrize(("size", "scheme"), PAIRS)
def test_axe_finds_no_violation(browser, report, size, scheme):
    page, _ = opened(browser, report, *SIZES[size], color_scheme=scheme)
    page.evaluate(OPEN_ALL)
    assert violations(page) == []
    page.close()


def contrast(one, other):
    """The ratio of WCAG 2.1 between two colours `rgb(r, g, b)`."""

    def luminance(colour):
        parts = [int(part) / 255 for part in colour[4:-1].split(",")]
        parts = [p / 12.92 if p <= 0.03928 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
        return sum(w * p for w, p in zip((0.2126, 0.7152, 0.0722), parts, strict=True))

    high, low = sorted((luminance(one), luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_graphics_and_their_words_stand_out(browser, report, scheme):
    """Axe does not look into drawings: 3:1 for graphics, 4.5:1 for words."""
    page, _ = opened(browser, report, color_scheme=scheme)
    names = [
        "own",
        "random",
        "twin",
        "bag",
        "other",
        "paper",
        "ink",
        "soft",
        "on",
        "card",
        "ground",
    ]
    colours = page.evaluate(COLOURS, names)
    for name in ("own", "random", "twin", "bag", "other", "paper"):
        assert contrast(colours[name], colours["card"]) >= 3, name
        assert contrast(colours[name], colours["on"]) >= 4.5, name
    for name in ("ink", "soft"):
        for ground in ("card", "ground"):
            assert contrast(colours[name], colours[ground]) >= 4.5, (name, ground)
    page.close()


@pytest.mark.slow
def test_headings_are_in_the_contents_and_can_be_linked_to(browser, report):
    page, _ = opened(browser, report)
    links = page.locator("nav a").all()
    assert len(links) > 10
    for link in links:
        target = link.get_attribute("href")
        assert page.locator(target).count() == 1, target
    ids = page.evaluate("[...document.querySelectorAll('[id]')].map(element => element.id)")
    assert len(ids) == len(set(ids))
    for heading in page.locator("h2, h3, h4").all():
        assert heading.get_attribute("id")
        assert (
            heading.locator("a.anchor").get_attribute("href") == f"#{heading.get_attribute('id')}"
        )
    titles = [link.inner_text() for link in links]
    assert titles[0] == "The answer"
    behind = titles.index("Appendix: why or why not")
    assert titles.index("A linear repair of the captions") < behind
    assert titles.index("Captions: what the embeddings are made of") > behind
    page.locator("nav a", has_text="A linear repair of the captions").click()
    page.wait_for_function("document.querySelector('nav a[aria-current]')?.hash === '#repair'")
    assert page.locator("nav").bounding_box()["y"] == 0  # it stays in view
    page.close()


def test_a_gallery_shows_six_and_is_filtered_by_concept(browser, report):
    page, _ = opened(browser, report)
    gallery = page.locator(".gallery[aria-label='Pictures that chose another caption']")
    seen = gallery.locator(".scene:visible")
    assert gallery.locator(".scene").count() == 24
    assert seen.count() == 6
    filters = gallery.locator("xpath=preceding-sibling::div[contains(@class, 'filters')]")
    count = gallery.locator("xpath=preceding-sibling::p[@role='status']")
    assert count.get_attribute("aria-live") == "polite"
    assert count.inner_text() == ""  # nothing is said before something changes
    filters.locator("select").first.select_option("red")
    fits = sum("red" in one for one in gallery.locator(".scene").evaluate_all(VALUES))
    assert count.inner_text().split(";")[0] == f"{fits} of 24 scenes"
    assert ("; the first 6 are shown" in count.inner_text()) == (fits > 6)
    captions = [card.locator("dd").first.inner_text() for card in seen.all()]
    assert captions
    assert all("red" in caption for caption in captions)
    filters.locator("select").first.select_option("")
    gallery.locator("xpath=following-sibling::button").click()
    assert seen.count() == 24
    assert count.inner_text() == "24 of 24 scenes"
    page.close()


def test_a_number_of_an_object_leads_to_its_scenes(browser, report):
    page, _ = opened(browser, report)
    number = page.locator("#probe-image-by-object a[data-pick]").first
    name = json.loads(number.get_attribute("data-pick"))["object"]
    number.click()
    assert page.evaluate("location.hash") == "#probe-image-wrong"
    seen = page.locator("section:has(> #probe-image-wrong) .scene:visible")
    listed = [json.loads(one)["object"] for one in seen.evaluate_all(VALUES)]
    assert listed
    assert all(name in objects for objects in listed)
    chosen = page.locator("section:has(> #probe-image-wrong) select[name=object]")
    assert chosen.input_value() == name
    page.close()


def test_a_number_of_an_object_at_level_2_leads_to_all_its_missed_scenes(browser, report):
    page, _ = opened(browser, report)
    cells = page.locator("section:has(> #within-text-objects) table.shares a[data-find]")
    assert cells.count() > 10
    for place in range(3):
        cell = cells.nth(place)
        name, listed = cell.get_attribute("data-find"), cell.get_attribute("href")
        cell.click()
        rows = page.locator(f"{listed} tbody tr:visible").all_inner_texts()
        assert rows
        assert all(name in row for row in rows)
        box = page.locator(f".find:has(+ .wide > {listed}) input")
        assert box.is_visible()
        assert box.bounding_box()["y"] >= 0
    # the verdict leads to all of them again
    heading = listed.removesuffix("-missed")
    page.evaluate("hash => { location.hash = hash; }", heading)
    page.wait_for_function(
        "listed => !document.querySelector(`.find:has(+ .wide > ${listed}) input`).value",
        arg=listed,
    )
    assert page.locator(f"{listed} tbody tr:visible").count() > len(rows)
    page.close()


def test_a_link_opens_its_list_as_often_as_it_is_followed(browser, report):
    page, _ = opened(browser, report)
    link = page.locator(".verdict a[href^='#items-']").first
    details = page.locator(f"{link.get_attribute('href')} + details")
    for _ in range(2):
        link.click()
        assert details.get_attribute("open") is not None
        details.locator("summary").first.click()
        assert details.get_attribute("open") is None
    page.close()


def test_a_number_of_a_mistake_leads_to_its_rows(browser, report):
    page, _ = opened(browser, report)
    number = page.locator("#probe-image-values a[data-find]").first
    mistake, listed = number.get_attribute("data-find"), page.locator("#probe-image-missed")
    assert not listed.is_visible()
    number.click()
    assert page.evaluate("location.hash") == "#probe-image-missed"
    rows = listed.locator("tbody tr:visible")
    assert rows.count() == int(number.inner_text())
    assert all(mistake in text for text in rows.all_inner_texts())
    box = page.get_by_label("Find in the rows of the table “Scenes that went wrong”").first
    assert box.input_value() == mistake
    box.fill("")
    whole = rows.count()
    assert whole > int(number.inner_text())
    box.fill("no such words")
    assert rows.count() == 0
    box.fill(mistake.upper())
    assert rows.count() == int(number.inner_text())
    page.close()


def test_a_table_sorts_by_a_column_both_ways(browser, report):
    page, _ = opened(browser, report)
    table = page.locator("#probe-image-scores")
    head = table.locator("thead th").nth(1)

    def shares():
        return [
            float(cell.inner_text().split()[0]) for cell in table.locator("td:nth-child(2)").all()
        ]

    head.locator("button").click()
    assert (head.get_attribute("aria-sort"), shares()) == ("ascending", sorted(shares()))
    head.locator("button").press("Enter")
    found = (head.get_attribute("aria-sort"), shares())
    assert found == ("descending", sorted(shares(), reverse=True))
    page.close()


def test_rows_that_stand_as_cards_are_sorted_by_a_list(browser, report):
    page, _ = opened(browser, report, *SIZES["phone"])
    choice = page.get_by_label("Sort by, for the table “Recognition in the test scenes”").first
    assert choice.is_visible()
    table = choice.locator("xpath=../following-sibling::div[1]/table")

    def shares():
        return [
            float(cell.split()[0]) for cell in table.locator("td:nth-child(2)").all_inner_texts()
        ]

    given = shares()
    choice.focus()
    choice.select_option(label="share, descending")
    assert shares() == sorted(given, reverse=True)
    assert table.locator("th[aria-sort]").get_attribute("aria-sort") == "descending"
    choice.select_option(label="share, ascending")
    assert shares() == sorted(given)
    choice.select_option(label="order of the page")
    assert (shares(), table.locator("th[aria-sort]").count()) == (given, 0)
    # what cannot be seen takes no focus
    heads, reached = table.locator("thead button"), "all => all.map(button => button.tabIndex)"
    assert set(heads.evaluate_all(reached)) == {-1}
    page.set_viewport_size({"width": 1280, "height": 900})
    assert not choice.is_visible()
    assert set(heads.evaluate_all(reached)) == {0}
    assert page.locator(".sort").count() > 10
    page.close()


def test_a_long_table_of_cards_shows_its_first_rows(browser, report):
    page, _ = opened(browser, report, 390, 844)
    table = page.locator("table.data:visible:has(tr.beyond)").first.element_handle()
    n = table.evaluate("table => table.tBodies[0].rows.length")
    seen = "table => [...table.tBodies[0].rows].filter(row => row.offsetHeight > 0).length"
    assert table.evaluate(seen) == 8 < n
    title = table.evaluate("table => table.caption.textContent")
    page.get_by_role("button", name=f"Show all {n} rows of the table “{title}”").first.click()
    assert table.evaluate(seen) == n
    page.set_viewport_size({"width": 1280, "height": 900})
    hidden = "[...document.querySelectorAll('tr.beyond')].map(row => getComputedStyle(row).display)"
    assert set(page.evaluate(hidden)) == {"table-row"}
    assert not page.locator("button.rest:visible").count()
    page.close()


@pytest.mark.slow
def test_the_contents_mark_where_one_is(browser, report):
    page, _ = opened(browser, report)
    marked = "() => document.querySelector('nav a[aria-current]').hash"
    assert page.evaluate(marked) == "#answer"
    for link in page.locator("nav a").all():
        link.click()
        page.wait_for_timeout(60)
        assert page.evaluate(marked) == link.get_attribute("href")
    page.mouse.move(800, 400)
    page.mouse.wheel(0, -1_000_000)
    page.wait_for_function("scrollY === 0")
    page.wait_for_timeout(60)
    assert page.evaluate(marked) == "#answer"
    page.close()


def test_no_number_is_cut_from_its_unit(browser, report):
    page, _ = opened(browser, report)
    page.evaluate(OPEN_ALL)
    cut = """[...document.querySelectorAll('main :is(td, th, p, dd, figcaption, summary)')]
    .map(part => part.textContent).filter(text => /\\d (%|points)|\\b[np] = \\d/.test(text))"""
    assert page.evaluate(cut) == []
    page.close()


def test_charts_and_tables_are_saved_as_files(browser, report, tmp_path):
    page, _ = opened(browser, report)

    def saved(button, name):
        with page.expect_download() as download:
            button.click()
        assert download.value.suggested_filename == name
        download.value.save_as(tmp_path / name)
        return (tmp_path / name).read_bytes()

    figure = page.locator("#recognition-image")
    drawing = saved(figure.get_by_role("button", name="SVG"), "recognition-image.svg")
    assert ElementTree.fromstring(drawing).tag.endswith("}svg")
    assert b"var(" not in drawing
    picture = saved(figure.get_by_role("button", name="PNG"), "recognition-image.png")
    from PIL import Image

    with Image.open(io.BytesIO(picture)) as image:
        assert image.size[0] == 2 * 880
        assert len(image.convert("RGB").getcolors(1 << 20)) > 20
    table = page.locator("#probe-image-scores")
    button = table.locator("xpath=../following-sibling::div[1]//button")
    rows = list(csv.reader(io.StringIO(saved(button, "probe-image-scores.csv").decode())))
    assert rows[0][:4] == ["recognition of", "share", "95 % interval low", "95 % interval high"]
    for row in rows[1:]:
        share, low, high = map(float, row[1:4])
        assert 0 <= low <= share <= high <= 1
    assert [row[0] for row in rows[1:]] == ["color", "shape", "objects"]
    page.close()


def test_on_paper_nothing_is_cut(browser, report):
    page, _ = opened(browser, report, A4, 1000)
    page.emulate_media(media="print")
    page.evaluate("document.querySelector('details.part').open = false")
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert page.evaluate(TOO_WIDE, A4) == []
    assert all(part.is_visible() for part in page.locator("details.paper pre").all())
    assert page.locator("details.part figure").first.is_visible()
    assert not page.locator("nav").is_visible()
    for gallery in page.locator(".gallery").all():
        cards = gallery.locator(".scene")
        shown = sum(card.is_visible() for card in cards.all())
        assert shown == min(6, cards.count())
    displays = "[...document.querySelectorAll('thead')].map(head => getComputedStyle(head).display)"
    heads = page.evaluate(displays)
    assert set(heads) == {"table-header-group"}
    page.evaluate("dispatchEvent(new Event('afterprint'))")  # on the screen all is as it was
    assert page.locator("details.part:not([open])").count() == 1
    assert page.locator("details.paper[open]").count() == 0
    page.close()


def test_what_a_phone_folds_is_open_where_one_jumps_to(browser, report):
    page, _ = opened(browser, report, *SIZES["phone"])
    figure = page.locator("details.part figure").last
    assert not figure.is_visible()
    page.evaluate("id => { location.hash = id; }", figure.get_attribute("id"))
    figure.wait_for(state="visible")
    page.close()


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("pdftotext") is None, reason="pdftotext reads the sheets")
def test_printed_tables_repeat_their_heads_and_no_head_stands_alone(browser, report, tmp_path):
    page, _ = opened(browser, report)
    page.evaluate("""() => {
      const many = document.querySelector('#probe-image-scores');
      const row = many.tBodies[0].rows[0];
      for (let i = 0; i < 150; i += 1) many.tBodies[0].append(row.cloneNode(true));
    }""")
    page.pdf(path=tmp_path / "sheets.pdf", prefer_css_page_size=True)
    read = ["pdftotext", "-layout", tmp_path / "sheets.pdf", "-"]
    text = subprocess.run(read, capture_output=True, text=True, check=True).stdout
    sheets = text.rstrip("\f").split("\f")
    headed = [sheet for sheet in sheets if "recognition of" in sheet]
    assert len(headed) > 3  # the long table, and that of captions
    # what is cut from its rows: a head, or what a figure or table is called
    last = [sheet.rstrip().splitlines()[-1].strip() for sheet in sheets if sheet.strip()]
    titles = {one.inner_text().rstrip(" #") for one in page.locator("h2, h3, h4, caption").all()}
    links = {one.inner_text() for one in page.locator(".verdict a").all()}
    assert [line for line in last if line in titles - links] == []
    assert page.locator("thead button").count() > 50  # back on the screen they can be pressed
    page.close()


def test_names_of_a_user_stay_text(browser, tmp_path):
    """Markup in captions, values, file and encoder names is shown, and runs nothing."""
    import numpy as np

    from conceptbind import measure
    from conceptbind.scenes import ConceptSpace, full_grid

    evil = "<img src=x onerror=alert(1)>"
    colours = ("red", f"b{evil}", "</script><script>alert(2)</script>", "'\"{{7*7}}")
    space = ConceptSpace(("color", f"shape{evil}"), (colours, ("cube", "=1+1", "ball")))
    scenes = full_grid(space, 2, name=f"s{evil}")
    rows = np.random.default_rng(0).standard_normal((len(scenes), 24))
    out = str(tmp_path / "run")
    found = measure(rows, scenes=scenes, modality="text", complexity="none", out=out)
    page, wrong = opened(browser, found.folder / "report.html")
    page.on("dialog", lambda dialog: wrong.append(dialog.message))
    page.wait_for_timeout(200)
    assert wrong == []
    assert page.locator("img[src=x]").count() == 0
    assert evil in page.locator("header").inner_text()
    assert page.locator("#probe-text-by-object").inner_text().count("alert(2)") == 1
    page.close()
