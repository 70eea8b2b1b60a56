"""Progress: a bar on a terminal, few plain lines elsewhere."""

from __future__ import annotations

import io
import sys

import pytest

from conceptbind.run.bars import Drawn, Lines, progress, steps


class Terminal(io.StringIO):
    def isatty(self):
        return True


def terminal(monkeypatch):
    """The error stream as a terminal; inside a test, since pytest takes the stream before each."""
    stream = Terminal()
    monkeypatch.setattr(sys, "stderr", stream)
    monkeypatch.setenv("TERM", "xterm")
    return stream


def test_where_there_is_no_terminal_a_line_comes_at_most_every_ten_seconds():
    now, stream = [0.0], io.StringIO()
    with Lines("embedding text", 1000, "scene", stream, lambda: now[0]) as bar:
        for second in range(26):
            now[0] = float(second)
            bar.update(40)
            bar.note("batch")
    assert stream.getvalue().splitlines() == [
        "embedding text: 440 of 1,000 scenes (batch)",
        "embedding text: 840 of 1,000 scenes (batch)",
    ]


def test_what_is_done_at_once_writes_nothing(capsys):
    with progress("reading", unit="item") as bar:
        assert isinstance(bar, Lines)
        bar.update(3)
        assert bar.n == 3
    with steps("probing", 2) as step:
        step("color")
    assert capsys.readouterr().err == ""


def test_a_line_beside_is_written_at_once(capsys):
    with progress("training models", 2, "model") as bar:
        bar.line("2 models are trained")
        bar.restart("probing models", 2)
        assert (bar.what, bar.n) == ("probing models", 0)
    assert capsys.readouterr().err == "2 models are trained\n"


def test_a_terminal_sees_bars_one_below_the_other(monkeypatch):
    screen = terminal(monkeypatch)
    with progress("outer [text]", 4, "step") as outer:
        assert isinstance(outer, Drawn)
        outer.update(3)
        with steps("inner", 2) as step:
            step("[color]")
        outer.line("said [beside]")
        outer.restart("again", 2)
        outer.update(2)
    text = screen.getvalue()
    for shown in ("outer [text]", "inner", "[color]", "said [beside]", "again", "2/2"):
        assert shown in text
    assert Drawn._all is None


def test_a_bar_hands_the_terminal_back_when_its_work_fails(monkeypatch):
    screen = terminal(monkeypatch)
    with pytest.raises(ZeroDivisionError), progress("dividing", 1):
        raise ZeroDivisionError
    assert Drawn._all is None
    with progress("again", 1) as bar:
        bar.update()
    assert "again" in screen.getvalue()
