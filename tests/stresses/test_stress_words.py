"""Every branch of what is said of a curve, by hand-made records."""

from __future__ import annotations

import pytest

from conceptbind.core.names import Metric
from conceptbind.core.records import Record, Records
from conceptbind.stresses import FACTORS, Measure
from conceptbind.stresses.words import NO_REPAIR, Curve, answer, carries, fall

FACTS = {
    "study": "stress",
    "modality": "both",
    "ties": 0,
    "split": "test",
    "scenes": "clevr2d",
    "encoder": "tiny",
    "level": 3,
    "factor": "objects",
}


def record(metric, at, value, low, high, n=100, **told):
    told = {"repair": "none", **told}
    ends = {"ci_low": low, "ci_high": high}
    return Record.of(
        **{**FACTS, **ends, "metric": metric, "value": value, "n": n, "factor_value": at, **told}
    )


def value(at, share, width=0.05, **told):
    return record("binding_accuracy", at, share, share - width, share + width, **told)


def change(at, by, width=0.05, **told):
    return record("binding_change", at, by, by - width, by + width, against="2", **told)


def gain(at, by, width=0.05, **told):
    told = {"repair": "HNB", **told}
    return record("binding_gain", at, by, by - width, by + width, **told)


def curve(*records, level=3, metric=Metric.BINDING_ACCURACY, modality="both"):
    return Curve(FACTORS["objects"], Measure(level, metric, modality), Records(records))


def test_the_largest_sure_fall_is_told_with_both_values_and_its_interval():
    found = curve(value(2, 0.68), value(4, 0.5), value(6, 0.41), change(4, -0.18), change(6, -0.27))
    assert fall(found) == (
        "With 6 objects, tiny's pictures prefer their caption to its swap in 41.0 % (36.0 % to "
        "46.0 %), against 68.0 % with 2 objects. The paired change is -27.0 points (-32.0 to "
        "-22.0, n = 100). That is no more than chance (50.0 %)."
    )


def test_what_is_left_above_a_control_is_told_beside_the_strongest():
    random = {"control": "random_weights"}
    found = curve(value(2, 0.9), value(6, 0.7), value(6, 0.55, **random), change(6, -0.2))
    assert fall(found).endswith("That is above the same architecture with random weights (55.0 %).")
    near = curve(value(2, 0.9), value(6, 0.7), value(6, 0.66, **random), change(6, -0.2))
    assert "no more than the same architecture with random weights (66.0 %)" in fall(near)


def test_no_fall_is_said_only_where_none_of_ten_points_is_likely():
    found = curve(value(2, 0.7), value(6, 0.69), change(6, -0.01, 0.08))
    assert fall(found) == (
        "Whatever the number of objects, tiny's pictures prefer their caption to its swap in at "
        "least 69.0 %. Against 70.0 % with 2 objects no fall is sure, and none of 10 points is "
        "likely (n = 100)."
    )
    wide = curve(value(2, 0.7), value(6, 0.69), change(6, -0.01, 0.1))
    assert fall(wide) == (
        "Level 3 over the number of objects of tiny cannot be judged: with 6 objects it changes by "
        "-1.0 points (-11.0 to +9.0, n = 100); about 130 scenes are needed."
    )


@pytest.mark.parametrize("low", [0.5, 0.49])
def test_a_base_no_better_than_chance_has_nothing_to_lose(low):
    base = record("binding_accuracy", 2, 0.6, low, 0.7)
    found = curve(base, value(6, 0.41), change(6, -0.19))
    assert fall(found) == (
        "Level 3 over the number of objects of tiny cannot be judged, since there is nothing to "
        "lose: with 2 objects, tiny's pictures prefer their caption to its swap in 60.0 % "
        f"({100 * low:.1f} % to 70.0 %), no more than chance (50.0 %; n = 100)."
    )
    assert "cannot be judged how far" in answer((found,), "tiny")


def test_a_control_that_is_as_good_at_the_base_leaves_nothing_to_lose():
    random = value(2, 0.67, control="random_weights")
    found = curve(value(2, 0.7), random, value(6, 0.41), change(6, -0.29))
    assert "no more than the same architecture with random weights (67.0 %" in fall(found)


@pytest.mark.parametrize(
    "base",
    [
        value(2, 0.7, n=19),
        record("binding_accuracy", 2, 0.7, None, None),
    ],
)
def test_too_few_scenes_are_not_judged(base):
    found = curve(base, value(6, 0.41), change(6, -0.29))
    assert fall(found).startswith("Level 3 over the number of objects of tiny cannot be judged: ")
    assert f"{base.n} test scenes were scored, and 20 of several orbits are needed." in fall(found)


def test_twenty_scenes_are_judged():
    found = curve(value(2, 0.7, n=20), value(6, 0.41), change(6, -0.29))
    assert fall(found).startswith("With 6 objects")


def test_a_base_alone_is_not_judged():
    assert fall(curve(value(2, 0.7))).endswith("nothing but the base could be measured.")


def test_the_levels_have_their_own_words():
    told = {"level": 1, "modality": "text"}
    found = curve(
        record("attribute_recognition", 2, 0.9, 0.85, 0.95, **told),
        record("attribute_recognition", 6, 0.5, 0.45, 0.55, **told),
        record("attribute_change", 6, -0.4, -0.5, -0.3, **told),
        level=1,
        metric=Metric.ATTRIBUTE_RECOGNITION,
        modality="text",
    )
    assert "linear probes recognise a noun's attribute from tiny's captions in 50.0 %" in fall(
        found
    )


def test_a_repair_carries_over_is_lost_harms_or_cannot_be_judged():
    found = curve(
        value(2, 0.7),
        gain(2, 0.3),
        gain(3, 0.2),
        gain(4, 0.04),
        gain(6, -0.1),
        gain(8, 0.1, 0.12),
    )
    assert carries(found, 0.4) == (
        "Over the number of objects, the repair of the base setting gains +30.0 points (+25.0 to "
        "+35.0, n = 100) with 2 objects. It still gains +20.0 points (+15.0 to +25.0) with 3 "
        "objects. It is lost where it gains +4.0 points (-1.0 to +9.0) with 4 objects. It does "
        "harm where it changes by -10.0 points (-15.0 to -5.0) with 6 objects. It cannot be judged "
        "where it changes by +10.0 points (-2.0 to +22.0) with 8 objects."
    )


def test_a_repair_that_is_none_or_gains_nothing_is_not_said_to_carry_over():
    assert carries(curve(value(2, 0.7), gain(2, 0.3), gain(4, 0.3)), 0.0) == NO_REPAIR
    assert carries(curve(value(2, 0.7), gain(2, 0.3), gain(4, 0.3)), None) == ""
    assert carries(curve(value(2, 0.7)), 0.4) == ""
    unsure = carries(curve(value(2, 0.7), gain(2, 0.05), gain(4, 0.3)), 0.4)
    assert "cannot be judged: its gain is not sure" in unsure
    few = carries(curve(value(2, 0.7), gain(2, 0.3, n=19), gain(4, 0.3)), 0.4)
    assert few.startswith("Whether the repair carries over along the number of objects cannot")
    assert few.endswith("cannot be judged: too little was scored.")
    assert carries(curve(value(2, 0.7), gain(2, 0.3)), 0.4).endswith("too little was scored.")


def test_with_too_few_scenes_the_answer_says_so_and_not_that_nothing_can_be_lost():
    few = curve(value(2, 0.7, n=19), value(6, 0.1, n=19), change(6, -0.6, n=19))
    assert answer((few,), "tiny") == (
        "It cannot be judged how far the binding of tiny carries: 19 test scenes were scored, and "
        "20 are needed. Take more with --drawn."
    )
    nothing = curve(value(2, 0.5), value(6, 0.5), change(6, 0.0))
    assert "at no level is there anything to lose" in answer((nothing,), "tiny")


def test_the_answer_names_what_hurts_most_at_the_highest_level():
    deep = curve(value(2, 0.7), value(6, 0.4), change(6, -0.3))
    mild = curve(value(2, 0.7), value(6, 0.6), change(6, -0.1))
    assert answer((mild, deep), "tiny").startswith(
        "At level 3, tiny's binding suffers most from the number of objects. With 6 objects, "
        "tiny's pictures prefer their caption to its swap in 40.0 %"
    )
    steady = curve(value(2, 0.7), value(6, 0.7), change(6, 0.0))
    assert answer((steady,), "tiny") == (
        "At level 3, tiny's binding does not fall by 10 points with any value of the number of "
        "objects (n = 100 at each value)."
    )
    loose = curve(value(2, 0.9), value(4, 0.85), change(4, -0.05, 0.06))  # to -11 points
    assert answer((loose,), "tiny") == (
        "It cannot be judged whether tiny's binding falls at level 3 with the number of objects: "
        "no fall is sure, and one of 10 points is not excluded (n = 100 at each value)."
    )
    assert answer((), "tiny").startswith("It cannot be judged how far the binding of tiny carries")
