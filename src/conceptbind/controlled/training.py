"""Training of one controlled model, which a kill interrupts but does not change."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import torch
from torch import Tensor

from conceptbind.controlled.data import Batch, ObjectSplit, Sampler, draw_objects
from conceptbind.controlled.losses import Loss, batch_loss, scenes_loss
from conceptbind.controlled.model import ControlledModel
from conceptbind.controlled.muon import StackedMuon
from conceptbind.controlled.recipe import Precision, Recipe
from conceptbind.controlled.scoring import (
    all_queries,
    exchange_first_value,
    own_scene,
    recognise,
    replace_first_value,
)
from conceptbind.core.errors import ConceptBindError, ValueRangeError
from conceptbind.core.kept import read_piece, require_same, write_piece

if TYPE_CHECKING:
    from jaxtyping import Float, Shaped


CHECKPOINT = "checkpoint.safetensors"
LOOKED_AT = 512
"""Scenes of validation objects, and of train objects, at every look."""
CLIP = 1.0
"""Largest norm of a gradient."""
ROUND_TO = 64
"""Queries of a batch are filled up to a multiple of this where products are in bfloat16 or
compiled, since kernels are made for each length."""


class DivergedError(ConceptBindError, ArithmeticError):
    """The loss is no longer a number."""


class CompileError(ConceptBindError, RuntimeError):
    """`torch.compile` does not work here."""


@dataclass(frozen=True)
class Look:
    """What was seen at one moment of training."""

    step: int
    loss: float
    """The loss on the objects of the batch (or on its scenes)."""
    concept_loss: float
    train: float
    """Recognition of the objects of scenes of train objects, among all objects; with the objective
    `scenes`, binding accuracy."""
    validation: float
    """The same for scenes of validation objects, which were never trained on."""
    concepts: float
    """Recognition of the hardest concept in scenes of validation objects; with the objective
    `scenes`, concept accuracy."""


@dataclass(frozen=True, eq=False)
class Trained:
    """A model with the weights that were best on validation objects."""

    recipe: Recipe
    model: ControlledModel
    history: tuple[Look, ...]
    best: Look


def train(
    recipe: Recipe,
    folder: Path | None = None,
    *,
    device: str = "cpu",
    compiled: bool = False,
    on_look: Callable[[Look], None] = lambda _: None,
    on_step: Callable[[int], None] = lambda _: None,
    on_model: Callable[[ControlledModel, int], object] = lambda *_: None,
) -> Trained:
    """Train one model.

    Args:
        recipe: what decides the weights.
        folder: where the state is kept at every look, so that a killed run continues to the same
            weights; None keeps nothing.
        device: where torch computes, batches included; their random numbers are the CPU's, so that
            one seed means the same everywhere.
        compiled: pass both encoders to `torch.compile`.
        on_look: called with what is seen of validation objects.
        on_step: called with the number of steps taken since the last call.
        on_model: called with the model and its step, before the first step and at every look.

    Raises:
        ValueRangeError: the coverage leaves no train or test objects.
        MismatchError: the folder holds the state of another recipe.
        FileError: the state is broken.
        DivergedError: the loss is no longer finite.
        CompileError: `torch.compile` does not work here.
    """
    run = Run(
        recipe,
        folder,
        device,
        on_look,
        on_step,
        round_to=ROUND_TO if compiled or recipe.precision == "bf16" else 1,
    )
    loss_of: Loss = scenes_loss if recipe.objective == "scenes" else batch_loss
    if compiled:
        loss_of = _compiled(loss_of)
    on_model(run.model, run.state.step)
    while not run.done:
        look_at = run.next_look
        for step in range(run.state.step, look_at):
            batch = run.sampler.draw(run.state.random)
            with precision_of(recipe, device):
                loss, concept_loss = loss_of(run.model, run.sampler, batch, run.state.random)
            for optimiser in run.state.optimisers:
                optimiser.zero_grad()
            (loss + recipe.concept_weight * concept_loss).backward()
            torch.nn.utils.clip_grad_norm_(run.model.parameters(), CLIP)
            set_rates(run.state.optimisers, run.state.rates, recipe.rate_at(step))
            for optimiser in run.state.optimisers:
                optimiser.step()
            on_step(1)
        run.look(look_at, loss, concept_loss)
        on_model(run.model, look_at)
    return run.finish()


class Run:
    """One model in training: everything but its steps.

    Args:
        recipe: see `train`, as all others.
        folder: of the state.
        device: where torch computes.
        on_look: called with what is seen.
        on_step: called with the steps that an earlier process took.
        round_to: queries of a batch are filled up to a multiple.
    """

    def __init__(
        self,
        recipe: Recipe,
        folder: Path | None,
        device: str,
        on_look: Callable[[Look], None],
        on_step: Callable[[int], None],
        round_to: int = 1,
    ) -> None:
        self.recipe, self.folder, self.on_look = recipe, folder, on_look
        self.split, shape = recipe.split(), recipe.shape
        with torch.random.fork_rng():
            torch.manual_seed(recipe.seed)
            self.model = ControlledModel(shape, recipe.hottest, recipe.scale).to(device)
        self.sampler = Sampler(
            shape.sizes,
            self.split.train.to(device),
            shape.most_objects,
            recipe.batch,
            **recipe.queried,
            round_to=round_to,
        )
        eyes = torch.Generator().manual_seed(recipe.seed + 1)
        self.known, self.new = (
            draw_objects(part, LOOKED_AT, shape.most_objects, eyes)
            for part in (self.split.train, self.split.validation)
        )
        self.state = _State(recipe, self.model, torch.Generator().manual_seed(recipe.seed))
        self.moments = {
            round(recipe.steps * (look + 1) / recipe.looks) for look in range(recipe.looks)
        }
        if folder is not None and (folder / CHECKPOINT).is_file():
            self.state.load(folder / CHECKPOINT)
            on_step(self.state.step)
            for look in self.state.history:
                on_look(look)

    @property
    def done(self) -> bool:
        """Whether all steps are taken, or validation objects are recognised well enough."""
        best = self.state.best
        return self.state.step >= self.recipe.steps or (
            best is not None and best.validation >= self.recipe.enough
        )

    @property
    def next_look(self) -> int:
        """The number of steps after which validation objects are looked at next."""
        return min(moment for moment in self.moments if moment > self.state.step)

    def look(self, step: int, loss: Float[Tensor, ""], concept_loss: Float[Tensor, ""]) -> None:
        """Look at validation objects after so many steps, and keep what is seen with the state."""
        self.state.step = step
        values = float(loss.detach()), float(concept_loss.detach())
        try:
            if not all(map(math.isfinite, values)):
                raise ValueRangeError("its loss is no longer a number")
            look = Look(
                step, *values, *_seen(self.recipe, self.model, self.split, self.known, self.new)
            )
        except ValueRangeError as error:  # of scores that are not finite
            raise DivergedError(
                f"the model of {self.recipe.sizes_name} values, coverage {self.recipe.coverage:g} "
                f"and seed {self.recipe.seed} diverged after "
                f"{step} steps ({error}); use a lower rate"
            ) from error
        self.state.see(look)
        self.on_look(look)
        if self.folder is not None:
            self.state.save(self.folder / CHECKPOINT)

    def finish(self) -> Trained:
        """The model with its best weights."""
        assert self.state.best is not None
        self.model.load_state_dict(self.state.best_weights)
        return Trained(self.recipe, self.model.eval(), tuple(self.state.history), self.state.best)


def _seen(
    recipe: Recipe, model: ControlledModel, split: ObjectSplit, known: Tensor, new: Tensor
) -> tuple[float, float, float]:
    """What `Look` holds of train and validation scenes."""
    sizes = recipe.shape.sizes
    if recipe.objective == "scenes":
        swapped, eyes = [], torch.Generator().manual_seed(recipe.seed)
        for scenes in (known, new):
            other = exchange_first_value(scenes, sizes)
            rows = (other.sort(dim=1).values != scenes.sort(dim=1).values).any(dim=1)
            swapped.append(
                float(own_scene(model, scenes[rows], other[rows], by_queries=True)[0].mean())
                if rows.any()
                else 0.0
            )
        return (
            swapped[0],
            swapped[1],
            float(
                own_scene(model, new, replace_first_value(new, sizes, eyes), by_queries=True)[
                    0
                ].mean()
            ),
        )
    queries = all_queries(model, split)
    concepts = min(recognise(model, queries, new, k).accuracy for k in range(len(sizes)))
    return (
        recognise(model, queries, known).accuracy,
        recognise(model, queries, new).accuracy,
        concepts,
    )


def _compiled(loss_of: Loss) -> Loss:
    """The loss through `torch.compile`."""
    from torch._dynamo.exc import BackendCompilerFailed

    fast: Loss = torch.compile(loss_of)

    def found(
        model: ControlledModel, sampler: Sampler, batch: Batch, random: torch.Generator
    ) -> tuple[Tensor, Tensor]:
        try:
            return fast(model, sampler, batch, random)
        except BackendCompilerFailed as error:
            reason = str(error).strip().splitlines()[0]
            raise CompileError(
                f"torch.compile failed ({reason}); on a CPU it needs a C++ compiler; train without "
                "--compiled"
            ) from error

    return found


def precision_of(recipe: Recipe, device: str) -> torch.autocast:
    """A context in which products are computed in the precision of a recipe."""
    return torch.autocast(
        torch.device(device).type, torch.bfloat16, enabled=recipe.precision == "bf16"
    )


def choose_precision(asked: Literal["auto", "float32", "bf16"], device: str) -> Precision:
    """bf16 where the device has units for its products (GPUs; processors with AMX), unless another
    precision is asked for.

    Args:
        asked: the precision that was asked for.
        device: a device of torch.
    """
    if asked != "auto":
        return asked
    kind = torch.device(device).type
    if kind == "cuda":
        return "bf16" if torch.cuda.is_bf16_supported() else "float32"
    abilities: Mapping[str, Any] = getattr(torch.cpu, "get_capabilities", dict)()
    return "bf16" if kind == "cpu" and abilities.get("amx_bf16") else "float32"


def optimisers(
    recipe: Recipe,
    named: Mapping[str, Shaped[Tensor, " ..."]],
    muon: Callable[..., torch.optim.Optimizer] | None = None,
) -> list[torch.optim.Optimizer]:
    """AdamW, and Muon for the matrices of the blocks where the recipe asks for it.

    Args:
        recipe: of the rates.
        named: parameters.
        muon: what makes the second; torch's own where it has one (from 2.9 on), else ours for one
            matrix.
    """
    matrices = {
        name
        for name in named
        if recipe.optimiser == "muon"
        and ".blocks." in name
        and name.endswith(".weight")
        and "norm" not in name
    }
    rest = [value for name, value in named.items() if name not in matrices]
    found: list[torch.optim.Optimizer] = [
        torch.optim.AdamW(rest, lr=recipe.rate, weight_decay=recipe.weight_decay, fused=True)
    ]
    if matrices:
        chosen = [value for name, value in named.items() if name in matrices]
        make = muon if muon is not None else getattr(torch.optim, "Muon", StackedMuon)
        found.append(make(chosen, lr=recipe.matrix_rate, weight_decay=recipe.weight_decay))
    return found


def set_rates(
    optimisers: Sequence[torch.optim.Optimizer], largest: Sequence[float], share: float
) -> None:
    """Give each optimiser a share of its largest learning rate."""
    for optimiser, rate in zip(optimisers, largest, strict=True):
        for group in optimiser.param_groups:
            group["lr"] = rate * share


class _State:
    """All that a continued run needs: weights, moments of the optimisers, random numbers, what was
    seen, the best weights.
    """

    def __init__(self, recipe: Recipe, model: ControlledModel, random: torch.Generator) -> None:
        self.recipe, self.model, self.random = recipe, model, random
        self.optimisers = optimisers(recipe, dict(model.named_parameters()))
        self.rates = [recipe.rate, recipe.matrix_rate][: len(self.optimisers)]
        self.step = 0
        self.history: list[Look] = []
        self.best: Look | None = None
        self.best_weights: dict[str, Tensor] = {}

    def see(self, look: Look) -> None:
        """Note a look, and the weights where they are the best so far."""
        self.history.append(look)
        if self.best is None or (look.validation, look.concepts) >= (
            self.best.validation,
            self.best.concepts,
        ):
            self.best = look
            self.best_weights = {
                name: value.detach().clone() for name, value in self.model.state_dict().items()
            }

    def save(self, path: Path) -> None:
        """Write everything to one file, whole or not at all."""
        tensors = {
            f"model.{name}": value
            for name, value in self.model.without_twin(self.model.state_dict()).items()
        }
        tensors |= {
            f"best.{name}": value
            for name, value in self.model.without_twin(self.best_weights).items()
        }
        for number, optimiser in enumerate(self.optimisers):
            for parameter, moments in optimiser.state_dict()["state"].items():
                tensors |= {
                    f"optimiser.{number}.{parameter}.{name}": torch.as_tensor(value)
                    for name, value in moments.items()
                }
        tensors["random"] = self.random.get_state()
        facts = {
            "recipe": self.recipe.flat(),
            "step": self.step,
            "history": [vars(look) for look in self.history],
            "best": vars(self.best),
        }
        arrays = {name: value.detach().cpu().numpy() for name, value in tensors.items()}
        write_piece(path, arrays, facts)

    def load(self, path: Path) -> None:
        """Read what `save` wrote.

        Raises:
            MismatchError: it belongs to another recipe; each difference is named.
            FileError: it is truncated or damaged, or not such a file.
        """
        piece = read_piece(path, "delete it to train again from the start")
        tensors = {name: torch.tensor(array) for name, array in piece.arrays.items()}
        require_same(
            piece.facts.get("recipe", {}),
            self.recipe.flat(),
            place=path,
            holds="the state of another training",
        )

        def part(prefix: str) -> dict[str, Tensor]:
            return {
                name.removeprefix(prefix): value
                for name, value in tensors.items()
                if name.startswith(prefix)
            }

        self.model.load_state_dict(self.model.with_twin(part("model.")))
        self.best_weights = {
            name: value.to(self.model.log_scale.device)
            for name, value in self.model.with_twin(part("best.")).items()
        }
        for number, optimiser in enumerate(self.optimisers):
            moments: dict[int, dict[str, Any]] = {}
            for name, value in part(f"optimiser.{number}.").items():
                parameter, _, moment = name.partition(".")
                moments.setdefault(int(parameter), {})[moment] = value
            optimiser.load_state_dict(
                {"state": moments, "param_groups": optimiser.state_dict()["param_groups"]}
            )
        self.random.set_state(tensors["random"])
        self.step = int(piece.facts["step"])
        self.history = [Look(**look) for look in piece.facts["history"]]
        self.best = Look(**piece.facts["best"])
