"""Scenes, queries, swap negatives and targets, drawn as tensors."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from conceptbind.errors import ValueRangeError


@dataclass(frozen=True, eq=False)
class ObjectSplit:
    """Train, validation and test objects: every object belongs to one part."""

    train: Tensor
    """Object ids, in increasing order."""
    validation: Tensor
    test: Tensor


def split_objects(sizes: tuple[int, ...], coverage: float, seed: int = 0, most_validation: int = 1_000) -> ObjectSplit:
    """A share `coverage` of the objects to train on, with every value among them where that is possible; a third of the rest for validation.

    Raises:
        ValueRangeError: too few objects are left to train on, to choose with or to test.
    """
    if not 0 < coverage < 1:
        raise ValueRangeError(f"coverage must lie between 0 and 1; got {coverage}")
    n_objects = math.prod(sizes)
    n_train = round(coverage * n_objects)
    n_validation = min(max(2, (n_objects - n_train) // 3), most_validation)
    if n_train < 2 or n_objects - n_train - n_validation < 2:
        raise ValueRangeError(
            f"coverage {coverage} of {n_objects} objects leaves {n_train} to train on and {max(0, n_objects - n_train - n_validation)} to test, "
            "beside those for validation; each part needs at least 2"
        )
    random = torch.Generator().manual_seed(seed)
    # Objects along shuffled diagonals hold every value; as many of them as fit come first.
    longest = max(sizes)
    columns = [torch.cat([torch.randperm(size, generator=random) for _ in range(-(-longest // size))])[:longest] for size in sizes]
    first = object_ids(torch.stack(columns, dim=1), sizes).unique()
    first = first[torch.randperm(len(first), generator=random)][:n_train]
    others = torch.randperm(n_objects, generator=random)
    others = others[~torch.isin(others, first)]
    order = torch.cat([first, others])
    parts = order.split([n_train, n_validation, n_objects - n_train - n_validation])
    return ObjectSplit(*(part.sort().values for part in parts))


def object_ids(values: Tensor, sizes: tuple[int, ...]) -> Tensor:
    """(..., C) value ids -> (...) object ids; the last concept varies fastest."""
    found = torch.zeros_like(values[..., 0])
    for k, size in enumerate(sizes):
        found = found * size + values[..., k]
    return found


def object_values(ids: Tensor, sizes: tuple[int, ...]) -> Tensor:
    """(...) object ids -> (..., C) value ids."""
    found = []
    for size in reversed(sizes):
        found.append(ids % size)
        ids = ids // size
    return torch.stack(found[::-1], dim=-1)


def draw_objects(among: Tensor, n: int, m: int, random: torch.Generator) -> Tensor:
    """(n, m) ids of m different objects for each of n scenes, every choice and order equally likely."""
    if len(among) < m:
        raise ValueRangeError(f"scenes of {m} different objects need at least {m} objects; there are {len(among)}")
    drawn: list[Tensor] = []
    for i in range(m):
        # A number among those left, then moved past the earlier choices in increasing order.
        number = torch.randint(len(among) - i, (n,), generator=random, device=random.device)
        for earlier in torch.stack(drawn, dim=1).sort(dim=1).values.unbind(1) if drawn else ():
            number = number + (number >= earlier)
        drawn.append(number)
    return among[torch.stack(drawn, dim=1)]


@dataclass(frozen=True, eq=False)
class Batch:
    """Scenes of each number of objects with the queries that they are compared with."""

    scenes: list[Tensor]
    """(n_j, j) object ids for j in the numbers of objects."""
    queries: Tensor
    """(Q,) different object ids: those in the batch and the swap negatives, train objects all."""
    targets: Tensor
    """(n, Q) share of the mass of each query: 1 / j where the scene holds the object."""
    concept_targets: Tensor
    """(n, C, V) share of the mass of each value, V the largest number of values; 0 for values that a concept does not have."""


class Sampler:
    """Batches of scenes of train objects.

    Args:
        sizes: (V_1, ..., V_C).
        train: ids of the train objects, on the device where batches are made.
        most_objects: scenes have 1 to this many objects, equally many of each number.
        batch: scenes in a batch.
        swaps: whether objects that exchange one attribute with another object of the scene are queries too.
        all_queries: compare with all train objects instead of those in the batch.
    """

    def __init__(
        self, sizes: tuple[int, ...], train: Tensor, most_objects: int, batch: int, *, swaps: bool = True, all_queries: bool = False
    ) -> None:
        if batch < most_objects:
            raise ValueRangeError(f"a batch needs a scene of every number of objects: at least {most_objects}; got {batch}")
        self.sizes, self.train, self.swaps, self.all_queries = sizes, train, swaps, all_queries
        self.counts = [batch // most_objects + (j < batch % most_objects) for j in range(most_objects)]
        if len(train) < most_objects:
            raise ValueRangeError(f"scenes of {most_objects} different objects need as many train objects; there are {len(train)}")
        self.known = torch.zeros(math.prod(sizes), dtype=torch.bool, device=train.device)
        self.known[train] = True

    def draw(self, random: torch.Generator) -> Batch:
        """The next batch."""
        scenes = [draw_objects(self.train, n, j, random) for j, n in enumerate(self.counts, start=1)]
        asked = self.known if self.all_queries else self._asked(scenes)
        queries = asked.nonzero()[:, 0]
        place = torch.empty(len(asked), dtype=torch.long, device=queries.device)
        place[queries] = torch.arange(len(queries), device=queries.device)
        n = sum(self.counts)
        targets = torch.zeros(n, len(queries), device=queries.device)
        values = torch.zeros(n, len(self.sizes), max(self.sizes), device=queries.device)
        start = 0
        for group in scenes:
            rows, share = slice(start, start + len(group)), 1.0 / group.shape[1]
            targets[rows].scatter_(1, place[group], share)
            held = object_values(group, self.sizes).transpose(1, 2)  # (n_j, C, j)
            values[rows].scatter_add_(2, held, torch.full_like(held, share, dtype=values.dtype))
            start += len(group)
        values = (values > 0) / (values > 0).sum(dim=2, keepdim=True)
        return Batch(scenes, queries, targets, values)

    def _asked(self, scenes: list[Tensor]) -> Tensor:
        """(|O|,) which objects are queries."""
        asked = torch.zeros_like(self.known)
        for group in scenes:
            asked[group.flatten()] = True
            if self.swaps and group.shape[1] > 1:
                asked[swapped(object_values(group, self.sizes), self.sizes).flatten()] = True
        return asked & self.known


def swapped(values: Tensor, sizes: tuple[int, ...]) -> Tensor:
    """(n, m, C) -> (n, m (m - 1) C) ids of the objects with one attribute taken from another object of the scene."""
    m = values.shape[1]
    found = []
    for i in range(m):
        for other in range(m):
            if other != i:
                for k in range(len(sizes)):
                    taken = values[:, i].clone()
                    taken[:, k] = values[:, other, k]
                    found.append(object_ids(taken, sizes))
    return torch.stack(found, dim=1)
