"""The two objectives of controlled models; each returns a loss and a second one on queries of
single values.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from conceptbind.controlled.data import Batch, Sampler, object_values
from conceptbind.controlled.model import ControlledModel
from conceptbind.controlled.scoring import exchange_first_value

if TYPE_CHECKING:
    from jaxtyping import Bool, Float, Int


Loss = Callable[[ControlledModel, Sampler, Batch, torch.Generator], tuple[Tensor, Tensor]]
NOTHING = -1e4
"""A score that no softmax sees."""


def batch_loss(
    model: ControlledModel, _: Sampler, batch: Batch, __: torch.Generator
) -> tuple[Float[Tensor, ""], Float[Tensor, ""]]:
    """The objective `queries` on a batch of one model."""
    return queries_loss(
        model,
        batch.scenes,
        batch.queries,
        batch.targets,
        batch.concept_targets,
        batch.filler,
        batch.concept_filler,
    )


def queries_loss(
    model: ControlledModel,
    scenes: Sequence[Int[Tensor, "_ _"]],
    queries: Int[Tensor, " queries"],
    targets: Float[Tensor, "scenes queries"],
    concept_targets: Float[Tensor, "scenes concepts values"],
    filler: Bool[Tensor, " queries"],
    concept_filler: Bool[Tensor, "concepts values"],
) -> tuple[Float[Tensor, ""], Float[Tensor, ""]]:
    """Cross-entropy of each scene against object queries, and against the values of each concept
    (mean over concepts).

    Args:
        model: the encoders.
        scenes: (n_j, j) object ids for each number of objects, as in `data.Batch`.
        queries: (Q,) object ids.
        targets: (n, Q) shares.
        concept_targets: (n, C, V) shares.
        filler: (Q,) queries that stand for nothing: no softmax sees them.
        concept_filler: (C, V) values that are no queries.
    """
    sizes = model.shape.sizes
    rows = model.scale() * torch.cat(
        [model.scenes(object_values(group, sizes)) for group in scenes]
    )
    scores = rows @ model.objects(object_values(queries, sizes)).T
    loss = _mean_loss(scores.masked_fill(filler, NOTHING), targets)
    parts = []
    for k, part in enumerate(model.concepts().split(list(sizes))):
        asked = (rows @ part.T).masked_fill(concept_filler[k, : len(part)], NOTHING)
        parts.append(_mean_loss(asked, concept_targets[:, k, : len(part)]))
    return loss, torch.stack(parts).mean()


def _mean_loss(
    scores: Float[Tensor, "scenes queries"], targets: Float[Tensor, "scenes queries"]
) -> Float[Tensor, ""]:
    """The mean cross-entropy of the scenes that hold any of the queries."""
    held = (targets.sum(dim=1) > 0).sum().clamp(min=1)
    return cross_entropy(scores, targets, reduction="none").sum() / held


def scenes_loss(
    model: ControlledModel, sampler: Sampler, batch: Batch, random: torch.Generator
) -> tuple[Float[Tensor, ""], Float[Tensor, ""]]:
    """The objective `scenes`: symmetric cross-entropy of scenes against themselves with their
    objects in another order, and swaps beside them.

    Scenes that hold the same objects are not negatives of each other.
    """
    sizes, device = sampler.sizes, batch.queries.device
    left, right, sets = [], [], []
    widest = max(group.shape[1] for group in batch.scenes)
    for group in batch.scenes:
        order = torch.rand(group.shape, generator=random).to(device).argsort(dim=1)
        left.append(model.scenes(object_values(group, sizes)))
        right.append(
            model.query_tower(
                model.shape.scene_tokens(object_values(group.gather(1, order), sizes))
            )
        )
        sets.append(as_sets(group, widest))
    held = torch.cat(sets)
    same = (held[:, None] == held[None]).all(dim=2).float()
    scores = model.scale() * torch.cat(left) @ torch.cat(right).T
    backwards = cross_entropy(scores.T, same / same.sum(dim=1, keepdim=True))
    targets = same
    if sampler.most_swaps != 0:
        others = [exchanged(group, sampler) for group in batch.scenes if group.shape[1] > 1]
        rows = [
            model.query_tower(model.shape.scene_tokens(object_values(found, sizes)))
            for found in others
            if len(found)
        ]
        if rows:
            beside = model.scale() * torch.cat(left) @ torch.cat(rows).T
            # a swap can be another scene of the batch
            swaps = torch.cat([as_sets(found, widest) for found in others])
            targets = torch.cat([same, (held[:, None] == swaps[None]).all(dim=2).float()], dim=1)
            scores = torch.cat([scores, beside], dim=1)
    forwards = cross_entropy(scores, targets / targets.sum(dim=1, keepdim=True))
    return (forwards + backwards) / 2, forwards.new_zeros(())


def as_sets(group: Int[Tensor, "scenes slots"], widest: int) -> Int[Tensor, "scenes widest"]:
    """(n, widest) ids of a scene's objects in increasing order, then -1: the same for scenes that
    hold the same objects.
    """
    return torch.cat(
        [group.sort(dim=1).values, group.new_full((len(group), widest - group.shape[1]), -1)], dim=1
    )


def exchanged(group: Int[Tensor, "scenes slots"], sampler: Sampler) -> Int[Tensor, "changed slots"]:
    """(n', m) scenes whose first two objects exchanged their first value, where that makes other
    train objects.
    """
    found = exchange_first_value(group, sampler.sizes)
    changed = (found.sort(dim=1).values != group.sort(dim=1).values).any(dim=1)
    return found[changed & sampler.known[found].all(dim=1)]
