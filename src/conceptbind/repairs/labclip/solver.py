"""Two ways to fit LABCLIP's matrix: Adam as published, and Adam along the principal axes of the
rows.

Embeddings are long in few directions and short in most, and binding often stands in the short ones.
Adam divides each entry of a gradient by its own running size, which helps only where the entries
are those of such directions. So the second way turns pictures and captions into their principal
axes, takes Adam's steps there, and turns A back (Shampoo's axes, which SOAP estimates while it
runs, are here known before the first step, from the rows). With the temperature
started where the identity's loss is least and a rate that falls to zero: one pass over the pairs
does what the published settings do not reach in ten (`bench/labclip.py`).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from conceptbind.metrics.choices import forced_choice
from conceptbind.repairs.labclip.loss import loss_and_gradient, loss_only

if TYPE_CHECKING:
    from jaxtyping import Float, Int

    from conceptbind.core.typing import Ints
    from conceptbind.repairs.labclip.pairs import Batch, Pairs

HOTTEST = math.log(100)
"""Largest t, as CLIP clamps it; the same when training and when scoring."""
AXES_FROM = 16_384
"""Rows that the principal axes are taken from."""
JUDGED = 4_096
"""Validation pairs that the loss is judged on."""
BETAS, EPSILON = (0.9, 0.99), 1e-8
CHECKS = 10
"""How often the quick solver asks validation on its way."""
FEWEST_STEPS = 100
"""Steps of the quick solver where one pass over the pairs has fewer."""


@dataclass(frozen=True, eq=False)
class Candidate:
    """A place that a fit has reached, and what validation says of it."""

    weight: Float[torch.Tensor, "width_out width_in"]
    """(d_out, d_in)"""
    log_temperature: float
    """That temperature, t."""
    step: int
    """Gradient steps until here; 0 is the identity."""
    loss: float
    """The loss on validation pairs, at the temperature where it is least."""
    binding: float | None
    """Share of comparisons with a negative, on validation, in which the caption scores strictly
    above it; None without negatives."""


class Judge:
    """Validation pairs, batched once."""

    def __init__(self, pairs: Pairs, batch: int, seed: int, device: str = "cpu") -> None:
        rows = np.random.default_rng(seed).permutation(len(pairs))[:JUDGED]
        self.batches: list[Batch] = [
            pairs.batch(part, device) for part in split_evenly(rows, batch)
        ]
        self.has_negatives = pairs.negatives is not None
        self._near = 0.0  # the temperature of the place judged last

    def identity(self, weight: Float[torch.Tensor, "width_out width_in"]) -> Candidate:
        """What validation says of no repair."""
        return self._judged(weight, torch.linspace(0, HOTTEST, 24, device=weight.device), 0)

    def __call__(
        self, weight: Float[torch.Tensor, "width_out width_in"], log_temperature: float, step: int
    ) -> Candidate:
        """What validation says of a place."""
        ladder = torch.tensor(
            [log_temperature, *(self._near + part for part in (-0.4, -0.2, 0.0, 0.2, 0.4))],
            device=weight.device,
        )
        return self._judged(weight, ladder.clamp(max=HOTTEST), step)

    def _judged(self, weight: torch.Tensor, ladder: torch.Tensor, step: int) -> Candidate:
        """A place at the temperature that serves it best: the identity has none of its own, and
        published settings learn it slowly.
        """
        losses = self._mean([loss_only(weight, ladder, batch) for batch in self.batches])
        at = int(losses.argmin())
        self._near = float(ladder[at])
        return Candidate(weight.clone(), self._near, step, float(losses[at]), self._binding(weight))

    def _mean(self, losses: list[torch.Tensor]) -> torch.Tensor:
        sizes = torch.tensor(
            [float(len(batch.images)) for batch in self.batches], device=losses[0].device
        )
        return (torch.stack(losses, dim=1) * sizes).sum(1) / sizes.sum()

    def _binding(self, weight: torch.Tensor) -> float | None:
        if not self.has_negatives:
            return None
        right = []
        for batch in self.batches:
            texts = torch.nn.functional.normalize(batch.texts @ weight.T, dim=1)
            true, *false = (
                (batch.images * part).sum(1).cpu().numpy()
                for part in texts.split(len(batch.images))
            )
            right += [forced_choice(true, scores, 1.0)[0] for scores in false]
        return float(np.concatenate(right).mean())


@dataclass(frozen=True)
class Course:
    """How a solver goes over the pairs."""

    rate: float
    """Learning rate of the steps; where it falls, the highest."""
    batch: int
    """Pairs of a step."""
    epochs: int
    """Passes over the pairs."""
    seed: int
    """Seed of the batches."""
    device: str = "cpu"
    on_step: Callable[[int, int], None] = lambda done, total: None
    """Called with steps done and steps in all."""

    def batches(self, pairs: Pairs, rng: np.random.Generator) -> list[Int[Ints, " _"]]:
        """Rows of one pass, in a new order."""
        return split_evenly(rng.permutation(len(pairs)), self.batch)

    def steps(self, pairs: Pairs) -> int:
        """Steps of one pass."""
        return len(split_evenly(np.arange(len(pairs)), self.batch))


def published(pairs: Pairs, judge: Judge, course: Course) -> Iterator[Candidate]:
    """Adam from the identity and t = 0 at a constant rate, one candidate an epoch (arXiv
    2502.03566, section 5 and appendix).
    """
    rng, adam = np.random.default_rng(course.seed), _Adam(betas=(0.9, 0.999))
    weight, t = _eye(pairs, course.device), 0.0
    per_epoch = course.steps(pairs)
    for epoch in range(course.epochs):
        for rows in course.batches(pairs, rng):
            step = loss_and_gradient(weight, t, pairs.batch(rows, course.device))
            direction, slope = adam(step.weight, step.log_temperature)
            weight -= course.rate * direction
            t = min(t - course.rate * slope, HOTTEST)
            course.on_step(adam.steps, course.epochs * per_epoch)
        yield judge(weight, t, (epoch + 1) * per_epoch)


def quick(pairs: Pairs, judge: Judge, start: Candidate, course: Course) -> Iterator[Candidate]:
    """Adam along the principal axes of the rows, from the identity at its best temperature; ten
    candidates on the way.
    """
    rng, adam = np.random.default_rng(course.seed), _Adam(BETAS)
    left, right = _axes(pairs, course.seed, course.device)
    weight, t = left.T @ start.weight @ right, start.log_temperature  # A in these axes
    total = max(course.epochs * course.steps(pairs), FEWEST_STEPS)
    checks = set(np.linspace(0, total, CHECKS + 1).round().astype(int)[1:].tolist())
    # where all pairs are one batch it is the same at every step: their order decides nothing
    whole = None
    if course.steps(pairs) == 1:
        whole = pairs.batch(np.arange(len(pairs)), course.device).turned(left, right)
    while adam.steps < total:
        for rows in course.batches(pairs, rng)[: total - adam.steps]:
            batch = whole or pairs.batch(rows, course.device).turned(left, right)
            step = loss_and_gradient(weight, t, batch)
            direction, slope = adam(step.weight, step.log_temperature)
            falling = (
                course.rate
                * min(1.0, adam.steps / 5)
                * (1 + math.cos(math.pi * (adam.steps - 1) / total))
                / 2
            )
            weight -= falling * direction
            t = min(t - falling * slope, HOTTEST)
            course.on_step(adam.steps, total)
            if adam.steps in checks:
                yield judge(left @ weight @ right.T, t, adam.steps)


def best(candidates: list[Candidate]) -> Candidate:
    """The least validation loss among places that bind on validation at least as well as the
    first, the identity.
    """
    first = candidates[0]
    allowed = [
        c
        for c in candidates
        if first.binding is None or c.binding is None or c.binding >= first.binding
    ]
    return min(allowed, key=lambda candidate: candidate.loss)


def split_evenly(rows: Int[Ints, " rows"], batch: int) -> list[Int[Ints, " _"]]:
    """Rows in batches of nearly one size, none larger than asked: a small last batch would be an
    easier task.
    """
    return np.array_split(rows, -(-len(rows) // batch)) if len(rows) else []


class _Adam:
    """Adam's running moments of a matrix and a number."""

    def __init__(self, betas: tuple[float, float]) -> None:
        self.betas, self.steps = betas, 0
        self.mean: torch.Tensor | None = None
        self.square: torch.Tensor | None = None
        self.mean_t = self.square_t = 0.0

    def __call__(self, gradient: torch.Tensor, slope: float) -> tuple[torch.Tensor, float]:
        one, two = self.betas
        if self.mean is None or self.square is None:
            self.mean, self.square = torch.zeros_like(gradient), torch.zeros_like(gradient)
        self.steps += 1
        self.mean.mul_(one).add_(gradient, alpha=1 - one)
        self.square.mul_(two).addcmul_(gradient, gradient, value=1 - two)
        self.mean_t, self.square_t = (
            one * self.mean_t + (1 - one) * slope,
            two * self.square_t + (1 - two) * slope**2,
        )
        a, b = 1 - one**self.steps, 1 - two**self.steps
        direction = (self.mean / a) / ((self.square / b).sqrt_().add_(EPSILON))
        return direction, (self.mean_t / a) / (math.sqrt(self.square_t / b) + EPSILON)


def _eye(pairs: Pairs, device: str) -> torch.Tensor:
    return torch.eye(pairs.images.shape[1], pairs.texts.shape[1], device=device)


def _axes(pairs: Pairs, seed: int, device: str) -> tuple[torch.Tensor, torch.Tensor]:
    """Principal axes (columns) of the pictures and of the captions, about the origin."""
    rows = np.random.default_rng(seed).permutation(len(pairs))[:AXES_FROM]
    moments: list[torch.Tensor | None] = [None, None]
    for part in split_evenly(rows, 4096):
        batch = pairs.batch(part, device)
        for side, values in enumerate((batch.images, batch.texts)):
            moment = values.T @ values
            found = moments[side]
            moments[side] = moment if found is None else found + moment
    left, right = (torch.linalg.eigh(moment)[1] for moment in moments if moment is not None)
    return left, right
