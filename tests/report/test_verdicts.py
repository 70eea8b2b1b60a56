"""Every branch, threshold and clause of the verdicts on level 1 and level 3, by hand."""

from __future__ import annotations

import pytest

import made
from conceptbind.core.records import Records
from conceptbind.crossmodal.words import usable_across
from conceptbind.probes.words import decodable
from conceptbind.report.words import needed


def record(metric, value, low, high, n=1000, ties=0, modality="text", **extra):
    whose = {"modality": modality, "scenes": "scenes", "encoder": "enc"}
    return made.record(metric, value, low, high, n=n, ties=ties, **whose, **extra)


def level1(
    value,
    low,
    high,
    bag=(0.5, 0.48, 0.52),
    n=1000,
    concepts=(1.0, 1.0),
    ceiling=1.0,
    names=("color", "shape"),
    **controls,
):
    """The verdict on one modality with object recognition `value`; a control is (value, low,
    high).
    """
    controls = {"bag_of_concepts": bag, **controls}
    records = [record("object_recognition", value, low, high, n)]
    records += [
        record("concept_recognition", c, 0.0, 1.0, n, concept=k)
        for k, c in zip(names, concepts, strict=True)
    ]
    records += [
        record("object_recognition", *found, n, control=name) for name, found in controls.items()
    ]
    return decodable(Records(records), ceiling)


@pytest.mark.parametrize(
    ("value", "low", "high", "word"),
    [
        (0.90, 0.88, 0.92, "yes"),  # score exactly 0.8
        (0.899, 0.88, 0.92, "partly"),  # just below
        (0.60, 0.58, 0.62, "partly"),  # score exactly 0.2
        (0.599, 0.58, 0.62, "unclear"),  # just below, and the interval holds the threshold
        (0.599, 0.58, 0.5999, "no"),  # the interval ends below it
        (0.60, 0.52, 0.68, "unclear"),  # touches the bag's interval
        (0.60, 0.521, 0.68, "partly"),  # clear of it
        (0.95, 0.40, 1.00, "unclear"),  # high, but nothing is sure
        (0.50, 0.48, 0.52, "no"),
        (0.50, 0.48, 0.61, "unclear"),  # the interval reaches what would be called binding
        (0.30, 0.28, 0.32, "no"),  # below the bag
    ],
)
def test_thresholds_of_level_1(value, low, high, word):
    found = level1(value, low, high)
    assert found.word == word
    assert found.level == 1
    assert found.n == 1000
    assert found.score == pytest.approx((value - 0.5) / 0.5)


def test_the_words_of_level_1():
    found = level1(1.0, 0.99, 1.0)
    assert found.sentence == (
        "The caption embeddings of enc hold which color belongs to which shape (level 1, "
        "decodable). A linear probe recognises all objects in "
        "100 % of the test scenes (99.0 % to 100 %, n = 1,000). The strongest control, a bag of "
        "concepts, reaches 50.0 % (48.0 % to 52.0 %)."
    )
    assert "in part (level 1, decodable in part)" in level1(0.7, 0.68, 0.72).sentence
    assert (
        "hardly show which color belongs to which shape (level 1, not decodable)"
        in level1(0.5, 0.48, 0.52).sentence
    )
    for word in ("binds", "bind concepts", "usable"):
        assert word not in found.sentence


def test_three_concepts_have_no_pair_to_name():
    found = level1(1.0, 0.99, 1.0, names=("color", "size", "shape"), concepts=(1.0, 1.0, 1.0))
    assert "hold which values belong to one object (level 1" in found.sentence


@pytest.mark.parametrize(("hardest", "said"), [(0.49, True), (0.5, False)])
def test_single_concepts_that_are_not_held_are_named(hardest, said):
    sentence = level1(0.3, 0.28, 0.32, concepts=(0.9, hardest)).sentence
    assert (
        "do not even hold single concepts (the hardest, shape, is recognised in 49.0 % of the "
        "scenes)" in sentence
    ) == said
    assert ("hardly show" in sentence) != said
    # where the objects are recognised, a weak concept changes nothing
    assert "single concepts" not in level1(0.9, 0.88, 0.92, concepts=(0.9, hardest)).sentence


def test_the_strongest_control_is_named_and_the_bag_beside_it():
    found = level1(1.0, 0.987, 1.0, bag_twin=(0.45, 0.42, 0.48), random_weights=(0.855, 0.81, 0.89))
    assert found.word == "yes"
    assert found.control == "random_weights"
    assert (
        "The strongest control, the same architecture with random weights, reaches 85.5 % (81.0 % "
        "to 89.0 %). A bag of concepts reaches 50.0 %." in found.sentence
    )
    assert "not clearly less" not in found.sentence
    twin = level1(1.0, 0.987, 1.0, bag_twin=(0.6, 0.58, 0.62), random_weights=(0.55, 0.5, 0.6))
    assert twin.control == "bag_twin"
    assert (
        "the bag twin, which was trained so that binding never helps, reaches 60.0 %"
        in twin.sentence
    )
    assert level1(1.0, 0.987, 1.0, random_weights=(0.3, 0.2, 0.4)).control == "bag_of_concepts"
    assert level1(1.0, 0.987, 1.0, random_weights=(None, None, None)).control == "bag_of_concepts"


@pytest.mark.parametrize(("high", "beaten"), [(0.949, True), (0.95, False), (0.99, False)])
def test_a_control_that_is_not_beaten_is_said(high, beaten):
    sentence = level1(0.97, 0.95, 0.99, random_weights=(0.93, 0.9, high)).sentence
    assert ("which is not clearly less, so training need not have added it" in sentence) != beaten
    sentence = level1(0.97, 0.95, 0.99, bag_twin=(0.93, 0.9, high)).sentence
    assert ("which is not clearly less. A bag" in sentence) != beaten
    assert "training need not" not in sentence


def test_scenes_without_power_cannot_be_judged():
    # even six of six cannot be told from this bag
    few = level1(1.0, 0.6, 1.0, bag=(0.4, 0.1, 0.75), n=6)
    assert few.word == "unclear"
    assert few.score is None
    assert (
        "Even perfect embeddings (100 %) could not be told from a bag of concepts (40.0 %, 10.0 % "
        "to 75.0 %) on 6 scenes" in few.sentence
    )
    full = level1(1.0, 0.99, 1.0, bag=(1.0, 0.99, 1.0))
    assert full.word == "unclear"
    assert "could not be told from a bag of concepts (100 %" in full.sentence


def test_objects_that_no_probe_was_trained_on_lower_the_ceiling():
    # of 30 points above the bag 24
    assert level1(0.74, 0.72, 0.76, ceiling=0.8).score == pytest.approx(0.8)
    assert level1(0.74, 0.72, 0.76, ceiling=0.8).word == "yes"
    assert level1(0.74, 0.72, 0.76).word == "partly"
    nothing = level1(0.5, 0.48, 0.52, ceiling=0.52)
    assert nothing.word == "unclear"
    assert "Even perfect embeddings (52.0 %)" in nothing.sentence
    none = level1(0.0, 0.0, 0.1, ceiling=0.0)
    assert none.word == "unclear"
    assert (
        "No test scene is made of objects that occur in a train scene (n = 1,000)" in none.sentence
    )


@pytest.mark.parametrize("missing", ["objects", "bag", "ceiling"])
def test_nothing_to_confuse_cannot_be_judged(missing):
    value = (None, None, None) if missing == "objects" else (1.0, 0.9, 1.0)
    bag = (None, None, None) if missing == "bag" else (0.5, 0.4, 0.6)
    found = level1(*value, bag=bag, ceiling=None if missing == "ceiling" else 1.0)
    assert (found.word, found.score) == ("unclear", None)
    assert "Every scene holds all objects, so there is nothing to confuse" in found.sentence


def test_an_interval_that_is_not_there_decides_nothing():
    assert level1(1.0, None, None).word == "unclear"
    assert level1(0.5, None, None).word == "unclear"


def test_what_would_be_needed_is_said():
    # 10 points above the bag, half-widths of 10 and 2 points: (12 / 10)^2 times the scenes
    assert "About 1,500 test scenes are needed" in level1(0.6, 0.5, 0.7).sentence
    # 10 points below the threshold of 0.6, the interval reaches 20 points up: four times the scenes
    assert "About 4,000 test scenes are needed" in level1(0.5, 0.4, 0.7).sentence
    assert needed(100, 0.1, 0.1) == "about 110"  # never what is there already
    assert needed(100, 0.5, 0.05) == "about 10,000"
    assert needed(100, 0.51, 0.05) == "many more"
    assert needed(100, 0.1, 0.0) == "many more"


def level3(value, low, high, n=336, ties=0, concept=1.0, **controls):
    records = [
        record("recall_at_1", 0.5, 0.4, 0.6, modality="both"),
        record("binding_accuracy", 0.11, 0.1, 0.2, n, modality="both", order="as listed"),
        record("binding_accuracy", value, low, high, n, ties, "both", order="either"),
    ]
    records += [  # a control comes first: none is taken for the encoder's own
        record("binding_accuracy", *found, n, 0, "both", order="either", control=name)
        for name, found in controls.items()
    ][::-1]
    records = records[-len(controls) :] + records if controls else records
    if concept is not None:
        records += [
            record(
                "concept_accuracy", concept, concept, concept, n, modality="both", order="either"
            )
        ]
    return usable_across(Records(records))


@pytest.mark.parametrize(
    ("value", "low", "high", "word"),
    [
        (0.90, 0.88, 0.92, "yes"),
        (0.899, 0.88, 0.92, "partly"),
        (0.90, 0.61, 0.99, "yes"),
        (0.90, 0.60, 0.99, "unclear"),  # it may be no more than usable in part
        (0.60, 0.55, 0.65, "partly"),
        (0.60, 0.501, 0.65, "partly"),
        (0.60, 0.50, 0.65, "unclear"),  # chance is inside
        (0.599, 0.55, 0.5999, "no"),
        (0.599, 0.55, 0.60, "unclear"),  # the interval holds the threshold
        (0.50, 0.45, 0.55, "no"),
        (0.50, 0.20, 0.95, "unclear"),
        (0.00, 0.00, 0.02, "no"),
    ],
)
def test_thresholds_of_level_3(value, low, high, word):
    found = level3(value, low, high)
    assert found.word == word
    assert (found.level, found.modality, found.n, found.control) == (3, "both", 336, "chance")
    assert found.score == value


BAG = (0.0, 0.0, 0.01)
TWIN = "the bag twin, which was trained so that binding never helps, reaches"
RANDOM = "the same architecture with random weights, reaches"


@pytest.mark.parametrize(
    ("controls", "named", "said"),
    [
        ({"bag_of_concepts": BAG}, "chance", None),
        ({"bag_twin": (0.5, 0.45, 0.55)}, "chance", None),  # no more than a coin
        ({"bag_twin": (0.501, 0.45, 0.55)}, "bag_twin", f"{TWIN} 50.1 % (45.0 % to 55.0 %)."),
        (
            {"random_weights": (0.53, 0.5, 0.56), "bag_twin": (0.52, 0.5, 0.54)},
            "random_weights",
            f"{RANDOM} 53.0 % (50.0 % to 56.0 %).",
        ),
        (
            {"bag_of_concepts": BAG, "bag_twin": (0.55, 0.5, 0.62)},
            "bag_twin",
            f"{TWIN} 55.0 % (50.0 % to 62.0 %), which is not clearly less.",
        ),
        (  # the interval ends just below that of the encoder
            {"bag_twin": (0.55, 0.5, 0.619)},
            "bag_twin",
            f"{TWIN} 55.0 % (50.0 % to 61.9 %).",
        ),
    ],
)
def test_level_3_names_the_strongest_control_that_was_measured(controls, named, said):
    found = level3(0.68, 0.62, 0.74, **controls)
    beaten = said is None or "not clearly less" not in said
    word = "partly" if beaten else "unclear"
    assert (found.control, found.word, found.score) == (named, word, 0.68)
    own = level3(0.68, 0.62, 0.74).sentence
    if not beaten:  # 0.06 below, 0.07 above, 0.13 between: one more would do
        asked = "It cannot be judged whether the pictures and captions of enc agree on binding"
        rest = own.partition(". ")[2]
        own = f"{asked} (level 3). About 340 comparisons are needed. {rest}"
    assert found.sentence == (own if said is None else f"{own} The strongest control, {said}")


def test_usable_at_level_3_beats_the_control_too():
    assert level3(0.95, 0.93, 0.97, bag_twin=(0.9, 0.88, 0.929)).word == "yes"
    found = level3(0.95, 0.93, 0.97, bag_twin=(0.96, 0.94, 0.98))
    assert found.word == "unclear"
    assert "Many more comparisons are needed" in found.sentence


def test_the_words_of_level_3():
    assert level3(0.95, 0.93, 0.97).sentence == (
        "The pictures and captions of enc agree on binding (level 3, usable between "
        "pictures and captions). A picture prefers its caption to the caption with "
        "the attributes swapped in 95.0 % of the "
        "comparisons (93.0 % to 97.0 %, n = 336; chance: 50 %). It prefers its caption to one with "
        "another concept in 100 %."
    )
    assert (
        "agree on binding only in part (level 3, usable in part)"
        in level3(0.68, 0.62, 0.74).sentence
    )
    assert (
        "hardly agree on binding (level 3, not usable between pictures and captions)"
        in level3(0.5, 0.45, 0.55).sentence
    )
    assert "another concept" not in level3(0.95, 0.93, 0.97, concept=None).sentence


def test_ties_are_said_and_are_no_preference_for_the_swap():
    bag = level3(0.0, 0.0, 0.01, ties=336)
    assert bag.word == "no"
    assert "hardly agree on binding" in bag.sentence
    assert "Comparisons that hold a tie, which counts as a miss: all." in bag.sentence
    assert (
        "Comparisons that hold a tie, which counts as a miss: 12."
        in level3(0.68, 0.62, 0.74, ties=12).sentence
    )
    assert "tie" not in level3(0.68, 0.62, 0.74).sentence
    assert (
        "prefer the caption with the attributes swapped (level 3"
        in level3(0.2, 0.15, 0.25).sentence
    )
    # 25 % of ties, 25 % at most: half
    assert "hardly agree" in level3(0.2, 0.15, 0.25, ties=84).sentence
    assert (
        "prefer the caption with the attributes swapped"
        in level3(0.2, 0.15, 0.25, ties=83).sentence
    )


@pytest.mark.parametrize(("concept", "said"), [(0.599, True), (0.6, False)])
def test_concepts_that_do_not_agree_are_said_first(concept, said):
    sentence = level3(0.2, 0.15, 0.25, concept=concept).sentence
    assert ("do not even agree on single concepts (level 3" in sentence) == said


def test_what_would_be_needed_across_modalities():
    # the interval only touches chance
    assert "About 340 comparisons are needed" in level3(0.60, 0.50, 0.65).sentence
    # 10 points to go, 20 wide
    assert "About 1,400 comparisons are needed" in level3(0.50, 0.30, 0.70).sentence
    # 40 wide, 30 points above the threshold
    assert "About 600 comparisons are needed" in level3(0.90, 0.50, 0.99).sentence


def test_scenes_without_swaps_cannot_be_judged():
    found = usable_across(Records([record("recall_at_1", 0.5, 0.4, 0.6, modality="both")]))
    assert (found.word, found.score, found.n) == ("unclear", None, 0)
    assert (
        found.sentence
        == "It cannot be judged whether the pictures and captions of enc agree on binding (level "
        "3). No scene has an attribute swap."
    )


COLOURS = "which color belongs to which shape"
CONTROL = "The strongest control, a bag of concepts, reaches 50.0 % (48.0 % to 52.0 %)"


@pytest.mark.parametrize(
    ("found", "sentence"),
    [
        (
            level1(1.0, 0.99, 1.0, ceiling=None),
            f"It cannot be judged whether the caption embeddings of enc hold {COLOURS} (level 1). "
            "Every scene holds all objects, so there "
            "is nothing to confuse.",
        ),
        (
            level1(0.0, 0.0, 0.1, ceiling=0.0),
            f"It cannot be judged whether the caption embeddings of enc hold {COLOURS} (level 1). "
            "No test scene is made of objects that "
            "occur in a train scene (n = 1,000).",
        ),
        (
            level1(1.0, 0.6, 1.0, bag=(0.4, 0.1, 0.75), n=6),
            f"It cannot be judged whether the caption embeddings of enc hold {COLOURS} (level 1). "
            "Even perfect embeddings (100 %) could "
            "not be told from a bag of concepts (40.0 %, 10.0 % to 75.0 %) on 6 scenes. A linear "
            "probe recognises all objects in 100 % "
            "of the test scenes (60.0 % to 100 %, n = 6).",
        ),
        (
            level1(0.7, 0.68, 0.72),
            f"The caption embeddings of enc hold {COLOURS} in part (level 1, decodable in part). A "
            "linear probe recognises all objects in "
            f"70.0 % of the test scenes (68.0 % to 72.0 %, n = 1,000). {CONTROL}.",
        ),
        (
            level1(0.5, 0.48, 0.52),
            f"The caption embeddings of enc hardly show {COLOURS} (level 1, not decodable). A "
            "linear probe recognises all objects in "
            f"50.0 % of the test scenes (48.0 % to 52.0 %, n = 1,000). {CONTROL}, which is not "
            "clearly less.",
        ),
        (
            level1(0.3, 0.28, 0.32, concepts=(0.9, 0.4)),
            "The caption embeddings of enc do not even hold single concepts (the hardest, shape, "
            "is recognised in 40.0 % of the scenes) "
            "(level 1, not decodable). A linear probe recognises all objects in 30.0 % of the "
            "test scenes (28.0 % to 32.0 %, "
            f"n = 1,000). {CONTROL}, which is not clearly less.",
        ),
        (
            level1(0.6, 0.5, 0.7, random_weights=(0.55, 0.5, 0.6)),
            f"It cannot be judged whether the caption embeddings of enc hold {COLOURS} (level 1). "
            "About 1,500 test scenes are needed. A "
            "linear probe recognises all objects in 60.0 % of the test scenes (50.0 % to 70.0 %, "
            "n = 1,000). The strongest control, "
            "the same architecture with random weights, reaches 55.0 % (50.0 % to 60.0 %), which "
            "is not clearly less, so training need "
            "not have added it. A bag of concepts reaches 50.0 %.",
        ),
    ],
)
def test_whole_sentences_of_level_1(found, sentence):
    assert found.sentence == sentence


COMPARED = "A picture prefers its caption to the caption with the attributes swapped in"
OTHER = ". It prefers its caption to one with another concept in"


@pytest.mark.parametrize(
    ("found", "sentence"),
    [
        (
            level3(0.68, 0.62, 0.74, ties=12),
            "The pictures and captions of enc agree on binding only in part (level 3, usable in "
            f"part). {COMPARED} 68.0 % of the comparisons (62.0 % to 74.0 %, n = 336; chance: 50 "
            f"%). Comparisons that hold a tie, which counts as a miss: 12{OTHER} 100 %.",
        ),
        (
            level3(0.5, 0.45, 0.55),
            "The pictures and captions of enc hardly agree on binding (level 3, not usable between "
            f"pictures and captions). {COMPARED} 50.0 % of "
            f"the comparisons (45.0 % to 55.0 %, n = 336; chance: 50 %){OTHER} 100 %.",
        ),
        (
            level3(0.2, 0.15, 0.25),
            "The pictures and captions of enc prefer the caption with the attributes swapped "
            "(level 3, not usable between pictures and captions). "
            f"{COMPARED} 20.0 % of the comparisons (15.0 % to 25.0 %, n = 336; chance: 50 "
            f"%){OTHER} 100 %.",
        ),
        (
            level3(0.2, 0.15, 0.25, concept=0.5),
            "The pictures and captions of enc do not even agree on single concepts (level 3, not "
            "usable between pictures and captions). "
            f"{COMPARED} 20.0 % of the comparisons (15.0 % to 25.0 %, n = 336; chance: 50 "
            f"%){OTHER} 50.0 %.",
        ),
        (
            level3(0.5, 0.3, 0.7),
            "It cannot be judged whether the pictures and captions of enc agree on binding (level "
            "3). About 1,400 comparisons are "
            f"needed. {COMPARED} 50.0 % of the comparisons (30.0 % to 70.0 %, n = 336; chance: 50 "
            f"%){OTHER} 100 %.",
        ),
    ],
)
def test_whole_sentences_of_level_3(found, sentence):
    assert found.sentence == sentence


def test_a_study_without_records_cannot_be_judged():
    found = usable_across(Records([]))
    assert (found.word, found.level, found.modality, found.n) == ("unclear", 3, "both", 0)
    assert found.sentence == (
        "It cannot be judged whether the pictures and captions of the encoder agree on binding "
        "(level 3). No scene has an attribute swap."
    )


def test_across_modalities_too_an_interval_that_is_not_there_decides_nothing():
    assert level3(0.95, None, None).word == "unclear"
    assert level3(0.1, None, None).word == "unclear"


@pytest.mark.parametrize(
    ("n", "more"), [(1, "about 2"), (9, "about 10"), (99, "about 100"), (104, "about 110")]
)
def test_what_is_needed_is_never_what_is_there_and_has_two_digits(n, more):
    assert needed(n, 0.1, 0.1) == more
    assert needed(n, 0.1, 0.2) == more  # an interval that is narrow enough does not ask for fewer
