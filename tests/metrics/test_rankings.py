"""Ranks and p values of several tests, by hand."""

from __future__ import annotations

import numpy as np
import pytest

from conceptbind.metrics.rankings import followed, holm, ranks_of


def table(*pairs, k):
    better = np.zeros((k, k), dtype=bool)
    for one, other in pairs:
        better[one, other] = True
    return better


@pytest.mark.parametrize(
    ("pairs", "k", "ranks"),
    [
        ((), 3, [1, 1, 1]),
        (((0, 1), (0, 2), (1, 2)), 3, [1, 2, 3]),
        (((0, 2),), 3, [1, 1, 2]),  # the middle one is told from neither
        (((0, 2), (1, 2)), 4, [1, 1, 3, 1]),  # nobody has rank 2
        (((0, 1), (1, 2)), 3, [1, 2, 3]),  # 0 is better than 2 by way of 1
        ((), 1, [1]),
    ],
)
def test_a_rank_is_one_more_than_there_are_better_models(pairs, k, ranks):
    assert ranks_of(followed(table(*pairs, k=k))).tolist() == ranks


def test_of_two_models_with_one_rank_neither_is_better():
    rng = np.random.default_rng(0)
    for _ in range(50):
        better = followed(np.triu(rng.random((6, 6)) < 0.3, 1))
        ranks = ranks_of(better)
        assert (ranks[:, None] < ranks[None])[better].all()


def test_holm_multiplies_the_least_by_all_the_next_by_one_less():
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([0.04, 0.01]) == pytest.approx([0.04, 0.02])
    assert holm([0.9, 0.8]) == [1.0, 1.0]
    assert holm([]) == []
