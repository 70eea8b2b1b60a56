"""Additive fits: planted sums, the plain definitions, and scikit-learn's least squares."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.linear_model import LinearRegression

from conceptbind.core.errors import ConceptBindError
from conceptbind.geometry import explained, fit_additive
from conceptbind.scenes import ConceptSpace, Scenes, full_grid, split_scenes
from planted import concept_codes, object_codes

SPACE = ConceptSpace(("color", "shape"), (("red", "green", "blue"), ("square", "circle")))
GRID = full_grid(SPACE, 2)


def noisy(scenes, seed=0):
    return np.random.default_rng(seed).normal(size=(len(scenes), 16))


def one_hot(scenes, order):
    """Indicators of every object, or value, in every slot: the slow plain design."""
    columns = []
    for slot in range(scenes.n_slots):
        if order == 2:
            columns += [scenes.objects[:, slot] == o for o in range(scenes.space.n_objects)]
        else:
            columns += [
                scenes.table[:, slot, k] == v
                for k, size in enumerate(scenes.space.sizes)
                for v in range(size)
            ]
    return np.stack(columns, 1).astype(float)


@pytest.mark.parametrize("estimator", ["avg", "avg+pos", "least_squares"])
def test_sums_of_objects_are_explained_by_objects_and_bags_by_values(estimator):
    objects, bag = object_codes(GRID).astype(float), concept_codes(GRID).astype(float)
    assert explained(
        objects, fit_additive(objects, GRID, order=2, estimator="least_squares")
    ) == pytest.approx(1)
    assert explained(
        bag, fit_additive(bag, GRID, order=1, estimator="least_squares")
    ) == pytest.approx(1)
    assert explained(objects, fit_additive(objects, GRID, order=1, estimator="least_squares")) < 0.9
    if estimator == "avg+pos":
        assert explained(
            objects, fit_additive(objects, GRID, estimator=estimator)
        ) == pytest.approx(1)


@pytest.mark.parametrize("order", [1, 2])
@pytest.mark.parametrize("rows", [None, np.arange(0, 36, 2), np.arange(5, 36)])
def test_least_squares_predicts_what_scikit_learn_predicts(order, rows):
    values = noisy(GRID)
    rows = np.arange(36) if rows is None else rows
    features = one_hot(GRID, order)
    oracle = LinearRegression().fit(features[rows], values[rows])
    fit = fit_additive(values, GRID, rows, order=order)
    covered = fit.covered(np.arange(36))
    np.testing.assert_allclose(fit[rows], oracle.predict(features[rows]), atol=1e-9)
    assert explained(values, fit, rows) == pytest.approx(
        1
        - np.square(values[rows] - oracle.predict(features[rows])).sum()
        / np.square(values[rows] - values[rows].mean(0)).sum()
    )
    assert covered[rows].all()


def test_on_a_full_grid_least_squares_is_the_centred_mean_of_each_slot():
    values = noisy(GRID)
    for order in (2, 1):
        solved, averaged = (
            fit_additive(values, GRID, order=order, estimator=name)
            for name in ("least_squares", "avg+pos")
        )
        np.testing.assert_allclose(solved.vectors, averaged.vectors, atol=1e-9)
        np.testing.assert_allclose(solved.mean, averaged.mean, atol=1e-9)
        free = fit_additive(values, GRID, order=order, per_slot=False)
        assert explained(values, free) <= explained(values, solved)


def test_avg_is_the_mean_over_all_scenes_that_hold_the_object():
    values = noisy(GRID)
    fit = fit_additive(values, GRID, estimator="avg")
    for item in range(6):
        by_hand = np.concatenate(
            [values[GRID.objects[:, 0] == item], values[GRID.objects[:, 1] == item]]
        ).mean(0) - values.mean(0)
        np.testing.assert_allclose(fit.vectors[item], by_hand, atol=1e-12)
    placed = fit_additive(values, GRID, estimator="avg+pos")
    np.testing.assert_allclose(
        placed.vectors[placed.design.columns[0, 1]],
        values[GRID.objects[:, 1] == 0].mean(0) - values.mean(0),
    )
    np.testing.assert_allclose(
        placed[np.array([7])][0], values.mean(0) + placed.vectors[placed.design.columns[7]].sum(0)
    )


def test_single_takes_its_vectors_from_scenes_of_one_object():
    singles = np.random.default_rng(1).normal(size=(6, 16))
    values = (singles - singles.mean(0))[GRID.objects].sum(1) + 3
    assert explained(
        values, fit_additive(values, GRID, estimator="single", singles=singles)
    ) == pytest.approx(1)
    by_value = fit_additive(values, GRID, order=1, estimator="single", singles=singles)
    red = (singles - singles.mean(0))[[0, 1]].mean(0)
    np.testing.assert_allclose(by_value.vectors[by_value.design.columns[0, 0]], red)


def test_position_effects_need_vectors_of_each_slot():
    codes = np.random.default_rng(0).normal(size=(2, 6, 16))
    values = codes[0][GRID.objects[:, 0]] + codes[1][GRID.objects[:, 1]]
    assert explained(values, fit_additive(values, GRID, estimator="avg+pos")) == pytest.approx(1)
    assert explained(values, fit_additive(values, GRID, estimator="avg")) < 0.8


def test_held_out_scenes_of_noise_are_not_explained():
    values = noisy(full_grid(SPACE, 3))
    scenes = full_grid(SPACE, 3)
    split = split_scenes(scenes, "pair", seed=0)
    fit = fit_additive(values, scenes, split.train)
    assert explained(values, fit, split.train) > 0
    assert explained(values, fit, split.test, mean=values[split.train].mean(0)) < 0


def test_order_names_and_rotation_do_not_matter():
    values = noisy(GRID)
    base = [explained(values, fit_additive(values, GRID, order=order)) for order in (2, 1)]
    shuffle = np.random.default_rng(0).permutation(36)
    shuffled = GRID.select(shuffle)
    turn = np.linalg.qr(np.random.default_rng(1).normal(size=(16, 16)))[0]
    renamed = Scenes(SPACE, np.stack([(GRID.table[:, :, 0] + 1) % 3, 1 - GRID.table[:, :, 1]], -1))
    for other, scenes in (
        (values[shuffle], shuffled),
        (values @ turn * 7 + 2, GRID),
        (values, renamed),
    ):
        found = [explained(other, fit_additive(other, scenes, order=order)) for order in (2, 1)]
        np.testing.assert_allclose(found, base)


def test_what_cannot_be_fitted_is_refused_with_the_reason():
    values = noisy(GRID)
    with pytest.raises(ConceptBindError, match="5 free parameters for 6 scenes"):
        fit_additive(values, GRID, np.arange(0, 36, 7))
    with pytest.raises(ConceptBindError, match="no variance to explain"):
        explained(np.full((36, 4), 0.1), fit_additive(np.full((36, 4), 0.1), GRID, estimator="avg"))
    with pytest.raises(ConceptBindError, match="one embedding per scene"):
        fit_additive(values[:-1], GRID)
    with pytest.raises(ConceptBindError, match="least_squares"):
        fit_additive(values, GRID, estimator="least_square")
    with pytest.raises(ConceptBindError, match="needs the embeddings of all 6 single objects"):
        fit_additive(values, GRID, estimator="single")
    with pytest.raises(ConceptBindError, match="finite"):
        fit_additive(values * np.nan, GRID)
