"""The page of `compare` in a real browser: right at four sizes, nothing fetched, no violation of
WCAG A and AA, and names of runs that stay text.
"""

from __future__ import annotations

import pytest

import conceptbind
from browsing import OPEN_ALL, SIZES, TOO_WIDE, TORN, in_browser, opened, violations
from made import run_folder

pytestmark = in_browser
EVIL = "<img src=x onerror=alert(1)>&'=1+1"


@pytest.fixture(scope="module")
def page_file(tmp_path_factory):
    """Four runs on two levels: two that tie, one without outcomes, one with markup for a name."""
    top = tmp_path_factory.mktemp("compare")
    hits = {"good": 90, "nearly as good": 89, "without outcomes": 60, EVIL: 50}
    runs = [
        run_folder(top / name, right, kept=name != "without outcomes", encoder=name)
        for name, right in hits.items()
    ]
    conceptbind.compare(runs, out=top / "board")
    return top / "board" / "compare.html"


@pytest.mark.parametrize("size", SIZES.values(), ids=SIZES)
def test_the_page_opens_whole(browser, page_file, size):
    page, wrong = opened(browser, page_file, *size)
    assert wrong == []
    assert page.locator("figure.chart svg:visible").count() > 0
    page.evaluate(OPEN_ALL)
    assert page.evaluate("document.documentElement.scrollWidth") <= size[0]
    assert page.evaluate(TOO_WIDE, size[0]) == []
    assert page.evaluate(TORN) == []
    page.close()


@pytest.mark.slow  # axe takes its time
@pytest.mark.parametrize("size", ["phone", "desktop"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_no_violation(browser, page_file, size, scheme):
    page, _ = opened(browser, page_file, *SIZES[size], color_scheme=scheme)
    page.evaluate(OPEN_ALL)
    assert violations(page) == []
    page.close()


def test_names_of_runs_stay_text(browser, page_file):
    page, wrong = opened(browser, page_file)
    page.on("dialog", lambda dialog: wrong.append(dialog.message))
    page.wait_for_timeout(200)
    assert wrong == []
    assert page.locator("img[src=x]").count() == 0
    assert (
        page.get_by_role("cell", name=EVIL, exact=True).count()
        + page.get_by_role("rowheader", name=EVIL, exact=True).count()
        > 0
    )
    page.close()
