"""Attribute-of-noun probes on planted embeddings: full where objects are coded, at chance where
only concepts are.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from conceptbind.core.records import Records
from conceptbind.rows.embeddings import Embeddings
from conceptbind.scenes import ConceptSpace, full_grid, orbit_ids, split_scenes, text20
from conceptbind.within import attribute_records
from conceptbind.within.attributes import FEWEST, FRACTIONS, attribute_study, noun_outcome
from planted import concept_codes, object_codes

SCENES = text20(6, 5)


def rows(values, scenes=SCENES):
    return Embeddings(values, "text", scenes.content_hash, scenes.name, "planted", "1")


def test_bound_embeddings_give_every_nouns_attribute_and_a_bag_does_not():
    found = attribute_records(
        rows(object_codes(SCENES, 60)),
        SCENES,
        controls={"bag_twin": rows(concept_codes(SCENES, 60))},
    )
    overall = {record.control: record for record in found if record["noun"] is None}
    assert overall["none"].value > 0.97
    # A bag knows both adjectives: a scene with one adjective, or with one noun twice, leaves no
    # choice; else it must guess.
    assert 0.2 < overall["bag_twin"].value < 0.75
    # where the scene leaves a choice it guesses one of two, not one of six
    assert 0.3 < overall["bag_of_concepts"].value < 0.75
    assert {record["noun"] for record in found if record["noun"]} == set(SCENES.space.values[1])
    assert overall["none"].n == sum(r.n for r in found if r["noun"] and r.control == "none")


def test_orbits_are_on_one_side():
    split = split_scenes(SCENES, "orbit", fractions=FRACTIONS)
    # each concept's values, without which object has them
    values = np.sort(SCENES.table, axis=1).reshape(len(SCENES), -1)
    bags = [
        set(map(tuple, values[part].tolist()))
        for part in (split.train, split.validation, split.test)
    ]
    assert not bags[0] & bags[2]
    assert not bags[1] & bags[2]


def test_the_scenes_of_an_orbit_are_one_draw():
    """All right: no more is known than from so many orbits as the test part has, the rule of three
    over them.
    """
    found = attribute_records(rows(object_codes(SCENES, 60)), SCENES)
    (whole,) = [r for r in found if (r["noun"], r.control) == (None, "none")]
    test = split_scenes(SCENES, "orbit", fractions=FRACTIONS).test
    n_orbits = len(np.unique(orbit_ids(SCENES)[test]))
    assert whole.value == 1
    assert whole.n > 4 * n_orbits
    assert 0.05 ** (1 / (0.5 * n_orbits)) < whole.ci_low <= 0.05 ** (1 / n_orbits)


def test_several_objects_of_one_noun_are_a_set():
    space = ConceptSpace(("color", "shape"), (("red", "blue", "green"), ("cube", "ball")))
    scenes = full_grid(space, slots=3)
    found = attribute_records(rows(object_codes(scenes, 40), scenes), scenes)
    assert next(record for record in found if record["noun"] is None).value > 0.9


def test_one_concept_has_no_attributes():
    scenes = full_grid(ConceptSpace(("shape",), (("cube", "ball", "cone"),)))
    assert attribute_records(rows(np.eye(9, dtype=np.float32), scenes), scenes) == ()


def test_every_column_of_the_records():
    """Two attributes: each has a record of all nouns, and of the encoder one for each noun."""
    space = ConceptSpace(
        ("color", "size", "shape"), (("red", "blue"), ("small", "large"), ("cube", "ball"))
    )
    scenes = full_grid(space)
    found = attribute_records(
        rows(object_codes(scenes, 40), scenes),
        scenes,
        controls={"bag_twin": rows(concept_codes(scenes, 40), scenes)},
        seed=2,
    )
    wanted = [
        (control, concept, noun)
        for control in ("none", "bag_of_concepts", "bag_twin")
        for concept in ("color", "size")
        for noun in ((None, "cube", "ball") if control == "none" else (None,))
    ]
    assert [(str(r.control), r["concept"], r["noun"]) for r in found] == wanted
    for record in found:
        assert (record.study, record.metric, record.split) == (
            "attribute_probe",
            "attribute_recognition",
            "test",
        )
        assert (record.scenes, record.encoder, record.modality) == (scenes.name, "planted", "text")
        assert (record.level, record["split_by"], record["seed"]) == (1, "orbit", 2)
    split = split_scenes(scenes, "orbit", fractions=FRACTIONS, seed=2)
    shapes, colors = scenes.table[split.test, :, 2], scenes.table[split.test, :, 0]
    for noun in (0, 1):
        holds = shapes == noun
        # a noun that has both colours leaves nothing to confuse
        both = np.array([len(set(c[h])) == 2 for c, h in zip(colors, holds, strict=True)])
        (mine,) = found.where(concept="color", noun=space.values[2][noun], control="none")
        assert mine.n == int((holds.any(axis=1) & ~both).sum())


def test_the_interval_takes_the_orbits_of_the_scenes_that_were_scored():
    found = attribute_records(rows(concept_codes(SCENES, 60)), SCENES, seed=1)
    test = split_scenes(SCENES, "orbit", fractions=FRACTIONS, seed=1).test
    (one,) = found.where(noun=SCENES.space.values[1][0], control="none")
    n = int((SCENES.table[test, :, 1] == 0).any(axis=1).sum())
    assert 0 < one.n <= n
    assert one.ci_high - one.ci_low > 0.1


def test_the_outcomes_are_the_scenes_behind_the_numbers():
    found = attribute_study(rows(concept_codes(SCENES, 60)), SCENES, seed=1)
    (outcome,) = found.outcomes
    record = found.records.one(noun=None, control="none")
    assert (outcome.value, outcome.n) == (record.value, record.n)
    assert outcome.interval() == (record.ci_low, record.ci_high)
    assert outcome.about["concept"] == record["concept"]
    test = split_scenes(SCENES, "orbit", fractions=FRACTIONS, seed=1).test
    assert set(outcome.rows) <= set(test)
    few = SCENES.select(np.array([0]))
    assert attribute_study(rows(object_codes(SCENES, 60)[:1], few), few).outcomes == ()


def test_two_objects_of_one_noun_want_both_attributes():
    """A wrong set is a miss: one that names a value of the other object."""
    found = attribute_records(rows(concept_codes(SCENES, 60)), SCENES)
    whole = found.one(noun=None, control="none")
    assert 0 < whole.ties + 1 <= whole.n
    assert whole.value < 0.9


def test_where_scenes_are_too_few_nothing_is_asked():
    scenes = SCENES.select(np.array([0]))
    assert attribute_records(rows(object_codes(SCENES, 60)[:1], scenes), scenes) == Records()


def test_a_noun_needs_eight_scenes_to_learn_from():
    split = split_scenes(SCENES, "orbit", fractions=FRACTIONS)
    shapes = SCENES.table[:, :, 1]
    holds = np.flatnonzero((shapes == 0).any(axis=1))
    unit = rows(object_codes(SCENES, 60)).unit().values
    for n, there in ((FEWEST - 1, False), (FEWEST, True)):
        kept = np.isin(split.train, np.setdiff1d(split.train, holds))
        few = np.sort(np.concatenate([split.train[kept], np.intersect1d(split.train, holds)[:n]]))
        found = noun_outcome(unit, SCENES, replace(split, train=few), 0, 0)
        assert (found is not None) == there
    assert FEWEST == 8
    for part in ("validation", "test"):
        without = replace(split, **{part: np.setdiff1d(getattr(split, part), holds)})
        assert noun_outcome(unit, SCENES, without, 0, 0) is None


def test_of_very_many_scenes_every_second_is_enough(monkeypatch):
    """With 2 n scenes for a limit of n, the first, third, ... are as good as all."""
    split = split_scenes(SCENES, "orbit", fractions=FRACTIONS)
    unit = rows(object_codes(SCENES, 60)).unit().values
    holds = (SCENES.table[split.train, :, 1] == 0).any(axis=1)
    mine = split.train[holds]
    half = replace(split, train=np.sort(np.concatenate([split.train[~holds], mine[::2]])))
    expected = noun_outcome(unit, SCENES, half, 0, 0)[0]
    monkeypatch.setattr("conceptbind.within.attributes.MOST", len(mine) // 2)
    found = noun_outcome(unit, SCENES, split, 0, 0)[0]
    assert found.correct.tolist() == expected.correct.tolist()
