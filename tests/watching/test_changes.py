"""When a number rose or fell, by hand-made looks: each branch, and the error over a whole watch."""

from __future__ import annotations

import numpy as np
import pytest

from conceptbind.core.errors import MismatchError
from conceptbind.watching.changes import (
    LEAST,
    LEVEL,
    Change,
    History,
    corrected_for,
    student_p,
    told,
)
from watching.conftest import hits, look, number

KIND = ("binding_share", "mean", "spectrum", "text")


def after(*shares, of=100):
    """The changes of the last look, and the history."""
    history, found = History(), {}
    for step, share in enumerate(shares):
        found = history.add(look(100 * step, number(hits(share, of))))
    return list(found.values()), history


def test_a_rise_and_a_fall_are_told_with_their_interval():
    (rise,), history = after(50, 80)
    assert (rise.word, rise.since, rise.step) == ("rose", 0, 100)
    assert rise.change == pytest.approx(0.3)
    low, high = rise.interval
    assert 0 < low < 0.3 < high
    assert rise.p == pytest.approx(2 * 0.5**30 * corrected_for(1, 1))
    (fall,), _ = after(80, 50)
    assert fall.word == "fell"
    assert history.comparisons == 1


def test_no_change_is_told_where_nothing_moved():
    (same,), history = after(50, 50)
    assert (same.word, same.p) == ("", 1.0)
    assert same.change == 0
    assert next(iter(history.seen.values())).step == 0


def test_an_interval_that_reads_as_0_is_no_change():
    assert Change((), 0, 1, 0.5, 0.52, (0.000008, 0.031), 0.01).word == ""
    assert Change((), 0, 1, 0.5, 0.52, (0.0005, 0.031), 0.01).word == "rose"
    assert Change((), 0, 1, 0.5, 0.48, (-0.031, -0.0004), 0.01).word == ""


def test_an_interval_that_leaves_out_0_is_not_enough():
    """Seven more hits, none fewer: p is 0.016 alone, and 0.03 for the two comparisons it counts as.
    At the third look it counts as twelve."""
    (change,), _ = after(50, 57)
    assert change.word == "rose"
    (late,), _ = after(50, 50, 57)
    assert late.interval[0] > 0
    assert late.p == pytest.approx(2 * 0.5**7 * 12)
    assert late.word == ""


def test_an_interval_over_0_is_no_change_whatever_p():
    change = Change(("a",), 0, 1, 0.5, 0.6, (-0.01, 0.2), 0.001)
    assert change.word == ""
    assert Change(("a",), 0, 1, 0.5, 0.6, (0.01, 0.2), 0.001).word == "rose"
    assert Change(("a",), 0, 1, 0.5, 0.4, (-0.2, -0.01), 0.001).word == "fell"
    assert Change(("a",), 0, 1, 0.5, 0.6, (0.01, 0.2), LEVEL).word == ""
    assert Change(("a",), 0, 1, 0.5, 0.6, (None, None), 0.0).word == ""


def test_the_smallest_change_told_is_one_point_and_its_sign_is_that_of_the_interval():
    def word(before, after, interval):
        return Change(("a",), 0, 1, before, after, interval, 0.001).word

    assert word(0.146, 0.1461, (0.00005, 0.0002)) == ""
    assert word(0.5, 0.5 + LEAST, (0.001, 0.02)) == "rose"
    assert word(0.5, 0.5 + 0.99 * LEAST, (0.001, 0.02)) == ""
    assert word(0.3, 0.3 - LEAST, (-0.02, -0.001)) == "fell"
    assert word(0.3, 0.3 - 0.99 * LEAST, (-0.02, -0.001)) == ""
    assert word(0.5, 0.45, (0.001, 0.02)) == ""  # "rose ... -5.0 points"
    assert word(0.45, 0.5, (-0.02, -0.001)) == ""


def test_noise_of_no_size_is_no_change_though_it_is_beyond_doubt():
    """The same checkpoint with a little noise in its weights: every item moves by next to nothing,
    all in one direction."""
    rng = np.random.default_rng(0)
    first, noise = rng.normal(0.146, 0.05, 400), rng.normal(0.0003, 0.0005, 400)
    history = History()
    history.add(look(0, number(first, *KIND)))
    (near,) = history.add(look(1, number(first + noise, *KIND))).values()
    assert near.p < LEVEL
    assert near.interval[0] > 0
    assert near.word == ""
    assert next(iter(history.seen.values())).step == 0


def test_a_slow_drift_is_told_since_looks_are_held_against_the_last_change():
    """Four more hits at every look: no step of them is beyond doubt, all together are."""
    history, words = History(), []
    for step in range(10):
        (change, *_) = [*history.add(look(step, number(hits(20 + 4 * step)))).values(), None]
        words.append((change.word, change.since) if change else None)
    first = words.index(("rose", 0))
    assert 2 < first < 9
    assert all(word is None or word[0] == "" for word in words[:first])
    assert words[first + 1] == ("", first)


def test_a_look_at_an_earlier_step_is_compared_with_nothing():
    _, history = after(50, 80)
    assert history.add(look(50, number(hits(10)))) == {}
    assert (history.looks, history.comparisons, history.step) == (2, 1, 100)


def test_means_are_compared_by_student():
    rng = np.random.default_rng(0)
    first = rng.normal(0.3, 0.1, 200)
    history = History()
    history.add(look(0, number(first, *KIND)))
    (same,) = history.add(look(1, number(first + 1e-12, *KIND))).values()
    assert same.word == ""
    later = first + rng.normal(0.05, 0.05, 200)
    (up,) = history.add(look(2, number(later, *KIND))).values()
    assert up.word == "rose"
    with pytest.raises(MismatchError, match="200 and at 100 items cannot be paired"):
        history.add(look(3, number(first[:100], *KIND)))


def test_student_is_scipys():
    from scipy.stats import ttest_1samp

    values = np.random.default_rng(1).normal(0.1, 1, 50)
    assert student_p(values, np.arange(50)) == pytest.approx(ttest_1samp(values, 0).pvalue)
    assert student_p(np.zeros(9), np.arange(9)) == 1.0


def test_the_error_spent_over_all_looks_and_pairs_is_the_level():
    spent = sum(7 * looks / corrected_for(7, looks) for looks in range(1, 100_000))
    assert 0.9999 < spent < 1


def test_a_watch_in_which_nothing_changes_tells_nothing():
    """Models that differ at random on the items, with the same chance on all: 100 watches."""
    rng, false = np.random.default_rng(0), 0
    for _ in range(100):
        history = History()
        for step in range(6):
            both = [
                number(rng.random(60) < 0.6, modality=modality) for modality in ("text", "image")
            ]
            false += bool(told(history.add(look(step, *both))))
    assert false <= 5
