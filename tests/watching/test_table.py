"""The table: whole looks only, through kills and full disks."""

from __future__ import annotations

import shutil

import pytest

from conceptbind.core import files
from conceptbind.core.errors import FileError, MismatchError
from conceptbind.watching.section import CHARTS
from conceptbind.watching.table import HISTORY, TABLE, Table
from conceptbind.watching.words import Story, sentences
from watching.conftest import hits, look, number

WHO = {"scenes": "s", "hash": "h", "seed": 0}


def looks(*shares):
    for step, share in enumerate(shares):
        both = number(hits(share)), number(hits(50), modality="text", study="probe")
        yield look(step, *both, name=f"c{step}")


def kept(folder, *shares):
    table = Table(folder, WHO)
    for one in looks(*shares):
        table.add(one)
    table.close()
    return (folder / TABLE).read_bytes()


def test_what_was_written_is_read_again(tmp_path):
    text = kept(tmp_path / "w", 50, 80)
    again = Table(tmp_path / "w", WHO)
    assert (again.looks, again.names) == (2, {"c0", "c1"})
    assert (again.history.looks, again.history.comparisons, again.history.step) == (2, 2, 1)
    story = Story.of(again.rows())
    assert any("rose between step 0 and step 1" in told for told in sentences(story))
    again.close()
    assert (tmp_path / "w" / TABLE).read_bytes() == text


def test_names_that_a_spreadsheet_would_run_are_read_back_as_they_were(tmp_path):
    names = {"=cmd|evil-70", "+1+1", "-x-5", "@there-9", "'=quoted", "plain-3"}
    table = Table(tmp_path / "w", WHO)
    for step, name in enumerate(sorted(names)):
        table.add(look(step, number(hits(50)), name=name))
        assert table.latest[0]["checkpoint"] == name
    table.close()
    assert "'=cmd" in (tmp_path / "w" / TABLE).read_text()
    again = Table(tmp_path / "w", WHO)
    again.close()
    assert again.names == names


@pytest.mark.parametrize("left", [1, 40, 300])
def test_a_killed_write_leaves_no_half_look(tmp_path, left):
    """Whatever was cut off the table, the history has it."""
    text = kept(tmp_path / "w", 50, 80, 60)
    path = tmp_path / "w" / TABLE
    last = len(text) - len(b"".join(text.splitlines(keepends=True)[-2:]))
    path.write_bytes(text[: min(len(text) - left, len(text) - 1) if left < 300 else last])
    again = Table(tmp_path / "w", WHO)
    assert path.read_bytes() == text
    assert again.looks == 3
    again.close()


def test_a_kill_before_the_history_was_written_forgets_the_look(tmp_path):
    kept(tmp_path / "w", 50, 80)
    shutil.copytree(tmp_path / "w", tmp_path / "before")
    table = Table(tmp_path / "w", WHO)
    third = list(looks(1, 2, 60))[2]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("conceptbind.watching.table.write_piece", _killed)
        with pytest.raises(KeyboardInterrupt):
            table.add(third)
    table.close()
    again = Table(tmp_path / "w", WHO)
    assert again.looks == 2
    again.add(third)
    again.close()
    assert (tmp_path / "w" / TABLE).read_bytes() == kept(tmp_path / "whole", 50, 80, 60)


def _killed(*_):
    raise KeyboardInterrupt


def test_a_full_disk_loses_no_look_and_writes_none_in_part(tmp_path, monkeypatch):
    table = Table(tmp_path / "w", WHO)
    first, second, third = looks(50, 80, 60)
    table.add(first)
    before = (tmp_path / "w" / TABLE).read_bytes()
    calls = iter((lambda _: None, _full))  # the history is written, the table is not
    monkeypatch.setattr("conceptbind.watching.table.os.fsync", lambda file: next(calls)(file))  # noqa: PLW0108
    with pytest.raises(FileError, match="No space left on device; free some space"):
        table.add(second)
    assert (tmp_path / "w" / TABLE).read_bytes() == before
    assert "c1" in table.names
    monkeypatch.undo()
    table.add(third)
    table.close()
    assert (tmp_path / "w" / TABLE).read_bytes() == kept(tmp_path / "whole", 50, 80, 60)


def test_a_disk_that_was_full_before_remembers_nothing(tmp_path, monkeypatch):
    table = Table(tmp_path / "w", WHO)
    (first,) = looks(50)
    monkeypatch.setattr(files.os, "fsync", _full)
    with pytest.raises(FileError, match="No space left on device"):
        table.add(first)
    assert (table.looks, table.names, table.history.looks) == (0, set(), 0)
    table.close()


def _full(_):
    raise OSError(28, "No space left on device")


def test_a_folder_of_another_suite_is_refused(tmp_path):
    kept(tmp_path / "w", 50)
    with pytest.raises(MismatchError, match="holds another watch .seed: 0 there, 1 now"):
        Table(tmp_path / "w", {**WHO, "seed": 1})
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "mine.txt").write_text("x")
    with pytest.raises(MismatchError, match="holds files but no watch.json"):
        Table(tmp_path / "other", WHO)
    (tmp_path / "file").write_text("x")
    with pytest.raises(FileError, match="is a file"):
        Table(tmp_path / "file", WHO)


def test_what_was_changed_by_hand_is_named(tmp_path):
    text = kept(tmp_path / "w", 50, 80)
    path = tmp_path / "w" / TABLE
    path.write_bytes(text.replace(b"\n2,1,", b"\n7,1,"))
    with pytest.raises(FileError, match="was changed by hand"):
        Table(tmp_path / "w", WHO)
    path.write_bytes(text.replace(b"look,step", b"look,mark"))
    with pytest.raises(FileError, match="is not a table of this version"):
        Table(tmp_path / "w", WHO)
    path.write_bytes(text)
    (tmp_path / "w" / HISTORY).write_bytes(b"nothing")
    with pytest.raises(FileError, match="is broken"):
        Table(tmp_path / "w", WHO)


def test_what_the_axes_measure_fits_beside_the_ticks_on_a_phone():
    """At 390 px there are 290 px for it, about seven to a letter: 40 letters fit, 48 did not."""
    assert max(len(axis) for _, axis in CHARTS.values()) <= 40
