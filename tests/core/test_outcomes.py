"""Outcomes of items: kept and read back, paired by item, tested by draws; all by hand."""

from __future__ import annotations

import numpy as np
import pytest

from conceptbind.core.errors import FileError, MismatchError
from conceptbind.core.kept import write_piece
from conceptbind.core.outcomes import (
    FILE,
    Outcome,
    load_outcomes,
    outcomes_of,
    paired,
    recognition_outcome,
    save_outcomes,
    sign_test,
)
from conceptbind.metrics.recognitions import Recognition


def outcome(bits, **more):
    right = np.array([bit == "1" for bit in bits])
    return Outcome({"metric": "accuracy"}, right, ~right & False, **more)


def rows(*numbers):
    return np.array(numbers)


def test_the_items_that_both_scored_are_paired_by_their_rows():
    """Rows 3, 5 and 8 are in both: 0 to 1, 1 to 1, 1 to 0. Rows 1 and 9 are in one alone."""
    before = outcome("1011", rows=rows(1, 3, 5, 8), clusters=rows(1, 3, 5, 8))
    after = outcome("0110", rows=rows(8, 5, 3, 9), clusters=rows(8, 5, 3, 9))
    found = paired(before, after)
    assert (found.n, found.change, found.fixed, found.broken) == (3, 0.0, 1, 1)
    assert found.mcnemar == 1.0
    turned = paired(after, before)
    assert (turned.fixed, turned.broken) == (1, 1)
    assert turned.interval == pytest.approx((-found.interval[1], -found.interval[0]))


def test_one_side_of_the_pairing_keeps_its_own_order():
    before = outcome("0111", rows=rows(4, 3, 2, 1))
    after = outcome("1111", rows=rows(1, 2, 3, 4))
    assert (paired(before, after).fixed, paired(before, after).broken) == (1, 0)
    assert paired(before, after).change == 0.25


def test_items_without_rows_are_paired_in_their_order():
    assert paired(outcome("0011"), outcome("0111")).change == 0.25
    numbered = outcome("0111", rows=rows(7, 5, 3, 1))  # one side alone says which items it has
    assert paired(outcome("0011"), numbered).change == 0.25
    assert paired(numbered, outcome("0011")).change == -0.25
    with pytest.raises(MismatchError, match="outcomes of 2 and of 3 items cannot be paired"):
        paired(outcome("01"), outcome("011"))


def test_runs_that_share_no_item_are_refused():
    with pytest.raises(MismatchError, match="scored no item that is the same"):
        paired(outcome("01", rows=rows(0, 1)), outcome("01", rows=rows(2, 3)))


@pytest.mark.parametrize(
    ("change", "clusters", "p"),
    [
        # five draws to one side: 2 / 2**5
        ([1, 1, 1, 1, 1], None, 2 / 2**5),
        # one against: 2 * (1 + 6) / 2**6
        ([1, 1, 1, 1, 1, -1], None, 2 * 7 / 2**6),
        # four items of two draws: two changes, not four
        ([1, 1, 1, 1], [0, 0, 7, 7], 2 / 2**2),
        # what a draw gains and loses adds up to nothing: one change is left
        ([1, -1, 1, 0], [3, 3, 1, 1], 1.0),
        # a draw with two up and one down went up; the other went down
        ([1, 1, -1, -1, -1, -1], [0, 0, 0, 1, 1, 1], 1.0),
        # sums decide, not signs of items: three draws up, though most items went down
        ([1, -0.25, -0.25, 1, -0.25, -0.25, 1, -0.25, -0.25], [0, 0, 0, 1, 1, 1, 2, 2, 2], 0.25),
        ([0, 0, 0], None, 1.0),
    ],
)
def test_the_exact_test_counts_draws(change, clusters, p):
    mine = None if clusters is None else np.array(clusters)
    assert sign_test(np.array(change, float), mine) == pytest.approx(p)
    assert sign_test(-np.array(change, float), mine) == pytest.approx(p)


def test_clusters_and_groups_go_with_the_shared_items():
    """Rows 2 and 3 are one draw; row 1, of another draw, is not shared."""
    before = outcome("000", rows=rows(1, 2, 3), clusters=rows(9, 4, 4))
    after = outcome("111", rows=rows(2, 3, 7), clusters=rows(4, 4, 5))
    assert paired(before, after).mcnemar == 1.0  # one draw: 2 / 2**1
    assert paired(before, after).interval == (None, None)
    groups = {"rows": rows(1, 2, 3), "groups": rows(0, 0, 1)}
    change = paired(outcome("000", **groups), outcome("001", **groups))
    assert (change.change, change.mcnemar) == (0.5, None)  # mean of the means 0 and 1


def test_every_array_comes_back_under_its_own_number(tmp_path):
    first = outcome("101", rows=rows(4, 5, 6), clusters=rows(1, 1, 2))
    tied = np.array([False, True])
    shares = Outcome({"metric": "recall_at_1"}, np.array([0.25, 1.0]), tied, groups=rows(0, 3))
    save_outcomes(tmp_path, [first, shares], "hash")
    kept = load_outcomes(tmp_path)
    assert kept.items == "hash"
    for one, other in zip(kept.found, (first, shares), strict=True):
        assert one.about == other.about
        for name in ("right", "tied", "rows", "groups", "clusters"):
            np.testing.assert_equal(getattr(one, name), getattr(other, name))
    assert kept.about(metric="recall_at_1").value == pytest.approx(0.625)
    assert kept.about(metric="recall_at_1", study="probe") is None


def test_files_of_earlier_versions_are_read(tmp_path):
    """Numbered by what was done to captions, and `correct` in place of `right`."""
    named = {"metric": "accuracy", "subset": "all", "protocol": "strict"}
    told = [{"repair": repair, **named} for repair in ("none", "adapter", "none")]
    arrays = {
        f"{key}.{name}": np.array(values, bool)
        for key, values in (("none.0", [0, 1]), ("adapter.0", [1, 1]), ("none.1", [0, 0]))
        for name in ("correct", "tied")
    }
    write_piece(tmp_path / FILE, arrays, {"items": "old", "scores": told})
    kept = load_outcomes(tmp_path)
    found = [(one.about["repair"], one.right.tolist()) for one in kept.found]
    assert found == [
        ("none", [False, True]),
        ("adapter", [True, True]),
        ("none", [False, False]),
    ]


@pytest.mark.parametrize(
    ("arrays", "facts", "why"),
    [
        ({}, {"items": "a", "outcomes": [{}]}, "'0'"),
        ({"0.right": [1]}, {"items": "a", "outcomes": [{}]}, "'0'"),
        ({"0.tied": [1]}, {"items": "a", "outcomes": [{}]}, "'0'"),
        (
            {"0.right": [1], "0.tied": [0, 1]},
            {"items": "a", "outcomes": [{}]},
            "0 has arrays of different lengths",
        ),
        (
            {"0.right": [1], "0.tied": [0], "0.rows": [[1]]},
            {"items": "a", "outcomes": [{}]},
            "0 has arrays of different lengths",
        ),
        ({}, {"outcomes": []}, "'items'"),
        ({}, {"items": "a"}, "'outcomes'"),
        ({}, {"items": "a", "outcomes": 3}, "int"),
    ],
)
def test_other_files_are_refused_by_name(tmp_path, arrays, facts, why):
    write_piece(tmp_path / FILE, {name: np.array(a) for name, a in arrays.items()}, facts)
    with pytest.raises(FileError, match="safetensors is not a file of outcomes") as caught:
        load_outcomes(tmp_path)
    assert why in str(caught.value)


def test_a_run_has_its_own_outcomes_and_those_of_its_benchmarks(tmp_path):
    assert outcomes_of(tmp_path) == {}
    (tmp_path / "embeddings" / "aro").mkdir(parents=True)
    save_outcomes(tmp_path / "embeddings" / "aro", [outcome("1")], "a")
    assert [*outcomes_of(tmp_path)] == ["aro"]
    save_outcomes(tmp_path, [outcome("0")], "b")
    assert {name: kept.items for name, kept in outcomes_of(tmp_path).items()} == {
        "": "b",
        "aro": "a",
    }


def test_only_scored_scenes_of_a_recognition_are_items():
    found = Recognition(
        np.array([True, False, True]), np.array([False, True, False]), np.array([True, True, False])
    )
    kept = recognition_outcome(found, rows(7, 8, 9), rows(1, 1, 2), study="probe")
    assert (kept.right.tolist(), kept.tied.tolist()) == ([True, False], [False, True])
    assert (kept.rows.tolist(), kept.clusters.tolist()) == ([7, 8], [1, 1])
    assert kept.about == {"study": "probe"}
