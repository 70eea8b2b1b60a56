"""Many models trained at once: their weights stacked, one call for all of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from copy import deepcopy
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn.functional import pad

from conceptbind.controlled.data import Batch
from conceptbind.controlled.model import ControlledModel
from conceptbind.controlled.recipe import Recipe
from conceptbind.controlled.training import Look, Run, Trained, half_precision, queries_loss
from conceptbind.errors import ValueRangeError


def train_stacked(
    recipes: Sequence[Recipe], folders: Sequence[Path | None] | None = None, *, device: str = "cpu",
    on_look: Callable[[int, Look], None] = lambda _, __: None, on_step: Callable[[int], None] = lambda _: None,
) -> list[Trained]:  # fmt: skip
    """Train models that differ in coverage and seed only; each as `train` would, but for rounding.

    Batches, optimisers, looks and states are those of each model; forward and backward passes are one for all. Where a device is busy with
    launching small products that is faster (see `docs/speed.md`); models that are done leave the stack.

    Args:
        recipes: of the objective `queries`, equal but for coverage and seed.
        folders: of each model's state, see `train`.
        device: where torch computes.
        on_look: called with the number of the model and what was seen.
        on_step: called with the number of steps taken by all models together.

    Raises:
        ValueRangeError: the recipes differ in more, or have another objective.
        DivergedError, FileError, MismatchError: see `train`.
    """
    if not recipes or any(recipe.objective != "queries" or not same_but_data(recipe, recipes[0]) for recipe in recipes):
        raise ValueRangeError(
            "models that are trained at once must have the objective 'queries' and differ in coverage and seed only"
        )
    places = [None] * len(recipes) if folders is None else list(folders)

    def told(number: int) -> Callable[[Look], None]:
        return lambda look: on_look(number, look)

    runs = [Run(recipe, place, device, told(i), on_step) for i, (recipe, place) in enumerate(zip(recipes, places, strict=True))]
    one = _Losses(deepcopy(runs[0].model))  # a frame for the stacked weights, which does not outlive them

    def losses(weights: dict[str, Tensor], *data: Tensor) -> tuple[Tensor, Tensor]:
        found: tuple[Tensor, Tensor] = torch.func.functional_call(one, weights, data)
        return found

    together = torch.vmap(losses)
    while active := [run for run in runs if not run.done]:
        weights = _stacked([_Losses(run.model) for run in active])
        with half_precision(device):
            loss, concept_loss = together(weights, *_joined([run.draw() for run in active]))
        for run in active:
            run.forget()
        (loss + recipes[0].concept_weight * concept_loss).sum().backward()
        for run, mine, concepts in zip(active, loss, concept_loss, strict=True):
            run.update(mine, concepts)
    return [run.finish() for run in runs]


def same_but_data(one: Recipe, other: Recipe) -> bool:
    """Whether two recipes differ in coverage and seed only."""
    return replace(one, coverage=other.coverage, seed=other.seed) == other


class _Losses(nn.Module):
    """The loss as the forward pass of a module, which is what can be called with other weights."""

    def __init__(self, model: ControlledModel) -> None:
        super().__init__()
        self.model = model

    def forward(
        self, queries: Tensor, targets: Tensor, concept_targets: Tensor, filler: Tensor, *scenes: Tensor
    ) -> tuple[Tensor, Tensor]:
        """See `queries_loss`."""
        return queries_loss(self.model, scenes, queries, targets, concept_targets, filler)


def _stacked(modules: Sequence[nn.Module]) -> dict[str, Tensor]:
    """(E, ...) weights by name; gradients flow back to those of each module."""
    named = [dict(module.named_parameters()) for module in modules]
    return {name: torch.stack([weights[name] for weights in named]) for name in named[0]}


def _joined(batches: Sequence[Batch]) -> tuple[Tensor, ...]:
    """The batches of E models as the arguments of `_Losses`, each with E in front; queries are filled up to the longest."""
    longest = max(len(batch.queries) for batch in batches)
    missing = [longest - len(batch.queries) for batch in batches]
    queries = torch.stack([pad(batch.queries, (0, n)) for batch, n in zip(batches, missing, strict=True)])
    targets = torch.stack([pad(batch.targets, (0, n)) for batch, n in zip(batches, missing, strict=True)])
    filler = torch.stack([torch.arange(longest, device=queries.device) >= len(batch.queries) for batch in batches])
    concepts = torch.stack([batch.concept_targets for batch in batches])
    return queries, targets, concepts, filler, *map(torch.stack, zip(*(batch.scenes for batch in batches), strict=True))
