"""Scenes, queries, swap negatives and targets, drawn as tensors."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypedDict, Unpack

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from conceptbind.core.arguments import explains_arguments
from conceptbind.core.errors import ValueRangeError, counted

if TYPE_CHECKING:
    from jaxtyping import Bool, Float, Int


@dataclass(frozen=True, eq=False)
class ObjectSplit:
    """Train, validation and test objects: every object belongs to one part."""

    train: Int[Tensor, " train"]
    """Object ids, in increasing order."""
    validation: Int[Tensor, " validation"]
    test: Int[Tensor, " test"]


def split_objects(
    sizes: tuple[int, ...], coverage: float, seed: int = 0, most_validation: int = 1_000
) -> ObjectSplit:
    """A share `coverage` of the objects to train on, with every value among them where that is
    possible; a third of the rest for validation.

    Args:
        sizes: number of values of each concept.
        coverage: share of the objects to train on, between 0 and 1.
        seed: decides the draw.
        most_validation: most objects to choose with.

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
            f"coverage {coverage} of {counted(n_objects, 'object')} leaves {n_train:,} to train "
            "on and "
            f"{max(0, n_objects - n_train - n_validation)} to test, "
            "beside those for validation; each part needs at least 2"
        )
    random = torch.Generator().manual_seed(seed)
    # Objects along shuffled diagonals hold every value; as many of them as fit come first.
    longest = max(sizes)
    columns = [_shuffled(size, longest, random) for size in sizes]
    first = object_ids(torch.stack(columns, dim=1), sizes).unique()
    first = first[torch.randperm(len(first), generator=random)][:n_train]
    others = torch.randperm(n_objects, generator=random)
    others = others[~torch.isin(others, first)]
    order = torch.cat([first, others])
    parts = order.split([n_train, n_validation, n_objects - n_train - n_validation])
    return ObjectSplit(*(part.sort().values for part in parts))


@explains_arguments
def object_ids(
    values: Int[Tensor, "*objects concepts"], sizes: tuple[int, ...]
) -> Int[Tensor, " *objects"]:
    """(..., C) value ids -> (...) object ids; the last concept varies fastest.

    Args:
        values: (..., C) value ids.
        sizes: number of values of each of the C concepts.
    """
    found = torch.zeros_like(values[..., 0])
    for k, size in enumerate(sizes):
        found = found * size + values[..., k]
    return found


@explains_arguments
def object_values(
    ids: Int[Tensor, " *objects"], sizes: tuple[int, ...]
) -> Int[Tensor, "*objects concepts"]:
    """(...) object ids -> (..., C) value ids.

    Args:
        ids: (...) object ids.
        sizes: number of values of each of the C concepts.
    """
    found = []
    for size in reversed(sizes):
        found.append(ids % size)
        ids = ids // size
    return torch.stack(found[::-1], dim=-1)


@explains_arguments
def draw_objects(
    among: Int[Tensor, " candidates"], n: int, m: int, random: torch.Generator
) -> Int[Tensor, "scenes slots"]:
    """(n, m) ids of m different objects for each of n scenes, every choice and order equally
    likely.

    Args:
        among: (k,) object ids to draw from.
        n: number of scenes.
        m: objects in a scene, at most k.
        random: where the draw comes from.
    """
    return among[_different_numbers([len(among)], n, m, [random])[0].to(among.device)]


def _different_numbers(
    counts: Sequence[int], n: int, m: int, randoms: Sequence[torch.Generator]
) -> Tensor:
    """(E, n, m) different numbers below each count, drawn with the random numbers of its own, on
    the CPU.
    """
    if min(counts) < m:
        raise ValueRangeError(
            f"scenes of {m} different objects need at least {counted(m, 'object')}; there are "
            f"{min(counts)}"
        )
    drawn: list[Tensor] = []
    for i in range(m):
        # A number among those left, then moved past the earlier choices in increasing order.
        number = torch.stack(
            [
                torch.randint(count - i, (n,), generator=random)
                for count, random in zip(counts, randoms, strict=True)
            ]
        )
        for earlier in torch.stack(drawn, dim=2).sort(dim=2).values.unbind(2) if drawn else ():
            number = number + (number >= earlier)
        drawn.append(number)
    return torch.stack(drawn, dim=2)


@dataclass(frozen=True, eq=False)
class Batch:
    """Scenes of each number of objects with the queries that they are compared with; E in front of
    every shape where it is of E models.
    """

    scenes: list[Int[Tensor, "*models _ _"]]
    """(n_j, j) object ids for j in the numbers of objects."""
    queries: Int[Tensor, "*models queries"]
    """(Q,) different object ids, in increasing order: those in the batch and the swap negatives,
    train objects all; then fillers."""
    targets: Float[Tensor, "*models scenes queries"]
    """(n, Q) share of the mass of each query: 1 / j where the scene holds the object."""
    concept_targets: Float[Tensor, "*models scenes concepts values"]
    """(n, C, V) share of the mass of each value, V the largest number of values; 0 for values that
    a concept does not have."""
    filler: Bool[Tensor, "*models queries"]
    """(Q,) queries that stand for nothing and must not count."""
    concept_filler: Bool[Tensor, "*models concepts values"]
    """(C, V) values that are no queries."""


class Queried(TypedDict, total=False):
    """Which queries a batch has; see `StackedSampler`."""

    most_swaps: int | None
    negatives: int
    most_object_queries: int | None
    most_concept_queries: int | None


class StackedSampler:
    """Batches of scenes of train objects for E models at once; each model's are drawn with its own
    random numbers (of the CPU).

    Args:
        sizes: (V_1, ..., V_C).
        trains: ids of the train objects of each model, on the device where batches are made.
        most_objects: scenes have 1 to this many objects, equally many of each number.
        batch: scenes in a batch.
        most_swaps: how many objects that exchange one attribute with another object of the scene
            are queries too, drawn for each scene; by default all are, and 0 is none.
        negatives: further train objects that are queries, for each object that is asked for.
        most_object_queries: how many of the objects in the batch are asked for, drawn at random; by
            default all are.
        most_concept_queries: how many of the values in the batch are asked for; by default all
            values are queries.
        all_queries: compare with all train objects instead of those in the batch.
        round_to: queries are filled up to a multiple of this, so that few lengths occur.

    Raises:
        ValueRangeError: fewer train objects, or fewer scenes in a batch, than objects in a scene.
    """

    def __init__(
        self,
        sizes: tuple[int, ...],
        trains: Sequence[Int[Tensor, " _"]],
        most_objects: int,
        batch: int,
        *,
        most_swaps: int | None = None,
        negatives: int = 0,
        most_object_queries: int | None = None,
        most_concept_queries: int | None = None,
        all_queries: bool = False,
        round_to: int = 1,
    ) -> None:
        if batch < most_objects:
            raise ValueRangeError(
                f"a batch needs a scene of every number of objects: at least {most_objects}; got "
                f"{batch}"
            )
        self.sizes, self.all_queries, self.round_to = sizes, all_queries, round_to
        self.most_swaps, self.negatives = most_swaps, negatives
        self.most_object_queries = most_object_queries
        self.most_concept_queries = most_concept_queries
        self.counts = [
            batch // most_objects + (j < batch % most_objects) for j in range(most_objects)
        ]
        self.n_train = [len(train) for train in trains]
        if min(self.n_train) < most_objects:
            raise ValueRangeError(
                f"scenes of {most_objects} different objects need as many train objects; there are "
                f"{min(self.n_train)}"
            )
        self.train = pad_sequence(list(trains), batch_first=True)
        self.known = torch.zeros(
            len(trains), math.prod(sizes), dtype=torch.bool, device=self.train.device
        )
        for row, train in zip(self.known, trains, strict=True):
            row[train] = True

    def draw(self, randoms: Sequence[torch.Generator]) -> Batch:
        """The next batch of each model."""
        scenes = []
        for j, n in enumerate(self.counts, start=1):
            # Only these few numbers are drawn on the CPU, so that one seed gives one batch on every
            # device.
            # (E, n_j, j)
            numbers = _different_numbers(self.n_train, n, j, randoms).to(
                self.train.device, non_blocking=True
            )
            scenes.append(self.train.gather(1, numbers.flatten(1)).view_as(numbers))
        asked = self.known if self.all_queries else self._asked(scenes, randoms)
        place = asked.cumsum(1) - 1  # (E, |O|) where a query stands among those of its model
        last = place[:, -1:]
        n_queries = -(-(int(last.max()) + 1) // self.round_to) * self.round_to
        model, item = asked.nonzero().unbind(1)
        queries = torch.zeros(len(asked), n_queries, dtype=torch.long, device=asked.device)
        queries[model, place[model, item]] = item
        filler = torch.arange(n_queries, device=asked.device) > last
        n, start = sum(self.counts), 0
        targets = torch.zeros(len(asked), n, n_queries, device=asked.device)
        values = torch.zeros(len(asked), n, len(self.sizes), max(self.sizes), device=asked.device)
        for group in scenes:
            rows = slice(start, start + group.shape[1])
            objects = group.flatten(1)
            where = place.gather(1, objects).clamp(min=0).view_as(group)
            mass = asked.gather(1, objects).view_as(group).float()  # 0 of objects that are no query
            targets[:, rows].scatter_add_(2, where, mass)
            # by (E, n_j, C, j) values
            values[:, rows].scatter_(3, object_values(group, self.sizes).transpose(2, 3), 1.0)
            start += group.shape[1]
        no_query = torch.zeros_like(values[:, 0], dtype=torch.bool)  # (E, C, V)
        if self.most_concept_queries is not None:
            there = (values > 0).any(dim=1).flatten(1)
            no_query = ~_some(there, self.most_concept_queries, randoms).view_as(no_query)
            values = values.masked_fill(no_query[:, None], 0.0)
        return Batch(scenes, queries, _shares(targets), _shares(values), filler, no_query)

    def _asked(self, scenes: list[Tensor], randoms: Sequence[torch.Generator]) -> Tensor:
        """(E, |O|) which objects are queries."""
        held = torch.zeros_like(self.known)
        for group in scenes:
            held.scatter_(1, group.flatten(1), True)
        if self.most_object_queries is not None:
            held = _some(held, self.most_object_queries, randoms)
        asked = held.clone()
        if self.negatives:
            self._add_negatives(asked, randoms)
        for group in () if self.most_swaps == 0 else scenes:
            if group.shape[2] > 1:
                swaps = swapped(object_values(group, self.sizes), self.sizes)
                if self.most_swaps is not None:
                    swaps = swaps.gather(2, _numbers(swaps, self.most_swaps, randoms))
                asked.scatter_(1, swaps.flatten(1), True)
        return asked & self.known

    def _add_negatives(self, asked: Tensor, randoms: Sequence[torch.Generator]) -> None:
        """Ask for train objects beside those that are asked for, so many for each."""
        for row, train, n_train, random in zip(
            asked, self.train, self.n_train, randoms, strict=True
        ):
            drawn = torch.randint(n_train, (self.negatives * int(row.sum()),), generator=random)
            row[train[drawn.to(train.device)]] = True


class Sampler:
    """Batches of scenes of train objects for one model.

    Args:
        sizes: (V_1, ..., V_C).
        train: ids of the train objects, on the device where batches are made.
        most_objects: see `StackedSampler`, as all others.
        batch: scenes in a batch.
        all_queries: see there.
        round_to: see there.
        **how: which queries a batch has.
    """

    def __init__(
        self,
        sizes: tuple[int, ...],
        train: Int[Tensor, " train"],
        most_objects: int,
        batch: int,
        *,
        all_queries: bool = False,
        round_to: int = 1,
        **how: Unpack[Queried],
    ) -> None:
        self._stack = StackedSampler(
            sizes,
            [train],
            most_objects,
            batch,
            all_queries=all_queries,
            round_to=round_to,
            **how,
        )
        self.sizes, self.train, self.known = sizes, train, self._stack.known[0]
        self.most_swaps = self._stack.most_swaps

    def draw(self, random: torch.Generator) -> Batch:
        """The next batch."""
        of = self._stack.draw([random])
        return Batch(
            [group[0] for group in of.scenes],
            of.queries[0],
            of.targets[0],
            of.concept_targets[0],
            of.filler[0],
            of.concept_filler[0],
        )


def _shares(mass: Tensor) -> Tensor:
    """Mass that sums to one over the last axis, or to nothing where there is none."""
    return mass / mass.sum(dim=-1, keepdim=True).clamp(min=1.0)


def _some(there: Tensor, most: int, randoms: Sequence[torch.Generator]) -> Tensor:
    """(E, N) so many of the items of each model, or all where they are fewer."""
    keys = torch.stack([torch.rand(there.shape[1], generator=random) for random in randoms])
    keys = keys.to(there.device).masked_fill(~there, -1.0)
    chosen = torch.zeros_like(there)
    chosen.scatter_(1, keys.topk(min(most, there.shape[1]), dim=1).indices, True)
    return chosen & there


def _numbers(swaps: Tensor, n: int, randoms: Sequence[torch.Generator]) -> Tensor:
    """(E, n_j, n) which of the swaps of each scene are drawn, each by itself."""
    _, scenes, most = swaps.shape
    drawn = [torch.randint(most, (scenes, n), generator=random) for random in randoms]
    return torch.stack(drawn).to(swaps.device)


def swapped(
    values: Int[Tensor, "*scenes slots concepts"], sizes: tuple[int, ...]
) -> Int[Tensor, "*scenes swaps"]:
    """(..., m, C) -> (..., m (m - 1) C) ids of the objects with one attribute taken from another
    object of the scene.
    """
    m = values.shape[-2]
    found = []
    for i in range(m):
        for other in range(m):
            if other != i:
                for k in range(len(sizes)):
                    taken = values[..., i, :].clone()
                    taken[..., k] = values[..., other, k]
                    found.append(object_ids(taken, sizes))
    return torch.stack(found, dim=-1)


def _shuffled(size: int, length: int, random: torch.Generator) -> Tensor:
    """(length,) the values of a concept in random order, as often as they fit."""
    rounds = -(-length // size)
    return torch.cat([torch.randperm(size, generator=random) for _ in range(rounds)])[:length]
