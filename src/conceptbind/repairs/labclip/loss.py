"""The contrastive loss of LABCLIP and its gradient, written out: a few matrix products and no
graph.

With unit pictures x_i, captions and negatives y_j, V_j = A y_j / |A y_j| and S_ij = exp(t) x_i V_j
(arXiv 2502.03566, section 5):

    L = 1/2 mean_i CE(S_i over captions and negatives) + 1/2 mean_i CE(S over pictures, for caption
    i).                          (1)
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from jaxtyping import Float, Int

    from conceptbind.repairs.labclip.pairs import Batch

NO_COMPARISON = -1e4
"""Score of what is not a comparison: its share of a softmax is zero, and nothing becomes NaN."""


@dataclass(frozen=True)
class Step:
    """The loss at one place and its slope."""

    loss: float
    weight: Float[torch.Tensor, "width_out width_in"]
    """(d_out, d_in) gradient with respect to A."""
    log_temperature: float
    """Gradient with respect to t."""


def loss_and_gradient(
    weight: Float[torch.Tensor, "width_out width_in"], log_temperature: float, batch: Batch
) -> Step:
    """Equation (1) and its gradient with respect to A (d_out, d_in) and t.

    Products are made of the different rows of the batch, and their scores are dealt to the table of
    (B, c) scores, c = (1 + k) B.
    """
    few = batch.distinct
    x, y = (batch.images, batch.texts) if few is None else (few.images, few.texts)
    b, temperature = len(batch.images), math.exp(log_temperature)
    own = torch.arange(b, device=x.device)
    mapped = y @ weight.T
    length = mapped.norm(dim=1, keepdim=True).clamp_min(1e-12)
    v = mapped / length
    scores = temperature * (x @ v.T)
    if few is not None:
        scores = scores[few.image_of].index_select(1, few.text_of)
    scores[batch.same] = NO_COMPARISON
    to_text, to_image = scores.log_softmax(1), scores[:, :b].log_softmax(0)
    loss = -(to_text[own, own].mean() + to_image[own, own].mean()) / 2
    slope = to_text.exp_()  # dL/dS, scaled below
    slope[:, :b] += to_image.exp_()
    slope[own, own] -= 2
    slope /= 2 * b
    d_temperature = float((slope * scores).sum())
    if few is not None:
        by_image = slope.new_zeros(len(x), slope.shape[1]).index_add_(0, few.image_of, slope)
        slope = slope.new_zeros(len(x), len(y)).index_add_(1, few.text_of, by_image)
    d_v = temperature * (slope.T @ x)
    d_mapped = (d_v - v * (v * d_v).sum(1, keepdim=True)) / length
    return Step(float(loss), d_mapped.T @ y, d_temperature)


def loss_only(
    weight: Float[torch.Tensor, "width_out width_in"],
    log_temperatures: Float[torch.Tensor, " temperatures"],
    batch: Batch,
) -> Float[torch.Tensor, " temperatures"]:
    """(k,) equation (1) at several temperatures t (k,)."""
    v = torch.nn.functional.normalize(batch.texts @ weight.T, dim=1)
    return loss_of_cosines(batch.images @ v.T, log_temperatures, batch.same)


def loss_of_cosines(
    cosines: Float[torch.Tensor, "pairs captions"],
    log_temperatures: Float[torch.Tensor, " temperatures"],
    same: tuple[Int[torch.Tensor, " compared"], Int[torch.Tensor, " compared"]],
) -> Float[torch.Tensor, " temperatures"]:
    """(k,) equation (1) at several temperatures, of cosines that are there.

    Args:
        cosines: (B, c) of pictures with captions, and behind them their negatives.
        log_temperatures: (k,) t.
        same: rows and columns that are not compared.
    """
    b = len(cosines)
    own = torch.arange(b, device=cosines.device)
    found = []
    for temperature in log_temperatures.exp():
        scores = temperature * cosines
        scores[same] = NO_COMPARISON
        found.append(
            -(
                scores.log_softmax(1)[own, own].mean()
                + scores[:, :b].log_softmax(0)[own, own].mean()
            )
            / 2
        )
    return torch.stack(found)
