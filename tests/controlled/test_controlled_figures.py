"""Tables, figures and the page of controlled models: whole, by hand."""

from __future__ import annotations

import json
from types import SimpleNamespace

import pytest

import made
from conceptbind.controlled.section import (
    TABLE_HEAD,
    controlled_table,
    history_figure,
    probe_figure,
    probe_pairs,
    rank_correlation,
    sweep_sentence,
    transition_figure,
    transition_table,
    unseen_of,
    write_controlled_report,
)
from conceptbind.core.records import Records
from conceptbind.report.charts import Chart, Point, Series

CHART = Chart("c", "A chart", "lines", (Series("s", (Point(0.0, 1.0),)),))


def record(metric, value, encoder="m", split="unseen", n=1234, ties=5, **extra):
    facts = {
        "values": "5x5",
        "n_objects": 25,
        "coverage": 0.5,
        "seed": 0,
        "objective": "queries",
        "width": 64,
        "depth": 2,
        **extra,
    }
    whose = {"study": "controlled", "modality": "symbols", "encoder": encoder}
    return made.record(metric, value, n=n, ties=ties, split=split, **whose, **facts)


def model(value, encoder, **extra):
    return record("object_recognition", value, encoder, among="all", **extra)


def test_a_row_for_each_model_and_kind_of_scenes():
    records = [
        model(0.75, "b", split="unseen"),
        model(0.5, "a", split="train", ties=6),
        model(0.125, "a", split="train", control="counts_of_concepts"),
        model(0.01, "a", split="train", control="additive"),
        record("object_recognition", 0.625, "a", "train", among="unseen"),
        record("concept_recognition", 0.9, "a", "train", concept="c0"),
        record("concept_recognition", 0.25, "a", "train", concept="c1"),
        record("concept_recognition", None, "a", "train", concept="c2"),
        record("binding_accuracy", 0.02, "a", "train"),
        model(0.375, "a", split="mixed"),
        record("binding_accuracy", 0.8, "c", objective="scenes"),
        record("concept_accuracy", 0.95, "c", objective="scenes"),
        record("concept_recognition", 0.03, "c", objective="scenes"),
        record("concept_accuracy", 0.95, "c", "mixed"),
    ]
    assert controlled_table(Records(records)) == [
        ["b", "unseen", "-", "75.0 %", "-", "-", "5", "1,234"],
        ["a", "train", "25.0 %", "50.0 %", "12.5 %", "62.5 %", "6", "1,234"],
        ["a", "mixed", "-", "37.5 %", "-", "-", "5", "1,234"],
        ["c", "unseen", "95.0 %", "80.0 %", "-", "-", "5", "1,234"],
    ]
    assert (
        *("model", "scenes of objects", "hardest concept", "objects, among all"),
        *("counts of concepts", "among new", "ties", "n"),
    ) == TABLE_HEAD


def trained(objective, *looks):
    history = [SimpleNamespace(step=s, validation=v, train=t) for s, v, t in looks]
    return SimpleNamespace(history=history, recipe=SimpleNamespace(objective=objective))


def test_recognition_over_steps():
    models = {
        "one": trained("queries", (0, 0.1, 0.2), (10, 0.3, 0.4)),
        "two": trained("queries", (0, 0.5, 0.6)),
    }
    chart = history_figure(models)
    assert (chart.id, chart.x, chart.y) == (
        *("controlled-history", "step", "scenes recognised, among all objects"),
    )
    assert [(s.name, s.line, s.marker, places(s)) for s in chart.series] == [
        ("one: new objects", "solid", "", [(0, 0.1), (10, 0.3)]),
        ("one: train objects", "dotted", "", [(0, 0.2), (10, 0.4)]),
        ("two: new objects", "solid", "", [(0, 0.5)]),
        ("two: train objects", "dotted", "", [(0, 0.6)]),
    ]
    assert chart.series[0].look != chart.series[2].look
    models["two"].recipe.objective = "scenes"
    assert history_figure(models).y == "scenes told from their swaps"


def places(series):
    return [(point.x, point.y) for point in series.points]


SWEPT = [
    model(0.5, "a", coverage=0.8),
    model(0.25, "b", coverage=0.2, seed=1),
    model(0.75, "c", coverage=0.2, seed=2),
    model(1.0, "d", values="3x3", n_objects=1009),
]
OTHERS = [
    model(0.125, "a", coverage=0.8, control="additive"),
    model(0.1, "b", coverage=0.2, control="additive"),
    model(0.3, "c", coverage=0.2, control="additive"),
    model(0.01, "e", control="additive"),
    record("object_recognition", 0.99, "a", "train", among="all"),
    record("object_recognition", 0.98, "a", among="unseen"),
    record("binding_accuracy", 0.97, "a"),
]


def test_a_line_over_coverage_and_a_point_for_each_model():
    chart = transition_figure(Records(SWEPT + OTHERS))
    assert (chart.id, chart.x, chart.y) == (
        *("controlled-transition", "share of objects trained on"),
        "new objects recognised among all objects",
    )
    line, points, *others = chart.series
    assert (line.name, line.line, line.marker) == ("25 objects (5x5)", "solid", "")
    assert places(line) == [(0.2, 0.5), (0.8, 0.5)]
    assert (points.name, points.line, points.look) == (
        *("25 objects (5x5): each model", "none", line.look),
    )
    assert [(p.x, p.y, p.said, p.more) for p in points.points] == [
        (0.8, 0.5, "50.0 %", "seed 0, n = 1,234"),
        (0.2, 0.25, "25.0 %", "seed 1, n = 1,234"),
        (0.2, 0.75, "75.0 %", "seed 2, n = 1,234"),
    ]
    names = ["1,009 objects (3x3)", "1,009 objects (3x3): each model"]
    assert [series.name for series in others] == names
    assert others[0].line != line.line


def test_models_beside_their_probes():
    chart = probe_figure(Records(SWEPT + OTHERS), "additive")
    assert (chart.id, chart.x, chart.y) == (
        *("controlled-additive", "new objects recognised by the model"),
        "recognised from its additive probe",
    )
    diagonal, points = chart.series
    assert (places(diagonal), diagonal.line, diagonal.marker) == ([(0, 0), (1, 1)], "dotted", "")
    assert (points.name, points.line) == ("25 objects (5x5)", "none")
    assert [(p.x, p.y, p.said, p.more) for p in points.points] == [
        (0.5, 0.125, "12.5 %", "of a model with 50.0 %, coverage 0.8, seed 0"),
        (0.25, 0.1, "10.0 %", "of a model with 25.0 %, coverage 0.2, seed 1"),
        (0.75, 0.3, "30.0 %", "of a model with 75.0 %, coverage 0.2, seed 2"),
    ]
    wide = [r.but(control="per_object_product") if r.control == "additive" else r for r in OTHERS]
    found = probe_figure(Records(SWEPT + wide), "per_object_product")
    assert found.id == "controlled-per_object_product"
    assert found.y == "recognised from its per object product probe"
    assert probe_figure(Records(SWEPT + OTHERS), "mlp") is None


def test_each_kind_of_model_has_points_of_its_own():
    probes = [model(0.2, "d", control="additive", values="3x3", n_objects=1009)]
    _, small, large = probe_figure(Records(SWEPT + OTHERS + probes), "additive").series
    assert [x for x, _ in places(small)] == [0.5, 0.25, 0.75]
    assert (large.name, places(large)) == ("1,009 objects (3x3)", [(1.0, 0.2)])
    assert (small.look, small.marker) != (large.look, large.marker)


def test_models_and_probes_correlate_by_ranks():
    found = Records(SWEPT + OTHERS)
    statistic, p, n = rank_correlation(found, "additive")
    assert (statistic, n) == (pytest.approx(1.0), 3)
    assert rank_correlation(Records([*SWEPT, *OTHERS[:2]]), "additive") is None  # two models
    same = [r.but(value=0.5) if r.control == "none" else r for r in (*SWEPT, *OTHERS[:3])]
    assert rank_correlation(Records(same), "additive") is None
    same = [r.but(value=0.5) if r.control == "additive" else r for r in (*SWEPT, *OTHERS[:3])]
    assert rank_correlation(Records(same), "additive") is None
    assert p < 1e-3
    turned = [r.but(value=1 - r.value) if r.control == "additive" else r for r in found]
    assert sweep_sentence(Records(turned), ["additive"]).endswith(
        " Over 3 models, what the model recognises and what its additive probe recognises "
        "correlate at -1.00 (ranks, p = 0)."
    )


def test_models_without_queries_count_by_their_swaps():
    scenes = [
        record("binding_accuracy", 0.8, "x", objective="scenes"),
        record("binding_accuracy", 0.7, "y", objective="queries"),
        record("binding_accuracy", 0.9, "x", "train", objective="scenes"),
    ]
    found = Records([*scenes, *SWEPT[:1], *OTHERS[:1]])
    assert unseen_of(found) == (scenes[0], SWEPT[0])
    assert unseen_of(found, "additive") == (OTHERS[0],)
    assert probe_pairs(found, "additive") == [(SWEPT[0], OTHERS[0])]


def test_the_table_over_coverage_has_a_dash_where_no_model_was_compared():
    head, *rows = transition_table(Records(SWEPT + OTHERS), ["additive", "per_object_product"])
    assert head == [
        *("trained on a share of", "coverage", "models"),
        *("scenes of new objects recognised among all objects", "additive"),
        *("per object product", "counts of concepts"),
    ]
    assert rows == [
        ["25 objects (5x5)", "0.2", "2", "50.0 % (25.0 % to 75.0 %)", "20.0 %", "-", "-"],
        ["25 objects (5x5)", "0.8", "1", "50.0 %", "12.5 %", "-", "-"],
        ["1,009 objects (3x3)", "0.5", "1", "100 %", "-", "-", "-"],
    ]


def test_ninety_per_cent_is_reached_exactly():
    at = [model(v, f"m{c}", coverage=c) for c, v in ((0.2, 0.9), (0.5, 0.5))]
    assert sweep_sentence(Records(at), []) == (
        "With 25 objects (5x5), 2 models: 90.0 % is reached at coverage 0.2, but not at every "
        "larger one."
    )


@pytest.mark.parametrize(
    ("best", "level"),
    [(0.9, "yes"), (0.899, "partly"), (0.5, "partly"), (0.499, "no"), (None, "no")],
)
def test_a_page(tmp_path, best, level):
    records = Records([] if best is None else [model(0.1, "a"), model(best, "b")])
    write_controlled_report(
        tmp_path / "report.html",
        "A title",
        ["One.", "Two."],
        records,
        [("a figure", CHART)],
        {"conceptbind": "9.9"},
        [["head"], ["cell"]],
    )
    kept = json.loads((tmp_path / "page.json").read_text())
    kept = kept.get("content", kept)
    assert (kept["template"], kept["provenance"]) == ("controlled.html.j2", {"conceptbind": "9.9"})
    assert kept["parts"] == {
        "title": "A title",
        "level": level,
        "sentences": ["One.", "Two."],
        "overview": [["head"], ["cell"]],
        "overview_title": "New objects by coverage: means over models",
        "head": list(TABLE_HEAD),
        "rows": controlled_table(records),
        "figures": [["figure-c", "a figure", {"chart": json.loads(json.dumps(CHART.as_json()))}]],
    }
