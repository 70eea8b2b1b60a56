"""Figures hold the numbers and the intervals of the records that they show."""

from __future__ import annotations

import numpy as np
import pytest

import made
from conceptbind.benchmarks.section import benchmark_figure
from conceptbind.controlled.section import transition_figure
from conceptbind.core.records import Records
from conceptbind.crossmodal import CrossmodalStudy
from conceptbind.crossmodal.figures import crossmodal_figure, swap_cosine_figure
from conceptbind.geometry import GeometryStudy
from conceptbind.geometry.section import sweep_figure
from conceptbind.metrics import Recognition
from conceptbind.probes.figures import objects_table, recognition_figure
from conceptbind.probes.study import ProbeStudy
from conceptbind.report.charts import point_of
from conceptbind.report.svg import NARROW, WIDE, draw
from conceptbind.scenes import load_scenes


def record(metric, value, low, high, *, study="probe", split="test", n=10, ties=1, **extra):
    facts = {"study": study, "split": split, "n": n, "ties": ties, **extra}
    return made.record(metric, value, low, high, **facts)


def values(series):
    """What stands where."""
    return {point.x: point.y for point in series.points}


def reach(series):
    """Lower and upper end of each interval."""
    return [None if p.low is None else (p.low, p.high) for p in series.points]


def test_a_point_has_the_interval_and_the_words_of_its_record():
    points = [
        point_of(record("accuracy", 0.5, 0.4, 0.7), 1),
        point_of(record("accuracy", 0.0, 0.0, 0.1), 2),
        point_of(record("accuracy", 0.5, None, None, ties=None), "x"),
        point_of(record("accuracy", None, None, None), 4),
    ]
    assert [(p.y, p.low, p.high) for p in points] == [
        (0.5, 0.4, 0.7),
        (0.0, 0.0, 0.1),
        (0.5, None, None),
        (None, None, None),
    ]
    assert (points[0].said, points[0].more) == ("50.0 %", "n = 10, ties 1")
    assert points[0].interval == "40.0 % to 70.0 %"
    assert points[2].more == "n = 10"


def probe_study(records, by_object=None):
    everything = Recognition(np.ones(1, bool), np.zeros(1, bool), np.ones(1, bool))
    n = np.arange(0 if by_object is None else len(by_object))
    return ProbeStudy(
        "text", Records(records), None, everything, by_object, n, (), 0, 1.0, 0, {}, ()
    )


def test_bars_of_recognition():
    chart = recognition_figure(
        probe_study(
            [
                record("concept_recognition", 0.9, 0.8, 0.95, concept="color"),
                record("object_recognition", 0.6, 0.5, 0.7, concept=None),
                record(
                    "object_recognition", 0.3, 0.2, 0.4, concept=None, control="bag_of_concepts"
                ),
                record("object_recognition", 0.2, 0.1, 0.3, concept=None, control="random_weights"),
            ]
        )
    )
    own, random, bag = chart.series
    assert values(own) == {"color": 0.9, "objects": 0.6}
    assert reach(own) == [(0.8, 0.95), (0.5, 0.7)]
    assert random.name == "the same model with random weights"
    assert reach(random) == [(0.1, 0.3)]
    assert values(bag) == {"objects": 0.3}
    assert reach(bag) == [(0.2, 0.4)]
    assert own.points[0].said == "90.0 %"
    assert chart.names == ("color", "objects")


def test_the_drawing_says_what_the_tables_say():
    """77 of 80 is 96.2 %, and 0.9996 is not 100 %."""
    study = CrossmodalStudy(
        Records(
            [record("binding_accuracy", 77 / 80, 0.9, 0.9996, study="crossmodal", order="either")]
        ),
        np.array([]),
        (),
        0,
        np.array([]),
    )
    chart = crossmodal_figure(study)
    told = "all orders: 96.2 % (95 %: 90.0 % to 99.96 %, n = 10, ties 1)"
    for width in (WIDE, NARROW):
        drawing = draw(chart, width)
        assert f"<title>against the attribute swap, {told}</title>" in drawing
        assert ">96.2 %<" in drawing
    assert "all orders 96.2 %" in chart.alternative()


def test_objects_stand_at_their_attribute_and_noun():
    scenes = load_scenes("clevr2d")
    rows, columns = scenes.space.values
    shares = np.arange(len(rows) * len(columns), dtype=float) / 100
    shares[5] = np.nan
    table = objects_table(probe_study([], shares), scenes)
    assert table["columns"] == list(columns)
    assert [name for name, _ in table["rows"]] == list(rows)
    cells = table["rows"][1][1]
    assert cells[1] == {"share": 0.04, "text": "4.0 %", "n": 4, "object": f"{rows[1]} {columns[1]}"}
    assert cells[2] == {"share": None, "text": "-", "n": None, "object": f"{rows[1]} {columns[2]}"}


def test_comparisons_across_modalities():
    records = [
        record("binding_accuracy", 0.68, 0.62, 0.74, order="either"),
        record("binding_accuracy", 0.5, 0.4, 0.6, order="reversed"),
        record("concept_accuracy", 1.0, 0.98, 1.0, order="either"),
    ]
    study = CrossmodalStudy(Records(records), np.array([0.25, 0.26, 0.9]), (), 0, np.zeros(1))
    chart = crossmodal_figure(study)
    concepts, binding = chart.series
    assert values(concepts) == {"all orders": 1.0}
    assert values(binding) == {"all orders": 0.68, "last slot named first": 0.5}
    assert reach(binding) == [(0.62, 0.74), (0.4, 0.6)]
    assert chart.reference == 0.5
    (counts,) = swap_cosine_figure(study).series
    assert sum(point.y for point in counts.points) == 3
    assert len(counts.area) == len(counts.points) + 1
    assert (counts.area[0], counts.area[-1]) == (0.0, 1.0)
    assert swap_cosine_figure(CrossmodalStudy((), np.empty(0), (), 0, np.zeros(1))) is None


def test_edits_over_their_strength():
    records = [
        record(
            "edit_retrieval",
            0.5,
            0.4,
            0.6,
            study="edit",
            estimator="avg+pos",
            attribute="all",
            steering=2.0,
        ),
        record(
            "edit_retrieval",
            0.2,
            0.1,
            0.3,
            study="edit",
            estimator="avg+pos",
            attribute="all",
            steering=0.5,
        ),
        record(
            "edit_retrieval",
            0.9,
            0.8,
            1.0,
            study="edit",
            estimator="avg",
            attribute="all",
            steering=1.0,
        ),
    ]
    (line,) = sweep_figure(GeometryStudy("text", Records(records), {}, None, ())).series
    assert [(p.x, p.y) for p in line.points] == [(0.5, 0.2), (2.0, 0.5)]
    assert reach(line) == [(0.1, 0.3), (0.4, 0.6)]


def test_benchmarks_with_their_repair_and_baseline():
    def score(value, low, high, repair="none", control="none"):
        facts = {"protocol": "strict", "average": "micro", "repair": repair}
        return record(
            "accuracy", value, low, high, study="benchmark", split="all", **facts, control=control
        )

    records = [
        score(0.6, 0.5, 0.7),
        score(0.8, 0.75, 0.9, repair="adapter"),
        score(0.3, 0.2, 0.4, control="blind_length"),
    ]
    records.append(score(0.2, 0.1, 0.3, repair="difference"))
    before, after, blind = benchmark_figure(Records(records), "s").series
    (row,) = values(blind)
    assert row == "all, accuracy (strict)"
    assert values(blind) == {row: 0.3}
    assert (before.name, after.name) == ("before", "repaired")
    assert reach(before) == [(0.5, 0.7)]
    assert reach(after) == [(0.75, 0.9)]
    (bare,) = benchmark_figure(Records([score(0.6, None, None)]), "s").series
    assert (bare.name, reach(bare)) == ("score", [None])


def test_a_line_for_each_object_space_with_every_model_as_a_point():
    facts = {
        "among": "all",
        "values": "5x5",
        "n_objects": 25,
        "width": 1,
        "depth": 1,
        "objective": "queries",
    }
    models = [(0.5, 0, 0.2), (0.5, 1, 0.4), (0.1, 0, 0.1)]
    records = [
        record(
            "object_recognition",
            v,
            0.0,
            1.0,
            study="controlled",
            split="unseen",
            coverage=c,
            seed=seed,
            **facts,
        )
        for c, seed, v in models
    ]
    line, points = transition_figure(Records(records)).series
    assert values(line) == {0.1: 0.1, 0.5: pytest.approx(0.3)}
    assert [(p.x, p.y) for p in points.points] == [(0.5, 0.2), (0.5, 0.4), (0.1, 0.1)]
    assert (line.marker, points.line) == ("", "none")
