"""What the laboratory says, and shows."""

from __future__ import annotations

from dataclasses import replace

import pytest

from conceptbind.core.names import Metric, Repair
from conceptbind.core.records import Record, Records
from conceptbind.core.rounding import percent
from conceptbind.repairs.labclip import Pairs
from conceptbind.repairs.laboratory import alone, laboratory
from conceptbind.repairs.laboratory.grounds import PairGround
from conceptbind.repairs.laboratory.section import laboratory_rows, laboratory_section
from conceptbind.repairs.laboratory.words import laboratory_verdict, negatives_sentence
from repairs.laboratory import planted_truths as truths
from repairs.laboratory.test_contest import compared


def difference(value, low, high):
    about = {"study": "laboratory", "modality": "both", "split": "test", "encoder": "e"}
    return Record.of(
        **about,
        scenes="s",
        metric=Metric.BINDING_GAIN,
        value=value,
        n=300,
        ci_low=low,
        ci_high=high,
    )


@pytest.mark.parametrize(
    ("record", "expected"),
    [
        (None, ""),
        (difference(0.1, 0.05, 0.15), " Hard negatives are needed: with them binding changes by "
         "+10.0 points (+5.0 to +15.0)."),
        (difference(-0.001, -0.013, 0.011), " Hard negatives are not needed here: with them "
         "binding changes by -0.1 points (-1.3 to +1.1)."),
        (difference(0.03, -0.02, 0.08), " Whether hard negatives are needed cannot be judged: "
         "with them binding changes by +3.0 points (-2.0 to +8.0)."),
        (difference(0.019, 0.015, 0.0199), " Hard negatives are not needed here: with them "
         "binding changes by +1.9 points (+1.5 to +2.0)."),
    ],
)  # fmt: skip
def test_whether_negatives_are_needed(record, expected):
    assert negatives_sentence(record) == expected


def test_what_is_recommended_and_what_it_does():
    found = compared(truths.turned(150))
    verdict = laboratory_verdict(found, "pairs")
    assert (verdict.word, verdict.repairs) == ("yes", True)
    assert verdict.sentence.startswith(
        "Of 4 repairs validation prefers rotation (Procrustes), with 120 numbers. It brings the "
        "binding accuracy from "
    )
    record = found.record(found.best, Metric.BINDING_ACCURACY)
    assert f"n = {record.n:,}) on pairs that it was not fitted on, a change of" in verdict.sentence
    assert verdict.score == record.value
    assert (verdict.level, verdict.modality, verdict.control) == (3, "both", "no_repair")
    assert " The control is no repair: no encoder without binding" in verdict.sentence


def test_what_it_costs_is_said_beside_what_it_gains():
    found = compared(truths.turned(150))
    then, now = (
        found.record(entry, Metric.RECALL_AT_1).value for entry in (found.entries[0], found.best)
    )
    said = f" Recall at 1 goes from {percent(then)} to {percent(now)}."
    assert said in laboratory_verdict(found, "pairs").sentence
    alone = [
        record.but(metric="single_object_accuracy", value=value)
        for record, value in (
            (found.record(found.entries[0], Metric.BINDING_ACCURACY), 1.0),
            (found.record(found.best, Metric.BINDING_ACCURACY), 0.862),
        )
    ]
    with_more = replace(found, records=Records([*found.records, *alone]))
    said = " and recognition of single objects goes from 100 % to 86.2 %."
    assert said in laboratory_verdict(with_more, "pairs").sentence


@pytest.mark.parametrize(("high", "word"), [(0.02, "yes"), (0.9, "partly")])
def test_the_twin_is_named_and_has_to_gain_less(high, word):
    found = compared(truths.turned(150))
    own = found.record(found.best, Metric.BINDING_GAIN)
    twin = own.but(control="bag_twin", value=0.01, ci_low=0.0, ci_high=high)
    verdict = laboratory_verdict(replace(found, records=Records([*found.records, twin])), "pairs")
    assert (verdict.word, verdict.control) == (word, "bag_twin")
    assert "The bag twin, which was trained" in verdict.sentence
    assert ("not clearly less" in verdict.sentence) is (word == "partly")
    assert "The control is no repair" not in verdict.sentence


def test_that_nothing_is_recommended_and_why():
    found = compared(truths.bag(150))
    verdict = laboratory_verdict(found, "pairs")
    assert (verdict.word, verdict.repairs) == ("no", False)
    assert "Of 4 repairs none is recommended: the binding accuracy stays at" in verdict.sentence
    why = ("On validation no map does better", "which is not sure enough")
    assert any(reason in verdict.sentence for reason in why)


def test_without_negatives_no_binding_is_claimed():
    images, texts, _ = truths.turned(150)
    ground = PairGround(Pairs.of(images, texts), {"scenes": "s", "encoder": "e"}, 0)
    found = laboratory(ground, alone((Repair.PROCRUSTES,), 0))
    assert found.decides == Metric.RECALL_AT_1
    verdict = laboratory_verdict(found, "pairs")
    assert (verdict.word, verdict.score, verdict.level) == ("unclear", None, 3)
    assert verdict.sentence.endswith("on binding cannot be judged without negatives.")
    assert "It brings recall at 1 from" in verdict.sentence


@pytest.mark.parametrize(
    ("gain", "word"),
    [
        ((0.05, -0.05, 0.1), "unclear"),  # may be large, may be none
        ((0.05, -0.05, 0.099), "no"),
        ((-0.05, -0.2, -0.01), "no"),
    ],
)
def test_a_repair_whose_gain_may_be_large_cannot_be_judged(gain, word):
    found = compared(truths.turned(150))
    own = found.record(found.best, Metric.BINDING_GAIN)
    value, low, high = gain
    records = [
        own.but(value=value, ci_low=low, ci_high=high) if record == own else record
        for record in found.records
    ]
    verdict = laboratory_verdict(
        replace(found, records=Records(records), recommended=False), "pairs"
    )
    assert verdict.word == word
    assert verdict.sentence.startswith("It cannot be judged") is (word == "unclear")


def test_tables_have_as_many_cells_as_their_heads_with_a_control_that_measured_less():
    found = compared(truths.turned(150))
    twin = Records(
        record.but(control="bag_twin", recommended=None)
        for record in found.records
        if record.repair in ("none", "procrustes") and record.metric != Metric.RECALL_AT_1
    )
    section = laboratory_section(found.records + twin)
    tables = [block for block in section.data["blocks"] if block["kind"] == "table"]
    assert [len(one["rows"]) for one in tables] == [5, 5, 2, 2]
    for one in tables:
        assert {len(row) for row in one["rows"]} == {len(one["head"])}
    assert "recall at 1" in tables[0]["head"]
    assert "recall at 1" not in tables[2]["head"]
    assert tables[0]["rows"][2][0] == "procrustes *"
    head, none, *_ = laboratory_rows(found.records)
    assert dict(zip(head, none, strict=True))["repair"] == "no repair"
