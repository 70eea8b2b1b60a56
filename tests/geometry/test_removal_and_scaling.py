"""Targeted removal and scaling on planted embeddings."""

from __future__ import annotations

import numpy as np
import pytest

from conceptbind.core.errors import ConceptBindError
from conceptbind.geometry import REMOVED, remove_part, scale_quadruple
from conceptbind.probes import fit_scene_probes
from conceptbind.scenes import ConceptSpace, full_grid, split_scenes
from planted import concept_codes, object_codes

SPACE = ConceptSpace(("color", "shape"), (tuple("rgbyk"), tuple("stco")))
GRID = full_grid(SPACE, 2)
SPLIT = split_scenes(GRID, "pair", seed=0)


def recognised(values):
    probes = fit_scene_probes(values.astype(np.float32), GRID, SPLIT)
    return [
        probes.recognise(values.astype(np.float32), GRID, SPLIT.test, concept).accuracy
        for concept in (0, None)
    ]


def test_each_part_takes_away_what_it_holds():
    rng = np.random.default_rng(0)
    values = (
        concept_codes(GRID, 96) + object_codes(GRID, 96) + 0.01 * rng.normal(size=(len(GRID), 96))
    )
    found = {name: recognised(remove_part(values, GRID, SPLIT.train, name)) for name in REMOVED}
    assert min(found["none"]) > 0.95
    assert min(found["objects"] + [0]) == 0
    assert max(found["objects"]) < 0.3
    assert found["concepts"][1] > 0.9  # what makes objects more than their concepts is still there
    assert min(found["permuted_concepts"] + found["permuted_objects"]) > 0.8


def test_the_part_is_fitted_on_the_train_scenes_only():
    values = object_codes(GRID, 32).astype(np.float64)
    other = values.copy()
    other[SPLIT.test] += np.random.default_rng(0).normal(size=(len(SPLIT.test), 32))
    one, two = (remove_part(table, GRID, SPLIT.train, "objects") for table in (values, other))
    np.testing.assert_array_equal(one[SPLIT.train], two[SPLIT.train])
    np.testing.assert_allclose(one - values, two - other, atol=1e-12)
    assert remove_part(values, GRID, SPLIT.train, "none") is values


def test_a_permuted_part_is_that_of_other_objects():
    values = object_codes(GRID, 32).astype(np.float64)
    true, permuted = (
        values - remove_part(values, GRID, SPLIT.train, name, seed=1)
        for name in ("objects", "permuted_objects")
    )
    assert (np.abs(true - permuted).max(1) > 1e-6).all()
    np.testing.assert_allclose(np.square(true).sum() / np.square(permuted).sum(), 1, rtol=0.2)


def test_four_objects_of_sums_are_scaled_on_their_scenes():
    codes = np.random.default_rng(0).normal(size=(2, 20, 64))
    values = codes[0][GRID.objects[:, 0]] + codes[1][GRID.objects[:, 1]]
    found = scale_quadruple(values, GRID)
    assert found.kinds.count("concept") == found.kinds.count("object") == 4
    assert found.kinds.count("scene") == found.kinds.count("sum") == 12
    ends = found.points[found.lines]
    np.testing.assert_allclose(ends[:, 0], ends[:, 1], atol=0.5)  # additive: every sum is its scene
    assert 0 <= found.stress < 0.3
    assert all(found.names[a] == found.names[b] for a, b in found.lines)
    noise = scale_quadruple(np.random.default_rng(1).normal(size=values.shape), GRID)
    apart = np.linalg.norm(np.diff(noise.points[noise.lines], axis=1), axis=2).mean()
    assert apart > 5 * np.linalg.norm(np.diff(ends, axis=1), axis=2).mean()


def test_what_has_no_quadruple_is_refused():
    with pytest.raises(ConceptBindError, match="two concepts"):
        scale_quadruple(np.eye(20), full_grid(SPACE, 1))
