"""Figures hold the numbers and the intervals of the records that they show."""

from __future__ import annotations

import json
import re

import numpy as np
import pytest

from conceptbind.benchmarks.section import benchmark_figure
from conceptbind.controlled.section import transition_figure
from conceptbind.core.records import Record, Records
from conceptbind.crossmodal import CrossmodalStudy
from conceptbind.crossmodal.figures import crossmodal_figure, swap_cosine_figure
from conceptbind.geometry import GeometryStudy
from conceptbind.geometry.section import sweep_figure
from conceptbind.metrics import Recognition
from conceptbind.probes.figures import object_figure, recognition_figure
from conceptbind.probes.study import ProbeStudy
from conceptbind.report.figures import intervals
from conceptbind.scenes import load_scenes


def traces(html):
    """The traces that plotly's script draws."""
    data = re.search(r'Plotly\.newPlot\(\s*"[^"]+",\s*(\[.*?\]),\s*\{"', html, re.S)
    return json.loads(data.group(1))


def record(metric, value, low, high, *, study="probe", split="test", n=10, ties=1, **extra):
    return Record.of(
        study=study,
        modality="text",
        metric=metric,
        value=value,
        n=n,
        ties=ties,
        ci_low=low,
        ci_high=high,
        split=split,
        scenes="s",
        encoder="e",
        **extra,
    )


def reach(trace, axis="error_y"):
    """Lower and upper end of each error bar."""
    values = trace["y" if axis == "error_y" else "x"]
    bars = trace[axis]
    return [
        (v - down, v + up) if up is not None else None
        for v, up, down in zip(values, bars["array"], bars["arrayminus"], strict=True)
    ]


def test_error_bars_end_where_the_interval_ends():
    bars = intervals(
        [
            record("m", 0.5, 0.4, 0.7),
            record("m", 0.0, 0.0, 0.1),
            record("m", 0.5, None, None),
            record("m", None, None, None),
        ]
    )
    assert bars["array"] == [pytest.approx(0.2), pytest.approx(0.1), None, None]
    assert bars["arrayminus"] == [pytest.approx(0.1), pytest.approx(0.0), None, None]
    assert bars["symmetric"] is False


def probe_study(records, by_object=None):
    everything = Recognition(np.ones(1, bool), np.zeros(1, bool), np.ones(1, bool))
    return ProbeStudy("text", Records(records), None, everything, by_object, (), 0, 1.0, 0, ())


def test_bars_of_recognition():
    html = recognition_figure(
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
    own, random, bag = traces(html)
    assert own["x"] == ["color", "objects"]
    assert own["y"] == [0.9, 0.6]
    assert reach(own) == [pytest.approx((0.8, 0.95)), pytest.approx((0.5, 0.7))]
    assert random["name"] == "the same model with random weights"
    assert reach(random) == [pytest.approx((0.1, 0.3))]
    assert bag["y"] == [0.3]
    assert reach(bag) == [pytest.approx((0.2, 0.4))]
    assert own["customdata"][0] == ["90.0 %", "80.0 % to 95.0 %", "10", "1"]


def test_the_pointer_shows_what_the_tables_say():
    """Plotly's own format has 96.3% for 77 of 80 and 100.0% for 0.9996."""
    study = CrossmodalStudy(
        Records(
            [record("binding_accuracy", 77 / 80, 0.9, 0.9996, study="crossmodal", order="either")]
        ),
        np.array([]),
        (),
        0,
        np.array([]),
    )
    (bar,) = (trace for trace in traces(crossmodal_figure(study)) if trace.get("customdata"))
    assert bar["customdata"] == [["96.2 %", "90.0 % to 99.96 %", "10", "1"]]
    assert "%{y" not in bar["hovertemplate"]


def test_objects_stand_at_their_attribute_and_noun():
    scenes = load_scenes("clevr2d")
    rows, columns = scenes.space.values
    shares = np.arange(len(rows) * len(columns), dtype=float) / 100
    shares[5] = np.nan
    trace = traces(object_figure(probe_study([], shares), scenes))[0]
    assert trace["z"][1][1] == pytest.approx(0.04)
    assert trace["z"][1][2] is None
    assert (trace["x"], trace["y"]) == (list(columns), list(rows))


def test_comparisons_across_modalities():
    records = [
        record("binding_accuracy", 0.68, 0.62, 0.74, order="either"),
        record("binding_accuracy", 0.5, 0.4, 0.6, order="reversed"),
        record("concept_accuracy", 1.0, 0.98, 1.0, order="either"),
    ]
    study = CrossmodalStudy(Records(records), np.array([0.25, 0.26, 0.9]), (), 0, np.zeros(1))
    concepts, binding = traces(crossmodal_figure(study))
    assert concepts["y"] == [1.0]
    assert binding["x"] == ["all orders", "last slot named first"]
    assert reach(binding) == [pytest.approx((0.62, 0.74)), pytest.approx((0.4, 0.6))]
    counts = traces(swap_cosine_figure(study))[0]
    assert sum(counts["y"]) == 3
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
    (line,) = traces(sweep_figure(GeometryStudy("text", Records(records), {}, None, ())))
    assert (line["x"], line["y"]) == ([0.5, 2.0], [0.2, 0.5])
    assert reach(line) == [pytest.approx((0.1, 0.3)), pytest.approx((0.4, 0.6))]


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
    blind, before, after = traces(benchmark_figure(Records(records), "s"))
    assert blind["x"] == [0.3]
    assert (before["name"], after["name"]) == ("before", "repaired")
    assert reach(before, "error_x") == [pytest.approx((0.5, 0.7))]
    assert reach(after, "error_x") == [pytest.approx((0.75, 0.9))]
    bare = traces(benchmark_figure(Records([score(0.6, None, None)]), "s"))
    assert bare[0]["x"] == [None]
    assert reach(bare[1], "error_x") == [None]


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
    line, points = traces(transition_figure(Records(records)))
    assert (line["x"], line["y"]) == ([0.1, 0.5], [0.1, pytest.approx(0.3)])
    assert (points["x"], points["y"]) == ([0.5, 0.5, 0.1], [0.2, 0.4, 0.1])
