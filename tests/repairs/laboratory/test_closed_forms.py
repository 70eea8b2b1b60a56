"""Closed forms against plain solvers."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.linalg
from sklearn.linear_model import LinearRegression
from sklearn.linear_model import Ridge as PlainRidge

from conceptbind.repairs.labclip import Pairs
from conceptbind.repairs.laboratory import closed, moments_of, projections
from conceptbind.repairs.laboratory import moments as module
from conceptbind.repairs.laboratory.ridge import ridge_map
from repairs.labclip.planted_pairs import unit

N, OUT, IN = 14, 4, 5


def small(k: int = 1, square: bool = False):
    rng = np.random.default_rng(3)
    width = OUT if square else IN
    arrays = rng.normal(size=(N, OUT)), rng.normal(size=(N, width)), rng.normal(size=(N, k, width))
    return Pairs.of(*arrays), unit(arrays[0]), unit(arrays[1]), unit_each(arrays[2])


def unit_each(rows):
    return rows / np.linalg.norm(rows, axis=-1, keepdims=True)


def design(x, t, negatives, weight):
    """All products of a picture with a caption, and with a difference; what each should be; how
    much it counts.
    """
    features, targets, counts = [], [], []
    k = negatives.shape[1]
    for i in range(N):
        for j in range(N):
            features.append(np.outer(x[i], t[j]).ravel())
            targets.append(N * (i == j))
            counts.append(1.0)
            for negative in negatives[j]:
                features.append(np.outer(x[i], t[j] - negative).ravel())
                targets.append(N * (i == j))
                counts.append(weight / k)
    return np.array(features), np.array(targets, float), np.array(counts)


@pytest.mark.parametrize("k", [1, 3])
@pytest.mark.parametrize("weight", [0.0, 1.0, 4.0])
@pytest.mark.parametrize("penalty", [1e-3, 1.0, 100.0])
def test_ridge_is_ridge_regression_on_all_products(k, weight, penalty):
    pairs, x, t, negatives = small(k)
    moments = moments_of(pairs)
    features, targets, counts = design(x, t, negatives, weight)
    eye = np.eye(OUT, IN).ravel()
    plain = LinearRegression(fit_intercept=False)
    multiple = max(plain.fit((features @ eye)[:, None], targets, counts).coef_[0], 0)
    assert module.best_multiple(moments, weight) == pytest.approx(multiple, rel=1e-5, abs=1e-8)
    asked = moments.captions + weight * moments.differences
    scale = np.linalg.eigvalsh(moments.pictures).mean() * np.linalg.eigvalsh(asked).mean()
    ridge = PlainRidge(alpha=N * N * penalty * scale, fit_intercept=False, solver="cholesky")
    ridge.fit(features, targets - multiple * features @ eye, counts)
    expected = (multiple * eye + ridge.coef_).reshape(OUT, IN)
    found = ridge_map(moments, penalty, weight)
    np.testing.assert_allclose(found, expected, atol=1e-5 * np.abs(expected).max())


def test_moments_are_means_over_loops():
    pairs, x, t, negatives = small(2)
    found = moments_of(pairs, bags=True)
    d = t[:, None] - negatives
    for one, expected in (
        (found.pictures, np.mean([np.outer(a, a) for a in x], 0)),
        (found.captions, np.mean([np.outer(a, a) for a in t], 0)),
        (found.shared, np.mean([np.outer(a, b) for a, b in zip(x, t, strict=True)], 0)),
        (found.negatives, np.mean([np.outer(a, a) for a in negatives.reshape(-1, IN)], 0)),
        (found.differences, np.mean([np.outer(a, a) for a in d.reshape(-1, IN)], 0)),
        (found.bound, np.mean([np.outer(x[i], d[i, j]) for i in range(N) for j in (0, 1)], 0)),
        (
            found.bags,
            np.mean([np.outer(s, s) for s in (t[:, None] + negatives).reshape(-1, IN)], 0),
        ),
    ):
        np.testing.assert_allclose(one, expected, atol=1e-6)


def test_many_pairs_in_single_precision_and_blocks_give_the_same(monkeypatch):
    pairs = small(2)[0]
    exact = moments_of(pairs, bags=True)
    monkeypatch.setattr(module, "EXACT", 3)
    monkeypatch.setattr(module, "BLOCK", 4)
    rough = moments_of(pairs, bags=True)
    for name in ("pictures", "captions", "negatives", "differences", "shared", "bound"):
        np.testing.assert_allclose(getattr(rough, name), getattr(exact, name), atol=1e-6)


def test_procrustes_is_that_of_scipy():
    pairs, x, t, _ = small(square=True)
    expected = scipy.linalg.orthogonal_procrustes(t, x)[0].T
    found = closed.orthogonal_map(moments_of(pairs), 0.0)
    np.testing.assert_allclose(found, expected, atol=1e-5)
    np.testing.assert_allclose(found @ found.T, np.eye(OUT), atol=1e-9)


def test_weights_of_dimensions_are_ridge_regression_on_their_products():
    pairs, x, t, negatives = small(square=True)
    moments = moments_of(pairs)
    features, targets, counts = design(x, t, negatives, 1.0)
    features = features.reshape(-1, OUT, OUT)[:, range(OUT), range(OUT)]
    multiple = module.best_multiple(moments, 1.0)
    asked = moments.asked(1.0)[0]
    drawn = 0.3 * np.trace(moments.pictures * asked) / OUT
    ridge = PlainRidge(alpha=N * N * drawn, fit_intercept=False, solver="cholesky")
    ridge.fit(features, targets - multiple * features.sum(1), counts)
    found = closed.weights_map(moments, 0.3, 1.0)
    np.testing.assert_allclose(found, multiple + ridge.coef_, atol=1e-5 * np.abs(found).max())


def regression(moments, shrinkage, weight, change, multiple):
    """What reduced-rank regression makes least."""
    asked, target = moments.asked(weight)
    left, right = (
        part + shrinkage * np.linalg.eigvalsh(part).mean() * np.eye(len(part))
        for part in (moments.pictures, asked)
    )
    missing = target - multiple * moments.pictures @ np.eye(OUT, IN) @ asked
    return float(np.sum(change * (left @ change @ right)) - 2 * np.sum(change * missing))


@pytest.mark.parametrize("rank", [1, 2, 3])
def test_no_other_change_of_its_rank_is_better(rank):
    """Against alternating least squares from many starts, and against small steps away."""
    moments = moments_of(small()[0])
    multiple = module.best_multiple(moments, 1.0)
    change = closed.Shortened(moments, 1.0, 0.1).rank(rank) - multiple * np.eye(OUT, IN)
    assert np.linalg.matrix_rank(change, tol=1e-8) == rank
    found = regression(moments, 0.1, 1.0, change, multiple)
    rng = np.random.default_rng(0)
    asked, target = moments.asked(1.0)
    left, right = (
        part + 0.1 * np.linalg.eigvalsh(part).mean() * np.eye(len(part))
        for part in (moments.pictures, asked)
    )
    missing = target - multiple * moments.pictures @ np.eye(OUT, IN) @ asked
    best = np.inf
    for _ in range(10):
        v = rng.normal(size=(rank, IN))
        for _ in range(200):
            u = np.linalg.solve(left, missing @ v.T) @ np.linalg.inv(v @ right @ v.T)
            v = np.linalg.inv(u.T @ left @ u) @ np.linalg.solve(right, (u.T @ missing).T).T
        best = min(best, regression(moments, 0.1, 1.0, u @ v, multiple))
    assert found == pytest.approx(best, rel=1e-6)


def test_canonical_correlations_solve_the_generalised_eigenproblem():
    moments = moments_of(small()[0])
    found = projections.canonical(moments, 1.0, 0.2)
    asked, target = moments.asked(1.0)
    left, right = (
        part + 0.2 * np.linalg.eigvalsh(part).mean() * np.eye(len(part))
        for part in (moments.pictures, asked)
    )
    zero = np.zeros((OUT, OUT)), np.zeros((IN, IN))
    crossed = np.block([[zero[0], target], [target.T, zero[1]]])
    values = scipy.linalg.eigh(crossed, scipy.linalg.block_diag(left, right), eigvals_only=True)
    np.testing.assert_allclose(found.correlations, values[::-1][:OUT], atol=1e-8)
    np.testing.assert_allclose(found.pictures @ left @ found.pictures.T, np.eye(OUT), atol=1e-8)
    crossed = found.pictures @ target @ found.captions.T
    np.testing.assert_allclose(crossed, np.diag(found.correlations), atol=1e-8)


@pytest.mark.parametrize("k", [1, 2])
def test_erasure_takes_the_bag_out_and_changes_pictures_least(k):
    pairs, x, t, negatives = small(square=True)
    moments = moments_of(pairs, bags=True)
    bags = projections.Bags(moments, 1e-6)
    found = bags.erased(k)
    np.testing.assert_allclose(found @ found, found, atol=1e-5)  # a projection
    assert np.linalg.matrix_rank(found, tol=1e-4) == OUT - k
    sums = (t[:, None] + negatives)[:, 0]
    crossed = x.T @ sums / N
    half, other = (np.linalg.inv(scipy.linalg.sqrtm(m)) for m in (moments.pictures, moments.bags))
    before, after = (
        np.linalg.svd((half @ part @ crossed @ other).real, compute_uv=False)
        for part in (np.eye(OUT), found)
    )
    assert before[0] > 0.1  # there was something to take
    np.testing.assert_allclose(after[: OUT - k], before[k:], atol=1e-3)
    np.testing.assert_allclose(after[OUT - k :], 0, atol=1e-3)
    root = scipy.linalg.sqrtm(moments.pictures).real
    taken = np.linalg.qr(root @ bags.directions[:, :k])[0]
    shortest = np.eye(OUT) - taken @ taken.T  # it takes the same out, by the shortest way in space
    changes = [np.eye(OUT) - projection for projection in (found, shortest)]
    ours, theirs = (np.trace(change @ moments.pictures @ change.T) for change in changes)
    assert ours < theirs


def test_a_matrix_that_one_routine_gives_up_on_goes_to_the_other(monkeypatch):
    matrix = np.random.default_rng(0).normal(size=(5, 3))
    plain = scipy.linalg.svd

    def gives_up(matrix, *, full_matrices, lapack_driver="gesdd"):
        if lapack_driver == "gesdd":
            raise scipy.linalg.LinAlgError("SVD did not converge")
        return plain(matrix, full_matrices=full_matrices, lapack_driver=lapack_driver)

    monkeypatch.setattr(scipy.linalg, "svd", gives_up)
    u, s, v = module.singular(matrix)
    np.testing.assert_allclose((u * s) @ v, matrix, atol=1e-12)


def test_scaled_maps_give_rows_of_length_one_in_the_mean_square():
    pairs, _, t, _ = small()
    moments = moments_of(pairs)
    weight = module.scaled(17 * ridge_map(moments, 1.0, 1.0), moments.captions)
    assert np.mean(np.sum((t @ weight.T) ** 2, axis=1)) == pytest.approx(1, rel=1e-5)
