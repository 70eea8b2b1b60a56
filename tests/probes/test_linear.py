"""LinearProbe reaches the optimum that scikit-learn reaches, and keeps scikit-learn's contract."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.utils.estimator_checks import parametrize_with_checks

from conceptbind.core.errors import ValueRangeError
from conceptbind.probes import LinearProbe

L2 = 1e-3


def soft_problem(n=300, d=8, classes=5, seed=0):
    """Rows with a large common component, as embeddings have, and targets with two classes a
    row.
    """
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, d)) + 2.0
    first, second = rng.integers(classes, size=(2, n))
    targets = (np.eye(classes)[first] + np.eye(classes)[second]) / 2
    x += (np.eye(classes)[first] + np.eye(classes)[second]) @ rng.normal(size=(classes, d))
    return x, targets


def whitener(x, whitening):
    """S^-w (d, d) over the root mean square of what it makes of the rows."""
    variance, vectors = np.linalg.eigh(x.T @ x / len(x))
    keep = variance > 1e-9 * variance[-1]
    matrix = (vectors[:, keep] * variance[keep] ** -whitening) @ vectors[:, keep].T
    return matrix / np.sqrt(np.mean((x @ matrix) ** 2))


def sklearn_weights(x, targets, l2, whitening):
    """The same problem for LogisticRegression: every class of a row is a row of its own, weighted
    by its share.
    """
    matrix = whitener(x, whitening)
    rows, classes = np.nonzero(targets)
    model = LogisticRegression(
        C=1 / (l2 * len(x)), fit_intercept=False, tol=1e-12, max_iter=100_000
    )
    model.fit(x[rows] @ matrix, classes, sample_weight=targets[rows, classes])
    return model.coef_ @ matrix


@pytest.mark.parametrize("whitening", [0.0, 0.25, 0.5])
@pytest.mark.parametrize("l2", [1e-1, 1e-3, 1e-5])
def test_soft_targets_agree_with_weighted_logistic_regression(l2, whitening):
    x, targets = soft_problem()
    probe = LinearProbe(l2=l2, whitening=whitening, tol=1e-13).fit(x, targets)
    expected = sklearn_weights(x, targets, l2, whitening)
    np.testing.assert_allclose(probe.coef_, expected, rtol=1e-4, atol=1e-5 * np.abs(expected).max())


@pytest.mark.parametrize("whitening", [0.0, 0.5])
def test_fewer_rows_than_dimensions_agrees_too(whitening):
    x, targets = soft_problem(n=40, d=120)
    probe = LinearProbe(l2=L2, whitening=whitening, tol=1e-15).fit(x, targets)
    expected = sklearn_weights(x, targets, L2, whitening)
    np.testing.assert_allclose(probe.coef_, expected, rtol=1e-4, atol=5e-5 * np.abs(expected).max())


def test_reported_gradient_is_the_gradient_and_is_small():
    x, targets = soft_problem()
    probe = LinearProbe(l2=L2, tol=1e-12).fit(x, targets)
    matrix = whitener(x, 0.5)
    features = torch.tensor(x @ matrix)
    weight = torch.tensor(probe.coef_ @ np.linalg.inv(matrix), requires_grad=True)
    loss = (
        torch.nn.functional.cross_entropy(features @ weight.T, torch.tensor(targets))
        + L2 / 2 * weight.square().sum()
    )
    loss.backward()
    assert float(weight.grad.norm()) == pytest.approx(probe.gradient_norm_, rel=1e-3, abs=1e-9)
    assert probe.gradient_norm_ < 1e-5


def test_float32_ends_near_the_float64_optimum():
    x, targets = soft_problem(n=2000, d=32, classes=12)
    double = LinearProbe(l2=1e-4, tol=1e-12).fit(x, targets)
    single = LinearProbe(l2=1e-4, tol=1e-6).fit(x.astype(np.float32), targets)
    difference = np.abs(single.predict_proba(x.astype(np.float32)) - double.predict_proba(x)).max()
    assert difference < 0.01


@pytest.mark.parametrize("change", ["scale", "rotate", "reorder", "relabel"])
def test_probabilities_do_not_depend_on(change):
    x, targets = soft_problem()
    expected = LinearProbe(l2=L2, tol=1e-12).fit(x, targets).predict_proba(x)
    rng = np.random.default_rng(1)
    rows, columns = np.arange(len(x)), np.arange(targets.shape[1])
    if change == "scale":
        x = x * 1000
    elif change == "rotate":
        x = x @ np.linalg.qr(rng.normal(size=(x.shape[1], x.shape[1])))[0]
    elif change == "reorder":
        rows = rng.permutation(rows)
    else:
        columns = rng.permutation(columns)
    found = (
        LinearProbe(l2=L2, tol=1e-12).fit(x[rows], targets[rows][:, columns]).predict_proba(x[rows])
    )
    np.testing.assert_allclose(found, expected[rows][:, columns], atol=1e-5)


def test_too_few_passes_warn():
    x, targets = soft_problem()
    with pytest.warns(ConvergenceWarning, match="raise max_passes"):
        LinearProbe(l2=1e-6, whitening=0, max_passes=2).fit(x, targets)


@pytest.mark.parametrize("bad", [[[0.5, 0.6], [1, 0]], [[1.5, -0.5], [1, 0]]])
def test_targets_that_are_no_distribution_are_refused(bad):
    with pytest.raises(ValueRangeError, match="non-negative and sum to one"):
        LinearProbe().fit(np.eye(2), np.array(bad))


@pytest.mark.parametrize("whitening", [-0.1, 0.6])
def test_whitening_has_bounds(whitening):
    x, targets = soft_problem()
    with pytest.raises(ValueRangeError, match="between 0 .plain. and 0.5 .white.; got"):
        LinearProbe(whitening=whitening).fit(x, targets)


def test_penalty_must_be_positive():
    x, targets = soft_problem()
    with pytest.raises(ValueRangeError, match="must be positive"):
        LinearProbe(l2=0).fit(x, targets)


@parametrize_with_checks([LinearProbe()])
def test_scikit_learn_contract(estimator, check):
    check(estimator)
