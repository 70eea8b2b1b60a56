"""Requirements on hand-made records: what is met, what is not, what cannot be judged, and JUnit."""

from __future__ import annotations

import re
from xml.etree import ElementTree

import pytest

import conceptbind
from conceptbind.core.errors import ConceptBindError, UnknownNameError, ValueRangeError
from conceptbind.core.records import Record, Records
from conceptbind.report.gates import Gate, judge, refuse_unknown, requirement, requirements


def record(value, low=None, high=None, **more):
    base = {
        "study": "probe",
        "modality": "text",
        "metric": "object_recognition",
        "split": "test",
        "scenes": "s",
        "encoder": "e",
    }
    facts = {"value": value, "n": 80, "ties": 0, "ci_low": low, "ci_high": high}
    return Record.of(**{**base, **facts, **more})


RECORDS = Records(
    [
        record(0.9, 0.8, 0.95),
        record(0.7, 0.6, 0.8, modality="image"),
        record(0.3, 0.2, 0.4, control="bag_of_concepts"),
        record(0.1, 0.05, 0.2, study="crossmodal", queries="text"),
        record(0.6, 0.5, 0.7, study="crossmodal", metric="binding_accuracy", order="either"),
        record(0.4, 0.3, 0.5, study="crossmodal", metric="binding_accuracy", order="reversed"),
        record(None, study="crossmodal", metric="recall_at_1"),
        record(0.5, study="crossmodal", metric="recall_at_5"),
        record(0.5, 0.4, 0.6, study="benchmark", metric="accuracy", scenes="aro"),
        record(0.7, 0.6, 0.8, study="benchmark", metric="accuracy", scenes="sugarcrepe"),
        record(0.9, 0.8, 1.0, study="benchmark", metric="accuracy", scenes="aro", repair="adapter"),
        record(12.0, 11.0, 13.0, study="lengths", metric="dimensions"),
        record(0.2, study="lengths", metric="accuracy"),
    ]
)


def judged(text):
    (one,) = judge(requirements([text]), {"run": RECORDS}).judged
    return one


@pytest.mark.parametrize(
    ("text", "met"),
    [
        ("decodable.text>=0.9", True),
        ("decodable.text >= 90 %", True),
        ("decodable.text>0.9", False),
        ("decodable.text<=0.9", True),
        ("decodable.text<90%", False),
        ("decodable.text.low>=0.8", True),
        ("decodable.text.low>0.8", False),
        ("decodable.text.high<=0.95", True),
        ("decodable>=0.7", True),  # both modalities: the picture has 0.7
        ("decodable>0.7", False),
        ("decodable<=0.8", False),  # and the caption 0.9
        ("decodable.image>=0.71", False),
        ("across>=0.6", True),
        ("binding_accuracy>=0.6", True),  # either order, not the reversed one
        ("binding_accuracy.reversed>=0.6", False),
        ("object_recognition.text>=0.9", True),  # of probes, not of queries
        ("accuracy>=0.5", True),
        ("lengths.accuracy>=0.5", False),  # of another package, not of benchmarks
        ("lengths.dimensions>=12", True),
        ("lengths.dimensions.text.low>11", False),
        ("crossmodal.object_recognition<=0.1", True),  # of queries, not of probes
        ("accuracy.aro>0.5", False),  # not the repaired one
        ("accuracy.sugarcrepe.low>=0.6", True),
    ],
)
def test_what_is_compared(text, met):
    assert judged(text).met is met


def test_the_reason_says_what_came_with_its_interval_and_n():
    assert str(judged("decodable.image>=90%")) == (
        "not met: run: decodable.image >= 90.0 %; came 70.0 % in object recognition "
        "(image, s, test) (95 % interval 60.0 % to 80.0 %, n = 80)"
    )
    assert judged("decodable.image.low>=90%").reason == (
        "came 60.0 % in object recognition (image, s, test) "
        "(value 70.0 %, 95 % interval 60.0 % to 80.0 %, n = 80)"
    )


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("within.text>=0.1", "cannot be judged: the run has no such number"),
        ("decodable.nowhere>=0", "cannot be judged: the run has no such number"),
        (
            "recall_at_1>=0",
            "cannot be judged: recall at 1 (text, s, test) has no value (n = 80)",
        ),
        (
            "recall_at_5.low>=0",
            "cannot be judged: recall at 5 (text, s, test) has no interval (n = 80)",
        ),
    ],
)
def test_what_cannot_be_judged_fails_with_its_reason(text, reason):
    one = judged(text)
    assert (one.met, one.reason) == (False, reason)


@pytest.mark.parametrize(
    "text", ["", "decodable", "decodable=0.5", "decodable=>0.5", "decodable>=", ">=1", "across>=x"]
)
def test_other_forms_are_refused_with_an_example(text):
    with pytest.raises(ValueRangeError, match=r"is not a requirement; write NAME.* for example"):
        requirement(text)


def test_wrong_names_and_numbers_are_refused():
    with pytest.raises(UnknownNameError, match=r"no level or metric 'acros' .*; .*across"):
        requirement("acros>=0.5")
    with pytest.raises(UnknownNameError, match=r"no level or metric 'acros' .* STUDY\.METRIC\)"):
        requirement("acros.low>=0.5")
    with pytest.raises(UnknownNameError, match=r"no metric 'recal_at_1'; .*'recall_at_1'"):
        requirement("crossmodal.recal_at_1>=0.5")
    with pytest.raises(
        UnknownNameError, match=r"no record has 'lengths\.x'; known: .*lengths\.acc"
    ):
        judged("lengths.x>=1")
    with pytest.raises(UnknownNameError, match=r"did you mean 'lengths\.dimensions'\?"):
        judged("lengths.dimension>=1")
    with pytest.raises(ValueRangeError, match=r"which 90 is not; 90 % is written 0.9 or 90%$"):
        requirement("across>=90")
    with pytest.raises(ValueRangeError, match="which 101% is not"):
        requirement("across>=101%")
    with pytest.raises(ValueRangeError, match="empty part"):
        requirement("across..low>=1%")
    assert requirement("modality_gap<=1.2").bound == 1.2  # no share
    assert requirement("binding_gain>=-0.1").bound == -0.1


def test_all_requirements_are_told():
    gate = judge(requirements(["across>=0.9", "decodable>=0.5"]), {"run": RECORDS})
    head, first, second = str(gate).split("\n")
    assert head == "Gate: 1 of 2 requirements met."
    assert first.startswith("  not met: run: across >= 90.0 %")
    assert second.startswith("  met: run: decodable >= 50.0 %")
    assert not gate.met
    assert judge(requirements(["across>=0.5"]), {"run": RECORDS}).met


def test_junit_is_xml_whatever_a_run_is_called():
    name = '</testcase>"<&\x00\x1b[31m\ud800'
    gate = judge(requirements(["across>=0.9", "decodable>=0.5"]), {name: RECORDS})
    top = ElementTree.fromstring(gate.junit().encode())
    assert top.attrib == {"name": "conceptbind", "tests": "2", "failures": "1", "errors": "0"}
    failed, met = top.iter("testcase")
    assert failed.attrib == {"classname": '</testcase>"<&  [31m ', "name": "across>=0.9"}
    (failure,) = failed
    assert failure.attrib["message"].startswith("came 60.0 % in binding accuracy")
    assert failure.text.startswith("not met: </testcase>")
    assert met.attrib["name"] == "decodable>=0.5"
    assert len(met) == 0


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("decodable.txt>=0", "no record of decodable has the word 'txt'; did you mean 'text'"),
        ("accuracy.sugarcrep>=0", "no record of accuracy has the word 'sugarcrep'; did you mean"),
        ("lengths.dimensions.tset>=0", "no record of lengths.dimensions has the word 'tset'"),
        ("across.reverse>=0", "no record of across has the word 'reverse'"),
    ],
)
def test_a_word_that_no_record_holds_is_refused_with_the_nearest(text, hint):
    with pytest.raises(UnknownNameError, match=re.escape(hint)):
        refuse_unknown(requirements([text]), {"run": RECORDS}, ["image"])


def test_words_of_records_words_that_are_right_anyway_and_metrics_of_no_run_pass():
    known = ["decodable.text>=0", "binding_accuracy.reversed>=0", "accuracy.aro>=0"]
    refuse_unknown(requirements(known), {"run": RECORDS})
    refuse_unknown(requirements(["accuracy.coco>=0"]), {"run": RECORDS}, ["coco"])
    refuse_unknown(requirements(["text_score.anything>=0"]), {"run": RECORDS})


def test_of_a_metric_of_another_package_the_sign_says_that_it_is_a_share():
    assert str(requirement("theirs.win>=50%")) == "theirs.win >= 50.0 %"
    assert str(requirement("theirs.win>=3.5")) == "theirs.win >= 3.500"
    assert str(requirement("r2>=50%")) == "r2 >= 0.500"


def test_a_value_whose_interval_reaches_beyond_the_bound_may_be_luck():
    found = judged("decodable.image>=65%")
    assert found.met
    assert found.reason.endswith(
        "n = 80); its interval reaches beyond the bound, so it may be luck: "
        "decodable.image.low asks for more"
    )
    assert judged("decodable.image<=75%").reason.endswith("decodable.image.high asks for more")
    for sure in ("decodable.image>=60%", "decodable.image<=80%", "decodable.image.low>=60%"):
        assert "luck" not in judged(sure).reason
    assert "luck" not in judged("decodable.image>=75%").reason, "it is not met"


def test_a_decimal_with_a_comma_is_told_how_it_is_written():
    with pytest.raises(ValueRangeError, match=r"'9' is not a requirement; .* a point \(0\.9\)"):
        requirement("9")


def test_a_gate_is_short_and_shown_as_a_table():
    gate = Gate((judged("decodable.image>=65%"), judged("decodable.image>=90%")))
    assert repr(gate) == "<Gate: 1 of 2 requirements met>"
    assert ">not met<" in gate._repr_html_()


def test_junit_of_a_command_that_could_not_run_says_so(tmp_path):
    """The file of an earlier run would else still say that all is well."""
    path = tmp_path / "gate.xml"
    path.write_text("<testsuites/>")
    with pytest.raises(ConceptBindError, match="unknown"):
        conceptbind.measure("nobody", require="across>=60%", junit=path, out=tmp_path / "run")
    top = ElementTree.fromstring(path.read_text())
    assert (top.get("errors"), top.get("failures")) == ("1", "0")
    (error,) = top.iter("error")
    assert "nobody" in error.get("message")
