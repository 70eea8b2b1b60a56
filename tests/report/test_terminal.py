"""Tables of the terminal: folded to its width, and never a word or a number cut."""

from __future__ import annotations

import fcntl
import os
import struct
import subprocess
import sys
import termios

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len

from conceptbind.report.terminal import terminal_table

LINES = [
    ("modality", "metric", "value", "95 % interval", "bag of concepts", "n"),
    ("text", "concept recognition (color)", "100 %", "98.0 % to 100 %", "100 %", "1,289"),
    ("both", "swap error", "17.2 %", "14.0 % to 20.8 %", "-", "576"),
]


def test_without_a_width_every_cell_stays_on_one_line():
    assert terminal_table(LINES, 2).splitlines() == [
        "modality  metric                        value     95 % interval  bag of concepts      n",
        "text      concept recognition (color)   100 %   98.0 % to 100 %            100 %  1,289",
        "both      swap error                   17.2 %  14.0 % to 20.8 %                -    576",
    ]


def test_text_is_folded_before_numbers():
    assert terminal_table(LINES, 2, 64).splitlines() == [
        "                                                   bag of",
        "modality  metric        value     95 % interval  concepts      n",
        "text      concept       100 %   98.0 % to 100 %     100 %  1,289",
        "          recognition",
        "          (color)",
        "both      swap error   17.2 %  14.0 % to 20.8 %         -    576",
    ]


def test_numbers_are_folded_between_words_where_nothing_else_helps():
    assert terminal_table(LINES, 2, 58).splitlines() == [
        "                                     95 %    bag of",
        "modality  metric        value    interval  concepts      n",
        "text      concept       100 %   98.0 % to     100 %  1,289",
        "          recognition               100 %",
        "          (color)",
        "both      swap error   17.2 %   14.0 % to         -    576",
        "                                   20.8 %",
    ]


def test_where_the_longest_words_do_not_fit_nothing_is_folded():
    assert terminal_table(LINES, 2, 40) == terminal_table(LINES, 2)


def test_a_head_alone_and_columns_of_text_alone():
    assert terminal_table([("metric", "n")], 1, 80) == "metric  n"
    assert terminal_table([("a", "b"), ("cc", "d")], 2, 80) == "a   b\ncc  d"


def test_cells_are_text_and_not_markup():
    table = terminal_table([("name", "n"), ("[red]x[/red] :smile:", "1"), ("\x1b[31mred", "2")], 1)
    assert "[red]x[/red] :smile:  1" in table
    assert "\x1b" not in table


def test_columns_hold_where_characters_are_two_wide():
    lines = terminal_table([("name", "n"), ("紅い丸", "1"), ("red", "2")], 1).splitlines()
    assert {cell_len(line) for line in lines} == {len("紅い丸") * 2 + 3}


@pytest.mark.parametrize(
    "variables",
    [{"FORCE_COLOR": "1"}, {"NO_COLOR": "1"}, {"COLUMNS": "20"}, {"TERM": "dumb"}],
    ids=lambda variables: next(iter(variables)),
)
def test_the_text_is_the_same_in_every_environment(monkeypatch, variables):
    expected = terminal_table(LINES, 2, 64)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert terminal_table(LINES, 2, 64) == expected


WORD = st.text("abcdefgh()-", min_size=1, max_size=12)
NUMBER = st.from_regex(r"[+-]?[0-9]{1,3}\.[0-9]( %)?", fullmatch=True)
CELL = st.lists(WORD | NUMBER, min_size=1, max_size=5).map(" ".join)


@settings(max_examples=60, deadline=None)
@given(
    st.integers(1, 5).flatmap(
        lambda n: st.lists(st.lists(CELL, min_size=n, max_size=n), min_size=1, max_size=5)
    ),
    st.integers(0, 5),
    st.integers(1, 120),
)
def test_folding_keeps_every_word_and_the_width(lines, text_columns, width):
    natural, folded = (terminal_table(lines, text_columns, x) for x in (None, width))
    for found in (natural, folded):
        assert sorted(" ".join(found.split()).split()) == sorted(
            " ".join(cell for line in lines for cell in line).split()
        )
    words = [max(map(len, _words(column))) for column in zip(*lines, strict=True)]
    if sum(words) + 2 * (len(words) - 1) <= width:
        assert max(map(len, folded.splitlines())) <= width
    else:
        assert folded == natural
    assert not any(line.strip().startswith("%") for line in folded.splitlines())


def _words(cells):
    """What may not be cut: words, and numbers with their per cent sign."""
    return " ".join(cells).replace(" %", "_%").split(" ")


RUN = """
import sys
from dataclasses import dataclass
from conceptbind import cli
from conceptbind.commands.command import Command
from conceptbind.core.records import Records
from conceptbind.report.terminal import terminal_table
from conceptbind.report.shown import Shown
class Result(Shown):
    folder, records, said = None, Records(), ()
    def text(self, width=None):
        return terminal_table(%r, 2, width)
@dataclass(frozen=True, kw_only=True)
class Told(Command[Result]):
    out: str = "x"
    def work(self):
        return Result()
cli.COMMANDS = {"render": Told}
sys.exit(cli.main(["render"]))
"""


@pytest.mark.parametrize("columns", [58, 64, 200])
def test_a_command_folds_its_table_to_the_terminal(columns):
    ours, theirs = os.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    with os.fdopen(ours, "rb") as terminal:
        variables = {name: text for name, text in os.environ.items() if name != "COLUMNS"}
        words = [sys.executable, "-c", RUN % (LINES,)]
        done = subprocess.run(words, stdout=theirs, env=variables, check=False)
        os.close(theirs)
        printed = os.read(terminal.fileno(), 10_000).decode().replace("\r\n", "\n")
    assert done.returncode == 0
    assert printed == terminal_table(LINES, 2, columns) + "\n"


def test_a_command_folds_nothing_where_there_is_no_terminal():
    words = [sys.executable, "-c", RUN % (LINES,)]
    variables = os.environ | {"COLUMNS": "58", "PYTHONIOENCODING": "ascii"}
    done = subprocess.run(words, capture_output=True, env=variables, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, terminal_table(LINES, 2) + "\n"), done.stderr
