"""`results.json` and `results.csv`: written, read back, of the older form, and damaged."""

from __future__ import annotations

import csv
import json
import shlex
import shutil

import pytest
from markupsafe import escape

import conceptbind
from conceptbind import cli, load_run
from conceptbind.complexity import OPERATORS
from conceptbind.complexity.cells import NETWORKS, STRUCTURED
from conceptbind.core.errors import FileError, cut_left
from conceptbind.core.findings import Verdict, Verdicts
from conceptbind.core.names import APPROXIMATORS, OWN_STUDIES, Metric
from conceptbind.core.records import FIELDS, Record, Records
from conceptbind.core.results import SCHEMA, Results, load_results, write_results
from reference.kept import read

VERDICT = Verdict("yes", "It binds.", 0.9, 1, "text", 40, "bag_of_concepts")
ROW = {
    **{"study": "probe", "modality": "text", "metric": "r2", "value": 0.5, "n": 4},
    **{"split": "all", "scenes": "s", "encoder": "e"},
}
SAID = {"word": "yes", "sentence": "It binds.", "score": 0.5, "n": 4, "level": 1}
SHARE = {**ROW, "metric": "object_recognition"}


@pytest.fixture(scope="module")
def measured(tmp_path_factory):
    """A real run of measure."""
    out = tmp_path_factory.mktemp("runs") / "measured"
    return conceptbind.measure(
        "tiny", scenes="text20:3x3", studies="probe,within", controls=False, out=str(out)
    )


def test_columns_of_earlier_versions_have_their_names_of_today():
    """`level` was called `question`, and the kind of additive vectors `level`."""
    old = {**ROW, "question": 1, "level": None}
    assert (Record.read(old).level, Record.read(old)["additive_level"]) == (1, None)
    sums = {**ROW, "study": "additive", "metric": "r2", "question": None, "level": 2}
    assert (Record.read(sums).level, Record.read(sums)["additive_level"]) == (None, 2)
    earliest = {name: cell for name, cell in sums.items() if name != "question"}
    assert (Record.read(earliest).level, Record.read(earliest)["additive_level"]) == (None, 2)
    for record in (Record.read(old), Record.read(sums)):
        assert Record.read(record.flat()) == record


def test_a_binding_score_may_lie_below_minus_one(tmp_path):
    """Where a probe recognises far less than a bag of concepts."""
    content = {"records": [], "verdicts": [{**SAID, "score": -1.7}]}
    (tmp_path / "results.json").write_text(json.dumps(content))
    assert load_results(tmp_path).verdicts[0].score == -1.7


def test_what_was_written_is_read(tmp_path):
    records = Records(
        [Record.of(**ROW, additive_level=1), Record.of(**ROW, control="random_weights")]
    )
    results = Results(records, {"seed": 0}, (VERDICT,), ("It binds.",), {"asked": {"a": 1}})
    write_results(tmp_path, results)
    assert load_results(tmp_path) == results
    content = json.loads((tmp_path / "results.json").read_text())
    assert content["schema"] == SCHEMA
    assert content["records"][0] == {
        **dict.fromkeys(FIELDS),
        **ROW,
        "control": "none",
        "additive_level": 1,
    }
    assert content["verdicts"][0]["word"] == "yes"
    with (tmp_path / "results.csv").open(newline="") as file:
        head, *rows = csv.reader(file)
    assert head == [*FIELDS, "additive_level"]
    assert [row[-1] for row in rows] == ["1", ""]


def test_a_real_run_is_read_back(measured):
    found = load_run(measured.folder)
    assert found.records == measured.records
    assert found.verdicts == measured.verdicts
    assert found.sentences == measured.sentences
    assert measured.said == found.said == (measured.answer.sentence, *found.sentences)
    assert found.provenance["config"]["scenes"] == "text20:3x3"
    assert set(found.told) == {"answer", "asked", "files"}
    assert {verdict.level for verdict in found.verdicts} == {1, 2}
    assert found.records.one(metric=Metric.OBJECT_RECOGNITION, control="none").level == 1
    assert found.frame().equals(measured.frame())
    assert load_run(str(measured.folder)).records == found.records


def test_it_shows_itself_in_a_line_in_words_and_in_a_notebook(measured):
    found = load_run(measured.folder)
    n = len(found.records)
    answer = measured.answer.sentence
    where = cut_left(str(measured.folder), 30)
    assert repr(found) == f"<Run of tiny: {n} records in {where}>"
    assert repr(measured) == f"<Measurement of tiny: {n} records in {where}>"
    assert isinstance(found.verdicts, Verdicts)
    assert isinstance(measured.verdicts, Verdicts)
    assert str(found) == str(measured)
    assert str(found).splitlines()[0] == measured.text().splitlines()[0] == answer
    assert found.advice == (measured.answer.why, measured.answer.next)
    html = found._repr_html_()
    assert html.startswith("<p><strong>tiny")
    assert measured._repr_html_() == html


@pytest.mark.slow
def test_a_moved_run_tells_a_command_that_runs_as_it_stands(measured, tmp_path, capsys):
    place = tmp_path / "my runs" / "moved"
    shutil.copytree(measured.folder, place)
    _, command = load_run(place).advice
    assert str(place) in command
    assert str(measured.folder) not in command
    name, *words = shlex.split(command)
    assert (name, cli.main(words)) == ("conceptbind", 0)
    assert cli.main(["report", str(place)]) == 0
    page = (place / "report.html").read_text()
    assert escape(command) in page
    assert escape(measured.answer.next) not in page


@pytest.mark.parametrize("name", ["tiny", "repair-scenes", "benchmarks", "train"])
def test_results_of_the_version_before_schemas_are_read(name, tmp_path):
    _, rows, _ = read(name)
    (tmp_path / "results.json").write_text(json.dumps({"provenance": {}, "records": rows}))
    found = load_run(tmp_path)
    assert len(found.records) == len(rows)
    assert (found.verdicts, found.sentences) == ((), ())
    for row, record in zip(rows, found.records, strict=True):
        called = {"level": "additive_level", "question": "level"}
        assert {name: record[called.get(name, name)] for name in row} == row
    assert all(isinstance(metric, Metric) for metric in found.records.distinct("metric"))
    assert load_results(tmp_path).schema == 0
    if name == "tiny":
        assert conceptbind.compare([str(tmp_path)]).tables


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ([], "no list of records"),
        ({"records": 1}, "no list of records"),
        ({"records": [], "schema": "1"}, "its schema is '1'"),
        ({"records": [], "schema": True}, "its schema is True"),
        ({"records": [], "schema": SCHEMA + 1}, "is of a later version, this one reads up to"),
        ({"records": [], "provenance": []}, "in the place of its provenance stands"),
        ({"records": [], "verdicts": {}}, "in the place of its verdicts stands"),
        ({"records": [], "verdicts": [{"word": "yes"}]}, "a verdict is"),
        ({"records": [], "verdicts": [{"word": 1, "sentence": "", "score": None}]}, "a verdict"),
        ({"records": [], "sentences": [1]}, "a sentence is 1"),
        ({"records": [], "answer": {"sentence": 3}}, "its answer is {'sentence': 3}"),
        ({"records": [], "answer": ["x"]}, "its answer is ['x']"),
        ({"records": [{**ROW, "n": None}]}, "record 1 of 1: it lacks 'n'"),
        ({"records": [{k: v for k, v in ROW.items() if k != "split"}]}, "lacks 'split'"),
        ({"records": [{**ROW, "repair": "HMB"}]}, "unknown repair 'HMB'; did you mean 'HNB'"),
        ({"records": [ROW, {**ROW, "metric": "r3"}]}, "record 2 of 2: unknown metric 'r3'"),
        ({"records": [{**ROW, "control": "nne"}]}, "unknown control 'nne'; did you mean 'none'"),
        ({"records": [{**ROW, "control": 1}]}, "'control' = 1"),
        ({"records": [{**ROW, "level": "1"}]}, "'level' = '1'"),
        ({"records": [{**ROW, "concept": [1]}]}, "'concept' = [1]"),
        ({"records": [{**ROW, "value": 1e301}]}, "'value' = 1e+301"),
        ({"records": [{**ROW, "value": True}]}, "'value' = True"),
        ({"records": [{**SHARE, "ci_low": 0.9, "ci_high": 0.1}]}, "its interval ends before it"),
        ({"records": [], "verdicts": [{**SAID, "score": 7.5}]}, "a verdict has the score 7.5"),
        ({"records": [], "verdicts": [{**SAID, "n": -5}]}, "a verdict has n = -5"),
        ({"records": [], "verdicts": [{**SAID, "level": 9}]}, "a verdict is of level 9"),
        ({"records": [], "verdicts": [{**SAID, "word": "banana"}]}, "a verdict says 'banana'"),
        ({"records": [{**ROW, "n": -5}]}, "'n' = -5"),
        ({"records": [{**ROW, "n": 2.5}]}, "'n' = 2.5"),
        ({"records": [{**ROW, "ties": -1}]}, "'ties' = -1"),
        (
            {"records": [{**SHARE, "value": 7.5}]},
            "'value' = 7.5, which no share is",
        ),
        (
            {"records": [{**SHARE, "ci_low": -3}]},
            "'ci_low' = -3, which no share is",
        ),
    ],
)
def test_what_is_of_another_form_is_one_line(content, words, tmp_path):
    (tmp_path / "results.json").write_text(json.dumps(content))
    with pytest.raises(FileError, match="not of the form that conceptbind writes") as error:
        load_run(tmp_path)
    assert words in str(error.value)
    assert "\n" not in str(error.value)


def test_an_approximator_is_the_control_of_a_controlled_model(tmp_path):
    own = {**ROW, "study": "controlled", "control": "mlp"}
    (tmp_path / "results.json").write_text(json.dumps({"records": [own]}))
    assert load_run(tmp_path).records.where(control="mlp") == load_run(tmp_path).records
    assert load_run(tmp_path).records.where(control="per_object_product") == Records()


def test_all_approximators_are_known():
    assert (*STRUCTURED, *OPERATORS, *NETWORKS, "boosting", "forest") == APPROXIMATORS


def test_words_of_another_package_are_read(tmp_path):
    own = {**ROW, "study": "nearby", "metric": "nearby_accuracy", "control": "shuffled"}
    (tmp_path / "results.json").write_text(json.dumps({"records": [own]}))
    assert load_run(tmp_path).records.one(metric="nearby_accuracy", control="shuffled").n == 4


@pytest.mark.parametrize("name", ["tiny", "repair-scenes", "benchmarks", "train"])
def test_all_our_records_are_of_known_studies(name):
    assert {row["study"] for row in read(name)[1]} <= set(OWN_STUDIES)


def test_a_damaged_run_and_none_at_all_are_one_line(measured, tmp_path):
    text = (measured.folder / "results.json").read_text()
    (tmp_path / "results.json").write_text(text.replace('"value": ', '"value": 0', 1))
    with pytest.raises(FileError) as error:
        load_run(tmp_path)
    assert "\n" not in str(error.value)
    (tmp_path / "results.json").write_text(text.replace('"seed": 0', '"seed": 1', 1))
    with pytest.raises(FileError, match="was changed or damaged since it was written"):
        load_run(tmp_path)
    with pytest.raises(FileError, match="is not a run folder: it holds no results.json"):
        load_run(tmp_path / "nowhere")
