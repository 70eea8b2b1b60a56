"""Records: what they refuse, how they are found, and how they show themselves."""

from __future__ import annotations

import pickle
import re
import sys

import pytest

from conceptbind.core.columns import COLUMNS, Columns
from conceptbind.core.errors import (
    MissingExtraError,
    RecordError,
    UnknownNameError,
    ValueRangeError,
)
from conceptbind.core.names import CONTROL_TEXTS, Control, Metric, Repair, recognised
from conceptbind.core.records import FIELDS, SHOWN, Record, Records


def record(metric="object_recognition", value=0.5, **more):
    row = {"study": "probe", "modality": "text", "split": "test", "scenes": "s", "encoder": "e"}
    return Record.of(**{**row, "metric": metric, "value": value, "n": 10, **more})


RECORDS = Records(
    [
        record(),
        record(value=0.25, control="bag_of_concepts"),
        record("concept_recognition", 1.0, concept="color"),
        record("concept_recognition", None, concept="shape"),
        record("binding_accuracy", 0.75, study="repair", modality="both", repair="HNB", pull=0.3),
    ]
)


def test_words_become_members_of_their_enumerations_and_stay_words_in_a_file():
    found = RECORDS[4]
    assert found.metric is Metric.BINDING_ACCURACY
    assert found.control is Control.NONE
    assert found.repair is Repair.HNB
    assert record().repair is None
    row = found.flat()
    assert (row["metric"], row["control"], row["repair"]) == ("binding_accuracy", "none", "HNB")
    assert {type(cell) for cell in row.values()} == {str, int, float, type(None)}
    assert Record.read(row) == found


def test_controls_and_metrics_of_others_keep_their_names_and_repairs_are_ours():
    found = record("my_metric", control="my_twin")
    assert (found.metric, found.control) == ("my_metric", "my_twin")
    with pytest.raises(ValueError, match="mine"):
        record(repair="mine")


def test_a_column_that_nobody_declared_is_refused_with_the_nearest_name():
    with pytest.raises(UnknownNameError, match="'concpt'; did you mean 'concept'"):
        record(concpt="color")
    with pytest.raises(UnknownNameError, match="'concpt'; did you mean 'concept'"):
        record()["concpt"]
    assert record().get("concpt") is None
    assert record()["concept"] is None
    assert record()["metric"] == "object_recognition"


@pytest.mark.parametrize(
    ("column", "cell", "fits"),
    [
        ("concept", "color", True),
        ("concept", None, True),
        ("concept", 1, False),
        ("seed", 1, True),
        ("seed", 1.5, False),
        ("seed", True, False),
        ("pull", 1, True),
        ("pull", 0.5, True),
        ("pull", "0.5", False),
        ("slots", "apart", True),
        ("slots", 2, True),
        ("slots", 2.5, False),
        ("recommended", False, True),
        ("recommended", 0, False),
    ],
)
def test_a_column_holds_its_type(column, cell, fits):
    if fits:
        assert record(**{column: cell})[column] == cell
    else:
        with pytest.raises(ValueRangeError, match=f"the column '{column}' holds "):
            record(**{column: cell})


def test_another_package_declares_its_columns_once():
    columns = Columns()
    column = columns.declare("flavour", str, text="Sweet or sour.")
    assert columns.declare("flavour", str, text="Said otherwise.") is column
    with pytest.raises(ValueRangeError, match="declared already, as str: Sweet or sour."):
        columns.declare("flavour", int, text="A number.")
    columns.check({"flavour": "sweet"})
    assert list(columns) == ["flavour"]


def test_a_declared_column_has_a_line_of_text_and_no_name_of_a_field():
    assert not set(COLUMNS) & set(FIELDS)
    for name, column in COLUMNS.items():
        assert column.name == name
        assert column.kinds
        assert column.text.endswith(".")
        assert "\n" not in column.text


def test_what_was_read_may_have_columns_of_a_package_that_is_not_there():
    found = Record.read({**record().flat(), "flavour": "sweet"})
    assert found["flavour"] == "sweet"
    assert Records([record(), found]).where(flavour="sweet") == (found,)
    assert Records([record(), found]).where(flavour=None) == (record(),)


def test_where_finds_by_fields_own_columns_none_and_several():
    assert RECORDS.where() == RECORDS
    assert RECORDS.where(metric=Metric.OBJECT_RECOGNITION) == RECORDS[:2]
    assert RECORDS.where(concept=None) == (*RECORDS[:2], RECORDS[4])
    assert RECORDS.where(concept="color") == RECORDS[2:3]
    assert RECORDS.where(concept=("color", None), study="probe") == RECORDS[:3]
    assert RECORDS.where(control=frozenset({"bag_of_concepts", "bag_twin"})) == RECORDS[1:2]
    assert RECORDS.where(value=0.25) == RECORDS[1:2]
    assert RECORDS.where(repair=None) == RECORDS[:4]
    with pytest.raises(UnknownNameError, match="no record has a column 'controll'; did you mean"):
        RECORDS.where(controll="none")
    with pytest.raises(UnknownNameError, match="'colour'"):
        Records().where(colour="red")


def test_one_is_one_and_the_error_says_what_was_asked_and_how_many_there_were():
    assert RECORDS.one(metric="object_recognition", control=Control.NONE) is RECORDS[0]
    with pytest.raises(RecordError, match="metric=r2, concept=color; there are 0 among 5"):
        RECORDS.one(metric=Metric.R2, concept="color")
    with pytest.raises(RecordError, match="split=test or all; there are 5 among 5"):
        RECORDS.one(split=("test", "all"))
    with pytest.raises(RecordError, match="nothing said of it; there are 5 among 5"):
        RECORDS.one()
    with pytest.raises(LookupError):
        Records().one(metric="r2")


def test_first_is_the_first_or_none():
    assert RECORDS.first(metric="concept_recognition") is RECORDS[2]
    assert RECORDS.first(metric="r2") is None


def test_distinct_and_scored():
    assert RECORDS.distinct("concept") == (None, "color", "shape")
    assert RECORDS.distinct("modality") == ("text", "both")
    assert RECORDS.scored() == (*RECORDS[:3], RECORDS[4])
    with pytest.raises(UnknownNameError, match="no record has a column 'flavour'"):
        RECORDS.distinct("flavour")


def test_they_are_a_sequence_that_cannot_be_changed():
    assert isinstance(RECORDS[1:3], Records)
    more = [record()]
    assert isinstance(RECORDS + more, Records)
    assert len(RECORDS + more) == 6
    assert pickle.loads(pickle.dumps(RECORDS)) == RECORDS
    with pytest.raises(TypeError):
        RECORDS[0] = record()
    with pytest.raises(AttributeError):
        RECORDS[0].value = 1.0
    own = {"concept": "color"}
    kept = Record(**{**dict.fromkeys(FIELDS[:11], "x"), "value": 1.0, "n": 1}, own=own)
    own["concept"] = "shape"
    assert kept["concept"] == "color"


def test_a_changed_copy_takes_fields_and_own_columns():
    found = RECORDS[2].but(value=0.1, concept="shape", control="bag_twin")
    assert (found.value, found["concept"], found.control) == (0.1, "shape", Control.BAG_TWIN)
    assert RECORDS[2]["concept"] == "color"
    with pytest.raises(UnknownNameError):
        RECORDS[2].but(flavour="sweet")


def test_a_frame_holds_every_column_and_every_record():
    frame = RECORDS.frame()
    assert list(frame.columns) == [*FIELDS, "concept", "pull"]
    assert frame["value"].tolist()[:3] == [0.5, 0.25, 1.0]
    assert frame["concept"].tolist()[2:4] == ["color", "shape"]
    assert list(Records().frame().columns) == list(FIELDS)


def test_without_pandas_the_error_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'conceptbind\[pandas\]'"):
        RECORDS.frame()


def test_they_show_themselves_in_one_line_and_as_a_table():
    assert repr(RECORDS) == "<5 records: probe 4, repair 1>"
    assert repr(Records()) == "<0 records>"
    assert repr(RECORDS[1]) == (
        "<probe text object_recognition = 0.25 n=10, control=bag_of_concepts>"
    )
    told = repr(RECORDS[4].but(ci_low=0.5, ci_high=0.875))
    assert told == "<repair both binding_accuracy = 0.75 [0.5, 0.875] n=10, repair=HNB, pull=0.3>"
    html = RECORDS._repr_html_()
    assert html.count("<tr>") == 6
    assert "<th>concept</th>" in html
    assert "<th>ci_low</th>" not in html  # says nothing of any
    assert "more; .frame() has all" not in html
    many = Records([record(encoder="<b>")] * (SHOWN + 1))
    assert "<b>" not in many._repr_html_()
    assert "<p>1 more; .frame() has all.</p>" in many._repr_html_()


def test_every_control_of_ours_is_described():
    assert set(CONTROL_TEXTS) == set(Control) - {Control.NONE}
    assert recognised(None) is Metric.OBJECT_RECOGNITION
    assert recognised(0) is Metric.CONCEPT_RECOGNITION


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({"control": "nne"}, "no record has the control 'nne'; did you mean 'none'"),
        ({"metric": ["r2", "object_recogniton"]}, "did you mean 'object_recognition'"),
        ({"repair": "HMB"}, "no record has the repair 'HMB'; did you mean 'HNB'"),
    ],
)
def test_a_word_that_stands_in_no_record_is_refused(asked, words):
    for ask in (RECORDS.where, RECORDS.first, RECORDS.one):
        with pytest.raises(UnknownNameError, match=re.escape(words)):
            ask(**asked)


def test_words_of_another_package_can_be_asked_for():
    with pytest.raises(UnknownNameError):
        RECORDS.where(metric="nearest_other_scene")
    record("nearest_other_scene", 0.5, control="shuffled_rows")
    assert RECORDS.where(metric="nearest_other_scene", control="shuffled_rows") == Records()


def test_no_control_is_the_encoder_itself():
    assert RECORDS.where(control=None) == RECORDS.where(control="none") != Records()
