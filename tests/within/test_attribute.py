"""Attribute-of-noun probes on planted embeddings: full where objects are coded, at chance where
only concepts are.
"""

from __future__ import annotations

import numpy as np

from conceptbind.rows.embeddings import Embeddings
from conceptbind.scenes import ConceptSpace, full_grid, orbit_ids, split_scenes, text20
from conceptbind.within import attribute_records
from conceptbind.within.attributes import FRACTIONS
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
