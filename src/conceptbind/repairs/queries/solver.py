"""The map of a query, by a convex problem: of all pairs of a paraphrase and a negative in a group,
the paraphrase should score higher (LABCLIP's aim, arXiv 2502.03566, section 5, with paraphrases in
the place of pictures).

The score of a document d for a query q is the inner product of d with A q: which document is first
does not depend on the length of A q. The loss is convex in A. It has two parts and a penalty in
coordinates in which captions of one group vary alike:

- within a group, the mean of log(1 + exp(score of the negative - score of the paraphrase));
- `SHARE` times the loss of a paraphrase among captions of other groups, drawn at random (the mean
  of log(1 + sum of exp(score of another - score of the paraphrase))). Without it a map of a low
  penalty finds the right one of two swaps, but no longer the scene among others.

A caption counts as a paraphrase of itself, too. L-BFGS solves the problem along a path of falling
penalties; validation chooses among its stations and the identity, by binding and by its cost.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch
from torch.nn.functional import softplus

from conceptbind.core.errors import ValueRangeError, counted
from conceptbind.core.files import content_hash
from conceptbind.metrics.retrieval import ranks, within
from conceptbind.metrics.ties import ULPS
from conceptbind.repairs.labclip.adapter import Adapter
from conceptbind.repairs.labclip.cost import ROUNDING, TOLERANCE
from conceptbind.repairs.queries.groups import NONE, Groups

if TYPE_CHECKING:
    from jaxtyping import Float, Int
    from torch import Tensor

    from conceptbind.core.typing import Floats, Ints

PENALTIES = (1e-3, 1e-4, 1e-5)
"""Stations of the path."""
STEPS = 40
"""Steps of L-BFGS at each station."""
OTHERS = 64
"""Captions of other groups that the captions of a group are compared with."""
SHARE = 0.02
"""Weight of these comparisons; those within a group have 1."""
FLOOR = 1e-4
"""Least variance of a direction, as a share of the largest, so that noise is not blown up."""
BLOCK = 64
"""Groups that are compared at once."""
SEARCHED = 1024
"""Scenes that ask at once."""


class Station(NamedTuple):
    """A place on the path."""

    penalty: float | None
    """None for the identity."""
    weight: Float[Tensor, "width width"]
    """(d, d)"""
    score: float
    """Share of the comparisons of the validation groups that are won."""
    kept: float | None
    """Share of the scenes of validation that find their paraphrase before all scenes of other
    groups; None where there is one group."""
    alone: float | None = None
    """Share of the single objects that choose which find their paraphrase before all others; None
    where there are none."""


class Watched(NamedTuple):
    """m captions of single objects, of which a map may not lose any."""

    queries: Float[Floats, "queries width"]
    """(m, d)"""
    documents: Float[Floats, "documents width"]
    """(k, d) what is found."""
    own: Int[Ints, " queries"]
    """(m,) document that each has to find."""

    def kept(self, mapped: Float[Floats, "queries width"]) -> float:
        """Share that finds its document first.

        Args:
            mapped: (m, d) the queries as a map leaves them.
        """
        hits, _ = within(*ranks(mapped, self.documents, self.own), 1)
        return float(hits.mean())


@dataclass(frozen=True, eq=False)
class QueryFit:
    """A fitted map of queries, and the way it came about."""

    adapter: Adapter
    stations: tuple[Station, ...]
    """The identity, then the path."""
    chosen: Station

    @property
    def helps(self) -> bool:
        """Whether validation preferred a map to none."""
        return self.chosen.penalty is not None


class _Packed(NamedTuple):
    """Groups as tensors."""

    rows: Tensor
    """(g, k, d)"""
    near: Tensor
    """(g, k, s) members that mean the same as each; each means the same as itself."""
    is_near: Tensor
    """(g, k, s) whether there is one."""
    far: Tensor
    """(g, k, o) members that say something else."""
    is_far: Tensor
    """(g, k, o) whether there is one."""

    @classmethod
    def of(cls, groups: Groups, *, itself: bool = True) -> _Packed:
        """Groups as tensors.

        Args:
            groups: captions in groups.
            itself: whether a caption is a paraphrase of itself.
        """
        there = torch.from_numpy(groups.members != NONE)
        rows = torch.from_numpy(np.asarray(groups.rows[groups.members.clip(0)], dtype=np.float32))
        classes = torch.from_numpy(groups.classes)
        alike = classes[:, :, None] == classes[:, None]
        pairs = there[:, :, None] & there[:, None]
        own = torch.eye(there.shape[1], dtype=torch.bool)
        near = pairs & alike if itself else pairs & alike & ~own
        return cls(rows * there[:, :, None], *_listed(near), *_listed(pairs & ~alike))


def _listed(pairs: Tensor) -> tuple[Tensor, Tensor]:
    """(g, k, most) the partners of each member, and whether there are so many, from (g, k, k)."""
    most = max(int(pairs.sum(2).max()), 1)
    members = torch.argsort((~pairs).int(), dim=2, stable=True)[:, :, :most]
    return members, pairs.gather(2, members)


def fit_queries(
    train: Groups,
    validation: Groups,
    *,
    alone: Watched | None = None,
    seed: int = 0,
    on_step: Callable[[int, int], None] = lambda done, total: None,
) -> QueryFit:
    """Fit A on train groups; validation groups choose among the identity and the path.

    Args:
        train: groups that are fitted.
        validation: groups that choose; see `chosen_station`.
        alone: single objects that choose, too.
        seed: of the captions of other groups that each group is compared with.
        on_step: called with stations done and stations in all.

    Raises:
        ValueRangeError: there is nothing to compare in one of the two.
    """
    fitted, judged = _Packed.of(train), _Packed.of(validation, itself=False)
    for part, name in ((_Packed.of(train, itself=False), "fit on"), (judged, "choose by")):
        if not _n_comparisons(part):
            raise ValueRangeError(
                f"a repair of queries needs captions with a paraphrase and a swap to {name}; got "
                f"{counted(len(part.rows), 'group')} without any"
            )
    width = fitted.rows.shape[2]
    searched = _Searched.of(validation)

    def station(penalty: float | None, weight: Tensor) -> Station:
        found = None if alone is None else alone.kept(alone.queries @ weight.numpy().T)
        return Station(penalty, weight, _won(judged, weight), searched.kept(weight), found)

    stations = [station(None, torch.eye(width))]
    basis = _alike(fitted)
    inner = torch.zeros(width, width, requires_grad=True)
    coordinates = fitted._replace(rows=fitted.rows @ basis / width**0.5)
    others = _others(train, seed)
    for done, penalty in enumerate(PENALTIES, 1):
        _solve(coordinates, others, inner, penalty)
        weight: Tensor = basis @ inner.detach() @ basis.T / width
        weight = weight / _mean_length(fitted, weight)
        if torch.isfinite(weight).all():
            stations.append(station(penalty, weight))
        on_step(done, len(PENALTIES))
    chosen = chosen_station(stations)
    config = {
        "protocol": "convex",
        "solver": "convex",
        "side": "query",
        "penalty": chosen.penalty,
        "seed": seed,
        "groups": len(train),
        "data_hash": content_hash(
            *(part.rows.numpy().tobytes() for part in (fitted, judged)),
            *(part.classes.tobytes() for part in (train, validation)),
        ),
    }
    adapter = Adapter(chosen.weight.numpy().astype(np.float32), 0.0, config)
    return QueryFit(adapter, tuple(stations), chosen)


def chosen_station(stations: Sequence[Station]) -> Station:
    """The first station that binds as well as the best, up to a hundredth. It may lose no more than
    another hundredth of the scenes, and of the single objects, that the identity finds.

    Args:
        stations: the identity, then the path from the largest penalty on.
    """

    def loses(now: float | None, then: float | None) -> bool:
        return now is not None and now < (then or 0.0) - TOLERANCE - ROUNDING

    first = stations[0]
    allowed = [
        one
        for one in stations
        if not (loses(one.kept, first.kept) or loses(one.alone, first.alone))
    ]
    best = max(one.score for one in allowed)
    return next(one for one in allowed if one.score >= best - TOLERANCE - ROUNDING)


class _Searched(NamedTuple):
    """Two captions of each scene: one asks, the other has to be found."""

    queries: Tensor
    """(s, d)"""
    documents: Tensor
    """(s, d)"""
    draws: Tensor
    """(s,) draw of each scene."""

    @classmethod
    def of(cls, groups: Groups) -> _Searched:
        """The first and the last caption of each scene that has two.

        Args:
            groups: captions in groups.
        """
        group, column = np.nonzero(groups.members != NONE)
        told = np.stack([group, groups.classes[group, column]], axis=1)
        _, first, which = np.unique(told, axis=0, return_index=True, return_inverse=True)
        last = np.zeros_like(first)
        np.maximum.at(last, which.reshape(-1), np.arange(len(told)))
        first, last = first[first < last], last[first < last]
        rows = groups.members[group, column]
        asking, found = (
            torch.from_numpy(np.asarray(groups.rows[rows[some]], dtype=np.float32))
            for some in (first, last)
        )
        return cls(asking, found, torch.from_numpy(groups.draws[group[first]]))

    def kept(self, weight: Tensor) -> float | None:
        """Share that scores its paraphrase above all captions of other draws; a tie is a miss."""
        if len(self.draws) < 2 or bool((self.draws == self.draws[0]).all()):
            return None
        mapped, hits = self.queries @ weight.T, 0
        margin = ULPS * torch.finfo(mapped.dtype).eps * mapped.norm(dim=1).amax()
        # blocks, so that memory does not grow with the square of the scenes
        parts = zip(mapped.split(SEARCHED), self.documents.split(SEARCHED), strict=True)
        for (some, own), draws in zip(parts, self.draws.split(SEARCHED), strict=True):
            scores = some @ self.documents.T
            scores[draws[:, None] == self.draws] = -torch.inf
            hits += int(((some * own).sum(1) > scores.amax(1) + margin).sum())
        return hits / len(self.draws)


def _others(groups: Groups, seed: int) -> Tensor | None:
    """(g, r) captions of other draws for each group, as places among all members laid flat, drawn
    at random; None where all groups are one draw.
    """
    places = np.flatnonzero(groups.members.ravel() != NONE)
    draw = groups.draws[places // groups.members.shape[1]]
    order = np.argsort(draw, kind="stable")
    first = np.searchsorted(draw[order], groups.draws, side="left")[:, None]
    own = np.searchsorted(draw[order], groups.draws, side="right")[:, None] - first
    rest = len(places) - own
    if not rest.min():
        return None
    drawn = np.random.default_rng(seed).random((len(groups), OTHERS)) * rest
    which = drawn.astype(np.int64)
    return torch.from_numpy(places[order][which + own * (which >= first)])


def _solve(groups: _Packed, others: Tensor | None, inner: Tensor, penalty: float) -> None:
    """Move `inner` to the minimum of the loss with a penalty."""
    n, pairs = _n_comparisons(groups), int(groups.is_near.sum())
    flat = groups.rows.reshape(-1, groups.rows.shape[2])
    solver = torch.optim.LBFGS(
        [inner],
        max_iter=STEPS,
        history_size=10,
        line_search_fn="strong_wolfe",
        tolerance_grad=1e-9,
        tolerance_change=1e-12,
    )
    drawn = [None] * len(_blocks(groups)) if others is None else others.split(BLOCK)

    def closure() -> Tensor:
        solver.zero_grad()
        total = penalty / 2 * (inner**2).sum()
        total.backward()  # type: ignore[no-untyped-call]
        for block, places in zip(_blocks(groups), drawn, strict=True):
            mapped = block.rows @ inner.T
            part = _loss(block, mapped) / n
            if places is not None:
                part = part + SHARE * _loss_of_others(block, mapped, flat[places]) / pairs
            part.backward()  # type: ignore[no-untyped-call]
            total = total + part
        return total.detach()

    solver.step(closure)  # type: ignore[no-untyped-call]


def _blocks(groups: _Packed) -> list[_Packed]:
    parts = (part.split(BLOCK) for part in groups)
    return [_Packed(*block) for block in zip(*parts, strict=True)]


def _lead(groups: _Packed, mapped: Tensor) -> Tensor:
    """(g, k, s, o) by how much each paraphrase scores higher than each negative, for a query."""
    # of each caption as a document (last) for each as a query
    scores = mapped @ groups.rows.transpose(1, 2)
    near, far = scores.gather(2, groups.near), scores.gather(2, groups.far)
    return near[:, :, :, None] - far[:, :, None, :]


def _compared(groups: _Packed) -> Tensor:
    """(g, k, s, o) whether a query, a paraphrase and a negative are compared."""
    return groups.is_near[:, :, :, None] & groups.is_far[:, :, None, :]


def _n_comparisons(groups: _Packed) -> int:
    return int((groups.is_near.sum(2) * groups.is_far.sum(2)).sum())


def _loss(groups: _Packed, mapped: Tensor) -> Tensor:
    """Of paraphrases among the negatives of their group."""
    return (softplus(-_lead(groups, mapped)) * _compared(groups)).sum()


def _loss_of_others(groups: _Packed, mapped: Tensor, others: Tensor) -> Tensor:
    """Of paraphrases among captions of other groups (g, r, d)."""
    near = (mapped @ groups.rows.transpose(1, 2)).gather(2, groups.near)
    far = (mapped @ others.transpose(1, 2)).logsumexp(2, keepdim=True)
    return (softplus(far - near) * groups.is_near).sum()


def _won(groups: _Packed, weight: Tensor) -> float:
    """Share of the comparisons that are won; a tie is a miss."""
    won = 0
    for block in _blocks(groups):
        mapped = block.rows @ weight.T
        lead = _lead(block, mapped)
        size = mapped.norm(dim=2).amax().item()
        margin = ULPS * torch.finfo(lead.dtype).eps * size
        won += int(((lead > margin) & _compared(block)).sum())
    return won / _n_comparisons(groups)


def _mean_length(groups: _Packed, weight: Tensor) -> Tensor:
    """Mean length of a mapped caption, so that maps of all penalties are of one size."""
    there = groups.rows.norm(dim=2) > 0
    return (groups.rows @ weight.T).norm(dim=2)[there].mean().clamp_min(1e-30)


def _alike(groups: _Packed) -> Tensor:
    """(d, d) coordinates in which captions of one group vary alike in all directions."""
    there = (groups.rows.norm(dim=2) > 0)[:, :, None]
    middle = groups.rows.sum(1, keepdim=True) / there.sum(1, keepdim=True).clamp_min(1)
    apart = ((groups.rows - middle) * there).reshape(-1, groups.rows.shape[2]).double()
    values, vectors = torch.linalg.eigh(apart.T @ apart / max(int(there.sum()), 1))
    values = values.clamp_min(max(float(values.max()) * FLOOR, 1e-30))
    return (vectors / values.sqrt()).float()
