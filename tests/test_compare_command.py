"""`conceptbind compare`: folders of runs, what is skipped, names that are code, and its gate."""

from __future__ import annotations

import csv
import html
import re
import unicodedata
import webbrowser
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import url2pathname

import pytest

import conceptbind
from conceptbind import cli
from conceptbind.core.errors import ValueRangeError
from conceptbind.core.outcomes import FILE
from made import run_folder

EVIL = "<script>alert(1)<script>&'=1+1"


@pytest.fixture
def runs(tmp_path):
    place = tmp_path / "runs"
    for name, hits, kept in (("good", 90, True), ("bad", 50, True), ("old", 52, False)):
        run_folder(place / name, hits, kept=kept)
    (place / "notes").mkdir()
    (place / "todo.txt").write_text("nothing")
    return place


def test_a_folder_of_runs_is_a_leaderboard(runs, tmp_path, capsys):
    assert cli.main(["compare", str(runs), "--out", str(tmp_path / "board")]) == 0
    said = capsys.readouterr().out
    assert f"Skipped in {runs}, since they hold no results.json: notes." in said
    assert "todo.txt" not in said
    page = (tmp_path / "board" / "compare.html").read_text().replace("\u00a0", " ")
    assert "Level 1, decodable from captions: good is first (90.0 %)." in page
    lead = "good is best at the recognition of objects in captions (90.0 %, next is old with"
    assert said.startswith(lead) or lead in said.partition("\n\n")[0] + said
    assert re.search(rf'id="answer"[^>]*><p>{re.escape(lead)}', page)
    assert "not paired: no outcomes kept" in page
    assert "since they hold no results.json: notes." in html.unescape(page)
    with (tmp_path / "board" / "pairs.csv").open() as file:
        pairs = list(csv.reader(file))
    assert [row[1:3] for row in pairs[1:]] == [
        ["good", "old"],
        ["good", "bad"],
        ["old", "bad"],
    ]
    assert r"+40.0 points" in (tmp_path / "board" / "pairs.tex").read_text()


def test_in_python_paths_and_results_are_runs(runs, monkeypatch):
    found = conceptbind.compare([runs / "good", conceptbind.load_run(runs / "bad")])
    assert repr(found) == "<Comparison of 2 runs on 1 number>"
    frame = found.frame()
    assert frame[["board", "rank", "run", "value", "n"]].to_numpy().tolist() == [
        ["decodable-text", 1, "good", 0.9, 100],
        ["decodable-text", 2, "bad", 0.5, 100],
    ]
    assert "<td" in found._repr_html_()
    assert ">bad<" in found._repr_html_()
    opened = []
    monkeypatch.setattr(webbrowser, "open", lambda address: opened.append(address) or True)
    found.show()  # a page of its own, in a temporary folder
    (address,) = opened
    page = Path(url2pathname(urlsplit(address).path)).read_text(encoding="utf-8")
    assert "Every run on every level" in page
    assert found.folder is None


def test_broken_and_foreign_folders_are_named_in_one_line(runs, tmp_path, capsys):
    empty = tmp_path / "empty"
    (empty / "below").mkdir(parents=True)
    assert cli.main(["compare", str(empty)]) == 2
    assert f"{empty} is not a run folder: it holds no results.json" in capsys.readouterr().err
    (runs / "bad" / FILE).write_bytes(b"no outcomes")
    assert cli.main(["compare", str(runs / "good"), str(runs / "bad")]) == 2  # named directly
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert f"{runs / 'bad' / FILE}" in error


def test_a_word_that_no_run_has_is_refused_before_a_file_is_written(runs, tmp_path, capsys):
    out = ["--out", str(tmp_path / "board")]
    assert cli.main(["compare", str(runs), *out, "--require", "decodable.txt>=0"]) == 2
    error = "no record of decodable has the word 'txt'; did you mean 'text'"
    assert error in capsys.readouterr().err
    assert not (tmp_path / "board").exists()
    # a modality or benchmark that is not there is no typo: the requirement is not met
    assert cli.main(["compare", str(runs), "--require", "decodable.image>=0"]) == 1
    assert "the run has no such number" in capsys.readouterr().out


def test_names_that_are_code_stay_text(tmp_path):
    one = run_folder(tmp_path / EVIL, 60, encoder=EVIL)
    two = run_folder(tmp_path / "=cmd|'!A1", 50)
    found = conceptbind.compare([one, two], out=tmp_path / "board")
    page = (tmp_path / "board" / "compare.html").read_text().replace("\u00a0", " ")
    assert "<script>alert" not in page
    assert html.escape(EVIL, quote=False).split("'")[0] in page
    assert "<script>" not in found._repr_html_()
    ranking = (tmp_path / "board" / "ranking.csv").read_text()
    assert ",'=cmd|'!A1," in ranking
    assert r"\textless{}script\textgreater{}" in (tmp_path / "board" / "ranking.tex").read_text()
    assert "<script>" not in (tmp_path / "board" / "ranking.md").read_text()


def test_every_run_has_to_meet_every_requirement(runs, tmp_path, capsys):
    wanted = ["--require", "decodable.text>=60%", "--junit", str(tmp_path / "junit.xml")]
    assert cli.main(["compare", str(runs), *wanted]) == 1
    said = capsys.readouterr().out
    assert "Gate: 1 of 3 requirements met." in said
    assert "not met: bad: decodable.text >= 60.0 %; came 50.0 %" in said
    assert "  met: good: " in said
    assert (tmp_path / "junit.xml").read_text().count("<testcase") == 3
    assert cli.main(["compare", str(runs / "good"), "--require", "decodable.text.low>=80%"]) == 0
    assert cli.main(["compare", str(runs), "--require", "across>="]) == 2


def test_one_run_is_first_and_has_no_gate(runs):
    found = conceptbind.compare([runs / "good"])
    assert [board.entries[0].rank for board in found.boards] == [1]
    assert found.gate is None
    assert found.by_run["good"][0].value == 0.9


def test_a_broken_run_of_a_folder_is_named_and_skipped(runs, tmp_path, capsys):
    (runs / "bad" / "results.json").write_text("[1, 2")
    foreign = runs / "foreign"
    foreign.mkdir()
    (foreign / "results.json").write_text('{"loss": 1}')
    assert cli.main(["compare", str(runs)]) == 0
    said = capsys.readouterr().out
    assert f"Skipped {runs / 'bad'}: " in said
    assert f"Skipped {foreign}: " in said
    cut = runs / "old-cut"
    run_folder(cut, 60, kept=True)
    (cut / FILE).write_bytes((cut / FILE).read_bytes()[:40])
    assert cli.main(["compare", str(runs)]) == 0
    assert f"Skipped {cut}: " in capsys.readouterr().out
    assert cli.main(["compare", str(runs / "good"), str(runs / "bad")]) == 2  # named directly
    assert capsys.readouterr().err.count("\n") == 1


def test_why_nothing_is_ranked(runs, tmp_path):
    alone = conceptbind.compare([runs / "good"])
    said = "Nothing is ranked: good is the only run. Give another beside it."
    assert (alone.unranked, alone.notes) == ((said,), ())
    assert alone.text().startswith(said)
    twice = conceptbind.compare([runs / "good", runs / "bad" / ".." / "good"])
    assert twice.notes[0] == "A run that was given twice counts once."
    assert len(twice.runs) == 1
    assert conceptbind.compare([runs / "good", runs / "bad"]).notes == ()


def test_a_run_folder_is_no_place_for_a_comparison(runs, capsys):
    before = sorted((runs / "good").iterdir())
    assert cli.main(["compare", str(runs / "good"), "--out", str(runs / "good")]) == 2
    assert "is a run folder" in capsys.readouterr().err
    assert sorted((runs / "good").iterdir()) == before


def test_a_results_file_stands_for_its_folder(runs):
    found = conceptbind.compare([runs / "good" / "results.json", runs / "bad"])
    assert [entry.run for entry in found.boards[0].entries] == ["good", "bad"]
    assert repr(found.boards[0]) == "<Board decodable-text: 2 runs>"
    assert ">good<" in found.boards[0]._repr_html_()
    assert all(re.fullmatch(r"<PaperTable \S+: \d+ rows?>", repr(one)) for one in found.tables)
    assert ">good<" in found.tables[0]._repr_html_()


def test_names_move_no_cursor_and_break_no_line(runs, tmp_path, capsys):
    run_folder(tmp_path / "odd" / "\x1b[31mred\x1b]0;title\x07", 60)
    run_folder(tmp_path / "odd" / "two\nlines", 50)
    assert cli.main(["compare", str(tmp_path / "odd")]) == 0
    said = capsys.readouterr().out
    assert not any(unicodedata.category(letter) == "Cc" for letter in said.replace("\n", ""))
    assert said.splitlines()[0].startswith(" [31mred ]0;title  is best")


@pytest.mark.parametrize("name", ["[v2] tiny", "*star"])
def test_a_row_of_latex_begins_with_no_option(tmp_path, name):
    one, two = run_folder(tmp_path / name, 60), run_folder(tmp_path / "other", 50)
    conceptbind.compare([one, two], out=tmp_path / "board")
    for file in (tmp_path / "board").glob("*.tex"):
        lines = file.read_text().splitlines()
        assert not any(line.lstrip().startswith(("[", "*")) for line in lines)
    assert "{}" + name in (tmp_path / "board" / "ranking.tex").read_text()


def test_nothing_to_compare_is_told_by_what_is_taken():
    with pytest.raises(ValueRangeError, match="runs: expected a list of folders or results; got"):
        conceptbind.compare(None)
