"""Every cell of the tables of the report, from records whose numbers tell them apart."""

from __future__ import annotations

import pytest

import made
from conceptbind.core.records import Records
from conceptbind.report.cells import (
    binding_cells,
    complexity_cells,
    edit_cells,
    finetune_cells,
    r2_cells,
    removal_cells,
)
from conceptbind.report.tables import PaperTable, paper_tables


def record(study, metric, value, low=None, high=None, n=1234, **extra):
    return made.record(metric, value, low, high, study=study, n=n, ties=None, **extra)


FIRST = {"estimator": "avg", "additive_level": 1}


def additive(estimator, slots, level=1, add=0.0):
    """All numbers of one row of the additive table."""
    facts = {"estimator": estimator, "additive_level": level}

    def r2(value, split, **more):
        return record("additive", "r2", value + add, slots=slots, split=split, **facts, **more)

    return [
        r2(0.9, "all"),
        r2(0.8, "test", n=289),
        r2(0.7, "train"),
        r2(0.6, "all", control="random_weights"),
        r2(0.1, "test", control="random_weights"),
        record("additive", "retrieval_top1", 0.5, 0.45, 0.55, n=289, **facts),
        record("additive", "object_recognition", 0.4, 0.35, 0.45, n=289, **facts),
        record("additive", "concept_recognition", 0.35, 0.3, 0.4, n=289, concept="color", **facts),
        record("additive", "concept_recognition", 0.3, n=289, concept="shape", **facts),
    ]


def test_sums_of_parts_by_order_and_estimator():
    records = [
        *additive("least_squares", "together", level=2),
        *additive("single", "together"),
        *additive("avg+pos", "apart"),
        *additive("avg", "together"),
        record("probe", "r2", 0.123, **FIRST, slots="together", split="all"),
        *additive("avg", "together", level=3),
    ]
    shares = ["50.0 % (45.0 % to 55.0 %)", "40.0 % (35.0 % to 45.0 %)", "30.0 %"]
    numbers = ["0.900", "0.800", "0.600", *shares, "1,234", "289"]
    assert r2_cells(Records(records)) == [
        [
            *("1 (values)", "least squares, slots together", *numbers[:3], "-", "-", "-"),
            *("1,234", "289"),
        ],
        ["2 (objects)", "avg", *numbers],
        ["2 (objects)", "avg+pos", *numbers],
        ["2 (objects)", "single", *numbers],
    ]


def test_least_squares_is_read_with_slots_apart():
    records = [
        *additive("least_squares", "together"),
        *(r for r in additive("least_squares", "apart", add=0.05) if r.metric == "r2"),
    ]
    assert r2_cells(Records(records)) == [
        [
            *(
                "2 (objects)",
                "least squares, slots together",
                "0.900",
                "0.800",
                "0.600",
                "-",
                "-",
                "-",
            ),
            *("1,234", "289"),
        ],
        [
            *("2 (objects)", "least squares, slots apart", "0.950", "0.850", "0.650"),
            *("50.0 % (45.0 % to 55.0 %)", "40.0 % (35.0 % to 45.0 %)", "30.0 %", "1,234", "289"),
        ],
    ]


ENDS = "(1.0 % to 99.0 %)"


def test_what_is_left_without_a_part():
    removed = {
        "permuted_objects": (0.1, 0.2, 0.3),
        "none": (0.9, 0.8, 0.7),
        "concepts": (0.6, 0.5, 0.4),
        "objects": (0.65, 0.55, 0.45),
        "permuted_concepts": (0.15, 0.25, 0.35),
    }
    records = [record("edit", "object_recognition", 0.01, removed="none")]
    for name, (color, shape, objects) in removed.items():
        records += [
            record("removal", "concept_recognition", color, removed=name, concept="color"),
            record("removal", "concept_recognition", shape, removed=name, concept="shape"),
            record("removal", "object_recognition", objects, 0.01, 0.99, removed=name),
        ]
    assert removal_cells(Records(records)) == [
        ["original", "80.0 %", f"70.0 % {ENDS}", "1,234"],
        ["minus concept part", "50.0 %", f"40.0 % {ENDS}", "1,234"],
        ["minus object part", "55.0 %", f"45.0 % {ENDS}", "1,234"],
        ["minus permuted concept part", "15.0 %", f"35.0 % {ENDS}", "1,234"],
        ["minus permuted object part", "10.0 %", f"30.0 % {ENDS}", "1,234"],
    ]
    assert removal_cells(Records(records[:4])) == [
        ["minus permuted object part", "10.0 %", f"30.0 % {ENDS}", "1,234"]
    ]


def test_edits_at_strength_one():
    def edits(metric, estimator, shares, steering=1.0):
        facts = {"estimator": estimator, "steering": steering}
        return [
            record("edit", metric, share, 0.01, 0.99, attribute=part, n=1234 + i, **facts)
            for i, (part, share) in enumerate(shares.items())
        ]

    shares = {"same": 0.3, "all": 0.6, "different": 0.9}
    records = [
        *edits("edit_retrieval", "single", {"all": 0.2}),
        *edits("edit_retrieval", "avg", {"same": 0.2}),
        *edits("edit_probing", "avg+pos", shares),
        *edits("edit_probing", "avg", shares, steering=2.0),
    ]
    assert edit_cells(Records(records)) == [
        [
            *("probing", "avg+pos", f"60.0 % {ENDS}", f"30.0 % {ENDS}", f"90.0 % {ENDS}"),
            *("1,235", "1,234", "1,236"),
        ],
        ["retrieval", "single", f"20.0 % {ENDS}", "-", "-", "1,234", "-", "-"],
    ]


BINDING = [
    record("probe", "concept_recognition", 0.95, concept="color"),
    record("probe", "concept_recognition", 0.9, concept="shape"),
    record("probe", "concept_recognition", 0.05, concept="shape", control="bag_of_concepts"),
    record("probe", "object_recognition", 0.8),
    record("probe", "object_recognition", 0.02, control="random_weights"),
    record("probe", "object_recognition", 0.3, control="bag_of_concepts"),
    record("removal", "object_recognition", 0.01),
    record("crossmodal", "binding_accuracy", 0.7, order="either"),
    record("crossmodal", "binding_accuracy", 0.1, order="reversed"),
    record("crossmodal", "recall_at_1", 0.6),
    record("repair", "binding_accuracy", 0.55, 0.5, 0.6, repair="none"),
    record("repair", "binding_accuracy", 0.85, 0.8, 0.9, repair="HNB"),
    record("repair", "binding_accuracy", 0.03, 0.0, 0.1, repair="SB"),
    record("complexity", "generalisation_score", 0.25, approximator="mlp"),
    record(
        "complexity", "generalisation_score", 0.75, 0.6, 0.9, approximator="chosen", readout="own"
    ),
    record("complexity", "generalisation_score", 0.45, approximator="chosen", readout="plain"),
]


def test_binding_has_a_row_for_each_measure():
    rows = [
        ["concepts", "90.0 %", "-", "1,234"],
        ["objects", "80.0 %", "-", "1,234"],
        ["bag of concepts, objects", "30.0 %", "-", "1,234"],
        ["binding accuracy", "70.0 %", "-", "1,234"],
        ["recall at 1", "60.0 %", "-", "1,234"],
        ["binding accuracy, repaired", "85.0 %", "80.0 % to 90.0 %", "1,234"],
        ["generalisation", "0.750", "0.600 to 0.900", "1,234"],
    ]
    *first, repaired, last = rows
    assert binding_cells(Records(BINDING)) == rows
    # a repair that is not recommended is not written: the identity is
    refused = [
        r.but(recommended=False) if (r.study, r.repair) == ("repair", "HNB") else r for r in BINDING
    ]
    identity = ["binding accuracy, repaired", "55.0 %", "50.0 % to 60.0 %", "1,234"]
    assert binding_cells(Records(refused)) == [*first, identity, last]
    # of repairs only what has an interval counts
    unsure = [r.but(ci_low=None) if r.study == "repair" else r for r in BINDING]
    assert binding_cells(Records(unsure)) == [*first, last]
    assert binding_cells(Records([r for r in BINDING if r.study == "repair"])) == [repaired]
    assert binding_cells(Records([record("edit", "edit_probing", 0.5)])) == []
    # a control is not taken for the encoder
    twin = record("crossmodal", "binding_accuracy", 0.1, order="either", control="bag_of_concepts")
    assert binding_cells(Records([twin, *BINDING])) == rows


@pytest.mark.parametrize(
    ("chosen", "planted", "cell"),
    [
        ((0.75, 0.01, 0.9), None, "0.750"),
        ((0.75, 0.0, 0.9), None, "-"),  # draws reach down to nothing
        ((0.75, None, None), None, "-"),  # too few draws
        ((0.1, 0.05, 0.2), None, "0.100"),
        ((0.0, 0.0, 0.0), None, "-"),  # nothing shows that a simple rule would have been found
        ((0.0, 0.0, 0.0), (0.05, 0.04, 0.06), "-"),
        ((0.0, 0.0, 0.0), (0.9, 0.0, 0.95), "-"),
        ((0.0, 0.0, 0.0), (0.9, 0.8, 0.95), "0.000"),
        ((0.05, 0.0, 0.5), (0.9, 0.8, 0.95), "-"),  # may be simple
        ((None, None, None), (0.9, 0.8, 0.95), "-"),
    ],
)
def test_a_generalisation_that_cannot_be_judged_is_a_dash(chosen, planted, cell):
    about = {"readout": "plain"}
    rows = [
        record("probe", "object_recognition", 0.8),
        record("complexity", "generalisation_score", *chosen, approximator="chosen", **about),
    ]
    if planted:
        about = {**about, "approximator": "planted"}
        rows.append(record("complexity", "generalisation_score", *planted, **about))
    found = {name: value for name, value, _, _ in binding_cells(Records(rows))}
    assert found.get("generalisation", "-") == cell


def test_fine_tuning_before_and_after():
    records = [
        record("finetune", "binding_accuracy", 0.5, 0.45, 0.55, repair="none"),
        record("finetune", "binding_accuracy", 0.75, repair="FT"),
        record("finetune", "recall_at_1", 0.1, repair="none"),
        record("finetune", "binding_gain", 0.25, 0.2, 0.3, repair="FT", n=4321),
        record("repair", "binding_accuracy", 0.01, repair="none"),
    ]
    assert finetune_cells(Records(records)) == [
        ["50.0 % (45.0 % to 55.0 %)", "75.0 %", "+25.0 points (+20.0 to +30.0)", "4,321"]
    ]
    assert finetune_cells(Records(records[:3])) == []


def swept(metric, value, approximator="mlp", width=64, readout="plain", **extra):
    facts = {"approximator": approximator, "width": width, "readout": readout, "split": "unseen"}
    return record("complexity", metric, value, **{**facts, **extra})


def test_what_approximators_predict():
    records = [
        swept("generalisation_score", 0.5).but(ci_low=0.4, ci_high=0.6),
        swept("object_recognition", 0.2, coverage=0.2),
        swept("object_recognition", 0.6, coverage=0.8),
        swept("object_recognition", 0.01, coverage=0.8, split="train"),
        swept("object_recognition", 0.01, coverage=0.8, seed=3),
        swept("concept_recognition", 0.9, coverage=0.2, concept="color"),
        swept("concept_recognition", 0.7, coverage=0.2, concept="shape"),
        swept("concept_recognition", 0.9, coverage=0.8, concept="shape"),
        swept("concept_recognition", None, coverage=0.8, concept="color"),
        swept("r2", 0.3, coverage=0.2, readout=None),
        swept("r2", 0.5, coverage=0.8, readout=None),
        swept("r2", 0.95, coverage=0.8, readout=None, split="train"),
        swept("object_recognition", 1.0, "bag_of_concepts", None, None),
        swept("object_recognition", 0.5, width=64, readout="whitened"),
        record("probe", "object_recognition", 0.9, split="unseen", approximator="mlp", width=1),
    ]
    assert complexity_cells(Records(records)) == [
        [
            *("mlp", "64", "plain", "0.500", "0.400 to 0.600", "1,234"),
            *("40.0 %", "80.0 %", "0.400", "0.950"),
        ],
        ["bag of concepts", "-", "-", "-", "-", "-", "100 %", "-", "-", "-"],
        ["mlp", "64", "whitened", "-", "-", "-", "50.0 %", "-", "0.400", "0.950"],
    ]
    unsure = [r.but(ci_low=None, ci_high=None) for r in records[:2]]
    assert complexity_cells(Records(unsure))[0][3:5] == ["0.500", "-"]


TITLES = {
    "binding": "Binding: recognition by probes, and between pictures and captions",
    "finetune": "Fine-tuning: binding accuracy on what it was not trained on",
    "r2": "Additive structure",
    "removal": "What probes recognise without a part",
    "edits": "Edits at strength 1",
    "complexity": "Complexity: what small models predict for new objects",
}
HEADS = {
    "binding": "measure; value; 95 % interval; n",
    "finetune": "before; after; change; n",
    "r2": "order; estimator; R2; R2 held out; R2 random weights; retrieval; objects recognised; "
    "concepts recognised; n; n held out",
    "removal": "embeddings; concepts; objects; n",
    "edits": "hit by; object vectors; all; same attribute; different attribute; n; n same; "
    "n different",
    "complexity": "small model; width; read-out; score; 95 % interval; n; objects; "
    "hardest concept; R2; R2 train",
}


def test_each_table_has_its_title_and_head():
    records = [
        *BINDING,
        record("finetune", "binding_gain", 0.25, repair="FT"),
        *additive("avg", "together"),
        record("removal", "object_recognition", 0.5, removed="none"),
        record("edit", "edit_probing", 0.5, estimator="avg", steering=1, attribute="all"),
        swept("object_recognition", 0.2),
    ]
    found = paper_tables({"one": Records(records)})
    assert {table.name: table.title for table in found} == TITLES
    assert [table.name for table in found] == list(TITLES)
    for table in found:
        assert table.columns == ("run", "modality", *HEADS[table.name].split("; "))
        assert {row[:2] for row in table.rows} == {("one", "text")}
        assert {len(row) for row in table.rows} == {len(table.columns)}


def test_latex_has_the_interval_and_n_of_each_number():
    """What the record has stands in the .tex file: of every table, the least of its numbers."""
    facts = {"low": 0.111, "high": 0.999, "n": 4567}
    records = [
        record("probe", "object_recognition", 0.5, **facts),
        record("finetune", "binding_gain", 0.5, repair="FT", **facts),
        record("additive", "r2", 0.5, **FIRST, slots="together", split="all"),
        record("additive", "retrieval_top1", 0.5, **FIRST, **facts),
        record("removal", "object_recognition", 0.5, removed="none", **facts),
        record("edit", "edit_probing", 0.5, estimator="avg", steering=1, attribute="all", **facts),
        swept("object_recognition", 0.2),
        swept("generalisation_score", 0.5, low=0.111, high=0.999, n=4567),
    ]
    found = {table.name: table.latex() for table in paper_tables({"one": Records(records)})}
    assert set(found) == set(TITLES)
    for name, latex in found.items():
        ends = {"finetune": "+11.1 to +99.9", "complexity": "0.111 to 0.999"}
        assert ends.get(name, r"11.1 \% to 99.9 \%") in latex, name
        assert "4,567" in latex, name


@pytest.mark.parametrize(
    ("cells", "letter"),
    [
        (("1.5", "-", "1,000"), "r"),
        (("50 %", "2.5 %"), "r"),
        (("50.0 % (45.0 % to 55.0 %)", "-0.500", "+1.0 points (+0.5 to +1.5)"), "r"),
        (("45.0 % to 55.0 %", "0.001 to 1.000"), "r"),
        (("50.0 % (some)", "1"), "l"),
        (("1 to one", "1"), "l"),
        (("1.5", "a"), "l"),
        (("%", "1"), "l"),
    ],
)
def test_columns_of_numbers_stand_to_the_right(cells, letter):
    table = PaperTable("t", "T", ("x",), tuple((cell,) for cell in cells))
    assert rf"\begin{{tabular}}{{{letter}}}" in table.latex()


def test_the_whole_of_latex_and_markdown():
    table = PaperTable("t", "A title", ("R2", "n"), (("R2 of a", "7"),))
    assert table.latex().splitlines() == [
        "% A title",
        r"\begin{tabular}{lr}",
        r"\toprule",
        r"$R^2$ & n \\",
        r"\midrule",
        r"$R^2$ of a & 7 \\",
        r"\bottomrule",
        r"\end{tabular}",
    ]
    assert table.latex().endswith("}\n")
    assert table.markdown().splitlines() == [
        "| R2      | n |",
        "|---------|---|",
        "| R2 of a | 7 |",
    ]
