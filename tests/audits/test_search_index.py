"""Search of a whole index in one pass, against a slow loop."""

from __future__ import annotations

import numpy as np
import pytest

from conceptbind.audits import search_index
from conceptbind.core.errors import ValueRangeError
from conceptbind.rows.indexes.contract import ArrayRows, HeldTexts, Rows, Texts


def held(rows):
    return Rows([ArrayRows(part, "part") for part in np.array_split(rows, 3)], "rows")


def unit(rows):
    return (rows / np.linalg.norm(rows, axis=-1, keepdims=True)).astype(np.float32)


def by_loop(rows, queries, own, captions):
    ranks = []
    for query, row in zip(queries, own, strict=True):
        scores = unit(rows).astype(np.float64) @ query.astype(np.float64)
        others = [k for k in range(len(rows)) if captions[k] != captions[row]]
        ranks.append(1 + sum(scores[k] >= scores[row] - 2e-6 for k in others))
    return ranks


@pytest.mark.parametrize("seed", range(5))
def test_ranks_are_those_of_a_slow_loop(seed):
    rng = np.random.default_rng(seed)
    rows = rng.integers(-2, 3, (60, 3)).astype(np.float32) + 0.5  # many rows tie
    captions = [f"caption {number}" for number in rng.integers(0, 25, 60)]
    own = rng.choice(60, 12, replace=False)
    queries = unit(rng.normal(size=(2, 12, 3)))
    pairs = [
        (search, row)
        for search, mine in enumerate(own)
        for row in range(60)
        if captions[row] == captions[mine]
    ]
    found = search_index(held(rows), queries, own, np.array(pairs))
    for asked, part in zip(queries, found, strict=True):
        assert part.ranks.tolist() == by_loop(rows, asked, own, captions)


def test_a_tie_is_a_miss_and_is_counted():
    rows = np.array([[1.0, 0.0], [2.0, 0.0], [0.0, 1.0]], np.float32)
    (found,) = search_index(held(rows), unit(rows[None, :1]), np.array([0]), np.array([[0, 0]]))
    assert (found.ranks.tolist(), found.ties.tolist()) == ([2], [1])
    assert found.first(1).tolist() == [False]


def test_a_zero_row_is_named():
    rows = np.array([[1.0, 0.0], [0.0, 0.0], [0.0, 1.0]], np.float32)
    with pytest.raises(ValueRangeError, match="row 1 of the index is all zeros"):
        search_index(held(rows), unit(rows[None, :1]), np.array([0]), np.array([[0, 0]]))


def test_rows_with_the_same_caption_are_found():
    from conceptbind.audits.draw import _equal, _read

    said = ["a", "b", "a", None, "c", "a"]
    texts = Texts([HeldTexts(said[:2]), HeldTexts(said[2:])])
    hashes, kept, missing = _read(texts, np.array([2, 4]))
    assert kept == {2: "a", 4: "c"}
    assert missing.tolist() == [3]
    assert _equal(hashes, np.array([4, 2])).tolist() == [[0, 4], [1, 0], [1, 2], [1, 5]]
