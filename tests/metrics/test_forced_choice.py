"""Forced choice: right only when strictly above every false candidate; a tie is a miss and is
counted.
"""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conceptbind.core.errors import ShapeError, ValueRangeError
from conceptbind.metrics import forced_choice, recognition
from conceptbind.metrics.choices import every

SCORES = st.integers(-2, 2)


@st.composite
def choices(draw):
    n, f = draw(st.integers(1, 6)), draw(st.integers(1, 4))
    true = draw(st.lists(SCORES, min_size=n, max_size=n))
    false = draw(st.lists(SCORES, min_size=n * f, max_size=n * f))
    return np.array(true, dtype=float), np.array(false, dtype=float).reshape(n, f)


def test_four_items_by_hand():
    correct, tied = forced_choice([2, 2, 2, 2], [[1, 0], [2, 0], [3, 2], [1, 3]])
    assert correct.tolist() == [True, False, False, False]
    # equal to one, below another, is not a tie for the first place
    assert tied.tolist() == [
        False,
        True,
        False,
        False,
    ]


def test_one_false_candidate_may_be_a_plain_list():
    correct, tied = forced_choice([1, 1, 1], [0, 1, 2])
    assert correct.tolist() == [True, False, False]
    assert tied.tolist() == [False, True, False]


@given(choices())
@settings(max_examples=50, deadline=None)
def test_it_agrees_with_a_plain_loop(table):
    true, false = table
    correct, tied = forced_choice(true, false)
    for i, score in enumerate(true.tolist()):
        others = false[i].tolist()
        assert correct[i] == all(score > other for other in others)
        assert tied[i] == (score in others and all(score >= other for other in others))


@given(choices())
@settings(max_examples=50, deadline=None)
def test_it_is_recognition_of_one_present_candidate(table):
    true, false = table
    scores = np.column_stack([true, false])
    present = np.zeros(scores.shape, dtype=bool)
    present[:, 0] = True
    outcome = recognition(scores, present)
    correct, tied = forced_choice(true, false)
    assert correct.tolist() == outcome.correct.tolist()
    assert tied.tolist() == outcome.tied.tolist()


@given(choices(), st.data())
@settings(max_examples=50, deadline=None)
def test_order_repetition_and_a_shift_of_an_item_do_not_matter(table, data):
    true, false = table
    order = np.array(data.draw(st.permutations(range(false.shape[1]))))
    shift = np.array(
        data.draw(st.lists(st.integers(-9, 9), min_size=len(true), max_size=len(true))), dtype=float
    )
    expected = [part.tolist() for part in forced_choice(true, false)]
    assert [part.tolist() for part in forced_choice(true, false[:, order])] == expected
    assert [part.tolist() for part in forced_choice(true, np.hstack([false, false]))] == expected
    assert [
        part.tolist() for part in forced_choice(true + shift, false + shift[:, None])
    ] == expected


def test_a_scorer_that_says_the_same_of_everything_is_never_right():
    correct, tied = forced_choice(np.ones(5), np.ones((5, 3)))
    assert not correct.any()
    assert tied.all()


def test_no_items_give_empty_answers():
    correct, tied = forced_choice(np.empty(0), np.empty((0, 2)))
    assert correct.shape == tied.shape == (0,)


@pytest.mark.parametrize(
    ("true", "false"),
    [
        ((3,), (2,)),
        ((3,), (2, 4)),
        ((3,), (3, 0)),
        ((3, 1), (3, 1)),
        ((3,), (3, 1, 1)),
        ((), ()),
        ((), (1,)),
        ((1,), ()),
    ],
)
def test_other_shapes_are_refused(true, false):
    shown = false if len(false) != 1 else (*false, 1)  # a plain list is one candidate each
    with pytest.raises(ShapeError) as caught:
        forced_choice(np.zeros(true), np.zeros(false))
    assert str(caught.value) == (
        f"expected true scores (n,) and false scores (n,) or (n, f); got {true} and {shown}"
    )


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_a_score_that_is_no_number_is_refused_by_side(bad):
    good, one_bad = np.zeros(3), np.array([0, bad, 0])
    with pytest.raises(
        ValueRangeError, match="^true scores must be finite; 1 of 3 rows .* the first at index 1$"
    ):
        forced_choice(one_bad, good)
    with pytest.raises(
        ValueRangeError, match="^false scores must be finite; 1 of 3 rows .* the first at index 1$"
    ):
        forced_choice(good, one_bad)


def test_several_choices_are_one_that_nothing_but_ties_prevents():
    """Won and won, won and tied, tied and tied, won and lost, tied and lost."""
    first = np.array([True, True, False, True, False]), np.array([False, False, True, False, True])
    second = np.array([True, False, False, False, False]), np.array([0, 1, 1, 0, 0], dtype=bool)
    correct, tied = every([first, second])
    assert correct.tolist() == [True, False, False, False, False]
    assert tied.tolist() == [False, True, True, False, False]
    assert [part.tolist() for part in every([second, first])] == [correct.tolist(), tied.tolist()]
    with pytest.raises(ShapeError, match=r"^there are no choices to join; give at least one$"):
        every([])
