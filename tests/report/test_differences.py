"""Runs subtracted, on records whose differences are known by hand."""

from __future__ import annotations

import pytest

from conceptbind.core.records import Record, Records
from conceptbind.report import difference_tables
from conceptbind.report.leaderboard import Competitor, boards


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
    assert table.columns[-2:] == ("difference from a (without interval)", "same scenes")
    assert shown["binding accuracy, order either", "a"] == (
        "50.0 %",
        "10.0 % to 90.0 %",
        "100",
        "-",
        "-",
    )
    assert shown["binding accuracy, order either", "b"][-2:] == ("+12.5 points", "yes")
    assert shown["binding accuracy, order either", "c"][-2:] == ("-", "no")
    assert shown["binding accuracy, order reversed", "b"][-2] == "-12.5 points"
    assert shown["recall at 1, order either", "c"][-2] == "+25.0 points"
    assert ("recall at 1, order either", "b") not in shown


def test_what_is_ranked_is_subtracted_in_the_table_of_pairs_alone():
    runs = {
        "a": [record(0.5), record(0.25, order="reversed")],
        "b": [record(0.625), record(0.5, order="reversed")],
        "c": [record(0.4, n=90)],  # of other scenes: nowhere subtracted
    }
    found = {name: Records(rows) for name, rows in runs.items()}
    ranked = boards([Competitor(name, rows, {}) for name, rows in found.items()])
    assert [board.id for board in ranked] == ["across"]
    (table,) = difference_tables(found, ranked)
    shown = {(row[1], row[2]): row[-2] for row in table.rows}
    assert shown == {
        ("binding accuracy, order either", "a"): "-",
        ("binding accuracy, order either", "b"): "see the pairs",
        ("binding accuracy, order either", "c"): "-",
        ("binding accuracy, order reversed", "a"): "-",
        ("binding accuracy, order reversed", "b"): "+25.0 points",
    }


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


def test_the_whole_table():
    """Three runs; the second has other scenes, the third as many items as the first."""
    runs = {
        "a": [record(0.5, n=1234), record(0.25, 1234, repair="HNB", study="repair")],
        "b": [record(0.625, n=1234, scenes="t")],
        "c": [record(0.0, n=1234), record(0.75, 1234, repair="HNB", study="repair")],
    }
    (table,) = tables(**runs)
    assert (table.name, table.title) == ("differences", "Every share beside that of the first run")
    assert table.columns == (
        *("modality", "measure", "run", "value", "95 % interval", "n"),
        *("difference from a (without interval)", "same scenes"),
    )
    ends, either = "10.0 % to 90.0 %", "binding accuracy, order either"
    repaired = f"{either}, repair HNB"
    assert table.rows == (
        ("both", either, "a", "50.0 %", ends, "1,234", "-", "-"),
        ("both", either, "b", "62.5 %", ends, "1,234", "-", "no"),
        ("both", either, "c", "0 %", ends, "1,234", "-50.0 points", "yes"),
        ("both", repaired, "a", "25.0 %", ends, "1,234", "-", "-"),
        ("both", repaired, "c", "75.0 %", ends, "1,234", "+50.0 points", "yes"),
    )
    assert len(tables(a=runs["a"], c=runs["c"])[0].rows) == 4


@pytest.mark.parametrize(
    ("column", "one", "other"),
    [
        ("study", "crossmodal", "probe"),
        ("modality", "text", "image"),
        ("metric", "accuracy", "recall_at_1"),
        ("split", "all", "test"),
        ("concept", "color", "shape"),
        ("noun", "cube", "ball"),
        ("order", "either", "reversed"),
        ("queries", "text", "own"),
        ("repair", "HNB", "SB"),
        ("protocol", "strict", "mieb"),
        ("objects", "4", "8"),
        ("among", "all", "unseen"),
        ("values", "5x5", "6x6"),
        ("coverage", 0.5, 0.8),
    ],
)
def test_measures_that_differ_in_one_column_are_two(column, one, other):
    run = [record(0.5, **{column: one}), record(0.25, **{column: other})]
    (table,) = tables(a=run, b=run[::-1])
    assert [row[3] for row in table.rows] == ["50.0 %", "50.0 %", "25.0 %", "25.0 %"]
    # what is none of these, and comes second, is the same measure
    first = [record(0.5, n=3), record(0.25, n=4)]
    (table,) = tables(a=first, b=first)
    assert [row[3] for row in table.rows] == ["50.0 %", "50.0 %"]


@pytest.mark.parametrize(
    "study",
    [
        *("probe", "attribute_probe", "search", "crossmodal"),
        *("within", "repair", "finetune", "controlled"),
    ],
)
def test_shares_of_these_studies_are_compared(study):
    run = [record(0.5, study=study)]
    assert len(tables(a=run, b=run)) == 1


def test_what_a_repair_of_nothing_is_called():
    run = [record(0.5, repair="none", concept="color", order=None)]
    (table,) = tables(a=run, b=run)
    assert {row[1] for row in table.rows} == {"binding accuracy, concept color"}
