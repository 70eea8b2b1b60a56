"""What is said of one controlled model: every branch, threshold and clause, by hand."""

from __future__ import annotations

import pytest

import made
from conceptbind.controlled import controlled_sentence, sweep_sentence
from conceptbind.controlled.ending import ending_sentence
from conceptbind.controlled.recipe import make_recipe
from conceptbind.controlled.training import Look, Trained
from conceptbind.core.records import Records


def record(metric, split, value, low=None, high=None, n=2000, **extra):
    facts = {"coverage": 0.8, "n_objects": 2500, "objective": "queries", "control": "none", **extra}
    whose = {"study": "controlled", "modality": "symbols", "scenes": "symbols 50x50"}
    return made.record(metric, value, low, high, n=n, split=split, encoder="m", **whose, **facts)


def model(value, low, high, bag=(0.04, 0.03, 0.05), concepts=(1.0, 0.9), known=0.99):
    objects = {"among": "all"}
    return [
        record("object_recognition", "unseen", value, low, high, **objects),
        record(
            "object_recognition", "unseen", *bag, **{**objects, "control": "counts_of_concepts"}
        ),
        record("object_recognition", "train", known, **objects),
        *(record("concept_recognition", "unseen", c) for c in concepts),
        record("concept_recognition", "train", 0.1),
    ]


@pytest.mark.parametrize(
    ("value", "low", "high", "said"),
    [
        (0.90, 0.88, 0.92, "the model recognises new objects."),
        (0.899, 0.88, 0.92, "recognises new objects in part."),
        (0.90, 0.501, 0.99, "the model recognises new objects."),
        (0.90, 0.50, 0.99, "cannot be judged on so few scenes."),
        (0.50, 0.45, 0.55, "recognises new objects in part."),
        # no clearer than the counts, which reach 5 %
        (
            0.50,
            0.05,
            0.95,
            "cannot be judged on so few scenes.",
        ),
        (0.50, 0.051, 0.95, "recognises new objects in part."),
        (0.499, 0.45, 0.4999, "hardly recognises new objects."),
        (0.499, 0.45, 0.50, "cannot be judged on so few scenes."),
        (0.227, 0.209, 0.246, "hardly recognises new objects."),
        (0.95, None, None, "cannot be judged on so few scenes."),
    ],
)
def test_thresholds(value, low, high, said):
    assert said in controlled_sentence(Records(model(value, low, high)))


def test_every_word():
    assert controlled_sentence(Records(model(0.942, 0.931, 0.952))) == (
        "Trained on 80.0 % of 2,500 objects, the model recognises new objects. Among all objects "
        "its queries recognise those of 94.2 % of the "
        "scenes of new objects (93.1 % to 95.2 %, n = 2,000; counts of concepts alone: 4.0 %) and "
        "of 99.0 % of the scenes of train objects. "
        "The hardest concept is recognised in 90.0 %."
    )
    assert controlled_sentence(Records(model(0.942, 0.931, 0.952, concepts=()))).endswith(
        "of the scenes of train objects."
    )


@pytest.mark.parametrize("left", [0, 1, 2])
def test_nothing_to_say(left):
    records = model(0.9, 0.8, 1.0)
    del records[left]
    assert controlled_sentence(Records(records)) == "Nothing was scored."


def test_a_model_that_was_trained_against_scenes():
    facts = {"objective": "scenes"}
    records = [
        record("binding_accuracy", "unseen", 0.774, 0.755, 0.793, n=1900, **facts),
        record("binding_accuracy", "train", 0.929, **facts),
        record("concept_accuracy", "unseen", 1.0, **facts),
    ]
    assert controlled_sentence(Records(records)) == (
        "Trained on 80.0 % of 2,500 objects against other scenes, the model prefers a scene of new "
        "objects to the one with two values "
        "exchanged in 77.4 % of the cases (75.5 % to 79.3 %, n = 1,900; chance: 50 %). For scenes "
        "of train objects it does so in 92.9 %; it prefers a scene of new objects to one with a "
        "value replaced in 100 %."
    )
    alone = controlled_sentence(Records(records[:2]))
    assert alone.endswith("of train objects it does so in 92.9 %.")
    assert controlled_sentence(Records(records[:1])) == "Nothing was scored."


def test_a_sweep_of_models_that_were_trained_against_scenes():
    facts = {"objective": "scenes", "values": "50x50", "width": 64, "depth": 2, "seed": 0}
    records = [
        record("binding_accuracy", "unseen", value, coverage=c, **facts)
        for c, value in ((0.2, 0.95), (0.8, 0.9))
    ]
    assert sweep_sentence(Records(records), []) == (
        "With 2,500 objects (50x50), 2 models: at least 90.0 % of the scenes of new objects are "
        "told from their swaps from coverage 0.2 on."
    )
    lower = [record("binding_accuracy", "unseen", 0.899, coverage=0.8, **facts)]
    assert "one model: no coverage reaches 90.0 %; the best is 89.9 % at 0.8." in sweep_sentence(
        Records(lower), []
    )


def trained(looks, enough=0.995, steps=1200):
    """A training of which validation said so much at these steps."""
    seen = tuple(Look(step, 0.0, 0.0, 1.0, share, 1.0) for step, share in looks)
    recipe = make_recipe("small", 0.8, steps=steps)
    return Trained(recipe, None, seen, max(seen, key=lambda look: look.validation))


@pytest.mark.parametrize(
    ("looks", "said"),
    [
        ([(300, 0.5), (600, 0.995)], "ended at step 600 of 1,200, since 99.5 % of the scenes"),
        # 3 / 4 of the steps are 900, which belong to what was before
        ([(900, 0.40), (1200, 0.43)], "still rising (40.0 % of the scenes of validation objects"),
        ([(900, 0.40), (1000, 0.43), (1200, 0.3)], "43.0 % after), so more --steps may raise it"),
        ([(900, 0.40), (1200, 0.42)], "no longer rose (40.0 %"),
        ([(600, 0.43), (900, 0.40), (1200, 0.44)], "no longer rose (43.0 %"),
        ([(1200, 0.44)], "cannot be judged from so few looks"),
        ([(901, 0.4), (1200, 0.9)], "cannot be judged from so few looks"),
    ],
)
def test_how_a_training_ended_is_said(looks, said):
    sentence = ending_sentence(trained(looks))
    assert said in sentence
    assert ("at its last step, 1,200" in sentence) == (looks[-1][0] == 1200)
