"""Networks from labels to embeddings, many fits at once.

A learned vector for each slot and value, concatenated and followed by a linear map, is a table
lookup: hidden unit j before its ReLU is the sum of one entry for each label. So the first layer is
learned as that table and no matrix product is made for it. Products of such vectors may feed the
first layer too, and further hidden layers may follow it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
import torch
from torch.nn.functional import embedding_bag

from conceptbind.complexity.labels import Labelled, Scale, check_labels
from conceptbind.core.errors import ShapeError, UnknownNameError, ValueRangeError, cut, nearest

if TYPE_CHECKING:
    from jaxtyping import Float, Int, Shaped

    from conceptbind.core.typing import Floats, Ints

BATCH = 64
EPOCHS = 60
"""Passes over the train scenes, at most."""
UPDATES = (300, 6_000)
"""Fewest and most updates that the passes may come to."""
LOOKS = 60
"""How often validation is looked at, at most."""
PATIENCE = 8
"""Looks without a gain after which a fit ends."""
RATES = ((3e-3, 1.0), (1e-3, 0.1))
"""Learning rates with their weight decay, which validation chooses from."""
TABLE_SIZE = 0.1
"""Size of the first layer at the start. A small one makes the network learn what values have in
common; from a large one it memorises."""
BETAS = (0.9, 0.999)
CHUNK = 8192
"""Scenes predicted at once."""
Products = Literal["none", "per_object", "global"]
PRODUCTS = ("none", "per_object", "global")


class MLP:
    """Hidden layers of ReLUs on learned vectors of values (arXiv 2605.31503, section 6).

    AdamW on minibatches; validation chooses the moment to stop, the learning rate and the weight
    decay.

    Args:
        sizes: number of values of each concept.
        n_slots: m.
        width: hidden units of each layer, and products where there are any.
        depth: hidden layers.
        products: of learned vectors, which feed the first layer beside the vectors themselves:
            `none`, those of each object's values, summed over objects (`per_object`), or those of
            all values of the scene (`global`).
        rates: learning rates, each with its weight decay, fitted side by side.
        seed: of the start and the batches.
        device: where torch computes, in single precision.
    """

    weights_: Weights
    """The best on validation."""
    scale_: Scale
    offsets_: Int[Ints, " labels"]
    """Where the values of each label begin in the table."""
    rate_: tuple[float, float]
    updates_: int
    validation_: float

    def __init__(
        self,
        sizes: tuple[int, ...],
        n_slots: int,
        *,
        width: int = 1024,
        depth: int = 1,
        products: Products = "none",
        rates: Sequence[tuple[float, float]] = RATES,
        seed: int = 0,
        device: str = "cpu",
    ) -> None:
        if width < 1 or depth < 1 or not rates:
            raise ValueRangeError(
                "width and depth must be at least 1 and rates must not be empty; "
                f"got {width}, {depth} and {rates}"
            )
        if products not in PRODUCTS:
            raise UnknownNameError(
                f"unknown products '{cut(products)}'; {nearest(products, PRODUCTS)}"
            )
        self.sizes, self.n_slots, self.width, self.depth = tuple(sizes), n_slots, width, depth
        self.products, self.rates, self.seed, self.device = products, tuple(rates), seed, device

    @property
    def form(self) -> tuple[object, ...]:
        """What networks that are fitted together have in common."""
        return self.sizes, self.n_slots, self.width, self.depth, self.products, self.device

    def fit(self, train: Labelled, validation: Labelled) -> MLP:
        """Fit on `train`; `validation` chooses."""
        return fit_networks([self], [train], [validation])[0]

    def predict(self, labels: Int[Ints, "scenes slots concepts"]) -> Float[Floats, "scenes width"]:
        """(n, d) predictions for a table (n, m, C)."""
        columns = torch.as_tensor(
            np.asarray(labels).reshape(len(labels), -1) + self.offsets_, device=self.device
        )
        with torch.no_grad():
            return self.scale_.back(
                _forward(self.weights_, columns[None])[0].cpu().double().numpy()
            )


@dataclass(frozen=True, eq=False)
class Weights:
    """S networks side by side."""

    table: Float[torch.Tensor, "networks values hidden"]
    """(S, sum of values over slots, H)"""
    bias: Float[torch.Tensor, "networks 1 hidden"]
    """(S, 1, H)"""
    out: Float[torch.Tensor, "networks hidden width"]
    """(S, H, d)"""
    out_bias: Float[torch.Tensor, "networks 1 width"]
    """(S, 1, d)"""
    further: tuple[Float[torch.Tensor, "networks _ hidden"], ...] = ()
    """The matrix (S, H, H) and the bias (S, 1, H) of each further hidden layer."""
    factors: tuple[Float[torch.Tensor, "networks _ hidden"], ...] = ()
    """Where products feed the first layer: the vectors (S, sum of values over slots, H) that are
    multiplied, and the matrix (S, H, H) behind them."""
    slots: int = 1
    """Groups of labels whose vectors are multiplied with each other: one for each object, or 1."""

    def all(self) -> list[Shaped[torch.Tensor, " ..."]]:
        """All parts."""
        return [self.table, self.bias, self.out, self.out_bias, *self.further, *self.factors]

    def flat(self) -> Float[torch.Tensor, "networks entries"]:
        """(S, E) all entries of each network, part after part."""
        return torch.cat([part.flatten(1) for part in self.all()], dim=1)

    def like(self, parts: Sequence[Shaped[torch.Tensor, " ..."]]) -> Weights:
        """Weights of this form of other parts, in the order of `all`.

        Args:
            parts: as many as `all` gives.
        """
        table, bias, out, out_bias, *rest = parts
        end = len(self.further)
        further, factors = tuple(rest[:end]), tuple(rest[end:])
        return Weights(table, bias, out, out_bias, further, factors, self.slots)

    def views(self, flat: Float[torch.Tensor, "networks entries"]) -> Weights:
        """The parts of entries that lie one after the other, in the same memory.

        Args:
            flat: (S, E) as `flat` gives them.
        """
        shapes = [part.shape for part in self.all()]
        pieces = flat.split([shape[1:].numel() for shape in shapes], dim=1)
        return self.like([piece.view(shape) for piece, shape in zip(pieces, shapes, strict=True)])

    def one(self, number: int) -> Weights:
        """One of the networks."""
        return self.like([part[number : number + 1] for part in self.all()])


def fit_networks(
    models: Sequence[MLP],
    trains: Sequence[Labelled],
    validations: Sequence[Labelled],
    *,
    on_update: Callable[[int], None] = lambda _: None,
) -> Sequence[MLP]:
    """Fit networks of one shape at once, each to its own scenes: on a GPU all cells of a sweep take
    the time of one.

    Args:
        models: of the same sizes, slots, width and device.
        trains: what each is fitted to.
        validations: what chooses when each stops.
        on_update: called with the number of each update.

    Raises:
        ShapeError: the models or the embeddings differ in shape.
    """
    first = models[0]
    dimension = trains[0].values.shape[1]
    for model, train, held in zip(models, trains, validations, strict=True):
        check_labels(train, model.sizes, model.n_slots)
        check_labels(held, model.sizes, model.n_slots)
        if model.form != first.form or {train.values.shape[1], held.values.shape[1]} != {dimension}:
            raise ShapeError(
                "networks that are fitted together must have the same sizes, slots, width, depth, "
                "products, device and dimensions"
            )
    slices = [(i, setting) for i, model in enumerate(models) for setting in model.rates]
    widths = np.array(first.sizes * first.n_slots)
    offsets = np.concatenate([[0], np.cumsum(widths)[:-1]])
    scales = [Scale.of(train.values) for train in trains]
    labels = [
        torch.as_tensor(t.labels.reshape(len(t), -1) + offsets, device=first.device) for t in trains
    ]
    values = [
        torch.as_tensor(s.to(t.values), dtype=torch.float32, device=first.device)
        for s, t in zip(scales, trains, strict=True)
    ]
    asked = [
        torch.as_tensor(t.labels.reshape(len(t), -1) + offsets, device=first.device)
        for t in validations
    ]
    right = [
        torch.as_tensor(s.to(t.values), dtype=torch.float32, device=first.device)
        for s, t in zip(scales, validations, strict=True)
    ]
    weights = _start(first, [models[i].seed for i, _ in slices], widths, dimension)
    batches = [_Batches(len(trains[i]), models[i].seed, first.device) for i, _ in slices]
    flat = weights.flat()
    weights, slopes = weights.views(flat), torch.zeros_like(flat)
    into = weights.views(slopes)
    plain = not weights.further and not weights.factors
    settings = torch.tensor([setting for _, setting in slices], device=first.device)  # (S, 2)
    state = _AdamW(flat, settings)
    kept = _Kept(weights, [len(trains[i]) for i, _ in slices])
    for update in range(1, max(kept.updates) + 1):
        rows = [source.take(BATCH) for source in batches]
        columns = torch.stack([labels[i][row] for (i, _), row in zip(slices, rows, strict=True)])
        target = torch.stack([values[i][row] for (i, _), row in zip(slices, rows, strict=True)])
        if plain:
            _gradients(weights, columns, target, into)
        else:
            slopes = _slopes(flat, weights, columns, target)
        state.step(slopes)
        for s, (i, _) in enumerate(slices):
            if kept.due(s, update):
                kept.look(s, weights, _error(weights.one(s), asked[i], right[i]), update)
        if kept.finished():
            break
        on_update(update)
    for i, model in enumerate(models):
        mine = [s for s, (owner, _) in enumerate(slices) if owner == i]
        best = min(mine, key=lambda s: kept.errors[s])
        model.scale_, model.offsets_ = scales[i], offsets
        alone = kept.weights.one(best)
        model.weights_ = alone.like([part.clone() for part in alone.all()])
        model.rate_, model.updates_ = slices[best][1], kept.best[best]
        model.validation_ = kept.errors[best] * scales[i].size ** 2
    return models


def _forward(weights: Weights, columns: torch.Tensor) -> torch.Tensor:
    """(S, n, d) from columns (S, n, F) of the table."""
    hidden = _hidden(weights, columns)
    for matrix, bias in zip(weights.further[::2], weights.further[1::2], strict=True):
        hidden = torch.relu(torch.baddbmm(bias, hidden, matrix))
    return torch.baddbmm(weights.out_bias, hidden, weights.out)


def _hidden(weights: Weights, columns: torch.Tensor) -> torch.Tensor:
    """(S, n, H) the units of the first hidden layer."""
    n_networks, n, n_labels = columns.shape
    size, width = weights.table.shape[1:]
    shifted = columns + (torch.arange(n_networks, device=columns.device) * size)[:, None, None]
    summed = embedding_bag(
        shifted.view(-1, n_labels), weights.table.reshape(-1, width), mode="sum"
    ).view(n_networks, n, width)
    if weights.factors:
        vectors, matrix = weights.factors
        found = vectors.reshape(-1, width)[shifted].unflatten(2, (weights.slots, -1))
        summed = torch.baddbmm(summed, found.prod(dim=3).sum(dim=2), matrix)
    return torch.relu(summed + weights.bias)


def _slopes(
    flat: torch.Tensor, weights: Weights, columns: torch.Tensor, target: torch.Tensor
) -> torch.Tensor:
    """(S, E) slopes of each network's mean squared residual of a batch, by torch."""
    point = flat.detach().requires_grad_(True)
    with torch.enable_grad():
        rest = _forward(weights.views(point), columns) - target
        (found,) = torch.autograd.grad(rest.square().sum(dim=2).mean(dim=1).sum(), point)
    return found


def _gradients(
    weights: Weights, columns: torch.Tensor, target: torch.Tensor, into: Weights
) -> None:
    """Write the slopes of each network's mean squared residual of a batch.

    By hand, since torch's own way of four small products costs as much again as they do.
    """
    hidden = _hidden(weights, columns)
    rest = torch.baddbmm(weights.out_bias, hidden, weights.out).sub_(target)
    rest.mul_(2 / target.shape[1])
    torch.bmm(hidden.mT, rest, out=into.out)
    torch.sum(rest, dim=1, keepdim=True, out=into.out_bias)
    pulled = torch.bmm(rest, weights.out.mT).mul_(hidden > 0)
    torch.sum(pulled, dim=1, keepdim=True, out=into.bias)
    used = torch.zeros(*columns.shape[:2], weights.table.shape[1], device=columns.device)
    used.scatter_(2, columns, 1.0)
    torch.bmm(used.mT, pulled, out=into.table)


def _start(form: MLP, seeds: Sequence[int], widths: Ints, dimension: int) -> Weights:
    """Small random tables; all other layers as large as torch's own."""
    size, width, n_labels = int(widths.sum()), form.width, len(widths)
    slots = form.n_slots if form.products == "per_object" else 1
    networks = []
    for seed in seeds:
        random = torch.Generator().manual_seed(seed)
        table = TABLE_SIZE * torch.randn(size, width, generator=random) / n_labels**0.5
        out = torch.randn(width, dimension, generator=random) * (1 / (3 * width)) ** 0.5
        parts = [table, torch.zeros(1, width), out, torch.zeros(1, dimension)]
        for _ in range(form.depth - 1):
            matrix = torch.randn(width, width, generator=random) * (2 / width) ** 0.5
            parts += [matrix, torch.zeros(1, width)]
        if form.products != "none":
            matrix = TABLE_SIZE * torch.randn(width, width, generator=random) / width**0.5
            parts += [torch.randn(size, width, generator=random), matrix]
        networks.append(parts)
    stacked = (torch.stack(part).to(form.device) for part in zip(*networks, strict=True))
    table, bias, out, out_bias, *rest = stacked
    end = 2 * (form.depth - 1)
    return Weights(table, bias, out, out_bias, tuple(rest[:end]), tuple(rest[end:]), slots)


def _error(weights: Weights, columns: torch.Tensor, values: torch.Tensor) -> float:
    """Mean squared length of the residual of one network on some scenes."""
    total = 0.0
    for start in range(0, len(columns), CHUNK):
        part = slice(start, start + CHUNK)
        total += float((_forward(weights, columns[None, part])[0] - values[part]).square().sum())
    return total / len(columns)


class _Kept:
    """The best weights of each network on validation so far, and which networks are done.

    Each network has its own number of updates and its own looks, so that it ends as it would alone.
    """

    def __init__(self, weights: Weights, sizes: Sequence[int]) -> None:
        self.weights = weights.like([part.detach().clone() for part in weights.all()])
        self.updates = [int(np.clip(EPOCHS * size // BATCH, *UPDATES)) for size in sizes]
        self.errors, self.best, self.waited = (
            [float("inf")] * len(sizes),
            [0] * len(sizes),
            [0] * len(sizes),
        )
        self.done = [False] * len(sizes)

    def due(self, s: int, update: int) -> bool:
        """Whether this network's validation is looked at after this update."""
        return not self.done[s] and update % max(self.updates[s] // LOOKS, 1) == 0

    def look(self, s: int, weights: Weights, error: float, update: int) -> None:
        """Keep what is better; a network without a gain for some looks is done."""
        if error < self.errors[s]:
            self.errors[s], self.best[s], self.waited[s] = error, update, 0
            for mine, part in zip(self.weights.all(), weights.all(), strict=True):
                mine[s] = part[s]
        else:
            self.waited[s] += 1
        self.done[s] = (
            self.waited[s] >= PATIENCE or update + self.updates[s] // LOOKS > self.updates[s]
        )

    def finished(self) -> bool:
        """Whether all are done."""
        return all(self.done)


class _Batches:
    """Row numbers in random order, pass after pass."""

    def __init__(self, n: int, seed: int, device: str) -> None:
        self.n, self.device, self.random = n, device, torch.Generator().manual_seed(seed + 1)
        self.left = torch.empty(0, dtype=torch.int64)

    def take(self, size: int) -> torch.Tensor:
        """The next rows."""
        while len(self.left) < size:
            self.left = torch.cat([self.left, torch.randperm(self.n, generator=self.random)])
        rows, self.left = self.left[:size], self.left[size:]
        return rows.to(self.device)


class _AdamW:
    """AdamW with a learning rate and a decay for each network, on all their entries at once.

    torch's own takes such settings as groups, and loads its compiler for the first step, which
    costs each worker more time than a short sweep's networks do.
    """

    def __init__(self, entries: torch.Tensor, settings: torch.Tensor) -> None:
        self.entries = entries
        """(S, E)"""
        self.rates, self.decays = settings.T[:, :, None]
        self.first, self.second = torch.zeros_like(entries), torch.zeros_like(entries)
        self.scale, self.count = torch.empty_like(entries), 0

    def step(self, slopes: torch.Tensor) -> None:
        """Move all entries; (S, E) slopes."""
        self.count += 1
        one, two = BETAS
        size = self.rates * (1 - two**self.count) ** 0.5 / (1 - one**self.count)
        self.first.lerp_(slopes, 1 - one)
        self.second.mul_(two).addcmul_(slopes, slopes, value=1 - two)
        torch.sqrt(self.second, out=self.scale).add_(1e-8).div_(size)
        self.entries.mul_(1 - self.rates * self.decays)
        self.entries.addcdiv_(self.first, self.scale, value=-1)
