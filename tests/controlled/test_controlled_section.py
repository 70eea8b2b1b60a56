"""What a sweep of controlled models says, by hand."""

from __future__ import annotations

import pytest

from conceptbind.controlled import rank_correlation, sweep_sentence, transition_table
from conceptbind.controlled.section import number_table
from conceptbind.core.records import Record, Records


def model(values, n_objects, coverage, seed, value, **controls):
    """Records of one model and of what stands beside it."""
    name = f"{values} coverage {coverage:g} seed {seed}"
    shared = {
        "values": values,
        "n_objects": n_objects,
        "coverage": coverage,
        "seed": seed,
        "objective": "queries",
        "among": "all",
        "width": 64,
        "depth": 2,
    }
    return [
        Record(
            study="controlled",
            modality="symbols",
            metric="object_recognition",
            value=found,
            n=100,
            ties=0,
            ci_low=0.0,
            ci_high=1.0,
            split="unseen",
            scenes=f"symbols {values}",
            encoder=name,
            own=shared,
            control=control,
        )
        for control, found in {"none": value, **controls}.items()
    ]


RECORDS = [
    *model("20x20", 400, 0.5, 0, 0.9, additive=0.3, counts_of_concepts=0.1),
    *model("5x5", 25, 0.5, 0, 0.2, additive=0.1, counts_of_concepts=0.05),
    *model("20x20", 400, 0.5, 1, 1.0, additive=0.5, counts_of_concepts=0.3),
    *model("20x20", 400, 0.1, 0, 0.25, counts_of_concepts=0.1),
]


def test_means_by_space_and_coverage():
    head, *rows = transition_table(Records(RECORDS), ["additive"])
    assert head == [
        "trained on a share of",
        "coverage",
        "models",
        "scenes of new objects recognised among all objects",
        "additive",
        "counts of concepts",
    ]
    assert rows == [
        ["25 objects (5x5)", "0.5", "1", "20.0 %", "10.0 %", "5.0 %"],
        ["400 objects (20x20)", "0.1", "1", "25.0 %", "-", "10.0 %"],
        ["400 objects (20x20)", "0.5", "2", "95.0 % (90.0 % to 100 %)", "40.0 %", "20.0 %"],
    ]


def test_recognition_by_the_number_of_objects():
    counted = [
        one.but(metric="object_recognition_by_number", in_scene=number)
        for number, value in ((1, 0.75), (3, 0.25))
        for one in model("5x5", 25, 0.5, 0, value, counts_of_concepts=value / 5)
    ]
    name = "5x5 coverage 0.5 seed 0"
    assert number_table(Records([*RECORDS, *counted])) == [
        ["model", "scenes of objects", "1 object", "3 objects"],
        [name, "unseen", "75.0 %", "25.0 %"],
        [name, "unseen (counts of concepts)", "15.0 %", "5.0 %"],
    ]
    assert number_table(Records(RECORDS)) == []


def test_sizes_of_models_have_lines_of_their_own():
    wide = model("20x20", 400, 0.5, 0, 0.6)
    wide[0] = wide[0].but(width=128)
    rows = transition_table(Records([*RECORDS, *wide]), [])[1:]
    assert [row[0] for row in rows] == [
        "25 objects (5x5, width 64, depth 2)",
        *2 * ["400 objects (20x20, width 64, depth 2)"],
        "400 objects (20x20, width 128, depth 2)",
    ]


def test_where_binding_begins_and_how_probes_rise():
    sentence = sweep_sentence(Records(RECORDS), ["additive"])
    assert (
        "With 400 objects (20x20), 3 models: at least 90.0 % of the scenes of new objects are "
        "recognised among all objects from coverage 0.5 on." in sentence
    )
    assert (
        "With 25 objects (5x5), one model: no coverage reaches 90.0 %; the best is 20.0 % at 0.5."
        in sentence
    )
    assert rank_correlation(Records(RECORDS), "additive") == (
        pytest.approx(1.0),
        pytest.approx(0.0, abs=1e-9),
        3,
    )
    assert "Over 3 models" in sentence
    # what rises and falls again has not begun
    falls = [
        *RECORDS,
        *model("20x20", 400, 0.8, 0, 0.4),
    ]
    assert "90.0 % is reached at coverage 0.5, but not at every larger one." in sweep_sentence(
        Records(falls), []
    )
