"""What is said of benchmarks, by hand."""

from __future__ import annotations

from dataclasses import replace

import pytest

from conceptbind.benchmarks import benchmark_sentence, benchmark_table
from conceptbind.benchmarks.words import benchmark_answer
from conceptbind.core.findings import Verdict
from conceptbind.core.records import Record, Records
from conceptbind.report.numbers import difference


def score(
    value,
    low,
    high,
    *,
    subset="all",
    control="none",
    repair="none",
    ties=0,
    n=100,
    scenes="sugarcrepe",
):
    facts = {"protocol": "strict", "average": "micro", "repair": repair, "control": control}
    return Record.of(
        study="benchmark",
        modality="both",
        metric="accuracy",
        value=value,
        n=n,
        ties=ties,
        ci_low=low,
        ci_high=high,
        split=subset,
        scenes=scenes,
        encoder="e",
        **facts,
    )


def beside(subset, blind=(0.5, 0.4, 0.6), longer=(0.1, 0.05, 0.2), **more):
    return [
        score(*blind, subset=subset, control="blind_length", **more),
        score(*longer, subset=subset, control="blind_norm", **more),
    ]


def test_scores_above_at_and_below_the_better_blind_baseline():
    records = [
        score(0.8, 0.61, 0.9, subset="a"),
        *beside("a"),
        score(0.8, 0.60, 0.9, subset="b"),
        *beside("b"),  # the intervals touch
        score(0.3, 0.2, 0.39, subset="c"),
        *beside("c"),
        score(0.3, 0.2, 0.40, subset="d"),
        *beside("d"),
    ]
    assert benchmark_sentence(Records(records)) == (
        "4 scores of 1 benchmark. 1 clearly above the best of the baselines that never see a "
        "picture (95 % intervals apart), "
        "2 not to be told from it (sugarcrepe b accuracy, sugarcrepe d accuracy), 1 clearly below "
        "it (sugarcrepe c accuracy)."
    )


def test_all_above():
    one = [score(0.8, 0.7, 0.9), *beside("all")]
    assert benchmark_sentence(Records(one)).startswith(
        "1 score of 1 benchmark. It is clearly above the best of the baselines"
    )
    two = [*one, score(0.9, 0.8, 1.0, scenes="aro"), *beside("all", scenes="aro")]
    assert benchmark_sentence(Records(two)).startswith(
        "2 scores of 2 benchmarks. All are clearly above"
    )


def test_the_better_of_the_two_baselines_counts():
    records = [score(0.8, 0.7, 0.9), *beside("all", longer=(0.75, 0.65, 0.85))]
    assert "0 clearly above" in benchmark_sentence(Records(records))
    assert "75.0 %" in benchmark_table(Records(records))


def test_without_a_baseline_nothing_is_beaten():
    records = [score(0.8, 0.7, 0.9)]
    assert (
        benchmark_sentence(Records(records)) == "1 score of 1 benchmark. 1 without such a baseline."
    )
    mixed = [*records, score(0.8, 0.7, 0.9, subset="b"), *beside("b")]
    assert "1 clearly above" in benchmark_sentence(Records(mixed))
    assert "1 without such a baseline" in benchmark_sentence(Records(mixed))


def test_no_interval_decides_nothing():
    assert "1 not to be told from it" in benchmark_sentence(
        Records([score(0.8, None, None), *beside("all")])
    )
    assert "0 clearly above" in benchmark_sentence(
        Records([score(0.8, 0.7, 0.9), *beside("all", blind=(0.5, None, None))])
    )


@pytest.mark.parametrize(
    ("low", "high", "said"),
    [
        (
            0.01,
            0.2,
            "clearly raises 1 of 1 score (95 % interval of the paired difference above 0) and "
            "clearly lowers 0.",
        ),
        (
            0.0,
            0.2,
            "clearly raises 0 of 1 score (95 % interval of the paired difference above 0) and "
            "clearly lowers 0. For 1 it cannot be told.",
        ),
        (-0.2, -0.01, "and clearly lowers 1 (sugarcrepe all accuracy)."),
        (-0.2, 0.0, "and clearly lowers 0. For 1 it cannot be told."),
    ],
)
def test_what_a_repair_does(low, high, said):
    records = [
        score(0.8, 0.7, 0.9),
        *beside("all"),
        score(0.9, 0.8, 1.0, repair="adapter"),
        score((low + high) / 2, low, high, repair="difference", ties=None),
    ]
    assert said in benchmark_sentence(Records(records))
    assert "points" in benchmark_table(Records(records))


def test_where_ties_are():
    records = [
        score(0.0, 0.0, 0.1, subset="a", ties=90, n=100),
        *beside("a"),
        score(0.8, 0.7, 0.9, subset="b", ties=100, n=1000),
        *beside("b"),
    ]
    assert "Ties are misses. Most are in sugarcrepe a (90.0 % of 100)." in benchmark_sentence(
        Records(records)
    )
    assert "Ties" not in benchmark_sentence(Records([score(0.8, 0.7, 0.9), *beside("all")]))


def test_a_difference_is_in_points():
    assert difference(0.0123, -0.01, 0.03) == "+1.2 points (-1.0 to +3.0)"
    assert difference(-0.5, None, None) == "-50.0 points"


def test_the_answer_names_no_term_of_the_field():
    records = [
        score(0.8, 0.61, 0.9, subset="a"),
        *beside("a"),
        score(0.3, 0.2, 0.39, subset="c"),
        *beside("c"),
        score(0.8, 0.7, 0.9, subset="without a baseline"),
    ]
    better = "e is clearly better than guessing without the pictures on"
    assert benchmark_answer(Records(records)) == f"{better} 1 of 2 scores."
    changed = [
        score(0.1, 0.05, 0.2, repair="difference", ties=None),
        score(0.1, -0.05, 0.2, subset="a", repair="difference", ties=None),
    ]
    assert benchmark_answer(Records([*records, *changed])) == (
        f"{better} 1 of 2 scores. The repair raises 1 of 2 scores."
    )


def test_the_answer_of_captions_alone_counts_no_item_twice():
    def strict(value, low, high, **more):
        found = score(value, low, high, scenes="mine", **more)
        return found.but(modality="text", metric="paraphrase_accuracy")

    parts = [strict(0.1, 0.05, 0.2, subset="a"), strict(0.9, 0.8, 0.95, subset="b")]
    records = [
        *parts,
        strict(0.5, 0.4, 0.6, n=200),
        *(strict(0.3, 0.2, 0.4, subset=name, control="bag_of_words") for name in "ab"),
    ]
    assert benchmark_answer(Records(records)) == (
        "e finds the caption in other words nearer than a wrong caption in 10.0 % to 90.0 % of 200 "
        "items, in 2 parts (chance: 33.3 %). That is clearly more than its strongest control in 1 "
        "of 2 parts, and clearly less than chance in 1."
    )
    whole = benchmark_answer(Records([records[2]]))
    assert "in 50.0 % of 200 items" in whole
    assert whole.endswith("items (chance: 33.3 %)."), "it has no control"
    below = [records[2], strict(0.1, 0.05, 0.2, control="bag_of_words")]
    assert benchmark_answer(Records(below)).endswith(
        "That is clearly more than its strongest control (bag of words: 10.0 %)."
    )
    level = [records[2], strict(0.5, 0.4, 0.6, control="bag_of_words")]
    assert benchmark_answer(Records(level)).endswith(
        "not clearly more than its strongest control (bag of words: 50.0 %)."
    )
    worse = [strict(0.2, 0.15, 0.25, n=200), strict(0.1, 0.05, 0.12, control="bag_of_words")]
    assert benchmark_answer(Records(worse)).endswith(
        "That is clearly more than its strongest control (bag of words: 10.0 %), but clearly "
        "less than chance."
    )
    assert benchmark_answer(Records(worse[:1])).endswith("That is clearly less than chance.")


def test_where_level_two_cannot_be_judged_the_answer_claims_nothing():
    found = score(0.0, 0.0, 0.9, scenes="mine", n=2).but(
        modality="text", metric="paraphrase_accuracy"
    )
    unclear = Verdict("unclear", "It cannot be judged.", 0.0, 2, "text", 2)
    assert benchmark_answer(Records([found]), [unclear]) == (
        "It cannot be judged whether e finds the caption in other words nearer than a wrong "
        "caption. In these it is nearer in 0 % of 2 items (chance: 33.3 %)."
    )
    rival = found.but(control="random_weights", value=1.0)
    assert benchmark_answer(Records([found, rival]), [unclear]).endswith(
        "In these it is nearer in 0 % of 2 items (chance: 33.3 %), and random weights in 100 %."
    )
    clear = replace(unclear, word="no")
    assert benchmark_answer(Records([found]), [clear]).startswith("e finds the caption")
