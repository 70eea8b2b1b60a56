"""The solver's parts against slow and foreign versions."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.optimize import minimize

from conceptbind.probes import solver
from conceptbind.probes.solver import Rows, solve


@pytest.fixture
def problem():
    generator = torch.Generator().manual_seed(0)
    features = torch.randn(500, 6, generator=generator, dtype=torch.float64) + 1
    features /= features.square().mean().sqrt()
    classes = torch.randint(7, (500, 2), generator=generator)
    return features, classes


def plain_loss(weight, features, classes, l2):
    """Equation (1), written out."""
    log_p = torch.log_softmax(features @ weight.T, dim=1)
    return -log_p.gather(1, classes).mean() + l2 / 2 * weight.square().sum()


def test_moment_is_the_mean_outer_product(problem):
    features, classes = problem
    targets = torch.zeros(500, 7, dtype=torch.float64).scatter_add_(
        1, classes, torch.full((500, 2), 0.5, dtype=torch.float64)
    )
    for whitening in (0.0, 0.3):
        rows = Rows(features, whitening)
        torch.testing.assert_close(rows.moment(classes, 7), targets.T @ features @ rows.basis / 500)


@pytest.mark.parametrize("l2", [1e-1, 1e-4])
def test_optimum_is_scipys(problem, l2):
    features, classes = problem
    rows = Rows(features)
    solution = solve(rows, rows.moment(classes, 7), l2, tolerance=1e-13)

    def objective(flat):
        weight = torch.tensor(flat.reshape(7, 6), requires_grad=True)
        loss = plain_loss(weight, features, classes, l2)
        loss.backward()
        return loss.item(), weight.grad.numpy().ravel()

    reference = minimize(
        objective,
        np.zeros(42),
        jac=True,
        method="L-BFGS-B",
        options={"ftol": 1e-16, "gtol": 1e-10, "maxiter": 10_000},
    )
    assert solution.converged
    assert solution.loss == pytest.approx(reference.fun, abs=1e-9)
    weight = rows.in_features(solution.weight)
    assert solution.loss == pytest.approx(
        float(plain_loss(weight, features, classes, l2)), abs=1e-12
    )
    np.testing.assert_allclose(weight.numpy().ravel(), reference.x, atol=1e-4)


def test_gap_bounds_the_distance_to_the_optimum(problem):
    features, classes = problem
    rows = Rows(features)
    best = solve(rows, rows.moment(classes, 7), 1e-3, tolerance=1e-14)
    rough = solve(rows, rows.moment(classes, 7), 1e-3, tolerance=1e-4)
    assert rough.converged
    assert 0 <= rough.loss - best.loss <= 5 * rough.gap
    assert rough.loss - best.loss <= rough.gap_bound


@pytest.mark.parametrize("whitening", [0.0, 0.25, 0.5])
@pytest.mark.parametrize("n", [500, 4])
def test_whitened_rows_are_the_power_of_their_second_moment(problem, whitening, n):
    """x S^-w, divided by the root mean square, up to a rotation: inner products of rows tell."""
    features = problem[0][:n] * 7
    variance, vectors = torch.linalg.eigh(features.T @ features / n)
    inverse = torch.where(variance > 1e-9, variance, torch.inf) ** -whitening
    white = (features @ vectors * inverse) @ vectors.T
    white /= white.square().mean().sqrt()
    rows = Rows(features, whitening)
    torch.testing.assert_close(rows.rotated @ rows.rotated.T, white @ white.T)
    torch.testing.assert_close(rows.rotated.square().mean(0), rows.eigenvalues)
    weight = torch.randn(7, rows.rotated.shape[1], dtype=torch.float64)
    torch.testing.assert_close(features @ rows.in_features(weight).T, rows.rotated @ weight.T)


def test_start_does_not_change_the_optimum(problem):
    features, classes = problem
    rows = Rows(features)
    moment = rows.moment(classes, 7)
    cold = solve(rows, moment, 1e-3, tolerance=1e-12)
    warm = solve(rows, moment, 1e-3, tolerance=1e-12, start=solve(rows, moment, 1e-1).weight)
    torch.testing.assert_close(cold.weight, warm.weight, atol=1e-4, rtol=1e-4)


def test_without_blocks_the_optimum_is_the_same(problem, monkeypatch):
    features, classes = problem
    rows = Rows(features)
    moment = rows.moment(classes, 7)
    with_blocks = solve(rows, moment, 1e-3, tolerance=1e-12)
    monkeypatch.setattr(solver, "BLOCKS_FROM", 0)
    without = solve(rows, moment, 1e-3, tolerance=1e-12)
    torch.testing.assert_close(with_blocks.weight, without.weight, atol=1e-4, rtol=1e-4)


def test_chunks_do_not_change_the_sum(problem, monkeypatch):
    features, classes = problem
    rows = Rows(features)
    moment = rows.moment(classes, 7)
    whole = solve(rows, moment, 1e-3, tolerance=1e-12)
    monkeypatch.setattr(solver, "CHUNK", 37)
    torch.testing.assert_close(
        whole.weight, solve(rows, moment, 1e-3, tolerance=1e-12).weight, atol=1e-4, rtol=1e-4
    )


def test_rows_sum_to_zero_at_the_optimum(problem):
    features, classes = problem
    rows = Rows(features)
    weight = solve(rows, rows.moment(classes, 7), 1e-2, tolerance=1e-13).weight
    torch.testing.assert_close(
        weight.sum(0), torch.zeros(6, dtype=torch.float64), atol=1e-6, rtol=0
    )


def test_blocks_are_expected_hessian_blocks(problem, monkeypatch):
    """With every row taken surely, a block is the exact Hessian block (plus its floor)."""
    features, classes = problem
    rows = Rows(features)
    weight = solve(rows, rows.moment(classes, 7), 1e-2).weight
    monkeypatch.setattr(solver, "SAMPLED", 1e-12)
    inverse = solver._BlockCurvature(rows, weight, 1e-2).inverse
    p = torch.softmax(rows.rotated @ weight.T, dim=1)[:, 3]
    exact = (rows.rotated * (p * (1 - p))[:, None]).T @ rows.rotated / 500
    exact += torch.diag(1e-2 + solver.FLOOR * rows.eigenvalues / 7)
    torch.testing.assert_close(
        inverse[3] @ exact, torch.eye(6, dtype=torch.float64), atol=1e-8, rtol=0
    )
    diagonal = solver._DiagonalCurvature(rows, weight, 1e-2).inverse
    torch.testing.assert_close(1 / diagonal[3], exact.diagonal())


def test_memory_is_the_two_loop_recursion():
    """Against the recursion as textbooks write it, with more pairs than are kept."""
    generator = torch.Generator().manual_seed(1)
    memory, pairs = solver._Memory(), []
    curvature = type("Half", (), {"solve": lambda self, g: g / 2})()
    hessian = torch.diag(torch.rand(20, generator=generator, dtype=torch.float64) + 0.5)
    for _ in range(solver.MEMORY + 5):
        change = solver._center(torch.randn(4, 5, generator=generator, dtype=torch.float64))
        turn = solver._center((hessian @ change.ravel()).view(4, 5))
        memory.add(change, turn)
        pairs.append((change, turn))
    gradient = solver._center(torch.randn(4, 5, generator=generator, dtype=torch.float64))
    step, shares = -gradient, []
    for change, turn in reversed(pairs[-solver.MEMORY :]):
        shares.append((change * step).sum() / (change * turn).sum())
        step = step - shares[-1] * turn
    change, turn = pairs[-1]
    # the last pair sets the scale, whatever the preconditioner's is
    step = (change * turn).sum() / (turn * turn).sum() * step
    for (change, turn), share in zip(pairs[-solver.MEMORY :], reversed(shares), strict=True):
        step = step + (share - (turn * step).sum() / (change * turn).sum()) * change
    torch.testing.assert_close(memory.direction(gradient, curvature), step)


def test_directions_without_data_do_not_matter():
    """Fewer rows than dimensions: the same optimum as in the subspace that the rows span."""
    generator = torch.Generator().manual_seed(0)
    small = torch.randn(20, 8, generator=generator, dtype=torch.float64)
    wide = (
        small
        @ torch.linalg.qr(torch.randn(50, 50, generator=generator, dtype=torch.float64))[0][:8]
    )
    classes = torch.randint(3, (20, 2), generator=generator)
    narrow, broad = Rows(small), Rows(wide)
    assert broad.rotated.shape == (20, 8)
    # the mean square is over all dimensions
    torch.testing.assert_close(broad.eigenvalues, narrow.eigenvalues * 50 / 8)
    penalties = ((narrow, 1e-3), (broad, 1e-3 * 50 / 8))
    losses = [
        solve(rows, rows.moment(classes, 3), l2, tolerance=1e-13).loss for rows, l2 in penalties
    ]
    assert losses[0] == pytest.approx(losses[1], abs=1e-10)
