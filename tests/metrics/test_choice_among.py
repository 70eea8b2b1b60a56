"""The right one of several candidates, by every rule for ties: five items by hand."""

from __future__ import annotations

import numpy as np
import pytest

from conceptbind.core.errors import ConceptBindError
from conceptbind.metrics import choice_among, forced_choice

NONE = -np.inf
SCORES = np.array(
    [
        [0.9, 0.1, 0.2],  # right outright
        [0.1, 0.9, 0.2],  # wrong outright
        [0.5, 0.5, 0.1],  # the first two tie, the first is right
        [0.5, 0.1, 0.5],  # the outer two tie, the last is right
        [0.3, 0.3, NONE],  # two candidates, which tie; the last is right
    ]
)
RIGHT = np.array([0, 0, 0, 2, 1])


@pytest.mark.parametrize(
    ("ties", "correct"),
    [
        ("miss", [1, 0, 0, 0, 0]),
        ("first", [1, 0, 1, 0, 0]),
        ("last", [1, 0, 0, 1, 1]),
        ("hit", [1, 0, 1, 1, 1]),
    ],
)
def test_each_rule_by_hand(ties, correct):
    right, tied = choice_among(SCORES, RIGHT, ties)
    assert right.tolist() == list(map(bool, correct))
    assert tied.tolist() == [False, False, True, True, True]  # whatever the rule makes of it


def test_what_rounding_explains_is_a_tie():
    """Of equals up to rounding the first wins, though the other is larger in its last digit."""
    scores = np.array([[0.5, np.nextafter(0.5, 1)]])
    assert [bool(choice_among(scores, 0, rule)[0][0]) for rule in ("miss", "first", "last")] == [
        *(False, True, False),
    ]


def test_the_strict_rule_is_that_of_forced_choice():
    rng = np.random.default_rng(0)
    scores = rng.integers(0, 4, size=(200, 5)) / 4
    for found, other in zip(
        choice_among(scores, 0), forced_choice(scores[:, 0], scores[:, 1:], size=1.0), strict=True
    ):
        assert np.array_equal(found, other)


@pytest.mark.parametrize("ties", ["first", "last"])
def test_rules_by_place_are_those_of_an_argmax(ties):
    rng = np.random.default_rng(1)
    scores, right = rng.integers(0, 3, size=(300, 4)) / 2, rng.integers(0, 4, size=300)
    winner = scores.argmax(axis=1) if ties == "first" else 3 - scores[:, ::-1].argmax(axis=1)
    assert np.array_equal(choice_among(scores, right, ties)[0], winner == right)


@pytest.mark.parametrize(
    ("scores", "ties", "said"),
    [
        (np.ones((3, 1)), "miss", "at least two candidates"),
        (np.array([[1.0, np.nan]]), "miss", "best other candidates must be finite"),
        (np.array([[NONE, 1.0]]), "miss", "right candidates must be finite"),
        (np.array([[1.0, NONE]]), "miss", "best other candidates must be finite"),
        (np.ones((1, 2)), "frist", "unknown rule for ties 'frist'; did you mean 'first'"),
    ],
)
def test_what_cannot_be_chosen_is_refused(scores, ties, said):
    with pytest.raises(ConceptBindError, match=said):
        choice_among(scores, 0, ties)
