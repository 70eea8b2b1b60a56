"""Probes by cosine: an independent solver, planted directions, and what they must not hear."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning

from conceptbind.core.errors import ValueRangeError
from conceptbind.metrics.recognitions import recognition
from conceptbind.probes import CosineProbe


def planted(n=300, d=12, k=5, noise=0.6, seed=0):
    rng = np.random.default_rng(seed)
    directions = rng.normal(size=(k, d))
    y = rng.integers(k, size=n)
    return directions[y] + noise * rng.normal(size=(n, d)), y


def loss_of(directions, scale, rows, targets):
    unit = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    logits = scale * unit @ (directions / np.linalg.norm(directions, axis=1, keepdims=True)).T
    logits -= logits.max(axis=1, keepdims=True)
    return -(targets * (logits - np.log(np.exp(logits).sum(axis=1, keepdims=True)))).sum(1).mean()


def test_no_plain_solver_finds_a_lower_loss():
    X, y = planted(noise=1.5)
    probe = CosineProbe().fit(X, y)
    targets = np.eye(5)[y]
    assert 1 < probe.scale_ < 100
    np.testing.assert_allclose(np.linalg.norm(probe.coef_, axis=1), probe.scale_)
    mine = loss_of(probe.coef_, probe.scale_, X, targets)
    rows = torch.nn.functional.normalize(torch.tensor(X), dim=1)
    for seed in range(3):
        weight = torch.randn(5, 12, generator=torch.Generator().manual_seed(seed)).double()
        weight.requires_grad_()
        scale = torch.tensor(2.0, dtype=torch.float64, requires_grad=True)
        steps = torch.optim.Adam([weight, scale], lr=0.03)
        for _ in range(3000):
            logits = scale.exp() * rows @ torch.nn.functional.normalize(weight, dim=1).T
            loss = torch.nn.functional.cross_entropy(logits, torch.tensor(y))
            steps.zero_grad()
            loss.backward()
            steps.step()
        assert mine <= float(loss.detach()) + 1e-5


def test_the_length_of_a_row_says_nothing():
    X, y = planted()
    lengths = np.random.default_rng(1).uniform(0.1, 10, size=(len(X), 1))
    one, two = CosineProbe().fit(X, y), CosineProbe().fit(X * lengths, y)
    np.testing.assert_allclose(one.coef_, two.coef_, rtol=1e-5)
    np.testing.assert_allclose(one.predict_proba(X), one.predict_proba(X * lengths))
    assert (one.predict(X) == y).mean() > 0.95


def test_a_class_that_only_length_tells_is_not_heard():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(400, 6))
    X /= np.linalg.norm(X, axis=1, keepdims=True)
    y = rng.integers(2, size=400)
    probe = CosineProbe().fit(X[:200] * (1 + 9 * y[:200, None]), y[:200])
    right = (probe.predict(X[200:] * (1 + 9 * y[200:, None])) == y[200:]).mean()
    assert 0.35 < right < 0.65


def test_of_classes_that_are_apart_the_scale_stops_where_it_is_told():
    X, y = planted(noise=0.01)
    for most in (5.0, 20.0):
        probe = CosineProbe(most_scale=most).fit(X, y)
        assert probe.scale_ == pytest.approx(most)
        assert (probe.predict(X) == y).all()
    assert 20 < CosineProbe().fit(X, y).scale_ <= 100


def test_soft_targets_recognise_sets():
    """Scenes of two of six objects: sums of their directions."""
    rng = np.random.default_rng(0)
    codes = rng.normal(size=(6, 24))
    pairs = np.array([(a, b) for a in range(6) for b in range(6) if a != b] * 8)
    X = codes[pairs].sum(axis=1) + 0.3 * rng.normal(size=(len(pairs), 24))
    present = np.zeros((len(pairs), 6), bool)
    np.put_along_axis(present, pairs, True, axis=1)
    probe = CosineProbe().fit(X[::2], present[::2] / 2)
    found = recognition(probe.decision_function(X[1::2]), present[1::2])
    assert found.accuracy > 0.95
    again = clone(probe).fit(X[::2], present[::2] / 2)
    np.testing.assert_array_equal(again.coef_, probe.coef_)


def test_two_classes_have_one_score():
    X, y = planted(k=2)
    probe = CosineProbe().fit(X, y)
    scores = probe.decision_function(X)
    assert scores.shape == (len(X),)
    assert ((scores > 0) == probe.predict(X)).all()


def test_what_has_no_cosine_is_refused():
    X, y = planted()
    X[3] = 0
    with pytest.raises(ValueRangeError, match="a row of length 0 has no cosine"):
        CosineProbe().fit(X, y)
    with pytest.raises(ValueRangeError, match="most_scale must be positive; got 0"):
        CosineProbe(most_scale=0).fit(*planted())
    with pytest.raises(ValueRangeError, match="soft targets must be non-negative and sum to one"):
        CosineProbe().fit(X[:3], np.ones((3, 4)))
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        CosineProbe(max_passes=2).fit(*planted())
    assert any(issubclass(one.category, ConvergenceWarning) for one in said)
