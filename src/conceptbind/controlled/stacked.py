"""Many models trained at once: weights and moments stacked, one call for all models in forward
pass, backward pass and update.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from conceptbind.controlled.data import StackedSampler
from conceptbind.controlled.losses import queries_loss
from conceptbind.controlled.model import ControlledModel
from conceptbind.controlled.muon import StackedMuon
from conceptbind.controlled.recipe import Recipe
from conceptbind.controlled.training import (
    CLIP,
    ROUND_TO,
    Look,
    Run,
    Trained,
    optimisers,
    precision_of,
    set_rates,
)
from conceptbind.core.errors import ValueRangeError

if TYPE_CHECKING:
    from jaxtyping import Shaped


Moments = Mapping[str, Tensor]
"""What an optimiser keeps of one weight, by name: `step` is a count, the others have its shape."""


def train_stacked(
    recipes: Sequence[Recipe],
    folders: Sequence[Path | None] | None = None,
    *,
    device: str = "cpu",
    on_look: Callable[[int, Look], None] = lambda _, __: None,
    on_step: Callable[[int], None] = lambda _: None,
) -> list[Trained]:
    """Train models that differ in coverage and seed only; each as `train` would, but for rounding.

    Objects, random numbers, looks and states are those of each model. From one look to the next the
    models are one stack; those that are done leave it, and after a kill those that are behind catch
    up first. It is faster where a device waits for small products to be launched (`docs/speed.md`).

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
    if not recipes or any(
        recipe.objective != "queries" or not same_but_data(recipe, recipes[0]) for recipe in recipes
    ):
        raise ValueRangeError(
            "models that are trained at once must have the objective 'queries' and differ in "
            "coverage and seed only"
        )
    places = [None] * len(recipes) if folders is None else list(folders)

    def told(number: int) -> Callable[[Look], None]:
        return lambda look: on_look(number, look)

    runs = [
        Run(recipe, place, device, told(i), on_step)
        for i, (recipe, place) in enumerate(zip(recipes, places, strict=True))
    ]
    while active := [run for run in runs if not run.done]:
        first = min(run.state.step for run in active)
        together = [run for run in active if run.state.step == first]
        stack, look_at = _Stack(together, device), together[0].next_look
        for step in range(first, look_at):
            losses = stack.step(step)
            on_step(len(together))
        stack.give_back()
        for run, loss, concept_loss in zip(together, *losses, strict=True):
            run.look(look_at, loss, concept_loss)
    return [run.finish() for run in runs]


def same_but_data(one: Recipe, other: Recipe) -> bool:
    """Whether two recipes differ in coverage and seed only.

    Args:
        one: a recipe.
        other: another one.
    """
    return replace(one, coverage=other.coverage, seed=other.seed) == other


class _Stack:
    """The weights and moments of E models at the same step, as single tensors with E in front."""

    def __init__(self, runs: Sequence[Run], device: str) -> None:
        self.runs, self.device, self.recipe = runs, device, runs[0].recipe
        shape = self.recipe.shape
        self.sampler = StackedSampler(
            shape.sizes,
            [run.sampler.train for run in runs],
            shape.most_objects,
            self.recipe.batch,
            **self.recipe.queried,
            round_to=ROUND_TO,
        )
        named = [dict(run.model.named_parameters()) for run in runs]
        self.weights: dict[str, Tensor] = {}
        for name in named[0]:
            together = torch.stack([weights[name].detach() for weights in named])
            self.weights[name] = together.requires_grad_()
        self.optimisers = optimisers(self.recipe, self.weights, StackedMuon)
        for number, optimiser in enumerate(self.optimisers):
            moments = [run.state.optimisers[number].state_dict()["state"] for run in runs]
            joined = {i: _joined(moments, i) for i in moments[0]}
            optimiser.load_state_dict(
                {"state": joined, "param_groups": optimiser.state_dict()["param_groups"]}
            )
        frame = _Losses(deepcopy(runs[0].model))  # its own weights are never read

        def losses(weights: dict[str, Tensor], *data: Tensor) -> tuple[Tensor, Tensor]:
            named = {f"model.{name}": weight for name, weight in weights.items()}
            found: tuple[Tensor, Tensor] = torch.func.functional_call(frame, named, data)
            return found

        self.losses = torch.vmap(losses)

    def step(self, step: int) -> tuple[Tensor, Tensor]:
        """One step of all models; their losses, (E,) each."""
        batch = self.sampler.draw([run.state.random for run in self.runs])
        with precision_of(self.recipe, self.device):
            loss, concept_loss = self.losses(
                self.weights,
                batch.queries,
                batch.targets,
                batch.concept_targets,
                batch.filler,
                batch.concept_filler,
                *batch.scenes,
            )
        for weight in self.weights.values():
            weight.grad = None
        (loss + self.recipe.concept_weight * concept_loss).sum().backward()
        clip_each(list(self.weights.values()), CLIP)
        set_rates(self.optimisers, self.runs[0].state.rates, self.recipe.rate_at(step))
        for optimiser in self.optimisers:
            optimiser.step()
        return loss, concept_loss

    @torch.no_grad()
    def give_back(self) -> None:
        """Copy weights and moments to the models that they came from."""
        for e, run in enumerate(self.runs):
            for name, weight in run.model.named_parameters():
                weight.copy_(self.weights[name][e])
            for ours, theirs in zip(self.optimisers, run.state.optimisers, strict=True):
                content = ours.state_dict()
                moments = {i: _parted(joined, e) for i, joined in content["state"].items()}
                theirs.load_state_dict(
                    {"state": moments, "param_groups": theirs.state_dict()["param_groups"]}
                )


def _joined(models: Sequence[Mapping[int, Moments]], weight: int) -> dict[str, Tensor]:
    """The moments of one weight of E models with E in front; their step is the same."""
    joined = {}
    for name, value in models[0][weight].items():
        if name == "step":
            joined[name] = value
        else:
            joined[name] = torch.stack([moments[weight][name] for moments in models])
    return joined


def _parted(joined: Moments, model: int) -> dict[str, Tensor]:
    """The moments of one weight of one model, copied."""
    return {
        name: value.clone() if name == "step" else value[model].clone()
        for name, value in joined.items()
    }


class _Losses(nn.Module):
    """The loss as the forward pass of a module, which is what can be called with other weights."""

    def __init__(self, model: ControlledModel) -> None:
        super().__init__()
        self.model = model

    def forward(
        self,
        queries: Tensor,
        targets: Tensor,
        concept_targets: Tensor,
        filler: Tensor,
        concept_filler: Tensor,
        *scenes: Tensor,
    ) -> tuple[Tensor, Tensor]:
        """See `queries_loss`."""
        of = (queries, targets, concept_targets, filler, concept_filler)
        return queries_loss(self.model, scenes, *of)


@torch.no_grad()
def clip_each(weights: Sequence[Shaped[Tensor, " ..."]], most: float) -> None:
    """Shrink the gradients (E, ...) of each of E models to a norm of at most `most`, as
    `torch.nn.utils.clip_grad_norm_` does for one.
    """
    grads = [weight.grad for weight in weights if weight.grad is not None]
    squares = torch.stack([grad.reshape(len(grad), -1).square().sum(dim=1) for grad in grads]).sum(
        dim=0
    )
    share = (most / (squares.sqrt() + 1e-6)).clamp(max=1.0)
    for grad in grads:
        grad.mul_(share.view(-1, *[1] * (grad.ndim - 1)))
