"""Declared benchmarks by hand: five items of each in its published layout, by every rule."""

from __future__ import annotations

import numpy as np
import pytest

from conceptbind.benchmarks import BENCHMARKS, evaluate_benchmark
from known_vectors import AXES, ByName, read_benchmark
from published_layouts import CONSTANT, EXPECTED, LAYOUTS, PUBLISHED, WINS_TIES, by_digit


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """All layouts in one folder."""
    for package in ("pyarrow", "datasets"):
        pytest.importorskip(package)
    top = tmp_path_factory.mktemp("data")
    for name, write in LAYOUTS.items():
        write(top / name)
    return top


def scored(encoder, name, data, tmp_path):
    records = evaluate_benchmark(
        encoder, name, read_benchmark(name, data / name), tmp_path / "kept"
    ).where(control="none")
    return {(r["protocol"], r.split, r.metric): r for r in records}


@pytest.mark.parametrize("name", LAYOUTS)
def test_every_rule_gives_what_was_counted_by_hand(name, data, tmp_path):
    found = scored(by_digit(), name, data, tmp_path)
    for (split, metric), (value, ties) in EXPECTED[name].items():
        record = found["strict", split, metric]
        assert (record.value, record.ties) == (pytest.approx(value), ties), (split, metric)
    for (split, metric), value in PUBLISHED.get(name, {}).items():
        assert found["paper", split, metric].value == pytest.approx(value), (split, metric)
    told = {(protocol, record["tie_rule"]) for (protocol, *_), record in found.items()}
    paper = {("paper", WINS_TIES.get(name, "miss"))} & told
    assert told - {("mieb", "hit"), ("labclip", "miss")} == {("strict", "miss"), *paper}
    assert bool(paper) == (name in PUBLISHED)


@pytest.mark.parametrize("name", LAYOUTS)
def test_a_constant_encoder_scores_0_and_by_the_publishers_rule_what_ties_give(
    name, data, tmp_path
):
    one = AXES[0]
    found = scored(ByName(lambda text: one, lambda level: one), name, data, tmp_path)
    strict = [r for (protocol, *_), r in found.items() if protocol == "strict"]
    at_one = [r for r in strict if not r.metric.startswith("recall_at_")]
    assert all((r.value, r.ties) == (0.0, r.n) for r in at_one)
    # five or ten candidates are all there are of three pictures and six captions
    assert all(r.value == 0.0 for r in strict if r.metric == "recall_at_1")
    paper = [r.value for (protocol, *_), r in found.items() if protocol == "paper"]
    told = CONSTANT.get(name, 0.0)
    assert not paper or max(paper) >= told >= min(paper)
    headline = {
        split: found["paper", split, metric].value for split, metric in PUBLISHED.get(name, {})
    }
    assert not headline or next(iter(headline.values())) == pytest.approx(told)


def test_the_right_one_wins_ties_by_the_rule_of_mieb(data, tmp_path):
    """Two are right outright, and two tie."""
    found = scored(by_digit(), "imagecode", data, tmp_path)
    assert (found["mieb", "all", "accuracy"].value, found["mieb", "all", "accuracy"].ties) == (
        *(4 / 5, 2),
    )


def test_every_declared_benchmark_has_a_layout_here():
    declared = {name for name, one in BENCHMARKS.items() if hasattr(one, "description")}
    elsewhere = {"sugarcrepe", "sugarcrepe_pp"}  # test_benchmarks, test_triplets
    assert declared - set(LAYOUTS) == elsewhere


def test_unwinnable_items_are_counted_apart_and_said(data, tmp_path):
    found = scored(by_digit(), "vl_checklist", data, tmp_path)
    assert found["strict", "Attribute/vg/color", "accuracy"]["unwinnable"] == 1
    assert found["strict", "Object/vg/size", "accuracy"]["unwinnable"] is None
    notes = read_benchmark("vl_checklist", data / "vl_checklist").notes
    assert any("Attribute/vg/color: in 1 of 2 items" in note for note in notes)
    assert (
        scored(by_digit(), "abc6k", data, tmp_path / "b")["strict", "all", "swap_noticed"][
            "unwinnable"
        ]
        == 1
    )


def test_arrays_of_opencv_are_seen_red_first(data, tmp_path):
    read = read_benchmark("eqben", data / "eqben")
    arrays = [name for name in read.pictures if name.endswith(".npy")]
    assert len(arrays) == 2
    from conceptbind.pictures.files import read_picture

    levels = [read_picture(read.path(name)).getpixel((0, 0)) for name in arrays]
    assert levels == [(0, 0, 0), (1, 0, 0)]


def test_what_a_box_shows_decides(data, tmp_path):
    read = read_benchmark("crepe", data / "crepe")
    assert set(read.boxes) == {(0, 0, 4, 8)}


def test_items_that_people_refused_are_left_out_and_counted(data):
    read = read_benchmark("valse", data / "valse")
    assert "left out: 1 item whose mturk.caption is below 2." in read.notes
    assert len(read.items["rows"]) == 5


def test_the_text_scores_of_queries_equal_a_plain_loop():
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(12, 5))
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    table = rng.integers(12, size=(40, 4))
    items = {
        "rows": table,
        "subsets": np.array([""] * 40),
        "draws": np.arange(40),
        "hopeless": np.zeros(40, dtype=bool),
    }
    from conceptbind.benchmarks.texts import by_rows

    (score, _) = BENCHMARKS["nevir"].score_texts(items, by_rows(rows, rows))
    right = [
        rows[q] @ rows[d] > rows[q] @ rows[e] + 1e-12
        and rows[r] @ rows[e] > rows[r] @ rows[d] + 1e-12
        for q, r, d, e in table
    ]
    assert score.value == np.mean(right)
