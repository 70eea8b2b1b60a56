"""Paraphrase and swap: both rules, by hand."""

from __future__ import annotations

import numpy as np
import pytest

from conceptbind.core.errors import ShapeError, ValueRangeError
from conceptbind.metrics import triplet_choice
from conceptbind.metrics.triplets import cosines

CASES = {
    # paraphrase, negative, between: correct, tied, one-sided, one-sided tied
    "nearer on both sides": ((0.9, 0.5, 0.5), (True, False, True, False)),
    "the negative is nearer to the anchor": ((0.5, 0.9, 0.1), (False, False, False, False)),
    "the negative is nearer to the paraphrase": ((0.5, 0.1, 0.9), (False, False, True, False)),
    "a tie at the anchor": ((0.5, 0.5, 0.1), (False, True, False, True)),
    "a tie at the paraphrase": ((0.5, 0.1, 0.5), (False, True, True, False)),
    "a tie at the anchor, and lost at the paraphrase": (
        (0.5, 0.5, 0.9),
        (False, False, False, True),
    ),
    "all equal": ((0.5, 0.5, 0.5), (False, True, False, True)),
}


@pytest.mark.parametrize("case", CASES)
def test_a_triplet_by_hand(case: str) -> None:
    scores, wanted = CASES[case]
    found = triplet_choice(*(np.array([score]) for score in scores))
    told = (found.correct, found.tied, found.one_sided, found.one_sided_tied)
    assert tuple(bool(part[0]) for part in told) == wanted
    assert len(found) == 1


def test_a_difference_that_rounding_explains_is_a_tie() -> None:
    one = np.array([0.7], dtype=np.float32)
    nearly = np.nextafter(one, np.float32(1), dtype=np.float32)
    found = triplet_choice(nearly, one, one * 0)
    assert found.tied.all()
    assert found.one_sided_tied.all()


def test_chance_is_a_third_and_a_half() -> None:
    scores = np.random.default_rng(0).random((3, 40_000))
    found = triplet_choice(*scores)
    assert found.correct.mean() == pytest.approx(1 / 3, abs=0.01)
    assert found.one_sided.mean() == pytest.approx(1 / 2, abs=0.01)


def test_cosines_of_unit_rows() -> None:
    rows = np.eye(3, dtype=np.float32)
    assert cosines(rows[[0, 1]], rows[[0, 2]]).tolist() == [1.0, 0.0]


def test_scores_that_cannot_be_compared() -> None:
    with pytest.raises(ShapeError):
        triplet_choice(np.zeros(2), np.zeros(3), np.zeros(3))
    with pytest.raises(ValueRangeError):
        triplet_choice(np.array([np.nan]), np.zeros(1), np.zeros(1))
