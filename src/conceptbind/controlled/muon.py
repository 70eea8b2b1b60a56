"""Muon for stacks of matrices: what `torch.optim.Muon` does for each, in one call for all."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

if TYPE_CHECKING:
    from jaxtyping import Float, Shaped


QUINTIC = (3.4445, -4.7750, 2.0315)
"""Coefficients of a step towards the nearest orthogonal matrix, and of Keller Jordan, "Muon"
(2024), as in torch."""
STEPS = 5


class StackedMuon(torch.optim.Optimizer):
    """Momentum whose matrices are made nearly orthogonal; parameters are matrices or stacks (E,
    rows, columns) of them.

    Args:
        params: the stacks.
        lr: learning rate.
        weight_decay: decoupled, times the learning rate.
        momentum: of the gradients, in Nesterov's form.
    """

    def __init__(
        self,
        params: Iterable[Shaped[Tensor, " ..."]],
        lr: float = 1e-3,
        weight_decay: float = 0.1,
        momentum: float = 0.95,
    ) -> None:
        super().__init__(params, {"lr": lr, "weight_decay": weight_decay, "momentum": momentum})

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> None:  # type: ignore[override]
        """One update; closures are not called."""
        for group in self.param_groups:
            for stack in group["params"]:
                if stack.grad is None:
                    continue
                state: dict[str, Any] = self.state[stack]
                if not state:
                    state["momentum_buffer"] = torch.zeros_like(stack.grad)
                moment = state["momentum_buffer"].lerp_(stack.grad, 1 - group["momentum"])
                update = orthogonalised(stack.grad.lerp(moment, group["momentum"]))
                rows, columns = stack.shape[-2:]
                stack.mul_(1 - group["lr"] * group["weight_decay"])
                stack.add_(update, alpha=-group["lr"] * math.sqrt(max(1.0, rows / columns)))


def orthogonalised(
    stack: Float[Tensor, "*matrices rows columns"],
) -> Float[Tensor, "*matrices rows columns"]:
    """(E, rows, columns) matrices, or one: the singular vectors of those given, singular values
    near one.

    By Newton-Schulz steps in bfloat16.
    """
    if stack.dim() == 2:
        return orthogonalised(stack[None])[0]
    a, b, c = QUINTIC
    tall = stack.shape[-2] > stack.shape[-1]
    x = stack.bfloat16()
    x = x.mT if tall else x
    x = x / x.norm(dim=(-2, -1), keepdim=True).clamp_min(1e-7)
    for _ in range(STEPS):
        gram = x @ x.mT
        x = torch.baddbmm(x, torch.baddbmm(gram, gram, gram, beta=b, alpha=c), x, beta=a)
    return x.mT if tall else x
