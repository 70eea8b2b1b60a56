"""The additive part of approximators: one vector for each value, by ridge regression."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple, Protocol, TypeVar

import torch

if TYPE_CHECKING:
    from jaxtyping import Float, Int

ADDITIVE_L2 = (1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 1e-1)
"""Penalties of an additive fit, times the number of scenes."""
RIDGE = 1e-8
"""Penalty on the additive part beside products, times the number of scenes: it makes the solution
unique."""
FIRST_L2 = 1e-6
"""The penalty that fits of vectors begin with, times the number of scenes: with a larger one,
products of random vectors die before they are of use."""
SMALLER_L2 = (1e-7, 1e-8)
LARGER_L2 = (1e-5, 1e-4, 1e-3, 1e-2)
PATIENCE = 2
"""Penalties without a gain on validation after which the path ends."""
EXACT = 1e-9
"""An error on validation, as a share of the variance, below which nothing is left to choose."""
SIMPLER = 0.01
"""A candidate that can express more is taken only where it lowers the error on validation by this
share. Which of two nearly equal ones is ahead would otherwise be decided by rounding."""


class Candidate(Protocol):
    """A fit that validation chooses from."""

    @property
    def validation(self) -> float:
        """Mean squared length of the residual on validation."""


State = TypeVar("State")
Fit = TypeVar("Fit", bound=Candidate)


class Sums(NamedTuple):
    """An additive fit."""

    weight: Float[torch.Tensor, "columns width"]
    """(P, d) of the design's columns."""
    l2: float
    validation: float
    """Mean squared length of the residual on validation."""


def design_of(
    table: Int[torch.Tensor, "scenes labels"],
    sizes: tuple[int, ...],
    *,
    additive: bool = True,
    per_slot: bool = True,
) -> Float[torch.Tensor, "scenes columns"]:
    """(n, P) one column for each value, and one of ones.

    Args:
        table: (n, m * C) labels, slot after slot; column f holds concept f % C.
        sizes: number of values of each concept.
        additive: whether values have columns.
        per_slot: whether the values of each slot have columns of their own.
    """
    ones = torch.ones(len(table), 1, dtype=torch.float64, device=table.device)
    if not additive:
        return ones
    hot = [
        torch.nn.functional.one_hot(table[:, f], sizes[f % len(sizes)])
        for f in range(table.shape[1])
    ]
    firsts = range(0, table.shape[1], len(sizes))
    slots = [torch.cat(hot[first : first + len(sizes)], dim=1) for first in firsts]
    joined = torch.cat(slots, dim=1) if per_slot else torch.stack(slots).sum(dim=0)
    return torch.cat([joined.double(), ones], dim=1)


def fit_sums(
    design: Float[torch.Tensor, "scenes columns"],
    values: Float[torch.Tensor, "scenes width"],
    held_design: Float[torch.Tensor, "held columns"],
    held_values: Float[torch.Tensor, "held width"],
) -> Sums:
    """Ridge regression at every penalty from one eigendecomposition; validation chooses.

    Args:
        design: (n, P) of the train scenes.
        values: (n, d) their scaled embeddings.
        held_design: of the validation scenes.
        held_values: their scaled embeddings.
    """
    gram, moment, n = design.T @ design, design.T @ values, len(values)
    eigenvalues, axes = torch.linalg.eigh(gram)
    fits = []
    for l2 in ADDITIVE_L2:
        weight = axes @ ((axes.T @ moment) / (eigenvalues.clamp_min(0) + l2 * n)[:, None])
        fits.append(Sums(weight, l2, mean_error(held_values - held_design @ weight)))
    return min(fits, key=lambda fit: fit.validation)


def penalised_factor(
    gram: Float[torch.Tensor, "columns columns"], n_sums: int, l2: float, n: int
) -> Float[torch.Tensor, "columns columns"]:
    """Cholesky factor of the Gram matrix of an additive part with features behind it, penalised.

    Args:
        gram: (P + q, P + q), which is changed.
        n_sums: P, columns of the additive part.
        l2: penalty on the features.
        n: scenes.
    """
    gram.diagonal()[:n_sums] += RIDGE * n
    gram.diagonal()[n_sums:] += l2 * n
    factor, failed = torch.linalg.cholesky_ex(gram)
    if failed:
        gram.diagonal()[:] += 1e-10 * gram.diagonal().max()
        factor = torch.linalg.cholesky(gram)
    return factor


def along_penalties(
    first: State, best: Fit, go: Callable[[State, Fit, float], tuple[State, Fit]]
) -> Fit:
    """From the first penalty to smaller ones, then from there to larger ones, while validation
    gains.

    Args:
        first: where the fit at `FIRST_L2` ended.
        best: the best fit on the way there.
        go: from a state and the best fit so far to those at a penalty.
    """
    for path in (SMALLER_L2, LARGER_L2):
        state, worse = first, 0
        for l2 in path:
            before = best.validation
            state, best = go(state, best, l2)
            worse = 0 if best.validation < before else worse + 1
            if worse == PATIENCE or best.validation <= EXACT:
                break
    return best


def mean_error(rest: Float[torch.Tensor, "scenes width"]) -> float:
    """Mean over scenes of the squared length of the residual.

    Args:
        rest: (n, d)
    """
    return float(rest.square().sum(dim=1).mean())
