"""Results as they show themselves: in a line, in about ten lines, in a notebook, as their page."""

from __future__ import annotations

import re
import webbrowser
from pathlib import Path

import pytest

from conceptbind import Run, load_run, measure
from conceptbind.core.errors import FileError
from conceptbind.core.findings import Verdict, Verdicts
from conceptbind.core.records import Record, Records
from conceptbind.report.levels import HEAD, level_rows
from conceptbind.report.shown import Framed

COMMON = {
    **{"study": "probe", "modality": "text", "metric": "object_recognition", "n": 40},
    **{"split": "pair", "scenes": "s", "encoder": "tiny"},
}
RECORDS = Records([Record.of(**COMMON, value=0.9), Record.of(**COMMON, value=0.1)])
VERDICTS = (
    Verdict("yes", "Held.", 0.99999, 1, "text", 1289, "bag_of_concepts"),
    Verdict("no", "Tied.", 0.25, 2, "image", 12, "chance"),
    Verdict("partly", "Used.", 0.6815, 3, "both", 336, "chance"),
    Verdict("yes", "Helps.", 0.983, 3, "both", 336, "no repair", repairs=True),
    Verdict("unclear", "Who knows.", None),
)
ANSWER = {"sentence": "It binds <b>.", "why": "To go on:", "next": "conceptbind apply a & b"}
HOSTILE = "<script>alert(1)</script>\u202e\x1b[31m"


def run(folder: Path, **given) -> Run:
    options = {"verdicts": VERDICTS, "sentences": ("Held.", "Used."), "told": {"answer": ANSWER}}
    options |= given
    return Run(folder, RECORDS, provenance={}, **options)


@pytest.fixture
def with_page(tmp_path):
    page = '<!doctype html><html><head><title>P</title></head><body class="a">1 &lt; 2</body>'
    (tmp_path / "report.html").write_text(page)
    return run(tmp_path)


def test_each_verdict_is_a_row():
    assert level_rows(VERDICTS) == [
        ("1", "decodable from captions?", "yes", "binding score 0.999", "1,289", "bag of concepts"),
        ("2", "usable within pictures?", "no", "25.0 %", "12", "chance"),
        ("3", "usable between pictures and captions?", "partly", "68.2 %", "336", "chance"),
        ("3", "does a linear repair help?", "yes", "98.3 %", "336", "no repair"),
        ("-", "-", "cannot be judged", "-", "-", "-"),
    ]


def test_a_short_line_says_what_it_is_and_where(tmp_path):
    assert repr(run(Path("runs/it"))) == "<Run of tiny: 2 records in runs/it>"
    deep = repr(run(Path("a" * 90, "b" * 90)))
    assert deep == f"<Run of tiny: 2 records in ...{'b' * 27}>"


VERDICT = Verdict("yes", "It <b>binds</b>.", 0.88649, 1, "text", 289, "bag_of_concepts")


def test_verdicts_show_themselves_in_a_line_and_in_a_notebook():
    assert repr(VERDICT) == "<Verdict of level 1 (text): yes, score 0.886, n = 289>"
    usable = Verdict("partly", "In part.", 0.68152, 3, "both", 336)
    assert repr(usable) == "<Verdict of level 3 (both): partly, score 68.2 %, n = 336>"
    assert ">68.2 %</td>" in usable._repr_html_()  # as everywhere else
    assert repr(Verdict("unclear", "No.", None)) == "<Verdict: unclear>"
    both = Verdicts((VERDICT, Verdict("no", "No.", None)))
    assert repr(both) == "<2 verdicts: level 1 yes, level - no>"
    assert len(repr(Verdicts([VERDICT] * 50))) < 100
    assert both == (VERDICT, both[1])
    table = both._repr_html_()
    assert table.count("<tr>") == 3
    assert "It &lt;b&gt;binds&lt;/b&gt;." in table
    for cell in (">0.886<", ">bag of concepts<", ">289<", ">-<"):
        assert cell in table
    assert VERDICT._repr_html_() == Verdicts((VERDICT,))._repr_html_()


def test_in_print_the_levels_stand_for_their_sentences(with_page):
    shown = str(with_page).splitlines()
    assert shown[0] == "It binds <b>."
    assert re.split("  +", shown[2]) == [*HEAD]
    assert "binding score 0.999" in shown[3]
    assert shown[-5:] == [
        *("", "To go on:", "  conceptbind apply a & b", ""),
        f"Page: {with_page.folder / 'report.html'} (.show() opens it)",
    ]
    assert "Held." not in str(with_page)


def test_without_levels_every_sentence_is_printed_once(tmp_path):
    found = run(tmp_path, verdicts=(), told={}, sentences=("One.", "Two.", "One."))
    assert str(found) == "One.\nTwo."
    assert found.advice == ("", "")


def test_a_run_read_back_says_all_with_its_levels_and_the_next_command(tmp_path):
    run = measure(
        "tiny", scenes="clevr2d", studies="crossmodal", modality="both", out=tmp_path / "run"
    )
    found = load_run(tmp_path / "run" / "results.json")
    assert found.folder == tmp_path / "run"
    told = found.text()
    assert told.startswith(found.answer)
    assert all(sentence in told for sentence in found.sentences)
    assert "usable between pictures and captions?" in told
    assert found.advice[1] in told
    assert told.endswith(f"Report: {tmp_path / 'run' / 'report.html'}")
    assert found.records == run.records


def test_html_is_text_whatever_names_hold_and_sets_no_colour(with_page):
    told = {"answer": {"sentence": HOSTILE, "why": HOSTILE, "next": HOSTILE}}
    verdicts = (Verdict("yes", "", 1.0, 1, "text", 4, HOSTILE),)
    html = run(with_page.folder, verdicts=verdicts, told=told)._repr_html_()
    assert "<script" not in html
    assert not re.search("[\u202e\x1b]", html)
    assert html.count("&lt;script&gt;") == 4
    assert "color" not in html
    assert '<th scope="col"' in html
    assert "report.html</code>" in html
    assert "2 records" in html


def test_a_browser_opens_the_page_or_its_place_is_said(with_page, monkeypatch, capsys):
    opened = []
    monkeypatch.setattr(webbrowser, "open", lambda address: opened.append(address) or True)
    page = with_page.folder / "report.html"
    with_page.show()
    assert opened == [page.as_uri()]
    assert capsys.readouterr().out == f"Opened in your browser: {page}\n"
    monkeypatch.setattr(webbrowser, "open", lambda address: False)
    with_page.show()
    assert capsys.readouterr().out == f"Found no browser. Open this file in one: {page}\n"


def test_where_there_is_no_page_it_says_so(tmp_path):
    with pytest.raises(FileError, match=r"has no report\.html; \.frame\(\) has the records"):
        run(tmp_path).show()
    (tmp_path / "page.json").write_text("{}")
    with pytest.raises(FileError, match=r"; conceptbind report \S+ draws it again"):
        run(tmp_path).show()
    with pytest.raises(FileError, match="nothing was written, so there is no page"):
        run(None).show()


def test_a_page_in_a_notebook_is_kept_whole_and_alone(with_page):
    html = Framed(with_page.folder / "report.html")._repr_html_()
    assert "&lt;body class=&quot;a&quot;&gt;1 &amp;lt; 2&lt;/body&gt;" in html
    assert 'sandbox="allow-scripts allow-popups allow-downloads"' in html
    assert "&lt;head&gt;&lt;base href=&quot;about:srcdoc&quot;&gt;" in html
    assert repr(Framed(Path("a.html"))) == "Page: a.html"


CELLS = (
    "import conceptbind\n"
    'result = conceptbind.measure("tiny", scenes="text20:3x3", studies="probe", controls=False)\n'
    "result",
    "print(result)",
    "result.show()",
    "result.frame().head(2)",
    "conceptbind.load_run(result.folder)",
    'conceptbind.load_scenes("text20:3x3")',
    "result.verdicts",
    "result.verdicts[0]",
    'conceptbind.resolve("tiny")',
)


@pytest.mark.slow
def test_in_a_real_kernel(tmp_path):
    """What a person sees below the cells."""
    nbclient = pytest.importorskip("nbclient")
    pytest.importorskip("ipykernel")
    import nbformat

    book = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in CELLS])
    path = str(tmp_path)
    nbclient.NotebookClient(book, timeout=120, resources={"metadata": {"path": path}}).execute()
    shown, printed, page, table, again, *short = (cell["outputs"] for cell in book.cells)
    html = shown[-1]["data"]["text/html"]
    assert html.startswith("<p><strong>tiny knows which adjective belongs to which noun")
    assert "decodable from captions?" in html
    assert shown[-1]["data"]["text/plain"].startswith("<Measurement of tiny: ")
    assert len(printed[0]["text"].splitlines()) <= 12
    assert "Page: runs/" in printed[0]["text"]
    (display,) = page
    assert '<iframe srcdoc="&lt;!doctype html&gt;' in display["data"]["text/html"]
    assert display["data"]["text/plain"].startswith("Page: runs/")
    assert "<th>metric</th>" in table[0]["data"]["text/html"]
    assert again[0]["data"]["text/html"] == html
    scenes, verdicts, verdict, encoder = (one[0]["data"] for one in short)
    assert "81 scenes of 2 objects; 3 values of adjective" in scenes["text/html"]
    assert verdicts["text/html"].count("<tr>") == 2
    assert verdict["text/html"] == verdicts["text/html"]
    assert verdict["text/plain"].startswith("<Verdict of level 1 (text): yes, score ")
    assert encoder["text/plain"] == "<encoder tiny: captions and pictures, 256 dimensions>"
    assert all(len(one["text/plain"]) < 100 for one in (scenes, verdicts, verdict, encoder))


def test_a_run_of_a_version_without_verdicts_says_so(tmp_path):
    found = run(tmp_path, verdicts=(), told={}, sentences=())
    said = "The version that made this run kept no verdicts. Its"
    assert said in str(found)
    assert said in found._repr_html_()
    assert found.text().startswith(said)
