"""A share becomes one flat record: its counts, its ties, its interval, and what the study varied as
columns.
"""

import json

import numpy as np

from conceptbind.core.records import FIELDS
from conceptbind.core.scored import share_record
from conceptbind.metrics import recognition, share_interval

WHERE = {
    "study": "probe",
    "modality": "text",
    "metric": "concept_recognition",
    "split": "test",
    "scenes": "text20",
    "encoder": "mine",
}


def outcome():
    """Six scenes of two candidates: three right, two tied, one not scored."""
    scores = np.array([[1, 0], [1, 0], [1, 0], [0, 0], [0, 0], [0, 0]])
    present = np.array([[1, 0]] * 5 + [[1, 1]])
    return recognition(scores, present)


def test_a_record_by_hand():
    record = share_record(outcome(), **WHERE, own={"concept": "color", "seed": 3})
    assert (record.value, record.n, record.ties) == (0.6, 5, 2)
    assert (record.ci_low, record.ci_high) == share_interval(np.array([1, 1, 1, 0, 0.0]))
    assert record.own == {"concept": "color", "seed": 3}


def test_what_the_study_varies_becomes_columns():
    row = share_record(outcome(), **WHERE, own={"concept": "color", "noun": None}).flat()
    assert row["concept"] == "color"
    assert row["noun"] is None
    assert row["control"] == "none"
    assert set(row) == {*FIELDS, "concept", "noun"}
    assert {name: row[name] for name in WHERE} == WHERE


def test_a_share_of_nothing_is_undefined_not_nan():
    nothing = recognition(np.zeros((2, 2)), np.ones((2, 2)))
    row = share_record(nothing, **WHERE).flat()
    assert (row["value"], row["n"], row["ties"], row["ci_low"], row["ci_high"]) == (
        None,
        0,
        0,
        None,
        None,
    )
    assert json.loads(json.dumps(row, allow_nan=False)) == row


def test_a_record_is_plain_json():
    row = share_record(outcome(), **WHERE, own={"additive_level": 1}).flat()
    assert json.loads(json.dumps(row, allow_nan=False)) == row
