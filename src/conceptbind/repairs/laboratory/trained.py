"""Maps that are trained by the loss of LABCLIP: of captions, of pictures, of both, or a small
network.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from conceptbind.core.errors import counted
from conceptbind.core.names import Repair
from conceptbind.repairs.labclip.adapter import Adapter
from conceptbind.repairs.labclip.estimator import fit_pairs
from conceptbind.repairs.labclip.loss import NO_COMPARISON
from conceptbind.repairs.labclip.solver import FEWEST_STEPS, HOTTEST, split_evenly
from conceptbind.repairs.laboratory.contract import Fitted, Linear, NoRepair, Side, TwoLayer
from conceptbind.repairs.laboratory.moments import moments_of
from conceptbind.repairs.laboratory.referee import Referee

if TYPE_CHECKING:
    from conceptbind.repairs.labclip.pairs import Batch, Pairs

BATCH, RATE, CHECKS = 1024, 2e-2, 10
"""As the quick solver of LABCLIP has them."""
NETWORK_RATE = 3e-3
HIDDEN = 256
"""Hidden units of the network at most."""
START = 2.0
"""t at the beginning."""


@dataclass(frozen=True)
class LabClipMethod:
    """LABCLIP with hard negatives (HNB) or without (SB), by the quick solver for captions, and by
    the same steps along principal axes for pictures and for both.
    """

    name: Repair = Repair.HNB
    side: Side = "text"

    def fit(self, pairs: Pairs, validation: Pairs, seed: int) -> Fitted:  # noqa: D102
        if self.name == Repair.SB:
            pairs, validation = pairs.without_negatives(), validation.without_negatives()
        if self.side in ("text", "query"):
            found = fit_pairs(pairs, validation, seed=seed)
            size = found.adapter.weight.size
            said = f"{counted(found.chosen.step, 'step')}"
            return Fitted(self.name, self.side, found.adapter, None, size, said, found.helps)
        model = _Linear(pairs, self.side)
        none = NoRepair(self.side).fit(pairs, validation, seed)
        referee = Referee(validation, none, seed)
        judged = [
            referee(model.frozen(self.name, step))
            for step in _trained(pairs, model.mapped, model.free, RATE, seed)
        ]
        return referee.best(judged).but(method=self.name)


@dataclass(frozen=True)
class TwoLayers:
    """A network of one hidden layer beside the identity: more than a matrix can do."""

    side: Side = "text"
    name = Repair.TWO_LAYER

    def fit(self, pairs: Pairs, validation: Pairs, seed: int) -> Fitted:  # noqa: D102
        model = _Network(pairs, seed)
        none = NoRepair(self.side).fit(pairs, validation, seed)
        referee = Referee(validation, none, seed)
        steps = _trained(pairs, model.mapped, model.free, NETWORK_RATE, seed)
        judged = [referee(model.frozen(self.side, step)) for step in steps]
        return referee.best(judged).but(method=self.name)


class _Linear:
    """Matrices of captions, of pictures or of both, along the principal axes of the rows."""

    def __init__(self, pairs: Pairs, side: Side) -> None:
        moments = moments_of(pairs)
        self.side = side
        out, into = (
            torch.from_numpy(np.linalg.eigh(moment)[1].astype(np.float32))
            for moment in (moments.pictures, moments.captions)
        )
        eye = torch.eye(len(out), len(into))
        self.axes = {"captions": (out, into), "pictures": (out, out)}
        start = {"captions": out.T @ eye @ into, "pictures": torch.eye(len(out))}
        moved = ("pictures",) if side == "image" else ("captions", "pictures")
        self.weights = {name: start[name].requires_grad_() for name in moved}
        self.free = list(self.weights.values())

    def matrix(self, name: str) -> torch.Tensor:
        """(d_out, d_in) the matrix of one side."""
        left, right = self.axes[name]
        return left @ self.weights[name] @ right.T

    def mapped(self, batch: Batch) -> tuple[torch.Tensor, torch.Tensor]:
        """Pictures and captions of a batch, mapped."""
        images, texts = batch.images, batch.texts
        if "pictures" in self.weights:
            images = images @ self.matrix("pictures").T
        if "captions" in self.weights:
            texts = texts @ self.matrix("captions").T
        return images, texts

    def frozen(self, name: Repair, step: int) -> Fitted:
        """The maps as they are now."""
        with torch.no_grad():
            now = {part: self.matrix(part).numpy().copy() for part in self.weights}
        captions = now.get("captions")
        return Fitted(
            name,
            self.side,
            None if captions is None else Adapter(captions, 0.0, {"protocol": str(name)}),
            Linear(now["pictures"]),
            sum(weight.size for weight in now.values()),
            f"{counted(step, 'step')}",
        )


class _Network:
    """The layers of `TwoLayer`, as they are trained."""

    def __init__(self, pairs: Pairs, seed: int) -> None:
        width = pairs.texts.shape[1]
        hidden = min(HIDDEN, 2 * width)
        generator = torch.Generator().manual_seed(seed)
        # unit rows give hidden units of size 1
        first = torch.randn(hidden, width, generator=generator)
        self.first, self.bias = first.requires_grad_(), torch.zeros(hidden).requires_grad_()
        self.second = torch.zeros(width, hidden).requires_grad_()
        self.free = [self.first, self.bias, self.second]

    def mapped(self, batch: Batch) -> tuple[torch.Tensor, torch.Tensor]:
        """Pictures as they are, and captions, mapped."""
        hidden = torch.relu(batch.texts @ self.first.T + self.bias)
        return batch.images, batch.texts + hidden @ self.second.T

    def frozen(self, side: Side, step: int) -> Fitted:
        """The network as it is now."""
        layers = (part.detach().numpy().copy() for part in self.free)
        size = sum(part.numel() for part in self.free)
        return Fitted(
            Repair.TWO_LAYER, side, TwoLayer(*layers), None, size, f"{counted(step, 'step')}"
        )


def _trained(
    pairs: Pairs,
    mapped: Callable[[Batch], tuple[torch.Tensor, torch.Tensor]],
    free: list[torch.Tensor],
    rate: float,
    seed: int,
) -> Iterator[int]:
    """Adam on the loss of LABCLIP at a rate that falls to zero; stops ten times on its way."""
    rng = np.random.default_rng(seed)
    t = torch.tensor(START, requires_grad=True)
    adam = torch.optim.Adam([*free, t], lr=rate, betas=(0.9, 0.99))
    total = max(len(split_evenly(np.arange(len(pairs)), BATCH)), FEWEST_STEPS)
    checks = set(np.linspace(0, total, CHECKS + 1).round().astype(int)[1:].tolist())
    done = 0
    while done < total:
        for rows in split_evenly(rng.permutation(len(pairs)), BATCH)[: total - done]:
            falling = min(1.0, (done + 1) / 5) * (1 + math.cos(math.pi * done / total)) / 2
            adam.param_groups[0]["lr"] = rate * falling
            batch = pairs.batch(rows)
            adam.zero_grad()
            _loss(*mapped(batch), t, batch).backward()  # type: ignore[no-untyped-call]
            adam.step()
            with torch.no_grad():
                t.clamp_(max=HOTTEST)
            done += 1
            if done in checks:
                yield done


def _loss(images: torch.Tensor, texts: torch.Tensor, t: torch.Tensor, batch: Batch) -> torch.Tensor:
    """Equation (1) of `labclip.loss`, with pictures that may be mapped too."""
    unit = (torch.nn.functional.normalize(part, dim=1) for part in (images, texts))
    x, v = unit
    barred = torch.zeros(len(x), len(v), dtype=torch.bool)
    barred[batch.same] = True
    scores = (t.exp() * x @ v.T).masked_fill(barred, NO_COMPARISON)
    b = len(x)
    own = torch.arange(b)
    to_text = scores.log_softmax(1)[own, own].mean()
    to_image = scores[:, :b].log_softmax(0)[own, own].mean()
    return -(to_text + to_image) / 2
