"""Tables for papers: from runs to Markdown, CSV and LaTeX."""

from __future__ import annotations

import csv
import io
import json

import pytest

from conceptbind import compare
from conceptbind.cli import main
from conceptbind.core.errors import ConceptBindError
from conceptbind.core.records import Record, Records
from conceptbind.report import paper_tables
from conceptbind.report.tables import PaperTable


def row(study, metric, value, **extra):
    return {
        "study": study,
        "modality": "text",
        "metric": metric,
        "value": value,
        "n": 10,
        "split": "all",
        "scenes": "s",
        "encoder": "e",
        **extra,
    }


ROWS = [
    row("probe", "concept_recognition", 1.0, concept="color"),
    row("probe", "concept_recognition", 0.75, concept="shape"),
    row("probe", "object_recognition", 0.5),
    row("probe", "object_recognition", 0.25, control="bag_of_concepts"),
    row("additive", "r2", 0.9, additive_level=1, estimator="avg+pos", slots="apart"),
    row("additive", "r2", 0.8, additive_level=1, estimator="avg+pos", slots="apart", split="test"),
    row("removal", "concept_recognition", 0.125, removed="concepts", concept="color"),
    row("removal", "object_recognition", 0.99, removed="concepts"),
    row("edit", "edit_probing", 0.6, estimator="avg", steering=1.0, attribute="all"),
    row("edit", "edit_probing", 0.1, estimator="avg", steering=2.0, attribute="all"),
]


@pytest.fixture
def runs(tmp_path):
    for name in ("one", "two_&_three"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "results.json").write_text(
            json.dumps({"provenance": {}, "records": ROWS})
        )
    return [str(tmp_path / name) for name in ("one", "two_&_three")]


def test_each_table_holds_every_run_by_hand():
    tables = {
        table.name: table
        for table in paper_tables({name: Records(map(Record.read, ROWS)) for name in "ab"})
    }
    assert tables["binding"].rows[:3] == (
        ("a", "text", "concepts", "75.0 %", "-", "10"),
        ("a", "text", "objects", "50.0 %", "-", "10"),
        ("a", "text", "bag of concepts, objects", "25.0 %", "-", "10"),
    )
    assert tables["r2"].rows == tuple(
        (run, "text", "2 (objects)", "avg+pos", "0.900", "0.800", "-", "-", "-", "-", "10", "10")
        for run in "ab"
    )
    assert tables["removal"].rows[1] == (
        "b",
        "text",
        "minus concept part",
        "12.5 %",
        "99.0 %",
        "10",
    )
    assert tables["edits"].rows[0] == (
        *("a", "text", "probing", "avg", "60.0 %", "-", "-"),
        *("10", "-", "-"),
    )
    assert paper_tables({"a": Records()}) == []


def test_the_three_forms_say_the_same():
    table = PaperTable(
        "t", "A table", ("run", "R2", "n"), (("a_b|c", "0.500", "1,000"), ("50 %", "-", "7"))
    )
    assert list(csv.reader(io.StringIO(table.csv()))) == [
        ["run", "R2", "n"],
        ["a_b|c", "0.5", "1000"],
        ["0.5", "", "7"],
    ]
    lines = table.markdown().splitlines()
    assert len({len(line) for line in lines}) == 1
    assert r"a_b\|c" in lines[2]
    latex = table.latex()
    assert r"a\_b\textbar{}c & 0.500 & 1,000 \\" in latex
    assert r"50 \% & - & 7 \\" in latex
    assert r"\begin{tabular}{lrr}" in latex
    assert r"run & $R^2$ & n \\" in latex


def test_programs_read_plain_numbers():
    rows = (
        ("a", "98.2 % (97.9 % to 100 %)", "0.5 to 0.7", "+1.2 points (-0.5 to +2.0)"),
        ("b to c", "-", "-", "-0.3 points"),
    )
    table = PaperTable("t", "A table", ("run", "share", "interval", "change"), rows)
    assert list(csv.reader(io.StringIO(table.csv()))) == [
        [
            *("run", "share", "share low", "share high", "interval low", "interval high"),
            *("change", "change low", "change high"),
        ],
        ["a", "0.982", "0.979", "1", "0.5", "0.7", "0.012", "-0.005", "0.02"],
        ["b to c", "", "", "", "", "", "-0.003", "", ""],
    ]


def test_the_command_writes_them_and_prints_markdown(runs, tmp_path, capsys):
    assert main(["compare", *runs, "--out", str(tmp_path / "tables")]) == 0
    printed = capsys.readouterr().out
    assert "| two_&_three | text" in printed
    names = {file.name for file in (tmp_path / "tables").iterdir()}
    assert names == {"compare.html"} | {
        f"{name}.{suffix}"
        for name in ("binding", "r2", "removal", "edits", "levels", "ranking", "pairs")
        for suffix in ("csv", "md", "tex")
    }
    assert r"two\_\&\_three" in (tmp_path / "tables" / "edits.tex").read_text()
    found = compare(runs)
    assert found.folder is None
    assert str(found) in printed


def test_what_is_no_run_is_named(runs, tmp_path, capsys):
    with pytest.raises(
        ConceptBindError, match="nowhere is not a run folder: it holds no results.json"
    ):
        compare([runs[0], str(tmp_path / "nowhere")])
    (tmp_path / "one" / "results.json").write_text("[1, 2]")
    assert main(["compare", runs[0]]) == 2
    assert "is not of the form that conceptbind writes" in capsys.readouterr().err
    with pytest.raises(ConceptBindError, match="at least one run folder"):
        compare([])


def test_small_p_values_are_powers_of_ten_in_latex():
    table = PaperTable("pairs", "Pairs", ("run", "exact p"), (("a", "1.7e-12"), ("b", "0.031")))
    assert r"a & $1.7\cdot10^{-12}$ \\" in table.latex()
    assert r"\begin{tabular}{lr}" in table.latex()
    assert "1.7e-12" in table.csv()
