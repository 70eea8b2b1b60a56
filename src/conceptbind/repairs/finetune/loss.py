"""LABCLIP's contrastive loss of features that carry gradients; `labclip.loss` has the same with the
gradient written out.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch.nn import functional

from conceptbind.repairs.labclip.loss import NO_COMPARISON

if TYPE_CHECKING:
    from jaxtyping import Bool, Float
    from torch import Tensor


def contrastive(
    images: Float[Tensor, "pairs width"],
    texts: Float[Tensor, "captions width"],
    log_temperature: Float[Tensor, ""],
    same: Bool[Tensor, "pairs captions"],
) -> Float[Tensor, ""]:
    """Pictures among 2 B captions and negatives, captions among B pictures (arXiv 2502.03566,
    section 5).

    L = 1/2 mean_i CE(S_i over captions and negatives) + 1/2 mean_i CE(S over pictures, for caption
    i), S_ij = exp(t) cos(x_i, y_j)

    Args:
        images: (B, d) features, of any length.
        texts: (2 B, d) features of the captions, then of their negatives.
        log_temperature: t.
        same: (B, 2 B) what is not a comparison: caption or negative j says of picture i what its
            own caption says.
    """
    b, own = len(images), torch.arange(len(images), device=images.device)
    cosines = functional.normalize(images, dim=1) @ functional.normalize(texts, dim=1).T
    scores = (log_temperature.exp() * cosines).masked_fill(same, NO_COMPARISON)
    return (
        functional.cross_entropy(scores, own) + functional.cross_entropy(scores[:, :b].T, own)
    ) / 2
