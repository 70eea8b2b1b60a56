"""Value means, R^2 in several axes, cosines, ranks and probes: against plain solvers, and on
planted embeddings whose answer is known.
"""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.covariance import oas
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.linear_model import LinearRegression

from conceptbind.core.errors import ShapeError, ValueRangeError
from conceptbind.factors import means as room
from conceptbind.factors.means import Labels, effects_of, labels_of, value_means
from conceptbind.factors.measures import (
    cosines_between,
    cosines_of,
    explained_rows,
    published_whitening,
    rank_of,
    span_of,
    whitening,
)
from conceptbind.factors.probes import discriminant, fit_factor_probes, recognised
from conceptbind.scenes import full_grid, text20
from conceptbind.scenes.space import ConceptSpace

SIZES, WIDTH = (5, 4, 3), 24
NAMES = ("color", "shape", "size")


def grid(sizes=SIZES, names=NAMES):
    values = np.stack(np.unravel_index(np.arange(np.prod(sizes)), sizes), axis=1)
    return Labels(values, names[: len(sizes)], tuple(sizes))


def planted(labels, *, width=WIDTH, noise=0.0, shared=0.0, joined=0.0, seed=0):
    """A sum of one vector per value, in orthogonal spaces of the factors unless some direction is
    `shared`; with a part of its own for each combination (`joined`) and noise.
    """
    rng = np.random.default_rng(seed)
    axes = np.linalg.qr(rng.normal(size=(width, width)))[0]
    rows, used = np.zeros((len(labels.values), width)), 0
    common = axes[-1]
    for k, size in enumerate(labels.sizes):
        own = axes[used : used + size - 1]
        used += size - 1
        vectors = rng.normal(size=(size, size - 1)) @ own + shared * np.outer(
            rng.normal(size=size), common
        )
        rows += vectors[labels.values[:, k]]
    rows += joined * rng.normal(size=rows.shape)
    return rows + noise * rng.normal(size=rows.shape) + rng.normal(size=width)


def parts(n, seed=0):
    order = np.random.default_rng(seed).permutation(n)
    return np.sort(order[: n // 2]), np.sort(order[n // 2 :])


@pytest.mark.parametrize("block", [7, 4096])
@pytest.mark.parametrize("exact", [10, 20_000])
def test_means_and_covariance_are_those_of_numpy(monkeypatch, block, exact):
    monkeypatch.setattr(room, "BLOCK", block)
    monkeypatch.setattr(room, "EXACT", exact)
    labels = grid()
    values = planted(labels, noise=0.3).astype(np.float32)
    train, _ = parts(len(values))
    found = value_means(values, labels, train)
    mine = values[train].astype(np.float64)
    np.testing.assert_allclose(found.mean, mine.mean(0), atol=1e-5)
    np.testing.assert_allclose(found.covariance, np.cov(mine.T, bias=True), atol=1e-5)
    for k, part in enumerate(found.parts()):
        for value in range(SIZES[k]):
            rows = mine[labels.values[train, k] == value]
            assert found.counts[part][value] == len(rows)
            np.testing.assert_allclose(
                found.vectors[part][value], rows.mean(0) - mine.mean(0), atol=1e-5
            )


def test_a_value_without_rows_has_no_vector_and_its_scenes_are_not_scored():
    labels = grid()
    values = planted(labels)
    train = np.flatnonzero(labels.values[:, 1] != 2)
    found = value_means(values, labels, train)
    part = found.parts()[1]
    assert found.counts[part][2] == 0
    assert not found.vectors[part][2].any()
    np.testing.assert_array_equal(found.known(np.arange(len(values))), train)


def test_r2_of_all_rows_is_that_of_a_linear_model_on_a_full_grid():
    """On a full grid means are the least squares fit."""
    labels = grid()
    values = planted(labels, noise=0.5, joined=0.5)
    every = np.arange(len(values))
    means = value_means(values, labels)
    found = explained_rows(values, means, every, {"raw": None})["raw"]
    dummies = np.concatenate([np.eye(size)[labels.values[:, k]] for k, size in enumerate(SIZES)], 1)
    model = LinearRegression().fit(dummies, values)
    rest = np.square(values - model.predict(dummies)).sum()
    assert found.r2 == pytest.approx(1 - rest / np.square(values - values.mean(0)).sum(), abs=1e-9)


def test_whitened_r2_is_the_one_of_the_inverse_covariance():
    labels = grid((8, 7, 6))
    values = planted(labels, noise=0.5)
    train, test = parts(len(values))
    means = value_means(values, labels, train)
    axes, share = whitening(means.covariance, len(train))
    shrunk, expected = oas(values[train])
    assert share == pytest.approx(expected)
    np.testing.assert_allclose(axes @ axes.T, np.linalg.inv(shrunk), rtol=1e-6)
    found = explained_rows(values, means, test, {"w": axes})["w"]
    hat = means.mean + sum(
        means.vectors[part][labels.values[test, k]] for k, part in enumerate(means.parts())
    )
    inverse = np.linalg.inv(shrunk)
    rest, about = values[test] - hat, values[test] - means.mean
    left, total = (np.einsum("nd,de,ne->", a, inverse, a) for a in (rest, about))
    assert found.r2 == pytest.approx(1 - left / total, abs=1e-9)


def test_the_published_whitening_is_a_plain_svd():
    labels = grid()
    values = planted(labels, noise=0.4)
    means = value_means(values, labels)
    every = np.arange(len(values))
    axes = published_whitening(means.covariance)
    found = explained_rows(values, means, every, {"w": axes})["w"].r2
    about = values - values.mean(0)
    _, sizes, rotated = np.linalg.svd(about, full_matrices=False)
    scale = 1 / np.sqrt(sizes**2 / len(values) + 1e-9)
    white = about @ rotated.T * scale
    hat = sum(
        (means.vectors[part] @ rotated.T * scale)[labels.values[:, k]]
        for k, part in enumerate(means.parts())
    )
    assert found == pytest.approx(1 - np.square(white - hat).sum() / np.square(white).sum())


def test_vectors_of_some_combinations_are_least_squares():
    labels = grid((6, 5, 4))
    values = planted(labels, noise=0.5, joined=0.5)
    train = np.flatnonzero(np.random.default_rng(1).random(len(values)) < 0.4)
    means = value_means(values, labels, train)
    effects = effects_of(means)
    dummies = np.concatenate(
        [np.eye(size)[labels.values[:, k]] for k, size in enumerate((6, 5, 4))], 1
    )
    model = LinearRegression().fit(dummies[train], values[train])
    hat = means.mean + dummies @ effects.vectors
    np.testing.assert_allclose(hat, model.predict(dummies), atol=1e-8)
    whole = value_means(values, labels)
    np.testing.assert_allclose(effects_of(whole).vectors, whole.vectors, atol=1e-9)


def test_values_that_occur_together_do_not_look_alike():
    """Colour and shape have directions of their own; in the train scenes they go together."""
    labels = grid((6, 6), ("color", "shape"))
    values = planted(labels)
    near = np.abs(labels.values[:, 0] - labels.values[:, 1]) <= 1
    means = value_means(values, labels, np.flatnonzero(near))
    assert cosines_of(means).across > 0.1
    assert cosines_of(effects_of(means)).across == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize(("noise", "expected"), [(0.0, 1.0), (1.0, 0.5)])
def test_r2_of_a_planted_sum_on_new_combinations(noise, expected):
    """Signal and noise of equal variance leave a half; held-out rows do not flatter."""
    labels = grid((12, 11, 10))
    values = planted(labels, width=40)
    values *= np.sqrt(40 / np.square(values - values.mean(0)).sum(1).mean())
    values += noise * np.random.default_rng(3).normal(size=values.shape)
    train, test = parts(len(values))
    means = value_means(values, labels, train)
    found = explained_rows(values, means, test, {"raw": None})["raw"]
    assert found.r2 == pytest.approx(expected, abs=0.06)
    noise_level = value_means(values, labels.shuffled(0), train)
    assert explained_rows(values, noise_level, test, {"raw": None})["raw"].r2 < 0.02


def test_an_embedding_of_whole_combinations_is_no_sum():
    labels = grid((8, 7, 6))
    values = np.random.default_rng(0).normal(size=(len(labels.values), 30))
    train, test = parts(len(values))
    means = value_means(values, labels, train)
    assert explained_rows(values, means, test, {"raw": None})["raw"].r2 < 0.02
    every = np.arange(len(values))
    flattered = value_means(values, labels)
    # the paper's own score of the same rows
    assert explained_rows(values, flattered, every, {"raw": None})["raw"].r2 > 0.04


def test_factors_in_orthogonal_spaces_have_no_cosine_and_shared_ones_have():
    labels = grid()
    apart = cosines_of(value_means(planted(labels), labels))
    assert apart.across == pytest.approx(0, abs=1e-9)
    assert apart.n_within == 10 + 6 + 3
    assert apart.n_across == 5 * 4 + 5 * 3 + 4 * 3
    joined = cosines_of(value_means(planted(labels, shared=10), labels))
    assert joined.across > 0.6
    two = value_means(planted(labels), labels)
    values, weights = zip(*(cosines_between(two, k, k) for k in range(3)), strict=True)
    assert weights == (10, 6, 3)
    told = np.average(values, weights=weights)
    assert cosines_of(two).within == pytest.approx(told)
    assert cosines_between(two, 0, 1)[0] == pytest.approx(0, abs=1e-9)


def test_two_values_of_a_factor_are_opposite():
    labels = grid((2, 3))
    assert cosines_between(value_means(planted(labels), labels), 0, 0)[0] == pytest.approx(1)


def test_the_rank_of_a_factor_is_its_directions_and_not_those_of_noise():
    """A factor of 12 values along two directions, with noise that has all directions."""
    labels = grid((12, 40))
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(12, 2)) @ np.linalg.qr(rng.normal(size=(64, 2)))[0].T
    values = vectors[labels.values[:, 0]] + 0.5 * rng.normal(size=(len(labels.values), 64))
    train, test = parts(len(values))
    one, other = value_means(values, labels, train), value_means(values, labels, test)
    part = one.parts()[0]
    assert rank_of(one.vectors[part]) > 5  # as published
    assert rank_of(one.vectors[part], other.vectors[part], one.counts[part].astype(float)) == 2
    shuffled = value_means(values, labels.shuffled(1), train)
    beside = value_means(values, labels.shuffled(1), test)
    found = rank_of(shuffled.vectors[part], beside.vectors[part])
    assert found is None or found > 3


def test_the_rank_by_hand():
    assert rank_of(np.diag([3.0, 1.0, 0.1])) == 2
    assert rank_of(np.diag([10.0, 1.0])) == 1
    assert rank_of(np.eye(3)) == 3
    assert rank_of(np.diag([3.0, 1.0]), -np.diag([3.0, 1.0])) is None


@pytest.mark.parametrize("shrinkage", [0.0001, 0.1, 0.5])
def test_probes_are_sklearn_s_discriminant_analysis(shrinkage):
    labels = grid((6, 5, 4))
    values = planted(labels, width=12, noise=1.0)
    train, test = parts(len(values))
    means = value_means(values, labels, train)
    for factor in range(3):
        probe = discriminant(means, factor, shrinkage)
        model = LinearDiscriminantAnalysis(solver="lsqr", shrinkage=shrinkage)
        model.fit(values[train], labels.values[train, factor])
        # sklearn standardises before it shrinks; where nothing is shrunk both are one
        if shrinkage == 0.0001:
            mine = (values[test] - means.mean) @ probe.weight.T + probe.bias
            same = mine.argmax(1) == model.predict(values[test])
            assert same.mean() > 0.98
        (found,) = recognised(values, means, [probe], test)
        right = (values[test] - means.mean) @ probe.weight.T + probe.bias
        expected = probe.seen[right.argmax(1)] == labels.values[test, factor]
        np.testing.assert_array_equal(found.correct, expected)


def test_probes_of_a_planted_sum_recognise_new_combinations_and_noise_is_chance():
    labels = grid((8, 7, 6))
    values = planted(labels, noise=0.1)
    train, rest = parts(len(values))
    validation, test = rest[::4], np.delete(rest, np.arange(0, len(rest), 4))
    means = value_means(values, labels, train)
    found = recognised(values, means, fit_factor_probes(values, means, validation), test)
    assert min(outcome.accuracy for outcome in found) > 0.95
    noise = value_means(values, labels.shuffled(5), train)
    by_chance = recognised(values, noise, fit_factor_probes(values, noise, validation), test)
    for size, outcome in zip((8, 7, 6), by_chance, strict=True):
        assert abs(outcome.accuracy - 1 / size) < 0.15


def test_a_factor_of_many_values_along_a_line_masks_none_of_them():
    """Least squares on one-hot targets never chooses the values in the middle of a line."""
    labels = grid((15, 20))
    place = labels.values[:, 0] / 7 - 1
    rng = np.random.default_rng(0)
    values = np.stack([place, rng.normal(size=len(place))], axis=1)
    values = np.concatenate([values, 0.02 * rng.normal(size=(len(values), 4))], axis=1)
    train, test = parts(len(values))
    means = value_means(values, labels, train)
    (outcome, _) = recognised(values, means, fit_factor_probes(values, means, train), test)
    assert outcome.accuracy == 1


def test_equal_rows_are_ties_and_misses():
    labels = grid()
    values = np.random.default_rng(0).normal(size=(60, 5))
    means = value_means(values, labels)
    probe = discriminant(means, 0, 0.1)
    same = type(probe)(0, np.zeros_like(probe.weight), np.zeros(5), probe.seen, 0.1)
    (outcome,) = recognised(values, means, [same], np.arange(60))
    assert (outcome.accuracy, outcome.ties) == (0, 60)


def test_the_span_of_probes_holds_their_weights_and_no_more():
    labels = grid()
    values = planted(labels, noise=0.3)
    means = value_means(values, labels)
    weights = [discriminant(means, k, 0.01).weight for k in range(3)]
    axes = span_of(weights)
    assert axes.shape == (WIDTH, sum(size - 1 for size in SIZES))
    np.testing.assert_allclose(axes.T @ axes, np.eye(axes.shape[1]), atol=1e-9)
    for weight in weights:
        np.testing.assert_allclose(weight @ axes @ axes.T, weight, atol=1e-6)


def test_intervals_of_r2_hold_the_truth(request):
    """The truth is R^2 of a large sample of rows, with the same fitted vectors."""
    labels = grid((6, 5, 4))
    train = np.arange(120)
    rng = np.random.default_rng(0)
    base = planted(labels)[:, :6]
    means = value_means(base + 0.5 * rng.normal(size=base.shape), labels, train)
    many = Labels(np.tile(labels.values, (400, 1)), labels.names, labels.sizes)
    rows = np.tile(base, (400, 1))

    def scored(which):
        values = rows + rng.normal(size=rows.shape) * rng.exponential(size=(len(rows), 1))
        fitted = type(means)(*(vars(means) | {"labels": many}).values())
        return explained_rows(values, fitted, which, {"raw": None})["raw"]

    truth = scored(np.arange(len(rows))).r2
    held = 0
    for _ in range(400):
        which = rng.choice(len(rows), 150, replace=False)
        low, high = scored(which).interval()
        held += low <= truth <= high
    assert 0.93 <= held / 400 <= 0.975


def test_factors_of_tables():
    one = full_grid(
        ConceptSpace(("color", "only", "shape"), (("a", "b"), ("x",), ("c", "d", "e"))), 1
    )
    assert labels_of(one).names == ("color", "shape")
    two = labels_of(text20(3, 4))
    assert two.names == ("adjective 1", "noun 1", "adjective 2", "noun 2")
    assert two.sizes == (3, 4, 3, 4)
    none = full_grid(ConceptSpace(("color",), (("a",),)), 1)
    with pytest.raises(ValueRangeError, match="no concept of the scenes has two values"):
        labels_of(none)


def test_what_does_not_fit_is_named():
    labels = grid()
    with pytest.raises(ShapeError, match="60 scenes but embeddings of shape"):
        value_means(np.zeros((5, 3)), labels)
    broken = np.ones((60, 3))
    broken[7, 1] = np.nan
    with pytest.raises(ValueRangeError, match="embeddings"):
        value_means(broken, labels)
    with pytest.raises(ValueRangeError, match="two rows at least"):
        value_means(np.ones((60, 3)), labels, np.array([1]))
