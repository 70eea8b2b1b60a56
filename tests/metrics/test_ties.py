"""A tie is a tie although rounding broke it, and rounding never makes one of a real difference."""

from __future__ import annotations

import numpy as np
import pytest

from conceptbind.metrics import forced_choice, ranks, recognition
from conceptbind.metrics.ties import rounding


@pytest.mark.parametrize("kind", [np.float32, np.float64])
def test_duplicate_targets_always_tie(kind):
    rng = np.random.default_rng(0)
    queries, targets = (
        rng.normal(size=(50, 384)).astype(kind),
        rng.normal(size=(50, 384)).astype(kind),
    )
    rank, ties = ranks(queries, np.concatenate([targets, targets]))
    assert (ties >= 1).all()
    assert (rank >= 2).all()


def test_a_bag_of_words_encoder_scores_zero_whatever_the_order_of_its_sum():
    """Captions and their swaps are sums of the same words in another order; binding accuracy must
    be 0, not one half.
    """
    rng = np.random.default_rng(1)
    words = rng.normal(size=(400, 4, 64)).astype(np.float32)
    caption = words[:, 0] + words[:, 1] + words[:, 2] + words[:, 3]
    swapped = words[:, 2] + words[:, 1] + words[:, 0] + words[:, 3]
    image = rng.normal(size=(400, 64)).astype(np.float32)
    true, false = (image * caption).sum(1), (image * swapped).sum(1)
    assert (true > false).sum() > 0  # rounding alone would have given it some
    size = np.linalg.norm(image, axis=1) * np.linalg.norm(words, axis=2).sum(1)
    correct, tied = forced_choice(true, false, size)
    assert not correct.any()
    assert tied.all()


def test_small_real_differences_are_no_ties():
    scores = np.array([[1.0, 1.0 - 1e-6]])
    assert recognition(scores, np.array([[True, False]])).hits == 1
    assert forced_choice(np.array([1.0]), np.array([1.0 - 1e-9]))[0].all()
    # below what float32 can tell
    assert recognition(scores.astype(np.float32), np.array([[True, False]])).ties == 1


def test_rounding_is_sixteen_units_of_the_last_place_of_what_the_scores_were_made_of():
    for kind in (np.float32, np.float64):
        unit = float(np.finfo(kind).eps)
        assert rounding(np.zeros(2, kind), np.array([1.0, 3.0])).tolist() == [16 * unit, 48 * unit]
    assert rounding(np.array([3, 4]), 1e9) == 0  # whole numbers are exact
