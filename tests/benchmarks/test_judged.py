"""Level 2 of benchmarks of captions alone: every branch and threshold by a hand-made case."""

from __future__ import annotations

import pytest

from conceptbind.benchmarks import benchmark_verdicts
from conceptbind.core.names import Metric
from conceptbind.core.records import Record, Records


def score(value, low, high, split="swap_att", control="none", scenes="sugarcrepe_pp", n=400):
    facts = {"protocol": "strict", "average": "micro", "repair": "none", "control": control}
    return Record.of(
        study="benchmark",
        modality="text",
        metric=Metric.PARAPHRASE_ACCURACY,
        value=value,
        n=n,
        ties=0,
        ci_low=low,
        ci_high=high,
        split=split,
        scenes=scenes,
        encoder="minilm",
        **facts,
    )


def judged(*records):
    (verdict,) = benchmark_verdicts(Records(records))
    assert (verdict.level, verdict.modality, verdict.repairs) == (2, "text", None)
    return verdict


CASES = {
    # swap_att, swap_obj: word, score, the claim
    "both high": ((0.99, 0.97, 1.0), (0.95, 0.92, 0.97), "yes", 0.95, "tell a paraphrase"),
    "at the threshold": ((0.99, 0.97, 1.0), (0.9, 0.87, 0.93), "yes", 0.9, "tell a paraphrase"),
    "just below": ((0.99, 0.97, 1.0), (0.899, 0.87, 0.93), "partly", 0.899, "tell only in part"),
    "one file": ((0.5, 0.45, 0.55), (0.1, 0.08, 0.12), "partly", 0.1, "tell only in part"),
    "both low": ((0.225, 0.2, 0.26), (0.143, 0.1, 0.19), "no", 0.143, "hardly tell a paraphrase"),
    "one fails": ((0.4, 0.3, 0.52), (0.1, 0.08, 0.12), "no", 0.1, "cannot be relied on to tell"),
    "perhaps a half": ((0.4, 0.3, 0.52), (0.4, 0.3, 0.5), "unclear", 0.4, "It cannot be judged"),
    "by chance": ((0.55, 0.33, 0.8), (0.5, 0.3, 0.7), "unclear", 0.5, "It cannot be judged"),
}


@pytest.mark.parametrize("case", CASES)
def test_every_branch(case):
    one, other, word, value, claim = CASES[case]
    found = judged(score(*one), score(*other, split="swap_obj"))
    assert (found.word, found.score, found.n, found.control) == (word, value, 400, "chance")
    assert claim in found.sentence
    assert found.sentence.endswith("Chance: 33.3 %.")


def test_files_that_exchange_nothing_and_all_of_them_together_are_not_judged():
    high = (score(0.99, 0.97, 1.0, split=split) for split in ("replace_obj", "all"))
    found = judged(score(0.225, 0.2, 0.26), *high)
    assert (found.word, found.score) == ("no", 0.225)
    assert "This was measured on sugarcrepe_pp." in found.sentence


def test_without_a_file_of_swaps_it_cannot_be_judged():
    found = judged(score(0.99, 0.97, 1.0, split="replace_obj"))
    assert (found.word, found.score, found.n) == ("unclear", None, 0)
    assert "No file of sugarcrepe_pp is there whose wrong captions are swaps" in found.sentence


def test_one_draw_has_no_interval_and_cannot_be_judged():
    found = judged(score(1.0, None, None, n=3))
    assert (found.word, found.score, found.n) == ("unclear", None, 3)
    assert "one draw (n = 3)" in found.sentence


def test_the_strongest_control_is_named_and_has_to_be_beaten():
    bag = score(0.93, 0.91, 0.95, control="bag_of_words")
    short = score(0.2, 0.15, 0.25, control="blind_length")
    beaten = judged(score(0.97, 0.96, 0.99), bag, short)
    assert (beaten.word, beaten.control) == ("yes", "bag_of_words")
    assert "the strongest control there, bag of words, reaches 93.0 %." in beaten.sentence
    touching = judged(score(0.96, 0.95, 0.99), bag, short)
    assert touching.word == "unclear"
    assert "reaches 93.0 %, which is not clearly less." in touching.sentence
    assert "about" in touching.sentence.lower()


def test_controls_that_are_never_right_are_told_together():
    none = [score(0.0, 0.0, 0.02, control=name) for name in ("bag_of_words", "random_weights")]
    sentence = judged(score(0.97, 0.96, 0.99), *none).sentence
    assert "; all controls stay at 0 % there." in sentence


def test_of_a_file_of_ones_own_only_who_made_it_knows_whether_it_swaps():
    own = judged(score(0.97, 0.96, 0.99, split="mine", scenes="triplets"))
    assert own.word == "yes"
    assert own.sentence.endswith("where they swap.")
    made = judged(score(0.97, 0.96, 0.99, split="mine", scenes="paraphrases"))
    assert "The file decides" not in made.sentence


def test_benchmarks_of_pictures_judge_no_level():
    facts = {"protocol": "strict", "average": "micro", "repair": "none", "control": "none"}
    record = Record.of(
        study="benchmark",
        modality="both",
        metric="accuracy",
        value=0.5,
        n=10,
        ci_low=0.2,
        ci_high=0.8,
        split="all",
        scenes="winoground",
        encoder="e",
        **facts,
    )
    assert benchmark_verdicts(Records([record])) == ()


def test_items_that_nobody_can_win_are_no_sign_of_binding_that_is_not_used():
    """Wrong captions that equal a true one: no encoder could show anything."""
    (found,) = benchmark_verdicts(Records([score(0.0, 0.0, 0.07, n=40).but(unwinnable=40)]))
    assert (found.word, found.score, found.n) == ("unclear", None, 40)
    assert found.sentence.endswith(
        "In 40 of 40 items the wrong caption equals a true one, capitals and spaces apart, so that "
        "no encoder could show it."
    )
    (some,) = benchmark_verdicts(Records([score(0.0, 0.0, 0.07, n=40).but(unwinnable=20)]))
    assert some.word == "no", "half of the items would have been enough"
