"""Does a small model generalise to new objects? Every answer, threshold and clause from hand-made
numbers.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from conceptbind.complexity import ComplexityStudy
from conceptbind.complexity.study import FEW
from conceptbind.complexity.tally import BINDS
from conceptbind.complexity.words import (
    HARDLY,
    NAMES,
    SIMPLE,
    SOMEWHAT,
    Evidence,
    Spread,
    answer,
    complexity_sentence,
    judge,
)
from conceptbind.core.records import Record, Records

NO = Evidence(
    "plain",
    5,
    169,
    0.8,
    Spread(0.0, 0.0, 0.0, interval=False),
    Spread(0.4, 0.3, 0.5),
    {4: Spread(0.7, 0.6, 0.8)},
)


def scored(value, low, high):
    return replace(NO, score=Spread(value, low, high))


@pytest.mark.parametrize(
    ("found", "word", "missing"),
    [
        (NO, "no", ""),
        (replace(NO, n_draws=4), "unclear", "only 4 draws"),
        # The score: words begin at their thresholds, and need an interval that lies above the next
        # one.
        (scored(SIMPLE, SOMEWHAT, 0.9), "simple", ""),
        (scored(SIMPLE - 1e-6, SOMEWHAT, 0.9), "partly", ""),
        (scored(SIMPLE, SOMEWHAT - 1e-6, 0.9), "partly", ""),
        (scored(SOMEWHAT, 1e-6, 0.9), "partly", ""),
        (scored(SOMEWHAT, 0.0, 0.9), "unclear", "differ from 0.000 to 0.900"),
        (scored(SIMPLE, 0.0, 0.9), "unclear", "differ from 0.000 to 0.900"),
        (scored(SOMEWHAT - 1e-6, 0.0, SIMPLE - 1e-6), "no", ""),
        (scored(SOMEWHAT - 1e-6, 0.0, SIMPLE), "unclear", "differ from 0.000 to 0.500"),
        # A negative answer needs scenes, and a planted rule that is found in them.
        (replace(NO, n_scenes=FEW), "no", ""),
        (
            replace(NO, n_scenes=FEW - 1),
            "unclear",
            "only 29 scenes of new objects are left in a draw at 80.0 % of the objects",
        ),
        (replace(NO, planted={}), "unclear", "no planted rule"),
        (replace(NO, planted={4: Spread(SOMEWHAT, 0.05, 0.2)}), "no", ""),
        (
            replace(NO, planted={4: Spread(SOMEWHAT - 1e-6, 0.05, 0.2)}),
            "unclear",
            "not found here either (score 0.100",
        ),
        (
            replace(scored(0.05, 0.0, 0.2), planted={4: Spread(0.5, 0.2, 0.6)}),
            "unclear",
            "not found here either (score 0.500",
        ),
        (replace(scored(0.05, 0.0, 0.2), planted={4: Spread(0.5, 0.2001, 0.6)}), "no", ""),
        (replace(NO, planted={16: Spread(0.0, 0.0, 0.0), 1: Spread(0.9, 0.8, 1.0)}), "no", ""),
        (replace(NO, score=Spread(None, 0, 0, interval=False)), "no", ""),
        # What does not bind is not complex.
        (replace(NO, gap=Spread(BINDS, 1e-6, 0.2)), "no", ""),
        (replace(NO, gap=Spread(BINDS - 1e-6, 0.0, HARDLY - 1e-6)), "no binding", ""),
        (replace(NO, gap=Spread(-0.05, -0.1, 0.02)), "no binding", ""),
        (
            replace(NO, gap=Spread(BINDS - 1e-6, 0.0, HARDLY)),
            "unclear",
            "not clearly above a bag of concepts",
        ),
        (replace(NO, gap=Spread(0.2, 0.0, 0.4)), "unclear", "not clearly above a bag of concepts"),
        (
            replace(NO, gap=Spread(0.0, -0.01, 0.01), n_scenes=FEW - 1),
            "unclear",
            "of which a draw has 29 or more",
        ),
        # A positive answer needs no planted rule and no many scenes, only draws that agree.
        (replace(scored(0.9, 0.8, 1.0), n_scenes=9, planted={}), "simple", ""),
    ],
)
def test_each_branch(found, word, missing):
    assert judge(found)[0] == word
    assert missing in judge(found)[1]
    assert bool(judge(found)[1]) == (word == "unclear")


def test_an_answer_does_not_hang_on_the_read_out():
    yes, unsure = scored(0.9, 0.8, 1.0), replace(NO, n_draws=4)
    white = {"readout": "whitened"}
    assert answer([NO, replace(NO, **white)]) == ("no", "")
    word, missing = answer([yes, replace(NO, **white)])
    assert word == "unclear"
    assert missing.endswith("with plain probes it does, with whitened probes it does not")
    assert answer([yes, replace(unsure, **white)])[0] == "simple"
    assert answer([unsure, replace(yes, **white)])[0] == "unclear"


def study(
    score,
    gap,
    n=169,
    planted=(0.7, 0.6, 0.8),
    whitened=None,
    readouts=("plain", "whitened"),
    low=None,
):
    """A study with one coverage and one concept, made of records alone."""
    records = []

    def add(
        metric,
        value,
        readout,
        approximator,
        interval=(None, None),
        coverage=None,
        width=None,
        concept=None,
        **more,
    ):
        extra = {
            "approximator": approximator,
            "width": width,
            "coverage": coverage,
            "seed": None,
            "readout": readout,
            "concept": concept,
            "n_seeds": 5,
            "n_scenes": n,
            "lowest": value,
            "highest": value,
            **more,
        }
        records.append(
            Record(
                *("complexity", "text", metric, value, 5 * n, 0),
                *(*interval, "unseen", "s", "e", extra),
            )
        )

    for readout in readouts:
        mine = score if readout != "whitened" or whitened is None else whitened
        chosen = {"chosen": "additive (3), mlp 256 (2)"}
        add("object_recognition", 0.213, readout, "chosen", coverage=0.8, **chosen)
        add(
            "concept_recognition",
            1.0,
            readout,
            "chosen",
            coverage=0.8,
            concept="color",
            chosen="per_object_product 16 (5)",
        )
        add("object_recognition", 0.9, readout, "embeddings", coverage=0.8)
        add("object_recognition", 0.4, readout, "bag_of_concepts", coverage=0.8)
        add("binding_gap", gap, readout, "embeddings", (gap / 2, gap * 1.5))
        add(
            "generalisation_score",
            mine,
            readout,
            "chosen",
            (None, None) if not mine else (mine / 2, mine * 1.1),
        )
        if planted:
            add("generalisation_score", planted[0], readout, "planted", planted[1:], width=4)
    return ComplexityStudy("text", Records(records), tuple(readouts))


MEASURED = (
    "odels that saw the scenes of 80.0 % of the objects predict the embeddings of scenes with new "
    "ones. From the predictions plain "
    "probes recognise all objects in 21.3 % of the scenes (best on validation: additive in 3 "
    "draws, MLP of width 256 in 2 draws). The hardest concept is recognised in "
    "100 % (best on validation: product of each object of width 16 in 5 draws). "
    "From the embeddings themselves all objects are recognised in 90.0 %, from a bag of "
    "concepts in 40.0 % (medians of 5 draws of the objects, at least 169 scenes each)."
)


@pytest.mark.parametrize(
    ("found", "words"),
    [
        (
            study(0.0, 0.5),
            "A small model of the caption embeddings does not generalise to new objects. M",
        ),
        (study(0.8, 0.5), "A small model of the caption embeddings generalises to new objects. M"),
        (
            study(0.3, 0.5),
            "A small model of the caption embeddings generalises to new objects in part. M",
        ),
        (
            study(None, 0.02),
            "The caption embeddings of new objects hold no more than a bag of concepts, so there "
            "is no rule of binding to",
        ),
        (
            study(0.0, 0.5, planted=()),
            "It cannot be judged whether a small model of the caption embeddings generalises to "
            "new objects. No",
        ),
        (
            study(0.8, 0.5, whitened=0.0),
            "It cannot be judged whether a small model of the caption embeddings generalises to "
            "new objects. The answer depends on the read-out: with plain probes it does, with "
            "whitened probes it does not. M",
        ),
    ],
)
def test_the_sentence(found, words):
    said = complexity_sentence(found)
    assert said.startswith(words)
    assert MEASURED in said
    decided = said.startswith("A small")
    assert ("Generalisation score" in said) == decided
    assert ("With whitened probes the answer is the same." in said) == decided


def test_the_score_stands_with_its_interval_and_the_planted_rules():
    said = complexity_sentence(study(0.0, 0.5))
    assert "Generalisation score 0.000 (the same in all 5 draws) over all coverages" in said
    assert "Planted rules of the same size and noise reach 0.700 with 4 products." in said
    assert "Generalisation score 0.800 (0.400 to 0.880)" in complexity_sentence(study(0.8, 0.5))
    assert "planted" not in complexity_sentence(study(0.8, 0.5, planted=()))


def test_a_second_read_out_that_cannot_be_judged_is_told():
    said = complexity_sentence(study(0.8, 0.5, planted=(), whitened=0.0))
    assert said.startswith("A small model of the caption embeddings generalises to new objects. ")
    assert said.endswith("With whitened probes that cannot be judged.")


def test_few_scenes_are_counted():
    said = complexity_sentence(study(0.0, 0.5, n=9, planted=()))
    assert "cannot be judged" in said
    assert (
        "Only 9 scenes of new objects are left in a draw at 80.0 % of the objects, and a negative "
        "answer takes 30" in said
    )
    assert "at least 9 scenes each" in said


def test_nothing_scored_says_nothing():
    assert complexity_sentence(ComplexityStudy("text", Records())) is None


def test_own_queries_are_named():
    said = complexity_sentence(study(0.8, 0.5, readouts=("own", "plain")))
    assert "from the predictions own probes recognise" not in said
    assert "From the predictions the encoder's own queries recognise" in said
    assert said.endswith("With plain probes the answer is the same.")


def test_the_thresholds_are_those_of_the_docs():
    text = (Path(__file__).parents[2] / "docs" / "questions" / "rule.md").read_text(
        encoding="utf-8"
    )
    assert f"| generalises | score from {SIMPLE}, low end of its interval from {SOMEWHAT} |" in text
    assert f"| generalises in part | score from {SOMEWHAT}, low end above 0 |" in text
    assert f"| score below {SOMEWHAT}, at least {FEW} scenes of new objects in each draw" in text
    assert (
        f"planted rule scores {SOMEWHAT} or more with its interval above that of the score" in text
    )
    assert (
        f"less than {BINDS} above the bag of concepts, and less than {HARDLY} at the high" in text
    )


PARTLY, UNBOUND = scored(0.3, 0.2, 0.4), replace(NO, gap=Spread(0.0, -0.1, 0.02))


@pytest.mark.parametrize(
    ("first", "second", "plain", "whitened"),
    [
        (PARTLY, NO, "it does in part", "it does not"),
        (NO, UNBOUND, "it does not", "the embeddings themselves do not bind"),
        (PARTLY, scored(0.9, 0.8, 1.0), "it does in part", "it does"),
    ],
)
def test_two_answers_are_told_in_words(first, second, plain, whitened):
    word, missing = answer([first, replace(second, readout="whitened")])
    assert word == "unclear"
    assert missing == (
        f"the answer depends on the read-out: with plain probes {plain}, with whitened "
        f"probes {whitened}"
    )


def test_a_third_read_out_counts_too():
    assert (
        answer(
            [NO, replace(NO, readout="plain"), replace(scored(0.9, 0.8, 1.0), readout="whitened")]
        )[0]
        == "unclear"
    )


def test_no_binding_is_told_without_a_score():
    said = complexity_sentence(study(None, 0.02))
    assert "there is no rule of binding to judge. M" in said
    assert "Generalisation score" not in said
    assert "With whitened" not in said


def changed(found, **rules):
    """The study with records changed: `rules` by metric, a function of a record."""
    records = [rules[r.metric](r) if r.metric in rules else r for r in found.records]
    return replace(found, records=Records(r for r in records if r is not None))


def test_draws_that_differ_without_an_interval_are_given_as_a_range():
    """Ten draws of which eight are equal: the interval has no width, and the draws differ."""

    def spread(record):
        if record["approximator"] != "chosen":
            return record
        return record.but(ci_low=None, ci_high=None, lowest=0.45, highest=1.0)

    said = complexity_sentence(changed(study(0.8, 0.5), generalisation_score=spread))
    assert (
        "Generalisation score 0.800 (from 0.450 to 1.000 over 5 draws) over all coverages" in said
    )
    assert said.startswith("A small model of the caption embeddings generalises to new objects. ")


def test_planted_rules_stand_in_order_of_rank_and_only_where_they_have_a_score():
    found = study(0.8, 0.5)
    rule = next(r for r in found.records if r["approximator"] == "planted")
    others = [
        rule.but(value=value, width=width, readout=readout)
        for width, value in ((16, 0.25), (1, 0.9), (64, None))
        for readout in ("plain", "whitened")
    ]
    said = complexity_sentence(replace(found, records=found.records + others))
    assert "reach 0.900 with 1 product, 0.700 with 4 products, 0.250 with 16 products. With" in said


def test_the_concept_that_is_recognised_worst_is_told_and_the_largest_coverage():
    found = study(0.8, 0.5)
    extra = []
    for r in found.records:
        if r.metric == "concept_recognition":
            extra.append(r.but(value=0.62, concept="shape", chosen="forest (5)"))
            extra.append(r.but(value=0.1, coverage=0.2))
        if r.metric == "object_recognition":
            extra.append(r.but(value=0.05, coverage=0.2, n_scenes=1000))
    for records in ((*found.records, *extra), (*reversed(extra), *found.records)):
        said = complexity_sentence(replace(found, records=Records(records)))
        assert "saw the scenes of 80.0 % of the objects" in said
        assert "recognise all objects in 21.3 %" in said
        assert (
            "The hardest concept is recognised in 62.0 % (best on validation: forest in 5 draws)"
            in said
        )
        assert "at least 169 scenes each" in said
    assert "hardest concept" not in complexity_sentence(
        changed(found, concept_recognition=lambda _: None)
    )


def test_nothing_is_said_where_a_part_is_missing():
    for metric in ("generalisation_score", "binding_gap", "object_recognition"):
        assert complexity_sentence(changed(study(0.8, 0.5), **{metric: lambda _: None})) is None


@pytest.mark.parametrize("name", NAMES)
def test_every_approximator_is_named_in_words(name):
    def named(record):
        if record["chosen"] is None:
            return record
        return record.but(chosen=f"{name} (5)")

    found = changed(study(0.8, 0.5), object_recognition=named, concept_recognition=named)
    said = complexity_sentence(found)
    assert said.count(f"(best on validation: {NAMES[name]} in 5 draws)") == 2
    assert "_" not in said


def test_an_interval_of_nothing():
    record = study(None, 0.5).scores()[0]
    assert Spread.of(record) == Spread(None, 0.0, 0.0, False)


def test_one_is_no_plural():
    assert judge(replace(NO, n_draws=1))[1].startswith("only 1 draw of the objects was made, and")
    assert judge(replace(NO, n_draws=2))[1].startswith("only 2 draws of the objects were made, and")
    assert judge(replace(NO, n_scenes=1))[1].startswith(
        "only 1 scene of new objects is left in a draw"
    )
    assert "at least 1 scene each)." in complexity_sentence(study(0.0, 0.5, n=1))
    assert "at least 2,000 scenes each)." in complexity_sentence(study(0.0, 0.5, n=2000))
