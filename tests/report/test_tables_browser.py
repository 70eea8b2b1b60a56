"""Tables of a page in a real browser: CSV keeps names and ids, rows are found, and no name is wider
than a phone.
"""

from __future__ import annotations

import csv
import io

import pytest

from browsing import TOO_WIDE, in_browser, opened
from conceptbind.report.blocks import section, table
from conceptbind.report.page import render_page

pytestmark = in_browser
IDS = [f"{row:012d}" for row in range(12)]
HEAD = ("scene", "caption", "share", "95 % interval", "code")
CODES = ["x"] + ["1e5"] * 11
ROWS = [
    (IDS[row], f"{row} to 5 cubes", f"{row}.0 %", f"{row}.0 % to {row + 1}.0 %", CODES[row])
    for row in range(12)
]
HEAD = ("scene", "caption", "share", "95 % interval", "code")
ROWS = [
    (
        IDS[row],
        f"{row} to 5 cubes",
        f"{row}.0 %",
        f"{row}.0 % to {row + 1}.0 %",
        "1e5" if row else "x",
    )
    for row in range(12)
]


@pytest.fixture(scope="module")
def page_of_tables(tmp_path_factory):
    place = tmp_path_factory.mktemp("tables") / "report.html"
    parts = [vars(section("one", "One table", table(HEAD, ROWS)))]
    told = {"title": "T", "sentence": "S.", "notes": [], "sections": parts}
    render_page(place, "stress.html.j2", provenance={"conceptbind": "9.9"}, **told)
    return place


def saved(page, tmp_path):
    with page.expect_download() as caught:
        page.get_by_role("button", name="CSV of the table").first.click()
    caught.value.save_as(tmp_path / "t.csv")
    return list(csv.reader(io.StringIO((tmp_path / "t.csv").read_text(encoding="utf-8"))))


def test_csv_keeps_ids_captions_and_codes(browser, page_of_tables, tmp_path):
    page, wrong = opened(browser, page_of_tables)
    head, *rows = saved(page, tmp_path)
    assert head == ["scene", "caption", "share", "95 % interval low", "95 % interval high", "code"]
    assert [row[0] for row in rows] == IDS
    assert [row[1] for row in rows] == [row[1] for row in ROWS]
    assert [float(row[2]) for row in rows] == pytest.approx([k / 100 for k in range(12)])
    assert [row[5] for row in rows] == CODES
    assert wrong == []
    page.close()


def test_csv_holds_the_rows_that_were_found(browser, page_of_tables, tmp_path):
    page, _ = opened(browser, page_of_tables)
    page.get_by_label("Find in the rows of the table").fill("7 to 5")
    assert page.get_by_text("1 of 12 rows").is_visible()
    _, *rows = saved(page, tmp_path)
    assert [row[0] for row in rows] == [IDS[7]]
    page.close()


def test_long_names_of_a_filter_fit_a_phone(browser, main_job_of_long_names):
    page, _ = opened(browser, main_job_of_long_names, 390, 844)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    assert page.evaluate(TOO_WIDE, 390) == []
    page.close()


@pytest.fixture(scope="module")
def main_job_of_long_names(tmp_path_factory):
    """A gallery whose values have 60 characters."""
    from conceptbind.report.page import write_page

    long = ["a" * 60 + str(number) for number in range(8)]
    wrong = [
        {
            "values": {"color": [name]},
            "id": str(number),
            "caption": name,
            "picture": None,
            "true": [name],
            "read": [long[0]],
            "misbound": False,
            "tied": False,
        }
        for number, name in enumerate(long)
    ]
    data = {
        **{"modality": "text", "figure": "", "controls": [], "rows": [], "notes": []},
        **{"objects": None, "confused": [], "n": 8, "n_wrong": 8, "n_misbound": 0, "missed": []},
        "wrong": wrong,
    }
    part = {"id": "probe-text", "title": "P", "data": data, "appendix": False}
    place = tmp_path_factory.mktemp("long") / "report.html"
    told = {"title": "T", "sentence": "S.", "notes": []}
    sections = [part | {"template": "probe_section.html.j2"}]
    write_page(place, "stress.html.j2", provenance={"conceptbind": "9"}, sections=sections, **told)
    return place
