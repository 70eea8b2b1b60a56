"""Every branch, threshold and clause of the sentence about a repair, by hand."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

import made
from conceptbind.core.records import Records
from conceptbind.repairs.card import repair_card
from conceptbind.repairs.section import repair_table
from conceptbind.repairs.words import pull_in_words, repair_sentence, repair_verdict, turned


def record(metric, repair, value, low=None, high=None, n=400, control="none", ties=0):
    whose = {"study": "repair", "modality": "both", "scenes": "scenes", "encoder": "enc"}
    facts = {"n": n, "ties": ties, "control": control, "repair": repair}
    return made.record(metric, value, low, high, **whose, **facts)


def study(
    then=(0.5, 0.45, 0.55),
    now=(0.95, 0.92, 0.97),
    gain=(0.45, 0.40, 0.50),
    *,
    pull=0.3,
    recommended=True,
    asked=False,
    folds=5,
    scenes=True,
    twin=None,
    recall=(0.4, 0.4),
    singles=None,
    after="HNB",
    mended=190,
    spoiled=10,
    orders=1,
):
    """A study whose numbers are chosen by hand; `recommended` is what the study itself would
    say.
    """
    records = []
    if after == "HNB":
        records += [
            record("binding_accuracy", "none", *then),
            record("binding_accuracy", after, *now),
        ]
        records.append(record("binding_gain", after, *gain))
        records += [
            record("recall_at_1", name, value, 0, 1)
            for name, value in zip(("none", after), recall, strict=True)
        ]
    else:
        records += [
            record("recall_at_1", "none", *then),
            record("recall_at_1", after, *now),
            record("recall_gain", after, *gain),
        ]
    if singles:
        pairs = zip(("none", after), singles, strict=True)
        records += [record("single_object_accuracy", name, value, 0, 1) for name, value in pairs]
    if twin:
        records.append(record("binding_gain", "HNB", *twin, control="bag_twin"))
    own = {"comparisons": ()} if scenes else {}
    written = pull if recommended or asked else 0.0
    config = {
        "pull": written,
        "protocol": after,
        "solver": "quick",
        "rate": 0.02,
        "batch": 8,
        "steps": 9,
        "pairs": 1000,
        "data_hash": "a" * 64,
        "seed": 0,
    }
    return SimpleNamespace(
        records=Records(records),
        pull=pull,
        recommended=recommended,
        asked=asked,
        folds=folds,
        n_mended=mended,
        n_spoiled=spoiled,
        n_compared=400 * orders,
        adapter=SimpleNamespace(config=config),
        **own,
    )


def test_a_repair_that_helps():
    found = repair_verdict(study(singles=(1.0, 1.0)))
    assert found.sentence == (
        "A linear repair of the captions brings the binding accuracy from 50.0 % to 95.0 % (92.0 % "
        "to 97.0 %, n = 400) on combinations that it "
        "was not fitted on, a change of +45.0 points (+40.0 to +50.0). Recall at 1 stays at 40.0 % "
        "and recognition of single "
        "objects stays at 100 %."
    )
    assert (found.word, found.score, found.n, found.control) == ("yes", 0.95, 400, "no_repair")
    assert (found.level, found.modality, found.judges) == (3, "both", None)


def test_the_twin_is_the_strongest_control_where_it_was_repaired_too():
    assert repair_verdict(study(twin=(0.1, 0.05, 0.15))).control == "bag_twin"


@pytest.mark.parametrize(
    ("now", "word"),
    [
        ((0.90, 0.85, 0.94), "yes"),  # exactly usable
        ((0.899, 0.85, 0.94), "partly"),  # just below
        ((0.95, 0.60, 1.00), "partly"),  # it may be no better than usable in part
        ((0.95, 0.601, 1.00), "yes"),
        ((0.95, None, None), "partly"),  # nothing is known
    ],
)
def test_whether_binding_is_usable_after_a_repair_that_helps(now, word):
    assert repair_verdict(study(now=now)).word == word


@pytest.mark.parametrize(("after", "low"), [(0.599, True), (0.6, False)])
def test_a_gain_that_leaves_binding_unusable_is_said_to(after, low):
    found = repair_verdict(study(now=(after, 0.55, 0.65), gain=(0.07, 0.05, 0.09)))
    assert (found.word, found.repairs) == ("partly", True)
    end = " This stays below 60.0 %, from which we call binding usable in part."
    assert found.sentence.endswith(end) is low


def test_what_it_costs():
    assert "Recall at 1 goes from 40.0 % to 39.0 %." in repair_sentence(study(recall=(0.4, 0.39)))
    sentence = repair_sentence(study(singles=(1.0, 0.98)))
    assert (
        "Recall at 1 stays at 40.0 % and recognition of single objects goes from 100 % to 98.0 %."
        in sentence
    )


@pytest.mark.parametrize(
    ("twin", "beaten"),
    [
        ((0.1, 0.05, 0.39), True),
        ((0.1, 0.05, 0.40), False),
        ((0.5, 0.45, 0.55), False),
        ((0.1, None, None), False),
    ],
)
def test_the_bag_twin_is_named_and_must_gain_clearly_less(twin, beaten):
    found = repair_verdict(study(twin=twin))
    assert (
        "The bag twin, which was trained so that binding never helps, changes by" in found.sentence
    )
    assert ("not clearly less, so the gain need not be binding" in found.sentence) is not beaten
    assert found.word == ("yes" if beaten else "partly")


@pytest.mark.parametrize(
    ("gain", "word"), [((0.45, 0.40, 0.50), "yes"), ((0.45, 0.0, 0.5), "partly")]
)
def test_a_twin_for_which_validation_prefers_no_map_gains_nothing(gain, word):
    found = study(gain=gain)
    unchanged = record("binding_gain", "HNB", 0.0, control="bag_twin").but(pull=0.0)
    found.records = Records([*found.records, unchanged])
    verdict = repair_verdict(found)
    assert (verdict.word, verdict.control) == (word, "bag_twin")
    assert "is not repaired: validation prefers no map for it." in verdict.sentence
    assert "not clearly less" not in verdict.sentence


def test_chance_can_explain_the_best_map():
    found = repair_verdict(
        study(now=(0.51, 0.46, 0.56), gain=(0.01, -0.02, 0.04), recommended=False)
    )
    assert found.sentence == (
        "A linear repair does not help here. The best map takes the binding accuracy from 50.0 % "
        "to 51.0 % (46.0 % to 56.0 %, n = 400) on "
        "combinations that it was not fitted on, a change of +1.0 points (-2.0 to +4.0). Chance "
        "can explain this. The adapter "
        "is the identity, which changes nothing."
    )
    assert (found.word, found.score) == ("no", 0.5)  # what is written is not a repair


@pytest.mark.parametrize(
    ("gain", "why"),
    [
        (
            (0.02, 0.015, 0.03),
            "But the fits for the adapter, on one part more each, stopped where they began",
        ),
        (
            (0.015, 0.011, 0.019),
            "This is less than the 2 points from which a repair is recommended",
        ),
        (
            (0.015, 0.001, 0.03),
            "This is not sure enough. The pull was chosen by scores of the same combinations",
        ),
        (
            (0.06, 0.01, 0.11),
            "This is not sure enough. The pull was chosen by scores of the same combinations",
        ),
        ((0.015, 0.0, 0.03), "Chance can explain this"),
        ((-0.03, -0.05, -0.01), "This is a loss"),
        ((-0.03, -0.06, 0.0), "Chance can explain this"),
        ((0.01, None, None), "Chance can explain this"),
    ],
)
def test_why_a_map_is_not_recommended(gain, why):
    assert why in repair_sentence(study(gain=gain, recommended=False))


@pytest.mark.parametrize(
    ("gain", "word"),
    [
        ((0.04, -0.02, 0.10), "unclear"),
        ((0.04, -0.02, 0.099), "no"),
        ((0.04, None, None), "unclear"),
        ((-0.1, -0.3, 0.1), "unclear"),
    ],
)
def test_without_power_it_cannot_be_judged(gain, word):
    found = repair_verdict(study(gain=gain, recommended=False))
    assert found.word == word
    assert ("It cannot be judged whether a linear repair helps here" in found.sentence) is (
        word == "unclear"
    )


def test_how_many_comparisons_are_needed():
    sentence = repair_sentence(study(gain=(0.05, -0.05, 0.15), recommended=False))
    # 99 % within 5 points instead of 13: seven times as many
    assert ". About 2,800 comparisons are needed." in sentence
    assert ". Many more comparisons are needed." in repair_sentence(
        study(gain=(0.0, -0.2, 0.2), recommended=False)
    )


@pytest.mark.parametrize(
    ("then", "word", "words"),
    [
        ((0.90, 0.85, 0.94), "no", "nothing to add where binding is usable without one"),
        ((0.899, 0.85, 0.94), "no", "does not help here"),
        ((0.95, 0.60, 1.0), "no", "does not help here"),
    ],
)
def test_where_binding_is_usable_without_a_repair(then, word, words):
    found = repair_verdict(study(then=then, gain=(0.0, -0.01, 0.01), recommended=False))
    assert (found.word, found.score) == (word, then[0])
    assert words in found.sentence


def test_what_is_usable_without_a_repair_needs_none_however_few_there_are():
    found = repair_verdict(study(then=(0.95, 0.9, 0.98), gain=(0.0, -0.2, 0.2), recommended=False))
    assert (found.word, "nothing to add" in found.sentence) == ("no", True)


def test_validation_may_choose_to_change_nothing():
    found = repair_verdict(
        study(now=(0.5, 0.45, 0.55), gain=(0.0, None, None), pull=0.0, recommended=False)
    )
    assert found.sentence == (
        "A linear repair does not help here. On validation no map does better without losing "
        "recall, so the binding accuracy stays at 50.0 % "
        "(45.0 % to 55.0 %, n = 400)."
    )
    assert found.word == "no"
    few = repair_verdict(
        study(then=(0.5, 0.4, 0.6), gain=(0.0, None, None), pull=0.0, recommended=False)
    )
    assert few.word == "unclear"  # known to ten points only
    unknown = repair_verdict(
        study(then=(0.5, None, None), gain=(0.0, None, None), pull=0.0, recommended=False)
    )
    assert unknown.word == "unclear"


def test_a_pull_that_was_asked_for_is_kept_and_judged_all_the_same():
    found = repair_verdict(
        study(now=(0.51, 0.46, 0.56), gain=(0.01, -0.02, 0.04), recommended=False, asked=True)
    )
    assert "does not help here" in found.sentence
    assert found.sentence.endswith(
        "Chance can explain this. The map is kept since it was asked for."
    )
    assert found.score == 0.51  # that of what is written
    nothing = repair_sentence(
        study(gain=(0.0, None, None), pull=0.0, recommended=False, asked=True)
    )
    assert "No repair was asked for, so the binding accuracy stays at" in nothing


def test_arrays_have_pairs():
    assert "on pairs that it was not fitted on" in repair_sentence(study(scenes=False))


def test_without_negatives_binding_cannot_be_judged():
    found = repair_verdict(study(after="SB"))
    assert found.sentence == (
        "A linear map fitted without negatives brings recall at 1 from 50.0 % to 95.0 % (92.0 % to "
        "97.0 %, n = 400) on combinations that it was "
        "not fitted on, a change of +45.0 points (+40.0 to +50.0). Whether pictures and captions "
        "agree on binding cannot be "
        "judged without negatives."
    )
    assert (found.word, found.score) == ("unclear", None)
    no = repair_sentence(study(after="SB", gain=(0.0, -0.01, 0.01), recommended=False))
    assert (
        "A linear map fitted without negatives does not help here. The best map takes recall at 1"
        in no
    )
    bare = SimpleNamespace(records=Records(), recommended=False)
    assert "cannot be judged without negatives" in repair_sentence(bare)


def test_the_comparisons_that_were_turned_give_the_gain():
    assert turned(study()) == (
        "Of 400 comparisons the map at pull 0.3 turned 190 right and 10 wrong: (190 - 10) / 400 = "
        "+45.0 points."
    )
    four = turned(study(orders=4, mended=730, spoiled=10))
    assert "Of 1,600 comparisons (400 pairs of scene and swap, 4 orders of mention)" in four
    assert "(730 - 10) / 1,600 = +45.0 points." in four


def test_which_map_was_scored_and_which_is_written():
    helps = pull_in_words(study())
    assert helps.startswith(
        "Scored at pull 0.3 of the way from no repair (0) to the fitted map (1). This pull is the "
        "gentlest that on validation"
    )
    assert "The scores are of 5 maps" in helps
    assert "The adapter was fitted in the same way on all parts but one" in helps
    assert "The adapter is the map that was scored." in pull_in_words(study(folds=1))
    assert "It is not recommended: the adapter is the identity, pull 0." in pull_in_words(
        study(recommended=False)
    )
    asked = pull_in_words(study(recommended=False, asked=True))
    assert "This pull was asked for." in asked
    assert "identity" not in asked


def test_card_and_table_hold_the_same_numbers_as_the_sentence():
    found = study()
    card = repair_card(found.adapter, found, repair_sentence(found))
    for text in (card, repair_table(found.records)):
        for number in (
            "50.0 % (45.0 % to 55.0 %)",
            "95.0 % (92.0 % to 97.0 %)",
            "+45.0 points (+40.0 to +50.0)",
        ):
            assert number in text
    assert turned(found) in card
    assert pull_in_words(found) in card
    assert "left out" not in card
    found.adapter.config["dropped"] = 72
    assert "72 rows were left out; dropped.csv lists them." in repair_card(found.adapter, found, "")
