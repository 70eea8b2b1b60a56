"""Targeted removal and scaling on planted embeddings."""

from __future__ import annotations

import numpy as np
import pytest

import conceptbind
from conceptbind.core.errors import ConceptBindError
from conceptbind.geometry import REMOVED, ScalingWay, remove_part, scale_quadruple
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


def test_the_quadruple_is_the_one_that_is_named():
    values = object_codes(GRID, 32)
    attributes, nouns = (GRID.space.values[k][-2:] for k in (0, -1))
    found = scale_quadruple(values, GRID, way=ScalingWay((*attributes, *nouns)))
    assert found.names[:4] == (*attributes, *nouns)
    first = scale_quadruple(values, GRID)
    assert first.names[:4] == (*GRID.space.values[0][:2], *GRID.space.values[-1][:2])


def test_half_weights_are_means_of_object_means_and_on_the_sphere_lengths_are_one():
    """The distance of a sum from its scene is that of the embeddings, as nearly as three dimensions
    can show it.
    """
    random = np.random.default_rng(0)
    codes = random.normal(size=(20, 64))
    values = codes[GRID.objects].mean(axis=1)
    half = scale_quadruple(values, GRID, way=ScalingWay(weights="half"))
    means = np.stack(
        [values[(GRID.objects == item).any(axis=1)].mean(axis=0) for item in range(20)]
    )
    scene, total = half.lines[0][::-1]
    row = next(
        row
        for row in range(len(GRID))
        if " + ".join(GRID.space.object_name(i) for i in GRID.objects[row]) == half.names[scene]
    )
    expected = np.linalg.norm(means[GRID.objects[row]].mean(axis=0) - values[row])
    drawn = np.linalg.norm(half.points[total] - half.points[scene])
    assert drawn == pytest.approx(expected, rel=0.35)
    # longer rows change nothing on the sphere, nor by cosine
    for way in (ScalingWay(sphere=True), ScalingWay(distance="cosine")):
        one = scale_quadruple(5 * values, GRID, way=way)
        other = scale_quadruple(values, GRID, way=way)
        np.testing.assert_allclose(one.points, other.points, atol=1e-6)


@pytest.mark.parametrize(
    ("way", "said"),
    [
        ({"quadruple": ("a", "b", "c")}, "a quadruple is four different names"),
        ({"quadruple": ("a", "a", "c", "d")}, "a quadruple is four different names"),
        ({"distance": "city"}, "unknown distance 'city'"),
        ({"weights": "double"}, "unknown weights 'double'"),
    ],
)
def test_ways_that_are_none_are_refused(way, said):
    with pytest.raises(ConceptBindError, match=said):
        ScalingWay(**way)


def test_a_name_that_is_no_value_is_refused():
    with pytest.raises(ConceptBindError, match="'x' is no value of"):
        scale_quadruple(np.eye(len(GRID)), GRID, way=ScalingWay(("x", "y", "z", "w")))


@pytest.mark.parametrize("sphere", [False, True])
@pytest.mark.parametrize("distance", ["euclidean", "cosine"])
def test_points_are_as_far_apart_as_they_are_said_to_be(distance, sphere):
    """Planted in three dimensions all distances fit; in any unit their mean must be kept."""
    from scipy.spatial.distance import pdist

    scenes = full_grid(ConceptSpace(("color", "shape"), (("a", "b"), ("c", "d"))))
    values = np.random.default_rng(0).normal(size=(len(scenes), 12)) + 3
    found = scale_quadruple(values, scenes, way=ScalingWay(distance=distance, sphere=sphere))
    here = np.flatnonzero(np.array(found.kinds) == "scene")
    held = scenes.objects[:, 0] != scenes.objects[:, 1]
    rows = values[held]
    assert len(here) == len(rows)
    if sphere:
        rows = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    drawn, true = pdist(found.points[here]).mean(), pdist(rows, distance).mean()
    assert 0.7 < drawn / true < 1.3


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"quadruple": "red,blue,square,circle,"}, "quadruple must be four names"),
        ({"quadruple": ","}, "quadruple must be four names"),
        ({"edit_strength": -1.0}, "edit_strength must be 0 or more, and finite; got -1.0"),
        ({"edit_strength": float("nan")}, "edit_strength must be 0 or more"),
    ],
)
def test_options_of_the_command_are_refused_by_their_names(tmp_path, options, said):
    with pytest.raises(ConceptBindError, match=said):
        conceptbind.measure("tiny", studies="geometry", out=tmp_path / "run", **options)
