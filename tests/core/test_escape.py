"""Names are text wherever they are written: no formula, no tag, no row of their own; numbers stay
numbers.
"""

from __future__ import annotations

import csv
import io
import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from conceptbind.core.escape import csv_cell, csv_text, latex, markdown, one_line, plain_cell
from conceptbind.core.records import Record
from conceptbind.core.text import read_table
from conceptbind.pictures import draw_pictures
from conceptbind.repairs.labclip import Adapter, save_adapter
from conceptbind.report.tables import PaperTable
from conceptbind.report.terminal import terminal_table
from conceptbind.run import RunFolder
from conceptbind.scenes import ConceptSpace, full_grid, load_scenes

FORMULAS = [
    "=cmd|'/C calc'!A0",
    "+1+cmd|' /C calc'!A0",
    "-2+3+cmd|' /C calc'!A0",
    "@SUM(1+1)*cmd|' /C calc'!A0",
    "\t=1+1",
    "\r=1+1",
    "\n=1+1",
    '=HYPERLINK("http://x","y")',
    "＝1+1",
    "＋1",
    "－1",
    "＠x",
    "  =1+1",
    "-",
    "--1",
    "+6 -0",
    "+85.7 points",
    "-1-1",
    "-x",
    "-1,2;3",
]
NUMBERS = ["-0.5", "+0.5", "-1", "1e-5", "-1.5e+3", "-1,234.5", "-3.2 %", "0", ".5", "-"]


def first_letters(text):
    return {cell[:1] for row in csv.reader(io.StringIO(text, newline="")) for cell in row}


@pytest.mark.parametrize("formula", [text for text in FORMULAS if text != "-"])
def test_what_a_spreadsheet_runs_is_text(formula):
    written = csv_text([[formula, "a"], ["b", formula]])
    assert first_letters(written) == {"'", "a", "b"}
    assert [plain_cell(cell) for cell in next(csv.reader(io.StringIO(written, newline="")))] == [
        formula,
        "a",
    ]


@pytest.mark.parametrize("number", NUMBERS)
def test_numbers_stay_numbers(number):
    assert csv_cell(number) == number
    assert csv_text([[number]]).strip().strip('"') == number
    assert plain_cell(number) == number


def test_values_that_are_no_text_stay():
    assert (
        csv_text([[-1, -0.5, np.float64(-2.5), None, True, float("-inf")]])
        == "-1,-0.5,-2.5,,True,-inf\n"
    )


@given(st.text())
def test_every_cell_comes_back(cell):
    assert plain_cell(csv_cell(cell)) == cell
    assert not re.match(r"[=+\-@\t\r\n]", csv_cell(cell)) or re.fullmatch(
        r"-|[+-][\d,.]+([eE][+-]?\d+)?( %)?", csv_cell(cell)
    )


@given(st.text())
def test_every_name_is_one_cell_and_one_line(text):
    found = PaperTable("t", "T", ("a", "b"), ((text, "1"), (text, "2")))
    assert len(found.markdown().split("\n")) == 4
    for line in found.markdown().split("\n"):
        assert len(re.findall(r"(?<!\\)(?:\\\\)*\|", line)) == 3
    assert found.latex().count("\n") == 9
    assert "<" not in found.markdown()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("<script>alert(1)</script>", "&lt;script&gt;alert(1)&lt;/script&gt;"),
        ("a|b\nc", "a\\|b c"),
        ("a\\|b", "a\\\\\\|b"),
        ("[x](javascript:alert(1))", "\\[x\\](javascript:alert(1))"),
        ("![x](http://y)", "!\\[x\\](http://y)"),
        ("`a`", "\\`a\\`"),
        ("&lt;script&gt;", "&amp;lt;script&amp;gt;"),
        ("tiny_bound R&D 3.5", "tiny_bound R&D 3.5"),
    ],
)
def test_markdown_shows_a_name_as_it_stands(text, expected):
    assert markdown(text) == expected


def test_latex_sets_a_name_as_it_stands():
    assert latex('a_b & 50% of $x^2$ {#} ~ \\ | <b>\n"') == (
        r"a\_b \& 50\% of \$x\textasciicircum{}2\$ \{\#\} \textasciitilde{} \textbackslash{} "
        r"\textbar{} \textless{}b\textgreater{} "
        r"\textquotedbl{}"
    )


def test_a_terminal_gets_no_controls():
    assert one_line("a\x1b[2Jb\r\nc\u202ed") == "a [2Jb c d"
    assert "\x1b" not in terminal_table([["name", "n"], ["\x1b[31mred", "1"]], 1)


EVIL = "=cmd|'/C calc'!A0\n<script>"


def test_the_table_of_a_run(tmp_path):
    folder = RunFolder.open(tmp_path / "run", {"seed": 0})
    record = Record.of(
        study="probe",
        modality="text",
        metric="r2",
        value=-0.25,
        n=3,
        ties=None,
        ci_low=-1.5,
        ci_high=-1e-9,
        split="test",
        scenes=EVIL,
        encoder="@evil",
        concept="+1",
        step=-3,
    )
    folder.write_results({"seed": 0}, [record])
    header, row = csv.reader(io.StringIO((folder.path / "results.csv").read_text(), newline=""))
    found = dict(zip(header, row, strict=True))
    # +1 is a number
    assert (found["scenes"], found["encoder"], found["concept"]) == (
        "'" + EVIL,
        "'@evil",
        "+1",
    )
    assert [float(found[name]) for name in ("value", "ci_low", "ci_high", "step")] == [
        -0.25,
        -1.5,
        -1e-9,
        -3,
    ]
    folder.write_table("failures.csv", ["caption"], [["-1 apple"], [EVIL]])
    assert first_letters((folder.path / "failures.csv").read_text()) == {"c", "'"}


def test_tables_of_several_runs():
    found = PaperTable(
        "edits", "Edits", ("run", "value"), ((EVIL, "-0.500"), ("a|b", "+85.7 points"))
    )
    assert found.csv() == f'run,value\n"\'{EVIL}",-0.5\na|b,0.857\n'
    assert found.markdown().splitlines()[2].startswith("| =cmd\\|'/C calc'!A0 &lt;script&gt; |")
    assert (
        r"=cmd\textbar{}'/C calc'!A0 \textless{}script\textgreater{} & -0.500 \\" in found.latex()
    )


def test_a_drawn_table_is_read_again(tmp_path):
    """A concept whose name is a formula: its columns are text to a spreadsheet, and the same name
    to our reader.
    """
    space = ConceptSpace(("=1+1 colour", "-shape"), (("red", "blue"), ("circle", "square")))
    try:
        draw_pictures(full_grid(space).select(np.arange(4)), tmp_path / "p")
    except ValueError:
        pytest.skip("the renderer does not know these concepts")
    text = (tmp_path / "p" / "scenes.csv").read_text()
    assert not {"=", "+", "@"} & first_letters(text)
    assert load_scenes(str(tmp_path / "p" / "scenes.csv")).space.concepts == space.concepts


def test_a_table_with_such_values_is_read_again(tmp_path):
    (tmp_path / "a.csv").write_text(
        csv_text([["colour", "shape"], ["-1 degree", "=cmd"], ["@red", "+x"]])
    )
    assert load_scenes(str(tmp_path / "a.csv")).space.values == (
        ("-1 degree", "@red"),
        ("=cmd", "+x"),
    )
    (tmp_path / "b.csv").write_text("colour,shape\n=red,'tis\n-2,'=x\n")
    assert load_scenes(str(tmp_path / "b.csv")).space.values == (("=red", "-2"), ("'tis", "=x"))
    assert read_table(tmp_path / "b.csv")[2][1] == ["-2", "'=x"]


def test_the_card_of_an_adapter(tmp_path):
    save_adapter(
        Adapter(
            np.eye(3, dtype=np.float32), 0.0, {"encoder": "x\n# title <script>", "revision": "1"}
        ),
        tmp_path / "a",
    )
    card = (tmp_path / "a" / "README.md").read_text()
    assert "- encoder: x # title &lt;script&gt;\n" in card
