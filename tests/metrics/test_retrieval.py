"""Retrieval ranks: pessimistic about ties, against all targets, unchanged by order, rotation and
the size of a chunk.

Features are small integers where ties matter, so that every dot product is exact.
"""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import ortho_group, rankdata
from sklearn.metrics import top_k_accuracy_score

from conceptbind.core.errors import ShapeError, ValueRangeError
from conceptbind.metrics import ranks, recall_at, within


@st.composite
def searches(draw):
    q, t, d = draw(st.integers(1, 6)), draw(st.integers(1, 6)), draw(st.integers(1, 3))
    cells = draw(st.lists(st.integers(-2, 2), min_size=(q + t) * d, max_size=(q + t) * d))
    features = np.array(cells, dtype=float).reshape(q + t, d)
    right = np.array(draw(st.lists(st.integers(0, t - 1), min_size=q, max_size=q)))
    return features[:q], features[q:], right


def lists(outcome):
    return [part.tolist() for part in outcome]


def test_three_queries_by_hand():
    targets = np.array([[3.0], [2.0], [2.0], [1.0]])
    rank, ties = ranks(np.ones((4, 1)), targets)
    # the two equal ones are both third: the tie counts against each
    assert rank.tolist() == [
        1,
        3,
        3,
        4,
    ]
    assert ties.tolist() == [0, 1, 1, 0]
    rank, ties = ranks(-np.ones((1, 1)), targets, right=np.array([3]))
    assert (rank.tolist(), ties.tolist()) == ([1], [0])


def test_recall_by_hand():
    rank = np.array([1, 3, 3, 4])
    assert [recall_at(rank, k) for k in (1, 2, 3, 4)] == [0.25, 0.25, 0.75, 1.0]


@given(searches())
@settings(max_examples=50, deadline=None)
def test_ranks_agree_with_a_plain_loop_and_with_scipy(search):
    queries, targets, right = search
    rank, ties = ranks(queries, targets, right)
    for i, query in enumerate(queries):
        scores = [
            sum(a * b for a, b in zip(query.tolist(), target.tolist(), strict=True))
            for target in targets
        ]
        own = scores[right[i]]
        others = [score for j, score in enumerate(scores) if j != right[i]]
        assert rank[i] == 1 + sum(score >= own for score in others)
        assert ties[i] == sum(score == own for score in others)
        assert rank[i] == rankdata([-score for score in scores], method="max")[right[i]]


def test_recall_agrees_with_scikit_learn_where_nothing_ties():
    rng = np.random.default_rng(0)
    queries, targets, right = (
        rng.normal(size=(60, 5)),
        rng.normal(size=(9, 5)),
        rng.integers(9, size=60),
    )
    rank, ties = ranks(queries, targets, right)
    assert ties.sum() == 0
    for k in (1, 2, 5):
        expected = top_k_accuracy_score(right, queries @ targets.T, k=k, labels=np.arange(9))
        assert recall_at(rank, k) == pytest.approx(expected)


@given(searches(), st.data())
@settings(max_examples=50, deadline=None)
def test_orders_scales_and_signed_axes_do_not_matter(search, data):
    queries, targets, right = search
    expected = lists(ranks(queries, targets, right))
    order = np.array(data.draw(st.permutations(range(len(targets)))))
    axes = np.array(data.draw(st.permutations(range(queries.shape[1]))))
    signs = np.array(
        data.draw(st.lists(st.sampled_from([-1.0, 1.0]), min_size=len(axes), max_size=len(axes)))
    )
    assert lists(ranks(queries, targets[order], np.argsort(order)[right])) == expected
    assert lists(ranks(queries[:, axes] * signs, targets[:, axes] * signs, right)) == expected
    assert lists(ranks(4 * queries, targets, right)) == expected


def test_a_rotation_of_both_sides_leaves_every_rank():
    rng = np.random.default_rng(1)
    queries, targets = rng.normal(size=(40, 6)), rng.normal(size=(40, 6))
    turn = ortho_group.rvs(6, random_state=2)
    rank = ranks(queries, targets)[0]
    assert rank.tolist() == ranks(queries @ turn, targets @ turn)[0].tolist()
    # positive control: one side alone does change them
    assert rank.tolist() != ranks(queries @ turn, targets)[0].tolist()


@pytest.mark.parametrize("chunk", [1, 3, 7, 1000])
def test_the_chunk_does_not_matter(monkeypatch, chunk):
    rng = np.random.default_rng(3)
    queries, targets = (
        rng.integers(-2, 3, size=(50, 4)).astype(float),
        rng.integers(-2, 3, size=(50, 4)).astype(float),
    )
    right = rng.permutation(50)
    expected = lists(ranks(queries, targets, right))
    monkeypatch.setattr("conceptbind.metrics.retrieval.QUERY_TILE", chunk)
    monkeypatch.setattr("conceptbind.metrics.retrieval.TARGET_TILE", chunk + 1)
    assert lists(ranks(queries, targets, right)) == expected


def test_more_queries_than_one_chunk_keep_their_rows():
    unit = np.eye(8)
    right = np.arange(3000) % 8
    rank, ties = ranks(unit[right], unit, right)
    assert (rank == 1).all()
    assert (ties == 0).all()
    shifted, _ = ranks(unit[right], unit, (right + 1) % 8)
    assert (shifted == 8).all()


def test_targets_that_are_all_the_same_are_never_found():
    rank, ties = ranks(np.ones((5, 2)), np.ones((5, 2)))
    assert recall_at(rank, 1) == 0
    assert (ties == 4).all()
    assert (rank == 5).all()


def test_each_unit_vector_finds_itself():
    rank, ties = ranks(np.eye(5), np.eye(5))
    assert recall_at(rank, 1) == 1
    assert ties.sum() == 0


@pytest.mark.parametrize(
    ("queries", "targets"), [((3, 2), (3, 4)), ((3,), (3,)), ((3, 2), (2,)), ((1, 3, 2), (3, 2))]
)
def test_widths_that_differ_are_refused(queries, targets):
    with pytest.raises(
        ShapeError, match=r"^queries and targets must be \(rows, d\) with one d; got "
    ):
        ranks(np.zeros(queries), np.zeros(targets))


@pytest.mark.parametrize("right", [[0], [0, 1, 2, 0], [[0], [1], [2]]])
def test_one_right_target_for_each_query(right):
    with pytest.raises(ShapeError, match="^one right target per query: 3 queries but shape "):
        ranks(np.eye(3), np.eye(3), np.array(right))


@pytest.mark.parametrize("right", [[0, 1, 3], [-1, 0, 1]])
def test_a_right_target_out_of_range_is_refused(right):
    with pytest.raises(
        ValueRangeError,
        match=rf"^right targets must lie in 0\.\.2; got {min(right)}\.\.{max(right)}$",
    ):
        ranks(np.eye(3), np.eye(3), np.array(right))


def test_more_queries_than_targets_need_to_be_told_which():
    with pytest.raises(ValueRangeError, match=r"right targets must lie in 0\.\.2; got 0\.\.3"):
        ranks(np.ones((4, 3)), np.eye(3))


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_feature_that_is_no_number_is_refused_by_side(bad):
    broken = np.eye(3)
    broken[1, 2] = bad
    with pytest.raises(
        ValueRangeError, match="^queries must be finite; 1 of 3 rows .* the first at index 1$"
    ):
        ranks(broken, np.eye(3))
    with pytest.raises(
        ValueRangeError, match="^targets must be finite; 1 of 3 rows .* the first at index 1$"
    ):
        ranks(np.eye(3), broken)


def test_own_targets_of_a_query_are_out_of_the_way():
    """Two pictures with three captions each: the rank of the best caption counts the other
    picture's captions alone.
    """
    queries = np.eye(2)
    targets = np.array([[0.9, 0.1], [0.8, 0.8], [0.8, 0.2], [0.8, 0.9], [0.95, 0.5], [0.1, 0.7]])
    belongs = np.repeat([0, 1], 3)
    rank, ties = ranks(queries, targets, np.array([2, 3]), belongs=belongs)
    # 0.8 and 0.95 of the other picture are not below 0.8; nothing is above 0.9 for the second
    assert rank.tolist() == [
        3,
        1,
    ]
    assert ties.tolist() == [1, 0]
    with pytest.raises(
        ShapeError, match="one query per target that it belongs to: 6 targets but shape"
    ):
        ranks(queries, targets, np.array([2, 3]), belongs=belongs[:3])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_one_margin_for_ties_with_and_without_several_targets(dtype):
    """A lead of a hundred units of the last place is a lead, one of four is a tie, whichever way is
    asked.
    """
    eps = np.finfo(dtype).eps
    for units, tied in ((4, True), (100, False)):
        targets = np.array([[1.0], [1 - units * eps]], dtype=dtype)
        plain = ranks(np.ones((1, 1), dtype), targets, np.array([0]))
        several = ranks(np.ones((1, 1), dtype), targets, np.array([0]), belongs=np.array([0, 1]))
        assert plain[0].tolist() == several[0].tolist() == [1 + tied]
        assert plain[1].tolist() == several[1].tolist() == [int(tied)]


def test_a_tie_is_a_miss_only_where_it_costs_the_place():
    right, tied = within(np.array([1, 2, 4, 6]), np.array([0, 1, 0, 2]), 1)
    assert right.tolist() == [True, False, False, False]
    assert tied.tolist() == [False, True, False, False]
    right, tied = within(np.array([1, 2, 4, 6]), np.array([0, 1, 0, 2]), 5)
    assert right.tolist() == [True, True, True, False]
    assert tied.tolist() == [False, False, False, True]
