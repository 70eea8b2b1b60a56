"""The report in a real browser: no error, nothing fetched, every figure drawn, readable on a
phone.
"""

from __future__ import annotations

import shutil

import pytest

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
# the figure in three dimensions needs WebGL
FLAGS += [
    "--use-gl=swiftshader",
    "--enable-unsafe-swiftshader",
]

pytestmark = [
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),  # playwright's event loop
]


@pytest.fixture
def report(main_job):
    """The report of the main job: two modalities, pictures, galleries."""
    return main_job.folder / "report.html"


@pytest.fixture(scope="module")
def browser():
    sync_api = pytest.importorskip("playwright.sync_api")
    with sync_api.sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield chromium
        chromium.close()


@pytest.mark.parametrize(("width", "height"), [(1280, 900), (375, 720)], ids=["desktop", "phone"])
def test_the_report_opens(browser, report, width, height):
    page = browser.new_page(viewport={"width": width, "height": height})
    errors, requests = [], []
    slow = ("willReadFrequently", "GPU stall")  # what the browser says of its own software renderer
    page.on(
        "console",
        lambda message: (
            errors.append(message.text)
            if message.type in ("error", "warning")
            and not any(words in message.text for words in slow)
            else None
        ),
    )
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("request", lambda request: requests.append(request.url))
    page.goto(report.as_uri())
    page.wait_for_function("document.querySelectorAll('.plotly-graph-div .main-svg').length > 0")
    assert errors == []
    assert [url for url in requests if not url.startswith(("file:", "data:", "blob:"))] == []
    n_figures = page.locator(".plotly-graph-div").count()
    assert (
        n_figures == 17
        # for each modality bars, a table of objects, three of geometry and one of complexity; two
        # across them, three of the repair
    )
    for i in range(n_figures):
        figure = page.locator(".plotly-graph-div").nth(i)
        marks = figure.locator(
            ".bars path, .heatmaplayer image, .scatter path, .gl-container canvas"
        )
        assert marks.count() > 0  # something is drawn inside the axes
        box = figure.bounding_box()
        assert box["width"] > 200
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= width
    # nothing is cut off at the side
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.locator(".verdict p").first.is_visible()
    assert page.locator(".scene.choice img").count() == 24
    broken = page.evaluate(
        "[...document.images].filter(image => !image.complete || image.naturalWidth === 0).length"
    )
    assert broken == 0
    smallest = page.evaluate(
        "Math.min(...[...document.querySelectorAll('p, td, dd, .caption')].map(e => "
        "parseFloat(getComputedStyle(e).fontSize)))"
    )
    assert smallest >= 12
    page.close()
