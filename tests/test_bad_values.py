"""Whatever a program gives where a name, a path, an array or a number is expected, the answer is
one short line that says what came.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import conceptbind
from conceptbind.core.errors import (
    ECHOED,
    LONGEST,
    ConceptBindError,
    FileError,
    UnknownNameError,
    ValueRangeError,
    counted,
    cut,
    quoted,
)

LONG = [[float(i * j) for j in range(60)] for i in range(60)]
BAD = {
    "nothing": None,
    "number": 3,
    "fraction": 1.5,
    "lists": LONG,
    "names": ["a"] * 5000,
    "mapping": {"text": LONG},
    "set": {1, 2},
    "zero byte": "a\0b",
    "long text": "x" * 9000,
    "bytes": b"abc",
    "no numbers": np.array(["a"] * 9000),
    "object": object(),
}
CALLS = {
    "measure": lambda v: conceptbind.measure(v, scenes="text20:3x3"),
    "scenes": lambda v: conceptbind.measure("tiny", scenes=v),
    "modality": lambda v: conceptbind.measure("tiny", modality=v),
    "require": lambda v: conceptbind.measure("tiny", require=[v]),
    "redrawn": lambda v: conceptbind.measure("tiny", redrawn=[v]),
    "synonyms": lambda v: conceptbind.measure("tiny", scenes="text20:3x3", synonyms={"no": [v]}),
    "repair": lambda v: conceptbind.repair(v, out="there"),
    "captions": lambda v: conceptbind.repair("tiny", captions=[v], images="p", out="there"),
    "rate": lambda v: conceptbind.repair("tiny", rate=[v], out="there"),
    "apply": lambda v: conceptbind.apply(v, texts="rows.npy", out="there.npy"),
    "embed": lambda v: conceptbind.embed(v, scenes="text20:3x3", out="there"),
    "render": lambda v: conceptbind.render(v, out="there"),
    "size": lambda v: conceptbind.render("clevr2d", size=[v], out="there"),
    "compare": conceptbind.compare,
    "run": lambda v: conceptbind.compare([v]),
    "benchmark": lambda v: conceptbind.evaluate("tiny", benchmark=v, data="nowhere"),
    "data": lambda v: conceptbind.evaluate("tiny", benchmark="aro", data=v),
    "values": lambda v: conceptbind.train(values=[v], objects=[v]),
    "to": lambda v: conceptbind.export("nowhere", to=v, out="there"),
    "load_run": conceptbind.load_run,
    "load_scenes": conceptbind.load_scenes,
    "load_adapter": conceptbind.load_adapter,
    "resolve": conceptbind.resolve,
}


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("bad", BAD)
@pytest.mark.parametrize("call", CALLS)
def test_a_bad_value_is_told_in_one_short_line(call, bad):
    with pytest.raises(ConceptBindError) as caught:
        CALLS[call](BAD[bad])
    said = str(caught.value)
    assert len(said) <= 320, said
    assert "\n" not in said


def test_folders_where_files_are_meant_and_empty_places(tmp_path):
    folder = tmp_path / "folder"
    folder.mkdir()
    with pytest.raises(FileError, match="is not a table that conceptbind reads"):
        conceptbind.load_scenes(folder)
    with pytest.raises(FileError, match="holds no results.json"):
        conceptbind.load_run(folder)
    for path in (folder, Path("nowhere.npy")):
        with pytest.raises(ConceptBindError, match=path.name):
            conceptbind.measure(path, scenes="text20:3x3")
    with pytest.raises(FileError, match="^out is empty; write where to, or . for the folder"):
        conceptbind.measure("tiny", out="")
    with pytest.raises(FileError, match="^expected a path; got an empty one"):
        conceptbind.load_run("")
    with pytest.raises(UnknownNameError, match="^expected a name of scenes; got an empty one; kno"):
        conceptbind.measure("tiny", scenes="")


def test_functions_say_which_options_they_lack():
    with pytest.raises(ValueRangeError, match="^repair: missing a required .*'out'; see help"):
        conceptbind.repair("tiny")
    with pytest.raises(ValueRangeError, match="^sweep: too many positional arguments; see help"):
        conceptbind.sweep("tiny")


def test_options_of_another_type_say_what_is_expected():
    with pytest.raises(ValueRangeError, match="^controls: expected true or false; got 'yes'$"):
        conceptbind.measure("tiny", controls="yes")
    with pytest.raises(ValueRangeError, match="^redrawn: expected a whole number; got 2.5$"):
        conceptbind.measure("tiny", redrawn=2.5)
    with pytest.raises(ValueRangeError, match="^without: expected a list, each a text; got 3$"):
        conceptbind.measure("tiny", without=3)
    with pytest.raises(UnknownNameError, match="^unknown modality 'texts'; did you mean 'text'"):
        conceptbind.measure("tiny", modality="texts")


def test_values_are_quoted_on_one_line_and_cut():
    assert quoted("a\nb") == r"'a\nb'"
    assert quoted(LONG) == "[[0.0, 0.0, 0.0, ...], [0.0, 1.0, 2.0, ...], [0.0, 2.0, 4..."
    assert quoted(np.zeros((4, 5))) == "an array of shape (4, 5)"
    assert quoted(np.float64(1.5)) in ("1.5", "np.float64(1.5)")
    assert quoted(None) == "None"
    assert cut("a  b\nc") == "a b c"
    assert cut("x" * ECHOED) == "x" * ECHOED
    assert cut("x" * (ECHOED + 1)) == "x" * (ECHOED - 3) + "..."
    assert len(cut(" " * 900 + "x")) <= ECHOED


def test_a_message_keeps_its_beginning_and_its_end():
    said = str(ValueRangeError("wrong: " + "x" * 40_000 + "; do this"))
    assert len(said) <= LONGEST
    assert said.startswith("wrong: x")
    assert said.endswith("x; do this")
    assert str(FileError("short")) == "short"


def test_one_is_not_several():
    assert counted(1, "scene") == "1 scene"
    assert counted(0, "group") == "0 groups"
    assert counted(1000, "query") == "1,000 queries"
    assert counted(2, "class") == "2 classes"
    assert counted(2, "array") == "2 arrays"


@pytest.mark.slow
def test_names_with_commas_between_may_be_a_list(tmp_path):
    asked = {"scenes": "text20:3x3", "out": tmp_path / "run"}
    first = conceptbind.measure("minilm", studies=["probe", "geometry"], **asked)
    assert {"probe", "spectrum"} <= {record.study for record in first.records}
    again = conceptbind.measure("minilm", studies="probe,geometry", **asked)  # the same run
    assert list(again.records) == list(first.records)
    with pytest.raises(ConceptBindError, match=r"studies: expected a list, each a text; got \[3\]"):
        conceptbind.measure("minilm", studies=[3], **asked)
