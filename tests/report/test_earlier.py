"""Pages of runs that keep no `page.json`: of earlier versions, or with only their results left."""

from __future__ import annotations

import json

import pytest

from conceptbind import cli, load_run
from conceptbind.core.findings import Verdict
from conceptbind.core.names import Control
from conceptbind.core.records import Records
from conceptbind.core.results import Results, write_results
from conceptbind.report.earlier import MOST, draw_from_records, study_sections
from conceptbind.report.numbers import interval_of, value_of, whole
from made import record, run_folder
from reference.kept import read

SPOILT = '<script>alert("a")</script>'


@pytest.mark.parametrize("name", ["tiny", "repair-captions", "benchmarks", "train"])
def test_a_run_of_the_earliest_version_is_drawn(name, tmp_path, capsys):
    _, rows, _ = read(name)
    (tmp_path / "results.json").write_text(json.dumps({"provenance": {}, "records": rows}))
    assert cli.main(["report", str(tmp_path)]) == 0
    assert capsys.readouterr().out.strip() == str(tmp_path / "report.html")
    page = (tmp_path / "report.html").read_text()
    assert "Pictures and curves are missing" in page
    assert "The version that made this run kept no verdicts." in page
    for found in load_run(tmp_path).records[:MOST:10]:
        assert whole(value_of(found)) in page
        assert whole(interval_of(found)) in page
    assert not (tmp_path / "page.json").exists()


def test_answer_verdicts_and_names_stand_on_it(tmp_path):
    records = Records([record("object_recognition", 0.9, encoder=SPOILT)])
    verdict = Verdict("yes", f"It binds, {SPOILT}.", 0.9, 1, "text", 40, "bag_of_concepts")
    answer = {"sentence": "It knows.", "why": "To go on:", "next": "conceptbind compare a b"}
    results = Results(records, {}, (verdict,), (verdict.sentence,), {"answer": answer})
    write_results(tmp_path, results)
    page = draw_from_records(tmp_path).read_text()
    for words in ("It knows.", "conceptbind compare a b", "It binds,", "score 0.900", "bag of"):
        assert words in page
    assert SPOILT not in page


def test_a_study_has_a_table_of_what_varies():
    mine = [
        record("concept_recognition", 0.9, concept="color", control=control, ties=ties)
        for control, ties in ((Control.NONE, 0), (Control.BAG_OF_CONCEPTS, None))
    ]
    other = [record("concept_recognition", 0.9, concept="shape")]
    (found,) = study_sections(Records((*mine, *other)))
    (shown,) = found.data["blocks"]
    assert [row[1:3] for row in shown["rows"]] == [
        [f"captions, concept {concept}", control]
        for concept, control in (("color", "-"), ("color", "bag of concepts"), ("shape", "-"))
    ]
    assert [row[6] for row in shown["rows"]][:2] == ["0", "-"]


def test_a_long_table_says_how_many_more_there_are():
    (found,) = study_sections(Records([record("r2", 0.5)] * (MOST + 3)))
    shown, more = found.data["blocks"]
    assert len(shown["rows"]) == MOST
    assert more["text"] == "3 more are in results.csv."


@pytest.mark.parametrize("content", ["[1, 2", '{"records": 1}'])
def test_no_page_is_drawn_beside_broken_results(tmp_path, capsys, content):
    place = run_folder(tmp_path / "run", 50)
    (place / "page.json").write_text("{}")
    (place / "results.json").write_text(content)
    assert cli.main(["report", str(place)]) == 2
    error = capsys.readouterr().err
    assert (error.count("\n"), str(place / "results.json") in error) == (1, True)
    assert not (place / "report.html").exists()
