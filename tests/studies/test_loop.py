"""The loop over studies, and the studies of other packages."""

from __future__ import annotations

import sys
from importlib import invalidate_caches

import pytest

from conceptbind import measure
from conceptbind.core.errors import UnknownNameError, ValueRangeError
from conceptbind.core.findings import Findings, Study, Verdict
from conceptbind.report.page import redraw
from conceptbind.studies import answers, load_studies, study_names
from conceptbind.studies.registry import OWN

STUDY = """
from conceptbind.core.findings import Findings, Verdict
from conceptbind.core.records import Record
from conceptbind.report.blocks import paragraph, section, table


class Lengths:
    name = "lengths"
    question = "How many dimensions do the rows have?"

    def applies(self, case):
        return None if "text" in case.modalities else "it reads captions only"

    def run(self, case):
        d = case.rows("text").values.shape[1]
        words = f"Captions have {d} dimensions."
        shown = section("lengths", "Lengths", paragraph(words), table(("d",), [(str(d),)]))
        facts = dict(value=d, n=1, ties=0, split="all", scenes="s", encoder="e", modality="text")
        found = Record.of(study="lengths", metric="dimensions", ci_low=None, ci_high=None, **facts)
        verdict = Verdict("yes", words, None)
        return Findings(self.name, records=(found,), verdicts=(verdict,), sections=(shown,))
"""


class Asked:
    """A study whose answer is its name."""

    question = "?"

    def __init__(self, name, reason=None):
        self.name, self.reason = name, reason

    def applies(self, case):
        return self.reason

    def run(self, case):
        return Findings(self.name, verdicts=(Verdict("yes", f"{self.name} of {case}", None),))


@pytest.fixture
def other_package(tmp_path, monkeypatch):
    """An installed package with a study, and one with something else in its place."""

    def install(text=STUDY, what="Lengths"):
        (tmp_path / "lengths_study.py").write_text(text)
        described = tmp_path / "lengths_study-1.0.dist-info"
        described.mkdir()
        (described / "METADATA").write_text(
            "Metadata-Version: 2.1\nName: lengths-study\nVersion: 1\n"
        )
        entry = f"[conceptbind.studies]\nlengths = lengths_study:{what}\n"
        (described / "entry_points.txt").write_text(entry)
        monkeypatch.syspath_prepend(str(tmp_path))
        invalidate_caches()

    yield install
    sys.modules.pop("lengths_study", None)


def test_each_study_that_applies_answers_in_order():
    found = answers("a case", [Asked("one"), Asked("two", "it is Tuesday"), Asked("three")])
    assert [part.study for part in found] == ["one", "three"]
    assert found[0].verdicts[0].sentence == "one of a case"


def test_where_no_study_applies_the_reasons_are_said():
    with pytest.raises(ValueRangeError, match=r"no study applies \(two: it is Tuesday\)"):
        answers("a case", [Asked("two", "it is Tuesday")])
    with pytest.raises(ValueRangeError, match="none was asked for"):
        answers("a case", [])


def test_our_own_studies_keep_the_contract():
    found = load_studies()
    assert [study.name for study in found] == list(OWN) == list(study_names())
    assert all(isinstance(study, Study) and study.question.endswith("?") for study in found)
    assert [study.name for study in load_studies(("geometry", "probe"))] == ["probe", "geometry"]
    with pytest.raises(UnknownNameError, match="unknown study 'geometri'; did you mean 'geometry'"):
        load_studies(("geometri",))


def test_a_study_of_another_package_runs_and_is_shown(other_package, tmp_path):
    other_package()
    assert study_names()[-1] == "lengths"
    asked = {"modality": "text", "studies": "lengths", "controls": False, "out": tmp_path / "run"}
    run = measure("tiny", **asked)
    assert run.sentences == ("Captions have 256 dimensions.",)
    assert measure("tiny", **asked, require="lengths.dimensions>=256").gate.met
    with pytest.raises(UnknownNameError, match=r"no record has 'lengths\.x'; known: lengths\.dim"):
        measure("tiny", **asked, require="lengths.x>=1")
    assert [verdict.word for verdict in run.verdicts] == ["yes"]
    # without levels the first sentence is the answer, and is said once
    assert run.text().splitlines()[0] == run.sentences[0]
    assert run.text().count(run.sentences[0]) == 1
    assert run.text().splitlines()[-1] == f"Report: {run.folder}/report.html"
    page = (run.folder / "report.html").read_text()
    assert '<h2 id="lengths">Lengths ' in page
    assert '<div class="verdict yes" id="verdict-lengths">' in page


def test_what_is_no_study_is_refused_with_its_package(other_package):
    other_package("broken = 1 / 0\n", "broken")
    with pytest.raises(ValueRangeError, match="study 'lengths' of lengths-study cannot be loaded"):
        load_studies(("lengths",))


def test_what_lacks_a_part_of_the_contract_is_refused(other_package):
    other_package("half = type('Half', (), {'name': 'lengths'})\n", "half")
    with pytest.raises(ValueRangeError, match=r"is not a study: expected name, question, applies"):
        load_studies(("lengths",))


def test_a_page_is_drawn_again_as_it_was(tmp_path):
    run = measure(
        "tiny", modality="text", studies="probe", controls=False, out=str(tmp_path / "run")
    )
    page = run.folder / "report.html"
    drawn = page.read_bytes()
    page.write_text("lost")
    assert redraw(run.folder) == page
    assert page.read_bytes() == drawn
