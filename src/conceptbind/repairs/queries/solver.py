"""The map of a query, by a convex problem: of all pairs of a paraphrase and a negative in a group,
the paraphrase should score higher (LABCLIP's aim, arXiv 2502.03566, section 5, with paraphrases in
the place of pictures).

The score of a document d for a query q is the inner product of d with A q: which document is first
does not depend on the length of A q. The loss is the mean of log(1 + exp(score of the negative -
score of the paraphrase)), which is convex in A, and a penalty in coordinates in which captions of
one group vary alike. A caption counts as a paraphrase of itself, too. That keeps the map near to a
metric: without it, captions that people wrote find each other less often. L-BFGS solves the problem
along a path of falling penalties; validation chooses among its stations and the identity.
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

PENALTIES = (1e-3, 1e-4, 3e-5, 1e-5)
"""Stations of the path."""
STEPS = 60
"""Steps of L-BFGS at each station."""
FLOOR = 1e-4
"""Least variance of a direction, as a share of the largest, so that noise is not blown up."""
BLOCK = 256
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
    same: Tensor
    """(g, k, k) whether two captions mean the same; each means the same as itself."""
    other: Tensor
    """(g, k, k) whether two captions are there and say something else."""

    @classmethod
    def of(cls, groups: Groups) -> _Packed:
        there = torch.from_numpy(groups.members != NONE)
        rows = torch.from_numpy(np.asarray(groups.rows[groups.members.clip(0)], dtype=np.float32))
        classes = torch.from_numpy(groups.classes)
        alike = classes[:, :, None] == classes[:, None]
        pairs = there[:, :, None] & there[:, None]
        return cls(rows * there[:, :, None], pairs & alike, pairs & ~alike)

    def without_itself(self) -> _Packed:
        """The same, but that no caption is a paraphrase of itself."""
        two = ~torch.eye(self.same.shape[1], dtype=torch.bool)
        return self._replace(same=self.same & two)


def fit_queries(
    train: Groups,
    validation: Groups,
    *,
    seed: int = 0,
    on_step: Callable[[int, int], None] = lambda done, total: None,
) -> QueryFit:
    """Fit A on train groups; validation groups choose among the identity and the path.

    Of stations that win as many comparisons as the best, up to a hundredth, the first is taken: the
    identity, then the largest penalty.

    Args:
        train: groups that are fitted.
        validation: groups that choose.
        seed: for the record; nothing is drawn.
        on_step: called with stations done and stations in all.

    Raises:
        ValueRangeError: there is nothing to compare in one of the two.
    """
    fitted, judged = _Packed.of(train), _Packed.of(validation).without_itself()
    for part, name in ((fitted, "fit on"), (judged, "choose by")):
        if not _n_comparisons(part.without_itself()):
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
    for done, penalty in enumerate(PENALTIES, 1):
        _solve(coordinates, inner, penalty)
        weight = basis @ inner.detach() @ basis.T / width
        weight = weight / _mean_length(fitted, weight)
        if torch.isfinite(weight).all():
            stations.append(Station(penalty, weight, _won(judged, weight)))
        on_step(done, len(PENALTIES))
    best = max(station.score for station in stations)
    chosen = next(s for s in stations if s.score >= best - TOLERANCE - ROUNDING)
    config = {
        "protocol": "HNB",
        "solver": "convex",
        "side": "query",
        "penalty": chosen.penalty,
        "seed": seed,
        "groups": len(train),
        "data_hash": content_hash(fitted.rows.numpy().tobytes(), train.classes.tobytes()),
    }
    adapter = Adapter(chosen.weight.numpy().astype(np.float32), 0.0, config)
    return QueryFit(adapter, tuple(stations), chosen)


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


def _scores(groups: _Packed, weight: Tensor) -> Tensor:
    """(g, k, k) score of each caption as a document (last) for each as a query."""
    return (groups.rows @ weight.T) @ groups.rows.transpose(1, 2)


def _compared(groups: _Packed) -> Tensor:
    """(g, k, k, k) whether a query, a paraphrase and a negative are compared."""
    return groups.same[:, :, :, None] & groups.other[:, :, None, :]


def _n_comparisons(groups: _Packed) -> int:
    return int((groups.same.sum(2) * groups.other.sum(2)).sum())


def _loss(groups: _Packed, weight: Tensor) -> Tensor:
    scores = _scores(groups, weight)
    behind = scores[:, :, None, :] - scores[:, :, :, None]
    return (softplus(behind) * _compared(groups)).sum()


def _won(groups: _Packed, weight: Tensor) -> float:
    """Share of the comparisons that are won; a tie is a miss."""
    won = 0
    for block in _blocks(groups):
        scores = _scores(block, weight)
        lead = scores[:, :, :, None] - scores[:, :, None, :]
        size = (block.rows @ weight.T).norm(dim=2).amax().item()
        margin = ULPS * torch.finfo(scores.dtype).eps * size
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
