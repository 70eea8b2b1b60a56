"""Scene probes read what was planted, and never look at the test rows."""

from __future__ import annotations

import numpy as np
import pytest

from conceptbind.core.errors import ShapeError, ValueRangeError
from conceptbind.metrics import recognition
from conceptbind.probes import bag_of_concepts, fit_scene_probes
from conceptbind.probes.store import load_probes, save_probes
from conceptbind.scenes import split_scenes, text20
from planted import concept_codes, object_codes


@pytest.fixture(scope="module")
def scenes():
    return text20(6, 5)  # 900 scenes


@pytest.fixture(scope="module")
def split(scenes):
    return split_scenes(scenes, "pair", seed=0)


def accuracies(rows, scenes, split):
    probes = fit_scene_probes(rows, scenes, split)
    return [
        probes.recognise(rows, scenes, split.test, concept).accuracy for concept in (0, 1, None)
    ]


def test_object_codes_are_read_in_full(scenes, split):
    assert accuracies(object_codes(scenes), scenes, split) == [1.0, 1.0, 1.0]


def test_a_bag_of_concepts_gives_its_concepts_but_not_its_objects(scenes, split):
    adjective, noun, objects = accuracies(concept_codes(scenes), scenes, split)
    assert (adjective, noun) == (1.0, 1.0)
    assert objects < 0.6


def test_the_control_is_a_bag_of_concepts(scenes, split):
    bag = bag_of_concepts(scenes)
    swap = next(i for i, t in enumerate(scenes.table) if t[0, 0] != t[1, 0] and t[0, 1] != t[1, 1])
    other = scenes.table[swap].copy()
    other[[0, 1], 0] = other[[1, 0], 0]
    twin = int(np.flatnonzero((scenes.table == other).all(axis=(1, 2)))[0])
    np.testing.assert_array_equal(bag[swap], bag[twin])  # a swap leaves it as it is
    assert bag.sum(axis=1).tolist() == [4.0] * len(scenes)
    planted = accuracies(concept_codes(scenes), scenes, split)[2]
    assert accuracies(bag, scenes, split)[2] == pytest.approx(planted, abs=0.1)


def test_noise_is_not_read(scenes, split):
    noise = np.random.default_rng(0).normal(size=(len(scenes), 32)).astype(np.float32)
    adjective, noun, objects = accuracies(noise, scenes, split)
    assert max(adjective, noun) < 0.25
    assert objects < 0.05


def test_constant_embeddings_tie_everywhere_and_score_zero(scenes, split):
    rows = np.ones((len(scenes), 8), dtype=np.float32)
    probes = fit_scene_probes(rows, scenes, split)
    assert probes.recognise(rows, scenes, split.test, None).hits == 0


def test_test_rows_are_not_read(scenes, split):
    rows = object_codes(scenes)
    clean = fit_scene_probes(rows, scenes, split)
    rows[split.test] = np.nan
    blind = fit_scene_probes(rows, scenes, split)
    np.testing.assert_array_equal(clean.objects.weight, blind.objects.weight)
    with pytest.raises(ValueRangeError, match="NaN or infinite"):
        blind.recognise(rows, scenes, split.test, None)


def test_penalty_is_the_best_on_validation(scenes, split):
    rows = object_codes(scenes) + 2.0 * np.random.default_rng(1).normal(
        size=(len(scenes), 48)
    ).astype(np.float32)
    chosen = fit_scene_probes(rows, scenes, split).objects
    for l2 in (1e-2, 1e-4):
        other = fit_scene_probes(rows, scenes, split, l2_grid=[l2]).objects
        assert chosen.validation >= other.validation - 1e-12
    present = scenes.presence(None, split.validation)
    assert (
        recognition(rows[split.validation] @ chosen.weight.T, present).accuracy == chosen.validation
    )


def test_objects_that_never_occur_get_no_row():
    scenes = text20(4, 4)
    some = scenes.select(np.flatnonzero((scenes.objects < 9).all(axis=1)))
    split = split_scenes(some, "pair", seed=0)
    probes = fit_scene_probes(object_codes(some), some, split)
    assert probes.objects.candidates.tolist() == list(range(9))
    assert probes.recognise(object_codes(some), some, split.test, None).accuracy > 0.9


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_non_finite_rows_are_refused(scenes, split, bad):
    rows = object_codes(scenes)
    rows[split.train[3], 0] = bad
    with pytest.raises(
        ValueRangeError, match="1 of .* rows hold NaN or infinite numbers, the first at index 3"
    ):
        fit_scene_probes(rows, scenes, split)


def test_rows_of_another_table_are_refused(scenes, split):
    with pytest.raises(ShapeError, match=r"900 scenes but embeddings of shape \(899, 48\)"):
        fit_scene_probes(object_codes(scenes)[:-1], scenes, split)


def test_kept_probes_come_back_for_their_key_only(scenes, split, tmp_path):
    probes = fit_scene_probes(object_codes(scenes), scenes, split)
    path = tmp_path / "probes.safetensors"
    assert load_probes(path, "a") is None
    save_probes(probes, path, "a")
    kept = load_probes(path, "a")
    assert load_probes(path, "b") is None
    np.testing.assert_array_equal(kept.objects.weight, probes.objects.weight)
    assert kept.concepts[0].l2 == probes.concepts[0].l2
    path.write_bytes(path.read_bytes()[:100])
    assert load_probes(path, "a") is None
