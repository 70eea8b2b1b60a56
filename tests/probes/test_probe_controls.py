"""Controls are what their names say: what a bag of concepts reaches where the scene leaves a choice
is said beside it.
"""

from __future__ import annotations

from collections import Counter

import numpy as np

from conceptbind.core.names import CONTROL_TEXTS
from conceptbind.probes import Probe, SceneProbes, probe_study
from conceptbind.probes.study import LISTED, bag_of_concepts, leaves_no_choice
from conceptbind.rows.embeddings import Embeddings
from conceptbind.scenes import full_grid, orbit_ids, pair_ids, split_scenes, text20
from conceptbind.scenes.space import ConceptSpace
from planted import object_codes


def test_scenes_that_leave_no_choice_are_those_whose_orbit_is_one_set_of_objects():
    for scenes in (
        text20(4, 3),
        full_grid(
            ConceptSpace(
                ("size", "color", "shape"), (("big", "small"), ("red", "blue"), ("cube", "ball"))
            ),
            slots=2,
        ),
    ):
        orbits, pairs = orbit_ids(scenes), pair_ids(scenes)
        alone = np.array([len(np.unique(pairs[orbits == orbit])) == 1 for orbit in orbits])
        np.testing.assert_array_equal(leaves_no_choice(scenes), alone)


def test_text20_leaves_no_choice_in_a_tenth_of_its_scenes():
    # one adjective twice or one noun twice: 1 - 0.95^2
    assert leaves_no_choice(text20()).mean() == 0.0975


def test_a_wrong_scene_shows_something_wrong_although_all_is_level(monkeypatch):
    """A probe that scores an object by its values ties an object with its exchange; what is read is
    then the exchange, a binding error.
    """
    scenes = full_grid(
        ConceptSpace(("color", "shape"), (("red", "blue", "gray"), ("cube", "ball", "cone")))
    )
    rows = bag_of_concepts(scenes)
    values = scenes.space.object_values(np.arange(scenes.space.n_objects))
    weight = np.concatenate([np.eye(3, dtype=np.float32)[values[:, k]] for k in (0, 1)], axis=1)
    probes = [
        Probe(table, np.arange(len(table)), 0.5, 1.0, 1.0, 0.0, 0.0, 0.0, 0.0, True)
        for table in (np.eye(3, 6, dtype=np.float32), np.eye(3, 6, k=3, dtype=np.float32), weight)
    ]
    monkeypatch.setattr(
        "conceptbind.probes.study.fit_scene_probes",
        lambda *_, **__: SceneProbes(tuple(probes[:2]), probes[2]),
    )
    embeddings = Embeddings(rows, "text", scenes.content_hash, scenes.name, "planted", "1")
    split = split_scenes(scenes, "pair")
    study = probe_study(embeddings, scenes, split)
    differ = (scenes.table[split.test, 0] != scenes.table[split.test, 1]).all(axis=1)
    assert study.objects.ties == differ.sum() == study.n_wrong == study.n_misbound
    failed = split.test[study.objects.scored & ~study.objects.correct]
    assert len(failed) == study.n_wrong < LISTED  # so few that all are listed
    assert [one.row for one in study.missed] == failed.tolist()
    for wrong in study.wrong:
        assert wrong.tied and wrong.misbound
        assert not set(wrong.read) & set(wrong.true)
        assert len(wrong.read) == 2


def test_values_found_in_place_of_others_are_counted_scene_by_scene():
    scenes = text20(5, 4)
    codes = object_codes(scenes, 30)
    codes += 2 * np.random.default_rng(0).normal(size=codes.shape).astype(np.float32)
    rows = Embeddings(codes, "text", scenes.content_hash, scenes.name, "planted", "1")
    study = probe_study(rows, scenes, split_scenes(scenes, "pair"))
    assert 30 < study.n_wrong == len(study.missed)
    counts = Counter()
    for wrong in study.missed:
        own = []
        for k, concept in enumerate(scenes.space.concepts):
            there = sorted(name.split()[k] for name in wrong.true)
            found = sorted(name.split()[k] for name in wrong.read)
            lost, instead = Counter(there) - Counter(found), Counter(found) - Counter(there)
            if sum(lost.values()) == 1 and len(wrong.read) == len(wrong.true):
                own.append((concept, *lost, *instead))
        assert wrong.mistakes == tuple(own)
        counts.update(own)
    assert study.confused == counts
    assert len(counts) > 10
    assert list(study.confused.values()) == sorted(counts.values(), reverse=True)


def test_the_bags_record_says_how_many_scenes_leave_no_choice():
    scenes = text20(5, 4)
    rows = Embeddings(
        object_codes(scenes, 30), "text", scenes.content_hash, scenes.name, "planted", "1"
    )
    split = split_scenes(scenes, "pair")
    study = probe_study(rows, scenes, split)
    bag = study.value("object_recognition", "bag_of_concepts")
    assert bag["no_choice"] == leaves_no_choice(scenes)[split.test].mean()
    assert bag.value >= bag["no_choice"] - 0.1
    assert study.value("object_recognition")["no_choice"] is None
    assert {r.control for r in study.records} - {"none"} <= CONTROL_TEXTS.keys()
