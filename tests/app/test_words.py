"""Every branch of what the page says of one picture, on scores that a reader checks by hand."""

from __future__ import annotations

import pytest

from conceptbind.app.trial import Choice, choice_of
from conceptbind.app.words import fitted_on, one_item, prefers, prefers_after, short, two_scores

RIGHT, WRONG, TIE = Choice("caption", 0.5, 0.4), Choice("swap", 0.4, 0.5), Choice("tie", 0.4, 0.4)
UNKNOWN, TRUE, FALSE = (None, None), (True, False), (False, True)


@pytest.mark.parametrize(
    ("choice", "truth", "said"),
    [
        (
            RIGHT,
            TRUE,
            "m finds your caption nearer to the picture than its swap (0.500 against 0.400). "
            "Your caption is the true one, so that is right.",
        ),
        (
            WRONG,
            TRUE,
            "m finds the swap nearer to the picture than your caption (0.500 against 0.400). "
            "Your caption is the true one, so that is wrong.",
        ),
        (
            TIE,
            TRUE,
            "m finds your caption and its swap equally near to the picture (0.400). "
            "Your caption is the true one, so that is a miss.",
        ),
        (
            RIGHT,
            FALSE,
            "m finds your caption nearer to the picture than its swap (0.500 against 0.400). "
            "The swap is the true one, so that is wrong.",
        ),
        (
            WRONG,
            FALSE,
            "m finds the swap nearer to the picture than your caption (0.500 against 0.400). "
            "The swap is the true one, so that is right.",
        ),
        (
            RIGHT,
            UNKNOWN,
            "m finds your caption nearer to the picture than its swap (0.500 against 0.400). "
            "If your caption is true of the picture, that is right.",
        ),
        (
            WRONG,
            UNKNOWN,
            "m finds the swap nearer to the picture than your caption (0.500 against 0.400). "
            "If your caption is true of the picture, that is wrong.",
        ),
        (
            TIE,
            UNKNOWN,
            "m finds your caption and its swap equally near to the picture (0.400). "
            "If your caption is true of the picture, that is a miss.",
        ),
    ],
)
def test_the_sentence(choice, truth, said):
    assert prefers("m", [choice], truth, True) == said


def test_where_both_or_neither_is_true_no_answer_is_right():
    assert prefers("m", [RIGHT], (True, True), True).endswith(
        "Both are true of the picture, so neither answer is wrong."
    )
    assert prefers("m", [RIGHT], (False, False), True).endswith(
        "Neither is true of the picture, so neither answer is right."
    )


def test_wordings_are_counted_by_what_the_first_one_shows():
    all_of_them = prefers("m", [RIGHT, RIGHT], TRUE, True)
    assert "So it is in both wordings." in all_of_them
    assert "So it is in all 3 wordings." in prefers("m", [RIGHT] * 3, TRUE, True)
    assert "So it is in 1 of 3 wordings." in prefers("m", [WRONG, RIGHT, TIE], TRUE, True)
    assert "wording" not in prefers("m", [RIGHT], TRUE, True)


def test_after_the_repair_and_without_pictures():
    assert prefers_after([RIGHT], UNKNOWN, False) == (
        "After the repair it finds your caption nearer to the text than its swap "
        "(0.500 against 0.400). If your caption says what the text says, that is right."
    )


def test_one_picture_is_no_measurement():
    assert one_item("m", True).startswith("This is one picture, not a measurement of m.")
    assert one_item("m", False).startswith("This is one text, not a measurement of m.")


def test_the_repair_may_know_the_scene():
    assert "captions of clevr2d" in fitted_on("clevr2d")
    assert "does not say" in fitted_on(None)


def test_two_scores_have_as_many_digits_as_tell_them_apart():
    assert two_scores(0.5, 0.4) == "0.500 against 0.400"
    assert two_scores(0.40001, 0.40002) == "0.40001 against 0.40002"
    assert two_scores(0.4, 0.4) == "0.400000 against 0.400000"


def test_a_long_caption_is_shortened():
    assert short("x" * 80) == "x" * 80
    assert len(short("x" * 81)) == 80


def test_a_tie_is_any_difference_that_rounding_explains():
    assert choice_of(0.5, 0.4).lead == "caption"
    assert choice_of(0.4, 0.5).lead == "swap"
    assert choice_of(0.4, 0.4 + 1e-17).lead == "tie"
