"""`--require` and `--junit`: exit codes, and what is refused before anything is computed."""

from __future__ import annotations

from xml.etree import ElementTree

import numpy as np
import pytest

import conceptbind
from conceptbind import cli
from conceptbind.core.errors import ValueRangeError


@pytest.fixture(scope="module")
def words(tmp_path_factory):
    """A quick measurement of random rows."""
    place = tmp_path_factory.mktemp("gate")
    np.save(place / "rows.npy", np.random.default_rng(0).normal(size=(256, 8)))
    rows, out = f"file:{place / 'rows.npy'}", str(place / "run")
    asked = ["--scenes", "text20:4x4", "--modality", "text", "--studies", "probe", "--out", out]
    return ["measure", rows, *asked]


def test_the_exit_code_is_1_where_a_requirement_is_not_met(words, tmp_path, capsys):
    junit = tmp_path / "junit.xml"
    failing = ["--require", "decodable.text>=0.9", "--require", "decodable.text<50%"]
    assert cli.main([*words, *failing, "--junit", str(junit)]) == 1
    said = capsys.readouterr().out
    assert "Gate: 1 of 2 requirements met." in said
    assert "not met: run: decodable.text >= 90.0 %; came " in said
    cases = list(ElementTree.parse(junit).iter("testcase"))
    assert [case.attrib["name"] for case in cases] == ["decodable.text>=0.9", "decodable.text<50%"]
    assert [len(case) for case in cases] == [1, 0]
    # The finished run is judged by other requirements, not measured again.
    assert cli.main([*words, "--require", "decodable.text<=100%,concept_recognition>=0"]) == 0
    assert "Gate: 2 of 2 requirements met." in capsys.readouterr().out
    assert cli.main(words) == 0
    assert "Gate" not in capsys.readouterr().out


@pytest.mark.parametrize("junit", [["--junit", "FILE"], ["--junit=FILE"]])
def test_words_that_are_no_command_leave_no_good_file_behind(junit, tmp_path, capsys):
    """A file of an earlier run would still say that all is well."""
    file = tmp_path / "junit.xml"
    file.write_text("<testsuites/>")
    words = [word.replace("FILE", str(file)) for word in junit]
    asked = ["measure", "tiny", "--sceens", "clevr2d", "--require", "decodable>=0", *words]
    assert cli.main(asked) == 2
    (error,) = ElementTree.parse(file).iter("error")
    assert "sceens" in error.attrib["message"]
    assert "sceens" in capsys.readouterr().err


def test_a_folder_for_junit_is_left_alone_where_the_words_are_wrong(tmp_path):
    (tmp_path / "kept").write_text("mine")
    assert cli.main(["measure", "--sceens", "x", "--junit", str(tmp_path)]) == 2
    assert cli.main(["measure", "--sceens", "x", "--junit"]) == 2
    assert (tmp_path / "kept").read_text() == "mine"


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--require", "decodable>=high"], "is not a requirement"),
        (["--require", ""], "--require '' is not a requirement"),
        (["--require="], "--require '' is not a requirement"),
        (["--require", "decodable>=0", "--require", ""], "--require '' is not a requirement"),
        (["--require", "across>=0.5"], "needs the study crossmodal, which is left out"),
        (["--require", "decodable.image>=0.5"], "needs the modality image; this run measures text"),
        (["--require", "within.text>=0.9"], "needs the study within, which is left out"),
        (
            ["--require", "acros.text>=0.5"],
            "level, metric or study 'acros' in this run; did you mean",
        ),
        (["--require", " , "], "is not a requirement"),
        (["--require", "decodable.txt>=0.5"], "'txt'; did you mean 'text'"),
        (["--require", "object_recognition.txt>=0.5"], "'txt'; did you mean 'text'"),
        (["--require", "concept_recognition.noum>=0.5"], "'noum'; did you mean 'noun'"),
        (["--require", "decodable.text.high.low>=0.5"], "names an end of the interval that is not"),
        (["--junit", "x.xml"], "--junit writes what became of requirements; add --require"),
        (["--require", "decodable>=0", "--junit", "."], "--junit must be a file; . is a folder"),
    ],
)
def test_what_cannot_be_met_is_refused_before_the_work(words, tmp_path, capsys, more, message):
    out = tmp_path / "new"
    assert cli.main([*words[:-1], str(out), *more]) == 2
    assert message in capsys.readouterr().err
    assert not out.exists()


def test_a_benchmark_is_gated_by_metrics_only(tmp_path):
    asked = {"benchmark": "aro", "data": tmp_path}
    for level in ("across", "within"):
        with pytest.raises(ValueRangeError, match=f"do not judge the level '{level}' of binding"):
            conceptbind.evaluate(**asked, require=[f"{level}>=0.5"])
    with pytest.raises(ValueRangeError, match="no such study in this run; name a metric"):
        conceptbind.evaluate(**asked, require=["probe.object_recognition>=0.5"])
    with pytest.raises(ValueRangeError, match="needs scores; leave check or require out"):
        conceptbind.evaluate(**asked, require=["accuracy>=0.5"], check=True)


@pytest.mark.parametrize("command", ["evaluate tiny --benchmark aro --data x", "compare x"])
def test_an_empty_requirement_opens_no_gate(command, capsys):
    assert cli.main([*command.split(), "--require", ""]) == 2
    assert "--require '' is not a requirement" in capsys.readouterr().err
    with pytest.raises(ValueRangeError, match="require '' is not a requirement"):
        conceptbind.compare("x", require="")


def test_in_python_the_result_has_the_gate(words):
    rows = words[1]
    asked = dict(zip(("scenes", "modality", "studies", "out"), words[3::2], strict=True))
    result = conceptbind.measure(rows, **asked, require="decodable.text>=0.99")
    assert not result.gate.met
    assert result.gate.judged[0].requirement.bound == 0.99
    assert conceptbind.measure(rows, **asked).gate is None
