"""Runs subtracted, on records whose differences are known by hand."""

from __future__ import annotations

from conceptbind.core.records import Record, Records
from conceptbind.report import difference_tables


def tables(**runs):
    return difference_tables({name: Records(found) for name, found in runs.items()})


def record(value, n=100, **more):
    base = {
        "study": "crossmodal",
        "modality": "both",
        "metric": "binding_accuracy",
        "value": value,
        "n": n,
        "ties": 0,
        "ci_low": 0.1,
        "ci_high": 0.9,
        "split": "all",
        "scenes": "s",
        "encoder": "e",
        "control": "none",
        "order": "either",
    }
    return Record.of(**{**base, **more})


def test_every_difference_is_from_the_first_run():
    runs = {
        "a": [record(0.5), record(0.25, order="reversed"), record(0.75, metric="recall_at_1")],
        "b": [record(0.625), record(0.125, order="reversed")],
        "c": [record(0.4, n=90), record(1.0, metric="recall_at_1")],
    }
    (table,) = tables(**runs)
    shown = {(row[1], row[2]): row[3:] for row in table.rows}
    assert table.columns[-2:] == ("difference from a", "same scenes")
    assert shown["binding accuracy, order either", "a"] == (
        "50.0 %",
        "10.0 % to 90.0 %",
        "100",
        "-",
        "-",
    )
    assert shown["binding accuracy, order either", "b"][-2:] == ("+12.5 points", "yes")
    assert shown["binding accuracy, order either", "c"][-2:] == ("-10.0 points", "no")
    assert shown["binding accuracy, order reversed", "b"][-2] == "-12.5 points"
    assert shown["recall at 1, order either", "c"][-2] == "+25.0 points"
    assert ("recall at 1, order either", "b") not in shown


def test_what_is_no_share_of_the_encoder_s_own_is_left_out():
    left_out = [
        record(0.5, control="bag_of_concepts"),
        record(0.5, metric="swap_cosine"),
        record(0.5, metric="recall_gain"),
        record(None),
        record(0.5, ci_low=None),
        record(0.5, study="edit"),
    ]
    assert tables(a=left_out, b=left_out) == []
    assert tables(a=[record(0.5)]) == []
    assert tables(a=[record(0.5)], b=[record(0.5, modality="text")]) == []
