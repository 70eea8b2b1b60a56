"""The map of a query, by a convex problem: of all pairs of a paraphrase and a negative in a group,
the paraphrase should score higher (LABCLIP's aim, arXiv 2502.03566, section 5, with paraphrases in
the place of pictures).

The score of a document d for a query q is the inner product of d with A q: which document is first
does not depend on the length of A q. The loss is the mean of log(1 + exp(score of the negative -
score of the paraphrase)), which is convex in A, and a penalty in coordinates in which captions of
one group vary alike. A caption counts as a paraphrase of itself, too. That keeps the map near to a
metric: without it, captions that people wrote find each other less often. L-BFGS solves the problem
along a path of falling penalties; validation chooses among its stations and the identity. The map
of the station that it chose is then fitted further on the groups of both parts.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch
from torch.nn.functional import softplus

from conceptbind.core.errors import ValueRangeError, counted
from conceptbind.core.files import content_hash
from conceptbind.metrics.ties import ULPS
from conceptbind.repairs.labclip.adapter import Adapter
from conceptbind.repairs.labclip.cost import ROUNDING, TOLERANCE
from conceptbind.repairs.queries.groups import NONE, Groups

if TYPE_CHECKING:
    from jaxtyping import Float
    from torch import Tensor

PENALTIES = (1e-3, 1e-4, 1e-5)
"""Stations of the path."""
STEPS = 40
"""Steps of L-BFGS at each station, and at the end."""
FLOOR = 1e-4
"""Least variance of a direction, as a share of the largest, so that noise is not blown up."""
BLOCK = 64
"""Groups that are compared at once."""


class Station(NamedTuple):
    """A place on the path."""

    penalty: float | None
    """None for the identity."""
    weight: Float[Tensor, "width width"]
    """(d, d)"""
    score: float
    """Share of the comparisons of the validation groups that are won."""


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

    def and_also(self, more: _Packed) -> _Packed:
        """These groups and others."""
        parts = []
        for one, other in zip(self, more, strict=True):
            shape = [max(sizes) for sizes in zip(one.shape[1:], other.shape[1:], strict=True)]
            parts.append(torch.cat([_padded(one, shape), _padded(other, shape)]))
        return _Packed(*parts)


def _listed(pairs: Tensor) -> tuple[Tensor, Tensor]:
    """(g, k, most) the partners of each member, and whether there are so many, from (g, k, k)."""
    most = max(int(pairs.sum(2).max()), 1)
    members = torch.argsort((~pairs).int(), dim=2, stable=True)[:, :, :most]
    return members, pairs.gather(2, members)


def _padded(part: Tensor, shape: list[int]) -> Tensor:
    """(g, *shape) the same with zeros behind it."""
    behind = [wanted - size for size, wanted in zip(part.shape[1:], shape, strict=True)]
    return torch.nn.functional.pad(part, (0, behind[1], 0, behind[0]))


def fit_queries(
    train: Groups,
    validation: Groups,
    *,
    seed: int = 0,
    on_step: Callable[[int, int], None] = lambda done, total: None,
) -> QueryFit:
    """Fit A on train groups; validation groups choose among the identity and the path.

    Of stations that win as many comparisons as the best, up to a hundredth, the first is taken: the
    identity, then the largest penalty. From there a map is fitted further on both.

    Args:
        train: groups that are fitted.
        validation: groups that choose; at the end they are fitted, too.
        seed: for the record; nothing is drawn.
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
    eye = torch.eye(width)
    stations = [Station(None, eye, _won(judged, eye))]
    basis = _alike(fitted)
    inner = torch.zeros(width, width, requires_grad=True)
    coordinates = fitted._replace(rows=fitted.rows @ basis / width**0.5)
    ways = {}
    for done, penalty in enumerate(PENALTIES, 1):
        _solve(coordinates, inner, penalty)
        weight = _weight(fitted, basis, inner)
        if torch.isfinite(weight).all():
            stations.append(Station(penalty, weight, _won(judged, weight)))
        ways[penalty] = inner.detach().clone()
        on_step(done, len(PENALTIES))
    best = max(station.score for station in stations)
    chosen = next(s for s in stations if s.score >= best - TOLERANCE - ROUNDING)
    weight = chosen.weight
    if chosen.penalty is not None:
        both = fitted.and_also(_Packed.of(validation))
        inner = ways[chosen.penalty].requires_grad_()
        _solve(both._replace(rows=both.rows @ basis / width**0.5), inner, chosen.penalty)
        further = _weight(both, basis, inner)
        weight = further if torch.isfinite(further).all() else weight
    config = {
        "protocol": "HNB",
        "solver": "convex",
        "side": "query",
        "penalty": chosen.penalty,
        "seed": seed,
        "groups": len(train) + len(validation),
        "data_hash": content_hash(
            *(part.rows.numpy().tobytes() for part in (fitted, judged)),
            *(part.classes.tobytes() for part in (train, validation)),
        ),
    }
    adapter = Adapter(weight.numpy().astype(np.float32), 0.0, config)
    return QueryFit(adapter, tuple(stations), chosen)


def _weight(groups: _Packed, basis: Tensor, inner: Tensor) -> Tensor:
    """(d, d) the map, from its coordinates."""
    weight: Tensor = basis @ inner.detach() @ basis.T / len(basis)
    return weight / _mean_length(groups, weight)


def _solve(groups: _Packed, inner: Tensor, penalty: float) -> None:
    """Move `inner` to the minimum of the loss with a penalty."""
    n = _n_comparisons(groups)
    solver = torch.optim.LBFGS(
        [inner],
        max_iter=STEPS,
        history_size=10,
        line_search_fn="strong_wolfe",
        tolerance_grad=1e-9,
        tolerance_change=1e-12,
    )

    def closure() -> Tensor:
        solver.zero_grad()
        total = penalty / 2 * (inner**2).sum()
        total.backward()  # type: ignore[no-untyped-call]
        for block in _blocks(groups):
            part = _loss(block, inner) / n
            part.backward()  # type: ignore[no-untyped-call]
            total = total + part
        return total.detach()

    solver.step(closure)  # type: ignore[no-untyped-call]


def _blocks(groups: _Packed) -> list[_Packed]:
    parts = (part.split(BLOCK) for part in groups)
    return [_Packed(*block) for block in zip(*parts, strict=True)]


def _lead(groups: _Packed, weight: Tensor) -> Tensor:
    """(g, k, s, o) by how much each paraphrase scores higher than each negative, for a query."""
    # of each caption as a document (last) for each as a query
    scores = (groups.rows @ weight.T) @ groups.rows.transpose(1, 2)
    near, far = scores.gather(2, groups.near), scores.gather(2, groups.far)
    return near[:, :, :, None] - far[:, :, None, :]


def _compared(groups: _Packed) -> Tensor:
    """(g, k, s, o) whether a query, a paraphrase and a negative are compared."""
    return groups.is_near[:, :, :, None] & groups.is_far[:, :, None, :]


def _n_comparisons(groups: _Packed) -> int:
    return int((groups.is_near.sum(2) * groups.is_far.sum(2)).sum())


def _loss(groups: _Packed, weight: Tensor) -> Tensor:
    return (softplus(-_lead(groups, weight)) * _compared(groups)).sum()


def _won(groups: _Packed, weight: Tensor) -> float:
    """Share of the comparisons that are won; a tie is a miss."""
    won = 0
    for block in _blocks(groups):
        lead = _lead(block, weight)
        size = (block.rows @ weight.T).norm(dim=2).amax().item()
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
