"""Reference runs give the records that they gave when these were written down.

The records of `records/` are those of the commit before the code was put in its present order. On
the same kind of processor, with the same libraries and number of threads, every number is equal to
the last digit and every sentence to the letter. Elsewhere it is compared which records there are
and how many draws each is made of (`ELSEWHERE`).
"""

from __future__ import annotations

import pytest

from conceptbind import load_run
from reference import kept
from reference.kept import ELSEWHERE, VALUES, ambiguous, differences, machine, read
from reference.runs import RUNS

MARKS = {True: [pytest.mark.long, pytest.mark.timeout(900)], False: []}


@pytest.mark.filterwarnings("ignore:.*have no hard negative")
@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=MARKS[run.slow]) for name, run in RUNS.items()]
)
def test_a_run_gives_the_kept_records_and_sentences(name, tmp_path):
    where, records, sentences = read(name)
    found = RUNS[name].found(tmp_path)
    here = where == machine()
    told = differences(records, found.records, VALUES if here else ELSEWHERE)
    assert not told, "\n".join([f"{name}: first differences from the kept records", *told])
    run = load_run(tmp_path / "out")
    assert run.records.rows() == found.records
    assert run.sentences
    assert run.provenance["config"]
    assert not here or [sentence for sentence in sentences if sentence not in found.said] == []


@pytest.mark.parametrize("name", RUNS)
def test_each_kept_record_is_told_from_the_others_by_what_it_is_about(name):
    _, records, sentences = read(name)
    assert len(records) > 10
    assert ambiguous(records) == 0
    assert sentences


ABOUT = {"study": "probe", "modality": "text", "metric": "share"}
ROWS = [
    {**ABOUT, "control": "none", "value": 1 / 3, "n": 3, "ties": 0, "gap": 1e-9},
    {**ABOUT, "control": "bag", "value": 0.1, "n": 3, "ties": None, "gap": 2e-9},
    {**ABOUT, "control": "twin", "value": 0.1, "n": 3, "ties": None, "gap": 2e-9},
    {**ABOUT, "control": "twin", "value": 0.5, "n": 3, "modality": "image"},
]


def changed(row, **change):
    return [other if i != row else other | change for i, other in enumerate(ROWS)]


def test_what_is_written_is_read_again(tmp_path, monkeypatch):
    monkeypatch.setattr(kept, "FOLDER", tmp_path / "records")
    kept.write("some", ROWS, ["Some bind."])
    where, records, sentences = read("some")
    assert (where, records, sentences) == (machine(), ROWS, ["Some bind."])


def test_order_and_what_is_new_beside_the_kept_records_count_for_nothing():
    new = [row | {"unit": "share", "level": None} for row in ROWS[::-1]]
    assert differences(ROWS, [*new, {**ABOUT, "study": "another", "value": 1.0}], VALUES) == []


@pytest.mark.parametrize(
    ("found", "message"),
    [
        (
            changed(0, value=0.3333333333333334),
            "value was 0.3333333333333333, is 0.3333333333333334 of control none, metric share",
        ),
        (changed(1, n=4), "n was 3, is 4 of control bag"),
        (changed(1, ties=0), "ties was None, is 0 of control bag"),
        (changed(2, gap=3e-9), "gap was 2e-09, is 3e-09 of control twin"),
        (ROWS[:2] + ROWS[3:], "1 kept and 0 found of control twin"),
        ([*ROWS, ROWS[0]], "1 kept and 2 found of control none"),
        ([*ROWS, ROWS[0] | {"control": "other"}], "0 kept and 1 found of control other"),
        (
            [{k: v for k, v in row.items() if k != "control"} for row in ROWS],
            "no record has the column control; if it was renamed",
        ),
    ],
)
def test_what_differs_is_told_in_words(found, message):
    (told,) = differences(ROWS, found, VALUES)
    assert message in told


def test_elsewhere_numbers_may_differ_and_counts_of_draws_may_not():
    assert differences(ROWS, changed(0, value=0.3), ELSEWHERE) == []
    assert differences(ROWS, changed(0, n=4), ELSEWHERE)
    assert differences(ROWS, ROWS[1:], ELSEWHERE)


def test_a_renamed_column_is_compared_under_its_name_and_a_dropped_one_is_not(monkeypatch):
    new = [
        {"model" if k == "control" else k: v for k, v in row.items() if k != "gap"} for row in ROWS
    ]
    monkeypatch.setattr(kept, "RENAMED", {"control": "model", "gap": None})
    assert differences(ROWS, new, VALUES) == []
    new[1]["value"] = 0.2
    assert differences(ROWS, new, VALUES) == [
        "value was 0.1, is 0.2 of metric share, modality text, model bag, study probe"
    ]


def test_at_most_a_few_differences_are_told():
    assert len(differences(ROWS, [{**ABOUT, "value": 2.0}], VALUES, most=2)) == 2
    assert len(differences(ROWS, [row | {"value": 2.0} for row in ROWS], VALUES, most=2)) == 2
