"""The table of the terminal: which records it shows, and what stands beside them."""

from __future__ import annotations

import made
from conceptbind.core.records import Records
from conceptbind.report import summary_table
from conceptbind.report.words import controls_of, metric_name


def record(
    metric, value, low=0.1, high=0.9, *, study="probe", modality="text", n=1234, ties=5, **extra
):
    facts = {"study": study, "modality": modality, "n": n, "ties": ties, **extra}
    return made.record(metric, value, low, high, **facts)


RECORDS = [
    record("object_recognition", 0.6815, 0.6220, 0.7441),
    record("object_recognition", 0.25, control="bag_of_concepts"),
    record("object_recognition", 0.5, modality="image", control="bag_of_concepts"),
    record("concept_recognition", 1.0, concept="color"),
    record("concept_recognition", 0.5, concept="shape", control="bag_of_concepts"),
    record("attribute_recognition", 0.9, study="attribute_probe", concept="color"),
    record("attribute_recognition", 0.9, study="attribute_probe", concept="color", noun="cube"),
    record("binding_accuracy", 0.68, study="crossmodal", order="either", ties=None),
    record("binding_accuracy", 0.68, study="repair", repair="HNB"),
    record("modality_gap", 0.2, None, None, study="crossmodal"),
    *(
        record("object_recognition", 0.123, study=name)
        for name in ("additive", "spectrum", "removal", "edit", "complexity")
    ),
]


def test_it_shows_the_main_numbers_beside_their_controls():
    lines = [line.split("  ") for line in summary_table(Records(RECORDS)).splitlines()]
    cells = [[cell.strip() for cell in line if cell.strip()] for line in lines]
    assert cells == [
        ["modality", "metric", "value", "95 % interval", "bag of concepts", "n", "ties"],
        ["text", "object recognition", "68.2 %", "62.2 % to 74.4 %", "25.0 %", "1,234", "5"],
        ["text", "concept recognition (color)", "100 %", "10.0 % to 90.0 %", "-", "1,234", "5"],
        ["text", "attribute recognition (color)", "90.0 %", "10.0 % to 90.0 %", "-", "1,234", "5"],
        ["text", "binding accuracy (either)", "68.0 %", "10.0 % to 90.0 %", "-", "1,234", "-"],
    ]


def test_controls_belong_to_one_study_modality_metric_concept_and_noun():
    assert {
        name: found.value for name, found in controls_of(RECORDS[0], Records(RECORDS)).items()
    } == {"bag_of_concepts": 0.25}
    assert controls_of(RECORDS[3], Records(RECORDS)) == {}
    noun = record(
        "attribute_recognition",
        0.4,
        study="attribute_probe",
        concept="color",
        noun="cube",
        control="random_weights",
    )
    assert controls_of(RECORDS[5], Records([*RECORDS, noun])) == {}
    assert controls_of(RECORDS[6], Records([*RECORDS, noun])) == {"random_weights": noun}
    other = record("object_recognition", 0.4, study="attribute_probe", control="random_weights")
    assert "random_weights" not in controls_of(RECORDS[0], Records([*RECORDS, other]))


def test_a_metric_in_words_says_what_it_varies():
    assert metric_name(RECORDS[3]) == "concept recognition (color)"
    assert metric_name(RECORDS[6]) == "attribute recognition (color, cube)"
    assert (
        metric_name(record("object_recognition", 1.0, queries="own"))
        == "object recognition (by its own queries)"
    )
    assert (
        metric_name(record("object_recognition", 1.0, queries="text"))
        == "object recognition (by text queries)"
    )
    assert metric_name(record("modality_gap", 1.0)) == "modality gap"


def test_the_whole_table_with_ties_and_a_change():
    rows = [
        record("object_recognition", 0.5, ties=1234),
        record("object_recognition", 0.25, control="random_weights"),
        record("binding_gain", 0.25, -0.1, 0.9, study="crossmodal", n=7),
    ]
    lines = summary_table(Records(rows)).splitlines()
    assert len({len(line) for line in lines}) == 1
    assert [[cell.strip() for cell in line.split("  ") if cell.strip()] for line in lines] == [
        ["modality", "metric", "value", "95 % interval", "random weights", "n", "ties"],
        ["text", "object recognition", "50.0 %", "10.0 % to 90.0 %", "25.0 %", "1,234", "1,234"],
        ["text", "binding gain", "+25.0 points", "-10.0 to +90.0", "-", "7", "5"],
    ]


def test_the_controls_are_named_as_in_the_report():
    rows = [
        record("object_recognition", 1.0),
        *(record("object_recognition", 0.5, control=c) for c in ("random_weights", "bag_twin")),
    ]
    assert "random weights  bag twin" in summary_table(Records(rows)).splitlines()[0]
