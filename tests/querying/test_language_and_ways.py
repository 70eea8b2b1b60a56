"""Queries of several parts: how they are written, how they are scored, and what is first."""

from __future__ import annotations

import numpy as np
import pytest

from conceptbind.core.errors import ConceptBindError, ShapeError, ValueRangeError
from conceptbind.metrics import average_precision, first_right
from conceptbind.metrics.precision import chance_precision
from conceptbind.querying import WAYS, Asked, QueryPart, cosines_with, first_of, parse_query
from conceptbind.querying.captions import whole_caption


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("red square, blue circle, -triangle", ["red square", "blue circle", "-triangle"]),
        ("  red square  ", ["red square"]),
        ("- triangle,a", ["-triangle", "a"]),
        ('"salt, pepper", -"a-b"', ["salt, pepper", "-a-b"]),
        ("salt\\, pepper, x", ["salt, pepper", "x"]),
    ],
)
def test_a_query_is_read(text, parts):
    assert [str(part) for part in parse_query(text)] == parts


def test_a_minus_or_a_quote_may_belong_to_a_part():
    assert parse_query('"-5 degrees", \\-x, 5 \\" nail') == (
        QueryPart("-5 degrees"),
        QueryPart("-x"),
        QueryPart('5 " nail'),
    )
    assert parse_query("T-shirt, a - b") == (QueryPart("T-shirt"), QueryPart("a - b"))
    assert parse_query("a\\\\b") == (QueryPart("a\\b"),)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "the query is empty"),
        ("   ", "the query is empty"),
        ("a,,b", "part 2 of the query is empty"),
        ("a, b,", "part 3 of the query is empty"),
        (",a", "part 1 of the query is empty"),
        ("a, -", "part 2 of the query is a minus alone"),
        ("-, a", "part 1 of the query is a minus alone"),
        ('a, ""', "part 2 of the query is empty"),
        ('a, -""', "part 2 of the query is a minus alone"),
        ("--a", "begins with two minus signs"),
        ('a, "b', "a quote in the query 'a, \"b' does not end"),
        ("a\\", "ends in a backslash"),
        ("red, -red", "both asks for 'red' and excludes it"),
        ("red square, -Red Square", "both asks for 'red square' and excludes it"),
    ],
)
def test_what_is_wrong_with_a_query_is_said(text, message):
    with pytest.raises(ValueRangeError) as caught:
        parse_query(text)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_whole_caption_says_what_is_absent_in_words_that_are_read():
    parts = parse_query("red square, blue circle, -triangle, -star")
    assert whole_caption(parts, lambda _: True) == (
        "red square and blue circle without triangle or star"
    )
    assert whole_caption(parts[:3], lambda text: "without" not in text) == (
        "red square and blue circle and no triangle"
    )
    assert whole_caption(parts[:3], lambda text: "triangle" not in text) is None
    assert whole_caption(parts[2:3], lambda _: True) == "no triangle"
    three = parse_query("a, b, c")
    assert whole_caption(three, lambda _: False) == "a, b and c"


# documents as normalised sums of one-hot objects: 0 red square, 1 blue circle, 2 triangle,
# 3 blue square, 4 red circle
SCENES = [(0, 1), (3, 4), (0, 4), (0, 1, 2), (1, 2), (0, 2)]
BOTH, SWAP, HALF, AND_TRIANGLE, OTHER, SQUARE_TRIANGLE = range(6)


def documents():
    rows = np.zeros((len(SCENES), 5), dtype=np.float32)
    for row, objects in enumerate(SCENES):
        rows[row, list(objects)] = 1
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def ranked(way, parts, negated, rows=None, whole=None, minus=1.0):
    asked = Asked(np.eye(5, dtype=np.float32)[parts], np.array(negated), whole)
    rows = documents() if rows is None else rows
    return asked.scored(way, cosines_with(asked.vectors(way), rows), minus).values


@pytest.mark.parametrize("way", ["sum", "min"])
def test_an_object_encoder_finds_the_scene_by_its_parts(way):
    scores = ranked(way, [0, 1, 2], [False, False, True])
    assert scores.argmax() == BOTH
    assert scores[BOTH] > np.delete(scores, BOTH).max() + 1e-3
    assert scores[BOTH] > scores[AND_TRIANGLE]


def test_min_prefers_a_scene_with_all_parts_to_one_with_much_of_one():
    only = np.eye(5, dtype=np.float32)[:1]
    rows = np.concatenate([documents(), only])
    least = ranked("min", [0, 1], [False, False], rows)
    assert least.argmax() == BOTH
    assert least[-1] < least[BOTH]
    assert least[-1] == pytest.approx(least[HALF], abs=1e-6), "both lack the circle"


def test_projection_removes_exactly_what_is_negated():
    rng = np.random.default_rng(0)
    parts = rng.normal(size=(4, 7))
    parts /= np.linalg.norm(parts, axis=1, keepdims=True)
    asked = Asked(parts, np.array([False, True, True, False]))
    (query,) = asked.vectors("project")
    assert np.abs(parts[1:3] @ query).max() < 1e-12, "nothing is left of the negated directions"
    middle = parts[[0, 3]].mean(axis=0)
    span = np.linalg.lstsq(parts[1:3].T, middle, rcond=None)[0] @ parts[1:3]
    expected = (middle - span) / np.linalg.norm(middle - span)
    assert np.allclose(query, expected)
    # a document that differs by the negated part alone scores the same before its length counts
    scores = ranked("project", [0, 2], [False, True])
    full = documents()
    assert scores[SQUARE_TRIANGLE] == pytest.approx(full[SQUARE_TRIANGLE, 0])


def test_projected_documents_agree_with_a_slow_loop():
    rng = np.random.default_rng(1)
    parts, rows = rng.normal(size=(3, 6)), rng.normal(size=(9, 6))
    parts /= np.linalg.norm(parts, axis=1, keepdims=True)
    asked = Asked(parts, np.array([False, True, True]))
    found = asked.scored(
        "project_documents", cosines_with(asked.vectors("project_documents"), rows)
    ).values
    for row, document in enumerate(rows):
        span = np.linalg.lstsq(parts[1:].T, document, rcond=None)[0] @ parts[1:]
        left = document - span
        assert found[row] == pytest.approx(parts[0] @ left / np.linalg.norm(left), abs=1e-5)


def test_a_bag_ties_with_the_swap():
    # values: red, blue, square, circle
    rows = np.array([[1, 1, 1, 1], [1, 1, 1, 1], [1, 0, 1, 0]], dtype=np.float32)
    parts = np.array([[1, 0, 1, 0], [0, 1, 0, 1]], dtype=np.float32) / np.sqrt(2)
    whole = np.ones(4, dtype=np.float32) / 2
    asked = Asked(parts, np.array([False, False]), whole)
    right = np.array([[True, False, False]])
    for way in WAYS:
        values, size = asked.scored(way, cosines_with(asked.vectors(way), rows))
        hit, tied = first_right(values[None], right, np.atleast_1d(size))
        assert (hit[0], tied[0]) == (False, True), way


def test_a_sum_agrees_with_a_slow_loop_and_its_weight_counts():
    rng = np.random.default_rng(2)
    parts, rows = rng.normal(size=(3, 6)), rng.normal(size=(9, 6))
    parts /= np.linalg.norm(parts, axis=1, keepdims=True)
    asked = Asked(parts, np.array([False, True, False]))
    found = asked.scored("sum", cosines_with(asked.vectors("sum"), rows), 0.5).values
    unit = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    slow = [(d @ parts[0] - 0.5 * d @ parts[1] + d @ parts[2]) / 2.5 for d in unit]
    assert np.allclose(found, slow, atol=1e-6)


def test_many_queries_at_once_are_each_by_itself():
    rng = np.random.default_rng(3)
    parts, rows = rng.normal(size=(4, 3, 6)), rng.normal(size=(9, 6))
    parts /= np.linalg.norm(parts, axis=2, keepdims=True)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    negated = np.array([False, True, False])
    many = Asked(parts, negated, parts[:, 0])
    for way in WAYS:
        together = many.scored(way, many.vectors(way) @ rows.T)
        for query in range(4):
            one = Asked(parts[query], negated, parts[query, 0])
            alone = one.scored(way, one.vectors(way) @ rows.T)
            assert np.allclose(together.values[query], alone.values), way
            assert np.allclose(together.size[query], alone.size), way


def test_a_constant_index_scores_all_alike():
    rows = np.ones((5, 5), dtype=np.float32)
    for way in ("sum", "min", "project"):
        scores = ranked(way, [0, 1], [False, True], rows)
        assert np.ptp(scores) <= 1e-6
        assert first_of(scores, 2).tolist() == [0, 1]


def test_what_cannot_be_asked_is_refused():
    nothing = Asked(np.eye(3)[:1], np.array([True]))
    for way in ("project", "project_documents"):
        with pytest.raises(ValueRangeError, match="nothing to project"):
            nothing.vectors(way)
    with pytest.raises(ValueRangeError, match="no caption for the whole query"):
        nothing.vectors("whole")
    with pytest.raises(ConceptBindError, match="unknown way 'least'"):
        nothing.vectors("least")
    with pytest.raises(ShapeError, match="one sign for each part"):
        Asked(np.eye(3), np.array([True]))
    with pytest.raises(ShapeError, match="the query has 3 dimensions"):
        cosines_with(np.eye(3), np.ones((2, 4)))
    with pytest.raises(ValueRangeError, match="row 1 of the index is zero"):
        cosines_with(np.eye(3), np.array([[1.0, 0, 0], [0, 0, 0]]))


def test_rows_are_read_in_blocks_without_a_copy(monkeypatch):
    monkeypatch.setattr("conceptbind.querying.ways.BLOCK", 7)
    rng = np.random.default_rng(4)
    rows, vectors = rng.normal(size=(50, 5)).astype(np.float32) * 9, np.eye(5)[:2]
    unit = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    assert np.allclose(cosines_with(vectors, rows), vectors @ unit.T, atol=1e-6)


def test_the_first_are_those_of_a_full_sort_and_ties_keep_their_order():
    rng = np.random.default_rng(5)
    for _ in range(50):
        scores = rng.integers(0, 4, size=20) / 8
        for k in (1, 3, 10, 20, 30):
            expected = np.argsort(-scores, kind="stable")[:k]
            assert first_of(scores, k).tolist() == expected.tolist()
    noisy = np.array([0.5, 0.5 + 1e-9, 0.5 - 1e-9, 0.7])
    assert first_of(noisy, 3).tolist() == [3, 0, 1]
    with pytest.raises(ValueRangeError, match="--top must be at least 1"):
        first_of(noisy, 0)


def test_precision_by_hand():
    scores = np.array([[0.9, 0.8, 0.7, 0.6]])
    right = np.array([[True, False, True, False]])
    assert average_precision(scores, right) == pytest.approx([(1 + 2 / 3) / 2])
    assert [part[0] for part in first_right(scores, right)] == [True, False]
    # a wrong document that ties stands first
    tied = np.array([[0.9, 0.9, 0.1, 0.2]])
    assert average_precision(tied, right) == pytest.approx([(1 / 2 + 2 / 4) / 2])
    assert [part[0] for part in first_right(tied, right)] == [False, True]
    every = np.array([[True, True, True, True]])
    assert average_precision(tied, every) == pytest.approx([1.0])
    assert first_right(tied, every)[0][0]


def test_precision_agrees_with_sklearn_where_nothing_ties():
    from sklearn.metrics import average_precision_score

    rng = np.random.default_rng(6)
    scores, right = rng.normal(size=(20, 30)), rng.random((20, 30)) < 0.2
    right[:, 0] = True
    expected = [average_precision_score(a, b) for a, b in zip(right, scores, strict=True)]
    assert np.allclose(average_precision(scores, right), expected)


def test_chance_precision_is_the_mean_over_random_orders():
    rng = np.random.default_rng(7)
    right = np.zeros((1, 12), dtype=bool)
    right[0, :3] = True
    drawn = [average_precision(rng.random((1, 12)), right)[0] for _ in range(4000)]
    assert chance_precision(right)[0] == pytest.approx(np.mean(drawn), abs=0.01)


def test_precision_refuses_what_has_no_answer():
    with pytest.raises(ShapeError, match="query 1 has no right document"):
        average_precision(np.zeros((2, 2)), np.array([[True, False], [False, False]]))
    with pytest.raises(ShapeError, match="one shape"):
        first_right(np.zeros((2, 2)), np.array([[True]]))
