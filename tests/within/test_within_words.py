"""The verdict of level 2: every branch and threshold by a hand-made case."""

from __future__ import annotations

from typing import Any

import pytest

from conceptbind.core.names import Control, Metric
from conceptbind.core.records import Record, Records
from conceptbind.report.words import CONTROL_WORDS
from conceptbind.within.words import CHANCE, SOMEWHAT, USABLE, not_judged, usable_within


def record(
    setting: str, value: float, low: float | None, high: float | None, **told: Any
) -> Record:
    facts: dict[str, Any] = {
        "study": "within",
        "modality": "text",
        "metric": Metric.PARAPHRASE_ACCURACY,
        "n": 400,
        "ties": 0,
        "split": "all",
        "scenes": "text20",
        "encoder": "minilm",
        "level": 2,
        **told,
    }
    return Record.of(setting=setting, value=value, ci_low=low, ci_high=high, **facts)


def both(neutral: tuple[float, float, float], trap: tuple[float, float, float]) -> Records:
    return Records([record("neutral", *neutral), record("trap", *trap)])


CASES = {
    # neutral, trap: word, score
    "both high": ((0.99, 0.97, 1.0), (0.95, 0.92, 0.97), "yes", 0.95),
    "at the threshold": ((0.99, 0.97, 1.0), (USABLE, 0.87, 0.93), "yes", USABLE),
    "just below it": ((0.99, 0.97, 1.0), (0.899, 0.87, 0.93), "partly", 0.899),
    "high, and too uncertain for usable": ((0.95, 0.51, 1.0), (0.92, 0.45, 1.0), "partly", 0.92),
    "only neutral": ((0.8, 0.75, 0.85), (0.0, 0.0, 0.02), "partly", 0.0),
    "only the trap": ((0.2, 0.15, 0.25), (0.6, 0.55, 0.65), "partly", 0.2),
    "above half in neutral": ((0.56, 0.51, 0.61), (0.0, 0.0, 0.02), "partly", 0.0),
    "half in neutral, which a surface can reach": ((0.56, 0.5, 0.62), (0.0, 0.0, 0.02), "no", 0.0),
    "half in neutral, and the trap unsure": ((0.56, 0.5, 0.62), (0.4, 0.3, 0.52), "unclear", 0.4),
    "half in the trap, which no surface reaches": (
        (0.2, 0.15, 0.25),
        (SOMEWHAT, 0.45, 0.55),
        "partly",
        0.2,
    ),
    "both low": ((0.25, 0.2, 0.3), (0.0, 0.0, 0.02), "no", 0.0),
    "just below a half for certain": ((0.4, 0.35, 0.49), (0.0, 0.0, 0.02), "no", 0.0),
    "perhaps a half, and one setting fails": ((0.4, 0.3, 0.52), (0.0, 0.0, 0.02), "no", 0.0),
    "perhaps a half in both": ((0.4, 0.3, 0.52), (0.4, 0.3, 0.5), "unclear", 0.4),
    "a half, perhaps by chance": ((0.55, CHANCE - 0.01, 0.8), (0.3, 0.1, 0.5), "unclear", 0.3),
    "a half by chance, and one setting fails": (
        (0.55, CHANCE - 0.01, 0.8),
        (0.3, 0.1, 0.499),
        "no",
        0.3,
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_every_branch(case: str) -> None:
    neutral, trap, word, score = CASES[case]
    found = usable_within(both(neutral, trap), "text", "minilm")
    assert (found.word, found.score, found.level, found.modality, found.n) == (
        word,
        score,
        2,
        "text",
        400,
    )
    assert "(level 2" in found.sentence
    assert "n = 400; chance: 33.3 %" in found.sentence
    if word == "unclear":
        assert found.sentence.startswith("It cannot be judged whether the captions of minilm")
        assert "comparisons are needed" in found.sentence


def test_without_records_nothing_is_judged() -> None:
    found = usable_within(Records(), "image", "tiny")
    assert (found.word, found.score, found.n) == ("unclear", None, 0)
    assert found.sentence.startswith("It cannot be judged whether the pictures of tiny")


def test_the_strongest_control_is_named_with_both_numbers() -> None:
    records = both((0.99, 0.97, 1.0), (0.95, 0.92, 0.97))
    records += [
        record("neutral", 0.0, 0.0, 0.02, control=Control.BAG_OF_CONCEPTS),
        record("trap", 0.0, 0.0, 0.02, control=Control.BAG_OF_CONCEPTS),
        record("neutral", 0.4, 0.3, 0.5, control=Control.RANDOM_WEIGHTS),
        record("trap", 0.1, 0.05, 0.15, control=Control.RANDOM_WEIGHTS),
    ]
    found = usable_within(records, "text", "minilm")
    assert found.control == Control.RANDOM_WEIGHTS
    assert (
        "The strongest control, the same architecture with random weights, reaches 40.0 % and "
        "10.0 %." in found.sentence
    )


def test_of_controls_that_are_never_right_none_is_the_strongest() -> None:
    records = both((0.99, 0.97, 1.0), (0.95, 0.92, 0.97))
    for control in (Control.BAG_OF_CONCEPTS, Control.RANDOM_WEIGHTS):
        records += [record("neutral", 0.0, 0.0, 0.02, control=control)]
        records += [record("trap", 0.0, 0.0, 0.02, control=control)]
    sentence = usable_within(records, "text", "minilm").sentence
    assert sentence.endswith(" All controls stay at 0 %.")
    assert "strongest" not in sentence
    one = Records(r for r in records if r.control != Control.RANDOM_WEIGHTS)
    assert usable_within(one, "text", "minilm").sentence.endswith(" The control stays at 0 %.")


CONTROLS = {
    # neutral of the control (the encoder has 0.608 and 0.546): word, and how the sentence goes on
    "clearly less": ((0.4, 0.3, 0.5), "partly", "reaches 40.0 % and 37.5 %."),
    "not clearly less": (
        (0.525, 0.45, 0.6),
        "unclear",
        "reaches 52.5 % and 37.5 %. The first is not clearly less.",
    ),
    "more": ((0.7, 0.6, 0.8), "unclear", "Many more comparisons are needed."),
    "without an interval": ((0.5, None, None), "partly", "reaches 50.0 % and 37.5 %."),
}


@pytest.mark.parametrize("case", CONTROLS)
def test_what_a_control_reaches_too_is_no_binding(case: str) -> None:
    neutral, word, told = CONTROLS[case]
    records = both((0.608, 0.529, 0.751), (0.546, 0.463, 0.74))
    records += [
        record("neutral", *neutral, control=Control.RANDOM_WEIGHTS),
        record("trap", 0.375, 0.3, 0.45, control=Control.RANDOM_WEIGHTS),
    ]
    found = usable_within(records, "text", "tiny-bag")
    assert found.word == word
    assert told in found.sentence


def test_the_strongest_control_of_either_setting_is_named() -> None:
    records = both((0.99, 0.97, 1.0), (0.95, 0.92, 0.97))
    records += [
        record("neutral", 0.0, 0.0, 0.02, control=Control.BAG_OF_CONCEPTS),
        record("trap", 0.0, 0.0, 0.02, control=Control.BAG_OF_CONCEPTS),
        record("neutral", 0.286, 0.2, 0.37, control=Control.BLIND_LENGTH),
        record("trap", 0.0, 0.0, 0.02, control=Control.BLIND_LENGTH),
    ]
    found = usable_within(records, "text", "template")
    # the number is that of the trap, and so is the control beside it
    assert (found.score, found.control) == (0.95, Control.BAG_OF_CONCEPTS)
    assert (
        "The strongest controls reach 28.6 % (the blind control by length) and 0 % (a bag of "
        "concepts)." in found.sentence
    )


@pytest.mark.parametrize(
    ("trap", "told"),
    [
        ((0.9, 0.85, 0.95), "reach 40.0 % (X) and 90.0 % (Y). The second is not clearly less."),
        ((0.1, 0.05, 0.2), "reach 40.0 % (X) and 10.0 % (Y)."),
    ],
)
def test_each_setting_has_its_own_strongest_control(trap: tuple[float, ...], told: str) -> None:
    records = both((0.99, 0.97, 1.0), (0.92, 0.9, 0.95))
    records += [
        record("neutral", 0.4, 0.3, 0.5, control=Control.RANDOM_WEIGHTS),
        record("trap", 0.0, 0.0, 0.02, control=Control.RANDOM_WEIGHTS),
        record("neutral", 0.1, 0.05, 0.15, control=Control.BAG_TWIN),
        record("trap", *trap, control=Control.BAG_TWIN),
    ]
    found = usable_within(records, "text", "tiny")
    names = [CONTROL_WORDS[name] for name in (Control.RANDOM_WEIGHTS, Control.BAG_TWIN)]
    assert told.replace("X", names[0]).replace("Y", names[1]) in found.sentence
    assert found.control == Control.BAG_TWIN


def test_where_nothing_can_be_compared_the_reason_is_the_whole_reason() -> None:
    found = not_judged("text", "mine", "rows of captions are given")
    assert (found.word, found.level, found.n) == ("unclear", 2, 0)
    assert found.sentence == (
        "It cannot be judged whether the captions of mine tell a scene from its swap by cosine "
        "(level 2). Rows of captions are given."
    )


def test_usable_everywhere_beats_the_control_in_the_weaker_setting() -> None:
    records = both((0.99, 0.97, 1.0), (0.95, 0.92, 0.97))
    records += [record("trap", 0.93, 0.9, 0.96, control=Control.RANDOM_WEIGHTS)]
    assert usable_within(records, "text", "minilm").word == "partly"


def test_of_equal_controls_the_first_is_named_and_a_blind_one_is_called_so() -> None:
    records = both((0.9, 0.9, 0.9), (0.2, 0.1, 0.3))
    records += [
        record("trap", 0.1, 0.0, 0.2, control=Control.BLIND_LENGTH),
        record("trap", 0.1, 0.0, 0.2, control=Control.RANDOM_WEIGHTS),
    ]
    found = usable_within(records, "text", "minilm")
    assert found.control == Control.BLIND_LENGTH
    assert "the blind control by length" in found.sentence


def test_pictures_that_were_not_drawn_have_no_trap_and_are_usable_in_part_at_most() -> None:
    records = Records([record("neutral", 1.0, 0.97, 1.0, modality="image")])
    found = usable_within(records, "image", "clip")
    assert found.word == "partly"
    assert "equal places mislead it cannot be judged" in found.sentence
    assert (
        "by cosine in the one setting that was measured (level 2, usable in part)" in found.sentence
    )
    weak = Records([record("neutral", 0.8, 0.7, 0.9, modality="image")])
    said = usable_within(weak, "image", "clip").sentence
    assert "by cosine only in part (level 2, usable in part)" in said


def test_one_combination_says_nothing_of_others() -> None:
    alone = [record("neutral", 1.0, None, None, n=4), record("trap", 1.0, None, None, n=4)]
    found = usable_within(Records(alone), "text", "minilm")
    assert (found.word, found.score, found.n) == ("unclear", None, 4)
    assert "All comparisons are of one combination and its swap" in found.sentence


def test_ties_are_said() -> None:
    records = Records(
        [
            record("neutral", 0.0, 0.0, 0.01, ties=400),
            record("trap", 0.0, 0.0, 0.01, ties=7),
        ]
    )
    found = usable_within(records, "text", "bag")
    assert "Comparisons there that hold a tie, which counts as a miss: all." in found.sentence
    assert "Comparisons there that hold a tie, which counts as a miss: 7." in found.sentence


def test_parts_are_not_taken_for_the_whole() -> None:
    records = Records(
        [
            record("neutral", 0.0, 0.0, 0.02, wording="is"),
            *both((0.99, 0.97, 1.0), (0.95, 0.92, 0.97)),
        ]
    )
    assert usable_within(records, "text", "minilm").word == "yes"
