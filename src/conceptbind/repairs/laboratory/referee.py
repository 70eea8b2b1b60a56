"""What validation says of fitted maps, the same for every method: the loss of LABCLIP on pairs that
were not fitted on, among maps that bind at least as well as none.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from conceptbind.metrics.choices import forced_choice
from conceptbind.repairs.labclip.loss import loss_of_cosines
from conceptbind.repairs.labclip.solver import HOTTEST
from conceptbind.repairs.laboratory.contract import Fitted

if TYPE_CHECKING:
    from conceptbind.repairs.labclip.pairs import Pairs

JUDGED = 512
"""Validation pairs that are compared with each other."""
STEP = 0.5
"""Steps in which the temperature t is sought."""
PATIENCE = 2
"""Places on a path that may be worse than the best before it ends."""


@dataclass(frozen=True, eq=False)
class Judged:
    """A fitted map and what validation says of it."""

    fitted: Fitted
    loss: float
    """Loss at the temperature where it is least."""
    binding: float | None
    """Share of comparisons with negatives that are won; None without negatives."""


class Referee:
    """Validation pairs, and the verdict on no repair.

    Args:
        validation: pairs that choose.
        none: no repair, of the method that asks.
        seed: decides which pairs, where there are many.
    """

    def __init__(self, validation: Pairs, none: Fitted, seed: int) -> None:
        rows = np.random.default_rng(seed).permutation(len(validation))[:JUDGED]
        self._batch = validation.batch(rows)
        self._near = 0.0
        self.n_negatives = validation.n_negatives
        self.none = self(none)

    def __call__(self, fitted: Fitted) -> Judged:
        """What validation says of a map."""
        images, texts = self._batch.images, self._batch.texts
        if fitted.pictures is not None:
            images = torch.from_numpy(fitted.pictures(images.numpy()))
        if fitted.captions is not None:
            texts = torch.from_numpy(fitted.captions(texts.numpy()))
        cosines = images @ texts.T
        loss = self._least_loss(cosines, self._batch.same)
        return Judged(fitted, loss, self._binding(cosines.numpy()))

    def _least_loss(self, cosines: torch.Tensor, same: tuple[torch.Tensor, torch.Tensor]) -> float:
        """The loss at the temperature where it is least, sought from the last such place: on the
        way up and on the way down it has no second valley.
        """

        def at(place: float) -> float:
            return float(loss_of_cosines(cosines, torch.tensor([place]), same))

        least = at(self._near)
        for step in (STEP, -STEP):
            while (moved := min(self._near + step, HOTTEST)) != self._near:
                loss = at(moved)
                if loss >= least:
                    break
                self._near, least = moved, loss
        return least

    def _binding(self, cosines: np.ndarray) -> float | None:
        if not self.n_negatives:
            return None
        b = len(cosines)
        own = np.arange(b)
        true = cosines[own, own]
        won = [
            forced_choice(true, cosines[own, own + which * b], 1.0)[0]
            for which in range(1, self.n_negatives + 1)
        ]
        return float(np.mean(won))

    def best(self, judged: Iterable[Judged]) -> Fitted:
        """The least loss among maps that bind at least as well as none; no repair is always one of
        them.
        """
        first = self.none
        allowed = [
            found
            for found in judged
            if first.binding is None or found.binding is None or found.binding >= first.binding
        ]
        chosen = min([first, *allowed], key=lambda found: found.loss)
        return chosen.fitted.but(helps=chosen is not first)

    def along(self, path: Sequence[float], made: Callable[[float], Fitted]) -> list[Judged]:
        """Verdicts along a path that begins near no repair and ends where it gets worse.

        Args:
            path: penalties, the strongest first.
            made: the map of a penalty.
        """
        found: list[Judged] = []
        for place in path:
            found.append(self(made(place)))
            least = int(np.argmin([judged.loss for judged in found]))
            if len(found) - 1 - least >= PATIENCE:
                break
        return found
